"""Sending: to say now or when, after reading what will happen; and to undo it while that is possible."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, redirect, render_template, request

from mailer.campaigns import lifecycle, readiness
from mailer.delivery import control
from mailer.organisers import approvals
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus
from mailer.web.desk import expecting, named, numbers, refusing, times
from mailer.web.desk.approving import sender
from mailer.web.desk.live import with_etag
from mailer.web.desk.recent import renderings
from mailer.web.desk.visit import record, visit
from mailer.web.language import _, url
from mailer.web.site import site

NOW, LATER = "now", "later"
#: what keeps a campaign from being sent when it is pressed
_REFUSED = (approvals.NotApproved, readiness.Refused, control.NobodyToSendTo)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a form says that is filled in well."""

    at: datetime | None  # None: now
    expected: int  # people
    undone: int  # how often sending had been undone when the page was made


def see(slug: str) -> Any:
    """What will happen, and the form to have it happen; of what was sent, where it stands."""
    return _page(slug, {})


def send(slug: str) -> Any:
    """Schedule a campaign: in a minute, or for when somebody said. A second press of one form sends nothing more."""
    wish = _read()
    if not isinstance(wish, _Wish):
        return _page(slug, wish)
    try:
        # What its check or a preview made a moment ago is not made again.
        with site().session(read_only=True) as session, renderings().lent(session):
            campaign = named.campaign(session, slug)
            if not _is_to_send(campaign, wish):
                return redirect(url("desk.sending.see", slug=slug), 303)
            ahead = control.look_ahead(session, campaign, sender(), start=wish.at, schedules=True)
        with site().session() as session:
            ahead.give(session)
            campaign = named.campaign(session, slug)
            at = control.send_soon(session, campaign, sender(), at=wish.at, expected=wish.expected, undone=wish.undone)
            record(session, "campaigns.send", slug, details={"at": at.isoformat(), "people": wish.expected})
    except control.AudienceChanged:
        return _page(slug, {"people": _another_number()})
    except (lifecycle.WrongStatus, control.StaleForm):
        pass  # somebody else was quicker, or it was done before: the page shows where it stands
    except _REFUSED as refused:
        return _page(slug, {"send": refusing.advice(refused)})
    return redirect(url("desk.sending.see", slug=slug), 303)


def undo(slug: str) -> Any:
    """Make a campaign a draft again that has not begun. A form from before another undoing undoes nothing."""
    late = False
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            if _number("undone") == campaign.undone and campaign.status is CampaignStatus.SCHEDULED:
                control.undo(session, campaign)
                record(session, "campaigns.undo", slug)
            late = campaign.started_at is not None
            undone = campaign.undone
    except lifecycle.WrongStatus:  # it has just begun
        late = True
    said = {"late": 1} if late else {"undone": undone}
    return redirect(url("desk.sending.see", slug=slug, **said), 303)


def wait(slug: str) -> Response:
    """The part of the page that counts down."""
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        return with_etag(render_template("desk/sending/_waiting.html", campaign=campaign, seconds=seconds(campaign)))


def _another_number() -> str:
    return _("The number of people has changed since you opened this page. Read it again, and type the new number.")


def _is_to_send(campaign: Campaign, wish: _Wish) -> bool:
    return campaign.status is CampaignStatus.DRAFT and campaign.undone == wish.undone


# --- what was typed -----------------------------------------------------------------------------------------------


def _read() -> _Wish | Mapping[str, str]:
    """What the form says; what is wrong with it, field → what to do."""
    problems: dict[str, str] = {}
    at = None
    if request.form.get("when") == LATER:
        at = _read_time(problems)
    elif request.form.get("when") != NOW:
        problems["when"] = _("Choose whether to send it now or later.")
    expected, undone = _number("expected"), _number("undone")
    typed = numbers.read(request.form.get("people", ""))
    if typed is None:
        problems["people"] = _("Type the number of people, in digits.")
    elif typed != expected:
        problems["people"] = _("That is not the number of people who get it. Read it again, and type it in digits.")
    if problems or expected is None or undone is None:
        return problems or {"people": _("Type the number of people, in digits.")}
    return _Wish(at, expected, undone)


def _read_time(problems: dict[str, str]) -> datetime | None:
    try:
        at = times.read(request.form.get("at", ""), visit().zone)
    except times.NoSuchTime:
        problems["at"] = _("There is no such time on that day, because the clocks are put forward. Choose another one.")
    except ValueError:
        problems["at"] = _("Choose a day and a time.")
    else:
        if at > utcnow():
            return at
        problems["at"] = _("That time has passed. Choose a later one, or send it now.")
    return None


def _number(name: str) -> int | None:
    return numbers.read(request.form.get(name, ""))


# --- the page -----------------------------------------------------------------------------------------------------


def _page(slug: str, problems: Mapping[str, str]) -> Response:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        is_draft = campaign.status is CampaignStatus.DRAFT
        standing = approvals.standing(session, campaign, sender())
        page = render_template(
            "desk/sending/see.html",
            campaign=campaign,
            seconds=seconds(campaign),
            standing=standing,
            is_approved=standing.state in (approvals.State.APPROVED, approvals.State.NOT_NEEDED),
            expected=expecting.look(session, campaign, anew=bool(problems)) if is_draft else None,
            earliest=times.field(utcnow(), visit().zone),
            zone=times.zone_to_type_in(),
            clock_now=times.in_words(utcnow()),
            problems=problems,
        )
    return make_response(page, 422 if problems else 200)


def seconds(campaign: Campaign) -> int | None:
    """Until it goes out by itself, where that is within the time to undo it."""
    if campaign.status is not CampaignStatus.SCHEDULED or campaign.scheduled_at is None:
        return None
    left = round((campaign.scheduled_at - utcnow()).total_seconds())
    return max(0, left) if left <= control.TO_UNDO.total_seconds() else None
