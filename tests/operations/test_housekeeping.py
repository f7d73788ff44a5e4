"""What has run out goes by itself, and nothing else does."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
from redis import Redis
from sqlalchemy import Engine, LargeBinary, func, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer.campaigns import acts
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.operations import housekeeping
from mailer.people import consents, mailed_links, notices, subscribers, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.settings import Settings
from mailer.store.crypto import Encrypted
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow, utctoday
from mailer.store.models import (
    Act,
    ActKind,
    Application,
    Base,
    CampaignStatus,
    ConsentEvent,
    ConsentPurpose,
    Delivery,
    DeliveryState,
    Kit,
    KitEdition,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Reply,
    Signature,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from tests.support.factories import (
    deliver,
    make_act,
    make_campaign,
    make_contact,
    make_list,
    make_signature,
    make_subscriber,
    make_union,
    subscribe,
)
from tests.support.stolen import files_of
from workers import sweeper
from workers.runtime import Runtime


def test_a_sign_up_that_nobody_confirmed_is_gone_after_seven_days(engine: Engine, session: Session) -> None:
    for _ in range(2):
        mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32), details={"email": "ana@example.org"})
    first = session.scalars(select(MailedLink.id).limit(1)).one()
    for request in session.scalars(select(MailedLink).where(MailedLink.id == first)):
        request.created_at, request.expires_at = utcnow() - timedelta(days=7), utcnow() - timedelta(seconds=1)
    session.commit()
    housekeeping.tidy(engine)
    session.expire_all()
    gone, waiting = session.scalars(select(MailedLink).order_by(MailedLink.id))
    assert (gone.id, gone.email_index == gone.token_hash == gone.person, gone.details) == (first, True, "{}")
    assert (gone.created_at.time(), gone.used_at) == (time(), None)  # nor the moment in which its mail went out
    assert waiting.email_index != waiting.token_hash
    assert mailed_links.details_of(waiting) == {"email": "ana@example.org"}


def test_a_link_that_ran_out_is_told_from_one_that_never_was_for_half_a_year(engine: Engine, session: Session) -> None:
    token = mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32))
    for age, said in ((timedelta(days=1), mailed_links.DeadLink), (timedelta(days=181), mailed_links.UnknownLink)):
        session.execute(update(MailedLink).values(expires_at=utcnow() - age))
        session.commit()
        housekeeping.tidy(engine)
        with pytest.raises(said):
            mailed_links.find(session, MailedLinkKind.SIGN_UP, token)


def test_what_a_settled_notice_said_is_gone_and_what_is_owed_stays(engine: Engine, session: Session) -> None:
    for email in ("ana@example.org", "boris@example.org"):
        notices.owe(session, Notice(NoticeKind.CONFIRM, "0" * 40), language="en", address=email)
    session.execute(update(Delivery).where(Delivery.id == 1).values(state=DeliveryState.SENT))
    session.commit()
    housekeeping.tidy(engine)
    kept = session.execute(select(Delivery.state, Delivery.address, Delivery.notice.is_(None)).order_by(Delivery.id))
    assert [tuple(row) for row in kept] == [
        (DeliveryState.SENT, None, True),
        (DeliveryState.PENDING, "boris@example.org", False),
    ]


def test_a_pause_ends_by_itself(engine: Engine, session: Session) -> None:
    person = make_subscriber(session, make_list(session))
    session.execute(update(Subscription).values(paused_until=utcnow() - timedelta(seconds=1), mailable=False))
    session.commit()
    housekeeping.tidy(engine)
    subscription = session.scalars(select(Subscription).where(Subscription.subscriber_id == person.id)).one()
    assert (subscription.paused_until, subscription.mailable) == (None, True)


def test_tidying_twice_is_fine(engine: Engine) -> None:
    housekeeping.tidy(engine)
    housekeeping.tidy(engine)


# --- what SQLite keeps of what is gone ------------------------------------------------------------------------------


def encrypted_values(session: Session) -> set[bytes]:
    """Everything encrypted that the database gives out, as it is stored."""
    found = set[bytes]()
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Encrypted):
                found |= {bytes(value) for value in session.scalars(select(type_coerce(column, LargeBinary))) if value}
    session.rollback()
    return found


def in_files(engine: Engine, values: set[bytes]) -> set[bytes]:
    """Which of these values can be read in the database's file, or in the log of changes beside it."""
    content = [file.read_bytes() for file in files_of(engine)]
    return {value for value in values if any(value in each for each in content)}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("was_tidied", [False, True])
