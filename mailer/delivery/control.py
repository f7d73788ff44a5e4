"""Control: what is done to a campaign as a whole, from its start to its end. Each move is one function here."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, LargeBinary, exists, literal, select, type_coerce, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from mailer.campaigns import editions, lifecycle, readiness, segments
from mailer.campaigns.editions import EditionRenderer
from mailer.campaigns.lifecycle import Move
from mailer.cases import history
from mailer.delivery import alarms, blame, composing, hold_mails, ledger, recipients, verdicts
from mailer.delivery.blame import Whom
from mailer.delivery.composing import CampaignComposer
from mailer.delivery.ledger import audience_of
from mailer.errors import MailerError
from mailer.kits import making
from mailer.mail.feedback import meanings
from mailer.mail.feedback.types import Effect
from mailer.mail.merge import CompiledEdition
from mailer.mail.sender import Sender
from mailer.mail.types import Rendering
from mailer.organisers import alone, approvals, content
from mailer.people import returned, subscribers, suppression
from mailer.people.organisers import Organisers
from mailer.store import audit, db
from mailer.store.crypto import keyring_of
from mailer.store.models import (
    WAITING,
    Account,
    Campaign,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    Purpose,
    Reason,
    Subscriber,
    Subscription,
    ended,
)

log = logging.getLogger(__name__)

_OPEN = (*WAITING, DeliveryState.SENDING)
_NOT_BEGUN = frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED})
_IDS_PER_STATEMENT = 5_000
#: for how long somebody can undo that they had a campaign sent
TO_UNDO = timedelta(seconds=60)
_AUDIENCE_MAY_DIFFER = 0.01  # of the number that somebody was told
_SEE_REPORT = "What was sent stays known. See what came of it with: mailer campaigns report {slug}"


class NobodyToSendTo(MailerError):
    """The audience of campaign "{slug}" is empty, so there is nobody to send it to. See who it selects with:
    mailer campaigns check {slug}"""


class AudienceChanged(MailerError):
    """Campaign "{slug}" reaches {people} people by now, and not {expected}. Look again, and send it then."""


class StaleForm(MailerError):
    """Sending campaign "{slug}" was undone after this page was made. Open the page again to send it."""


class NotDue(MailerError):
    """Campaign "{slug}" is not to start by itself now: somebody undid that, or chose another time."""


class PausedAnew(MailerError):
    """Campaign "{slug}" was paused anew after this page was made. See why, and resume it then."""


class WasStarted(MailerError):
    """Campaign "{slug}" cannot be deleted, because {was}. {advice}"""


class ChoosesAnother(MailerError):
    """Campaign "{slug}" cannot be deleted, because others name it in their audience: {others}. Take it out of
    `[audience]` there and load them again, or delete them first."""


class HasHistory(MailerError):
    """Campaign "{slug}" cannot be deleted, because its history says that it was stopped, closed or withdrawn, and that
    is kept. Nothing of it goes out: you can leave it as it is."""


class TestUnderWay(MailerError):
    """A test mail of campaign "{slug}" is on its way. Delete the campaign in a minute."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was rendered and compiled of a campaign before it starts."""

    rendered: Mapping[object, Rendering]
    compiled: Mapping[object, CompiledEdition]

    def give(self, session: Session) -> None:
        """Have nothing of it made again in a session, unless something that it depends on has changed."""
        editions.rendered(session).update(self.rendered)
        composing.compiled(session).update(self.compiled)


