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
from mailer.mail.feedback import meanings
from mailer.mail.feedback.types import Category, Effect
from mailer.mail.smtp import SmtpUnavailable
from mailer.mail.smtp_replies import enhanced_code
from mailer.mail.types import Outcome, OutcomeKind, Stage
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState, Purpose, Reason, Subscriber

#: waits after the first, second, … temporary refusal, in minutes; then the last one again until giving up
_RETRY_MINUTES = (1, 5, 15, 30, 60)
#: what nothing else depends on: each fails alone
_OF_ITS_OWN = (Purpose.TEST, Purpose.REPLY)
#: how long a campaign without an earlier deadline goes on trying
GIVE_UP_AFTER = timedelta(days=2)
#: How many waits make two days. System notices belong to no campaign that was ever started, and test mails to none
#: perhaps: by time alone they would be tried for ever, since when a row was made is not kept.
MOST_ATTEMPTS = len(_RETRY_MINUTES) + (GIVE_UP_AFTER - timedelta(minutes=sum(_RETRY_MINUTES))) // timedelta(
    minutes=_RETRY_MINUTES[-1]
)

#: What was put back so often and is refused again may fail, where others were accepted: the last mails of a campaign,
#: refused in the same words for ever, would otherwise pause it each time that it is resumed.
PUT_BACK_AT_MOST = 3
#: refusals of one kind with nothing accepted between, after which the server is taken to mean us
IN_A_ROW = 20
WINDOW = 500  # answers that are looked at together
#: which share of them is too much: of refusals for policy, whatever their words, and of others in the same words
POLICY_SHARE = 0.05
_SAME_WORDS_SHARE = 0.5


class RefusedForNow(SmtpUnavailable):
    """The mail server takes no mail from us for now: {problem}. Mail that has not gone out waits, and is tried again,
    for as long as it takes."""


