"""What a mail server's answer means: for the delivery, for the address, and for the campaign."""

import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import LargeBinary, exists, select, type_coerce
from sqlalchemy.orm import Session

from mailer.delivery import blame, recipients
from mailer.delivery.blame import Whom
from mailer.delivery.ledger import Claimed, Settlement, answered, audience_of
from mailer.delivery.recipients import Recipient
from mailer.mail.smtp import SmtpUnavailable
from mailer.mail.types import Outcome, OutcomeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState, Purpose, Reason, Subscriber

#: waits after the first, second, … temporary refusal, in minutes; then the last one again until giving up
_RETRY_MINUTES = (1, 5, 15, 30, 60)
#: how long a campaign without an earlier deadline goes on trying
GIVE_UP_AFTER = timedelta(days=2)
#: How many waits make two days. System notices belong to no campaign that was ever started, and test mails to none
#: perhaps: by time alone they would be tried for ever, since when a row was made is not kept.
MOST_ATTEMPTS = len(_RETRY_MINUTES) + (GIVE_UP_AFTER - timedelta(minutes=sum(_RETRY_MINUTES))) // timedelta(
    minutes=_RETRY_MINUTES[-1]
)

#: After so many attempts a refused mail is not put back any more, where `may_let_go`: the last mails of a campaign, all
#: refused in the same words, would otherwise pause it each time that it is resumed.
PUT_BACK_AT_MOST = 3
#: refusals of one kind with nothing accepted between, after which the server is taken to mean us
_IN_A_ROW = 20
WINDOW = 500  # answers that are looked at together
#: which share of them is too much: of refusals for policy, whatever their words, and of others in the same words
_POLICY_SHARE = 0.05
_SAME_WORDS_SHARE = 0.5


class RefusedForNow(SmtpUnavailable):
    """The mail server takes no mail from us for now: {problem}. Mail that has not gone out waits, and is tried again,
    for as long as it takes."""


def give_up_at(campaign: Campaign) -> datetime:
    """Until when a temporary refusal is tried again: two days after the campaign started or last went on after a pause,
    or its own deadline if that is earlier."""
    began = max(filter(None, (campaign.started_at, campaign.resumed_at)), default=None) or utcnow()
    end = began + GIVE_UP_AFTER
    return min(end, campaign.deadline) if campaign.deadline else end


def settlement(
    outcome: Outcome,
    claimed: Claimed,
    *,
    now: datetime,
    give_up_at: datetime,
    takes_others: bool = False,
    puts_back: bool = True,
) -> Settlement:
    """What an answer means in the ledger. A refusal for now becomes one for good in time, or after `MOST_ATTEMPTS`.

    :param give_up_at: no retry is planned for later.
    :param takes_others: the server has accepted mails of the campaign since it last went on.
    :param puts_back: what is refused for what we are may wait until somebody resumes the campaign.
    """
    state = DeliveryState(outcome.kind.value)
    reason = Reason.CONNECTION_LOST if state is DeliveryState.UNKNOWN else None
    whom = blame.whom_of(outcome) if state in _REFUSED else Whom.NEITHER
    if whom is Whom.US and claimed.purpose is not Purpose.TEST:
        retry = now + _back_off(claimed.attempts)
        if outcome.kind is OutcomeKind.DEFERRED and (retry <= give_up_at or claimed.purpose is Purpose.NOTICE):
            return _put_off(outcome, retry, transmitted=False)
        if outcome.kind is OutcomeKind.FAILED and puts_back:
            return _spared(outcome, claimed, retry, give_up_at, takes_others=takes_others)
        if puts_back:
            return Settlement(outcome.id, DeliveryState.PENDING)
    if state is DeliveryState.FAILED and whom in (Whom.US, Whom.POLICY):
        reason = Reason.POLICY
    not_before = None
    if state is DeliveryState.DEFERRED:
        not_before = now + _back_off(claimed.attempts)
        if not_before > give_up_at or claimed.attempts >= MOST_ATTEMPTS:
            state, reason, not_before = DeliveryState.FAILED, Reason.GAVE_UP, None
    # What it says when it takes a mail is a number of its own log, which the Message-ID leads to as well. Without it
    # all rows of a claim are settled alike, which takes a third of the time, and a row says less.
    is_routine = state is DeliveryState.SENT and claimed.purpose is Purpose.CAMPAIGN
    return Settlement(
        outcome.id,
        state,
        reason=reason,
        smtp_code=outcome.code or None,
        smtp_text=None if is_routine else outcome.text or None,
        not_before=not_before,
        suppress=whom is Whom.ADDRESS and blame.says_no_such_address(outcome.text),
    )


_REFUSED = (DeliveryState.FAILED, DeliveryState.DEFERRED)


