"""`mailer campaigns`: from a folder of texts to a sent campaign and its figures."""

import json
import time
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import (
    asking,
    deadlines,
    drafts,
    editions,
    files,
    folders,
    gate,
    lifecycle,
    readiness,
    segments,
    text_findings,
)
from mailer.campaigns.readiness import Check
from mailer.campaigns.text_versions import Saving
from mailer.cli import campaign_check, campaign_letters, campaign_report, campaign_signatures
from mailer.cli.campaign_status import plain, print_overview, print_progress
from mailer.cli.confirming import ask, is_to_ask, yes_option
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import folder_option, json_lines_option, json_option, slug_argument
from mailer.cli.progress import progress_bar
from mailer.cli.stopping import (
    Translations,
    by_language,
    require_why,
    say_again,
    tell,
    tell_those_who_have_it,
    words_options,
)
from mailer.delivery import control, previews, stopping
from mailer.delivery.previews import SampleReader
from mailer.delivery.stopping import Decided
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.mail import addresses
from mailer.operations import checks
from mailer.organisers import approvals
from mailer.reports import progress as campaign_progress
from mailer.reports import system_mails
from mailer.store.db import utcnow
from mailer.store.models import Asking, Campaign, CampaignStatus, Case, DeliveryState

_ENDED_OR_PAUSED = (CampaignStatus.SENT, CampaignStatus.CANCELLED, CampaignStatus.PAUSED)
_POLL_SECONDS = 0.5
_PAUSED_BY_HAND = "paused by an organiser"


class InThePast(MailerError):
    """{time} has passed. Leave out --at to send the campaign now."""


class NotSent(MailerError):
    """Campaign "{slug}" is {status}{reason}. See where it stands with: mailer campaigns status {slug}"""


class NoZone(MailerError):
    """{text} has no time zone. Add one, as in 2026-12-01T09:00:00+01:00 or 2026-12-01T08:00:00Z."""


@click.group()
def campaigns() -> None:
    """Load, check, preview, test, send and follow campaigns."""


def reader_options(command: Any) -> Any:
    """The options that say for whom a mail is composed."""
    for option in (
        click.option("--union", "union", metavar="SLUG", help="As a member of this union would get it."),
        click.option("--country", metavar="CC", help="As someone in this country would get it."),
        click.option("--language", metavar="TAG", help="In this language."),
    ):
        command = option(command)
    return command


@campaigns.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@pass_installation
def load(installation: Installation, folder: Path) -> None:
    """Create or update a draft campaign from FOLDER. The folder's name is the campaign's slug."""
    with installation.session() as session:
        campaign = files.load(session, folder, fallbacks=installation.settings.language_fallbacks)
        loaded = f'Campaign "{campaign.slug}" is loaded as a draft, in {_loaded(campaign)}.'
        late = list(deadlines.findings(campaign, utcnow()))
    click.echo(loaded)
    for finding in late:
        click.echo(f"Warning: {finding}", err=True)
    click.echo(typed(f"Next: mailer campaigns check {campaign.slug}"))


def _loaded(campaign: Campaign) -> str:
    """The languages of a campaign's texts, and of its letters by role."""
    letters: dict[str, list[str]] = {}
    for letter in campaign.letters:
        letters.setdefault(letter.role, []).append(letter.language)
    told = ", ".join(f"{role} ({', '.join(letters[role])})" for role in campaign.ask if role in letters)
    return ", ".join(text.language for text in campaign.texts) + (f"; letters: {told}" if told else "")


@campaigns.command()
@slug_argument
@folder_option
@pass_installation
def export(installation: Installation, slug: str, folder: Path) -> None:
    """Write the files of a campaign, from which `load` makes the same draft again."""
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        written = folders.write(session, campaign, folder)
        found = readiness.sayable(campaign, text_findings.findings(session, campaign))
    click.echo(f"Written to {written}")
    for finding in found:
        click.echo(f"Warning: {finding}", err=True)


