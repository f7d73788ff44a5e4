"""`mailer demo`: the main job, from a CSV to delivered mail, on an invented world."""

import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console
from sqlalchemy.orm import Session

from mailer.campaigns import files, lifecycle, segments
from mailer.campaigns.segments import Segment
from mailer.cli import campaign_check, demo_acts, demo_cases, demo_desk, demo_targets, demo_unions
from mailer.cli.campaign_report import print_report
from mailer.cli.campaigns import follow
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.run import SAMPLE_IDENTITY, PortTaken, require_free, start_web
from mailer.delivery import control, previews
from mailer.errors import MailerError
from mailer.links import Pages
from mailer.locale import countries
from mailer.operations import checks
from mailer.people import lists
from mailer.reports import campaigns as campaign_reports
from mailer.reports import progress as campaign_progress
from mailer.settings import load_settings
from mailer.spreadsheets import importing
from mailer.store.db import utcnow
from mailer.store.models import CampaignStatus
from mailer.trial import catcher, sample
from mailer.trial.processes import LOCK, Local, alone_in, local_installation
from mailer.unions import directory

_FOLDER = "demo"  # inside the data directory, so that a real installation is never touched
_MARK = "made-by-mailer-demo"  # in it: a folder without it is not ours to clear
_LOG = "demo.log"  # in it: what the workers say
_WORKERS = 2
_AT_HOME = 8  # supporters who live under the government that the alert addresses


class NotADemo(MailerError):
    """{folder} exists, but the demo did not make it. Move it away, or set MAILER_DATA_DIR to another directory."""


class DemoFailed(MailerError):
    """The demo's campaign was not sent: it is {status}. The reason is in {log}"""


@click.command()
@click.option(
    "--supporters", type=click.IntRange(1), default=1200, show_default=True, help="How many supporters to invent."
)
@click.option(
    "--keep", is_flag=True, help="Keep everything running afterwards, so that you can look around. Ctrl-C stops it."
)
@pass_installation
def demo(installation: Installation, supporters: int, keep: bool) -> None:
    """Send an invented campaign to invented supporters, and show the results. Everything runs on this machine."""
    began = time.monotonic()
    settings = load_settings()
    folder = settings.make_data_dir() / _FOLDER
    _claim(folder)
    with alone_in(folder):
        _clear(folder)
        _isolate(folder, settings.given)
        console = Console()
        with local_installation(SAMPLE_IDENTITY, log=folder / _LOG) as local:
            os.environ.update(local.environ)  # before anything is asked of the installation
            _prepare(installation, folder, supporters, console)
            _send(installation)  # before there are workers: while SQLite writes so much, these cannot begin
            for number in range(1, _WORKERS + 1):
                local.start(f"worker {number}", "workers")
            progress = follow(installation, sample.CAMPAIGN_DIR.name)
            _print_rate(progress, console)
            _show_mails(folder, console)
            console.print("Where people write from, which you can open with --keep:")
            for what, page in demo_targets.pages(installation):
                console.print(f"  {what}: {page}", soft_wrap=True)
            if progress.status is CampaignStatus.SENT:
                demo_unions.show_kits(installation, folder, folder / _LOG, console)
            _report(installation, console)
            if progress.status is CampaignStatus.SENT:
                steps = demo_cases.Demo(installation=installation, folder=folder, log=folder / _LOG, console=console)
                demo_cases.show(steps)
                demo_acts.show(steps)
            console.print(f"\nDone in {time.monotonic() - began:.0f} s.")
            if keep:
                _keep_running(installation, local, folder, console)
    if progress.status is not CampaignStatus.SENT:
        raise DemoFailed(status=progress.status, log=folder / _LOG)


def _claim(folder: Path) -> None:
    """Make the demo's own data directory, or find the last demo's.

    :raises NotADemo: what is there is something else.
    """
    if folder.exists() and not (folder / _MARK).exists():
        raise NotADemo(folder=folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / _MARK).touch()


