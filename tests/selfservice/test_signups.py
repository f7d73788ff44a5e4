"""Signing up changes nobody's data before the owner of the address confirms it, and tells nobody who is known."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer import links
from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.mail import addresses
from mailer.people import lists, mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import Notice, NoticeKind
from mailer.selfservice import signups
from mailer.selfservice.signups import SignUp
from mailer.spreadsheets.importing import import_file
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Base,
    CampaignStatus,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    Delivery,
    DeliveryState,
    JoinCount,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    TargetRole,
    Union,
)
from tests.support.concurrency import Beside
from tests.support.days import is_today
from tests.support.factories import add_text, make_campaign, make_list, make_subscriber, make_union
from tests.support.statements import watched

BASE_URL = "https://act.example.org"
ANA = "ana@example.org"
ASKED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def own_names(found: Iterable[lists.Wording]) -> tuple[str, ...]:
    """What lists are called in no language in particular."""
    return tuple(each.own for each in found)


@pytest.fixture
def mailing_list(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session, "news", name="News")


@pytest.fixture
def union(session: Session) -> Union:
    return make_union(session)


@pytest.fixture
def sign_up(session: Session, mailing_list: MailingList, news: MailingList, union: Union) -> SignUp:
    """One of a person whom nobody knows, for the first of two lists."""
    session.commit()
    return SignUp(
        address=addresses.parse(ANA),
        name="Ana Example",
        country="FR",
        union_id=union.id,
        language="fr",
        list_ids=(mailing_list.id,),
        alerts_text="Yes, write to me.",
        union_text="Yes, store my union.",
        shown_in="en",
        asked_at=ASKED,
    )


def blind_index(session: Session, email: str = ANA) -> bytes:
    return keyring_of(session).blind_index(addresses.parse(email).folded)


def latest_notice(session: Session) -> Delivery:
    return session.scalars(select(Delivery).order_by(Delivery.id.desc()).limit(1)).one()


def said(delivery: Delivery) -> Notice:
    assert delivery.notice is not None
    return Notice.from_stored(delivery.notice)


def ask(engine: Engine, sign_up: SignUp) -> str:
    """Ask, and return the token in the mail."""
    with session_scope(engine) as session:
        signups.ask(session, sign_up)
        token = said(latest_notice(session)).token
    assert token is not None
    return token


def confirm(engine: Engine, token: str, ring: Callable[[int], None] = lambda _: None) -> signups.Confirmed:
    with notices.ringing_session(engine, ring) as session:
        return signups.confirm(session, token, union_agreed=True, base_url=BASE_URL)


def person_of(session: Session, email: str = ANA) -> Subscriber:
    session.expire_all()
    person = subscribers.find(session, email)
    assert person is not None
    return person


def statuses(session: Session, person: Subscriber) -> dict[int, SubscriptionStatus]:
    session.expire_all()
    theirs = select(Subscription).where(Subscription.subscriber_id == person.id)
    return {subscription.list_id: subscription.status for subscription in session.scalars(theirs)}


def suppress(session: Session, reason: SuppressionReason, email: str = ANA) -> None:
    suppression.add(session, blind_index(session, email), reason)
    subscribers.refresh(session)


# --- asking ---------------------------------------------------------------------------------------------------------


def test_nothing_is_known_of_anybody_before_they_confirm(engine: Engine, session: Session, sign_up: SignUp) -> None:
    ask(engine, sign_up)
    for table in (Subscriber, Subscription, ConsentEvent, ConsentText, JoinCount):
        assert session.scalars(select(table)).all() == []
    request = session.scalars(select(MailedLink)).one()
    assert request.kind is MailedLinkKind.SIGN_UP
    assert request.expires_at - request.created_at == timedelta(days=7)


def test_nothing_that_was_typed_goes_into_the_mail(engine: Engine, session: Session, sign_up: SignUp) -> None:
    ask(engine, sign_up)
    delivery = latest_notice(session)
    assert (delivery.address, delivery.state) == (ANA, DeliveryState.PENDING)
    assert (said(delivery).kind, said(delivery).language, said(delivery).words) == (NoticeKind.CONFIRM, "fr", {})


def unknown(session: Session, sign_up: SignUp) -> None:
    make_subscriber(session, session.get(MailingList, sign_up.list_ids[0]), email="boris@example.org")


def active(session: Session, sign_up: SignUp) -> None:
    make_subscriber(session, session.get(MailingList, sign_up.list_ids[0]), email="Ana@example.org", language="el")


def on_another_list(session: Session, sign_up: SignUp) -> None:
    other = session.scalars(select(MailingList).where(MailingList.id.not_in(sign_up.list_ids))).one()
    make_subscriber(session, other, email="Ana@example.org", language="el")


def known_only(session: Session, sign_up: SignUp) -> None:
    make_subscriber(session, email="Ana@example.org", language="el")


def left(session: Session, sign_up: SignUp) -> None:
    mailing_list = session.get(MailingList, sign_up.list_ids[0])
    make_subscriber(session, mailing_list, email="Ana@example.org", status=SubscriptionStatus.UNSUBSCRIBED)
    suppress(session, SuppressionReason.LEFT)


def erased(session: Session, sign_up: SignUp) -> None:
    suppress(session, SuppressionReason.ERASED)


def bounced(session: Session, sign_up: SignUp) -> None:
    active(session, sign_up)
    suppress(session, SuppressionReason.BOUNCED)


def complained(session: Session, sign_up: SignUp) -> None:
    active(session, sign_up)
    suppress(session, SuppressionReason.COMPLAINED)


def repeated(session: Session, sign_up: SignUp) -> None:
    signups.ask(session, sign_up)


def repeated_while_active(session: Session, sign_up: SignUp) -> None:
    active(session, sign_up)
    signups.ask(session, sign_up)


Situation = Callable[[Session, SignUp], None]
SITUATIONS: list[Situation] = [
    *(unknown, active, on_another_list, known_only, left, erased, bounced, complained),
    *(repeated, repeated_while_active),
]


def work_of(engine: Engine, sign_up: SignUp) -> list[str]:
    """The statements of asking."""
    with watched(engine) as statements, session_scope(engine) as session:
        signups.ask(session, sign_up)
    return statements


def rows(session: Session) -> dict[str, int]:
    """Table → how many rows it has."""
    counts = {name: session.scalar(select(func.count()).select_from(t)) for name, t in Base.metadata.tables.items()}
    session.commit()
    return {name: count or 0 for name, count in counts.items()}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_same_work_is_done_whoever_is_known(
    engine: Engine, session: Session, sign_up: SignUp, situation: Situation
) -> None:
    signups.ask(session, replace(sign_up, address=addresses.parse("first@example.org")))  # makes the standing campaign
    session.commit()
    expected = work_of(engine, replace(sign_up, address=addresses.parse("nobody@example.org")))
    situation(session, sign_up)
    before = rows(session)
    assert work_of(engine, sign_up) == expected
    added = {table: count - before[table] for table, count in rows(session).items() if count != before[table]}
    assert added == {"mailed_links": 1, "deliveries": 1}


@pytest.mark.parametrize(
    ("situation", "kind", "language", "withheld"),
    [
        (unknown, NoticeKind.CONFIRM, "fr", None),
        (active, NoticeKind.MANAGE, "el", None),
        (on_another_list, NoticeKind.CONFIRM, "fr", None),
        (known_only, NoticeKind.CONFIRM, "fr", None),
        (left, NoticeKind.CONFIRM, "fr", None),
        (erased, NoticeKind.CONFIRM, "fr", None),
        (bounced, NoticeKind.CONFIRM, "fr", None),
        (complained, NoticeKind.CONFIRM, "fr", Reason.SUPPRESSED),
        (repeated, NoticeKind.CONFIRM, "fr", Reason.REPEATED),
        (repeated_while_active, NoticeKind.MANAGE, "el", Reason.REPEATED),
    ],
)
def test_the_mail_is_the_one_that_the_owner_of_the_address_needs(
    session: Session, sign_up: SignUp, situation: Situation, kind: NoticeKind, language: str, withheld: Reason | None
) -> None:
    situation(session, sign_up)
    signups.ask(session, sign_up)
    delivery = latest_notice(session)
    assert (said(delivery).kind, said(delivery).language, delivery.reason) == (kind, language, withheld)
    assert delivery.state is (DeliveryState.SKIPPED if withheld else DeliveryState.PENDING)
    person = subscribers.find(session, ANA)  # who is known is written to as they spelt it themselves
    assert (delivery.subscriber_id, delivery.address) == (None, None if withheld else person.email if person else ANA)


def test_the_link_in_a_manage_mail_is_its_owners(session: Session, sign_up: SignUp) -> None:
    active(session, sign_up)
    signups.ask(session, sign_up)
    token = said(latest_notice(session)).token
    assert token is not None
    request = mailed_links.find(session, MailedLinkKind.MANAGE, token)
    assert (mailed_links.person_of(request), mailed_links.details_of(request)) == (person_of(session).id, {})


@pytest.mark.parametrize("situation", [complained, repeated_while_active])
def test_of_what_is_withheld_nothing_is_kept(session: Session, sign_up: SignUp, situation: Situation) -> None:
    situation(session, sign_up)
    signups.ask(session, sign_up)
    withheld = session.scalars(select(MailedLink).order_by(MailedLink.id.desc()).limit(1)).one()
    assert mailed_links.details_of(withheld) == {}
    assert withheld.email_index != blind_index(session)
    assert said(latest_notice(session)).token is None


def test_an_address_gets_one_mail_a_day_however_often_others_ask(session: Session, sign_up: SignUp) -> None:
    reasons = []
    for hours_later in (0, 1, 22, 2, 22):
        for request in session.scalars(select(MailedLink)):
            request.created_at -= timedelta(hours=hours_later)
        signups.ask(session, sign_up)
        reasons.append(latest_notice(session).reason)
    assert reasons == [None, Reason.REPEATED, Reason.REPEATED, None, Reason.REPEATED]


@pytest.mark.parametrize("is_active", [False, True])
def test_a_mailbox_gets_one_mail_a_day_whichever_of_its_addresses_others_ask_for(
    session: Session, sign_up: SignUp, *, is_active: bool
) -> None:
    texts = [f"Ana+{number}@example.org" for number in range(1, 12)]
    if is_active:
        for text in texts:
            make_subscriber(session, session.get_one(MailingList, sign_up.list_ids[0]), email=text)
    for text in texts:
        signups.ask(session, replace(sign_up, address=addresses.parse(text)))
    owed = session.scalars(select(Delivery).order_by(Delivery.id)).all()
    assert [delivery.reason for delivery in owed] == [None, *[Reason.REPEATED] * 10]
    assert owed[0].address == "Ana+1@example.org"  # as it was typed
    signups.ask(session, replace(sign_up, address=addresses.parse("anna@example.org")))
    assert latest_notice(session).reason is None


def test_nobody_is_kept_off_the_list_by_who_asks_for_aliases_that_may_not_reach_them(
    session: Session, sign_up: SignUp
) -> None:
    for text in ("ana+1@example.org", ANA, ANA, "ana+2@example.org"):
        signups.ask(session, replace(sign_up, address=addresses.parse(text)))
    owed = session.scalars(select(Delivery.reason).order_by(Delivery.id)).all()
    assert owed == [None, None, Reason.REPEATED, Reason.REPEATED]


def test_a_link_that_was_used_does_not_count_against_the_mailbox(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    confirm(engine, ask(engine, sign_up))
    assert session.scalars(select(MailedLink.mailbox)).all() == [None]
    session.rollback()
    other = replace(sign_up, address=addresses.parse("ana+2@example.org"))
    confirm(engine, ask(engine, other))


def test_a_mail_that_waits_for_its_turn_is_sent_when_that_comes(session: Session, sign_up: SignUp) -> None:
    turn = utcnow() + timedelta(hours=2)
    signups.ask(session, sign_up, not_before=turn)
    owed = latest_notice(session)
    assert (owed.state, owed.not_before, owed.settled_at) == (DeliveryState.DEFERRED, turn, None)
    signups.ask(session, sign_up, not_before=turn)
    withheld = latest_notice(session)
    assert (withheld.state, withheld.not_before) == (DeliveryState.SKIPPED, None)


def test_who_left_may_come_back_on_the_day_they_joined(engine: Engine, session: Session, sign_up: SignUp) -> None:
    confirm(engine, ask(engine, sign_up))
    session.execute(update(Subscription).values(status=SubscriptionStatus.UNSUBSCRIBED))
    session.commit()
    confirm(engine, ask(engine, sign_up))
    assert set(statuses(session, person_of(session)).values()) == {SubscriptionStatus.ACTIVE}


@pytest.mark.parametrize("other", [ANA, "ana+2@example.org"])
def test_of_two_who_ask_for_one_mailbox_at_once_one_is_the_second(
    engine: Engine, session: Session, sign_up: SignUp, other: str
) -> None:
    with session_scope(engine) as first:
        signups.ask(first, sign_up)
        second = Beside(lambda: ask_again(engine, replace(sign_up, address=addresses.parse(other))))
        second.must_wait()
    second.result()
    reasons = session.scalars(select(Delivery.reason).order_by(Delivery.id)).all()
    assert reasons == [None, Reason.REPEATED]


def ask_again(engine: Engine, sign_up: SignUp) -> None:
    with session_scope(engine) as session:
        signups.ask(session, sign_up)


def test_a_sign_up_waits_for_an_erasure_of_the_same_person(engine: Engine, session: Session, sign_up: SignUp) -> None:
    active(session, sign_up)
    session.commit()
    with session_scope(engine) as erasing:
        subscribers.erase(erasing, ANA)
        asking = Beside(lambda: ask_again(engine, sign_up))
        asking.must_wait()
    asking.result()
    assert said(latest_notice(session)).kind is NoticeKind.CONFIRM


# --- confirming -----------------------------------------------------------------------------------------------------


def test_who_confirms_is_on_the_list_with_what_they_filled_in(
    engine: Engine, session: Session, sign_up: SignUp, union: Union
) -> None:
    confirmed = confirm(engine, ask(engine, sign_up))
    assert (own_names(confirmed.lists), confirmed.language, confirmed.alert) == (("Urgent actions",), "fr", None)
    person = person_of(session)
    assert (person.email, person.name, person.country, person.language) == (ANA, "Ana Example", "FR", "fr")
    assert person.union_id == union.id
    subscription = session.scalars(select(Subscription)).one()
    assert (subscription.status, subscription.mailable) == (SubscriptionStatus.ACTIVE, True)
    assert (subscription.country, subscription.language, subscription.union_id) == ("FR", "fr", union.id)
    assert is_today(subscription.confirmed_at)


def test_the_consent_log_says_what_was_agreed_to_in_which_words_and_when(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    both = replace(sign_up, list_ids=(*sign_up.list_ids, news.id))
    confirm(engine, ask(engine, both))
    logged_with_words = session.execute(
        select(ConsentEvent, ConsentText).join(ConsentText, ConsentText.id == ConsentEvent.text_id)
    )
    events = {(logged.purpose, logged.list_id): (logged, text) for logged, text in logged_with_words}
    assert set(events) == {
        *((ConsentPurpose.ALERTS, list_id) for list_id in both.list_ids),
        (ConsentPurpose.UNION, None),
    }
    assert {text.text for (purpose, _), (_, text) in events.items() if purpose is ConsentPurpose.ALERTS} == {
        "Yes, write to me."
    }
    assert events[ConsentPurpose.UNION, None][1].text == "Yes, store my union."
    for logged, text in events.values():
        assert (logged.method, logged.asked_at, text.language) == ("sign-up form", ASKED.date(), "en")
        assert logged.confirmed_at == session.scalars(select(MailedLink.used_at)).one()


def test_a_union_is_stored_only_with_the_consent_to_that(engine: Engine, session: Session, sign_up: SignUp) -> None:
    confirm(engine, ask(engine, replace(sign_up, union_text=None)))
    assert person_of(session).union_id is None
    assert session.scalars(select(ConsentEvent.purpose)).all() == [ConsentPurpose.ALERTS]


def test_what_was_not_given_is_not_filled_in(engine: Engine, session: Session, sign_up: SignUp) -> None:
    confirm(engine, ask(engine, replace(sign_up, name=None, country=None, union_id=None, union_text=None)))
    person = person_of(session)
    assert (person.name, person.country, person.union_id) == (None, None, None)


def test_who_gets_our_mail_is_put_on_one_more_list_and_keeps_what_they_told_us(
    engine: Engine, session: Session, sign_up: SignUp, union: Union
) -> None:
    on_another_list(session, sign_up)
    person = person_of(session)
    person.name = None
    session.commit()
    confirmed = confirm(engine, ask(engine, sign_up))
    assert own_names(confirmed.lists) == ("Urgent actions",)
    person = person_of(session)
    assert (person.country, person.language) == ("GB", "el")
    assert (person.name, person.union_id) == ("Ana Example", union.id)  # which they had not told
    assert set(statuses(session, person).values()) == {SubscriptionStatus.ACTIVE}
    assert len(statuses(session, person)) == 2


def test_who_comes_back_tells_us_anew(engine: Engine, session: Session, sign_up: SignUp) -> None:
    left(session, sign_up)
    session.commit()
    confirm(engine, ask(engine, replace(sign_up, name=None)))
    person = person_of(session)
    assert (person.name, person.country, person.language) == ("Ana Example", "FR", "fr")
    subscription = session.scalars(select(Subscription)).one()
    assert (subscription.unsubscribed_at, subscription.mailable) == (None, True)


def test_who_paused_and_left_is_not_paused_when_they_come_back(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    left(session, sign_up)
    session.execute(update(Subscription).values(paused_until=utcnow() + timedelta(weeks=4), reason="too much"))
    session.commit()
    confirm(engine, ask(engine, sign_up))
    subscription = session.scalars(select(Subscription)).one()
    assert (subscription.paused_until, subscription.reason, subscription.mailable) == (None, None, True)


@pytest.mark.parametrize("situation", [left, erased, bounced])
def test_their_own_confirmed_sign_up_lifts_what_kept_mail_from_them(
    engine: Engine, session: Session, sign_up: SignUp, situation: Situation
) -> None:
    situation(session, sign_up)
    session.commit()
    confirm(engine, ask(engine, sign_up))
    assert session.scalars(select(Suppression)).all() == []
    assert session.scalars(select(Subscription.mailable)).all() == [True]


def test_nothing_is_lifted_by_a_sign_up_that_nobody_confirms(engine: Engine, session: Session, sign_up: SignUp) -> None:
    left(session, sign_up)
    session.commit()
    before = rows_about_people(session)
    ask(engine, sign_up)
    session.expire_all()
    assert rows_about_people(session) == before


def rows_about_people(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored of people, save requests and the ledger."""
    names = ("subscribers", "subscriptions", "suppressions", "consent_events", "consent_texts", "join_counts")
    found = {name: [tuple(row) for row in session.execute(select(Base.metadata.tables[name]))] for name in names}
    session.commit()
    return found