def give_up_at(campaign: Campaign) -> datetime:
    """Until when a temporary refusal is tried again: two days after the campaign started or somebody last had it go on,
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
    stands_alone: bool = False,
    may_fail: bool = False,
) -> Settlement:
    """What an answer means in the ledger. A refusal for now becomes one for good when retries end.

    Whoever a mail was to must not pay for what is about us: it waits until somebody resumes the campaign. A system mail
    has nobody to resume it, so it is tried again as after a refusal for now.

    :param give_up_at: no retry is planned for later.
    :param stands_alone: the server takes others, so a refusal of us may be about this mail after all: it is tried again
        until retries end, and holds nothing up.
    :param may_fail: and has refused this one for so long that it fails then.
    """
    state, is_campaign = DeliveryState(outcome.kind.value), claimed.purpose is Purpose.CAMPAIGN
    code, text = outcome.code or None, outcome.text or None
    if claimed.purpose is Purpose.REPLY:
        text = enhanced_code(text)  # strangers wrote it, and a server's words may quote theirs
    if state is DeliveryState.SENT:
        # What it says is a number of its own log, which the Message-ID leads to as well. Without it all rows of a claim
        # are settled alike, which takes a third of the time, and a row says less.
        return Settlement(outcome.id, state, smtp_code=code, smtp_text=None if is_campaign else text)
    if state is DeliveryState.UNKNOWN:
        return Settlement(outcome.id, state, Reason.CONNECTION_LOST, code, text)
    whom, reason, not_before = blame.whom_of(outcome), None, None
    retry = now + _back_off(claimed.attempts)
    is_last = retry > give_up_at or (not is_campaign and claimed.attempts >= MOST_ATTEMPTS)
    if whom is Whom.US and claimed.purpose not in _OF_ITS_OWN:
        if is_campaign and ((is_last and not may_fail) or (state is DeliveryState.FAILED and not stands_alone)):
            return Settlement(outcome.id, DeliveryState.PENDING)
        is_last &= is_campaign or state is DeliveryState.FAILED  # a system mail waits for as long as it takes
        state = DeliveryState.DEFERRED
    if state is DeliveryState.DEFERRED and is_last:
        state, reason = DeliveryState.FAILED, Reason.GAVE_UP
    elif state is DeliveryState.DEFERRED:
        not_before = retry
    elif whom in (Whom.US, Whom.POLICY):
        reason = Reason.POLICY
    refused = _of_address(outcome, whom) if state is DeliveryState.FAILED else None
    return Settlement(outcome.id, state, reason, code, text, not_before, refused=refused)


def _of_address(outcome: Outcome, whom: Whom) -> Category | None:
    """What a server has against the address that a mail failed for, by the same table as of what comes back; None where
    it says nothing of it. Only what was said at RCPT is: later a server has seen the mail as well."""
    if outcome.stage is not Stage.RCPT or not outcome.code or whom in (Whom.US, Whom.POLICY):
        return None
    category = meanings.of_reply(outcome.code, outcome.text).category
    return category if category.effect in (Effect.SUPPRESS, Effect.COUNT) else None


def _back_off(attempts: int) -> timedelta:
    """How long to wait after a temporary refusal, spread by a fifth so that retries do not arrive together."""
    minutes = _RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES) - 1)]
    return timedelta(minutes=minutes) * random.uniform(0.8, 1.2)  # noqa: S311  # spreading load is no secret


class Answer(NamedTuple):
    """One answer, as far as it tells something of us."""

    accepted: bool
    kind: str = ""  # of a refusal: the same for those that are counted together
    share: float = 1.0  # of the last answers that this kind may have
    is_first: bool = True  # of this mail: what was put back and is refused again has been counted once


_ACCEPTED = Answer(accepted=True)


def _refusal(whom: Whom, code: int, text: str, *, is_first: bool) -> Answer:
    if whom in (Whom.US, Whom.POLICY):
        return Answer(False, whom.value, POLICY_SHARE, is_first)
    return Answer(False, blame.alike(code, text), _SAME_WORDS_SHARE, is_first)


def _tells_of_us(whom: Whom, reason: str | None, *, nothing_accepted: bool) -> bool:
    """Whether a mail that failed may tell something of us. At the end of every large campaign some are given up with
    full mailboxes, all in the same words; but where no mail was ever accepted, they are not to blame."""
    return whom is not Whom.ADDRESS and (reason != Reason.GAVE_UP or whom is Whom.US or nothing_accepted)


class Ruling(NamedTuple):  # made for each mail, as `ledger.Settlement`
    """What follows from an answer."""

    fate: Settlement
    pause_because: str | None = None  # the campaign must be paused
    wait_because: str | None = None  # the server must not be asked again for a while


class RefusalWatch:
    """Judges what a server says to each mail, and notices when it has begun to refuse us, whatever its words."""

    def __init__(
        self, earlier: Iterable[Answer] = (), *, nothing_accepted: bool = False, accepted_at: datetime | None = None
    ) -> None:
        """:param earlier: what the campaign was answered since it last went on, the oldest first.
        :param nothing_accepted: no mail of it ever was, in none of its turns.
        :param accepted_at: when one last was, if that is known.
        """
        self._in_a_row: Counter[str] = Counter()  # refusals by kind since a mail was accepted
        self._last: deque[Answer] = deque()
        self._refusals: Counter[str] = Counter()  # among the last: adding them up anew took 3 µs a message
        self._for_now = 0  # temporary refusals of us since a mail was accepted
        self._accepted = False  # a mail, since the campaign last went on
        self._nothing_accepted = nothing_accepted
        self._accepted_at = accepted_at
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
        if claimed.purpose is Purpose.REPLY:
            # What a server has against what strangers wrote tells nothing of us.
            return Ruling(settlement(outcome, claimed, now=now, give_up_at=give_up_at))
        # A system mail is never put back, so what it was refused with before is told by its attempts.
        was_refused = claimed.put_back if claimed.purpose is Purpose.CAMPAIGN else claimed.attempts
        may_end = claimed.put_back >= PUT_BACK_AT_MOST and not self._nothing_accepted
        may_end &= outcome.stage is not Stage.MAIL  # which is about nobody but us
        stands_alone = may_end or (self._accepted and was_refused > 0)
        # A quota that is new each day lets some through each day.
        may_fail = may_end and (self._accepted_at is None or now - self._accepted_at >= GIVE_UP_AFTER)
        fate = settlement(
            outcome, claimed, now=now, give_up_at=give_up_at, stands_alone=stands_alone, may_fail=may_fail
        )
        if outcome.kind is OutcomeKind.SENT:
            self._count(_ACCEPTED)
            self._accepted_at = now
        if outcome.kind in (OutcomeKind.SENT, OutcomeKind.UNKNOWN):
            return Ruling(fate)
        whom = blame.whom_of(outcome)
        is_for_now = outcome.kind is OutcomeKind.DEFERRED
        self.has_refusals |= fate.state is not DeliveryState.DEFERRED
        if is_for_now and fate.state is DeliveryState.DEFERRED:
            self._for_now += whom is Whom.US
            if whom is not Whom.US or self._for_now < IN_A_ROW:
                return Ruling(fate)
            return Ruling(fate, wait_because=f"{outcome.code} {blame.without_whom(outcome.text, recipient)}")
        is_held_up = claimed.purpose is Purpose.NOTICE and whom is Whom.US and not (is_for_now or stands_alone)
        must_pause = is_held_up or fate.state is DeliveryState.PENDING
        if not must_pause and not _tells_of_us(whom, fate.reason, nothing_accepted=self._nothing_accepted):
            return Ruling(fate)
        words = blame.without_whom(outcome.text, recipient)  # a pattern for each person: only where it is asked for
        if not must_pause:
            answer = _refusal(whom, outcome.code, words, is_first=claimed.put_back == 0)
            self._count(answer)
            must_pause = self._is_too_much(answer)
        return Ruling(fate, pause_because=blame.reason_to_pause(outcome.code, words) if must_pause else None)

    def _is_too_much(self, answer: Answer) -> bool:
        if self._in_a_row[answer.kind] >= IN_A_ROW:
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
    nothing_accepted = campaign.status is not CampaignStatus.STANDING and not has_accepted(session, campaign)
    earlier = latest_answers(session, campaign, WINDOW, nothing_accepted=nothing_accepted)
    accepted_at = None
    if campaign.status is not CampaignStatus.STANDING and not nothing_accepted:
        latest = select(Delivery.settled_at).where(*answered(campaign.id), Delivery.state == DeliveryState.SENT)
        accepted_at = session.scalar(latest.order_by(Delivery.settled_at.desc()).limit(1))
    return RefusalWatch(earlier, nothing_accepted=nothing_accepted, accepted_at=accepted_at)


def has_accepted(session: Session, campaign: Campaign) -> bool:
    """Whether a mail server has taken a mail of a campaign, in any of its turns."""
    accepted = exists().where(*audience_of(campaign.id), Delivery.state == DeliveryState.SENT)
    return bool(session.scalar(select(accepted)))


def latest_answers(
    session: Session, campaign: Campaign, count: int, *, nothing_accepted: bool = False
) -> Sequence[Answer]:
    """What a campaign was answered last, as far as it tells something of us, the oldest first.

    :param count: so many at most; none from before somebody last had the campaign go on.
    :param nothing_accepted: so what was given up counts too.
    """
    latest = (
        select(
            Delivery.state,
            Delivery.subscriber_id,
            Delivery.smtp_code,
            Delivery.smtp_text,
            Delivery.reason,
            Delivery.put_back,
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
    answers: list[Answer] = []
    keyring = keyring_of(session)
    for state, subscriber_id, code, text, reason, put_back, email, name in session.execute(latest):
        if state is DeliveryState.SENT:
            answers.append(_ACCEPTED)
            continue
        code, text = code or 0, text or ""
        was_asked = code or text  # else the server was not
        words_are_left = subscriber_id is not None  # of an erased person they are not
        whom = blame.whom(code, text)
        if was_asked and words_are_left and _tells_of_us(whom, reason, nothing_accepted=nothing_accepted):
            if whom not in (Whom.US, Whom.POLICY):  # whose words are counted alike, whatever they are
                text = blame.without_whom(text, recipients.readable(keyring, email, name))
            answers.append(_refusal(whom, code, text, is_first=put_back == 0))
    return answers[::-1]
