"""Stopping: that people are asked to act no more, or again. What would ask them is paused, and stays so until somebody
resumes it.

Nothing may keep a stop from happening: no status is wrong for it, nothing is rendered, and nothing is read that might
be unreadable.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from mailer.campaigns import kinds, lifecycle
from mailer.campaigns.lifecycle import Move
from mailer.cases import cases, history
from mailer.delivery import control
from mailer.errors import MailerError
from mailer.store.db import DatabaseUnavailable, Sessions
from mailer.store.models import Asking, Campaign, CampaignStatus, Case, CaseEventKind, CaseStatus

log = logging.getLogger(__name__)

T = TypeVar("T")
#: is told why something is tried again
OnRetry = Callable[[DatabaseUnavailable], None]
#: is told, in the transaction that does it, what was done and to which campaigns: their slugs
Note = Callable[[Session, Sequence[str]], None]
NO_WORDS: Mapping[str, str] = {}
_TRIES = 4
_PAUSE_SECONDS = 1.0


class NotEnded(MailerError):
    """{what} "{slug}" is open already: people may be asked to act on it."""


class IsWithdrawn(MailerError):
    """Campaign "{slug}" was withdrawn, and that is for good. If it should go out after all, load it anew under another
    name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Generic[T]):
    """What came of a decision."""

    was: T  # before
    now: T
    paused: Sequence[str]  # slugs of what was under way or scheduled until now
    shown: Mapping[str, str]  # the words that may be shown: language → words
    went_out: Sequence[str]  # slugs of what has begun: somebody may have its mails


def warn(problem: DatabaseUnavailable) -> None:
    """Write into the log that a stop is tried again."""
    log.warning("a stop is tried again: %s", problem)


def unnoted(_session: Session, _slugs: Sequence[str]) -> None:
    """Leave it to somebody else to note what was done."""