def test_what_was_erased_can_be_read_in_no_file(engine: Engine, session: Session, was_tidied: bool) -> None:
    people = [make_subscriber(session, make_list(session, slug), name="Ana") for slug in ("news", "alerts")]
    union = make_union(session)
    campaign = make_campaign(session, session.scalars(select(MailingList)).all()[0])
    for person in people:
        make_contact(session, union, person)
        deliver(session, campaign, person, DeliveryState.FAILED, smtp_text="no such user")
        index = bytes(person.email_index)
        mailed_links.issue(session, MailedLinkKind.UNDO, email_index=index, subscriber_id=person.id, details={"a": 1})
    for subscription in session.scalars(select(Subscription)):
        subscription.reason = "Too many mails"
    session.commit()
    if was_tidied:  # then what is erased stands in the file, else in the log only
        housekeeping.tidy(engine)
    before = encrypted_values(session)
    subscribers.erase(session, people[0].email)
    session.commit()
    stays = encrypted_values(session)
    gone = before - stays
    assert len(gone) == 6  # address, name, role, reason, answer, link
    assert in_files(engine, gone) == gone
    housekeeping.tidy(engine)
    assert in_files(engine, gone) == set()
    assert in_files(engine, stays) == stays


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_tidying_waits_for_nobody_who_reads_and_empties_the_log_the_next_time(engine: Engine, session: Session) -> None:
    person = make_subscriber(session)
    session.commit()
    before = encrypted_values(session)
    with session_scope(engine, read_only=True) as reader:
        assert reader.get(Subscriber, person.id)
        subscribers.erase(session, person.email)
        session.commit()
        housekeeping.tidy(engine)
        assert in_files(engine, before) == before
    housekeeping.tidy(engine)
    assert in_files(engine, before) == set()


# --- by the sweeper -------------------------------------------------------------------------------------------------


def test_the_files_of_a_campaign_that_is_long_over_go(engine: Engine, session: Session) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    for days in (91, 0):
        campaign.deadline = utcnow() - timedelta(days=days)
        session.merge(Kit(id=1, campaign_id=campaign.id))
        session.merge(KitEdition(id=1, kit_id=1, language="en", made_at=utcnow(), archive=b"files"))
        session.commit()
        housekeeping.tidy(engine)
        assert session.scalar(select(KitEdition.archive)) == (None if days else b"files")
        session.commit()
        session.expire_all()


@pytest.fixture
def runtime(
    engine: Engine, valkey_url: str, wire: Pipeline, worker: Worker, settings: Callable[..., Settings]
) -> Iterator[Runtime]:
    """A sweeper's, of which no queue process answers a ring."""
    with Redis.from_url(valkey_url) as redis:
        yield Runtime(settings(), engine, redis, wire, worker)


def test_of_what_a_union_was_written_and_said_the_day_is_kept_once_it_is_two_days_old(
    engine: Engine, session: Session
) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    old = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    new = utcnow() - timedelta(hours=47)
    for kit_id, at in ((1, old), (2, new)):
        union = make_union(session, f"branch-{kit_id}")
        moments = dict.fromkeys(("created_at", "ready_at", "sent_at", "reminded_at", "seen_at", "promised_at"), at)
        session.add(Kit(id=kit_id, campaign_id=campaign.id, union_id=union.id, **moments))
        session.add(KitEdition(kit_id=kit_id, language="en", made_at=at))
    session.commit()
    housekeeping.tidy(engine)
    session.expire_all()
    for kit_id, at in ((1, datetime(2026, 3, 1, tzinfo=UTC)), (2, new)):
        kit = session.get_one(Kit, kit_id)
        assert {kit.created_at, kit.ready_at, kit.sent_at, kit.reminded_at, kit.seen_at, kit.promised_at} == {at}
        assert [edition.made_at for edition in kit.editions] == [at]
        assert kit.forwarded_at is None


