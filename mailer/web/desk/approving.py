"""Approving: to ask for approval of a campaign, to see all that it would send, and to say yes to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail.sender import Sender
from mailer.organisers import accounts, approvals, requests
from mailer.organisers.approvals import Changed, Standing, State
from mailer.organisers.content import Difference
from mailer.organisers.roles import Permission
from mailer.store.db import utcnow
from mailer.store.models import Campaign
from mailer.web.desk import contents, expecting, named, refusing
from mailer.web.desk.visit import record, visit
from mailer.web.language import _, url
from mailer.web.site import site

#: characters of what somebody says to whoever approves, or to whoever asked
MOST_WORDS = 2_000
#: why an approval is not to be had any more, or not from whoever looks
_REFUSED = (
    approvals.NotPublisher,
    approvals.OwnChange,
    approvals.OwnRequest,
    approvals.NobodyAsked,
    approvals.TooLate,
)


@dataclass(frozen=True, slots=True)
class _Pressed:
    """What became of a press that was refused."""

    problems: Mapping[str, str]
    changed: Changed | None = None


def see(slug: str) -> Any:
    """How a campaign stands with whoever approves, and all that would be sent."""
    return _page(slug)


def ask(slug: str) -> Any:
    """Ask for approval of a campaign as it is now."""
    words = _words()
    if isinstance(words, _Pressed):
        return _page(slug, words)
    try:
        with site().session() as session:
            campaign, by = named.campaign(session, slug), accounts.get(session, visit().account_id)
            requests.make(session, campaign, by, words, at=utcnow(), sender=sender(), who=visit().who)
    except approvals.TooLate as refused:
        return _page(slug, _Pressed({"ask": refusing.advice(refused)}))
    return redirect(url("desk.approving.see", slug=slug), 303)


def approve(slug: str) -> Any:
    """Say yes to a campaign as it was shown."""
    words, now = _words(), utcnow()
    if isinstance(words, _Pressed):
        return _page(slug, words)
    try:
        with site().session() as session:
            campaign, by = named.campaign(session, slug), accounts.get(session, visit().account_id)
            shown = request.form.get("content", "")
            given = approvals.approve(session, campaign, by, shown, words, at=now, sender=sender())
            if given.at == now:
                record(session, "campaigns.approve", slug)
    except Changed as changed:
        return _page(slug, _Pressed({"approve": refusing.advice(changed)}, changed))
    except _REFUSED as refused:
        return _page(slug, _Pressed({"approve": refusing.advice(refused)}))
    return redirect(url("desk.approving.see", slug=slug), 303)


def _words() -> str | _Pressed:
    words = request.form.get("words", "").strip()
    if len(words) > MOST_WORDS:
        return _Pressed({"words": _("Write at most {most} characters.", most=MOST_WORDS)})
    return words


# --- for all that is done with a campaign -----------------------------------------------------------------------------


def sender() -> Sender:
    """Who campaigns come from."""
    return site().settings.mail_sender


def sender_if_seen() -> Sender | None:
    """Likewise, for those alone who may know how campaigns stand with whoever approves."""
    return sender() if visit().may(Permission.PREVIEW) else None


def standing(session: Session, campaign: Campaign) -> Standing | None:
    """How a campaign stands with whoever approves, for those who may know; None where nobody needs to approve it."""
    if not visit().may(Permission.PREVIEW):
        return None
    found = approvals.standing(session, campaign, sender())
    for each in (found.request, found.approval):
        if each is not None:
            session.refresh(each, ["by"])  # whose name the page says, when the session is closed
    return None if found.state is State.NOT_NEEDED else found


# --- the page -----------------------------------------------------------------------------------------------------


def _page(slug: str, pressed: _Pressed | None = None) -> Response:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        standing = approvals.standing(session, campaign, sender())
        page = render_template(
            "desk/approving/see.html",
            campaign=campaign,
            standing=standing,
            parts=contents.parts(standing.content.parts),
            changes=contents.changes(_shown_differences(standing, pressed)),
            is_refused=pressed is not None and pressed.changed is not None,
            obstacle=_obstacle(session, campaign, standing),
            may_ask=standing.state in (State.NONE, State.LAPSED) and visit().may(Permission.ASK_APPROVAL),
            expected=expecting.look(session, campaign, anew=pressed is not None),
            problems=pressed.problems if pressed else {},
            most_words=MOST_WORDS,
        )
    return make_response(page, 422 if pressed else 200)


def _shown_differences(standing: Standing, pressed: _Pressed | None) -> Sequence[Difference]:
    """What has changed since the page that was pressed on; else since the last approval."""
    if pressed and pressed.changed:
        return pressed.changed.differences
    return standing.differences


def _obstacle(session: Session, campaign: Campaign, standing: Standing) -> str | None:
    """Why whoever looks cannot approve what waits for that."""
    by = accounts.get(session, visit().account_id)
    try:
        approvals.require_publisher(session, by, utcnow())
        approvals.require_open(session, campaign)
        approvals.require_other(session, campaign, by, standing.content)
    except MailerError as refused:
        return refusing.advice(refused)
    return None