def insist(sessions: Sessions, act: Callable[[Session], T], *, on_retry: OnRetry = warn) -> T:
    """Do something in a session of its own; again, if the database cannot be used at this moment: others may be
    writing for longer than it lets anybody wait.

    :param on_retry: such as says so to whoever waits.
    :raises DatabaseUnavailable: it could not be used at any time.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            with sessions() as session:
                return act(session)
        except DatabaseUnavailable as problem:
            if not tries_left:
                raise
            on_retry(problem)
            time.sleep(_PAUSE_SECONDS)
    raise AssertionError("unreachable")  # mypy cannot see that the last try returns or raises


# --- a case ---------------------------------------------------------------------------------------------------------


def stop_case(
    sessions: Sessions,
    slug: str,
    why: Mapping[str, str],
    *,
    note: Note = unnoted,
    on_retry: OnRetry = warn,
) -> Decided[CaseStatus]:
    """Ask everybody to do nothing any more about a case, and pause its campaigns that ask people to act.

    :param why: that is shown to everybody: language → words. They are kept, but not shown, if a word that must not
        appear stands in them.
    :param note: is told in the transaction that decides it.
    :param on_retry: as for `insist`.
    :raises cases.UnknownCase: there is none.
    :raises DatabaseUnavailable: as for `insist`.
    """
    return _end_case(sessions, slug, CaseStatus.STOPPED, why, note, on_retry)


def close_case(
    sessions: Sessions,
    slug: str,
    outcome: Mapping[str, str],
    *,
    note: Note = unnoted,
    on_retry: OnRetry = warn,
) -> Decided[CaseStatus]:
    """End a case, and pause its campaigns that ask people to act.

    :param outcome: how it ended: language → words; none keeps what was said before. As for `stop_case`.
    :param note: as for `stop_case`.
    :param on_retry: as for `insist`.
    :raises cases.UnknownCase: there is none.
    :raises DatabaseUnavailable: as for `insist`.
    """
    return _end_case(sessions, slug, CaseStatus.CLOSED, outcome, note, on_retry)


def _end_case(
    sessions: Sessions,
    slug: str,
    status: CaseStatus,
    words: Mapping[str, str],
    note: Note,
    on_retry: OnRetry,
) -> Decided[CaseStatus]:
    """Pause what nobody holds, decide, and pause the rest, each committed before the next. A start may hold the case or
    a campaign for a while: what is under way does not wait for it, and once this is decided, it is refused.
    """

    def pause(session: Session, *, waits: bool) -> list[str]:
        case_id = select(Case.id).where(Case.slug == slug).scalar_subquery()
        return _pause_free(session, Campaign.case_id == case_id, reason=_reason(slug, status), waits=waits)

    def decide(session: Session) -> Decided[CaseStatus]:
        decided = _decide_on_case(session, slug, status, words)
        note(session, decided.paused)
        return decided

    first = insist(sessions, partial(pause, waits=False), on_retry=on_retry)
    decided = insist(sessions, decide, on_retry=on_retry)
    rest = insist(sessions, partial(pause, waits=True), on_retry=on_retry)
    return replace(decided, paused=sorted({*first, *decided.paused, *rest}))


def _decide_on_case(session: Session, slug: str, status: CaseStatus, words: Mapping[str, str]) -> Decided[CaseStatus]:
    case, was = cases.decide(session, slug, status, words)
    paused = _pause_free(session, Campaign.case_id == case.id, reason=_reason(slug, status))
    shown = history.sayable(session, case.id, words)
    if status is CaseStatus.CLOSED and shown:
        case.outcome = dict(shown)
        session.flush()
    log.info("case %s", status, extra={"case": case.id, "paused": len(paused)})
    began = select(Campaign.slug).where(*_about(case), Campaign.started_at.is_not(None)).order_by(Campaign.id)
    went_out = session.scalars(began).all()
    return Decided(was=was, now=status, paused=paused, shown=shown, went_out=went_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """What is left to do, once a case is open again."""

    paused: Sequence[str]  # slugs of campaigns that go on once they are resumed
    ended: Sequence[str]  # of those that were stopped or closed by themselves, and stay so


def reopen_case(session: Session, slug: str) -> Reopened:
    """Let people be asked again to act on a case. What was paused stays so.

    :raises cases.UnknownCase: there is none.
    :raises NotEnded: it is open.
    """
    case, was = cases.decide(session, slug, CaseStatus.OPEN, NO_WORDS)
    if was is CaseStatus.OPEN:
        raise NotEnded(what="Case", slug=slug)
    log.info("case reopened", extra={"case": case.id})
    about_it = select(Campaign.slug).where(*_about(case)).order_by(Campaign.slug)
    paused = about_it.where(Campaign.status == CampaignStatus.PAUSED, Campaign.asking == Asking.OPEN)
    ended = about_it.where(Campaign.asking.in_((Asking.STOPPED, Asking.CLOSED)))
    return Reopened(paused=session.scalars(paused).all(), ended=session.scalars(ended).all())


def language_of_case(session: Session, slug: str) -> str:
    """The language in which an organiser writes of a case: that of its campaigns, or English where these differ."""
    written = select(Campaign.language).join(Case, Case.id == Campaign.case_id).where(Case.slug == slug).distinct()
    found = session.scalars(written).all()
    return found[0] if len(found) == 1 else "en"


def _reason(slug: str, status: CaseStatus) -> str:
    """Why a campaign is paused. What an organiser said is not in it: it is kept in clear."""
    return f'its case "{slug}" was {status}'


def _about(case: Case) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a campaign asks people to act on a case."""
    return Campaign.case_id == case.id, Campaign.kind.in_(kinds.asking())


def _pause_free(session: Session, of_case: ColumnElement[bool], *, reason: str, waits: bool = False) -> list[str]:
    """:param waits: for whoever holds a campaign that is to be paused; else that one is left out."""
    may_be = (Campaign.kind.in_(kinds.asking()), Campaign.status.in_(Move.PAUSE.value.allowed))
    free = select(Campaign.id).where(of_case, *may_be).with_for_update(key_share=True, skip_locked=not waits)
    return _pause(session, Campaign.id.in_(session.scalars(free).all()), reason=reason)