def _clear(folder: Path) -> None:
    """Remove what the last demo left; the lock, which this one holds, and the mark stay."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name not in (LOCK, _MARK):
            entry.unlink()


def _isolate(folder: Path, given: Iterable[str]) -> None:
    """Hide every setting of a real installation: its database, its mail server, its keys.

    :param given: the names of all variables that are set, in the environment or in `.env`.
    """
    for variable in given:
        if variable.startswith("MAILER_"):
            os.environ[variable] = ""  # not removed: a blank one hides what `.env` says, from child processes too
    os.environ["MAILER_DATA_DIR"] = str(folder.resolve())


def _prepare(installation: Installation, folder: Path, supporters: int, console: Console) -> None:
    """Import the supporters, and load the case, the targets and the campaign about it."""
    sample.copy_files(folder, utcnow().date())
    with installation.session() as session:
        lists.create(session, sample.LIST_SLUG, sample.LIST_NAME)
        demo_unions.affiliate(session, installation.settings.base_url)
    table, rejects = folder / "supporters.csv", folder / "rejects.csv"
    sample.write_supporters(table, supporters, at_home=_AT_HOME)
    report = importing.import_file(
        installation.engine,
        table,
        list_slug=sample.LIST_SLUG,
        consent=sample.CONSENT,
        union_consent=sample.UNION_CONSENT,
        rejects=rejects,
    )
    console.print(
        f"Imported {report.created:,} people from {report.read:,} rows. Rows rejected: {report.rejected}. "
        f"Rows imported without their union, which is not known: {report.unknown_unions}; without their country: "
        f"{report.unknown_countries}. They are all in {rejects}",
        soft_wrap=True,
    )
    with installation.session() as session:
        demo_cases.load(session, folder, console)
        demo_targets.load(session, folder, console)
        campaign = files.load(session, folder / "campaigns" / sample.CAMPAIGN_DIR.name)
        found = checks.check(session, campaign, installation.settings)
        left_out = _left_out(session, segments.as_written(campaign))
    console.print(
        f'Loaded campaign "{campaign.slug}" about it in {len(campaign.texts)} languages. It goes to {found.audience:,} '
        f"people: its audience leaves out people in {left_out}. `mailer campaigns check {campaign.slug}`:",
        soft_wrap=True,
    )
    for finding in found.findings:
        console.print(f"  {campaign_check.line(finding)}", soft_wrap=True, markup=False)


def _left_out(session: Session, segment: Segment) -> str:
    """Whom the sample campaign excludes, in words."""
    in_countries = " and ".join(countries.name(code, "en") for code in segment.exclude_countries or ())
    in_unions = " and ".join(directory.get(session, slug).name for slug in segment.exclude_unions or ())
    return f"{in_countries}, and members of the {in_unions}"


def _send(installation: Installation) -> None:
    slug, sender = sample.CAMPAIGN_DIR.name, installation.settings.mail_sender
    with installation.session(read_only=True) as session:
        ahead = control.look_ahead(session, lifecycle.get(session, slug), sender)
    with installation.session() as session:
        ahead.give(session)
        campaign = lifecycle.get(session, slug)
        control.start(session, campaign, sender)
    installation.ring(campaign.id)


def _print_rate(progress: campaign_progress.Progress, console: Console) -> None:
    if progress.started_at and progress.finished_at:
        seconds = (progress.finished_at - progress.started_at).total_seconds()
        console.print(f"Rate: {progress.audience / seconds:,.0f} messages a second, over {seconds:.1f} s")


def _report(installation: Installation, console: Console) -> None:
    """What `mailer campaigns report` says, without the states, which were shown at the end of sending."""
    with installation.session(read_only=True) as session:
        found = campaign_reports.report(session, lifecycle.get(session, sample.CAMPAIGN_DIR.name))
    console.print()
    print_report(console, found)


def _show_mails(folder: Path, console: Console) -> None:
    """Write the first mail in each language to be read in a browser, and say where all of them are."""
    maildir, readable = folder / catcher.FOLDER, folder / demo_unions.MAILS
    readable.mkdir()
    console.print("\nThe first mail in each language, to open in a browser (next to it: as text, and as it was sent):")
    seen: set[str] = set()
    languages = {path.stem for path in sample.texts()}
    for caught in catcher.read(maildir):
        language = str(caught.message["Content-Language"])
        if language not in seen and "List-Id" in caught.message:  # a system mail comes from no list
            seen.add(language)
            previews.write_parts(caught.data, readable / language)
            console.print(f"  {readable / language}.html", soft_wrap=True)
        if seen == languages:
            break
    console.print(f"All mails, one per file: {maildir}/new (a Maildir, which mutt -f can read)", soft_wrap=True)


def _keep_running(installation: Installation, local: Local, folder: Path, console: Console) -> None:
    """Stay until Ctrl-C, and say how browsers and commands reach this installation."""
    (folder / ".env").write_text("".join(f'{name}="{value}"\n' for name, value in SAMPLE_IDENTITY.items()))
    mailer = Path(sys.executable).with_name("mailer")
    console.print("Everything keeps running. Stop: Ctrl-C")
    _serve(installation, local, console)
    for line in demo_desk.prepare(installation, folder):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print("To try it from another terminal:", soft_wrap=True)
    for line in (
        f"cd {folder.resolve()}",
        "export MAILER_DATA_DIR=.",
        f"{mailer} campaigns list",
        f"{mailer} campaigns report {sample.CAMPAIGN_DIR.name}",
        f"{mailer} campaigns test {sample.CAMPAIGN_DIR.name} --to me@example.org",
        f"{mailer} kits status {sample.CAMPAIGN_DIR.name}",
        f"{mailer} unions report",
        *(f"{mailer} {command}" for command in demo_cases.commands()),
    ):
        console.print(f"  {line}", soft_wrap=True, highlight=False)
    local.wait()


def _serve(installation: Installation, local: Local, console: Console) -> None:
    """Run the site where the links in the mails lead to, if it can run there."""
    address = urlsplit(installation.settings.base_url)
    port = address.port or 80
    try:
        require_free(port)
    except PortTaken:
        console.print(f"Port {port} is taken, so the links in the mails lead nowhere.")
        return
    start_web(local, port)
    if kit := demo_unions.kit_page(installation):
        console.print(f"A union's kit, as its contact sees it: {kit}", soft_wrap=True)
    for what, page in (
        *demo_targets.pages(installation),
        *demo_cases.pages(installation),
        *demo_acts.pages(installation),
    ):
        console.print(f"{what}: {page}", soft_wrap=True)
    console.print(f"All mail: {Pages(installation.settings.base_url).caught()}", soft_wrap=True)
