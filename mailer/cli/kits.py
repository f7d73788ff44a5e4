"""`mailer kits`: what unions get to forward, and what they answer."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import campaign_argument, folder_option, json_option
from mailer.cli.progress import progress_bar
from mailer.cli.tables import print_table
from mailer.delivery.previews import UnwritableFolder
from mailer.errors import MailerError
from mailer.kits import making, pages, progress
from mailer.kits.progress import KitProgress
from mailer.links import Pages
from mailer.locale import languages
from mailer.people import notices
from mailer.reports import system_mails
from mailer.store.models import Campaign
from mailer.unions import contacts

#: what the kit that carries nobody's name is called in a table, and its folder, as no slug begins
_EVERYBODY = "everybody"
_FOLDER_OF_EVERYBODY = "_everybody"
_TURN_SECONDS = 1.0


class NoSuchKit(MailerError):
    """Campaign "{slug}" has no kit for the union "{union}". Only affiliated unions get kits, and workers begin them
    within a minute. See them with: mailer kits status {slug}"""


class NothingMade(MailerError):
    """Campaign "{slug}" has no finished kit that you asked for. See which are finished: mailer kits status {slug}"""


@click.group()
def kits() -> None:
    """Make, follow and save the kits that unions forward to their members."""


@kits.command()
@campaign_argument
@pass_installation
def make(installation: Installation, slug: str) -> None:
    """Make a campaign's kits now, and try again those that failed. Usually workers make them by themselves."""
    sender = installation.settings.mail_sender
    with installation.session() as session:
        campaign = lifecycle.get(session, slug)
        making.require_forwarding(session, campaign)
        making.plan(session, campaign)
        making.try_again(session, campaign)
    made, told = 0, set[int]()
    sessions = partial(notices.ringing_session, installation.engine, told.add)  # one ring for all that are told
    with progress_bar() as bar:
        task = bar.add_task(slug, total=sum(kit.waiting for kit in _kits(installation, slug)))
        more = True
        while more:
            turn = making.make(sessions, campaign.id, sender, seconds=_TURN_SECONDS, stopping=lambda: False)
            made, more = made + turn.editions, turn.more
            bar.update(task, completed=made)
    for standing_id in told:
        installation.ring(standing_id)
    _account(slug, _kits(installation, slug))


def _account(slug: str, kits: Sequence[KitProgress]) -> None:
    made, waiting = sum(kit.made for kit in kits), sum(kit.waiting for kit in kits)
    click.echo(f"{made:,} editions of {len(kits):,} kits are made.")
    if waiting:
        click.echo(f"{waiting:,} editions are being made by workers.")
    if failed := sum(len(kit.problems) for kit in kits):
        why = typed(f"See why: mailer kits status {slug}")
        click.echo(f"Warning: {failed:,} editions could not be made. {why}", err=True)


@kits.command()
@campaign_argument
@json_option
@pass_installation
def status(installation: Installation, slug: str, as_json: bool) -> None:
    """Show how far each kit of a campaign is, and what the union answered."""
    with installation.session(read_only=True) as session:
        kits = progress.of_campaign(session, lifecycle.get(session, slug))
        slugs = [each.union for each in kits if each.union]
        unreached = contacts.unions_without(session, slugs)
        failed = system_mails.unions_whose_kit_mails_failed(session, slugs)
    if as_json:
        click.echo(json.dumps([_to_json(kit) for kit in kits], ensure_ascii=False))
        return
    if not kits:
        click.echo(f'Campaign "{slug}" has no kits. They are planned when it starts, if it is forwardable.')
        return
    print_table(Console(highlight=False, emoji=False), f"{slug}: kits", _table(kits))
    for kit in kits:
        for language, problem in kit.problems.items():
            click.echo(f"Kit for {kit.union or _EVERYBODY} in {language} could not be made: {problem}")
    if unreached:
        invite = typed("Invite one with: mailer unions invite SLUG ADDRESS")
        click.echo(f"Unions without a contact who gets mail: {', '.join(unreached)}. {invite}")
    if failed:
        why = typed("See why with: mailer notices status")
        click.echo(f"Mails about kits failed lately, to: {', '.join(failed)}. {why}")


def _kits(installation: Installation, slug: str) -> list[KitProgress]:
    with installation.session(read_only=True) as session:
        return progress.of_campaign(session, lifecycle.get(session, slug))


def _to_json(kit: KitProgress) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in asdict(kit).items()
        if key not in ("kit_id", "link_generation")
    }


def _table(kits: Sequence[KitProgress]) -> Table:
    table = Table()
    for heading in ("union", "made", "waiting", "failed", "sent", "answer", "reached"):
        is_number = heading in ("made", "waiting", "failed", "reached")
        # A slug that is cut short is no use in a command.
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for kit in kits:
        table.add_row(
            kit.union or _EVERYBODY,
            str(kit.made),
            str(kit.waiting),
            str(len(kit.problems)),
            f"{kit.sent_at:%Y-%m-%d}" if kit.sent_at else "",
            _answer(kit),
            f"{kit.reached:,}" if kit.reached is not None else "",
        )
    return table


def _answer(kit: KitProgress) -> str:
    """The most that a union has said."""
    said = {"forwarded": kit.forwarded_at, "promised": kit.promised_at, "seen": kit.seen_at}
    return next((word for word, when in said.items() if when), "reminded" if kit.reminded_at else "")


@kits.command()
@campaign_argument
@click.option("--union", "union", metavar="SLUG", help="Only the kit of this union.")
@click.option("--language", metavar="TAG", help="Only in this language.")
@folder_option
@pass_installation
def save(installation: Installation, slug: str, union: str | None, language: str | None, folder: Path) -> None:
    """Save the kits that are made as files: a folder for each union, and in it one for each language.

    The kit for everybody else, which carries no union's name, is in the folder _everybody.
    """
    tag = languages.normalise(language) if language else None
    written = 0
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        for kit in [_find(session, campaign, union)] if union else progress.of_campaign(session, campaign):
            target = folder / (kit.union or _FOLDER_OF_EVERYBODY)
            written += _write(target, pages.files(session, kit.kit_id, tag))
    if not written:
        raise NothingMade(slug=slug)
    click.echo(f"Wrote {written:,} files to {folder}.")


def _write(folder: Path, files: dict[str, dict[str, bytes]]) -> int:
    try:
        for language, within in files.items():
            (folder / language).mkdir(parents=True, exist_ok=True)
            for name, contents in within.items():
                (folder / language / name).write_bytes(contents)
    except OSError as problem:
        raise UnwritableFolder(folder=folder, problem=problem.strerror or problem) from None
    return sum(len(within) for within in files.values())


@kits.command()
@campaign_argument
@click.option("--union", "union", metavar="SLUG", required=True, help="The union whose kit it is.")
@pass_installation
def link(installation: Installation, slug: str, union: str) -> None:
    """Print the link to a union's kit, for a union that gets no mail from us.

    Anyone who has the link can answer for the union.
    """
    with installation.session(read_only=True) as session:
        kit = _find(session, lifecycle.get(session, slug), union)
    settings = installation.settings
    click.echo(Pages(settings.base_url).kit(settings.keyring, kit.kit_id, kit.link_generation))


def _find(session: Session, campaign: Campaign, union: str) -> KitProgress:
    """:raises NoSuchKit: that union has none."""
    for kit in progress.of_campaign(session, campaign):
        if kit.union == union:
            return kit
    raise NoSuchKit(slug=campaign.slug, union=union)
