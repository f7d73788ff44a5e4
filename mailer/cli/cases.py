"""`mailer cases`: what alerts are about, who agreed that we speak of it, and stopping all of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from mailer.campaigns import gate, lifecycle, outcome_news, publishing
from mailer.campaigns.outcome_news import News
from mailer.cases import cases as case_book
from mailer.cases import files, history
from mailer.cases.dossier import Consent, ConsentBy, Person
from mailer.cases.sayable import Sayable
from mailer.cli import campaign_check
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_lines_option, json_option, slug_argument
from mailer.cli.stopping import (
    Translations,
    by_language,
    in_words,
    require_why,
    say_again,
    tell,
    tell_those_who_have_it,
    words_options,
)
from mailer.delivery import stopping
from mailer.errors import MailerError
from mailer.locale import countries
from mailer.store import db
from mailer.store.models import CampaignStatus, Case, CaseStatus

#: who agreed before that, agreed to something else
_LONG_AGO = timedelta(days=36525)


class NoReason(MailerError):
    """Where nobody can be asked, two people decide, and say why: --by none_possible --reason TEXT --agreed-by NAME"""


class ConsentDays(MailerError):
    """{problem}. Give the days as in --on 2026-11-20 --until 2027-05-20."""


@click.group()
def cases() -> None:
    """Load and show cases, record who agreed to them, and stop or close them."""


@cases.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@pass_installation
def load(installation: Installation, folder: Path) -> None:
    """Create or update a case from FOLDER. The folder's name is the case's slug."""
    with installation.session() as session:
        case = files.load(session, folder)
        slug, texts = case.slug, ", ".join(text.language for text in case.texts) or "no language"
        findings = list(case_book.findings(case, db.now(session).date()))
    click.echo(f'Case "{slug}" is loaded, with texts in {texts}.')
    campaign_check.warn(findings)
    _warn_of_never(installation, slug)
    click.echo(typed(f"Next: mailer cases show {slug}"))


def _warn_of_never(installation: Installation, slug: str) -> None:
    """Name the campaigns that are out with a word that must not appear, maybe only since now."""
    with installation.session(read_only=True) as session:
        case = case_book.get(session, slug)
        out = {*_being_sent(session, case), *publishing.readable(session, case.id)}
        about_it = [each for each in lifecycle.of_case(session, case.id) if each.slug in out]
        may, holding = Sayable(case), [each.slug for each in about_it if gate.holds_never(session, each)]
    for each in holding:
        name, command = (f'campaign "{each}"', each) if may.may_say(each) else ("a campaign about it", "SLUG")
        click.echo(
            f"Warning: {name} is out, and a word stands in it that `never` has. To end its mails, and take down its "
            f"text and names: {typed(f'mailer campaigns withdraw {command}')}",
            err=True,
        )


def _being_sent(session: Session, case: Case) -> list[str]:
    return [each.slug for each in lifecycle.of_case(session, case.id) if each.status is CampaignStatus.SENDING]


@cases.command("list")
@json_lines_option
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """Show all cases, newest first."""
    with installation.session(read_only=True) as session:
        found = [_summary(case) for case in case_book.all_cases(session)]
    if not found and not as_json:
        click.echo(typed("There is no case yet. Load one with: mailer cases load DIR"))
    for each in found:
        if as_json:
            click.echo(json.dumps(each))
        else:
            consent = each["consent"] or "NO CONSENT"
            click.echo(f"{each['slug']:<32}  {each['status']:<8}  {each['country']}  {consent}")


@cases.command()
@slug_argument
@json_option
@pass_installation
def show(installation: Installation, slug: str, as_json: bool) -> None:
    """Show a case: its persons, who agreed, its facts and its history. For organisers' eyes only.

    What stands in `never` and in the notes is not shown: it is in your file.
    """
    with installation.session(read_only=True) as session:
        case, today = case_book.get(session, slug), db.now(session).date()
        told = _history(session, case)
        if as_json:
            click.echo(json.dumps(_to_json(case, today, told), ensure_ascii=False))
        else:
            _show(case, today, told)


def _history(session: Session, case: Case) -> list[dict[str, Any]]:
    """Line by line, without words that must not appear."""
    slugs = {campaign.id: campaign.slug for campaign in lifecycle.of_case(session, case.id)}
    return [
        {
            "on": event.happened_on.isoformat(),
            "kind": event.kind.value,
            "campaign": slugs.get(event.campaign_id or 0),
            "words": (words := history.sayable(session, case.id, event.words)),
            "hidden": bool(event.words) and not words,
            "link": event.link,
        }
        for event in case.events
    ]


@cases.command()
@slug_argument
@click.option("--by", type=click.Choice([each.value for each in ConsentBy]), help="Who agreed.")
@click.option("--on", "given_on", metavar="DAY", help="The day on which they agreed; today if left out.")
@click.option("--until", metavar="DAY", help="The last day for which they agreed.")
@click.option("--reason", metavar="TEXT", help="Why nobody can be asked.")
@click.option("--agreed-by", metavar="NAME", help="The second person who decided then.")
@click.option("--withdrawn", metavar="TEXT", help="Nobody agrees any more; say what you were told.")
@pass_installation
def consent(
    installation: Installation,
    slug: str,
    by: str | None,
    given_on: str | None,
    until: str | None,
    reason: str | None,
    agreed_by: str | None,
    withdrawn: str | None,
) -> None:
    """Record who agreed that we speak of a case, or that they do not agree any more.

    Without consent no campaign about the case is sent or resumed. One that is under way goes on, and one that was sent
    stays on the site and in the welcome mail until its deadline. To end all of that at once, use `mailer cases stop`.
    """
    given = {"--on": given_on, "--until": until, "--reason": reason, "--agreed-by": agreed_by}
    if (by is None) == (withdrawn is None):
        raise click.UsageError("Use either --by or --withdrawn.")
    if withdrawn is not None and (more := [name for name, value in given.items() if value is not None]):
        raise click.UsageError(f"{more[0]} does not go with --withdrawn.")
    if withdrawn is not None and not withdrawn.strip():
        raise click.UsageError('Say what you were told: --withdrawn "the family is afraid".')
    with installation.session() as session:
        case = case_book.get(session, slug, to_change=True)
        agreed = _consent(ConsentBy(by), db.now(session).date(), given) if by else None
        if agreed:
            case_book.record_consent(session, case, agreed)
        elif withdrawn:
            case_book.withdraw_consent(session, case, withdrawn.strip())
        sending = _being_sent(session, case)
        read, is_stopped = publishing.readable(session, case.id), case.status is CaseStatus.STOPPED
    if agreed:
        click.echo(f'Case "{slug}": {_consent_in_words(agreed)}.')
        return
    click.echo(f'Case "{slug}": nobody agrees any more.')
    _tell_what_goes_on(slug, sending, read, is_stopped=is_stopped)


def _tell_what_goes_on(slug: str, sending: Sequence[str], read: Sequence[str], *, is_stopped: bool) -> None:
    """Say what is still out about a case on which nobody agrees any more, and how each of it is ended."""
    if sending:
        click.echo(f"Still being sent: {', '.join(sending)}.")
    if read:
        click.echo(f"Still to be read, on the site or in kits: {', '.join(read)}.")
    if out := sorted({*sending, *read}):
        if not is_stopped:
            click.echo(typed(f"To stop at once what asks people to act: mailer cases stop {slug} --why TEXT"))
        click.echo(typed(f"To take down text and names as well, of news too: mailer campaigns withdraw {_which(out)}"))


@cases.command()
@slug_argument
@words_options("why", "Why nobody should write any more")
@pass_installation
def stop(installation: Installation, slug: str, why: str | None, why_in: Translations) -> None:
    """Ask everybody at once to do nothing any more about a case.

    Its campaigns that ask people to act are paused, and their pages, letters and kits say "please do not write any
    more", with the reason. TEXT is in the language in which the case's campaigns are written, English if these differ.
    Stop a case again to give another reason.
    """
    require_why(why, why_in)
    said = by_language(why, _language(installation, slug), why_in)
    decided = stopping.stop_case(installation.session, slug, said, on_retry=say_again)
    click.echo(f'Case "{slug}" is stopped: everybody is asked to do nothing any more.')
    click.echo(in_words(decided.paused))
    tell(said, decided.shown, why_in, command=f"mailer cases stop {slug} --why TEXT", what="reason")
    tell_those_who_have_it(decided.went_out)
    click.echo(typed(f"To let people write again: mailer cases reopen {slug}"))


@cases.command()
@slug_argument
@words_options("outcome", "How it ended")
@pass_installation
def close(installation: Installation, slug: str, outcome: str | None, outcome_in: Translations) -> None:
    """End a case: nobody is asked any more to act on it, and its texts stay.

    Its campaigns that ask people to act are paused. TEXT is in the language in which the case's campaigns are written,
    English if these differ. Where people acted, a draft is written that tells them how it ended; you check and send it.
    """
    said = by_language(outcome, _language(installation, slug), outcome_in)
    decided = stopping.close_case(installation.session, slug, said, on_retry=say_again)
    click.echo(f'Case "{slug}" is closed: nobody is asked any more to act on it.')
    if decided.was is CaseStatus.STOPPED:
        click.echo("It was stopped before: its pages no longer ask people to do nothing.")
    click.echo(in_words(decided.paused))
    tell(said, decided.shown, outcome_in, command=f"mailer cases close {slug} --outcome TEXT", what="outcome")
    click.echo(typed(f"To open it again: mailer cases reopen {slug}"))
    for news in stopping.insist(installation.session, partial(outcome_news.write, slug=slug), on_retry=say_again):
        _tell_of_news(news, slug)


def _tell_of_news(news: News, case: str) -> None:
    """Say what is there to tell those who acted, and what to do with it."""
    if news.is_new:
        click.echo(f'To tell those who acted, the draft "{news.slug}" was written, to the list "{news.list_slug}".')
    else:
        click.echo(f'To tell those who acted, there is "{news.slug}" ({news.status}). It was left as it is.')
    if news.status is not CampaignStatus.DRAFT:
        return
    check, preview, send = (f"mailer campaigns {each}" for each in ("check", "preview", "send"))
    next_steps = f"{check} {news.slug}, then {preview} {news.slug} -o preview, then {send} {news.slug}"
    click.echo(typed(f"Look at it, and send it: {next_steps}"))
    if not news.is_new:
        anew = f"mailer campaigns delete {news.slug}, then mailer cases close {case} --outcome TEXT"
        click.echo(typed(f"To have it written anew: {anew}"))


def _language(installation: Installation, slug: str) -> str:
    return stopping.insist(
        partial(installation.session, read_only=True),
        lambda session: stopping.language_of_case(session, slug),
        on_retry=say_again,
    )


@cases.command()
@slug_argument
@pass_installation
def reopen(installation: Installation, slug: str) -> None:
    """Let people be asked again to act on a case that was stopped or closed.

    Its campaigns stay paused until you resume them.
    """
    with installation.session() as session:
        left = stopping.reopen_case(session, slug)
    click.echo(f'Case "{slug}" is open again.')
    if left.paused:
        click.echo(f"Still paused: {', '.join(left.paused)}.")
        click.echo(typed(f"To go on sending: mailer campaigns resume {_which(left.paused)}"))
    if left.ended:
        click.echo(f"Still stopped or closed, because that was done to them alone: {', '.join(left.ended)}.")
        click.echo(typed(f"To open them too: mailer campaigns reopen {_which(left.ended)}"))


def _which(slugs: Sequence[str]) -> str:
    """What stands for a campaign in a command."""
    return slugs[0] if len(slugs) == 1 else "SLUG"


def _consent(by: ConsentBy, today: date, given: Mapping[str, str | None]) -> Consent:
    reason, agreed_by = ((given[name] or "").strip() for name in ("--reason", "--agreed-by"))
    agreed = Consent(by, _day(given["--on"]) or today, _day(given["--until"]), reason, agreed_by)
    if by is ConsentBy.NONE_POSSIBLE and not (agreed.reason and agreed.agreed_by):
        raise NoReason
    if by is not ConsentBy.NONE_POSSIBLE and (agreed.reason or agreed.agreed_by):
        raise click.UsageError("--reason and --agreed-by go with --by none_possible alone.")
    if agreed.on > today + timedelta(days=1):  # days are those of UTC; east of it the next one has begun
        raise ConsentDays(problem="Consent is recorded once it was given")
    if agreed.on < today - _LONG_AGO:
        raise ConsentDays(problem=f"{agreed.on} is too long ago")
    if agreed.until and agreed.until < agreed.on:
        raise ConsentDays(problem="Its last day is before the first")
    return agreed


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no zone
    except ValueError:
        raise ConsentDays(problem=f"{text} is not a day") from None


def _summary(case: Case) -> dict[str, Any]:
    agreed = case_book.consent_of(case)
    return {
        "slug": case.slug,
        "status": case.status.value,
        "country": case.country,
        "public": case.public,
        "consent": _consent_in_words(agreed) if agreed else None,
    }


def _to_json(case: Case, today: date, told: list[dict[str, Any]]) -> dict[str, Any]:
    return _summary(case) | {
        "loaded_at": case.loaded_at.isoformat(),
        "persons": case.persons,
        "languages": [text.language for text in case.texts],
        "asks": case.asks,
        "facts": [
            {
                "text": fact.text,
                "source": fact.source,
                "certainty": fact.certainty.value,
                "checked_on": fact.checked_on.isoformat(),
                "good_for": fact.good_for,
                "stale": case_book.is_stale(fact, today),
            }
            for fact in case.facts
        ],
        "history": told,
        "findings": [finding.to_json() for finding in case_book.findings(case, today)],
    }


def _show(case: Case, today: date, told: list[dict[str, Any]]) -> None:
    click.secho(f"{case.slug} ({countries.name(case.country, 'en')}), {case.status}", bold=True)
    kept_back = "Public, but it has no page while nobody agrees." if case.public else "Not public."
    click.echo("Public: it has a page." if case_book.has_page(case, today) else kept_back)
    click.echo(f"Loaded last at {case.loaded_at:%Y-%m-%d %H:%M} UTC.")
    for data in case.persons:
        person = Person.from_json(data)
        elsewhere = "".join(f", {name}" for name in person.names.values())
        click.echo(f"Person: {person.name}{elsewhere}: {person.status}")
    agreed = case_book.consent_of(case)
    click.echo(f"Consent: {_consent_in_words(agreed) if agreed else 'none'}")
    for number, fact in enumerate(case.facts, start=1):
        click.echo(f"Fact {number} ({fact.certainty}, checked on {fact.checked_on}): {fact.text} Source: {fact.source}")
    click.echo("History:")
    for line in told:
        click.echo(f"  {line['on']}  {' '.join(_line_in_words(line))}")
    campaign_check.show_findings(list(case_book.findings(case, today)))


def _line_in_words(line: Mapping[str, Any]) -> Iterator[str]:
    whole = f" ({line['campaign']})" if line["campaign"] else ""
    done = f"{line['kind']}{whole}"
    words = line["words"].get("en") or next(iter(line["words"].values()), None)
    yield f"{done}: {words}" if words else done
    if line["hidden"]:
        yield "(not shown: a word stands in it that must not appear)"
    if line["link"]:
        yield f" {line['link']}"


def _consent_in_words(agreed: Consent) -> str:
    who = "nobody could be asked" if agreed.by is ConsentBy.NONE_POSSIBLE else f"agreed by {agreed.by}"
    return f"{who}, on {agreed.on}{f', until {agreed.until}' if agreed.until else ''}"