def test_who_reported_our_mail_as_spam_is_never_brought_back(engine: Engine, session: Session, sign_up: SignUp) -> None:
    token = ask(engine, sign_up)
    suppress(session, SuppressionReason.COMPLAINED)
    session.commit()
    before = rows_about_people(session)
    with pytest.raises(DeadLink):
        confirm(engine, token)
    session.expire_all()
    assert rows_about_people(session) == before


def test_an_import_brings_nobody_back_but_their_own_sign_up_does(
    engine: Engine, session: Session, sign_up: SignUp, tmp_path: Path
) -> None:
    left(session, sign_up)
    session.commit()
    file = tmp_path / "people.csv"
    file.write_text(f"email\n{ANA}\n")
    report = import_file(engine, file, list_slug="urgent-actions", consent="I agree.")
    assert report.left == 1
    assert session.scalars(select(Subscription.mailable)).all() == [False]
    session.commit()
    confirm(engine, ask(engine, sign_up))
    session.expire_all()
    assert session.scalars(select(Subscription.mailable)).all() == [True]


def test_a_link_is_good_for_seven_days(engine: Engine, session: Session, sign_up: SignUp) -> None:
    token = ask(engine, sign_up)
    session.execute(update(MailedLink).values(expires_at=utcnow() + timedelta(seconds=5)))
    session.commit()
    assert signups.look(session, token).language == "fr"
    session.execute(update(MailedLink).values(expires_at=utcnow() - timedelta(seconds=5)))
    session.commit()
    session.expire_all()
    with pytest.raises(DeadLink):
        signups.look(session, token)
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)
    assert session.scalars(select(Subscriber)).all() == []