def _spared(
    outcome: Outcome, claimed: Claimed, not_before: datetime, give_up_at: datetime, *, takes_others: bool
) -> Settlement:
    """What becomes of a mail that was refused for good for what we are: whoever it was to must not pay for that.

    It waits until somebody resumes the campaign. But one mail of which a server goes on saying so while it takes others
    would hold the campaign up for ever, and a system mail has nobody to resume it: these are tried again as after a
    refusal for now, the former until retries end.
    """
    is_last = not_before > give_up_at or claimed.attempts >= MOST_ATTEMPTS
    if claimed.purpose is Purpose.CAMPAIGN and (is_last or not _stands_alone(claimed, takes_others)):
        return Settlement(outcome.id, DeliveryState.PENDING)
    if is_last:
        words, code = outcome.text or None, outcome.code or None
        return Settlement(outcome.id, DeliveryState.FAILED, reason=Reason.GAVE_UP, smtp_code=code, smtp_text=words)
    return _put_off(outcome, not_before, transmitted=True)


def _stands_alone(claimed: Claimed, takes_others: bool) -> bool:
    """Whether a refusal of us could be about this mail after all: it was refused before, and others are taken."""
    return takes_others and claimed.attempts > 0


def _put_off(outcome: Outcome, not_before: datetime, *, transmitted: bool) -> Settlement:
    return Settlement(
        outcome.id,
        DeliveryState.DEFERRED,
        smtp_code=outcome.code or None,
        smtp_text=outcome.text or None,
        not_before=not_before,
        transmitted=transmitted,
    )


def _back_off(attempts: int) -> timedelta:
    """How long to wait after a temporary refusal, spread by a fifth so that retries do not arrive together."""
    minutes = _RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES) - 1)]
    return timedelta(minutes=minutes) * random.uniform(0.8, 1.2)  # noqa: S311  # spreading load is no secret


class Answer(NamedTuple):
    """One answer, as far as it tells something of us."""

    accepted: bool
    kind: str = ""  # of a refusal: the same for those that are counted together
    share: float = 1.0  # of the last answers that this kind may have
    is_first: bool = True  # of this mail: what is refused again when it is resent has been counted once


_ACCEPTED = Answer(accepted=True)


def _refusal(whom: Whom, code: int, text: str, *, is_first: bool) -> Answer:
    if whom in (Whom.US, Whom.POLICY):
        return Answer(False, whom.value, _POLICY_SHARE, is_first)
    return Answer(False, blame.alike(code, text), _SAME_WORDS_SHARE, is_first)


class Ruling(NamedTuple):  # made for each mail, as `ledger.Settlement`
    """What follows from an answer."""

    fate: Settlement
    pause_because: str | None = None  # the campaign must be paused
    wait_because: str | None = None  # the server must not be asked again for a while


class RefusalWatch:
    """Judges what a server says to each mail, and notices when it has begun to refuse us, whatever its words."""

    def __init__(
        self, earlier: Iterable[Answer] = (), *, nothing_accepted: bool = False, was_resumed: bool = False
    ) -> None:
        """:param earlier: what the campaign was answered last, the oldest first.
        :param nothing_accepted: no mail of it ever was, in none of its turns.
        :param was_resumed: somebody had it go on after a pause.
        """
        self._in_a_row: Counter[str] = Counter()  # refusals by kind since a mail was accepted
        self._last: deque[Answer] = deque()
        self._refusals: Counter[str] = Counter()  # among the last: adding them up anew took 3 µs a message
        self._for_now = 0  # temporary refusals of us since a mail was accepted
        self._accepted = False  # a mail, since the campaign last went on
        self._nothing_accepted = nothing_accepted
        self._was_resumed = was_resumed
        self.has_refusals = False  # of those that it judged
        for answer in earlier:
            self._count(answer)

    def judge(
        self,
        outcome: Outcome,
        claimed: Claimed,
        recipient: Recipient | Reason | None = None,
        *,
        now: datetime,
        give_up_at: datetime,
    ) -> Ruling:
        """Look at one more answer.

        :param recipient: whom the words may name.
        :param give_up_at: no retry is planned for later.
        """
        puts_back = not self._lets_go_of(claimed)
        fate = settlement(
            outcome, claimed, now=now, give_up_at=give_up_at, takes_others=self._accepted, puts_back=puts_back
        )
        if outcome.kind is OutcomeKind.SENT:
            self._count(_ACCEPTED)
            return Ruling(fate)
        if outcome.kind is OutcomeKind.UNKNOWN or (fate.state is DeliveryState.FAILED and not puts_back):
            return Ruling(fate)
        whom, words = blame.whom_of(outcome), blame.without_whom(outcome.text, recipient)
        self.has_refusals |= fate.state is not DeliveryState.DEFERRED
        means_us = whom is Whom.US and outcome.kind is OutcomeKind.FAILED and not _stands_alone(claimed, self._accepted)
        if fate.state is DeliveryState.PENDING or (means_us and claimed.purpose is Purpose.NOTICE):
            return Ruling(fate, pause_because=blame.reason_to_pause(outcome.code, words))
        if outcome.kind is OutcomeKind.DEFERRED and fate.state is DeliveryState.DEFERRED and whom is Whom.US:
            self._for_now += 1
            if self._for_now >= _IN_A_ROW:
                return Ruling(fate, wait_because=f"{outcome.code} {words}")
            return Ruling(fate)
        if whom is Whom.ADDRESS or (outcome.kind is OutcomeKind.DEFERRED and not self._is_telling(fate)):
            return Ruling(fate)
        answer = _refusal(whom, outcome.code, words, is_first=claimed.attempts == 0)
        self._count(answer)
        if self._is_too_much(answer):
            return Ruling(fate, pause_because=blame.reason_to_pause(outcome.code, words))
        return Ruling(fate)

    def _lets_go_of(self, claimed: Claimed) -> bool:
        return (
            claimed.purpose is Purpose.CAMPAIGN
            and claimed.attempts >= PUT_BACK_AT_MOST
            and self._was_resumed
            and not self._nothing_accepted
        )

    def _is_telling(self, fate: Settlement) -> bool:
        """Whether a refusal for now counts. At the end of every large campaign some are given up with full mailboxes,
        all in the same words; but where no mail was ever accepted, they are not to blame."""
        return fate.state is DeliveryState.FAILED and self._nothing_accepted

    def _is_too_much(self, answer: Answer) -> bool:
        if self._in_a_row[answer.kind] >= _IN_A_ROW:
            return True
        is_full = len(self._last) == WINDOW
        return is_full and answer.is_first and self._refusals[answer.kind] > answer.share * WINDOW

    def _count(self, answer: Answer) -> None:
        if len(self._last) == WINDOW:
            oldest = self._last.popleft()
            if not oldest.accepted:
                self._refusals[oldest.kind] -= oldest.is_first
        self._last.append(answer)
        if answer.accepted:
            self._accepted = True
            self._nothing_accepted = False
            self._for_now = 0
            if self._in_a_row:
                self._in_a_row.clear()
        else:
            self._refusals[answer.kind] += answer.is_first
            self._in_a_row[answer.kind] += 1


