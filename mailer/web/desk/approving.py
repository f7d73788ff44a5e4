"""Approving: to ask for approval of a campaign, to see all that it would send, and to say yes to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail.sender import Sender
from mailer.organisers import accounts, alone, approvals, requests
from mailer.organisers.approvals import Changed, Standing, State
from mailer.organisers.content import Difference
from mailer.organisers.roles import Permission
from mailer.store.db import utcnow
from mailer.store.models import Account, Campaign, CampaignStatus
from mailer.web.desk import contents, expecting, named, numbers, reading, refusing, sections
from mailer.web.desk.visit import typed, visit
from mailer.web.language import _, url
from mailer.web.site import site

#: characters of what somebody says to whoever approves, or to whoever asked
MOST_WORDS = 2_000
_NOBODY_ASKS = (State.NONE, State.LAPSED, State.SENT_BACK)
#: why an approval is not to be had any more, or not from whoever looks
_REFUSED = (
    approvals.NotPublisher,
    approvals.OwnChange,
    approvals.OwnRequest,
    approvals.NobodyAsked,
    approvals.SentBack,
    approvals.SentBackSince,
    approvals.TakenBack,
    approvals.AlreadyApproved,
    approvals.AskedTooOften,
    approvals.TooLate,
    requests.NotTheirs,
)


@dataclass(frozen=True, slots=True)
class _Pressed:
    """What became of a press that was refused."""

    problems: Mapping[str, str]  # what it is about → what to do; where it was changed, it depends on how it stands now
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
    words = _words("remark")
    if isinstance(words, _Pressed):
        return _page(slug, words)
    try:
        with site().session() as session:
            campaign, by = named.campaign(session, slug), accounts.get(session, visit().account_id)
            requests.approve(
                session,
                campaign,
                by,
                request.form.get("content", ""),
                words,
                request_id=_request_id(),
                at=utcnow(),
                sender=sender(),
                who=visit().who,
            )
    except Changed as changed:
        return _page(slug, _Pressed({"approve": refusing.advice(changed)}, changed))
    except _REFUSED as refused:
        return _page(slug, _Pressed({"approve": refusing.advice(refused)}))
    return redirect(url("desk.approving.see", slug=slug), 303)


def send_back(slug: str) -> Any:
    """Say what has to be changed before a campaign goes out, as it was shown."""
    words = _words("wanted")
    if isinstance(words, _Pressed):
        return _page(slug, words)
    if not words:
        return _page(slug, _Pressed({"wanted": _("Say what should be changed: whoever asked reads it.")}))
    try:
        with site().session() as session:
            requests.send_back(
                session,
                named.campaign(session, slug),
                accounts.get(session, visit().account_id),
                words,
                request_id=_request_id(),
                shown=request.form.get("content", ""),
                at=utcnow(),
                sender=sender(),
                who=visit().who,
            )
    except Changed as changed:
        return _page(slug, _Pressed({"wanted": _not_sent_back()}, changed))
    except _REFUSED as refused:
        return _page(slug, _Pressed({"send-back": refusing.advice(refused)}))
    return redirect(url("desk.approving.see", slug=slug), 303)


def take_back(slug: str) -> Any:
    """Ask for approval no more."""
    try:
        with site().session() as session:
            campaign, by = named.campaign(session, slug), accounts.get(session, visit().account_id)
            requests.take_back(session, campaign, by, request_id=_request_id(), at=utcnow(), who=visit().who)
    except _REFUSED as refused:
        return _page(slug, _Pressed({"take-back": refusing.advice(refused)}))
    return redirect(url("desk.approving.see", slug=slug, taken_back=1), 303)


def _words(name: str = "words") -> str | _Pressed:
    words = request.form.get(name, "").strip()
    if len(words) > MOST_WORDS:
        return _Pressed({name: _("Write at most {most} characters.", most=MOST_WORDS)})
    return words


def _request_id() -> int:
    """Which request the page showed; none has the number 0."""
    return request.form.get("request", 0, type=numbers.row_number)


def _not_sent_back() -> str:
    return _(
        "The campaign has changed since you opened this page, so it was not sent back. What is different is marked "
        "below. Look at it, and press again if it still has to be changed."
    )


# --- for all that is done with a campaign -----------------------------------------------------------------------------


def sender() -> Sender:
    """Who campaigns come from."""
    return site().settings.mail_sender


def standing(session: Session, campaign: Campaign) -> Standing | None:
    """How a campaign stands with whoever approves, for those who may know; None where nobody needs to approve it."""
    if not visit().may(Permission.PREVIEW):
        return None
    found = approvals.standing(session, campaign, sender())
    for each, who in ((found.request, "by"), (found.approval, "by"), (found.sent_back, "sent_back_by")):
        if each is not None:
            session.refresh(each, [who])  # whose name the page says, when the session is closed
    return None if found.state is State.NOT_NEEDED else found


# --- the page -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Offered:
    """What whoever looks can do."""

    ask: bool = False
    decide: bool = False
    take_back: bool = False
    send: bool = False
    alone: bool = False

    def places(self) -> set[str]:
        """What a problem can be about that stands on the page."""
        of_forms = (
            (self.ask, {"ask", "words"}),
            (self.decide, {"approve", "remark", "send-back", "wanted"}),
            (self.take_back, {"take-back"}),
        )
        return set[str]().union(*(names for is_there, names in of_forms if is_there))


def _page(slug: str, pressed: _Pressed | None = None) -> Response:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        by = accounts.get(session, visit().account_id)
        standing = approvals.standing(session, campaign, sender())
        obstacle = _obstacle(session, campaign, by, standing)
        offered = _offered(session, campaign, by, standing, obstacle)
        is_open = approvals.is_open(session, campaign)
        page = render_template(
            "desk/approving/see.html",
            campaign=campaign,
            standing=standing,
            groups=sections.groups(standing.content.parts),
            in_short=sections.in_short(standing.content.parts, campaign, is_approval_needed=is_open),
            blocks=reading.blocks,
            seen=reading.visible,
            changes=contents.changes(_shown_differences(standing, pressed)),
            is_refused=pressed is not None and pressed.changed is not None,
            is_over=campaign.status not in approvals.OPEN,
            obstacle=obstacle,
            offered=offered,
            expected=expecting.look(session, campaign, anew=pressed is not None) if is_open else None,
            problems=_placed(pressed, standing, offered) if pressed else {},
            unplaced=_unplaced(offered),
            most_words=MOST_WORDS,
        )
    return make_response(page, 422 if pressed else 200)


def _offered(session: Session, campaign: Campaign, by: Account, standing: Standing, obstacle: str | None) -> _Offered:
    """What whoever looks can do, as far as it would be done: nothing where there is nothing left to approve."""
    if not approvals.is_open(session, campaign):
        return _Offered()
    may, state = visit().may, standing.state
    return _Offered(
        ask=state in _NOBODY_ASKS and may(Permission.ASK_APPROVAL),
        decide=state is State.WAITING and may(Permission.APPROVE) and obstacle is None,
        take_back=state is State.WAITING and standing.request is not None and standing.request.by_id == by.id,
        send=state is State.APPROVED and campaign.status is CampaignStatus.DRAFT and may(Permission.SEND),
        alone=state is not State.APPROVED
        and may(Permission.SEND)
        and alone.is_for(session, campaign, by, standing.content),
    )


def _placed(pressed: _Pressed, standing: Standing, offered: _Offered) -> dict[str, str]:
    """What is wrong, and at which form or field; above all of them where that is not there any more."""
    if pressed.changed is not None and not offered.decide:
        return {"form": _why_nothing_to_decide(standing)}
    places = offered.places()
    return {name if name in places else "form": advice for name, advice in pressed.problems.items()}


def _why_nothing_to_decide(standing: Standing) -> str:
    """Of a campaign that has changed under the eyes of whoever pressed."""
    if standing.state in _NOBODY_ASKS:
        return _("It has changed, and nobody has asked for approval of what it is now.")
    return _("It has changed since you opened this page. What is different is marked below.")


def _unplaced(offered: _Offered) -> list[str]:
    """What somebody typed into a form that is not there any more."""
    gone = {"words", "remark", "wanted"} - offered.places()
    return [words for name in sorted(gone) if (words := typed(name).strip())]


def _shown_differences(standing: Standing, pressed: _Pressed | None) -> Sequence[Difference]:
    """What has changed since the page that was pressed on; else since the last approval."""
    if pressed and pressed.changed:
        return pressed.changed.differences
    return standing.differences


def _obstacle(session: Session, campaign: Campaign, by: Account, standing: Standing) -> str | None:
    """Why whoever looks cannot approve what waits for that."""
    try:
        approvals.require_publisher(session, by, utcnow())
        approvals.require_open(session, campaign)
        approvals.require_other(session, campaign, by, standing.content)
    except MailerError as refused:
        return refusing.advice(refused)
    return None