def test_a_link_that_was_made_for_something_else_confirms_nothing(session: Session, sign_up: SignUp) -> None:
    manage = mailed_links.issue(
        session, MailedLinkKind.MANAGE, email_index=blind_index(session), details=mailed_links.to_details(sign_up)
    )
    for token in (manage, "0" * 40, "x"):
        with pytest.raises(UnknownLink):
            signups.look(session, token)
        with pytest.raises(UnknownLink):
            signups.confirm(session, token, union_agreed=True, base_url=BASE_URL)


def test_confirming_twice_shows_the_same_and_changes_nothing(engine: Engine, session: Session, sign_up: SignUp) -> None:
    token = ask(engine, replace(sign_up, via_union_id=sign_up.union_id))
    first = confirm(engine, token)
    before, mails = rows_about_people(session), rows(session)["deliveries"]
    rung: list[int] = []
    second = confirm(engine, token, rung.append)
    session.expire_all()
    assert (second, rung) == (first, [])
    assert rows_about_people(session) == before
    assert rows(session)["deliveries"] == mails
    assert signups.look(session, token).language == "fr"


def test_an_old_link_does_not_bring_back_who_left_since(engine: Engine, session: Session, sign_up: SignUp) -> None:
    token = ask(engine, sign_up)
    confirm(engine, token)
    session.execute(update(Subscription).values(status=SubscriptionStatus.UNSUBSCRIBED, mailable=False))
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)
    assert set(statuses(session, person_of(session)).values()) == {SubscriptionStatus.UNSUBSCRIBED}


