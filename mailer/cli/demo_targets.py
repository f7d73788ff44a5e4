"""What the demo shows of the targets: who they are, and of which of them nobody made sure lately."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.cli.installation import Installation
from mailer.cli.targets import line
from mailer.links import Pages
from mailer.spreadsheets import targets as target_csv
from mailer.store import db
from mailer.trial import sample

#: for how many days it is enough, at the least, that somebody made sure of a target
_STALE_AFTER = 90
#: whose letter is shown
_EMBASSY = "embassy-gb"


def load(session: Session, folder: Path, console: Console) -> None:
    """Import the sample's targets, and list them as `mailer targets list` does.

    :param folder: the demo's, with the files of the sample.
    """
    table = folder / sample.TARGETS
    report = target_csv.import_file(session, table)
    everything, today = target_book.all_targets(session), db.now(session).date()
    stale = [target for target in everything if target_book.is_stale(target, today, _STALE_AFTER)]
    console.print(f"\nImported {report.added} targets from {table}. `mailer targets list`:", soft_wrap=True)
    _show(everything, console)
    console.print(f"Nobody made sure of these for {_STALE_AFTER} days. `mailer targets list --stale {_STALE_AFTER}`:")
    _show(stale, console)
    console.print()


def pages(installation: Installation) -> Iterator[tuple[str, str]]:
    """Pages on which people write to the alert's targets: what each has, and its address."""
    site, alert = Pages(installation.settings.base_url), sample.CAMPAIGN_DIR.name
    yield "The letter to an embassy", site.letter(alert, _EMBASSY)
    yield "The letters for a country", site.letter(alert)


def _show(targets: Iterable[Target], console: Console) -> None:
    for target in targets:
        console.print(f"  {line(target)}", soft_wrap=True, highlight=False)