def look_ahead(
    session: Session,
    campaign: Campaign,
    sender: Sender,
    *,
    start: datetime | None = None,
    is_lone: bool = False,
    schedules: bool = False,
) -> Ahead:
    """Make what a campaign needs to start, and refuse it if it would be refused. Of one that has begun, nothing.

    To be called in a session that only reads, before the one in which the campaign is started: that holds the campaign,
    on SQLite the whole database, and to render a hundred editions meanwhile takes seconds. Nothing is taken for granted
    then: all is looked at again, but for the work that comes out the same.

    :param start: when it is to go out, as for `readiness.require`.
    :param is_lone: it is approved in the same step in which it starts.
    :param schedules: it only is scheduled then: whoever starts it makes its editions, and here one is enough to find
        out that its settings go into a message.
    :raises readiness.Refused: an error stands against it.
    :raises approvals.NotApproved: nobody has approved it as it is now.
    """
    if campaign.status in _NOT_BEGUN and campaign.started_at is None:
        readiness.require(session, campaign, start=start, is_held=False)
        if not is_lone:
            approvals.require(session, campaign, sender)
        renderer = EditionRenderer(session, campaign, sender)
        wanted = sorted(renderer.trial())[:1] if schedules else sorted(renderer.wanted(session))
        CampaignComposer(session, campaign, sender).compile(wanted)
    return Ahead(editions.rendered(session), composing.compiled(session))


def schedule(session: Session, campaign: Campaign, at: datetime, sender: Sender) -> None:
    """Let a campaign start by itself at a time.

    :raises lifecycle.WrongStatus: it has been started before.
    :raises readiness.Refused: an error stands against it.
    :raises approvals.NotApproved: nobody has approved it as it is now.
    """
    _require(session, campaign, Move.SCHEDULE)
    _schedule(session, campaign, at, sender)


def _schedule(session: Session, campaign: Campaign, at: datetime, sender: Sender) -> None:
    readiness.require(session, campaign, start=at)
    lifecycle.move(session, campaign, Move.SCHEDULE, scheduled_at=at)
    readiness.require_still(session, campaign, start=at)
    approvals.require(session, campaign, sender)


def send_soon(
    session: Session, campaign: Campaign, sender: Sender, *, at: datetime | None = None, expected: int, undone: int
) -> datetime:
    """Let a draft start by itself at a time, or as soon as the time to undo it is over. Whoever presses twice, goes
    back, or has an old form sent again does it once: a form is good for as often as its campaign was undone.

    :param at: by default at once; never before the time to undo it.
    :param expected: how many people somebody was told that it reaches.
    :param undone: `Campaign.undone` when they were told.
    :returns: when it starts.
    :raises lifecycle.WrongStatus: it is no draft any more.
    :raises StaleForm: it was undone since.
    :raises AudienceChanged: it reaches more or fewer people by now.
    :raises readiness.Refused: an error stands against it.
    :raises approvals.NotApproved: nobody has approved it as it is now.
    """
    _require(session, campaign, Move.SEND)
    if campaign.undone != undone:
        raise StaleForm(slug=campaign.slug)
    people = segments.count(session, campaign.list_id, segments.segment_of(campaign))
    if abs(people - expected) > expected * _AUDIENCE_MAY_DIFFER:
        raise AudienceChanged(slug=campaign.slug, people=f"{people:,}", expected=f"{expected:,}")
    earliest = db.now(session) + TO_UNDO
    starts = max(at, earliest) if at else earliest
    _schedule(session, campaign, starts, sender)
    return starts


def undo(session: Session, campaign: Campaign) -> None:
    """Make a scheduled campaign a draft again. Its approval stays, for as long as nothing changes.

    :raises lifecycle.WrongStatus: it is not scheduled; it may have begun a moment ago.
    """
    lifecycle.move(session, campaign, Move.UNDO, scheduled_at=None, undone=Campaign.undone + 1)


def start(session: Session, campaign: Campaign, sender: Sender) -> int:
    """Freeze a campaign's editions and audience and set it sending.

    :returns: the number of recipients.
    :raises lifecycle.WrongStatus: it has been started before.
    :raises readiness.Refused: an error stands against it.
    :raises approvals.NotApproved: nobody has approved it as it is now.
    :raises NobodyToSendTo: the last of its audience left at this moment.
    """
    _require(session, campaign, Move.START)
    return _start(session, campaign, sender)


