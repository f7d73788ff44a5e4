"""What comes in acts once on whom it is about, and on nobody if we did not sign what it holds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from mailer import links
from mailer.delivery import measures
from mailer.delivery.message_ids import MessageIds
from mailer.inbound import receiving
from mailer.inbound.acting import Outcome, Source
from mailer.inbound.addresses import OwnAddresses
from mailer.links import Link
from mailer.mail.feedback.types import Category, Effect, Identified, Kind
from mailer.people import bounces, returned, subscribers, suppression
from mailer.reports import returned as report_of
from mailer.reports import unread
from mailer.store.crypto import Keyring
from mailer.store.db import session_scope, utcnow, utctoday
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    MailEvent,
    MailEventCount,
    MailingList,
    Purpose,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY
from tests.support.concurrency import Beside
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, notices_owed, subscribe

ANA = "ana@example.net"
NOBODY_READS = "nobody is named whom answers go to"
LEAVE, BOUNCE = "leave+{token}@in.example.org", "bounce+{token}@in.example.org"
KEYRING = Keyring(secret_keys=[SECRET_KEY], link_keys=[LINK_KEY], index_key=INDEX_KEY)


class World:
    """Somebody on a list who was mailed, and what comes back of that."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self.engine, self.keyring = engine, keyring
        self.own = OwnAddresses(keyring, unsubscribe_address=LEAVE, bounce_address=BOUNCE)
        with session_scope(engine) as session:
            mailing_list = make_list(session)
            person = make_subscriber(session, email=ANA)
            self.subscription = subscribe(session, person, mailing_list).id
            self.person = person.id
        self.delivery = self.mail()

    def mail(self, *, days_ago: int = 1) -> int:
        """One more campaign's mail to her, which was taken; its id."""
        with session_scope(self.engine) as session:
            mailing_list = session.scalars(select(MailingList)).one()
            number = session.scalar(select(func.count()).select_from(Campaign))
            campaign = make_campaign(session, mailing_list, slug=f"another-{number}")
            person = session.get_one(Subscriber, self.person)
            sent = {"settled_at": utcnow() - timedelta(days=days_ago)}
            return deliver(session, campaign, person, DeliveryState.SENT, **sent).id

    def token(self, delivery: int | None = None) -> str:
        return links.sign(self.keyring, Link.BOUNCE, self.delivery if delivery is None else delivery)

    def receive(self, message: bytes, **options: object) -> Outcome:
        sessions = partial(session_scope, self.engine)
        return receiving.receive(sessions, message, addresses=self.own, source=Source.PIPE, **options)  # type: ignore[arg-type]  # of this test

    def bounce(self, words: str = "550 5.1.1 no such user", delivery: int | None = None, **options: object) -> Outcome:
        return self.receive(report(self.token(delivery), words), **options)

    def reason(self) -> tuple[SuppressionReason, Category | None] | None:
        """Why she gets no mail, and that her subscription says so too."""
        with session_scope(self.engine, read_only=True) as session:
            index = session.get_one(Subscriber, self.person).email_index
            found = session.get(Suppression, index)
            mailable = session.get_one(Subscription, self.subscription).mailable
            active = session.get_one(Subscription, self.subscription).status is SubscriptionStatus.ACTIVE
            assert mailable is (active and found is None)
            return (found.reason, found.category) if found else None

    def events(self) -> list[tuple[Kind, Effect]]:
        with session_scope(self.engine, read_only=True) as session:
            return [(event.kind, event.effect) for event in session.scalars(select(MailEvent))]

    def numbers(self) -> dict[tuple[int, Kind, str], int]:
        with session_scope(self.engine, read_only=True) as session:
            rows = session.scalars(select(MailEventCount)).all()
            return {(row.campaign_id, row.kind, row.category): row.number for row in rows}


def report(token: str, words: str = "550 5.1.1 no such user", *, to: str = ANA, about: str | None = None) -> bytes:
    """A status report that came back to an envelope sender of ours."""
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nTo: bounce+{token}@in.example.org\nSubject: failure\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        f"Final-Recipient: rfc822; {about or to}\nAction: failed\nDiagnostic-Code: smtp; {words}\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nFrom: alerts@example.org\nTo: {to}\n\n--b--\n"
    ).encode()


