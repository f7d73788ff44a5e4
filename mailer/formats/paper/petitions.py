"""What is handed over with a petition: to whom, how many signed and where, and the names that go with it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mailer.formats.paper import glyphs
from mailer.formats.paper.sheets import UnprintableLanguage, breakable, compile_template


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverSheet:
    """What the pages say; plain text throughout."""

    language: str  # BCP 47
    direction: str  # "ltr" or "rtl"
    title: str  # the campaign's
    to: Sequence[str]  # what the addressee is for, and the addressee
    total: str  # how many signed, as a sentence
    where: str  # above the countries
    countries: Sequence[tuple[str, str]]  # each with its number
    who: str  # above the names
    names: Sequence[tuple[str, str]]  # each with a town or a role, which may be empty
    web_url: str | None  # of the text that was signed
    signature: tuple[str, str]  # the organisation, and the day


def is_printable(*texts: str) -> bool:
    """Whether our fonts have all letters of some texts."""
    return all(glyphs.missing_letter(text) is None for text in texts)


def hand_over(sheet: HandOverSheet) -> bytes:
    """Pages of A4 as PDF/UA-1, fonts embedded; the same sheet always gives the same bytes.

    :raises UnprintableLanguage: when the fonts lack a letter that it needs.
    :raises UnprintableSheet: when it cannot be set for another reason.
    """
    language, *subtags = sheet.language.split("-")

    def words(text: str) -> dict[str, str]:
        return _words(text, sheet)

    data: dict[str, object] = {
        "lang": language,
        "region": next((subtag for subtag in subtags if len(subtag) == 2), None),
        "direction": sheet.direction,
        "title": words(sheet.title),
        "to": [words(line) for line in sheet.to],
        "total": words(sheet.total),
        "where": words(sheet.where),
        "countries": [[words(name), words(number)] for name, number in sheet.countries],
        "who": words(sheet.who),
        "names": [[words(name), words(place)] for name, place in sheet.names],
        "web_url": sheet.web_url,
        "web_text": breakable(sheet.web_url or ""),
        "signature": [words(part) for part in sheet.signature],
    }
    return compile_template("petition.typ", data, format="pdf", pdf_standards="ua-1")


def _words(text: str, sheet: HandOverSheet) -> dict[str, str]:
    """A text and its direction: that of its own letters, the sheet's where it has none or of both."""
    if letter := glyphs.missing_letter(text):
        raise UnprintableLanguage(language=sheet.language, letter=letter)
    found = {unicodedata.bidirectional(char) for char in text if char.isalpha()}
    is_one_way = found and (found == {"L"} or "L" not in found)
    direction = ("ltr" if found == {"L"} else "rtl") if is_one_way else sheet.direction
    return {"text": breakable(glyphs.drop_unprintable(text)), "direction": direction}