def start_scheduled(session: Session, campaign: Campaign, sender: Sender) -> int:
    """Do so with a campaign whose time has come: what was made a draft again a moment ago stays one.

    :returns: and raises, as `start`.
    :raises NotDue: it is not scheduled any more, or for later.
    """
    require_due(session, campaign)
    return _start(session, campaign, sender)


def require_due(session: Session, campaign: Campaign) -> None:
    """Insist that a campaign is to start by itself now. Until the transaction ends nobody undoes that.

    :raises NotDue: it is not.
    """
    content.hold(session, campaign)
    at = campaign.scheduled_at
    if campaign.status is not CampaignStatus.SCHEDULED or at is None or at > db.now(session):
        raise NotDue(slug=campaign.slug)


def _start(session: Session, campaign: Campaign, sender: Sender) -> int:
    now = db.now(session)
    readiness.require(session, campaign, start=now)
    wanted = approvals.asked(session, campaign)
    lifecycle.move(session, campaign, Move.START, started_at=now, **lifecycle.NOT_HELD)
    recipients = _plan(session, campaign, sender)
    readiness.require_still(session, campaign)
    approvals.insist(session, campaign, sender, wanted)
    return recipients


def _require(session: Session, campaign: Campaign, move: Move) -> None:
    """Insist that a move is allowed. Until the transaction ends nobody makes another, or changes what it sends.

    :raises lifecycle.WrongStatus: it is not.
    """
    content.hold(session, campaign)
    lifecycle.require(session, campaign, move)


def _plan(session: Session, campaign: Campaign, sender: Sender) -> int:
    editions.freeze(session, campaign, sender)
    CampaignComposer(session, campaign, sender).compile_all()
    recipients = ledger.plan(session, campaign)
    if not recipients:
        raise NobodyToSendTo(slug=campaign.slug)
    if campaign.forwardable:
        making.plan(session, campaign)
    db.analyze(session, Subscriber, Subscription, Delivery)
    log.info("campaign started", extra={"campaign": campaign.id, "recipients": recipients})
    return recipients


def pause(
    session: Session, campaign: Campaign, *, reason: str, words: str | None = None, account_id: int | None = None
) -> None:
    """Hold a campaign until somebody resumes it; a worker begins no further message of it within two seconds.

    :param reason: that an organiser is shown; kept in clear.
    :param words: what whoever pauses it says of that.
    :param account_id: whose words these are.
    :raises lifecycle.WrongStatus: it is neither under way nor scheduled.
    """
    held = lifecycle.held(session, reason, words=words, account_id=account_id)
    lifecycle.move(session, campaign, Move.PAUSE, **held)


def object_to(session: Session, campaign: Campaign, by: Account, *, reason: str, at: datetime) -> bool:
    """Say no to what somebody else sends alone, or wants to: from now on it takes a second person. What is under way or
    scheduled is paused.

    :param reason: that an organiser is shown; kept in clear.
    :returns: whether there was anything to object to.
    """
    is_objection = alone.object_to(session, campaign, by, at=at)
    if is_objection and campaign.status in Move.PAUSE.value.allowed:
        pause(session, campaign, reason=reason, account_id=by.id)
    return is_objection


def pause_all(session: Session, *, reason: str) -> list[str]:
    """Pause everything that is under way or scheduled.

    :param reason: that an organiser is shown.
    :returns: the slugs of what was paused.
    """
    return lifecycle.move_all(session, Move.PAUSE, **lifecycle.held(session, reason))


def hold(session: Session, campaign: Campaign, *, reason: str, organisers: Organisers) -> None:
    """Pause a campaign that cannot go on by itself, and owe the organisers a mail that says so.

    :param reason: that an organiser is shown.
    :raises lifecycle.WrongStatus: it is neither under way nor scheduled.
    """
    pause(session, campaign, reason=reason)
    _tell_of_hold(session, campaign, organisers)


def hold_if_lapsed(session: Session, campaign: Campaign, sender: Sender, *, organisers: Organisers) -> None:
    """Hold a scheduled campaign that is not what was approved."""
    try:
        approvals.require(session, campaign, sender)
    except approvals.NotApproved as lapsed:
        hold(session, campaign, reason=str(lapsed), organisers=organisers)
        log.error("scheduled campaign held back: %s", lapsed, extra={"campaign": campaign.id})


