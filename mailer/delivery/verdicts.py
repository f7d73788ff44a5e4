"""What a mail server's answer means: for the delivery, for the address, and for the campaign."""

import random
import re
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.delivery.ledger import Claimed, Settlement, answered
from mailer.mail.addresses import redact
from mailer.mail.types import Outcome, OutcomeKind, Stage
from mailer.store.db import utcnow
from mailer.store.models import Campaign, Delivery, DeliveryState, Purpose, Reason

#: waits after the first, second, … temporary refusal, in minutes; then the last one again until giving up
_RETRY_MINUTES = (1, 5, 15, 30, 60)
#: how long a campaign without an earlier deadline goes on trying
GIVE_UP_AFTER = timedelta(days=2)
#: How many waits make two days. System notices belong to no campaign that was ever started, and test mails to none
#: perhaps: by time alone they would be tried for ever, since when a row was made is not kept.
MOST_ATTEMPTS = len(_RETRY_MINUTES) + (GIVE_UP_AFTER - timedelta(minutes=sum(_RETRY_MINUTES))) // timedelta(
    minutes=_RETRY_MINUTES[-1]
)

#: enhanced status codes (RFC 3463) that say the address does not exist; at RCPT only, where they are about it
_NO_SUCH_ADDRESS = re.compile(r"5\.1\.(?:1|2|6|10)(?!\d)")
#: the server refuses us, not the address: policy, spam, authentication
_POLICY = re.compile(r"5\.7\.\d")
_POLICY_IN_A_ROW = 20
POLICY_WINDOW = 500  # answers that are looked at together
_POLICY_SHARE = 0.05


def give_up_at(campaign: Campaign) -> datetime:
    """Until when a temporary refusal is tried again: two days, or the campaign's own deadline if that is earlier."""
    end = (campaign.started_at or utcnow()) + GIVE_UP_AFTER
    return min(end, campaign.deadline) if campaign.deadline else end


def settlement(outcome: Outcome, claimed: Claimed, *, now: datetime, give_up_at: datetime) -> Settlement:
    """What an answer means in the ledger. A refusal for now becomes one for good in time, or after `MOST_ATTEMPTS`.

    :param give_up_at: no retry is planned for later.
    """
    state = DeliveryState(outcome.kind.value)
    reason = Reason.CONNECTION_LOST if state is DeliveryState.UNKNOWN else None
    not_before = None
    if refuses_us(outcome):
        reason = Reason.POLICY
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
        suppress=_address_does_not_exist(outcome),
    )


def _back_off(attempts: int) -> timedelta:
    """How long to wait after a temporary refusal, spread by a fifth so that retries do not arrive together."""
    minutes = _RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES) - 1)]
    return timedelta(minutes=minutes) * random.uniform(0.8, 1.2)  # noqa: S311  # spreading load is no secret


def refuses_us(outcome: Outcome) -> bool:
    """Whether a server refused for what we are or send, not for whom it was to."""
    return outcome.kind is OutcomeKind.FAILED and _POLICY.match(outcome.text) is not None


def _address_does_not_exist(outcome: Outcome) -> bool:
    is_refusal = outcome.kind is OutcomeKind.FAILED and outcome.stage is Stage.RCPT
    return is_refusal and _NO_SUCH_ADDRESS.match(outcome.text) is not None


class PolicyWatch:
    """Notices when a server has begun to refuse us, before a whole campaign fails on it."""

    def __init__(self, earlier: Iterable[bool] = ()) -> None:
        """:param earlier: whether each of the campaign's last answers refused us, the oldest first."""
        self._in_a_row = 0
        self._last: deque[bool] = deque(maxlen=POLICY_WINDOW)
        self._refusals = 0  # among the last: adding them up anew took 3 µs a message
        for refused in earlier:
            self._count(refused)

    def note(self, outcome: Outcome) -> str | None:
        """Look at one more answer.

        :returns: why the campaign should be paused, or None.
        """
        refused = refuses_us(outcome)
        self._count(refused)
        is_full = len(self._last) == POLICY_WINDOW
        if self._in_a_row < _POLICY_IN_A_ROW and not (is_full and self._refusals > _POLICY_SHARE * POLICY_WINDOW):
            return None
        # It is kept with the campaign, which is not encrypted, and servers quote addresses.
        return f"the mail server refuses our mail: {outcome.code} {redact(outcome.text)}" if refused else None

    def _count(self, refused: bool) -> None:
        if len(self._last) == POLICY_WINDOW:
            self._refusals -= self._last[0]
        self._last.append(refused)
        self._refusals += refused
        self._in_a_row = self._in_a_row + 1 if refused else 0


def latest_refused_us(session: Session, campaign: Campaign, count: int) -> list[bool]:
    """Whether each of a campaign's last answers was a server's refusal of us, the oldest first.

    :param count: so many at most; none from before somebody had the campaign go on after a pause.
    """
    latest = (
        select(Delivery.reason)
        .where(*answered(campaign.id))
        .order_by(Delivery.settled_at.desc(), Delivery.id)  # those settled together, in whatever order
        .limit(count)
    )
    if campaign.resumed_at is not None:
        latest = latest.where(Delivery.settled_at > campaign.resumed_at)
    return [reason == Reason.POLICY for reason in session.scalars(latest)][::-1]