@campaigns.command()
@slug_argument
@click.argument("name", metavar="NEW-SLUG")
@pass_installation
def copy(installation: Installation, slug: str, name: str) -> None:
    """Begin a draft NEW-SLUG with all that a campaign says and to whom, and without its times."""
    with installation.session() as session:
        draft = drafts.copy(session, lifecycle.get(session, slug), name, Saving(base=0, at=utcnow()))
        copied = f'Campaign "{draft.slug}" is a draft, in {_loaded(draft)}.'
    click.echo(copied)
    click.echo(typed(f"Next: mailer campaigns check {name}"))


@campaigns.command("list")
@json_option
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """Show all campaigns, newest first, with status, audience and times."""
    with installation.session(read_only=True) as session:
        found = [campaign_progress.of_campaign(session, campaign) for campaign in lifecycle.all_campaigns(session)]
    if as_json:
        click.echo(json.dumps([_listed(progress) for progress in found]))
        return
    if not found:
        click.echo(typed("There is no campaign yet. Load one with: mailer campaigns load FOLDER"))
    for progress in found:
        times = {"scheduled": progress.scheduled_at, "started": progress.started_at, "ended": progress.finished_at}
        told = ", ".join(f"{word} {_minute(time)}" for word, time in times.items() if time)
        people = campaign_check.people(progress.audience) if progress.started_at else ""
        if progress.asking is not Asking.OPEN:
            told = ", ".join(filter(None, (progress.asking.upper(), told)))
        click.echo(f"{progress.slug:<32}  {progress.status:<10}{people:>18}  {told}".rstrip())


def _listed(progress: campaign_progress.Progress) -> dict[str, Any]:
    """What `list --json` says of a campaign; nobody knows its audience before it is started."""
    report = progress.to_json()
    report["audience"] = progress.audience if progress.started_at else None
    return {key: report[key] for key in _LIST_KEYS}


_LIST_KEYS = ("slug", "status", "asking", "audience", "scheduled_at", "started_at", "finished_at")


@campaigns.command()
@slug_argument
@json_option
@pass_installation
def check(installation: Installation, slug: str, as_json: bool) -> None:
    """Show whom a campaign would reach, and what is missing.

    The exit code is 1 if the campaign is not ready to be sent.
    """
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        is_draft = campaign.status is CampaignStatus.DRAFT
        found = checks.check(session, campaign, installation.settings)
    if as_json:
        click.echo(json.dumps({"slug": slug} | campaign_check.to_json(found), ensure_ascii=False))
    else:
        _show(slug, found, is_draft=is_draft)
    if not found.is_ready:
        click.get_current_context().exit(1)


def _show(slug: str, found: Check, *, is_draft: bool) -> None:
    campaign_check.show(found)
    if is_draft and found.is_ready:
        click.echo(typed(f"Ready. Send it with: mailer campaigns send {slug}"))


@campaigns.command()
@slug_argument
@reader_options
@click.option("--no-name", is_flag=True, help="As someone whose name we do not know would get it.")
@folder_option
@pass_installation
def preview(
    installation: Installation,
    slug: str,
    language: str | None,
    country: str | None,
    union: str | None,
    no_name: bool,
    folder: Path,
) -> None:
    """Write the mail as .html, .txt and .eml files, in every language or for readers of the one you name."""
    reader = SampleReader(language=language, country=country, union=union, has_name=not no_name)
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        for file in previews.preview(session, campaign, reader, installation.settings.mail_sender, folder):
            click.echo(str(file))
        _tell_of_another_text(campaign, language)


def _tell_of_another_text(campaign: Campaign, language: str | None) -> None:
    """Say so where there is no text in the language that was asked for, so that its readers get another."""
    if language is None:
        return
    wanted, found = languages.normalise(language), editions.Texts(campaign).for_language(language).language
    if found not in languages.forms(wanted):
        click.echo(f"There is no text in {wanted}: its readers get {found}.", err=True)


