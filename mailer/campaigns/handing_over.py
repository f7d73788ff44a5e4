"""Handing a petition over: what `signatures.hand_over` found, as pages to print and as a table."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from babel.dates import format_date
from babel.numbers import format_decimal

from mailer.campaigns.signatures import HandOver
from mailer.formats.csv_output import CsvWriter, whole_file
from mailer.formats.paper import petitions as paper
from mailer.formats.paper.petitions import HandOverSheet
from mailer.formats.tables import Dress
from mailer.locale import languages, translations
from mailer.people.small_numbers import SMALLEST_SHOWN, in_words

_HEADER = ("what", "name", "place", "number")


def on_paper(found: HandOver, *, organisation: str, web_url: str | None, day: date) -> bytes:
    """PDF pages. Names in letters that our fonts lack are counted there, and stand in the table.

    :param web_url: of the text that was signed, where everybody may read it.
    :param day: of the hand-over.
    :raises sheets.UnprintableLanguage: the language itself is in such letters.
    :raises sheets.UnprintableSheet: it cannot be printed for another reason.
    """
    of_site = languages.of_site(found.language) or "en"
    _ = translations.gettext_for(of_site)
    locale = languages.locale(of_site)

    def number(count: int | None) -> str:
        if count is None:
            return _("under {number}").format(number=SMALLEST_SHOWN)
        return str(format_decimal(count, locale=locale))

    names = [(each.name, each.place or "") for each in found.names]
    printable = [each for each in names if paper.is_printable(*each)]
    missing = len(names) - len(printable)
    left_out = _("Names in other scripts, which stand in the table: {number}").format(number=number(missing))
    total = _("People who signed: {number}").format(number=number(found.total))
    return paper.hand_over(
        HandOverSheet(
            language=found.language,
            direction=languages.direction(found.language),
            title=found.title,
            to=(_("To:"), found.to.text),
            total=total if not missing else f"{total}. {left_out}",
            where=_("By country"),
            countries=[
                (name or _("Other countries, or none named"), number(count)) for name, count in found.by_country
            ],
            who=_("Those who wanted their names handed over"),
            names=printable,
            web_url=web_url,
            signature=(organisation, format_date(day, "long", locale=locale)),
        )
    )


def write_table(found: HandOver, path: Path, dress: Dress) -> None:
    """The same as CSV, formulas defused.

    :raises UnwritableFile: no file was made or replaced.
    """
    with whole_file(path) as file:
        writer = CsvWriter(file, _HEADER, dress)
        for line in _lines(found):
            writer.write(line)


def _lines(found: HandOver) -> Iterator[tuple[str, str, str | None, str]]:
    yield "to", found.to.text, None, ""
    yield "signed", found.title, None, in_words(found.total, separator="")
    for name, count in found.by_country:
        yield "country", name, None, in_words(count, separator="")
    for each in found.names:
        yield "name", each.name, each.place, ""