def feedback_report(token: str, type_: str = "abuse", *, headers: str = "") -> bytes:
    """What a provider writes whose user pressed a button.

    :param headers: more of the mail that it gives back.
    """
    return (
        "From: <feedback@mailbox.example.com>\nTo: <abuse@example.org>\nSubject: feedback\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {type_}\nUser-Agent: Some/1\nVersion: 1\n\n"
        f"--b\nContent-Type: message/rfc822\n\nReturn-Path: <bounce+{token}@in.example.org>\n"
        f"{headers}From: alerts@example.org\nSubject: Free the five\n\nDear supporter\n\n--b--\n"
    ).encode()


@pytest.fixture
def world(engine: Engine, keyring: Keyring) -> World:
    return World(engine, keyring)


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes it so many days later than today."""

    def set_day(days: int) -> None:
        now = utcnow() + timedelta(days=days)
        for module in (receiving, returned):
            monkeypatch.setattr(module, "utcnow", lambda: now)

    return set_day


# --- bounces --------------------------------------------------------------------------------------------------------


def test_an_address_that_nobody_has_gets_no_more_mail_at_once_and_the_delivery_stays_sent(world: World) -> None:
    assert world.bounce() == Outcome(Kind.BOUNCE, Effect.SUPPRESS, Category.NO_MAILBOX)
    assert world.reason() == (SuppressionReason.BOUNCED, Category.NO_MAILBOX)
    with session_scope(world.engine) as session:
        assert session.get_one(Delivery, world.delivery).state is DeliveryState.SENT
        [event] = session.scalars(select(MailEvent))
        assert (event.delivery_id, event.status, event.source) == (world.delivery, "5.1.1", "pipe")
        assert notices_owed(session) == []


def test_the_same_message_acts_once_however_often_it_is_given(world: World) -> None:
    world.bounce()
    lift(world)
    for _ in range(3):
        assert world.bounce().effect is Effect.NONE
    assert world.reason() is None
    assert len(world.events()) == 1


def test_a_mail_comes_back_once(world: World) -> None:
    assert world.bounce("550 5.2.2 mailbox full").effect is Effect.COUNT
    assert world.bounce().effect is Effect.NONE
    assert world.reason() is None


def lift(world: World) -> None:
    with session_scope(world.engine) as session:
        person = session.get_one(Subscriber, world.person)
        suppression.lift_by_hand(session, person.email_index, "She rang.")
        subscribers.refresh(session, [person.id])


def test_what_comes_back_for_now_adds_up_to_the_end_of_mail_to_an_address(
    world: World, day: Callable[[int], None]
) -> None:
    effects = []
    for later in (0, 7, 14):
        day(later)
        effects.append(world.bounce("552 5.2.2 mailbox full", delivery=world.mail(days_ago=-later)).effect)
    assert effects == [Effect.COUNT, Effect.COUNT, Effect.SUPPRESS]
    assert world.reason() == (SuppressionReason.BOUNCED, Category.FULL)


def test_whoever_is_mailed_again_begins_anew(world: World, day: Callable[[int], None]) -> None:
    test_what_comes_back_for_now_adds_up_to_the_end_of_mail_to_an_address(world, day)
    lift(world)
    day(20)
    assert world.bounce("552 5.2.2 mailbox full", delivery=world.mail(days_ago=-20)).effect is Effect.COUNT


def test_a_mail_that_arrived_makes_what_came_back_before_it_be_forgotten(
    world: World, day: Callable[[int], None]
) -> None:
    for later in (0, 7):
        day(later)
        world.bounce("552 5.2.2 mailbox full", delivery=world.mail(days_ago=-later))
    world.mail(days_ago=-8)
    day(14)
    assert world.bounce("552 5.2.2 mailbox full", delivery=world.mail(days_ago=-14)).effect is Effect.COUNT


@pytest.mark.parametrize("words", ["550 5.7.1 blocked by a blocklist", "552 5.3.4 message too big", "550 5.7.26 DMARC"])
def test_what_is_about_us_is_kept_and_does_nothing_to_anybody(world: World, words: str) -> None:
    assert world.bounce(words).effect is Effect.NONE
    assert world.reason() is None
    assert world.events() == [(Kind.BOUNCE, Effect.NONE)]


def test_what_is_said_of_somebody_else_does_nothing(world: World) -> None:
    message = report(world.token(), about="ben@example.com").replace(
        b"--b\nContent-Type: text",
        b"Final-Recipient: rfc822; eva@example.com\nAction: failed\n\n--b\nContent-Type: text",
    )
    assert world.receive(message).effect is Effect.NONE
    assert world.reason() is None


@pytest.mark.parametrize(("days_ago", "effect"), [(29, Effect.SUPPRESS), (31, Effect.NONE)])
def test_a_mail_that_went_out_long_ago_does_nothing_any_more(world: World, days_ago: int, effect: Effect) -> None:
    old = world.mail(days_ago=days_ago)
    assert world.bounce(delivery=old).effect is effect
    assert world.receive(feedback_report(world.token(old))).effect is effect


@pytest.mark.parametrize(("days_ago", "effect"), [(0, Effect.SUPPRESS), (1, Effect.NONE), (2, Effect.NONE)])
def test_nothing_happens_to_the_address_that_somebody_has_moved_to_since(
    world: World, days_ago: int, effect: Effect
) -> None:
    with session_scope(world.engine) as session:
        session.get_one(Subscriber, world.person).moved_on = utcnow() - timedelta(days=1)
    delivery = world.mail(days_ago=days_ago)
    assert world.bounce(delivery=delivery).effect is effect
    assert world.receive(feedback_report(world.token(delivery))).effect is effect


def test_what_a_form_had_us_send_may_come_back_without_consequence(world: World) -> None:
    with session_scope(world.engine) as session:
        campaign = session.scalars(select(Campaign).limit(1)).one()
        notice = {"purpose": Purpose.NOTICE, "address": ANA, "settled_at": utcnow()}
        bare = deliver(session, campaign, None, DeliveryState.SENT, **notice).id
    assert world.bounce(delivery=bare).effect is Effect.NONE
    assert world.reason() is None
    assert world.receive(feedback_report(world.token(bare))).effect is Effect.SUPPRESS
    assert world.reason() == (SuppressionReason.COMPLAINED, None)


# --- complaints, and wishes of providers' users ---------------------------------------------------------------------


def test_a_complaint_ends_all_mail_at_once_and_nobody_is_told(world: World) -> None:
    assert world.receive(feedback_report(world.token())) == Outcome(Kind.COMPLAINT, Effect.SUPPRESS)
    assert world.reason() == (SuppressionReason.COMPLAINED, None)
    with session_scope(world.engine) as session:
        assert notices_owed(session) == []
    assert (
        world.receive(feedback_report(world.token(), "fraud")).effect is Effect.NONE
    )  # as the mail was reported before


class UnderWay:
    """A campaign that is being sent, and mails of it that have gone out."""

    def __init__(self, world: World, number: int, **columns: object) -> None:
        self._engine = world.engine
        with session_scope(world.engine) as session:
            mailing_list = session.scalars(select(MailingList)).one()
            campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
            people = [make_subscriber(session, mailing_list) for _ in range(number)]
            sent = {"settled_at": utcnow(), "fence": 1, **columns}
            self.mails = [deliver(session, campaign, person, DeliveryState.SENT, **sent).id for person in people]
            self.id = campaign.id

    def status(self) -> CampaignStatus:
        with session_scope(self._engine, read_only=True) as session:
            return session.get_one(Campaign, self.id).status


def test_a_campaign_is_paused_with_the_complaint_that_is_one_too_many(world: World) -> None:
    campaign = UnderWay(world, 20)
    for number in (9, 19):  # what comes again counts once
        for mail in campaign.mails[:number]:
            world.receive(feedback_report(world.token(mail)))
    assert campaign.status() is CampaignStatus.SENDING
    world.receive(feedback_report(world.token(campaign.mails[19])))
    assert campaign.status() is CampaignStatus.PAUSED


def test_what_comes_back_of_test_mails_counts_for_no_campaign(world: World) -> None:
    campaign = UnderWay(world, 20, purpose=Purpose.TEST)
    for mail in campaign.mails[:10]:
        assert world.receive(feedback_report(world.token(mail))).effect is Effect.SUPPRESS
    for mail in campaign.mails[10:]:
        world.bounce("550 5.7.1 blocked by our blocklist", mail)
    with session_scope(world.engine) as session:
        assert report_of.count(session, session.get_one(Campaign, campaign.id)).is_nothing
        returned.become_numbers(session, MailEvent.delivery_id.in_(campaign.mails))
        assert report_of.count(session, session.get_one(Campaign, campaign.id)).is_nothing
        assert measures.complaints(session, campaign.id).all == 0
    assert campaign.status() is CampaignStatus.SENDING and world.numbers() == {}


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_campaign_that_somebody_changes_is_paused_as_soon_as_they_have(world: World) -> None:
    campaign = UnderWay(world, 20)
    for mail in campaign.mails[:-1]:
        world.bounce("550 5.7.1 blocked by our blocklist", mail)
    with session_scope(world.engine) as session:
        session.get_one(Campaign, campaign.id, with_for_update=True)
        last = Beside(lambda: world.bounce("550 5.7.1 blocked by our blocklist", campaign.mails[-1]))
        last.must_wait()
        assert len(world.events()) == 20, "what came is saved before"
    last.result()
    assert campaign.status() is CampaignStatus.PAUSED


def test_a_complaint_weighs_more_than_that_an_address_is_gone(world: World) -> None:
    world.bounce()
    world.receive(feedback_report(world.token()))
    assert world.reason() == (SuppressionReason.COMPLAINED, None)
    world.bounce(delivery=world.mail())
    assert world.reason() == (SuppressionReason.COMPLAINED, None)


@pytest.mark.parametrize("type_", ["auth-failure", "not-spam"])
def test_no_other_report_is_a_complaint(world: World, type_: str) -> None:
    assert world.receive(feedback_report(world.token(), type_)).effect is Effect.NONE
    assert world.reason() is None


def opt_out(world: World, address: str, *, returns_to: str | None = None) -> bytes:
    """A provider's report that somebody wants to leave, with a List-Unsubscribe in the mail that it gives back."""
    token = links.sign(world.keyring, Link.UNSUBSCRIBE, world.subscription)
    header = f"List-Unsubscribe: <{address.format(token=token)}>\n"
    return feedback_report(returns_to or world.token(), "opt-out", headers=header)


