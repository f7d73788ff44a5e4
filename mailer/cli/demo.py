"""`mailer demo`: the main job, from a CSV to delivered mail, on an invented world."""

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from mailer import campaigns, importing, lists, loading, reports, sample, sending, unions
from mailer.cli.campaigns import follow
from mailer.cli.installation import Installation
from mailer.cli.processes import CAUGHT, Local, local_installation
from mailer.cli.run import SAMPLE_IDENTITY
from mailer.errors import MailerError
from mailer.models import CampaignStatus
from mailer.queue import connect, ring
from mailer.settings import load_settings

_FOLDER = "demo"  # inside the data directory, so that a real installation is never touched
_MARK = "made-by-mailer-demo"  # in it: a folder without it is not ours to clear
_WORKERS = 2


class NotADemo(MailerError):
    """{folder} is there, but no demo made it. Move it away, or name another MAILER_DATA_DIR."""


class DemoFailed(MailerError):
    """The demo's campaign ended as {status}. Look at the messages above."""


@click.command()
@click.option("--supporters", default=1200, show_default=True, help="How many invented supporters.")
@click.option("--keep", is_flag=True, help="Go on running afterwards, until Ctrl-C, to look around.")
def demo(supporters: int, keep: bool) -> None:
    """Send an invented campaign to invented supporters, and report. Everything runs on this machine."""
    began = time.monotonic()
    settings = load_settings()
    folder = _fresh_folder(settings.make_data_dir() / _FOLDER)
    _isolate(folder, settings.given)
    console = Console()
    with local_installation(SAMPLE_IDENTITY) as local:
        os.environ.update(local.environ)
        installation = Installation()
        _prepare(installation, folder, supporters, console)
        for number in range(1, _WORKERS + 1):
            local.start(f"worker {number}", "workers")
        progress = _send(installation)
        with installation.session(read_only=True) as session:
            _report(session, progress, local, console)
        console.print(f"\nDone in {time.monotonic() - began:.0f} s.")
        if keep:
            console.print("Everything keeps running. Stop: Ctrl-C")
            local.wait()
    if progress.status is not CampaignStatus.SENT:
        raise DemoFailed(status=progress.status)


def _fresh_folder(folder: Path) -> Path:
    """The demo's own data directory, without what the last demo left."""
    if folder.exists():
        if not (folder / _MARK).exists():
            raise NotADemo(folder=folder)
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    (folder / _MARK).touch()
    return folder


def _isolate(folder: Path, given: Iterable[str]) -> None:
    """Forget every setting of a real installation: its database, its mail server, its keys.

    :param given: the names of all variables that are set, in the environment or in `.env`.
    """
    for variable in given:
        if variable.startswith("MAILER_"):
            os.environ[variable] = ""  # not removed: a blank one hides what `.env` says, from child processes too
    os.environ["MAILER_DATA_DIR"] = str(folder.resolve())


def _prepare(installation: Installation, folder: Path, supporters: int, console: Console) -> None:
    with installation.session() as session:
        lists.create(session, sample.LIST_SLUG, sample.LIST_NAME)
        for union in sample.unions():
            unions.add(session, union.slug, union.name, country=union.country, parent_slug=union.parent)
    table, rejects = folder / "supporters.csv", folder / "rejects.csv"
    sample.write_supporters(table, supporters)
    report = importing.import_file(
        installation.engine,
        table,
        list_slug=sample.LIST_SLUG,
        consent=sample.CONSENT,
        union_consent=sample.UNION_CONSENT,
        rejects=rejects,
    )
    console.print(f"Imported {report.created:,} of {report.read:,} rows; {report.rejected} to mend are in {rejects}")
    with installation.session() as session:
        campaign = loading.load(session, sample.CAMPAIGN_DIR)
    console.print(f'Loaded campaign "{campaign.slug}" in {len(campaign.texts)} languages')


def _send(installation: Installation) -> reports.Progress:
    slug = sample.CAMPAIGN_DIR.name
    with installation.session() as session:
        campaign = campaigns.get(session, slug)
        sending.start(session, campaign, installation.settings.mail_sender)
    with connect(installation.settings.redis_url) as connection:
        ring(connection, campaign.id)
    return follow(installation, slug)


def _report(session: Session, progress: reports.Progress, local: Local, console: Console) -> None:
    campaign = campaigns.get(session, progress.slug)
    for by in ("country", "language", "union"):
        console.print(_spread_table(by, reports.spread(session, campaign, by)))
    if progress.started_at and progress.finished_at:
        seconds = (progress.finished_at - progress.started_at).total_seconds()
        console.print(f"Rate: {progress.audience / seconds:,.0f} messages a second, over {seconds:.1f} s")
    maildir = local.settings.data_dir / CAUGHT
    console.print(f"The mails are in {maildir} (a Maildir). Open one in new/, or read all: mutt -f {maildir}")


def _spread_table(by: str, spread: dict[str, int | None]) -> Table:
    table = Table(title=f"Messages by {by}", title_justify="left")
    table.add_column(by)
    table.add_column("messages", justify="right")
    for name, count in spread.items():
        table.add_row(name or "not said", "under 10" if count is None else f"{count:,}")
    return table