def watch_of(session: Session, campaign: Campaign) -> RefusalWatch:
    """A watch that goes on from a campaign's last answers: a turn is a few seconds, and other workers are at it too."""
    nothing_accepted = campaign.status is not CampaignStatus.STANDING and not _has_accepted(session, campaign)
    earlier = latest_answers(session, campaign, WINDOW, nothing_accepted=nothing_accepted)
    return RefusalWatch(earlier, nothing_accepted=nothing_accepted, was_resumed=campaign.resumed_at is not None)


def _has_accepted(session: Session, campaign: Campaign) -> bool:
    accepted = exists().where(*audience_of(campaign.id), Delivery.state == DeliveryState.SENT)
    return bool(session.scalar(select(accepted)))


def may_let_go(session: Session, campaign: Campaign) -> bool:
    """Whether a campaign may fail what was tried `PUT_BACK_AT_MOST` times and is refused again: its mails are accepted
    otherwise. Before it was resumed nothing was put back, so those attempts say nothing."""
    return campaign.resumed_at is not None and _has_accepted(session, campaign)


def latest_answers(
    session: Session, campaign: Campaign, count: int, *, nothing_accepted: bool = False
) -> Sequence[Answer]:
    """What a campaign was answered last, as far as it tells something of us, the oldest first.

    :param count: so many at most; none from before somebody had the campaign go on after a pause.
    :param nothing_accepted: so what was given up counts too.
    """
    latest = (
        select(
            Delivery.state,
            Delivery.subscriber_id,
            Delivery.smtp_code,
            Delivery.smtp_text,
            Delivery.reason,
            Delivery.attempts,
            type_coerce(Subscriber.email, LargeBinary),
            type_coerce(Subscriber.name, LargeBinary),
        )
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*answered(campaign.id))
        .order_by(Delivery.settled_at.desc(), Delivery.id)  # those settled together, in whatever order
        .limit(count)
    )
    if campaign.resumed_at is not None:
        latest = latest.where(Delivery.settled_at > campaign.resumed_at)
        if not nothing_accepted:
            was_let_go = (Delivery.state == DeliveryState.FAILED) & (Delivery.attempts > PUT_BACK_AT_MOST)
            latest = latest.where(~was_let_go)
    answers: list[Answer] = []
    keyring = keyring_of(session)
    for state, subscriber_id, code, text, reason, attempts, email, name in session.execute(latest):
        if state is DeliveryState.SENT:
            answers.append(_ACCEPTED)
            continue
        code, text = code or 0, text or ""
        was_asked = code or text  # else the server was not
        words_are_left = subscriber_id is not None  # of an erased person they are not
        counts = nothing_accepted or reason != Reason.GAVE_UP
        if was_asked and words_are_left and counts and (whom := blame.whom(code, text)) is not Whom.ADDRESS:
            words = blame.without_whom(text, recipients.readable(keyring, email, name))
            answers.append(_refusal(whom, code, words, is_first=attempts <= 1))
    return answers[::-1]