@pytest.mark.parametrize("address", [f"mailto:{LEAVE}", "https://example.org/unsubscribe/{token}"])
def test_who_presses_a_providers_button_to_leave_leaves_all_lists_without_a_goodbye(world: World, address: str) -> None:
    with session_scope(world.engine) as session:
        person = session.get_one(Subscriber, world.person)
        subscribe(session, person, make_list(session, "news", name="News"))
    assert world.receive(opt_out(world, address, returns_to="redacted")) == Outcome(Kind.UNSUBSCRIBE, Effect.LEAVE)
    with session_scope(world.engine) as session:
        left = set(session.scalars(select(Subscription.status)))
        assert left == {SubscriptionStatus.UNSUBSCRIBED}
        assert notices_owed(session) == []
    assert world.reason() == (SuppressionReason.LEFT, None)


def test_what_says_that_a_mail_came_back_takes_nobody_off_a_list(world: World) -> None:
    for message in (feedback_report(world.token(), "opt-out"), opt_out(world, f"mailto:leave+{world.token()}@e.org")):
        assert world.receive(message).effect is Effect.NONE
    with session_scope(world.engine) as session:
        assert set(session.scalars(select(Subscription.status))) == {SubscriptionStatus.ACTIVE}


# --- what only says that it is an answer ----------------------------------------------------------------------------