# --- a campaign -----------------------------------------------------------------------------------------------------


def stop(session: Session, campaign: Campaign, why: Mapping[str, str]) -> Decided[Asking]:
    """Ask everybody to do nothing any more about a campaign, and pause it. What is withdrawn stays withdrawn.

    :param why: as for `stop_case`.
    """
    return _end(session, campaign, Asking.STOPPED, CaseEventKind.STOPPED, why)


def close(session: Session, campaign: Campaign) -> Decided[Asking]:
    """Ask nobody any more to act on a campaign, and pause it; its text stays. What is withdrawn stays withdrawn."""
    return _end(session, campaign, Asking.CLOSED, CaseEventKind.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What came of a withdrawal."""

    was_already: bool
    is_cancelled: bool  # there was something that could have gone out


def withdraw(sessions: Sessions, slug: str, *, note: Note = unnoted, on_retry: OnRetry = warn) -> Withdrawn:
    """Take a campaign's text and names down for good, and skip what has not gone out. The first is committed by
    itself: the other may take a while.

    :param note: as for `stop_case`.
    :param on_retry: as for `insist`.
    :raises lifecycle.UnknownCampaign: there is none.
    :raises DatabaseUnavailable: as for `insist`.
    """

    def take_down(session: Session) -> Decided[Asking]:
        decided = _end(session, lifecycle.get(session, slug), Asking.WITHDRAWN, CaseEventKind.WITHDRAWN)
        note(session, decided.paused)
        return decided

    decided = insist(sessions, take_down, on_retry=on_retry)
    is_cancelled = insist(
        sessions, lambda session: _cancel_rest(session, lifecycle.get(session, slug)), on_retry=on_retry
    )
    return Withdrawn(was_already=decided.was is Asking.WITHDRAWN, is_cancelled=is_cancelled)


def _cancel_rest(session: Session, campaign: Campaign) -> bool:
    hold(session, campaign)
    if campaign.status not in Move.CANCEL.value.allowed:
        return False
    control.cancel(session, campaign)
    return True


def _end(
    session: Session, campaign: Campaign, asking: Asking, kind: CaseEventKind, words: Mapping[str, str] = NO_WORDS
) -> Decided[Asking]:
    hold(session, campaign)
    was = campaign.asking
    paused = _pause(session, Campaign.id == campaign.id, reason=f"it was {asking}")
    if was is not Asking.WITHDRAWN:
        _decide(session, campaign, asking, kind, words)
    session.refresh(campaign)
    shown = history.sayable(session, campaign.case_id, words)
    went_out = [campaign.slug] if campaign.started_at else []
    return Decided(was=was, now=campaign.asking, paused=paused, shown=shown, went_out=went_out)


def reopen(session: Session, campaign: Campaign) -> None:
    """Let people be asked again to act on a campaign. If it was paused, it stays so.

    :raises IsWithdrawn: it was taken down.
    :raises NotEnded: it is open.
    """
    hold(session, campaign)
    if campaign.asking is Asking.WITHDRAWN:
        raise IsWithdrawn(slug=campaign.slug)
    if campaign.asking is Asking.OPEN:
        raise NotEnded(what="Campaign", slug=campaign.slug)
    _decide(session, campaign, Asking.OPEN, CaseEventKind.REOPENED, NO_WORDS)


def hold(session: Session, campaign: Campaign) -> None:
    """Wait for whoever starts or ends a campaign, and let nobody do so until the transaction ends."""
    session.get_one(Campaign, campaign.id, with_for_update={"key_share": True}, populate_existing=True)


def _decide(
    session: Session, campaign: Campaign, asking: Asking, kind: CaseEventKind, words: Mapping[str, str]
) -> None:
    campaign.asking = asking
    history.add(session, kind, words, case_id=campaign.case_id, campaign_id=campaign.id)
    log.info("campaign %s", kind, extra={"campaign": campaign.id})


def _pause(session: Session, *which: ColumnElement[bool], reason: str) -> list[str]:
    return lifecycle.move_all(session, Move.PAUSE, *which, **lifecycle.held(session, reason))
