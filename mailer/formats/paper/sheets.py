"""What a union hands out and posts: a leaflet of one A4 page, and a square picture for social media."""

import io
import json
import os
import re
import struct
import unicodedata
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from textwrap import wrap
from typing import Any

import segno
import typst

from mailer.errors import MailerError
from mailer.formats.paper import glyphs

_HERE = Path(__file__).parent

#: an address so long that a line must be able to end behind its punctuation
_ADDRESS = re.compile(r"[^\s/@?&=._-]*[/@?&=._-]\S{24,}")
_JOINT = re.compile(r"([/@?&=._-]+)(?=\w)")
#: letters that are no word of any language
_ENDLESS = re.compile(r"\w{64,}")
_BREAK = "\u200b"  # a space without width


class UnprintableLanguage(MailerError):
    """A leaflet in "{language}" cannot be printed: its fonts lack the letter {letter}.
    They have the Latin, Greek, Cyrillic and Arabic scripts. Send the text of the mail instead."""


class UnprintableSheet(MailerError):
    """The leaflet or the picture cannot be made: {problem}. Change the title or the text of the campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a leaflet and a picture say; plain text throughout."""

    language: str  # BCP 47
    direction: str  # "ltr" or "rtl"
    title: str  # the campaign's subject
    lead: str  # its preheader
    paragraphs: tuple[str, ...]  # the body's beginning; as many as fit are printed
    call: str | None  # "Act by 30 April 2035"
    write_to: str  # "Write to:", above the addressee
    addressee: tuple[str, ...]  # whom to write to: name, postal address, e-mail, a line each
    invitation: str  # "Get the next alert yourself", for the address to join at
    join_url: str
    reading: str  # "Read the alert and act", beside the code of a campaign that has a page
    web_url: str | None  # that page, which the code leads to; None: the code leads to where one joins
    signature: str  # the organisation
    union: str | None  # in whose name
    logo: bytes | None  # the union's, PNG


def leaflet(sheet: Sheet) -> bytes:
    """One A4 page as PDF/UA-1, its fonts embedded; the same sheet always gives the same bytes.

    :raises UnprintableLanguage: when the fonts lack a letter that it needs.
    :raises UnprintableSheet: when it cannot be set for another reason.
    """
    data = _data(sheet) | {"qr": _code(sheet.web_url or sheet.join_url)}
    return compile_template("leaflet.typ", data, format="pdf", pdf_standards="ua-1")


def picture(sheet: Sheet) -> bytes:
    """A picture of 1080 × 1080 pixels as PNG; the same sheet always gives the same bytes.

    :raises UnprintableLanguage: when the fonts lack a letter that it needs.
    :raises UnprintableSheet: when it cannot be set for another reason.
    """
    return compile_template("picture.typ", _data(sheet), format="png", ppi=144.0)  # of 540 × 540 pt


def compile_template(template: str, data: dict[str, object], **options: Any) -> bytes:
    """What typst makes of one of our templates.

    :param data: what the template reads, as its `sheet`.
    :param options: of `typst.Compiler.compile`.
    :raises UnprintableSheet: when it cannot be set.
    """
    if _printing_process() != os.getpid():
        raise RuntimeError("a process that has printed was forked: print in its children only, or only in itself")
    try:
        page = _compiler(template).compile(sys_inputs={"sheet": json.dumps(data)}, **options)
    except typst.TypstError as error:
        raise UnprintableSheet(problem=error.message) from error
    if not isinstance(page, bytes):
        raise UnprintableSheet(problem="it has more than one page")
    return page


@cache
def _printing_process() -> int:
    """The first process that prints. What it forks afterwards would wait for ever for typst's threads: a fork copies no
    threads."""
    return os.getpid()