def message_id(world: World) -> str:
    """That of her mail, which stands in every answer that she writes."""
    with session_scope(world.engine) as session:
        campaign = session.get_one(Campaign, session.get_one(Delivery, world.delivery).campaign_id)
        return MessageIds(world.keyring, campaign, domain="example.org").make(world.delivery)


def of_an_answer(world: World, message: bytes, header: str) -> bytes:
    return f"{header}: <{message_id(world)}>\n".encode() + message


@pytest.mark.parametrize("header", ["In-Reply-To", "References", "Original-Message-ID"])
@pytest.mark.parametrize(
    "message",
    [feedback_report("0" * 40), feedback_report("0" * 40, "opt-out"), report("0" * 40), report("0" * 40, "552 5.2.2")],
)
def test_a_message_id_that_a_message_says_it_answers_acts_on_nobody(world: World, message: bytes, header: str) -> None:
    assert world.receive(of_an_answer(world, message, header)).effect is Effect.NONE
    assert world.reason() is None
    assert world.events() == []  # nor does it keep what comes truly from acting
    assert [(key[0], number) for key, number in world.numbers().items()] == [(0, 1)]
    assert world.receive(feedback_report(world.token())).effect is Effect.SUPPRESS


def test_nor_does_one_that_the_mail_which_is_given_back_answers(world: World) -> None:
    message = feedback_report("0" * 40, headers=f"References: <a@example.net>\n <{message_id(world)}>\n")
    assert world.receive(message).effect is Effect.NONE
    assert world.reason() is None


