"""Campaigns: the list of them, and one of them, with what is done to it while it goes out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Response, abort, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.campaigns import listing
from mailer.campaigns.lifecycle import Move, WrongStatus
from mailer.campaigns.readiness import Refused
from mailer.delivery import control, stopping
from mailer.errors import MailerError, ServiceUnavailable
from mailer.organisers import accounts, approvals, whereabouts
from mailer.organisers.roles import Permission
from mailer.people import small_numbers
from mailer.reports import acted as who_acted
from mailer.reports import called_spam, progress, refusals
from mailer.reports import returned as came_back
from mailer.reports.acted import Numbers
from mailer.reports.progress import Pace
from mailer.reports.returned import Returned
from mailer.store.models import Campaign, CampaignStatus, DeliveryState
from mailer.web.desk import (
    approving,
    live,
    lone,
    named,
    overlooking,
    path,
    refusal_words,
    refusing,
    sending,
    situations,
    terms,
)
from mailer.web.desk.numbers import row_number
from mailer.web.desk.recent import recent, renderings
from mailer.web.desk.visit import record, typed, visit
from mailer.web.language import _, current, url
from mailer.web.site import site

_S = CampaignStatus
_LONGEST_WORDS = 500
#: refusals of each state that are looked at while somebody waits for the page
_REFUSALS = 1_000
#: kept in clear: what somebody says of it stands beside it, encrypted
_REASON = "paused by hand"
#: where something can still change by itself, or by somebody else
_MOVES = frozenset({_S.SCHEDULED, _S.SENDING, _S.PAUSED})
_AGAIN = (DeliveryState.UNKNOWN, DeliveryState.FAILED)


# --- the list -------------------------------------------------------------------------------------------------------


def browse() -> str:
    """All campaigns, the latest first, a page at a time."""
    chosen = _status(request.args.get("status", ""))
    beginning = request.args.get("name", "").strip().lower()[:80]
    before, after = (request.args.get(key, type=row_number) for key in ("before", "after"))
    with site().session(read_only=True) as session:
        page = listing.page(session, status=chosen, beginning=beginning, before=before, after=after)
        numbers = listing.by_status(session)
        where = situations.of(session, [each.id for each in page.campaigns])
    wanted = {key: value for key, value in (("status", chosen), ("name", beginning)) if value}
    here = url("desk.campaigns.browse")
    return render_template(
        "desk/campaigns/browse.html",
        page=page,
        where=where,
        numbers=numbers,
        chosen=chosen,
        beginning=beginning,
        here=here,
        older=url("desk.campaigns.browse", **wanted, before=page.older) if page.older else None,
        newer=url("desk.campaigns.browse", **wanted, after=page.newer) if page.newer else None,
    )


def _status(word: str) -> CampaignStatus | None:
    return CampaignStatus(word) if word in set(CampaignStatus) - {_S.STANDING} else None


# --- one of them ----------------------------------------------------------------------------------------------------


def watch(slug: str) -> Response:
    """One campaign: where it is, how it gets on, and what can be done now."""
    return _shown(slug)


def _shown(slug: str, *, status: int = 200, problem: str | None = None, found: Sequence[str] = ()) -> Response:
    """The page of a campaign.

    :param problem: why what was asked for was not done.
    :param found: what stands against it.
    """
    sees_all = visit().may(Permission.SEE_CAMPAIGNS)
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        pace = _pace(session, campaign)
        refused = refusals.refusals(session, campaign, pace.progress.states, sample=_REFUSALS) if sees_all else []
        tests = refusals.test_mails(session, campaign) if sees_all else []
        workers = [each for each in progress.workers(session, campaign) if terms.worker(each.state)]
        history = progress.steps(session, campaign)
        subject = named.subject_of(campaign) if sees_all else None
        counts_people = sees_all and campaign.status in approvals.OPEN and campaign.started_at is None
        people = overlooking.people(session, campaign) if counts_people else None
        acting, now = whereabouts.acting(session, campaign), whereabouts.of(campaign)
        names = accounts.names(session, [campaign.held_by] if campaign.held_by else [])
        returned = _returned(session, campaign) if campaign.started_at else None
        acted = _acted(session, campaign) if campaign.started_at else {}
        complaints = returned.complaints if returned else 0
        spam = called_spam.of(session, campaign, complaints) if sees_all else None
        standing, alone = approving.standing(session, campaign), lone.open_of(session, campaign)
    page = render_template(
        "desk/campaigns/watch.html",
        campaign=campaign,
        **_figures(campaign, pace),
        now=now,
        subject=subject,
        people=people,
        counts_people=counts_people,
        acting=acting,
        ahead=path.to_send(slug, standing) if standing and campaign.status is _S.DRAFT else (),
        refusals=refused,
        why=refusal_words.why,
        tests=tests,
        workers=workers if sees_all else [],
        history=history,
        returned=returned,
        acted=acted,
        spam=spam,
        held_by=names.get(campaign.held_by) if campaign.held_by else None,
        sees_all=sees_all,
        standing=standing,
        lone=alone,
        seconds=sending.seconds(campaign),
        can=_possible(campaign, pace),
        which_pause=control.which_pause(campaign),
        problem=problem,
        found=found,
        longest_words=_LONGEST_WORDS,
    )
    return make_response(page, status)


def follow(slug: str) -> Response:
    """The part of a campaign's page that moves."""
    who = visit()
    seen = request.args.get("seen", "")[:60]

    def show() -> str:
        with site().session(read_only=True) as session:
            campaign = named.campaign(session, slug)
            pace = _pace(session, campaign)
            now = whereabouts.of(campaign)
        return render_template("desk/campaigns/follow.html", campaign=campaign, now=now, **_figures(campaign, pace))

    looks = (current(), str(who.zone), who.may(Permission.SEE_CAMPAIGNS), seen)
    part, until = recent("moving", as_long=0).get_until((slug, *looks), show)
    return live.with_etag(part, until=until)


