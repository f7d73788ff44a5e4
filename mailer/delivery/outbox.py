"""The outbox of one campaign: what the wire pulls messages from and reports their fate to.

It overlaps the ledger with the wire: while messages of one claim go out, the next is claimed and looked up, and the
one before is settled, in a thread of its own. Another renews the leases, also while everyone waits for a slow server.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum, auto
from functools import partial
from types import TracebackType

from sqlalchemy import Engine

from mailer.delivery import failures, ledger, recipients, recovery, verdicts
from mailer.delivery.composing import Composer
from mailer.delivery.journal import Journal, JournalUnwritable, mark_claim
from mailer.delivery.ledger import Batch, Claimed, Settlement
from mailer.delivery.recipients import NothingToSend, Recipient
from mailer.delivery.verdicts import RefusalWatch, RefusedForNow, give_up_at
from mailer.delivery.worker import Worker
from mailer.errors import MailerError, ServiceUnavailable
from mailer.mail.headers import UnusableAddress
from mailer.mail.types import Outcome, Outgoing
from mailer.store.db import has_one_writer, session_scope, utcnow
from mailer.store.models import WAITING, Campaign, DeliveryState, Purpose, Reason

log = logging.getLogger(__name__)

#: Threads that compose where each message is signed. With two cores, three make 2,960 a second, two 2,830, one 2,130.
_DRAFTERS = 3
#: Messages that a thread is given at once: one by one, the handing over took a tenth of the time.
_DRAFTED_TOGETHER = 24
#: seconds that `take` may wait for the ledger
_WAIT_SECONDS = 0.1


#: messages by delivery id, or why one cannot be made
_Drafts = dict[int, Outgoing | MailerError]


#: of a pause, or of what is raised at the end
_Cause = str | ServiceUnavailable


class _Course(IntEnum):
    """What may still go out, and how it ends."""

    OPEN = auto()  # more is claimed, and what was claimed goes out
    TURN_OVER = auto()  # no more is claimed, because others have their turn; what was claimed goes out
    DRAINED = auto()  # no more is claimed, because no more is due; what was claimed goes out
    HALTED = auto()  # nothing more is begun: the campaign is under way no longer, a lease ran out, or we are to stop
    TO_PAUSE = auto()  # nothing more is begun, and the campaign must be paused; the cause says why
    BROKEN = auto()  # nothing more is begun; the cause is raised once everything that was begun has been answered


class _InLedger(IntEnum):
    """How much of what the journal knows stands in the ledger, or is on its way there."""

    ALL = auto()  # at the end the claims are closed and the journal is discarded
    BUT_LOST_CLAIMS = auto()  # others gave up a claim: those left are closed, the journal stays
    IN_DOUBT = auto()  # a write or a claim failed: no claim is closed, the journal stays


@dataclass(frozen=True, slots=True)
class _State:
    """The one state of an outbox. Only the wire's thread changes it; the others tell that thread by their futures."""

    course: _Course = _Course.OPEN
    in_ledger: _InLedger = _InLedger.ALL
    cause: _Cause | None = None  # a str with TO_PAUSE, a missing service with BROKEN

    def after(self, course: _Course, cause: _Cause | None = None) -> "_State":
        """The state after something happened. Either part may go on to any later value of its list, and never back.
        Of several reasons to pause the last counts, of several missing services the first.
        """
        if course < self.course or self.course is _Course.BROKEN:
            return self
        return _State(course, self.in_ledger, cause)

    def lacking(self, in_ledger: _InLedger) -> "_State":
        """The state after something did not get into the ledger."""
        return _State(self.course, max(self.in_ledger, in_ledger), self.cause)


@dataclass
class _ClaimAtWork:
    """A claim of which something may still go out, or be settled."""

    batch: Batch
    lease_ends: float  # monotonic seconds, by this process's clock: never later than the ledger says
    looked: float
    recipients: dict[int, Recipient | Reason]
    waiting: deque[Claimed]
    out: dict[int, Claimed] = field(default_factory=dict)  # taken, no outcome yet
    # Whom the answers will be about, as it was known when they were taken: they may leave or be erased meanwhile.
    named: dict[int, Recipient | Reason] = field(default_factory=dict)
    drafts: dict[int, Future[_Drafts]] = field(default_factory=dict)  # by delivery id; what is composed ahead
    settled: float = field(default_factory=time.monotonic)
    settlements: list[Settlement] = field(default_factory=list)

    fates: int = 0  # deliveries that have one
    final: bool = True  # whether each of those is for good

    @property
    def is_complete(self) -> bool:
        """Whether all that the claim holds has its fate for good."""
        return self.final and self.fates == len(self.batch.deliveries)

    @property
    def has_campaign_mail(self) -> bool:
        """Whether something of it may still go out that a pause holds back."""
        return any(claimed.purpose is Purpose.CAMPAIGN for claimed in (*self.waiting, *self.out.values()))

    @property
    def is_done(self) -> bool:
        """Whether nothing of it will go out any more."""
        return not self.waiting and not self.out