@cache
def _compiler(template: str) -> typst.Compiler:
    """Made at first use, not at import, so that a process that only imports this can be forked."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[glyphs.FONTS])
    return typst.Compiler(_HERE / template, root=_HERE, font_paths=fonts)


# --- what the templates are given -----------------------------------------------------------------------------------


def _data(sheet: Sheet) -> dict[str, object]:
    """The sheet as the templates read it: every text with the direction of its own, and nothing unprintable in it."""
    language, *subtags = sheet.language.split("-")
    join_text = re.sub(r"^https?://|/$", "", sheet.join_url)
    printable = list(takewhile(lambda paragraph: not glyphs.missing_letter(paragraph), sheet.paragraphs))
    paragraphs = (_words(sheet, paragraph) for paragraph in printable or sheet.paragraphs[:1])
    title, signature, union = (_words(sheet, text or "") for text in (sheet.title, sheet.signature, sheet.union))
    site = {"text": breakable(join_text), "direction": "ltr"}
    return {
        "lang": language,
        "region": next((subtag for subtag in subtags if len(subtag) == 2), None),
        "direction": sheet.direction,
        "title": next(words for words in (title, signature, site) if words["text"]),  # some are nothing but emoji
        "lead": _words(sheet, sheet.lead),
        "paragraphs": [words | {"ends": _is_sentence(words["text"])} for words in paragraphs if words["text"]],
        "call": _words(sheet, sheet.call) if sheet.call else None,
        "addressee": _addressee(sheet),
        "invitation": _words(sheet, sheet.invitation),
        "reading": _words(sheet, sheet.reading) if sheet.web_url else None,
        "code_url": sheet.web_url or sheet.join_url,
        "join_url": sheet.join_url,
        "join_text": site,
        "signature": signature,
        "union": union if union["text"] else None,
        "logo": _logo(sheet.logo) if sheet.logo and union["text"] else None,
    }


def _addressee(sheet: Sheet) -> list[dict[str, object]]:
    """What the address is for, and the address, the name bold; nothing where there is none."""
    if not sheet.addressee:
        return []
    lines = (sheet.write_to, *sheet.addressee)
    return [{**_words(sheet, line), "bold": number == 1} for number, line in enumerate(lines)]


def _words(sheet: Sheet, text: str) -> dict[str, str]:
    """A text and its direction: the sheet's, unless all its letters run the other way, as in a foreign address."""
    if letter := glyphs.missing_letter(text):
        raise UnprintableLanguage(language=sheet.language, letter=letter)
    directions = {"ltr" if unicodedata.bidirectional(char) == "L" else "rtl" for char in text if char.isalpha()}
    (direction,) = directions if len(directions) == 1 else {sheet.direction}
    return {"text": breakable(glyphs.drop_unprintable(text)), "direction": direction}


def breakable(text: str) -> str:
    """A text in which everything that is too long for a line can be broken at a sensible place."""
    text = _ADDRESS.sub(lambda match: _JOINT.sub(rf"\1{_BREAK}", match[0]), text)
    return _ENDLESS.sub(lambda match: _BREAK.join(wrap(match[0], 20)), text)


def _is_sentence(paragraph: str) -> bool:
    """Whether nothing is missing when the page ends behind it: it is no heading, and announces no list."""
    return paragraph.rstrip(" \"'”’»“)").endswith((".", "!", "?", "…", "؟", "۔", ";"))


def _code(url: str) -> str:
    """A QR code as SVG without its quiet zone, which is the white around it; a quarter of it may be damaged."""
    svg = io.BytesIO()
    segno.make_qr(url, error="q").save(svg, kind="svg", border=0, xmldecl=False)
    return svg.getvalue().decode()


def _logo(png: bytes) -> dict[str, object]:
    """A PNG inside an SVG: typst takes text only, and has no base64 of its own."""
    width, height = struct.unpack_from(">II", png, 16)  # of the IHDR chunk, which comes first
    data = b64encode(png).decode()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/></svg>'
    )
    return {"svg": svg, "width": width, "height": height}