def _pace(session: Session, campaign: Campaign) -> Pace:
    """How a campaign gets on, as it was a moment ago; what somebody did to it since is seen at once."""
    done = (campaign.id, campaign.status, campaign.hold_reason, campaign.resumed_at, campaign.finished_at)
    return recent("pace").get(done, lambda: progress.pace(session, campaign))  # type: ignore[no-any-return]


def _returned(session: Session, campaign: Campaign) -> Returned:
    """What came back of a campaign, as it was a moment ago."""
    return recent("returned").get(campaign.id, lambda: came_back.count(session, campaign))  # type: ignore[no-any-return]


def _acted(session: Session, campaign: Campaign) -> Numbers:
    """How many acted on a campaign, as it was a moment ago."""
    return recent("acted").get(campaign.id, lambda: who_acted.numbers(session, campaign))  # type: ignore[no-any-return]


def _figures(campaign: Campaign, pace: Pace) -> dict[str, Any]:
    """What the moving part shows. Whoever sees totals alone is shown no small number, and no pace, which would tell."""
    states = pace.progress.states
    counts = {state.value: count for state, count in states.items()}
    sees_all = visit().may(Permission.SEE_CAMPAIGNS)
    # As in the report: two ways to hide the same numbers would tell them to whoever looks at both.
    hidden = {name: small_numbers.hide_one(count) for name, count in counts.items()}
    shown: Mapping[str, int | None] = counts if sees_all else hidden
    audience = None if None in shown.values() else pace.progress.audience
    settled = pace.progress.settled
    is_open = settled < pace.progress.audience
    shape = f"{campaign.status}-{''.join('1' if states[each] else '0' for each in _AGAIN)}-{campaign.held_at or ''}"
    return {
        "pace": pace if sees_all else None,
        "shown": {state: shown[state.value] for state in DeliveryState},
        "audience": audience,
        "settled": settled if sees_all else None,
        "moves": campaign.status in _MOVES or (campaign.status is _S.CANCELLED and is_open),
        "shape": shape,
        "is_outdated": request.args.get("seen", shape) != shape,
    }