def test_each_round_of_the_sweeper_tidies(runtime: Runtime, session: Session) -> None:
    mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32))
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    sweeper.sweep(runtime)
    session.expire_all()
    assert [request.email_index == request.token_hash for request in session.scalars(select(MailedLink))] == [True]


def test_mail_is_found_though_nothing_can_be_tidied(
    runtime: Runtime, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_engine: Engine) -> None:
        raise DatabaseUnavailable(problem="the disk is full")

    monkeypatch.setattr(housekeeping, "tidy", fail)
    notices.owe(session, Notice(NoticeKind.CONFIRM, "0" * 40), language="en", address="ana@example.org")
    session.commit()
    sweeper.sweep(runtime)
    sweeper.sweep(runtime)
    assert runtime.redis.keys("rq:*")


def test_what_has_run_out_goes_though_no_mail_can_be_looked_for(
    runtime: Runtime, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[int]:
        raise DatabaseUnavailable(problem="it is busy")

    monkeypatch.setattr("mailer.delivery.sweeping.sweep", fail)
    mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32))
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    sweeper.sweep(runtime)
    session.expire_all()
    assert [request.email_index == request.token_hash for request in session.scalars(select(MailedLink))] == [True]


def test_who_acted_is_forgotten_when_its_time_has_come_and_the_number_stays(engine: Engine, session: Session) -> None:
    urgent, now = make_list(session), utcnow()
    ended, lasting = (
        make_campaign(session, urgent, slug=slug, status=CampaignStatus.SENT) for slug in ("ended", "new")
    )
    ended.started_at, lasting.started_at = now - timedelta(days=181), now - timedelta(days=179)
    people = [make_subscriber(session, urgent, email=f"p{number}@example.org", country="GB") for number in range(7)]
    for campaign in (ended, lasting):
        for person in people:
            make_signature(session, campaign, person)
            make_act(session, campaign, person)
    first, other, *_ = (person.email for person in people)
    subscribers.erase(session, first)
    past, now_on = ended.id, lasting.id
    before = {each: acts.count(session, each) for each in (past, now_on)}
    session.commit()

    def known() -> dict[int, int]:
        session.expire_all()
        who = select(Act.campaign_id, func.count()).where(Act.subscriber_id.is_not(None)).group_by(Act.campaign_id)
        found: dict[int, int] = dict(session.execute(who).all())
        session.commit()
        return found

    assert known() == {past: 12, now_on: 12}
    for _ in range(2):
        housekeeping.tidy(engine)
        assert known() == {now_on: 12}
    assert set(session.scalars(select(Act.campaign_id).join(Signature, Signature.act_id == Act.id))) == {now_on}
    subscribers.erase(session, other)
    session.commit()
    assert known() == {now_on: 10}
    assert {each: acts.count(session, each) for each in before} == before
    rows: dict[int, int] = dict(session.execute(select(Act.campaign_id, func.count()).group_by(Act.campaign_id)).all())
    assert rows == {campaign_id: counted.wrote + counted.signed for campaign_id, counted in before.items()}


def test_a_name_goes_when_its_owner_has_moved_home(engine: Engine, session: Session) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.about, campaign.petition, campaign.started_at = "DK", {"to": {"en": "the Embassy"}}, utcnow()
    for _ in range(2):
        make_signature(session, campaign, make_subscriber(session, country="GB"))
    session.scalars(select(Subscriber)).first().country = "DK"  # type: ignore[union-attr]
    session.commit()
    housekeeping.tidy(engine)
    assert session.scalar(select(func.count()).select_from(Signature)) == 1
    assert acts.count(session, campaign.id).signed == 2