def hearsay(world: World, message: bytes = feedback_report("0" * 40)) -> bytes:
    """A report that gives back nothing of her mail but the Message-ID."""
    return message.replace(b"From: alerts@", f"Message-ID: <{message_id(world)}>\nFrom: alerts@".encode())


def test_a_complaint_that_only_a_message_id_proves_ends_mail_until_its_owner_signs_up_and_alarms_nobody(
    world: World,
) -> None:
    assert world.receive(hearsay(world)).effect is Effect.SUPPRESS
    assert world.reason() == (SuppressionReason.REPORTED, None)
    with session_scope(world.engine) as session:
        (event,) = session.scalars(select(MailEvent))
        assert (event.identified_by, event.source) == (Identified.MESSAGE_ID, "pipe")
        assert event.campaign_id is not None
        assert measures.complaints(session, event.campaign_id) == (0, 0)
        person = session.get_one(Subscriber, world.person)
        assert suppression.lift(session, person.email_index) is SuppressionReason.REPORTED


@pytest.mark.parametrize("days_ago", [1, 31])
def test_what_alarms_nobody_does_not_do_so_as_a_number_either(world: World, days_ago: int) -> None:
    world.delivery = world.mail(days_ago=days_ago)
    proven = days_ago > 1  # but too late
    world.receive(feedback_report(world.token()) if proven else hearsay(world))
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
    ((campaign_id, kind, _),) = world.numbers()
    with session_scope(world.engine) as session:
        assert (kind, measures.complaints(session, campaign_id)) == (Kind.COMPLAINT, (0, 0))
        assert report_of.count(session, session.get_one(Campaign, campaign_id)).complaints is None  # under 10
        assert sum(unread.count(session, today=utctoday())[0].numbers.values()) == 0


def test_a_complaint_that_is_proven_takes_the_place_of_one_that_may_be_made_up(world: World) -> None:
    for message, reason, counted in [
        (hearsay(world), SuppressionReason.REPORTED, 0),
        (feedback_report(world.token()), SuppressionReason.COMPLAINED, 1),
        (hearsay(world) + b"again", SuppressionReason.COMPLAINED, 1),
    ]:
        world.receive(message)
        assert world.reason() == (reason, None)
        assert world.events() == [(Kind.COMPLAINT, Effect.SUPPRESS)]
        with session_scope(world.engine) as session:
            (campaign_id,) = session.scalars(select(MailEvent.campaign_id))
            assert measures.complaints(session, campaign_id or 0).all == counted


def test_a_bounce_that_may_be_made_up_keeps_no_other_from_acting(world: World) -> None:
    assert world.receive(hearsay(world, report("0" * 40, "552 5.2.2 mailbox full"))).effect is Effect.COUNT
    assert world.bounce().effect is Effect.SUPPRESS
    assert world.reason() == (SuppressionReason.BOUNCED, Category.NO_MAILBOX)
    assert world.events() == [(Kind.BOUNCE, Effect.SUPPRESS)]


def test_a_token_in_the_report_proves_what_an_answer_does_not(world: World) -> None:
    named = feedback_report("0" * 40).replace(
        b"Version: 1\n", f"Version: 1\nOriginal-Mail-From: <bounce+{world.token()}@in.example.org>\n".encode()
    )
    assert world.receive(of_an_answer(world, named, "References")).effect is Effect.SUPPRESS


def test_an_answer_is_kept_as_one_by_what_it_answers(world: World) -> None:
    message = of_an_answer(world, f"From: Ana <{ANA}>\nTo: office@example.org\n\nHello\n".encode(), "In-Reply-To")
    assert world.receive(message) == Outcome(Kind.REPLY, why=NOBODY_READS)
    assert world.events() == [(Kind.REPLY, Effect.NONE)]


# --- leaving --------------------------------------------------------------------------------------------------------


def wish(world: World) -> bytes:
    token = links.sign(world.keyring, Link.UNSUBSCRIBE, world.subscription)
    return f"From: Ana <{ANA}>\nTo: leave+{token}@in.example.org\nSubject: unsubscribe\n\nPlease.\n".encode()


