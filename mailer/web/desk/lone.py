"""Sending alone: where no second publisher answers, one may say yes alone, after the others could have objected."""

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.delivery import control
from mailer.organisers import accounts, alone, approvals
from mailer.organisers.alone import Standing, State
from mailer.organisers.roles import Permission
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus
from mailer.web.desk import named, refusing
from mailer.web.desk.approving import MOST_WORDS, sender
from mailer.web.desk.visit import record, visit
from mailer.web.language import _, url
from mailer.web.site import site

#: kept in clear: who it was, and when, stands beside it
_REASON = "somebody objected to its being sent without a second person"
_OVER = (CampaignStatus.SENT, CampaignStatus.CANCELLED)
_REFUSED = (
    approvals.NotPublisher,
    approvals.TooLate,
    approvals.AskedTooOften,
    approvals.Changed,
    alone.WhyMissing,
    alone.NotAsked,
    alone.OthersNotTold,
    alone.TooEarly,
    alone.Objected,
    alone.SentBack,
    alone.ShutOut,
)


def see(slug: str) -> Any:
    """What sending alone means, and how whoever wants to stands."""
    return _page(slug, {})


def ask(slug: str) -> Any:
    """Say that one wants to send alone, and why: the others are written."""
    why = request.form.get("why", "").strip()
    if not why:
        return _page(slug, {"why": _("Say why: the others read it.")})
    if len(why) > MOST_WORDS:
        return _page(slug, {"why": _("Write at most {most} characters.", most=MOST_WORDS)})
    try:
        with site().session() as session:
            campaign, now = named.campaign(session, slug), utcnow()
            by = accounts.get(session, visit().account_id)
            asked = alone.ask(session, campaign, by, why, at=now, sender=sender())
            if asked.at == now:
                record(session, "campaigns.alone", slug)
    except _REFUSED as refused:
        return _page(slug, {"why": refusing.advice(refused)})
    return _back(slug)


def approve(slug: str) -> Any:
    """Say yes alone to a campaign as it was shown, once the others could have objected."""
    try:
        with site().session() as session:
            campaign, now = named.campaign(session, slug), utcnow()
            by, shown = accounts.get(session, visit().account_id), request.form.get("content", "")
            given = alone.approve(session, campaign, by, shown, at=now, sender=sender())
            if given.at == now:
                record(session, "campaigns.approve", slug)
    except _REFUSED as refused:
        return _page(slug, {"approve": refusing.advice(refused)})
    return redirect(url("desk.sending.see", slug=slug), 303)


def refuse(slug: str) -> Any:
    """Say no to what somebody else sends alone, or wants to: it is paused, and takes a second person."""
    with site().session() as session:
        campaign, now = named.campaign(session, slug), utcnow()
        by = accounts.get(session, visit().account_id)
        if control.object_to(session, campaign, by, reason=_REASON, at=now):
            record(session, "campaigns.object", slug)
    return _back(slug)


def open_of(session: Session, campaign: Campaign) -> Standing | None:
    """Whether somebody sends a campaign alone, or wants to, for those who may know."""
    if not visit().may(Permission.PREVIEW) or campaign.status in _OVER:
        return None
    found = alone.standing(session, campaign, at=utcnow(), sender=sender())
    if found is None or found.state in (State.OBJECTED, State.CHANGED):
        return None
    session.refresh(found.request, ["by"])  # whose name the page says, when the session is closed
    return found


def _back(slug: str) -> Response:
    return make_response(redirect(url("desk.lone.see", slug=slug), 303))


def _page(slug: str, problems: Mapping[str, str]) -> Response:
    now = utcnow()
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        by = accounts.get(session, visit().account_id)
        lone = alone.standing(session, campaign, at=now, sender=sender())
        standing = approvals.standing(session, campaign, sender())
        others = [each for each in accounts.publishers_at(session, now) if each.id != by.id]
        is_own = lone is not None and lone.request.by_id == by.id
        is_open = lone is not None and lone.state not in (State.OBJECTED, State.CHANGED)
        is_approved = standing.state is approvals.State.APPROVED
        may_begin = visit().may(Permission.SEND) and approvals.is_open(session, campaign) and not is_approved
        is_for_them = alone.is_for(session, campaign, by, standing.content)
        is_sent_back = approvals.was_sent_back(session, campaign, standing.content)
        page = render_template(
            "desk/lone/see.html",
            campaign=campaign,
            lone=lone,
            others=others,
            content=standing.content.hash,
            is_own=is_own,
            may_ask=may_begin and is_for_them and not is_open and not (lone and lone.state is State.OBJECTED),
            may_decide=may_begin and approvals.is_second(session, campaign, by, standing.content),
            is_over=campaign.status in _OVER,
            is_sent_back=may_begin and is_sent_back and not (lone and lone.state is State.OBJECTED),
            may_approve=may_begin and is_own and lone is not None and lone.state is State.READY,
            may_refuse=visit().may(Permission.APPROVE) and is_open and not is_own and campaign.status not in _OVER,
            most_words=MOST_WORDS,
            problems=problems,
        )
    return make_response(page, 422 if problems else 200)