def test_what_somebody_agreed_to_who_took_it_back_is_forgotten_though_nobody_else_acted(
    engine: Engine, session: Session
) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.started_at, person = utcnow(), make_subscriber(session)
    acts.add(session, campaign, ActKind.WROTE, person, language="en", words="Yes.", method="page")
    acts.take_back(session, campaign.id, ActKind.WROTE, person.id, method="page")
    campaign.started_at = utcnow() - timedelta(days=182)
    session.commit()
    housekeeping.tidy(engine)
    assert not session.scalars(select(ConsentEvent)).all()


def test_however_many_acted_they_are_forgotten_a_few_at_a_time(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_AT_ONCE", 3)
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.started_at = utcnow() - timedelta(days=181)
    for _ in range(6):
        make_act(session, campaign, make_subscriber(session))
    session.commit()
    housekeeping.tidy(engine)
    assert session.scalar(select(func.count()).where(Act.subscriber_id.is_not(None))) == 0
    assert acts.count(session, campaign.id).wrote == 6


def test_who_only_signed_is_forgotten_whole_and_comes_back_like_anybody(engine: Engine, session: Session) -> None:
    urgent = make_list(session)
    campaign = make_campaign(session, urgent, status=CampaignStatus.SENT)
    campaign.started_at = utcnow() - timedelta(days=181)
    people = [make_subscriber(session, email=f"p{number}@example.org") for number in range(4)]
    told = [deliver(session, campaign, person, DeliveryState.SENT) for person in people]
    for person in people:
        make_act(session, campaign, person, ActKind.SIGNED)
    suppression.add(session, people[0].email_index, SuppressionReason.COMPLAINED)
    session.commit()
    housekeeping.tidy(engine)
    session.expire_all()
    assert session.scalars(select(Subscriber)).all() == []
    assert [(each.state, each.subscriber_id) for each in told] == [(DeliveryState.SENT, None)] * 4
    assert session.scalars(select(Suppression.reason)).all() == [SuppressionReason.COMPLAINED]
    assert acts.count(session, campaign.id).signed == 4
    make_subscriber(session, urgent, email="p1@example.org")


@pytest.mark.parametrize(
    "what",
    ["a list they left", "a union", "another act", "an agreement", "an application", "an answer", "no list", "a mail"],
)
def test_who_signed_and_is_known_for_something_else_stays(engine: Engine, session: Session, what: str) -> None:
    urgent, person = make_list(session), make_subscriber(session)
    campaign, other = (
        make_campaign(session, urgent, slug=slug, status=CampaignStatus.SENT) for slug in ("ended", "new")
    )
    campaign.started_at, other.started_at = utcnow() - timedelta(days=181), utcnow()
    make_act(session, campaign, person, ActKind.SIGNED)
    match what:
        case "a list they left":
            subscribe(session, person, urgent, status=SubscriptionStatus.UNSUBSCRIBED)
        case "a union":
            make_contact(session, make_union(session), person)
        case "another act":
            make_act(session, other, person)
        case "an agreement":
            consents.agree(session, person.id, ConsentPurpose.UNION, "Yes.", language="en", method="page")
        case "an application":
            session.add(Application(name="Bakers", languages=[], is_named=True, subscriber_id=person.id))
        case "an answer":
            session.add(Reply(key=bytes(32), day=utctoday(), subscriber_id=person.id))
        case "no list":
            person.is_kept_off_lists = True
        case _:
            deliver(session, other, person, DeliveryState.DEFERRED)
    session.commit()
    housekeeping.tidy(engine)
    assert session.scalars(select(Subscriber.id)).all() == [person.id]
    assert session.scalars(select(Act.subscriber_id).where(Act.campaign_id == campaign.id)).all() == [None]