class Outbox:
    """A `mail.pipeline.Supply` over the ledger. Use it as a context manager: leaving it settles and lets go."""

    def __init__(
        self,
        engine: Engine,
        campaign: Campaign,
        composer: Composer,
        worker: Worker,
        *,
        turn: Callable[[], bool],
        look_seconds: float = 1.0,
        settle_seconds: float = 1.0,
    ) -> None:
        """:param turn: whether this campaign may go on claiming; asked before each claim, in another thread.
        :param look_seconds: that one look at who has left is good for; promise 5 allows 2.
        :param settle_seconds: that an answer may wait to be settled with others.
        """
        self._engine = engine
        self._campaign = campaign
        self._give_up_at = give_up_at(campaign)
        self._composer = composer
        self._worker = worker
        self._turn = turn
        self._look_seconds = look_seconds
        self._settle_seconds = settle_seconds
        self._journal: Journal  # from __enter__ on
        self._watch: RefusalWatch  # from __enter__ on
        self._refused_because: str | None = None  # as the mail server has it, whatever goes wrong besides
        self._current: _ClaimAtWork | None = None
        self._at_work: dict[int, _ClaimAtWork] = {}  # by fencing number; all that are not closed
        self._claim_of: dict[int, _ClaimAtWork] = {}  # by delivery id; those that are out
        # One thread claims and one settles; what is settled of a claim is settled in its order. A database with one
        # writer at a time has one thread for both, because two would only wait for each other.
        self._claims = ThreadPoolExecutor(max_workers=1, thread_name_prefix="claims")
        one_writer = has_one_writer(engine)
        self._ledger = self._claims if one_writer else ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        # A signature takes twice the time of all the rest, and lets other threads run meanwhile. Composing alone does
        # not: in a thread it would only keep the wire waiting for its turn.
        signs = worker.sender.signer is not None
        self._drafting = ThreadPoolExecutor(_DRAFTERS, thread_name_prefix="drafts") if signs else None
        self._next: Future[_ClaimAtWork | _Course] | None = None  # the next claim, or why there is none
        self._writes: deque[Future[bool]] = deque()  # whether the claim still stood
        self._has_failed = False  # a write to the ledger; of its thread
        self._begun: set[int] = set()  # delivery ids; no outcome yet
        self._state = _State()
        self._closing = threading.Event()
        self._renewer = threading.Thread(target=self._renew_forever, name="renewer")

    def __enter__(self) -> "Outbox":
        # What this host left is cleared up before anything is claimed, and from a restored backup nothing is.
        recovery.hold_if_restored(self._engine, self._worker.journals, self._worker.organisers)
        recovery.replay(self._engine, self._worker.journals)
        with session_scope(self._engine, read_only=True) as session:
            self._watch = verdicts.watch_of(session, self._campaign)
        self._journal = Journal(self._worker.journals)
        self._next = self._claims.submit(self._claim)
        self._renewer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Settle what is known and let go of the rest; where that fails, the journal stays and speaks for us.

        :raises ServiceUnavailable: what kept it from going on.
        """
        self._closing.set()
        self._renewer.join()
        in_ledger = False
        try:
            in_ledger = self._let_go()
        finally:
            (self._journal.discard if in_ledger else self._journal.close)()
            self._claims.shutdown()
            self._ledger.shutdown()
            if self._drafting is not None:
                self._drafting.shutdown(cancel_futures=True)
        if error is None and isinstance(self._state.cause, ServiceUnavailable):
            raise self._state.cause

    def _let_go(self) -> bool:
        """Close every claim.

        :returns: whether everything that the journal knows stands in the ledger.
        """
        if self._next is not None and isinstance(found := self._next.result(), _Course):
            self._state = self._state.after(found)
        while self._writes:
            self._check(self._writes.popleft())
        if self._state.in_ledger is _InLedger.IN_DOUBT or self._begun:
            return False  # closing would put back what was begun: whoever replays the journal knows better
        for claim in self._at_work.values():
            if not ledger.close(self._engine, claim.batch, claim.settlements):
                self._state = self._state.lacking(_InLedger.BUT_LOST_CLAIMS)
        return self._state.in_ledger is _InLedger.ALL

    @property
    def is_drained(self) -> bool:
        """Whether everything that was due has been sent."""
        return self._state.course is _Course.DRAINED

    @property
    def paused_because(self) -> str | None:
        """Why the campaign must be paused; None if it need not be."""
        return self._state.cause if isinstance(self._state.cause, str) else self._refused_because

    @property
    def has_refusals(self) -> bool:
        """Whether a mail was refused that may have been so for the words that others are about to pause for."""
        return self._watch.has_refusals

    # --- what the wire calls ----------------------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether nothing more will come."""
        if self.halted:
            return True
        return self._next is None and not (self._current and self._current.waiting)

    @property
    def halted(self) -> bool:
        """Whether nothing more may be begun."""
        if self._worker.stopping():
            self._state = self._state.after(_Course.HALTED)
        return self._state.course >= _Course.HALTED

    def take(self, *, wait: bool) -> Outgoing | None:
        """The next message, or None when there is none right now."""
        while not self.exhausted:
            if self._current is None or not self._current.waiting:
                if not self._advance(wait=wait):
                    self._flush()
                    return None
                continue
            if (delay := self._worker.pace()) > 0:
                if wait:
                    time.sleep(min(delay, _WAIT_SECONDS))
                return None
            message = self._compose(self._current, self._current.waiting.popleft())
            if message is not None:
                return message
        return None

    def pulse(self) -> None:
        """Notice a pause, settle what is known, and let go of what must not be begun, while the server is silent."""
        try:
            self._look_at_the_campaign()
        except ServiceUnavailable as problem:
            self._state = self._state.after(_Course.BROKEN, problem)
        self._flush()
        is_halted = self.halted
        for claim in list(self._at_work.values()):
            if is_halted:
                self._drop_unbegun(claim)
            if claim.settlements and time.monotonic() - claim.settled > self._settle_seconds:
                self._write_later(claim, closing=False)

    def begin(self, message: Outgoing) -> bool:
        """Whether a message may be sent after all; if so, the journal knows from now on that it was begun."""
        claim = self._claim_of.get(message.id)
        if claim is None:
            return False  # it was let go of
        try:
            return self._begin(claim, message)
        except ServiceUnavailable as problem:
            # Raised later: answers to others are still to come.
            self._state = self._state.after(_Course.BROKEN, problem)
            return False

    def _begin(self, claim: _ClaimAtWork, message: Outgoing) -> bool:
        now = time.monotonic()
        if now - claim.looked > self._look_seconds:
            self._look_again(claim)
        if self.halted:
            return False
        if now >= claim.lease_ends:
            log.warning(
                "lease lost, sending stopped: what was claimed will be cleared up", extra={"claim": claim.batch.fence}
            )
            self._state = self._state.after(_Course.HALTED)
            return False
        recipient = claim.recipients[message.id]
        if isinstance(recipient, Reason):
            self._end(claim, _not_sent(message.id, recipient))
            return False
        self._journal.begin(claim.batch.fence, message.id)
        self._begun.add(message.id)
        return True

    def _flush(self) -> None:
        try:
            self._journal.flush()
        except JournalUnwritable as problem:
            self._state = self._state.after(_Course.BROKEN, problem)  # what is known goes into the ledger all the same

    def note(self, outcome: Outcome) -> None:
        """Keep a message's fate: in the journal before its connection begins another, in the ledger before long."""
        claim = self._claim_of[outcome.id]
        ruling = self._watch.judge(
            outcome, claim.out[outcome.id], claim.named[outcome.id], now=utcnow(), give_up_at=self._give_up_at
        )
        self._journal.answer(claim.batch.fence, outcome, refused=ruling.fate.refused)
        self._end(claim, ruling.fate)
        if ruling.pause_because is not None:
            self._refused_because = ruling.pause_because
            self._state = self._state.after(_Course.TO_PAUSE, ruling.pause_because)
        elif ruling.wait_because is not None:
            self._state = self._state.after(_Course.BROKEN, RefusedForNow(problem=ruling.wait_because))

    # --- the ledger's side ------------------------------------------------------------------------------------------

    def _advance(self, *, wait: bool) -> bool:
        """Go on with the next claim if it is there, and have the one after it claimed."""
        if self._next is None:
            return False
        try:
            found = self._next.result(_WAIT_SECONDS if wait else 0)
        except TimeoutError:
            return False
        except ServiceUnavailable as problem:
            # There may be a claim that we know nothing of.
            self._state = self._state.lacking(_InLedger.IN_DOUBT).after(_Course.BROKEN, problem)
            self._next = None
            return False
        self._next = None
        if isinstance(found, _Course):
            self._state = self._state.after(found)
            return False
        self._current = found
        self._next = self._claims.submit(self._claim)
        return True

    def _claim(self) -> _ClaimAtWork | _Course:
        """Claim and look up, in a thread of its own: the claim, or what becomes of the outbox without one."""
        if not self._turn():
            return _Course.TURN_OVER
        asked = time.monotonic()
        batch = ledger.claim(
            self._engine,
            self._campaign.id,
            worker=self._worker.name,
            journal=self._journal.name,
            lease=self._worker.lease,
        )
        if batch is None:
            return _Course.DRAINED
        mark_claim(self._worker.journals, batch.fence)
        looked = time.monotonic()
        clearance = recipients.look_up(self._engine, batch, batch.deliveries)
        claim = _ClaimAtWork(
            batch=batch,
            lease_ends=asked + self._worker.lease.total_seconds(),
            looked=looked,
            recipients=dict(clearance.recipients),
            waiting=deque(batch.deliveries),
        )
        if not clearance.may_send_campaign:
            claim.waiting = deque(claimed for claimed in claim.waiting if claimed.purpose is not Purpose.CAMPAIGN)
        if self._drafting is not None:
            self._compose_ahead(claim, self._drafting)
        self._at_work[batch.fence] = claim  # from here on it is renewed
        return claim

    def _compose_ahead(self, claim: _ClaimAtWork, drafting: ThreadPoolExecutor) -> None:
        """What a draft says of its recipient is as old as the claim; whether it may leave is asked when it is begun."""
        waiting = list(claim.waiting)
        for start in range(0, len(waiting), _DRAFTED_TOGETHER):
            some = waiting[start : start + _DRAFTED_TOGETHER]
            claim.drafts |= dict.fromkeys((claimed.id for claimed in some), drafting.submit(self._draft, claim, some))

    def _draft(self, claim: _ClaimAtWork, deliveries: Sequence[Claimed]) -> _Drafts:
        drafts: _Drafts = {}
        for claimed in deliveries:
            if claimed.purpose is Purpose.REPLY:
                continue  # each may be large: one at a time
            if isinstance(recipient := claim.recipients[claimed.id], Recipient):
                try:
                    drafts[claimed.id] = self._composer.compose(claimed, recipient)
                except MailerError as problem:
                    drafts[claimed.id] = problem
        return drafts

    def _look_again(self, claim: _ClaimAtWork) -> None:
        looked = time.monotonic()
        under_way = [*claim.out.values(), *claim.waiting]
        clearance = recipients.look_up(self._engine, claim.batch, under_way)
        claim.recipients.update(clearance.recipients)
        claim.looked = looked
        if not clearance.may_send_campaign and any(claimed.purpose is Purpose.CAMPAIGN for claimed in under_way):
            self._state = self._state.after(_Course.HALTED)

    def _look_at_the_campaign(self) -> None:
        """See whether it is still under way, where nothing has been begun for a while, which would show it."""
        claims = [claim for claim in list(self._at_work.values()) if claim.has_campaign_mail]
        if claims and time.monotonic() - max(claim.looked for claim in claims) > self._look_seconds:
            self._look_again(claims[0])

    def _drop_unbegun(self, claim: _ClaimAtWork) -> None:
        """Let go of what a claim holds, but for what is on the wire."""
        unbegun = [claimed.id for claimed in claim.waiting]
        unbegun += [delivery_id for delivery_id in claim.out if delivery_id not in self._begun]
        if not unbegun and not claim.is_done:  # if it is, it was claimed when nothing more was to go out
            return
        claim.waiting.clear()
        for delivery_id in claim.out.keys() & set(unbegun):
            del claim.out[delivery_id], claim.named[delivery_id], self._claim_of[delivery_id]
        claim.final = False  # so that closing it lets go of these
        if claim.is_done:
            self._write_later(claim, closing=True)
        else:
            self._submit(partial(ledger.put_back, self._engine, claim.batch, unbegun), instead=lambda: True)

    def _compose(self, claim: _ClaimAtWork, claimed: Claimed) -> Outgoing | None:
        recipient = claim.recipients[claimed.id]
        claim.out[claimed.id], claim.named[claimed.id] = claimed, recipient
        self._claim_of[claimed.id] = claim
        if isinstance(recipient, Reason):
            self._end(claim, _not_sent(claimed.id, recipient))
            return None
        try:
            drafts = claim.drafts.pop(claimed.id, None)
            draft = drafts.result().get(claimed.id) if drafts else None
            if isinstance(draft, MailerError):
                raise draft
            return draft or self._composer.compose(claimed, recipient)
        except UnusableAddress:
            # One address that no header can hold must not stop the campaign for everyone behind it.
            self._end(claim, _not_sent(claimed.id, Reason.UNUSABLE))
        except NothingToSend as problem:
            self._end(claim, _not_sent(claimed.id, problem.reason))
        except MailerError as problem:
            # Anything else is wrong for all of them.
            self._state = self._state.after(_Course.TO_PAUSE, str(problem))
        return None

    def _end(self, claim: _ClaimAtWork, fate: Settlement) -> None:
        claim.settlements.append(fate)
        self._begun.discard(fate.delivery_id)
        claim.fates += 1
        # What was refused for now must be let go of where the campaign was cancelled meanwhile.
        claim.final &= fate.state not in WAITING
        claimed, recipient = claim.out.pop(fate.delivery_id), claim.named.pop(fate.delivery_id)
        if claimed.purpose is not Purpose.CAMPAIGN:
            failures.tell(self._campaign.id, claimed, fate, recipient)
        del self._claim_of[fate.delivery_id]
        if claim.is_done:
            self._write_later(claim, closing=True)
        elif time.monotonic() - claim.settled > self._settle_seconds:
            self._write_later(claim, closing=False)

    def _write_later(self, claim: _ClaimAtWork, *, closing: bool) -> None:
        settlements, claim.settlements = claim.settlements, []
        claim.settled = time.monotonic()
        settle = partial(ledger.settle, self._engine, claim.batch, settlements)
        if not closing:
            self._submit(settle)
            return
        del self._at_work[claim.batch.fence]
        complete = claim.is_complete
        close = partial(ledger.close, self._engine, claim.batch, settlements, complete=complete)
        self._submit(close, instead=None if complete else settle)

    def _submit(self, write: Callable[[], bool], *, instead: Callable[[], bool] | None = None) -> None:
        """Have something written in the ledger's thread.

        :param instead: what to do if a write before failed. Letting go of a claim puts back what it still holds, and
            that may be what the other should have settled: the journal knows.
        """
        self._writes.append(self._ledger.submit(self._write, write, instead))
        while self._writes and self._writes[0].done():
            self._check(self._writes.popleft())

    def _write(self, write: Callable[[], bool], instead: Callable[[], bool] | None) -> bool:
        try:
            return (instead if self._has_failed and instead is not None else write)()
        except BaseException:
            self._has_failed = True
            raise

    def _check(self, write: Future[bool]) -> None:
        """Take notice of how a write to the ledger went."""
        # In doubt until its answer is here, and whatever else comes instead.
        before, self._state = self._state, self._state.lacking(_InLedger.IN_DOUBT)
        try:
            stood = write.result()
            self._state = before if stood else before.lacking(_InLedger.BUT_LOST_CLAIMS)
        except ServiceUnavailable as problem:
            self._state = self._state.after(_Course.BROKEN, problem)

    def _renew_forever(self) -> None:
        lease = self._worker.lease
        while not self._closing.wait(lease.total_seconds() / 3):
            for claim in list(self._at_work.values()):
                asked = time.monotonic()
                try:
                    if ledger.renew(self._engine, claim.batch, lease=lease):
                        claim.lease_ends = asked + lease.total_seconds()
                except ServiceUnavailable as problem:
                    # Nothing is begun once the lease has run out; until then there may be another chance.
                    log.warning("lease not renewed: %s", problem, extra={"claim": claim.batch.fence})


def _not_sent(delivery_id: int, reason: Reason) -> Settlement:
    """The fate of a delivery that ends without a transmission."""
    failed = reason in (Reason.UNUSABLE, Reason.UNREADABLE)
    state = DeliveryState.FAILED if failed else DeliveryState.SKIPPED
    return Settlement(delivery_id, state, reason=reason, transmitted=False)
