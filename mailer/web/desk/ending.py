"""Ending: what would do harm is stopped, closed or withdrawn, or goes on. Nothing may stand in the way of a stop."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from flask import Response, abort, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.campaigns import outcome_news
from mailer.cases import history
from mailer.delivery import ended, stopping
from mailer.delivery.stopping import IsWithdrawn, NotEnded
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.store.models import Campaign, CaseEventKind
from mailer.web.desk import named, refusing
from mailer.web.desk.visit import record
from mailer.web.language import _, url
from mailer.web.site import site

log = logging.getLogger(__name__)

_Kind = CaseEventKind
_MOST_WORDS = 2_000


def see(slug: str) -> Response:
    """What each way to end it does, how it stands, and how it goes on."""
    return _page(slug, {})


def stop(slug: str) -> Response:
    """Ask everybody to do nothing any more about a campaign."""
    words = _words("why")

    def act(session: Session) -> None:
        campaign = _held(session, slug)
        if not ended.is_settled(session, campaign, _Kind.STOPPED, words):
            stopping.stop(session, campaign, words)
            record(session, "campaigns.stop", slug)

    stopping.insist(site().session, act)
    return _back(slug)


def close(slug: str) -> Response:
    """Ask nobody any more to act on a campaign."""

    def act(session: Session) -> None:
        campaign = _held(session, slug)
        if not ended.is_settled(session, campaign, _Kind.CLOSED, stopping.NO_WORDS):
            stopping.close(session, campaign)
            record(session, "campaigns.close", slug)

    stopping.insist(site().session, act)
    return _back(slug)


def reopen(slug: str) -> Response:
    """Let people be asked again to act on a campaign; once it is open, that changes nothing."""

    def act(session: Session) -> None:
        stopping.reopen(session, named.campaign(session, slug))
        record(session, "campaigns.reopen", slug)

    try:
        stopping.insist(site().session, act)
    except NotEnded:
        return _back(slug)
    except IsWithdrawn as refused:
        return _page(slug, {"form": refusing.advice(refused)})
    return _back(slug)


def withdraw(slug: str) -> Response:
    """Take a campaign's text and names down for good, once its name was typed."""
    if request.form.get("typed-name", "").strip().lower() != slug:
        return _page(slug, {"typed-name": _("Nothing was taken down. Type the campaign’s name as it stands here.")})

    def look(session: Session) -> bool:
        return ended.is_settled(session, named.campaign(session, slug), _Kind.WITHDRAWN, stopping.NO_WORDS)

    is_done = stopping.insist(partial(site().session, read_only=True), look)

    def note(session: Session, _slugs: Sequence[str]) -> None:
        record(session, "campaigns.withdraw", slug)

    stopping.withdraw(site().session, slug, note=stopping.unnoted if is_done else note)
    return _back(slug)


def stop_case(slug: str) -> Response:
    """Ask everybody to do nothing any more about the case of a campaign."""
    return _end_case(slug, _Kind.STOPPED, _words("case-why"))


def close_case(slug: str) -> Response:
    """End the case of a campaign."""
    return _end_case(slug, _Kind.CLOSED, _words("outcome"))


def _end_case(slug: str, kind: CaseEventKind, words: Mapping[str, str]) -> Response:
    def look(session: Session) -> tuple[str, bool]:
        campaign = named.campaign(session, slug)
        return _case(session, campaign), ended.is_case_settled(session, campaign, kind, words)

    case, is_done = stopping.insist(partial(site().session, read_only=True), look)
    if is_done:
        _write_news(case, kind)
        return _back(slug)
    action, end = {
        _Kind.STOPPED: ("cases.stop", stopping.stop_case),
        _Kind.CLOSED: ("cases.close", stopping.close_case),
    }[kind]

    def note(session: Session, _slugs: Sequence[str]) -> None:
        record(session, action, case, kind="case")

    end(site().session, case, words, note=note)
    _write_news(case, kind)
    return _back(slug)


def _write_news(case: str, kind: CaseEventKind) -> None:
    """Write drafts that tell those who acted how a case ended. It is closed all the same where that fails."""
    if kind is not _Kind.CLOSED:
        return
    try:
        stopping.insist(site().session, partial(outcome_news.write, slug=case))
    except MailerError as problem:
        log.warning("no news of a closed case was written: %s", problem, extra={"case": case})


def reopen_case(slug: str) -> Response:
    """Let people be asked again to act on the case of a campaign; once it is open, that changes nothing."""

    def act(session: Session) -> None:
        case = _case(session, named.campaign(session, slug))
        stopping.reopen_case(session, case)
        record(session, "cases.reopen", case, kind="case")

    try:
        stopping.insist(site().session, act)
    except NotEnded:
        return _back(slug)
    return _back(slug)


def _held(session: Session, slug: str) -> Campaign:
    """A campaign, which nobody else starts or ends meanwhile."""
    campaign = named.campaign(session, slug)
    stopping.hold(session, campaign)
    return campaign


def _case(session: Session, campaign: Campaign) -> str:
    slug = ended.case_of(session, campaign)
    if slug is None:
        abort(404)
    return slug


def _words(name: str) -> dict[str, str]:
    """What was typed for everybody: language → words; there may be none."""
    typed = {key.removeprefix(f"{name}-"): text for key, text in request.form.items() if key.startswith(f"{name}-")}
    said = {tag: history.line(text)[:_MOST_WORDS] for tag, text in typed.items() if _is_language(tag)}
    return {tag: words for tag, words in said.items() if words}


def _is_language(tag: str) -> bool:
    try:
        return languages.parse(tag) == tag
    except languages.InvalidLanguage:
        return False


def _back(slug: str) -> Response:
    return make_response(redirect(url("desk.ending.see", slug=slug), 303))


def _page(slug: str, problems: Mapping[str, str]) -> Response:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        standing = ended.standing(session, campaign)
    page = render_template(
        "desk/ending/see.html",
        campaign=campaign,
        standing=standing,
        language_name=languages.name,
        most_words=_MOST_WORDS,
        problems=problems,
    )
    return make_response(page, 422 if problems else 200)