@campaigns.command()
@slug_argument
@click.option("--to", "address", required=True, metavar="ADDRESS", help="Where to send the test mail.")
@reader_options
@pass_installation
def test(
    installation: Installation, slug: str, address: str, language: str | None, country: str | None, union: str | None
) -> None:
    """Send one test mail of a campaign, whatever its status."""
    reader = SampleReader(language=language, country=country, union=union)
    if parseaddr(address)[0]:
        raise click.BadParameter(f"{address} has a name in it; give the address only", param_hint="--to")
    to = addresses.parse(address).text
    checks.require_usable_server(installation.settings)
    with installation.session() as session:
        campaign = lifecycle.get(session, slug)
        previews.order_test(session, campaign, reader, installation.settings.mail_sender, to)
        _tell_of_another_text(campaign, language)
    installation.ring(campaign.id, first=True)
    click.echo("The test mail is on its way; it goes out before any campaign.")
    click.echo(typed(f"See what became of it with: mailer campaigns status {slug}"))


def alone_option(command: Any) -> Any:
    """The option by which an operator does without the approval that accounts at the desk give."""
    says = "Start it though nobody at the desk approved it as it is now. WHY stands in the audit log."
    return click.option("--alone", metavar="WHY", callback=_in_words, help=says)(command)


def _in_words(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("say why")
    return value


@campaigns.command()
@slug_argument
@click.option("--at", metavar="ISO-TIME", help="Start automatically at this time, written with its time zone.")
@click.option("--wait", is_flag=True, help="Wait until it is sent, paused or cancelled.")
@alone_option
@yes_option
@pass_installation
def send(installation: Installation, slug: str, at: str | None, wait: bool, alone: str | None, yes: bool) -> None:
    """Send a campaign to its audience. A campaign is sent only once.

    On a terminal you are asked first, with the size of the audience. Once somebody has an account at the desk, a
    campaign is sent only as it was approved there.

    With --wait, the exit code is 1 unless the campaign was sent.
    """
    sender = installation.settings.mail_sender
    starts = _parse_time(at) if at else None
    checks.require_usable_server(installation.settings)
    ahead = _look_ahead(installation, slug, starts, is_lone=alone is not None)
    if is_to_ask(yes=yes):
        _ask_to_send(installation, slug, starts, ahead)
    with installation.session() as session:
        ahead.give(session)
        campaign = lifecycle.get(session, slug)
        was_at = campaign.scheduled_at if campaign.status is CampaignStatus.SCHEDULED else None
        if alone is not None:
            approvals.approve_by_command(session, campaign, alone, at=utcnow(), sender=sender)
        if starts:
            control.schedule(session, campaign, starts, sender)
            message = f'Campaign "{slug}" will start at {_minute(starts)}.'
        else:
            missed = list(gate.of_others(session, campaign))  # before it starts, and whom it reaches is frozen
            count = control.start(session, campaign, sender)
            message = f'Campaign "{slug}" is being sent to {campaign_check.people(count)}.'
    if was_at:
        click.echo(f"It was scheduled for {_minute(was_at)}{'.' if starts else '. It is sent now instead.'}")
    click.echo(message)
    if starts is None:
        campaign_check.warn(missed)
        installation.ring(campaign.id)
    if wait:
        _require_sent(follow(installation, slug))


def _look_ahead(
    installation: Installation, slug: str, starts: datetime | None = None, *, is_lone: bool
) -> control.Ahead:
    sender = installation.settings.mail_sender
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        schedules = starts is not None
        return control.look_ahead(session, campaign, sender, start=starts, is_lone=is_lone, schedules=schedules)


def _ask_to_send(installation: Installation, slug: str, starts: datetime | None, ahead: control.Ahead) -> None:
    """Ask, unless it would be refused anyway."""
    with installation.session(read_only=True) as session:
        ahead.give(session)
        campaign = lifecycle.get(session, slug)
        readiness.require(session, campaign, start=starts or utcnow(), is_held=False)
        people = segments.count(session, campaign.list_id, segments.segment_of(campaign))
        is_movable = campaign.status in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
        written = campaign_check.texts(len(campaign.texts))
    if is_movable and people:
        when = f"Schedule it for {_minute(starts)}" if starts else "Send it now"
        ask(f'Campaign "{slug}" goes to {campaign_check.people(people)}, {written}. {when}?')


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _require_sent(progress: campaign_progress.Progress) -> None:
    """:raises NotSent: it ended otherwise, or waits for a person."""
    if progress.status is not CampaignStatus.SENT:
        reason = f" ({progress.hold_reason.rstrip('.')})" if progress.hold_reason else ""
        raise NotSent(slug=progress.slug, status=progress.status, reason=reason)


@campaigns.command()
@click.argument("slug", required=False)
@click.option("--all", "every", is_flag=True, help="Pause all campaigns that are under way or scheduled.")
@pass_installation
def pause(installation: Installation, slug: str | None, every: bool) -> None:
    """Pause a campaign. Sending stops within two seconds."""
    if every == (slug is not None):
        raise click.UsageError("Name one campaign, or use --all.")
    with installation.session() as session:
        if slug is None:
            paused = control.pause_all(session, reason=_PAUSED_BY_HAND)
            installation.is_about("campaign", *paused)
        else:
            control.pause(session, lifecycle.get(session, slug), reason=_PAUSED_BY_HAND)
            paused = [slug]
    click.echo(f"Paused: {', '.join(paused)}." if paused else "No campaign was under way or scheduled.")


@campaigns.command()
@slug_argument
@alone_option
@pass_installation
def resume(installation: Installation, slug: str, alone: str | None) -> None:
    """Continue sending a paused campaign.

    One that had not begun is sent only as it was approved, as with `send`.
    """
    sender = installation.settings.mail_sender
    ahead = _look_ahead(installation, slug, is_lone=alone is not None)
    with installation.session() as session:
        ahead.give(session)
        campaign = lifecycle.get(session, slug)
        if alone is not None:
            approvals.approve_by_command(session, campaign, alone, at=utcnow(), sender=sender)
        control.resume(session, campaign, sender)
    installation.ring(campaign.id)
    click.echo(f'Campaign "{slug}" is {campaign.status} again.')


@campaigns.command()
@slug_argument
@yes_option
@pass_installation
def cancel(installation: Installation, slug: str, yes: bool) -> None:
    """Stop a campaign for good. Mails that have not gone out are skipped. On a terminal you are asked first."""
    if is_to_ask(yes=yes):
        progress = _progress(installation, slug)
        if progress.status not in (CampaignStatus.SENT, CampaignStatus.CANCELLED):
            ask(f'{_what_has_gone(progress)} Cancel campaign "{slug}" for good?')
    with installation.session() as session:
        control.cancel(session, lifecycle.get(session, slug))
    click.echo(f'Campaign "{slug}" is cancelled.')


@campaigns.command()
@slug_argument
@words_options("why", "Why nobody should write any more")
@pass_installation
def stop(installation: Installation, slug: str, why: str | None, why_in: Translations) -> None:
    """Ask everybody at once to do nothing any more about a campaign.

    It is paused, and its pages, letters and kits say "please do not write any more", with the reason. TEXT is in the
    campaign's own language. Stop it again to give another reason. To stop all campaigns about a case, use `mailer cases
    stop`.
    """
    require_why(why, why_in)

    def act(session: Session) -> tuple[Campaign, str | None, dict[str, str], Decided[Asking]]:
        campaign = lifecycle.get(session, slug)
        said = by_language(why, campaign.language, why_in)
        decided = stopping.stop(session, campaign, said)
        return campaign, _case_of(session, campaign), said, decided

    campaign, case, said, decided = stopping.insist(installation.session, act, on_retry=say_again)
    if decided.now is Asking.WITHDRAWN:
        click.echo(f'Campaign "{slug}" was withdrawn: nothing of it can be read any more.')
        return
    click.echo(f'Campaign "{slug}" is stopped: everybody is asked to do nothing any more. It is {campaign.status}.')
    tell(said, decided.shown, why_in, command=f"mailer campaigns stop {slug} --why TEXT", what="reason")
    tell_those_who_have_it(decided.went_out)
    if case is not None:
        click.echo(
            typed(f"This stops it alone. To stop all campaigns about its case: mailer cases stop {case} --why TEXT")
        )
    click.echo(typed(f"To let people write again: mailer campaigns reopen {slug}"))


def _case_of(session: Session, campaign: Campaign) -> str | None:
    """The slug of a campaign's case: what else is known of that may be unreadable."""
    return session.scalar(select(Case.slug).where(Case.id == campaign.case_id))


@campaigns.command()
@slug_argument
@pass_installation
def close(installation: Installation, slug: str) -> None:
    """End the asking of a campaign: its kit, its reminders, the welcome mail. Its text stays.

    If it is under way or scheduled, it is paused.
    """

    def act(session: Session) -> tuple[Campaign, Decided[Asking]]:
        campaign = lifecycle.get(session, slug)
        return campaign, stopping.close(session, campaign)

    campaign, decided = stopping.insist(installation.session, act, on_retry=say_again)
    if decided.now is Asking.WITHDRAWN:
        click.echo(f'Campaign "{slug}" was withdrawn: nothing of it can be read any more.')
        return
    click.echo(f'Campaign "{slug}" is closed: nobody is asked any more to act on it. It is {campaign.status}.')
    if decided.was is Asking.STOPPED:
        click.echo("It was stopped before: its pages no longer ask people to do nothing.")
    click.echo(typed(f"To open it again: mailer campaigns reopen {slug}"))


@campaigns.command()
@slug_argument
@pass_installation
def reopen(installation: Installation, slug: str) -> None:
    """Let people be asked again to act on a campaign that was stopped or closed. If it is paused, it stays so."""
    with installation.session() as session:
        campaign = lifecycle.get(session, slug)
        stopping.reopen(session, campaign)
        left = asking.of(campaign)
        way_back = asking.way_back(campaign)
    if left is not Asking.OPEN:
        click.echo(f'Campaign "{slug}" itself is open again, but its case is {left}. {typed(way_back)}')
        return
    click.echo(f'Campaign "{slug}" is open again.')
    if campaign.status is CampaignStatus.PAUSED:
        click.echo(typed(f"Sending stays paused. To go on: mailer campaigns resume {slug}"))


@campaigns.command()
@slug_argument
@yes_option
@pass_installation
def withdraw(installation: Installation, slug: str, yes: bool) -> None:
    """Take a campaign's text and names down for good. Mails that have not gone out are skipped.

    Its page, archive, feed and kits show nothing of it any more. On a terminal you are asked first.
    """
    if is_to_ask(yes=yes):
        gone = _what_has_gone(_progress(installation, slug))
        ask(f'{gone} Take all text and names of campaign "{slug}" down for good?')
    done = stopping.withdraw(installation.session, slug, on_retry=say_again)
    again = " already" if done.was_already else ""
    click.echo(f'Campaign "{slug}" is withdrawn{again}: nothing of it can be read any more.')
    if done.is_cancelled:
        click.echo("It is cancelled: what has not gone out is skipped.")


@campaigns.command()
@slug_argument
@yes_option
@pass_installation
def delete(installation: Installation, slug: str, yes: bool) -> None:
    """Delete a campaign that was never started. Its files stay. On a terminal you are asked first."""
    if is_to_ask(yes=yes):
        with installation.session(read_only=True) as session:
            campaign = lifecycle.get(session, slug)
            control.require_deletable(session, campaign)
            written = campaign_check.texts(len(campaign.texts))
        ask(f'Campaign "{slug}", {written}, was never started. Delete it for good? Its files stay.')
    with installation.session() as session:
        control.delete(session, lifecycle.get(session, slug))
    click.echo(f'Campaign "{slug}" is deleted. Its files are where they were.')
    click.echo(typed("To bring it back: mailer campaigns load FOLDER"))


def _progress(installation: Installation, slug: str) -> campaign_progress.Progress:
    with installation.session(read_only=True) as session:
        return campaign_progress.of_campaign(session, lifecycle.get(session, slug))


def _what_has_gone(progress: campaign_progress.Progress) -> str:
    if not progress.started_at:
        return "Nothing of it has been sent."
    left = progress.audience - progress.settled
    return (
        f"{progress.states[DeliveryState.SENT]:,} of {progress.audience:,} mails are sent; {left:,} would be skipped."
    )


@campaigns.command()
@slug_argument
@json_option
@pass_installation
def status(installation: Installation, slug: str, as_json: bool) -> None:
    """Show how a campaign is going: how many mails are sent, how fast, what was refused, who is sending.

    Of a draft it shows whom it would reach, and what is missing.
    """
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        overview = campaign_progress.overview(session, campaign)
        failed_notices = system_mails.failed_lately(session)
        is_draft = campaign.status is CampaignStatus.DRAFT
        found = checks.check(session, campaign, installation.settings) if is_draft else None
    if as_json:
        missing = campaign_check.not_ready(found) if found else None
        more = {"not_ready": missing, "failed_notices": failed_notices}
        click.echo(json.dumps(overview.to_json() | more, ensure_ascii=False))
        return
    if found:
        click.echo(f"{slug}: a draft, of which nothing has been sent")
        _show(slug, found, is_draft=True)
    print_overview(overview, failed_notices)


@campaigns.command()
@slug_argument
@click.option(
    "--state",
    type=click.Choice([state.value for state in DeliveryState]),
    required=True,
    help="Only recipients in this state.",
)
@json_lines_option
@pass_installation
def recipients(installation: Installation, slug: str, state: str, as_json: bool) -> None:
    """List the recipients in a state, one per line."""
    with installation.session(read_only=True) as session:
        for row in campaign_progress.recipients(session, lifecycle.get(session, slug), DeliveryState(state)):
            if as_json:
                click.echo(json.dumps(row, ensure_ascii=False))
            else:
                answer = " ".join(str(row[key]) for key in ("reason", "smtp_code", "smtp_text") if row[key])
                click.echo(f"{row['email'] or '(erased)'}\t{row['state']}\t{answer}")


@campaigns.command()
@slug_argument
@click.option("--state", type=click.Choice(["unknown", "failed"]), required=True, help="Which mails to send again.")
@yes_option
@pass_installation
def resend(installation: Installation, slug: str, state: str, yes: bool) -> None:
    """Send unknown or failed mails again, with the same Message-IDs. Unknown ones may have arrived already.

    On a terminal you are asked first.
    """
    if is_to_ask(yes=yes):
        count = _progress(installation, slug).states[DeliveryState(state)]
        if count:
            ask(f"{'1 mail is' if count == 1 else f'{count:,} mails are'} {state}. Send again?")
    with installation.session() as session:
        campaign = lifecycle.get(session, slug)
        count = control.resend(session, campaign, DeliveryState(state))
    if count:
        installation.ring(campaign.id)
    click.echo(f"{count:,} will be sent again." if count else f"No mail is {state}.")


campaigns.add_command(campaign_letters.letter)
campaigns.add_command(campaign_letters.correct_letters)
campaigns.add_command(campaign_report.report)
campaigns.add_command(campaign_signatures.names)


def follow(installation: Installation, slug: str) -> campaign_progress.Progress:
    """Show a campaign's progress, and what holds it up, until it has ended or is paused."""
    with progress_bar() as bar:
        task = bar.add_task(slug, total=None)
        while True:
            with installation.session(read_only=True) as session:
                progress = campaign_progress.of_campaign(session, lifecycle.get(session, slug))
            held = f"{slug}: {progress.hold_reason}" if progress.hold_reason else slug
            bar.update(task, description=held, total=progress.audience or None, completed=progress.settled)
            if progress.status in _ENDED_OR_PAUSED:
                break
            time.sleep(_POLL_SECONDS)
    console = Console(stderr=True)
    print_progress(console, progress)
    if progress.hold_reason:
        console.print(plain(progress.hold_reason), soft_wrap=True)
    return progress


def _parse_time(text: str) -> datetime:
    try:
        time_given = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text} is not an ISO time, such as 2026-12-01T09:00:00+01:00") from None
    if time_given.tzinfo is None:
        raise NoZone(text=text)
    if time_given < utcnow():
        raise InThePast(time=text)
    return time_given.astimezone(UTC)