def test_a_wish_to_leave_counts_for_the_last_mail_from_that_list(world: World) -> None:
    world.mail(days_ago=3)
    assert world.receive(wish(world)) == Outcome(Kind.UNSUBSCRIBE, Effect.LEAVE)
    with session_scope(world.engine) as session:
        assert session.scalars(select(MailEvent.delivery_id)).all() == [world.delivery]


def test_the_same_wish_given_again_does_not_end_what_somebody_came_back_to(world: World) -> None:
    world.receive(wish(world))
    with session_scope(world.engine) as session:
        subscribers.put_on(session, world.person, session.scalars(select(MailingList.id)).one(), utcnow())
        subscribers.refresh(session, [world.person])
    assert world.receive(wish(world)).effect is Effect.NONE
    assert world.reason() is None
    assert world.receive(wish(world) + b"Again.").effect is Effect.LEAVE


# --- what does nothing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "kind", "why"),
    [
        ("Subject: Re: Free the five\n", Kind.REPLY, NOBODY_READS),
        ("Subject: Out of office\nAuto-Submitted: auto-replied\n", Kind.AUTO_REPLY, None),
    ],
)
def test_answers_are_kept_as_events_and_do_nothing(world: World, headers: str, kind: Kind, why: str | None) -> None:
    message = f"From: Ana <{ANA}>\nTo: bounce+{world.token()}@in.example.org\n{headers}\nHello\n".encode()
    assert world.receive(message) == Outcome(kind, why=why)
    assert world.events() == [(kind, Effect.NONE)]


def test_of_one_mail_so_many_answers_are_kept_and_the_others_only_counted(world: World) -> None:
    for number in range(returned.MOST_OF_ONE + 2):
        to = f"bounce+{world.token()}@in.example.org"
        world.receive(f"From: a@example.net\nTo: {to}\nAuto-Submitted: auto-replied\n\n{number}\n".encode())
    assert len(world.events()) == returned.MOST_OF_ONE
    assert list(world.numbers().values()) == [2]


def flood(world: World) -> None:
    """As much of one mail as is kept, and none of it does anything."""
    for number in range(returned.MOST_OF_ONE):
        delayed = report(world.token()).replace(b"Action: failed", f"Action: delayed\nX-Number: {number}".encode())
        assert world.receive(delayed) == Outcome(Kind.DELAYED)


def test_however_much_harmless_comes_first_a_wish_to_leave_still_does_what_it_must(world: World) -> None:
    flood(world)
    assert world.receive(wish(world)) == Outcome(Kind.UNSUBSCRIBE, Effect.LEAVE)
    with session_scope(world.engine) as session:
        assert session.get_one(Subscription, world.subscription).status is SubscriptionStatus.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (feedback_report, (SuppressionReason.COMPLAINED, None)),
        (report, (SuppressionReason.BOUNCED, Category.NO_MAILBOX)),
    ],
)
def test_however_much_harmless_comes_first_what_matters_still_does_what_it_must(
    world: World, message: Callable[[str], bytes], reason: tuple[SuppressionReason, Category | None]
) -> None:
    flood(world)
    assert world.receive(message(world.token())).effect is Effect.SUPPRESS
    assert world.reason() == reason


def test_a_bounce_that_counts_is_kept_however_much_harmless_came_first(world: World) -> None:
    flood(world)
    assert world.bounce("552 5.2.2 mailbox full").effect is Effect.COUNT
    assert (Kind.BOUNCE, Effect.COUNT) in world.events()


def test_what_is_too_much_is_not_said_to_have_come_before(world: World) -> None:
    flood(world)
    answer = f"From: a@example.net\nTo: bounce+{world.token()}@in.example.org\nAuto-Submitted: auto-replied\n\n"
    assert world.receive(answer.encode()).why == "too much came of its mail, so it is only counted"


def test_who_writes_again_and_again_that_they_leave_fills_no_database(world: World) -> None:
    for number in range(returned.MOST_OF_ONE + 5):
        world.receive(wish(world) + str(number).encode())
    assert len(world.events()) == returned.MOST_OF_ONE