def test_the_page_names_no_list_that_the_link_was_not_for(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    token = ask(engine, sign_up)
    confirm(engine, token)
    assert own_names(confirm(engine, ask(engine, replace(sign_up, list_ids=(news.id,)))).lists) == ("News",)
    assert own_names(confirm(engine, token).lists) == ("Urgent actions",)


def test_a_link_that_was_used_before_it_kept_its_lists_shows_those_that_were_confirmed_that_day(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    token = ask(engine, sign_up)
    confirm(engine, token)
    mailed_links.keep(session.scalars(select(MailedLink)).one(), {})
    session.commit()
    assert own_names(confirm(engine, token).lists) == ("Urgent actions",)
    session.execute(update(MailedLink).values(used_at=utcnow() - timedelta(days=1)))
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)


def test_a_link_of_a_person_who_was_erased_leads_nowhere(engine: Engine, session: Session, sign_up: SignUp) -> None:
    tokens = [ask(engine, sign_up)]
    confirm(engine, tokens[0])
    with session_scope(engine) as erasing:
        subscribers.erase(erasing, ANA)
    tokens.append(ask(engine, sign_up))
    with session_scope(engine) as erasing:
        subscribers.erase(erasing, ANA)
    for token in tokens:
        with pytest.raises(DeadLink):
            confirm(engine, token)


def test_once_confirmed_a_request_holds_its_lists_and_no_details_of_the_person(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    confirm(engine, ask(engine, sign_up))
    kept = mailed_links.details_of(session.scalars(select(MailedLink)).one())
    del kept["said_until"]
    assert kept == {
        "list_ids": list(sign_up.list_ids),
        "taken": ["name", "country", "language", "union_id"],
        "is_union_left_out": False,
    }


# --- by a union's page ----------------------------------------------------------------------------------------------


def test_joins_by_a_unions_page_are_counted_and_not_stored_on_the_person(
    engine: Engine, session: Session, sign_up: SignUp, union: Union
) -> None:
    by_union = replace(sign_up, union_id=None, union_text=None, via_union_id=union.id)
    confirm(engine, ask(engine, by_union))
    confirm(engine, ask(engine, replace(by_union, address=addresses.parse("boris@example.org"))))
    count = session.scalars(select(JoinCount)).one()
    assert (count.union_id, count.month, count.joined) == (union.id, utcnow().strftime("%Y-%m"), 2)
    assert session.scalars(select(Subscriber.union_id)).all() == [None, None]
    assert session.scalars(select(Subscription.union_id)).all() == [None, None]
    kept = [mailed_links.details_of(link) for link in session.scalars(select(MailedLink))]
    assert [details["list_ids"] for details in kept] == [list(sign_up.list_ids)] * 2
    assert not {"via_union_id", "union_id"} & set().union(*kept)


def test_a_sign_up_that_is_not_confirmed_counts_as_no_join(
    engine: Engine, session: Session, sign_up: SignUp, union: Union
) -> None:
    ask(engine, replace(sign_up, via_union_id=union.id))
    assert session.scalars(select(JoinCount)).all() == []


def test_who_gets_our_mail_already_does_not_count_as_a_join(
    engine: Engine, session: Session, sign_up: SignUp, union: Union
) -> None:
    on_another_list(session, sign_up)
    session.commit()
    confirm(engine, ask(engine, replace(sign_up, via_union_id=union.id)))
    assert session.scalars(select(JoinCount)).all() == []


# --- the welcome ----------------------------------------------------------------------------------------------------


def welcome_words(session: Session) -> dict[str, str]:
    delivery = latest_notice(session)
    assert said(delivery).kind is NoticeKind.WELCOME
    assert said(delivery).token is None
    assert (delivery.subscriber_id, said(delivery).language) == (person_of(session).id, "fr")
    return dict(said(delivery).words)


def test_the_welcome_mail_names_the_lists_and_gives_a_link_to_share(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    rung: list[int] = []
    confirm(engine, ask(engine, replace(sign_up, list_ids=(*sign_up.list_ids, news.id))), rung.append)
    assert rung == [latest_notice(session).campaign_id]
    words = welcome_words(session)
    assert (words["leave_1"], words["leave_2"]) == ("News", "Urgent actions")
    assert ("lists" in words, words["share_url"]) == (False, "https://act.example.org/")
    assert not [word for word in words if word.startswith(("campaign", "target"))]


def test_the_welcome_mail_has_links_to_leave_each_list_and_to_what_one_gets(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    both = replace(sign_up, list_ids=(*sign_up.list_ids, news.id))
    session.rollback()
    confirm(engine, ask(engine, both))
    words, keyring = welcome_words(session), keyring_of(session)
    assert (words["leave_1"], words["leave_2"]) == ("News", "Urgent actions")
    for number, list_id in enumerate((news.id, *sign_up.list_ids), start=1):
        pages, _, token = words[f"leave_{number}_url"].rpartition("/")
        assert pages == f"{BASE_URL}/fr/unsubscribe"
        left = session.get_one(Subscription, links.verify(keyring, links.Link.UNSUBSCRIBE, token))
        assert left.list_id == list_id
    pages, _, token = words["preferences_url"].rpartition("/")
    assert pages == f"{BASE_URL}/fr/preferences"
    assert links.verify(keyring, links.Link.UNSUBSCRIBE, token)


def test_who_is_on_the_list_already_is_told_so_in_the_mail(session: Session, sign_up: SignUp) -> None:
    active(session, sign_up)
    signups.ask(session, sign_up)
    assert said(latest_notice(session)).words == {"is_on_list": "yes"}


@pytest.mark.parametrize("deadline", [None, timedelta(hours=-1)])
def test_the_welcome_offers_no_alert_whose_deadline_is_not_to_come(
    engine: Engine, session: Session, sign_up: SignUp, mailing_list: MailingList, deadline: timedelta | None
) -> None:
    campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENT)
    campaign.public, campaign.started_at = True, utcnow()
    campaign.deadline = None if deadline is None else utcnow() + deadline
    session.commit()
    assert confirm(engine, ask(engine, sign_up)).alert is None
    assert "campaign_url" not in welcome_words(session)


@pytest.mark.parametrize(("about", "is_offered"), [("FR", False), ("BR", True)])
def test_a_welcome_asks_nobody_to_act_against_the_authorities_where_they_live(
    engine: Engine, session: Session, sign_up: SignUp, mailing_list: MailingList, about: str, is_offered: bool
) -> None:
    campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
    campaign.public, campaign.deadline, campaign.about = True, utcnow() + timedelta(days=3), about
    session.commit()
    assert (confirm(engine, ask(engine, sign_up)).alert is not None) is is_offered  # who lives in France
    assert ("campaign_url" in welcome_words(session)) is is_offered


def test_the_welcome_mail_names_whom_the_person_writes_to_in_their_country(
    engine: Engine, session: Session, sign_up: SignUp, mailing_list: MailingList
) -> None:
    campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
    campaign.public, campaign.deadline = True, utcnow() + timedelta(days=3)
    campaign.targets = [
        Target(("FR",), "Embassy in Paris", "paris@example.org", "1 Quai").to_json(),
        Target((), "The ministry", "ministry@example.org", "Ministry Square").to_json(),
    ]
    for text in campaign.texts:
        text.subject = "Write to {{ target_name }}"
    session.commit()
    confirmed = confirm(engine, ask(engine, sign_up))
    assert confirmed.alert is not None
    assert confirmed.alert.title == "Write to The ministry"  # the page works for days, and tells no country
    words = welcome_words(session)
    assert words["campaign_title"] == "Write to Embassy in Paris"
    assert words["target_name"] == "Embassy in Paris"
    assert (words["target_email"], words["target_address"]) == ("paris@example.org", "1 Quai")


def test_the_welcome_mail_leads_to_the_letter_that_the_person_sends_first(
    engine: Engine, session: Session, sign_up: SignUp, mailing_list: MailingList
) -> None:
    campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
    campaign.public, campaign.deadline, campaign.ask = True, utcnow() + timedelta(days=3), ["solidarity"]
    friends = Target(("FR",), "Friends", "", "", slug="friends", role=TargetRole.SOLIDARITY)  # no way to write to them
    target_book.put(session, friends)
    family = replace(friends, slug="paris", email="paris@example.org", name="Family", names={"fr": "La famille"})
    target_book.put(session, family)
    session.commit()
    confirm(engine, ask(engine, sign_up))
    words = welcome_words(session)
    assert words["campaign_url"] == "https://act.example.org/fr/campaigns/free-the-five/letter/paris"
    assert (words["target_name"], words["target_email"]) == ("La famille", "paris@example.org")


def test_the_welcome_has_the_current_alert_in_the_readers_language(
    engine: Engine, session: Session, sign_up: SignUp, mailing_list: MailingList
) -> None:
    campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
    campaign.public, campaign.deadline = True, utcnow() + timedelta(days=3)
    add_text(session, campaign, "fr", "Texte.")
    next(
        text for text in campaign.texts if text.language == "fr"
    ).subject = "{{ name or 'Vous' }} :{% if country == 'GB' %} Londres{% else %} agissez{% endif %}"
    session.commit()
    confirmed = confirm(engine, ask(engine, sign_up))
    assert confirmed.alert is not None
    assert (confirmed.alert.slug, confirmed.alert.title) == ("free-the-five", "Vous : agissez")
    words = welcome_words(session)
    assert words["campaign_url"] == "https://act.example.org/fr/campaigns/free-the-five"
    assert words["campaign_title"] == "Vous : agissez"


# --- several sign-ups for one address -------------------------------------------------------------------------------


def again(engine: Engine, sign_up: SignUp) -> None:
    """Ask again on the same day: no other mail goes out."""
    with session_scope(engine) as session:
        signups.ask(session, sign_up)
        assert latest_notice(session).reason is Reason.REPEATED


def answer(engine: Engine, token: str, *, union_agreed: bool = False, **answers: Any) -> signups.Confirmed:
    """Confirm with what the owner of the address says on the page."""
    with session_scope(engine) as session:
        return signups.confirm(session, token, union_agreed=union_agreed, base_url=BASE_URL, **answers)


def test_who_asks_for_another_list_before_confirming_finds_it_behind_the_link_that_they_have(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    later = replace(sign_up, list_ids=(news.id,), alerts_text="Yes, news.", asked_at=ASKED + timedelta(days=1))
    session.rollback()
    token = ask(engine, sign_up)
    again(engine, later)
    asked = signups.look(session, token)
    assert (own_names(asked.lists), asked.added, asked.choices) == (
        ("Urgent actions",),
        (signups.AddedList("news", lists.Wording("News", {})),),
        {},
    )
    session.rollback()
    assert own_names(answer(engine, token, added=["news"]).lists) == ("News", "Urgent actions")
    logged = select(ConsentText.text, ConsentEvent.asked_at).join(ConsentText, ConsentText.id == ConsentEvent.text_id)
    assert dict(session.execute(logged.where(ConsentEvent.list_id == news.id)).all()) == {
        "Yes, news.": later.asked_at.date()
    }


def test_a_list_that_a_stranger_added_is_joined_only_if_the_owner_of_the_address_says_so(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    for_news = replace(sign_up, list_ids=(news.id,))
    session.rollback()
    token = ask(engine, sign_up)
    again(engine, for_news)
    assert own_names(answer(engine, token, added=["staff", "urgent-actions"]).lists) == ("Urgent actions",)
    assert len(statuses(session, person_of(session))) == 1


def test_what_sign_ups_differ_in_is_for_the_owner_of_the_address_to_say(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    token = ask(engine, sign_up)
    again(engine, replace(sign_up, name="Boris", country="DE", language="de"))
    again(engine, replace(sign_up, name=None))
    assert signups.look(session, token).choices == {
        "name": (None, "Boris", "Ana Example"),
        "country": ("FR", "DE"),
        "language": ("fr", "de"),
    }
    session.rollback()
    answers = {"name": "", "country": "DE", "language": "fr"}
    for wrong in ({}, answers | {"country": ""}, answers | {"country": "US"}, {"country": "DE"}):
        with pytest.raises(signups.Undecided):
            answer(engine, token, chosen=wrong)
    assert session.scalars(select(Subscriber)).all() == []
    session.rollback()
    answer(engine, token, chosen=answers)
    person = person_of(session)
    assert (person.name, person.country, person.language) == (None, "DE", "fr")


def test_of_several_unions_the_one_is_stored_that_the_owner_of_the_address_chooses_and_agrees_to(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    miners = make_union(session, "miners", name="Miners").id
    session.commit()
    token = ask(engine, sign_up)
    again(engine, replace(sign_up, union_id=miners, union_text="Yes, store it.", shown_in="de"))
    again(engine, replace(sign_up, union_id=None, union_text=None))
    assert [union.slug for union in signups.look(session, token).unions] == ["miners", "dockers"]
    session.rollback()
    for wrong in ({}, {"union": "bakers"}):
        with pytest.raises(signups.Undecided):
            answer(engine, token, union_agreed=True, chosen=wrong)
    answer(engine, token, union_agreed=True, chosen={"union": "miners"})
    assert person_of(session).union_id == miners
    logged = select(ConsentText.text).join(ConsentEvent, ConsentText.id == ConsentEvent.text_id)
    words = session.scalars(logged.where(ConsentEvent.purpose == ConsentPurpose.UNION)).all()
    assert words == ["Yes, store it."]


def test_a_union_that_took_the_place_of_the_one_on_the_page_is_not_stored_by_the_tick_for_that(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    miners = make_union(session, "miners", name="Miners").id
    session.commit()
    token = ask(engine, replace(sign_up, union_id=None, union_text=None))
    again(engine, sign_up)
    assert [union.slug for union in signups.look(session, token).unions] == ["dockers"]
    session.rollback()
    for _ in range(mailed_links.MOST_BESIDES):  # while its reader looks at the page
        again(engine, replace(sign_up, union_id=miners))
    with pytest.raises(signups.Undecided):
        answer(engine, token, union_agreed=True, chosen={"union": "dockers"})
    assert session.scalars(select(Subscriber)).all() == []


def test_the_consent_to_store_a_union_is_logged_in_the_words_on_the_page_and_as_it_was_asked_for(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    miners = make_union(session, "miners", name="Miners").id
    session.commit()
    earlier = ASKED - timedelta(days=1)
    token = ask(engine, replace(sign_up, union_id=None, union_text=None, asked_at=earlier, method="organiser"))
    again(engine, sign_up)
    again(engine, replace(sign_up, union_id=miners, union_text="Ja.", shown_in="de"))
    assert signups.look(session, token).union_text == "Ja."
    session.rollback()
    answer(engine, token, union_agreed=True, chosen={"union": "dockers"})
    logged = select(ConsentText.text, ConsentEvent.asked_at, ConsentEvent.method).join(
        ConsentText, ConsentText.id == ConsentEvent.text_id
    )
    events = session.execute(logged.where(ConsentEvent.purpose == ConsentPurpose.UNION)).all()
    assert [tuple(event) for event in events] == [("Ja.", ASKED.date(), signups.METHOD)]


def test_who_gets_our_mail_is_asked_only_about_what_they_have_not_told_us(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    both = (*sign_up.list_ids, news.id)
    on_another_list(session, sign_up)
    person_of(session).name = None
    session.commit()
    token = ask(engine, sign_up)
    again(engine, replace(sign_up, country="DE", language="de", name="Boris", list_ids=both))
    asked = signups.look(session, token)
    assert (set(asked.choices), asked.added) == ({"name"}, ())  # they are on the other list
    session.rollback()
    answer(engine, token, chosen={"name": "Boris"})
    person = person_of(session)
    assert (person.name, person.country, person.language) == ("Boris", "GB", "el")


def test_a_union_that_its_owner_agrees_to_by_its_name_takes_the_place_of_another(
    engine: Engine, session: Session, sign_up: SignUp, union: Union
) -> None:
    on_another_list(session, sign_up)
    person_of(session).union_id = make_union(session, "miners", name="Miners").id
    session.commit()
    answer(engine, ask(engine, sign_up), union_agreed=True)
    assert person_of(session).union_id == union.id


def test_of_what_was_asked_for_besides_nothing_is_kept_once_the_link_was_used(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    for_news = replace(sign_up, list_ids=(news.id,))
    session.rollback()
    token = ask(engine, sign_up)
    again(engine, for_news)
    answer(engine, token)
    session.expire_all()
    (link,) = session.scalars(select(MailedLink))
    assert mailed_links.details_of(link)["list_ids"] == list(sign_up.list_ids)
    session.rollback()
    second = ask(engine, for_news)
    assert signups.look(session, second).added == ()


def test_however_often_others_fill_in_the_form_few_of_their_answers_are_kept_and_the_owners_count(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    for_news = replace(sign_up, name="Ana", list_ids=(news.id,))
    session.rollback()
    token = ask(engine, sign_up)
    for number in range(2 * mailed_links.MOST_BESIDES):
        again(engine, replace(sign_up, name=f"Stranger {number}"))
    again(engine, for_news)
    asked = signups.look(session, token)
    assert own_names(asked.lists) == ("Urgent actions",) and [each.slug for each in asked.added] == ["news"]
    assert asked.choices["name"] == ("Ana", "Stranger 9", "Stranger 8", "Stranger 7", "Stranger 6", "Ana Example")
    assert session.scalar(select(func.count(MailedLink.id))) == 1 + mailed_links.MOST_BESIDES
    session.rollback()
    confirmed = answer(engine, token, added=["news"], chosen={"name": "Ana"})
    assert own_names(confirmed.lists) == ("News", "Urgent actions")


def test_who_was_mailed_what_a_stranger_filled_in_can_still_say_what_they_want(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    token = ask(engine, replace(sign_up, name="Stranger"))
    for number in range(2 * mailed_links.MOST_BESIDES):
        again(engine, replace(sign_up, name=f"Stranger {number}"))
    again(engine, sign_up)
    answer(engine, token, chosen={"name": "Ana Example"})
    assert person_of(session).name == "Ana Example"


def test_mails_of_several_days_do_not_fill_the_page(engine: Engine, session: Session, sign_up: SignUp) -> None:
    tokens = []
    for number in range(7):
        tokens.append(ask(engine, replace(sign_up, name=f"Name {number}")))
        session.execute(update(MailedLink).values(created_at=utcnow() - timedelta(days=1, minutes=1)))
        session.commit()
    assert [len(signups.look(session, token).choices["name"]) for token in tokens] == [
        1 + mailed_links.MOST_BESIDES
    ] * 7


def test_a_second_mail_leads_to_what_the_first_asked_for_and_both_work(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    for_news = replace(sign_up, list_ids=(news.id,))
    session.rollback()
    first = ask(engine, sign_up)
    session.execute(update(MailedLink).values(created_at=utcnow() - timedelta(days=2)))
    session.commit()
    second = ask(engine, for_news)
    assert [each.slug for each in signups.look(session, second).added] == ["urgent-actions"]
    session.rollback()
    assert own_names(answer(engine, second).lists) == ("News",)
    assert own_names(answer(engine, first).lists) == ("Urgent actions",)


def test_a_list_that_is_gone_is_neither_asked_about_nor_joined(
    engine: Engine, session: Session, sign_up: SignUp, news: MailingList
) -> None:
    for_both = replace(sign_up, list_ids=(*sign_up.list_ids, news.id))
    session.rollback()
    token = ask(engine, for_both)
    session.delete(session.get_one(MailingList, news.id))
    session.commit()
    assert own_names(signups.look(session, token).lists) == ("Urgent actions",)
    session.rollback()
    assert own_names(answer(engine, token).lists) == ("Urgent actions",)


def test_what_is_stored_is_said_for_some_minutes_and_only_what_was_taken_over(
    engine: Engine, session: Session, sign_up: SignUp, union: Union
) -> None:
    on_another_list(session, sign_up)
    person_of(session).name = None
    session.commit()
    token = ask(engine, sign_up)
    confirmed = answer(engine, token, union_agreed=True)
    assert confirmed.stored == signups.Stored(name="Ana Example", union="Dockers")
    assert answer(engine, token) == confirmed
    session.rollback()
    link = session.scalars(select(MailedLink)).one()
    mailed_links.keep(link, mailed_links.details_of(link) | {"said_until": utcnow().isoformat()})
    session.commit()
    assert answer(engine, token).stored is None


def test_a_union_whose_box_was_not_ticked_is_said_not_to_be_stored(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    confirmed = answer(engine, ask(engine, sign_up))
    assert confirmed.stored == signups.Stored(name="Ana Example", country="FR", language="fr", is_union_left_out=True)
    assert person_of(session).union_id is None


# --- at the same moment ---------------------------------------------------------------------------------------------


def test_of_two_clicks_at_once_one_is_the_second(engine: Engine, session: Session, sign_up: SignUp) -> None:
    token = ask(engine, sign_up)
    with session_scope(engine) as first:
        signups.confirm(first, token, union_agreed=True, base_url=BASE_URL)
        second = Beside(lambda: confirm(engine, token))
        second.must_wait()
    second.result()
    assert len(session.scalars(select(ConsentEvent.id)).all()) == 2
    assert session.scalar(select(func.count()).select_from(Subscriber)) == 1


def test_an_import_of_the_same_person_at_that_moment_waits_and_finds_them(
    engine: Engine, session: Session, sign_up: SignUp, tmp_path: Path
) -> None:
    token = ask(engine, sign_up)
    file = tmp_path / "people.csv"
    file.write_text(f"email,country\n{ANA},DE\n")
    with session_scope(engine) as confirming:
        signups.confirm(confirming, token, union_agreed=True, base_url=BASE_URL)
        importing = Beside(lambda: import_file(engine, file, list_slug="urgent-actions", consent="I agree."))
        importing.must_wait()
    importing.result()
    assert person_of(session).country == "FR"
    assert session.scalar(select(func.count()).select_from(Subscription)) == 1


def delete_list(engine: Engine) -> None:
    with session_scope(engine) as session:
        lists.delete(session, "urgent-actions")


def test_a_list_that_somebody_asks_for_at_that_moment_is_not_deleted(engine: Engine, sign_up: SignUp) -> None:
    with session_scope(engine) as asking:
        signups.ask(asking, sign_up)
        deleting = Beside(lambda: delete_list(engine))
        deleting.must_wait()
    with pytest.raises(lists.ListNotEmpty, match="1 person waits"):
        deleting.result()


def test_nobody_is_mailed_about_a_list_that_was_deleted_as_they_asked(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    with session_scope(engine) as deleting:
        lists.delete(deleting, "urgent-actions")
        asking = Beside(lambda: ask_again(engine, sign_up))
        asking.must_wait()
    with pytest.raises(lists.ListGone):
        asking.result()
    assert session.scalars(select(Delivery)).all() == []


def test_a_click_waits_for_an_erasure_and_then_leads_nowhere(engine: Engine, session: Session, sign_up: SignUp) -> None:
    token = ask(engine, sign_up)
    with session_scope(engine) as erasing:
        subscribers.erase(erasing, ANA)
        clicking = Beside(lambda: confirm(engine, token))
        clicking.must_wait()
    with pytest.raises(DeadLink):
        clicking.result()
    assert session.scalars(select(Subscriber)).all() == []


def test_a_union_is_stored_only_if_the_owner_of_the_address_agrees_to_it_too(
    engine: Engine, session: Session, sign_up: SignUp
) -> None:
    token = ask(engine, sign_up)
    asked = signups.look(session, token)
    assert (asked.language, own_names(asked.lists), asked.union_text) == ("fr", ("Urgent actions",), sign_up.union_text)
    assert [union.name for union in asked.unions] == ["Dockers"]
    session.commit()
    with session_scope(engine) as confirming:
        signups.confirm(confirming, token, union_agreed=False, base_url=BASE_URL)
    purposes = set(session.scalars(select(ConsentEvent.purpose)))
    assert (session.scalars(select(Subscriber.union_id)).all(), purposes) == ([None], {ConsentPurpose.ALERTS})
    assert own_names(signups.look(session, token).lists) == ()