def _possible(campaign: Campaign, pace: Pace) -> set[str]:
    """What whoever looks can do to a campaign now."""
    status, states = campaign.status, pace.progress.states
    moves = {"pause": Move.PAUSE, "resume": Move.RESUME, "cancel": Move.CANCEL, "resend": Move.RESEND}
    allowed = {word for word, move in moves.items() if status in move.value.allowed}
    if not any(states[each] for each in _AGAIN):
        allowed.discard("resend")
    may = visit().may
    return {word for word in allowed if may(Permission.PAUSE if word == "pause" else Permission.SEND)}


# --- what is done to it ---------------------------------------------------------------------------------------------

#: does something to a campaign in a session, unless it is refused
_Act = Callable[[Session, Campaign], object]
#: whether somebody has done so before
_IsDone = Callable[[Session, Campaign], bool]


def pause(slug: str) -> Response:
    """Hold a campaign until somebody resumes it."""
    words = " ".join(typed("words").split())[:_LONGEST_WORDS]

    def act(session: Session, campaign: Campaign) -> None:
        control.pause(session, campaign, reason=_REASON, words=words, account_id=visit().account_id)

    return _do(slug, "pause", act, is_done=_is(_S.PAUSED))


def resume(slug: str) -> Response:
    """Have a paused campaign go on."""
    sender = site().settings.mail_sender

    def act(session: Session, campaign: Campaign) -> None:
        ahead.give(session)
        control.resume(session, campaign, sender, seen=request.form.get("pause", ""))

    try:
        with site().session(read_only=True) as session, renderings().lent(session):
            ahead = control.look_ahead(session, named.campaign(session, slug), sender)
    except MailerError as problem:
        return _not_done(slug, problem)
    return _do(slug, "resume", act, is_done=_is(_S.SENDING, _S.SCHEDULED), rings=True)


def cancel(slug: str) -> Response:
    """End a campaign for good."""
    return _do(slug, "cancel", control.cancel, is_done=_is(_S.CANCELLED))


def resend(slug: str) -> Response:
    """Send again what is unknown, or failed."""
    state = request.form.get("state", "")
    if state not in _AGAIN:
        abort(400)
    wanted = DeliveryState(state)

    def act(session: Session, campaign: Campaign) -> None:
        control.resend(session, campaign, wanted)

    def is_done(session: Session, campaign: Campaign) -> bool:
        may_be = campaign.status in Move.RESEND.value.allowed
        return may_be and not control.has_to_resend(session, campaign, wanted)

    return _do(slug, "resend", act, is_done=is_done, rings=True)


def _is(*statuses: CampaignStatus) -> _IsDone:
    return lambda _session, campaign: campaign.status in statuses


def _do(slug: str, what: str, act: _Act, *, is_done: _IsDone, rings: bool = False) -> Response:
    """Do something to a campaign, keep who did it, and show its page; where somebody else was quicker, what it is now.

    :param is_done: that has been done already: a second press changes nothing.
    :param rings: it may have mail to send then.
    """

    def do(session: Session) -> int | None:
        campaign = named.campaign(session, slug)
        if is_done(session, campaign):
            return None
        act(session, campaign)
        record(session, f"campaigns.{what}", slug)
        return campaign.id

    try:
        done = stopping.insist(site().session, do)
    except MailerError as problem:
        return _not_done(slug, problem)
    if rings and done is not None:
        site().ring(done, first=False)
    return _back(slug)


def _not_done(slug: str, why: MailerError) -> Response:
    """The page of a campaign, which says why what was asked for was not done."""
    if isinstance(why, ServiceUnavailable):
        raise why
    if isinstance(why, WrongStatus) and why.fields["status"] == _S.SENT:
        return _shown(slug, status=409, problem=_("Nothing was done: all its mails were out already."))
    if isinstance(why, WrongStatus | control.PausedAnew):
        return _shown(slug, status=409, problem=_("Nothing was done. Somebody was quicker: see below what it is now."))
    if isinstance(why, Refused):
        problem = _("Nothing was done, because something stands against sending this campaign.")
        return _shown(slug, status=422, problem=problem, found=[str(each) for each in why.found])
    return _shown(slug, status=422, problem=f"{_('Nothing was done.')} {refusing.advice(why)}")


def _back(slug: str) -> Response:
    return make_response(redirect(url("desk.campaigns.watch", slug=slug), 303))