@pytest.mark.parametrize("address", ["BOUNCE+{}@IN.EXAMPLE.ORG", "prvs=1234abcdef=bounce+{}@in.example.org"])
def test_a_message_to_several_spellings_of_one_address_is_one(world: World, address: str) -> None:
    message = b"From: a@example.net\nSubject: Re: Free the five\n\nHello\n"
    for written in ("bounce+{}@in.example.org", address):
        world.receive(message, recipient=written.format(world.token()), sender="a@example.net")
    assert world.events() == [(Kind.REPLY, Effect.NONE)]


@given(st.binary(max_size=20), st.integers(0, 2**160 - 1))
def test_nothing_that_we_did_not_sign_acts_on_anybody(body: bytes, number: int) -> None:
    own = OwnAddresses(KEYRING, unsubscribe_address=LEAVE, bounce_address=BOUNCE)
    for message in (report(f"{number:040x}"), feedback_report(f"{number:040x}"), b"To: leave+" + body):
        found = receiving.recognise(message, addresses=own)
        assert (found.delivery, found.subscription) == (None, None)


@pytest.mark.parametrize("make", [report, feedback_report])
def test_what_is_about_no_mail_of_ours_is_counted_and_no_more(world: World, make: Callable[[str], bytes]) -> None:
    for token in ("0" * 40, links.sign(world.keyring, Link.UNSUBSCRIBE, world.delivery), world.token(4_000_000)):
        assert world.receive(make(token)).effect is Effect.NONE
    assert world.reason() is None
    assert world.events() == []
    assert list(world.numbers().values()) == [3]


# --- how long it is kept --------------------------------------------------------------------------------------------


def test_events_become_numbers_of_a_campaign_and_month_after_ninety_days(
    world: World, day: Callable[[int], None]
) -> None:
    world.bounce()
    for later in (89, 91):
        day(later)
        with session_scope(world.engine) as session:
            returned.forget_old(session)
            campaign = session.get_one(Delivery, world.delivery).campaign_id
        assert len(world.events()) == (1 if later == 89 else 0)
    assert world.numbers() == {(campaign, Kind.BOUNCE, "no_mailbox"): 1}


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_events_become_numbers_when_nobody_is_just_being_erased(world: World) -> None:
    """Whose events become numbers too: neither waits for what the other has counted."""

    def forget_old() -> None:
        with session_scope(world.engine) as session:
            returned.forget_old(session)

    with session_scope(world.engine) as session:
        suppression.lock_alone(session)
        sweeper = Beside(forget_old)
        sweeper.must_wait()
    sweeper.result()


def test_who_is_erased_leaves_numbers_and_no_event(world: World) -> None:
    world.bounce("552 5.2.2 mailbox full")
    world.receive(wish(world))
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
    assert world.events() == []
    assert sum(world.numbers().values()) == 2
    assert world.receive(feedback_report(world.token())).effect is Effect.NONE


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_refusal_that_is_noted_while_somebody_is_erased_leaves_no_event(world: World) -> None:
    def erase() -> None:
        with session_scope(world.engine) as other:
            subscribers.erase(other, ANA)

    with session_scope(world.engine) as session:
        session.get_one(Delivery, world.delivery).state = DeliveryState.FAILED
        session.flush()
        bounces.refuse(session, {world.delivery: Category.FULL})
        session.flush()
        erasure = Beside(erase)
        erasure.must_wait()
    erasure.result()
    assert world.events() == []


def test_who_is_erased_leaves_no_event_with_the_hash_of_their_address(world: World) -> None:
    other = world.mail()
    with session_scope(world.engine) as session:
        bounces.refuse(session, {other: Category.FULL})
        session.get_one(Delivery, other).subscriber_id = None
        session.flush()
        subscribers.erase(session, ANA)
    assert world.events() == []


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_who_leaves_by_mail_while_they_are_erased_leaves_no_event(world: World) -> None:
    outcomes: list[Outcome] = []
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
        leaving = Beside(lambda: outcomes.append(world.receive(wish(world))))
        leaving.must_wait()
    leaving.result()
    assert outcomes == [Outcome(Kind.UNSUBSCRIBE, why="not on our list")]
    assert world.events() == []


def test_of_what_several_workers_are_given_at_once_only_one_acts(world: World) -> None:
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: world.bounce(), range(4)))
    assert sorted(outcome.effect for outcome in outcomes) == [*[Effect.NONE] * 3, Effect.SUPPRESS]
    assert len(world.events()) == 1