def hold_all(session: Session, *, reason: str, organisers: Organisers) -> list[str]:
    """Do so with everything that is under way or scheduled.

    :param reason: that an organiser is shown.
    :returns: the slugs of what is held now.
    """
    held = pause_all(session, reason=reason)
    for slug in held:
        _tell_of_hold(session, lifecycle.get(session, slug), organisers)
    return held


def tell_of_alarm(session: Session, campaign_id: int, organisers: Organisers) -> None:
    """Owe organisers the mail that says why an alarm has paused a campaign, unless somebody has resumed it since."""
    campaign = session.get_one(Campaign, campaign_id, with_for_update=True, populate_existing=True)
    if alarms.have_told(session, campaign):
        hold_mails.owe(session, campaign, organisers)


def _tell_of_hold(session: Session, campaign: Campaign, organisers: Organisers) -> None:
    hold_mails.owe(session, campaign, organisers)
    audit.append(session, "campaigns.hold", audit.ITSELF, kind="campaign", subject=campaign.slug)


def which_pause(campaign: Campaign) -> str:
    """The pause that a campaign is in, for `resume`."""
    return campaign.held_at.isoformat() if campaign.held_at else ""


def resume(session: Session, campaign: Campaign, sender: Sender, *, seen: str | None = None) -> None:
    """Go on with a paused campaign; one that had not begun starts now, unless its time is still to come.

    A latest start does not stop it here: a person has decided.

    :param seen: `which_pause` it was in when they decided; by default whichever it is in.
    :raises lifecycle.WrongStatus: it is not paused.
    :raises PausedAnew: somebody has paused it since, perhaps for a reason that nobody has read.
    :raises readiness.Refused: an error stands against it.
    :raises approvals.NotApproved: it has not begun, or somebody objected to its being sent without a second person,
        and nobody has approved it as it is now.
    """
    _require(session, campaign, Move.RESUME)
    if seen is not None and seen != which_pause(campaign):
        raise PausedAnew(slug=campaign.slug)
    readiness.require(session, campaign)
    wanted = approvals.asked(session, campaign)
    take_back_refusals(session, campaign)  # also what a worker learned that could not do so any more
    alarms.begin_anew(session, campaign)
    if campaign.started_at is None and campaign.scheduled_at and campaign.scheduled_at > db.now(session):
        lifecycle.move(session, campaign, Move.RESCHEDULE, **lifecycle.NOT_HELD)
        readiness.require_still(session, campaign, start=campaign.scheduled_at)
        approvals.insist(session, campaign, sender, wanted)
        return
    lifecycle.move(session, campaign, Move.RESUME, resumed_at=db.now(session), **lifecycle.NOT_HELD)
    if campaign.started_at is None:
        campaign.started_at = db.now(session)
        _plan(session, campaign, sender)
    readiness.require_still(session, campaign)
    approvals.insist(session, campaign, sender, wanted)


def cancel(session: Session, campaign: Campaign) -> None:
    """Stop a campaign for good; what has not gone out is skipped. What a worker holds follows when it lets go.

    :raises lifecycle.WrongStatus: it has been sent already.
    """
    lifecycle.move(session, campaign, Move.CANCEL, finished_at=db.now(session), **lifecycle.NOT_HELD)
    ledger.skip_waiting(session, campaign.id)


