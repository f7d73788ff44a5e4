"""Too much of what a campaign sent comes back: it is paused, until a person has it go on."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import kinds
from mailer.delivery import alarms, control, forgetting, sending, sweeping, thresholds
from mailer.delivery.alarms import Alarm, CameBack
from mailer.delivery.thresholds import Reported
from mailer.delivery.worker import Worker
from mailer.mail.feedback.types import Category, Effect, Identified, Kind
from mailer.mail.pipeline import Pipeline
from mailer.people import returned
from mailer.people.organisers import Organisers
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    AuditActor,
    AuditEntry,
    Campaign,
    CampaignAlarm,
    CampaignStatus,
    Delivery,
    DeliveryState,
    Reason,
)
from tests.support.concurrency import Beside
from tests.support.factories import (
    SENDER,
    deliver,
    make_bounce,
    make_campaign,
    make_list,
    make_subscriber,
    notices_owed,
    said,
)
from tests.support.mail_server import MailServer
from tests.support.waiting import wait_until

S = DeliveryState
START = utcnow() - timedelta(hours=2)


# --- how much is too much -------------------------------------------------------------------------------------------


@given(complaints=st.integers(0, 10_000), sent=st.integers(0, 2_000_000))
@example(complaints=1, sent=10)
@example(complaints=4, sent=4)
@example(complaints=5, sent=1_666)
@example(complaints=5, sent=1_667)
@example(complaints=3_000, sent=1_000_000)
@example(complaints=2_999, sent=1_000_000)
def test_complaints_pause_from_three_in_a_thousand_on_never_below_and_never_so_few(complaints: int, sent: int) -> None:
    several = [(Reported(complaints, complaints), 5), (Reported(complaints, 0), 20)]
    for reported, least in several:
        assert thresholds.is_to_pause(reported, sent) == (complaints >= least and 1000 * complaints >= 3 * sent)


@given(complaints=st.integers(0, 10_000), sent=st.integers(0, 2_000_000))
@example(complaints=2, sent=10)
@example(complaints=3, sent=3_000)
@example(complaints=3, sent=2_999)
def test_complaints_warn_above_one_in_a_thousand_and_before_they_pause(complaints: int, sent: int) -> None:
    level = thresholds.level(complaints, sent)
    assert (level >= 1) == (complaints >= 3 and 1000 * complaints > sent) or not sent
    assert (level == 3) == thresholds.is_to_pause(Reported(complaints, complaints), sent)


@given(gone=st.integers(0, 1_000), people=st.integers(1, 2_000_000))
@example(gone=50, people=1_000)
@example(gone=51, people=1_000)
@example(gone=9, people=9)
@example(gone=51, people=900_000)
def test_a_bad_import_is_more_than_a_twentieth_of_the_first_thousand(gone: int, people: int) -> None:
    for reported, least in [(Reported(gone, gone), 10), (Reported(gone, 0), 20)]:
        assert thresholds.is_bad_import(reported, people) == (gone >= least and 20 * gone > min(people, 1_000))


@given(st.lists(st.booleans(), max_size=1_100))
@example([True] * 19)
@example([True] * 20)
@example(([True] * 19 + [False]) * 2)
@example(([False] * 19 + [True]) * 25)
@example(([False] * 18 + [True]) * 27)
@example([False] * 499 + ([False] * 18 + [True]) * 27 + [False] * 499)
def test_servers_are_against_us_by_the_rule_of_send_time(answers: Sequence[bool]) -> None:
    in_a_row = any(all(answers[at : at + 20]) for at in range(len(answers) - 19))
    of_last = any(sum(answers[at : at + 500]) > 25 for at in range(len(answers) - 499))
    assert thresholds.is_against_us(answers) == (in_a_row or of_last)


def test_each_reason_fits_its_column_and_is_known_again() -> None:
    assert all(len(words) <= 300 for words in alarms.REASONS.values())
    assert [alarms.of_reason(words) for words in alarms.REASONS.values()] == list(Alarm)
    assert alarms.of_reason("paused by hand") is alarms.of_reason(None) is None


# --- a campaign -----------------------------------------------------------------------------------------------------


class Mailed:
    """A campaign under way, and what comes back of it."""

    def __init__(self, engine: Engine, sent: int, *, refused: int = 0) -> None:
        """:param refused: of further mails, that addresses do not exist, when they were sent."""
        self.engine = engine
        with session_scope(engine) as session:
            mailing_list = make_list(session)
            make_subscriber(session, mailing_list)
            campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
            campaign.started_at = START
            self.id = campaign.id
        self.mail(sent)
        self.mail(refused, state=S.FAILED, smtp_code=550, smtp_text="550 5.1.1 no such user")

    def mail(self, number: int, **columns: object) -> None:
        """So many went out, one a second."""
        rows = [
            {"campaign_id": self.id, "purpose": "campaign", "state": S.SENT, "fence": 1, "attempts": 1}
            | {"settled_at": START + timedelta(seconds=second)}
            | columns
            for second in range(number)
        ]
        with session_scope(self.engine) as session:
            session.add_all([Delivery(**row) for row in rows])

    def sent(self) -> Iterator[Delivery]:
        with session_scope(self.engine, read_only=True) as session:
            yield from session.scalars(select(Delivery).filter_by(campaign_id=self.id, state=S.SENT).order_by("id"))

    def come_back(
        self, number: int, kind: Kind, category: Category | None = None, *, first: int = 0, source: str = "ses"
    ) -> None:
        """So many come back, each in a transaction of its own."""
        for delivery in list(self.sent())[first : first + number]:
            with session_scope(self.engine) as session:
                self.keep(session, delivery, kind, category, source=source)
                alarms.heed(session, [CameBack(self.id, kind, category, delivery.settled_at)])

    def keep(
        self,
        session: Session,
        delivery: Delivery,
        kind: Kind,
        category: Category | None = None,
        *,
        source: str = "ses",
        identified_by: Identified = Identified.RETURNED,
    ) -> None:
        effect = Effect.SUPPRESS if kind is Kind.COMPLAINT else Effect.NONE
        told = {"source": source, "identified_by": identified_by}
        make_bounce(session, delivery, kind=kind, category=category, effect=effect, **told)

    def complain(self, number: int, *, first: int = 0, source: str = "ses") -> None:
        self.come_back(number, Kind.COMPLAINT, first=first, source=source)

    def bounce(self, number: int, category: Category, *, first: int = 0, source: str = "ses") -> None:
        self.come_back(number, Kind.BOUNCE, category, first=first, source=source)

    def resume(self) -> None:
        with session_scope(self.engine) as session:
            control.resume(session, session.get_one(Campaign, self.id), SENDER)
            assert session.get_one(Campaign, self.id).status is CampaignStatus.SENDING

    def alarm(self) -> Alarm | None:
        """Why it is paused."""
        with session_scope(self.engine, read_only=True) as session:
            campaign = session.get_one(Campaign, self.id)
            assert (campaign.status is CampaignStatus.PAUSED) == (campaign.hold_reason is not None)
            return alarms.of_reason(campaign.hold_reason)

    def level(self) -> int:
        with session_scope(self.engine, read_only=True) as session:
            noticed = session.get(CampaignAlarm, self.id)
            return noticed.complaints_in_1000 if noticed else 0


def test_complaints_warn_and_then_pause(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    mailed = Mailed(engine, 2_000)
    mailed.complain(2)
    assert (mailed.level(), mailed.alarm()) == (0, None), "as many as are usual"
    mailed.complain(3, first=2)
    assert (mailed.level(), mailed.alarm()) == (1, None)
    mailed.complain(1, first=5)
    assert (mailed.level(), mailed.alarm()) == (3, Alarm.COMPLAINTS), "six of 2,000"
    assert [record.levelname for record in caplog.records if "complaints" in record.message] == ["WARNING"] * 2


def test_one_complaint_of_ten_says_nothing(engine: Engine) -> None:
    mailed = Mailed(engine, 10)
    mailed.complain(4)
    assert mailed.alarm() is None
    assert mailed.level() == 1


def test_a_call_to_stop_is_never_paused_by_what_comes_back(engine: Engine) -> None:
    mailed = Mailed(engine, 100)
    with session_scope(engine) as session:
        session.get_one(Campaign, mailed.id).kind = kinds.STOP
    mailed.complain(10)
    mailed.bounce(10, Category.NO_MAILBOX, first=10)
    mailed.bounce(20, Category.POLICY, first=20)
    assert (mailed.alarm(), mailed.level()) == (None, 3)


def test_complaints_that_did_nothing_do_not_pause(engine: Engine) -> None:
    mailed = Mailed(engine, 100)
    for delivery in list(mailed.sent())[:4]:
        with session_scope(engine) as session:
            make_bounce(session, delivery, kind=Kind.COMPLAINT, category=None, effect=Effect.NONE)
    mailed.complain(4, first=4)
    assert mailed.alarm() is None
    mailed.complain(1, first=8)
    assert mailed.alarm() is Alarm.COMPLAINTS


def test_a_pause_by_an_alarm_stands_in_the_log_as_done_by_the_machine_and_organisers_are_written(
    engine: Engine, worker: Worker
) -> None:
    mailed = Mailed(engine, 100)
    mailed.complain(5)
    mailed.complain(3, first=5)
    organisers = Organisers(("ada@example.org",))
    with session_scope(engine) as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.actor, entry.subject) == ("campaigns.hold", AuditActor.ITSELF, "free-the-five")
        assert list(alarms.to_tell(session)) == [mailed.id]
        control.tell_of_alarm(session, mailed.id, organisers)
        control.tell_of_alarm(session, mailed.id, organisers)
    with session_scope(engine, read_only=True) as session:
        (owed,) = notices_owed(session)
        assert said(owed).words["reason"] == alarms.REASONS[Alarm.COMPLAINTS]


def test_the_sweeper_pauses_what_nobody_noticed_and_writes_to_organisers(engine: Engine, worker: Worker) -> None:
    mailed = Mailed(engine, 100)
    with session_scope(engine) as session:
        for delivery in list(mailed.sent())[:5]:
            mailed.keep(session, delivery, Kind.COMPLAINT)
    told = Worker(
        name="test",
        lease=worker.lease,
        journals=worker.journals,
        sender=SENDER,
        organisers=Organisers(("ada@example.org",)),
    )
    with session_scope(engine) as session:
        owed = [make_subscriber(session, None, email="late@example.org")]
        deliver(session, session.get_one(Campaign, mailed.id), owed[0], S.PENDING)  # so it is not over
    sweeping.sweep(engine, told)
    assert mailed.alarm() is Alarm.COMPLAINTS
    with session_scope(engine, read_only=True) as session:
        assert len(notices_owed(session)) == 1


def test_what_somebody_had_seen_does_not_pause_again_and_as_much_anew_does(engine: Engine) -> None:
    mailed = Mailed(engine, 2_000)
    mailed.complain(6)
    assert mailed.alarm() is Alarm.COMPLAINTS
    mailed.resume()
    mailed.complain(5, first=6)
    assert mailed.alarm() is None
    mailed.complain(1, first=11)
    assert mailed.alarm() is Alarm.COMPLAINTS


def test_a_campaign_that_is_over_is_warned_of_and_stays_as_it_is(engine: Engine) -> None:
    mailed = Mailed(engine, 1_000)
    with session_scope(engine) as session:
        assert control.finish(session, mailed.id)
    mailed.complain(6)
    mailed.bounce(60, Category.NO_MAILBOX, first=6)
    with session_scope(engine, read_only=True) as session:
        assert session.get_one(Campaign, mailed.id).status is CampaignStatus.SENT
    assert mailed.level() == 3


def test_complaints_that_are_only_numbers_by_now_count(engine: Engine) -> None:
    mailed = Mailed(engine, 100)
    with session_scope(engine) as session:
        returned.count(session, Kind.COMPLAINT, on=START.date(), campaign_id=mailed.id, number=19)
    assert mailed.alarm() is None
    mailed.complain(1)
    assert mailed.alarm() is Alarm.COMPLAINTS


# --- what may be made up --------------------------------------------------------------------------------------------


def test_who_has_a_few_mails_pauses_nothing_by_mail(engine: Engine) -> None:
    mailed = Mailed(engine, 100)
    mailed.complain(19, source="pipe")
    mailed.bounce(19, Category.NO_MAILBOX, first=20, source="lmtp")
    mailed.bounce(19, Category.POLICY, first=40, source="imap")
    assert (mailed.alarm(), mailed.level()) == (None, 3), "organisers are told of it"
    mailed.complain(1, first=19, source="smtp")
    assert mailed.alarm() is Alarm.COMPLAINTS
    mailed.resume()
    mailed.bounce(20, Category.NO_MAILBOX, first=60, source="maildir")
    assert mailed.alarm() is Alarm.GONE


def test_what_is_made_up_does_not_tip_the_scales(engine: Engine) -> None:
    mailed = Mailed(engine, 2_000)
    mailed.complain(5)
    mailed.complain(14, first=5, source="pipe")
    assert mailed.alarm() is None, "five in 2,000 are sure, and they are too few"
    mailed.complain(1, first=19)
    assert mailed.alarm() is Alarm.COMPLAINTS


def test_what_somebody_had_seen_of_both_kinds_does_not_pause_again(engine: Engine) -> None:
    mailed = Mailed(engine, 100)
    mailed.complain(5)
    assert mailed.alarm() is Alarm.COMPLAINTS
    mailed.resume()
    mailed.complain(19, first=5, source="pipe")
    assert mailed.alarm() is None
    mailed.complain(5, first=30)
    assert mailed.alarm() is Alarm.COMPLAINTS


def test_what_only_a_message_id_leads_to_counts_for_no_alarm(engine: Engine) -> None:
    mailed = Mailed(engine, 100)
    sent = list(mailed.sent())
    with session_scope(engine) as session:
        told = [(Kind.COMPLAINT, None), (Kind.BOUNCE, Category.NO_MAILBOX)]
        for kind, category in told:
            for delivery in sent[:30]:
                mailed.keep(session, delivery, kind, category, source="pipe", identified_by=Identified.MESSAGE_ID)
        for delivery in sent[30:60]:
            hearsay = Identified.MESSAGE_ID
            mailed.keep(session, delivery, Kind.BOUNCE, Category.POLICY, source="pipe", identified_by=hearsay)
    with session_scope(engine) as session:
        alarms.look(session, mailed.id, refused=[delivery.settled_at for delivery in sent if delivery.settled_at])
    assert (mailed.alarm(), mailed.level()) == (None, 0)


# --- addresses that do not exist ------------------------------------------------------------------------------------


def test_a_twentieth_of_a_small_list_that_does_not_exist_pauses_it(engine: Engine) -> None:
    mailed = Mailed(engine, 220)
    mailed.bounce(11, Category.NO_MAILBOX)
    assert mailed.alarm() is None, "eleven of 220 are a twentieth, and not more"
    mailed.bounce(1, Category.NO_DOMAIN, first=11)
    assert mailed.alarm() is Alarm.GONE
    mailed.resume()
    mailed.bounce(11, Category.NO_MAILBOX, first=12)
    assert mailed.alarm() is None, "that somebody had seen"


def test_what_was_refused_at_once_counts_with_what_came_back(engine: Engine) -> None:
    mailed = Mailed(engine, 100, refused=9)
    with session_scope(engine) as session:
        alarms.look(session, mailed.id)
    assert mailed.alarm() is None
    mailed.bounce(1, Category.FULL)
    assert mailed.alarm() is None, "a full mailbox is one"
    mailed.bounce(1, Category.NO_MAILBOX, first=1)
    assert mailed.alarm() is Alarm.GONE


def test_only_the_first_thousand_tell_of_a_bad_import(engine: Engine) -> None:
    mailed = Mailed(engine, 1_100)
    mailed.bounce(60, Category.NO_MAILBOX, first=1_010)
    assert mailed.alarm() is None
    mailed.bounce(50, Category.NO_MAILBOX, first=900)
    assert mailed.alarm() is None
    mailed.bounce(1, Category.NO_MAILBOX, first=999)
    assert mailed.alarm() is Alarm.GONE


def test_when_the_first_mails_went_out_is_known_only_while_it_is_under_way(engine: Engine) -> None:
    mailed = Mailed(engine, 1_010)

    def known() -> datetime | None:
        with session_scope(engine, read_only=True) as session:
            return session.get_one(CampaignAlarm, mailed.id).first_until

    mailed.bounce(10, Category.NO_MAILBOX, first=1_000)
    assert known() == START + timedelta(seconds=999)
    forgetting.forget_order(engine)
    assert known() is not None
    with session_scope(engine) as session:
        assert control.finish(session, mailed.id)
    forgetting.forget_order(engine)
    assert known() is None


def test_a_warning_goes_once_the_share_is_small_again(engine: Engine) -> None:
    mailed = Mailed(engine, 2_000)
    mailed.complain(3)
    assert mailed.level() == 1
    mailed.mail(1_000)
    with session_scope(engine) as session:
        alarms.look(session, mailed.id)
    assert mailed.level() == 0


# --- what servers have against us -----------------------------------------------------------------------------------


def test_twenty_that_come_back_in_a_row_for_what_servers_have_against_us_pause(engine: Engine) -> None:
    mailed = Mailed(engine, 200)
    mailed.bounce(10, Category.POLICY, first=50)
    mailed.bounce(9, Category.AUTH, first=61)
    mailed.bounce(20, Category.CONTENT, first=100)
    assert mailed.alarm() is None, "one between them was not refused"
    mailed.bounce(1, Category.US, first=60)
    assert mailed.alarm() is Alarm.REFUSED
    mailed.resume()
    mailed.bounce(19, Category.POLICY, first=70)
    assert mailed.alarm() is None, "these went out before somebody had it go on"


def test_more_than_a_twentieth_of_five_hundred_pause_and_so_do_those_refused_at_once(engine: Engine) -> None:
    mailed = Mailed(engine, 700)
    with session_scope(engine) as session:
        some = [each.id for each in mailed.sent()][100:600:40]  # 13, far from each other
        refused = {"state": S.FAILED, "reason": Reason.POLICY.value, "smtp_code": 550}
        session.execute(update(Delivery).where(Delivery.id.in_(some)).values(**refused))
    for place in range(110, 590, 40):  # 12 more
        mailed.bounce(1, Category.POLICY, first=place)
    assert mailed.alarm() is None
    mailed.bounce(1, Category.POLICY, first=300)
    assert mailed.alarm() is Alarm.REFUSED


# --- beside others --------------------------------------------------------------------------------------------------


def look(engine: Engine, campaign_id: int) -> None:
    with session_scope(engine) as session:
        alarms.look(session, campaign_id)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_takes_in_what_comes_back_waits_for_nobody_who_changes_the_campaign(engine: Engine) -> None:
    mailed = Mailed(engine, 100)
    mailed.complain(4)
    with session_scope(engine) as session:
        session.get_one(Campaign, mailed.id, with_for_update=True)
        Beside(lambda: mailed.complain(1, first=4)).result()
        looked = Beside(lambda: look(engine, mailed.id))
        looked.must_wait()
    looked.result()
    assert mailed.alarm() is Alarm.COMPLAINTS


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("place", [119, 60])
def test_the_last_that_servers_have_against_us_is_looked_at_once_nobody_changes_the_campaign(
    engine: Engine, place: int
) -> None:
    mailed = Mailed(engine, 2_000)
    mailed.bounce(19, Category.POLICY, first=100 if place == 119 else 61)
    mailed.bounce(1, Category.AUTH, first=1_900)  # far from them, and sent later
    delivery = list(mailed.sent())[place]
    with session_scope(engine) as session:
        session.get_one(Campaign, mailed.id, with_for_update=True)
        with session_scope(engine) as taking:
            mailed.keep(taking, delivery, Kind.BOUNCE, Category.US)
            held = alarms.heed(taking, [CameBack(mailed.id, Kind.BOUNCE, Category.US, delivery.settled_at)])
        assert list(held) == [mailed.id]
    with session_scope(engine) as session:
        alarms.look(session, mailed.id, refused=held[mailed.id])
    assert mailed.alarm() is Alarm.REFUSED


def test_what_servers_have_against_us_is_found_by_who_knows_of_no_event(engine: Engine) -> None:
    mailed = Mailed(engine, 200)
    refused = list(mailed.sent())[100:120]
    for delivery in refused[:-1]:
        with session_scope(engine) as session:
            mailed.keep(session, delivery, Kind.BOUNCE, Category.POLICY)
    look(engine, mailed.id)
    assert mailed.alarm() is None
    with session_scope(engine) as session:
        mailed.keep(session, refused[-1], Kind.BOUNCE, Category.POLICY)
    look(engine, mailed.id)
    assert mailed.alarm() is Alarm.REFUSED
    mailed.resume()
    look(engine, mailed.id)
    assert mailed.alarm() is None, "these went out before somebody had it go on"


def test_a_campaign_that_is_sent_while_complaints_come_in_is_paused_and_loses_nothing(
    engine: Engine, worker: Worker, wire: Pipeline, server: MailServer
) -> None:
    server.behaviour.pause = lambda _: 0.05
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for number in range(400):
            make_subscriber(session, mailing_list, email=f"p{number}@example.net")
        campaign_id = make_campaign(session, mailing_list).id
        control.start(session, session.get_one(Campaign, campaign_id), SENDER)

    def sent() -> Sequence[Delivery]:
        with session_scope(engine, read_only=True) as session:
            return session.scalars(select(Delivery).where(Delivery.state == S.SENT).limit(8)).all()

    def complain(delivery: Delivery) -> None:
        with session_scope(engine) as session:
            make_bounce(session, delivery, kind=Kind.COMPLAINT, category=None, effect=Effect.SUPPRESS, source="ses")
            held = alarms.heed(session, [CameBack(campaign_id, Kind.COMPLAINT, None, delivery.settled_at)])
        for held_id in held:
            look(engine, held_id)

    with ThreadPoolExecutor() as beside:
        sending_it = beside.submit(sending.drain, engine, campaign_id, wire, worker)
        wait_until(lambda: len(sent()) == 8)
        first, *others = sent()
        list(beside.map(complain, others))
        complain(first)  # those at one moment do not see each other
        sending_it.result()
    with session_scope(engine, read_only=True) as session:
        campaign = session.get_one(Campaign, campaign_id)
        assert alarms.of_reason(campaign.hold_reason) is Alarm.COMPLAINTS
        states = Counter(session.scalars(select(Delivery.state).filter_by(campaign_id=campaign_id)))
        assert set(states) == {S.SENT, S.PENDING}
        assert states[S.SENT] == sum(server.copies().values()) < 400