def require_deletable(session: Session, campaign: Campaign) -> None:
    """Insist that a campaign can be deleted: nothing of it ever went to its audience.

    :raises WasStarted: it was started, or will start by itself.
    :raises ChoosesAnother: who got it, or acted on it, chooses the audience of another.
    :raises HasHistory: it was stopped, closed or withdrawn.
    :raises TestUnderWay: a worker holds a test mail of it.
    """
    is_over = campaign.status in (CampaignStatus.DRAFT, CampaignStatus.CANCELLED)
    if campaign.started_at is not None:
        raise WasStarted(slug=campaign.slug, was="it was started", advice=_SEE_REPORT.format(slug=campaign.slug))
    if not is_over:
        was, advice = f"it is {campaign.status}", f"Cancel it first: mailer campaigns cancel {campaign.slug}"
        raise WasStarted(slug=campaign.slug, was=was, advice=advice)
    if others := segments.chosen_by(session, campaign.slug):
        raise ChoosesAnother(slug=campaign.slug, others=", ".join(others))
    if history.of_campaign(session, campaign.id):
        raise HasHistory(slug=campaign.slug)
    if session.scalar(select(exists().where(Claim.campaign_id == campaign.id))):
        raise TestUnderWay(slug=campaign.slug)


def delete(session: Session, campaign: Campaign) -> None:
    """Delete a campaign that was never started, with its texts and test mails.

    :raises WasStarted: as `require_deletable`.
    :raises ChoosesAnother: likewise.
    :raises HasHistory: likewise.
    :raises TestUnderWay: likewise.
    """
    session.refresh(campaign, with_for_update=True)  # nobody starts it now
    require_deletable(session, campaign)
    session.execute(sql_delete(Delivery).where(Delivery.campaign_id == campaign.id))
    session.delete(campaign)
    session.flush()


def resend(session: Session, campaign: Campaign, state: DeliveryState) -> int:
    """Owe again, because a person asked for it, what is unknown or failed; each keeps its Message-ID.

    :returns: how many will be sent again. Erased people are not among them.
    :raises lifecycle.WrongStatus: the campaign is not under way and not sent.
    :raises readiness.Refused: an error stands against it.
    """
    _require(session, campaign, Move.RESEND)
    readiness.require(session, campaign)
    lifecycle.move(session, campaign, Move.RESEND, finished_at=None, resumed_at=db.now(session))
    alarms.begin_anew(session, campaign)
    count = _owe_again(session, *_to_resend(campaign, state), put_back=literal(0))
    finish(session, campaign.id)
    readiness.require_still(session, campaign)
    return count


def has_to_resend(session: Session, campaign: Campaign, state: DeliveryState) -> bool:
    """Whether `resend` would owe anything again."""
    return session.scalar(select(Delivery.id).where(*_to_resend(campaign, state)).limit(1)) is not None


def _to_resend(campaign: Campaign, state: DeliveryState) -> tuple[ColumnElement[bool], ...]:
    return (*audience_of(campaign.id), Delivery.state == state, Delivery.subscriber_id.is_not(None))


def hold_refused(session: Session, campaign: Campaign, *, reason: str, organisers: Organisers) -> None:
    """Hold a campaign because a mail server refuses us, and owe again what it refused in these words.

    :param reason: of `blame.reason_to_pause`.
    """
    session.refresh(campaign, with_for_update=True)
    if campaign.status is CampaignStatus.SENT:  # another worker saw a moment ago that nothing was left
        lifecycle.move(session, campaign, Move.RESEND, finished_at=None)
    if campaign.status is CampaignStatus.SENDING:
        hold(session, campaign, reason=reason, organisers=organisers)
    for words in (None, reason):  # another worker may have paused it for others
        take_back_refusals(session, campaign, words)


def take_back_refusals(session: Session, campaign: Campaign, reason: str | None = None) -> None:
    """Owe again what a mail server refused in the words for which a campaign is paused: they are about us, not about
    those people. Suppressions that they caused are lifted.

    :param reason: for which a worker would have paused it; by default why it is. Nothing is done where that is no
        refusal, or the campaign is not paused.
    """
    # Locked, so that two workers do it one after the other.
    campaign = session.get_one(Campaign, campaign.id, with_for_update=True, populate_existing=True)
    refused = blame.refused_with(reason or campaign.hold_reason)
    if refused is None or campaign.status is not CampaignStatus.PAUSED:
        return
    which = (
        select(
            Delivery.id,
            Delivery.smtp_code,
            Delivery.smtp_text,
            Delivery.reason,
            Subscriber.id,
            Subscriber.email_index,
            type_coerce(Subscriber.email, LargeBinary),
            type_coerce(Subscriber.name, LargeBinary),
        )
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*audience_of(campaign.id), Delivery.state == DeliveryState.FAILED)
        .order_by(Delivery.id)
    )
    if verdicts.has_accepted(session, campaign):
        which = which.where(Delivery.put_back < verdicts.PUT_BACK_AT_MOST)
    failed = session.execute(which.execution_options(yield_per=500))
    is_policy = blame.whom(*refused) is Whom.POLICY
    again: list[int] = []
    may_be_suppressed: dict[bytes, int] = {}
    keyring = keyring_of(session)
    for delivery_id, code, text, failed_for, subscriber_id, email_index, email, name in failed:
        code, text = code or 0, text or ""
        is_alike = (is_policy and failed_for == Reason.POLICY) or (
            (code or text)
            and code == refused[0]  # before anything is decrypted
            # As they are, too: somebody may be called what is a word of all of them.
            and (
                blame.is_alike(*refused, code, text)
                or blame.is_alike(*refused, code, blame.without_whom(text, recipients.readable(keyring, email, name)))
            )
        )
        if is_alike:
            again.append(delivery_id)
            if meanings.of_reply(code, text).category.effect is not Effect.NONE:
                may_be_suppressed[bytes(email_index)] = subscriber_id
    for start in range(0, len(again), _IDS_PER_STATEMENT):
        some = Delivery.id.in_(again[start : start + _IDS_PER_STATEMENT])
        _owe_again(session, some, put_back=Delivery.put_back + 1)
    indexes = list(may_be_suppressed)
    for start in range(0, len(indexes), _IDS_PER_STATEMENT):
        some_indexes = suppression.suppressed(session, indexes[start : start + _IDS_PER_STATEMENT])
        for email_index in sorted(some_indexes):
            suppression.lift_bounced(session, email_index)
        if some_indexes:
            subscribers.refresh(session, [may_be_suppressed[bytes(each)] for each in some_indexes])
    if again:
        log.info("refusals of us taken back", extra={"campaign": campaign.id, "recipients": len(again)})


def _owe_again(session: Session, *which: ColumnElement[bool], put_back: ColumnElement[int]) -> int:
    """Have deliveries wait that had ended; each keeps its Message-ID. Returns how many."""
    again = session.scalars(
        update(Delivery)
        .where(*which)
        .values(
            state=DeliveryState.PENDING,
            draw=db.random_number(),
            put_back=put_back,
            reason=None,
            smtp_code=None,
            smtp_text=None,
            settled_at=None,
        )
        .returning(Delivery.id)
    ).all()
    for start in range(0, len(again), _IDS_PER_STATEMENT):
        returned.take_back(session, again[start : start + _IDS_PER_STATEMENT])
    return len(again)


def finish(session: Session, campaign_id: int) -> bool:
    """Call a campaign sent if nothing of it is pending, sending or deferred.

    :returns: whether this call did so.
    """
    # The row is locked before the ledger is looked at: one statement would see the ledger as it was before it waited
    # for a `resend` to commit.
    campaign = session.get_one(Campaign, campaign_id, with_for_update=True, populate_existing=True)
    owed = exists().where(*audience_of(campaign_id), Delivery.state.in_(_OPEN))
    if campaign.status is not CampaignStatus.SENDING or session.scalar(select(owed)):
        return False
    lifecycle.move(session, campaign, Move.FINISH, finished_at=db.now(session))
    return True


def fail_tests(session: Session, campaign_id: int, problem: str) -> None:
    """Give up the test mails that a campaign owes: an organiser waits for them, and should hear of the problem."""
    session.execute(
        update(Delivery)
        .where(Delivery.campaign_id == campaign_id, Delivery.purpose == Purpose.TEST, Delivery.state.in_(WAITING))
        .values(ended(DeliveryState.FAILED, db.now(session), keeps_hour=True))
        .values(smtp_text=problem)
    )
