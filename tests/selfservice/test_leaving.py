"""Who leaves is left alone, can come back from it, and can pause instead."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer.locale import languages
from mailer.people import consents, mailed_links, notices, subscribers, suppression
from mailer.people.lists import Wording
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import Notice, NoticeKind
from mailer.selfservice import leaving
from mailer.selfservice.leaving import LeftList, Method, NotOnList, Scope
from mailer.store.crypto import keyring_of
from mailer.store.db import next_midnight, session_scope, utcnow
from mailer.store.models import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    Delivery,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Purpose,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from tests.support.concurrency import Beside
from tests.support.days import is_today, lately
from tests.support.factories import (
    WHEN,
    make_campaign,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
    subscribe,
)

ACTIVE, GONE = SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED


@pytest.fixture
def person(session: Session) -> Subscriber:
    """Somebody on two lists, who agreed to each."""
    person = make_subscriber(session, email="ana@example.org", language="fr")
    for slug in ("urgent-actions", "news"):
        mailing_list = make_list(session, slug, name=slug.title())
        subscribe(session, person, mailing_list)
        agree(session, person, mailing_list, f"I want {slug}.")
    session.commit()
    return person


def agree(session: Session, person: Subscriber, mailing_list: MailingList, words: str) -> None:
    consents.give(
        session,
        person.id,
        ConsentPurpose.ALERTS,
        text=consents.text_id(session, words),
        method="import",
        asked_at=WHEN,
        confirmed_at=WHEN,
        list_id=mailing_list.id,
    )


def subscriptions(session: Session, person: Subscriber) -> Sequence[Subscription]:
    session.expire_all()
    theirs = select(Subscription).where(Subscription.subscriber_id == person.id)
    return session.scalars(theirs.order_by(Subscription.id)).all()


def states(session: Session, person: Subscriber) -> list[tuple[SubscriptionStatus, bool]]:
    return [(subscription.status, subscription.mailable) for subscription in subscriptions(session, person)]


def log(session: Session) -> list[tuple[ConsentAction, str, int | None]]:
    """What the consent log says since the person joined."""
    events = select(ConsentEvent).where(ConsentEvent.method != "import").order_by(ConsentEvent.id)
    return [(event.action, event.method, event.list_id) for event in session.scalars(events)]


def barred(session: Session, person: Subscriber) -> SuppressionReason | None:
    return session.scalar(select(Suppression.reason).where(Suppression.email_index == person.email_index))


def by_page(session: Session, person: Subscriber, *, which: int = 0, scope: Scope = Scope.LIST) -> LeftList:
    left = leaving.leave(session, subscriptions(session, person)[which], method=Method.PAGE, scope=scope)
    session.commit()
    return left


def undo_of(left: LeftList) -> str:
    """The token on the page that answers a leaving."""
    assert left.undo is not None
    return left.undo


def mailed(session: Session) -> str:
    """The token in the latest mail."""
    token = said(notices_owed(session)[-1]).token
    assert token is not None
    return token


# --- leaving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(Method))
def test_leaving_a_list_ends_that_one_only_and_is_written_down(
    session: Session, person: Subscriber, method: Method
) -> None:
    subscription = subscriptions(session, person)[0]
    left = leaving.leave(session, subscription, method=method, reason="  too\nmany mails ")
    assert not left.already
    assert states(session, person) == [(GONE, False), (ACTIVE, True)]
    assert subscription.reason == "too many mails"
    session.refresh(subscription)
    assert is_today(subscription.unsubscribed_at)
    assert log(session) == [(ConsentAction.WITHDRAWN, method.value, subscription.list_id)]
    assert barred(session, person) is None


def test_leaving_all_ends_every_list_and_keeps_imports_from_bringing_them_back(
    session: Session, person: Subscriber
) -> None:
    left = by_page(session, person, scope=Scope.ALL)
    assert not left.already
    assert states(session, person) == [(GONE, False), (GONE, False)]
    assert barred(session, person) is SuppressionReason.LEFT
    assert len(log(session)) == 2


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("scope", list(Scope))
def test_leaving_twice_is_leaving_once(session: Session, person: Subscriber, scope: Scope, method: Method) -> None:
    subscription = subscriptions(session, person)[0]
    leaving.leave(session, subscription, method=method, scope=scope, reason="first")
    session.refresh(subscription)
    at, written, owed = subscription.unsubscribed_at, log(session), len(notices_owed(session))
    notices.to_ring_for(session)  # for the first
    second = leaving.leave(session, subscription, method=method, scope=scope, reason="second")
    assert second.already
    assert notices.to_ring_for(session) is None
    assert len(notices_owed(session)) == owed
    assert log(session) == written
    session.refresh(subscription)
    assert (subscription.unsubscribed_at, subscription.reason) == (at, "first")


def test_all_lists_can_be_left_after_one(session: Session, person: Subscriber) -> None:
    by_page(session, person)
    assert not by_page(session, person, scope=Scope.ALL).already
    assert states(session, person) == [(GONE, False), (GONE, False)]
    assert barred(session, person) is SuppressionReason.LEFT


def test_who_had_left_already_hears_nothing_when_all_is_left_and_no_page_tells(
    session: Session, person: Subscriber
) -> None:
    for subscription in subscriptions(session, person):
        leaving.leave(session, subscription, method=Method.ONE_CLICK)
    session.commit()
    for _ in range(2):
        assert by_page(session, person, scope=Scope.ALL) == LeftList(already=True, undo=None, has_goodbye=False)
    assert barred(session, person) is SuppressionReason.LEFT
    assert notices_owed(session) == []
    assert session.scalars(select(MailedLink)).all() == []


def test_a_stranger_who_leaves_all_after_one_leaves_the_goodbye_its_way_back(
    session: Session, person: Subscriber
) -> None:
    leaving.leave(session, subscriptions(session, person)[1], method=Method.ONE_CLICK)
    left = by_page(session, person)
    assert by_page(session, person, scope=Scope.ALL).already
    assert barred(session, person) is SuppressionReason.LEFT
    assert len(notices_owed(session)) == 1
    with pytest.raises(DeadLink):
        leaving.undo(session, undo_of(left))
    assert not leaving.look_back(session, mailed(session)).is_all
    leaving.undo(session, mailed(session))
    assert states(session, person) == [(ACTIVE, True), (GONE, False)]
    assert barred(session, person) is None


def test_a_unions_contact_who_had_left_hears_of_it_when_all_is_left_and_the_page_does_not_tell(
    session: Session, person: Subscriber
) -> None:
    make_contact(session, make_union(session), person)
    for subscription in subscriptions(session, person):
        leaving.leave(session, subscription, method=Method.ONE_CLICK)
    session.commit()
    for _ in range(2):
        assert by_page(session, person, scope=Scope.ALL) == LeftList(already=True, undo=None, has_goodbye=False)
    (goodbye,) = notices_owed(session)  # their union's mail stops too
    assert said(goodbye).kind is NoticeKind.GOODBYE
    leaving.undo(session, mailed(session))
    assert barred(session, person) is None
    assert states(session, person) == [(GONE, False), (GONE, False)]


def test_a_weightier_reason_to_write_to_nobody_stays(session: Session, person: Subscriber) -> None:
    suppression.add(session, person.email_index, SuppressionReason.COMPLAINED)
    by_page(session, person, scope=Scope.ALL)
    assert barred(session, person) is SuppressionReason.COMPLAINED


@pytest.mark.parametrize(
    ("written", "kept"),
    [(None, None), (" \n ", None), ("x" * 300, "x" * 200), ("\x00<b>no</b>", "<b>no</b>")],
)
def test_a_reason_is_one_line_of_at_most_200_characters(
    session: Session, person: Subscriber, written: str | None, kept: str | None
) -> None:
    subscription = subscriptions(session, person)[0]
    leaving.leave(session, subscription, method=Method.PAGE, reason=written)
    session.commit()
    session.refresh(subscription)
    assert subscription.reason == kept


def test_who_was_erased_is_not_on_our_list(session: Session, person: Subscriber) -> None:
    gone = subscriptions(session, person)[0]
    subscribers.erase(session, "ana@example.org")
    session.commit()
    with pytest.raises(NotOnList):
        leaving.find(session, gone.id)
    with pytest.raises(NotOnList):
        leaving.end_pause(session, gone)
    for scope in Scope:
        with pytest.raises(NotOnList):
            leaving.leave(session, gone, method=Method.ONE_CLICK, scope=scope)


def test_one_may_leave_though_the_address_cannot_be_decrypted(session: Session, person: Subscriber) -> None:
    subscription = subscriptions(session, person)[0]
    session.connection().exec_driver_sql("UPDATE subscribers SET email = name")  # a ciphertext of another column
    session.commit()
    session.expunge_all()
    leaving.leave(session, leaving.find(session, subscription.id), method=Method.ONE_CLICK)
    assert states(session, person)[0] == (GONE, False)


@pytest.mark.parametrize("scope", Scope)
def test_one_may_leave_again_though_the_reason_given_before_cannot_be_decrypted(
    session: Session, person: Subscriber, scope: Scope
) -> None:
    subscription_id = subscriptions(session, person)[0].id
    leaving.leave(session, leaving.find(session, subscription_id), method=Method.PAGE, reason="too many")
    damage = f"UPDATE subscriptions SET reason = (SELECT name FROM subscribers) WHERE id = {subscription_id}"
    session.connection().exec_driver_sql(damage)
    session.commit()
    session.expunge_all()
    left = leaving.leave(session, leaving.find(session, subscription_id), method=Method.PAGE, scope=scope)
    assert left.already is (scope is Scope.LIST)


def test_two_presses_at_once_are_one(engine: Engine, session: Session, person: Subscriber) -> None:
    subscription = subscriptions(session, person)[0].id
    session.commit()

    def leave() -> None:
        with session_scope(engine) as other:
            leaving.leave(other, leaving.find(other, subscription), method=Method.PAGE)

    leaving.leave(session, leaving.find(session, subscription), method=Method.PAGE)
    beside = Beside(leave)
    beside.must_wait()
    session.commit()
    beside.result()
    assert len(log(session)) == 1
    assert len(notices_owed(session)) == 1


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_leaving_does_not_wait_for_a_campaign_that_is_being_started(
    engine: Engine, session: Session, person: Subscriber
) -> None:
    subscription = subscriptions(session, person)[0].id
    campaign = make_campaign(session, session.scalars(select(MailingList)).first() or make_list(session))
    session.commit()
    session.add(Delivery(campaign_id=campaign.id, purpose=Purpose.CAMPAIGN, subscriber_id=person.id, attempts=0))
    session.flush()

    def leave() -> None:
        with session_scope(engine) as other:
            leaving.leave(other, leaving.find(other, subscription), method=Method.ONE_CLICK)

    Beside(leave).result()
    session.commit()
    assert states(session, person)[0] == (GONE, False)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_an_import_under_way_cannot_bring_back_who_leaves_all(
    engine: Engine, session: Session, person: Subscriber
) -> None:
    subscription = subscriptions(session, person)[0].id
    session.commit()
    suppression.lock_shared(session)

    def leave(scope: Scope) -> None:
        with session_scope(engine) as other:
            leaving.leave(other, leaving.find(other, subscription), method=Method.PAGE, scope=scope)

    Beside(lambda: leave(Scope.LIST)).result()
    beside = Beside(lambda: leave(Scope.ALL))
    beside.must_wait()
    session.commit()
    beside.result()
    assert barred(session, person) is SuppressionReason.LEFT


# --- the goodbye ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "words"), [(Scope.LIST, {"list": "Urgent-Actions"}), (Scope.ALL, {})])
def test_the_pages_button_owes_one_goodbye_with_a_way_back(
    session: Session, person: Subscriber, scope: Scope, words: dict[str, str]
) -> None:
    left = by_page(session, person, scope=scope)
    (goodbye,) = notices_owed(session)
    assert goodbye.notice is not None
    assert Notice.from_stored(goodbye.notice) == Notice(NoticeKind.GOODBYE, mailed(session), words, language="fr")
    assert left.has_goodbye
    assert left.undo not in (None, mailed(session))
    assert (goodbye.subscriber_id, goodbye.state) == (person.id, DeliveryState.PENDING)
    assert notices.to_ring_for(session) == goodbye.campaign_id


def test_only_the_goodbye_names_a_unions_own_list(session: Session, person: Subscriber) -> None:
    session.execute(update(MailingList).values(owner_id=make_union(session).id))
    token = undo_of(by_page(session, person))
    (goodbye,) = notices_owed(session)
    assert said(goodbye).words == {"list": "Urgent-Actions"}  # it goes to the person themselves
    for back in (leaving.look_back(session, token), leaving.undo(session, token)):
        assert (back.list_name, back.is_all) == (None, False)


@pytest.mark.parametrize("method", [Method.ONE_CLICK, Method.MAIL])
def test_who_leaves_without_the_page_hears_no_more(session: Session, person: Subscriber, method: Method) -> None:
    left = leaving.leave(session, subscriptions(session, person)[0], method=method)
    assert (left.undo, notices.to_ring_for(session)) == (None, None)
    assert notices_owed(session) == []
    assert session.scalar(select(func.count()).select_from(MailedLink)) == 0


def test_going_back_and_forth_floods_nobody(session: Session, person: Subscriber) -> None:
    for _ in range(2):
        leaving.undo(session, undo_of(by_page(session, person)))
    last = by_page(session, person)
    assert last.undo is None  # the page takes it back no more: that could go on for ever
    assert last.has_goodbye
    assert len(notices_owed(session)) == 3
    leaving.undo(session, mailed(session))  # whoever holds a forwarded mail cannot do away with the owner's way back
    assert states(session, person)[0] == (ACTIVE, True)


def test_who_comes_back_by_the_goodbye_reads_our_mail_and_may_change_their_mind_again(
    session: Session, person: Subscriber
) -> None:
    for _ in range(4):
        assert by_page(session, person).undo is not None
        leaving.undo(session, mailed(session))


# --- coming back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", list(Scope))
def test_coming_back_brings_back_what_was_left_and_the_agreement_to_it(
    session: Session, person: Subscriber, scope: Scope
) -> None:
    before = len(log(session))
    left = by_page(session, person, scope=scope)
    back = leaving.undo(session, undo_of(left))
    assert (back.list_name and back.list_name.own, back.is_all) == (
        ("Urgent-Actions", False) if scope is Scope.LIST else (None, True)
    )
    assert states(session, person) == [(ACTIVE, True), (ACTIVE, True)]
    assert barred(session, person) is None
    subscription = subscriptions(session, person)[0]
    assert (subscription.unsubscribed_at, subscription.reason) == (None, None)
    given = [event for event in log(session)[before:] if event[0] is ConsentAction.GIVEN]
    assert (ConsentAction.GIVEN, "undo", subscription.list_id) in given
    texts = select(ConsentEvent.text_id).where(ConsentEvent.list_id == subscription.list_id, ConsentEvent.text_id > 0)
    assert len(set(session.scalars(texts))) == 1
    assert len(session.scalars(texts).all()) == 2


def test_coming_back_brings_back_no_more_than_that_leaving_took(session: Session, person: Subscriber) -> None:
    by_page(session, person)
    left = by_page(session, person, scope=Scope.ALL)
    leaving.undo(session, undo_of(left))
    assert states(session, person) == [(GONE, False), (ACTIVE, True)]


def test_coming_back_twice_is_harmless(session: Session, person: Subscriber) -> None:
    left = by_page(session, person)
    first = leaving.undo(session, undo_of(left))
    written = log(session)
    assert leaving.undo(session, undo_of(left)) == first
    assert log(session) == written


def test_an_old_way_back_does_not_undo_a_new_leaving(session: Session, person: Subscriber) -> None:
    left = by_page(session, person)
    leaving.undo(session, undo_of(left))
    leaving.leave(session, subscriptions(session, person)[0], method=Method.ONE_CLICK)
    session.commit()
    with pytest.raises(DeadLink):
        leaving.undo(session, undo_of(left))
    session.rollback()
    assert states(session, person)[0] == (GONE, False)


def test_a_way_back_that_was_not_used_does_not_undo_a_new_leaving(session: Session, person: Subscriber) -> None:
    tokens = undo_of(by_page(session, person)), mailed(session)
    subscription = subscriptions(session, person)[0]
    subscription.status, subscription.unsubscribed_at = ACTIVE, None  # they signed up again
    session.commit()
    leaving.leave(session, subscription, method=Method.ONE_CLICK)
    session.commit()
    for token in tokens:
        with pytest.raises(DeadLink):
            leaving.undo(session, token)
        session.rollback()
    assert states(session, person)[0] == (GONE, False)


def test_a_way_back_that_was_mailed_before_days_were_kept_brings_back_what_was_left_that_day(
    session: Session, person: Subscriber
) -> None:
    left, another = by_page(session, person), by_page(session, person, which=1)
    date_back_links(session)
    leaving.undo(session, undo_of(left))
    assert states(session, person) == [(ACTIVE, True), (GONE, False)]
    session.execute(update(Subscription).values(unsubscribed_at=utcnow() + timedelta(days=1)))
    session.commit()
    with pytest.raises(DeadLink):  # left again since, on another day
        leaving.undo(session, undo_of(another))


def test_a_way_back_that_was_mailed_before_days_were_kept_does_not_undo_a_new_leaving(
    session: Session, person: Subscriber
) -> None:
    left = by_page(session, person)
    tokens = undo_of(left), mailed(session)
    date_back_links(session)
    leaving.undo(session, tokens[0])
    leaving.leave(session, subscriptions(session, person)[0], method=Method.ONE_CLICK)
    session.commit()
    for token in tokens:
        with pytest.raises(DeadLink):
            leaving.undo(session, token)
        session.rollback()
    assert states(session, person)[0] == (GONE, False)


def date_back_links(session: Session) -> None:
    """Let all links have been mailed before they named the lines of the consent log that they undo."""
    for link in session.scalars(select(MailedLink)):
        details = mailed_links.details_of(link)
        details.pop("withdrawn", None)
        mailed_links.keep(link, details)
    session.commit()


def test_who_left_all_is_not_brought_back_by_the_way_back_to_one(session: Session, person: Subscriber) -> None:
    tokens = undo_of(by_page(session, person)), mailed(session)
    by_page(session, person, which=1, scope=Scope.ALL)
    for token in tokens:
        for act in (leaving.look_back, leaving.undo):
            with pytest.raises(DeadLink):
                act(session, token)
            session.rollback()
    assert states(session, person) == [(GONE, False), (GONE, False)]


def test_no_way_back_to_one_list_works_while_the_address_is_kept_off_all(session: Session, person: Subscriber) -> None:
    by_page(session, person)
    suppression.add(session, person.email_index, SuppressionReason.LEFT)  # and the link to undo that is gone
    for act in (leaving.look_back, leaving.undo):
        with pytest.raises(DeadLink):
            act(session, mailed(session))


def test_a_stranger_who_takes_somebody_off_one_list_and_then_all_leaves_them_a_way_back_from_each(
    session: Session, person: Subscriber
) -> None:
    by_page(session, person)
    from_one = mailed(session)
    by_page(session, person, scope=Scope.ALL)
    leaving.undo(session, mailed(session))
    assert states(session, person) == [(GONE, False), (ACTIVE, True)]
    leaving.undo(session, from_one)
    assert states(session, person) == [(ACTIVE, True), (ACTIVE, True)]


def test_the_way_back_from_an_earlier_leaving_of_all_does_not_undo_a_later_one(
    session: Session, person: Subscriber
) -> None:
    first, second = subscriptions(session, person)
    leaving.leave(session, second, method=Method.ONE_CLICK)
    by_page(session, person, scope=Scope.ALL)
    from_first = mailed(session)
    assert suppression.lift(session, person.email_index) is SuppressionReason.LEFT  # they signed up again, for another
    second.status, second.unsubscribed_at = ACTIVE, None
    session.commit()
    by_page(session, person, which=1, scope=Scope.ALL)
    from_second = mailed(session)
    for act in (leaving.look_back, leaving.undo):
        with pytest.raises(DeadLink):
            act(session, from_first)
        session.rollback()
    assert states(session, person) == [(GONE, False), (GONE, False)]
    for _ in range(2):
        leaving.undo(session, from_second)
        assert states(session, person) == [(GONE, False), (ACTIVE, True)]
    leaving.undo(session, from_first)
    assert states(session, person) == [(ACTIVE, True), (ACTIVE, True)]
    assert first.unsubscribed_at is None


def test_each_of_two_leavings_has_its_own_way_back(session: Session, person: Subscriber) -> None:
    first, second = by_page(session, person), by_page(session, person, which=1)
    leaving.undo(session, undo_of(first))
    assert states(session, person) == [(ACTIVE, True), (GONE, False)]
    leaving.undo(session, undo_of(second))
    assert states(session, person) == [(ACTIVE, True), (ACTIVE, True)]


def test_who_complained_never_comes_back(session: Session, person: Subscriber) -> None:
    left = by_page(session, person, scope=Scope.ALL)
    suppression.add(session, person.email_index, SuppressionReason.COMPLAINED)
    session.commit()
    with pytest.raises(DeadLink):
        leaving.undo(session, undo_of(left))
    session.rollback()
    assert states(session, person) == [(GONE, False), (GONE, False)]


def test_a_bounced_address_stays_barred_when_its_owner_comes_back(session: Session, person: Subscriber) -> None:
    left = by_page(session, person, scope=Scope.ALL)
    suppression.add(session, person.email_index, SuppressionReason.BOUNCED)
    session.commit()
    leaving.undo(session, undo_of(left))
    assert states(session, person) == [(ACTIVE, False), (ACTIVE, False)]


def test_who_takes_back_a_leaving_that_was_made_while_mail_came_back_is_mailed_once_it_arrives_again(
    session: Session, person: Subscriber
) -> None:
    suppression.add(session, person.email_index, SuppressionReason.BOUNCED)
    session.commit()
    left = by_page(session, person, scope=Scope.ALL)
    leaving.undo(session, undo_of(left))
    assert barred(session, person) is SuppressionReason.BOUNCED
    suppression.lift_by_hand(session, bytes(person.email_index), "The mailbox works again.")
    assert barred(session, person) is None


def test_who_was_erased_cannot_be_brought_back(session: Session, person: Subscriber) -> None:
    left = by_page(session, person, scope=Scope.ALL)
    subscribers.erase(session, "ana@example.org")
    session.commit()
    for act in (leaving.undo, leaving.look_back):
        with pytest.raises(DeadLink):
            act(session, undo_of(left))
    assert session.scalar(select(func.count()).select_from(Subscriber)) == 0
    index = keyring_of(session).blind_index("ana@example.org")
    assert session.get_one(Suppression, index).reason is SuppressionReason.ERASED


def test_looking_at_the_way_back_changes_nothing(session: Session, person: Subscriber) -> None:
    left = by_page(session, person)
    assert leaving.look_back(session, undo_of(left)).list_name == Wording("Urgent-Actions", {})
    session.commit()
    assert states(session, person)[0] == (GONE, False)


def test_two_who_come_back_at_once_are_one(engine: Engine, session: Session, person: Subscriber) -> None:
    token = undo_of(by_page(session, person))

    def come_back() -> None:
        with session_scope(engine) as other:
            leaving.undo(other, token)

    leaving.undo(session, token)
    beside = Beside(come_back)
    beside.must_wait()
    session.commit()
    beside.result()
    assert [event[0] for event in log(session)] == [ConsentAction.WITHDRAWN, ConsentAction.GIVEN]


def test_who_leaves_all_at_the_moment_of_coming_back_to_one_has_left_all(
    engine: Engine, session: Session, person: Subscriber
) -> None:
    token = undo_of(by_page(session, person))
    subscription = subscriptions(session, person)[1]
    session.commit()

    def come_back() -> None:
        with session_scope(engine) as other:
            leaving.undo(other, token)

    leaving.leave(session, subscription, method=Method.PAGE, scope=Scope.ALL)
    beside = Beside(come_back)
    beside.must_wait()
    session.commit()
    with pytest.raises(DeadLink):
        beside.result()
    assert states(session, person) == [(GONE, False), (GONE, False)]


@pytest.mark.parametrize("first", list(Method))
@pytest.mark.parametrize("scope", list(Scope))
def test_pressing_again_offers_no_way_back_to_whoever_holds_a_forwarded_mail(
    session: Session, person: Subscriber, first: Method, scope: Scope
) -> None:
    leaving.leave(session, subscriptions(session, person)[0], method=first, scope=scope)
    session.commit()
    links = session.scalar(select(func.count()).select_from(MailedLink))
    for again in Scope:
        left = by_page(session, person, scope=again)
        if left.already:
            assert (left.undo, left.has_goodbye) == (None, False)
    if scope is Scope.ALL:
        assert session.scalar(select(func.count()).select_from(MailedLink)) == links


def test_pressing_again_leaves_the_goodbye_its_way_back(session: Session, person: Subscriber) -> None:
    left = by_page(session, person)
    goodbye = mailed(session)
    for method in Method:
        leaving.leave(session, subscriptions(session, person)[0], method=method)
        session.commit()
    with pytest.raises(DeadLink):
        leaving.undo(session, undo_of(left))  # the latest wish counts; its page shows where the other way back is
    session.rollback()
    leaving.undo(session, goodbye)
    assert states(session, person)[0] == (ACTIVE, True)


def test_the_way_back_on_the_page_ends_after_ten_minutes_and_the_one_in_the_mail_after_a_month(
    session: Session, person: Subscriber
) -> None:
    left = by_page(session, person)
    ends = {}
    for name, token in (("page", undo_of(left)), ("mail", mailed(session))):
        link = mailed_links.find(session, MailedLinkKind.UNDO, token)
        ends[name] = link.expires_at - link.created_at
        leaving.look_back(session, token)
    assert ends == {"page": timedelta(minutes=10), "mail": timedelta(days=30)}
    for token in (undo_of(left), mailed(session)):
        mailed_links.find(session, MailedLinkKind.UNDO, token).expires_at = utcnow() - timedelta(seconds=1)
        session.commit()
        with pytest.raises(DeadLink):
            leaving.undo(session, token)
        session.rollback()
    mailed_links.forget_expired(session)
    with pytest.raises(DeadLink):
        leaving.undo(session, undo_of(left))


@pytest.mark.parametrize("scope", list(Scope))
def test_a_stranger_who_took_somebody_off_cannot_bring_them_back_after_they_left_themselves(
    session: Session, person: Subscriber, scope: Scope
) -> None:
    token = undo_of(by_page(session, person, scope=scope))
    left = leaving.leave(session, subscriptions(session, person)[0], method=Method.ONE_CLICK, scope=Scope.LIST)
    assert left.already
    with pytest.raises(DeadLink):
        leaving.undo(session, token)


def test_of_two_presses_at_once_the_one_that_ended_it_has_the_way_back(
    engine: Engine, session: Session, person: Subscriber
) -> None:
    subscription = subscriptions(session, person)[0].id
    session.commit()

    def leave() -> None:
        with session_scope(engine) as other:
            answers.append(leaving.leave(other, leaving.find(other, subscription), method=Method.PAGE))

    answers: list[LeftList] = []
    first = leaving.leave(session, leaving.find(session, subscription), method=Method.PAGE)
    beside = Beside(leave)
    beside.must_wait()
    session.commit()
    beside.result()
    (second,) = answers
    assert (first.already, first.has_goodbye, first.undo is None) == (False, True, False)
    assert (second.already, second.has_goodbye, second.undo is None) == (True, False, True)


# --- leaving all where no mail of a list has led to it --------------------------------------------------------------


def test_who_is_taken_off_all_lists_by_their_old_mailbox_gets_a_goodbye_at_the_new_one(
    session: Session, person: Subscriber
) -> None:
    for _ in range(2):
        leaving.leave_all(session, person.id, method=Method.OLD_ADDRESS)
    assert states(session, person) == [(GONE, False), (GONE, False)]
    assert barred(session, person) is SuppressionReason.LEFT
    (goodbye,) = notices_owed(session)
    assert (goodbye.subscriber_id, said(goodbye).words) == (person.id, {})
    assert {method for _, method, _ in log(session)} == {"old address"}
    assert leaving.look_back(session, mailed(session)).is_all
    leaving.undo(session, mailed(session))
    assert states(session, person) == [(ACTIVE, True), (ACTIVE, True)]
    subscribers.erase(session, "ana@example.org")
    with pytest.raises(NotOnList):
        leaving.leave_all(session, 1, method=Method.OLD_ADDRESS)


# --- pausing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weeks", [1, 12])
def test_a_pause_holds_that_list_back_until_it_is_over(session: Session, person: Subscriber, weeks: int) -> None:
    subscription = subscriptions(session, person)[0]
    leaving.pause(session, subscription, weeks)
    assert states(session, person) == [(ACTIVE, False), (ACTIVE, True)]
    paused_until = subscriptions(session, person)[0].paused_until
    assert paused_until == next_midnight(paused_until or utcnow())
    assert is_end(paused_until, weeks=weeks)
    subscribers.end_pauses(session)
    assert states(session, person)[0] == (ACTIVE, False)
    subscription.paused_until = utcnow() - timedelta(seconds=1)
    session.flush()
    subscribers.end_pauses(session)
    assert states(session, person)[0] == (ACTIVE, True)
    assert subscriptions(session, person)[0].paused_until is None


def test_a_pause_can_be_ended_before(session: Session, person: Subscriber) -> None:
    subscription = subscriptions(session, person)[0]
    leaving.pause(session, subscription, 4)
    leaving.end_pause(session, subscription)
    assert subscriptions(session, person)[0].paused_until is None
    assert states(session, person)[0] == (ACTIVE, True)


@pytest.mark.parametrize("weeks", [0, -1, 13])
def test_a_pause_has_a_sensible_length(session: Session, person: Subscriber, weeks: int) -> None:
    with pytest.raises(leaving.UnusualPause):
        leaving.pause(session, subscriptions(session, person)[0], weeks)
    with pytest.raises(leaving.UnusualPause):
        leaving.pause_for_reader(session, subscriptions(session, person)[0].id, weeks)


def test_who_left_cannot_be_paused_and_an_end_of_a_pause_does_not_bring_them_back(
    session: Session, person: Subscriber
) -> None:
    subscription = subscriptions(session, person)[0]
    leaving.pause(session, subscription, 4)
    left = by_page(session, person)
    for act in (leaving.end_pause, lambda session, which: leaving.pause(session, which, 1)):
        with pytest.raises(NotOnList):
            act(session, subscription)
    leaving.pause_for_reader(session, subscription.id, 8)
    session.execute(update(Subscription).values(paused_until=utcnow() - timedelta(days=1)))
    subscribers.end_pauses(session)
    assert states(session, person)[0] == (GONE, False)
    leaving.undo(session, undo_of(left))
    assert states(session, person)[0] == (ACTIVE, True)


def test_who_comes_back_within_a_pause_is_still_paused(session: Session, person: Subscriber) -> None:
    leaving.pause(session, subscriptions(session, person)[0], 4)
    leaving.undo(session, undo_of(by_page(session, person)))
    assert states(session, person)[0] == (ACTIVE, False)


def pause_of(session: Session, person: Subscriber) -> datetime | None:
    """When the pause of the first list ends."""
    return subscriptions(session, person)[0].paused_until


def in_weeks(weeks: int) -> datetime:
    return utcnow() + timedelta(weeks=weeks)


def is_end(moment: datetime | None, *, weeks: int) -> bool:
    """Whether a pause that began now ends then, or a link to end it does a moment later."""
    ends = [next_midnight(began + timedelta(weeks=weeks)) for began in lately()]
    return moment is not None and any(end <= moment < end + timedelta(minutes=1) for end in ends)


def mails_of_pauses(session: Session) -> list[Delivery]:
    """Those that go out."""
    return [
        mail
        for mail in notices_owed(session)
        if said(mail).kind is NoticeKind.PAUSED and mail.state is DeliveryState.PENDING
    ]


@pytest.mark.parametrize("by_reader", [False, True])
def test_a_pause_sends_its_owner_one_mail_with_a_link_that_ends_it(
    session: Session, person: Subscriber, by_reader: bool
) -> None:
    if by_reader:
        leaving.pause_for_reader(session, subscriptions(session, person)[0].id, 4)
    else:
        leaving.pause(session, subscriptions(session, person)[0], 4)
    (mail,) = notices_owed(session)
    assert (mail.subscriber_id, said(mail).language, mail.address) == (person.id, "fr", None)
    assert notices.to_ring_for(session) == mail.campaign_id
    assert said(mail).words == {"list": "Urgent-Actions", "until": languages.day(in_weeks(4), "fr")}
    link = mailed_links.find(session, MailedLinkKind.RESUME, mailed(session))
    assert is_end(link.expires_at, weeks=4)
    assert leaving.look_at_pause(session, mailed(session)) == Wording("Urgent-Actions", {})
    assert states(session, person)[0] == (ACTIVE, False)
    for _ in range(2):
        assert leaving.resume(session, mailed(session)) == Wording("Urgent-Actions", {})
        assert states(session, person) == [(ACTIVE, True), (ACTIVE, True)]
    assert pause_of(session, person) is None


def test_the_page_that_ends_a_pause_does_not_name_a_unions_own_list(session: Session, person: Subscriber) -> None:
    session.execute(update(MailingList).values(owner_id=make_union(session).id))
    leaving.pause(session, subscriptions(session, person)[0], 4)
    assert said(mails_of_pauses(session)[0]).words["list"] == "Urgent-Actions"  # it goes to the person themselves
    assert leaving.look_at_pause(session, mailed(session)) is None
    assert leaving.resume(session, mailed(session)) is None


@pytest.mark.parametrize("weeks", [1, 4])
def test_a_stranger_neither_shortens_nor_ends_a_pause(session: Session, person: Subscriber, weeks: int) -> None:
    subscription = subscriptions(session, person)[0].id
    leaving.pause_for_reader(session, subscription, 4)
    before = pause_of(session, person)
    leaving.pause_for_reader(session, subscription, weeks)
    assert pause_of(session, person) == before
    assert len(mails_of_pauses(session)) == 1  # pressing twice is one pause


def test_a_stranger_may_pause_for_longer_and_every_link_that_was_mailed_ends_it(
    session: Session, person: Subscriber
) -> None:
    subscription = subscriptions(session, person)[0].id
    tokens = []
    for weeks in (1, 2):
        leaving.pause_for_reader(session, subscription, weeks)
        assert is_end(pause_of(session, person), weeks=weeks)
        tokens.append(mailed(session))
    ends = [mailed_links.find(session, MailedLinkKind.RESUME, token).expires_at for token in tokens]
    assert all(is_end(end, weeks=2) for end in ends)
    leaving.resume(session, tokens[0])
    assert states(session, person)[0] == (ACTIVE, True)


def test_a_person_makes_their_own_pause_as_short_as_they_like(session: Session, person: Subscriber) -> None:
    leaving.pause_for_reader(session, subscriptions(session, person)[0].id, 8)
    token = mailed(session)
    leaving.pause(session, subscriptions(session, person)[0], 1)
    assert is_end(pause_of(session, person), weeks=1)
    assert is_end(mailed_links.find(session, MailedLinkKind.RESUME, token).expires_at, weeks=1)


def test_a_person_gets_three_mails_of_pauses_a_day_and_each_pause_takes_hold(
    session: Session, person: Subscriber
) -> None:
    subscription = subscriptions(session, person)[0].id
    for weeks in (1, 2, 4, 8, 12):
        leaving.pause_for_reader(session, subscription, weeks)
        assert is_end(pause_of(session, person), weeks=weeks)
    first, *_, last = mails_of_pauses(session)
    assert len(mails_of_pauses(session)) == 3
    assert notices_owed(session)[-1].reason == Reason.REPEATED
    for mail in (first, last):  # those links work until the pause ends, also the one that no mail told of
        link = mailed_links.find(session, MailedLinkKind.RESUME, said(mail).token or "")
        assert is_end(link.expires_at, weeks=12)
    session.execute(update(MailedLink).values(created_at=utcnow() - timedelta(days=1)))
    leaving.pause(session, subscriptions(session, person)[0], 4)
    assert len(mails_of_pauses(session)) == 4


def test_no_stranger_pauses_a_list_of_which_no_mail_tells(session: Session, person: Subscriber) -> None:
    first, second = (subscription.id for subscription in subscriptions(session, person))
    for weeks in (1, 2, 4):
        leaving.pause_for_reader(session, first, weeks)
    leaving.pause_for_reader(session, second, 8)
    assert [each.paused_until is None for each in subscriptions(session, person)] == [False, True]
    assert states(session, person) == [(ACTIVE, False), (ACTIVE, True)]
    assert notices_owed(session)[-1].reason == Reason.REPEATED
    leaving.pause(session, subscriptions(session, person)[1], 4)  # themselves, and no mail has told them
    leaving.pause_for_reader(session, second, 8)
    assert is_end(subscriptions(session, person)[1].paused_until, weeks=4)


@pytest.mark.parametrize("is_over", [False, True])
def test_no_stranger_begins_a_pause_of_which_no_mail_tells_after_one_that_is_over(
    session: Session, person: Subscriber, is_over: bool
) -> None:
    subscription = subscriptions(session, person)[0]
    for weeks in (1, 2, 4):
        leaving.pause_for_reader(session, subscription.id, weeks)
    subscription.paused_until = utcnow() - timedelta(seconds=1) if is_over else None  # and the links are not used
    session.commit()
    leaving.pause_for_reader(session, subscription.id, 8)
    assert not is_end(pause_of(session, person), weeks=8)
    assert len(mails_of_pauses(session)) == 3


def test_who_ends_a_pause_on_their_page_hears_of_the_next_whoever_begins_it(
    session: Session, person: Subscriber
) -> None:
    subscription = subscriptions(session, person)[0]
    for weeks in (1, 2, 4):
        leaving.pause_for_reader(session, subscription.id, weeks)
    leaving.end_pause(session, subscription)
    leaving.pause_for_reader(session, subscription.id, 8)
    assert is_end(pause_of(session, person), weeks=8)
    assert len(mails_of_pauses(session)) == 4
    leaving.resume(session, mailed(session))
    assert states(session, person)[0] == (ACTIVE, True)


def test_the_link_of_a_pause_that_is_over_does_not_end_the_next(session: Session, person: Subscriber) -> None:
    subscription = subscriptions(session, person)[0]
    tokens = []
    for is_by_link in (True, False):
        leaving.pause(session, subscription, 4)
        tokens.append(mailed(session))
        if is_by_link:
            leaving.resume(session, tokens[-1])
        else:
            leaving.end_pause(session, subscription)
    leaving.pause(session, subscription, 8)
    for token in tokens:
        for act in (leaving.look_at_pause, leaving.resume):
            with pytest.raises(DeadLink):
                act(session, token)
    assert is_end(pause_of(session, person), weeks=8)


def test_the_link_of_one_lists_pause_is_for_that_list(session: Session, person: Subscriber) -> None:
    first, second = subscriptions(session, person)
    leaving.pause(session, first, 1)
    token = mailed(session)
    leaving.pause(session, second, 8)
    leaving.resume(session, token)
    assert states(session, person) == [(ACTIVE, True), (ACTIVE, False)]


def test_nobody_learns_from_what_is_written_who_is_on_the_list(session: Session, person: Subscriber) -> None:
    notices.campaign(session)
    on, left = subscriptions(session, person)
    leaving.leave(session, left, method=Method.ONE_CLICK)

    def rows() -> list[int]:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in (MailedLink, Delivery)]

    grown = []
    for subscription_id in (on.id, on.id, left.id, 999):
        before = rows()
        leaving.pause_for_reader(session, subscription_id, 4)
        grown.append([after - was for after, was in zip(rows(), before, strict=True)])
        assert notices.to_ring_for(session) is not None
    assert grown == [[1, 1]] * 4
    reasons = [mail.reason for mail in notices_owed(session)]
    assert reasons == [None, Reason.REPEATED, Reason.LEFT, Reason.ERASED]


def test_nothing_is_sent_of_a_pause_to_who_reported_our_mail_as_spam(session: Session, person: Subscriber) -> None:
    suppression.add(session, person.email_index, SuppressionReason.COMPLAINED)
    leaving.pause_for_reader(session, subscriptions(session, person)[0].id, 4)
    assert pause_of(session, person) is None
    leaving.pause(session, subscriptions(session, person)[0], 4)
    assert is_end(pause_of(session, person), weeks=4)
    assert [owed.reason for owed in notices_owed(session)] == [Reason.SUPPRESSED] * 2


def test_who_ends_a_pause_after_leaving_stays_off_the_list_and_comes_back_unpaused(
    session: Session, person: Subscriber
) -> None:
    leaving.pause(session, subscriptions(session, person)[0], 4)
    token = mailed(session)
    left = by_page(session, person)
    leaving.resume(session, token)
    assert states(session, person)[0] == (GONE, False)
    leaving.undo(session, undo_of(left))
    assert states(session, person)[0] == (ACTIVE, True)


def test_a_link_to_end_a_pause_ends_with_it_and_dies_with_the_person(session: Session, person: Subscriber) -> None:
    leaving.pause(session, subscriptions(session, person)[0], 4)
    token = mailed(session)
    for other in (token[:-1], "0" * 40):
        with pytest.raises(UnknownLink):
            leaving.resume(session, other)
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    for act in (leaving.look_at_pause, leaving.resume):
        with pytest.raises(DeadLink):
            act(session, token)
    session.execute(update(MailedLink).values(expires_at=in_weeks(1)))
    subscribers.erase(session, "ana@example.org")
    session.commit()
    for act in (leaving.look_at_pause, leaving.resume):
        with pytest.raises(DeadLink):
            act(session, token)


def test_one_may_pause_and_go_on_though_address_and_reason_cannot_be_decrypted(
    session: Session, person: Subscriber
) -> None:
    subscription_id = subscriptions(session, person)[0].id
    session.connection().exec_driver_sql("UPDATE subscribers SET email = name")  # a ciphertext of another column
    session.connection().exec_driver_sql("UPDATE subscriptions SET reason = (SELECT name FROM subscribers)")
    session.commit()
    session.expunge_all()
    leaving.pause_for_reader(session, subscription_id, 4)
    session.commit()
    leaving.resume(session, mailed(session))
    session.commit()
    assert session.scalars(select(Subscription.mailable)).all() == [True, True]


def test_of_two_who_pause_at_once_the_longer_pause_holds(engine: Engine, session: Session, person: Subscriber) -> None:
    subscription_id = subscriptions(session, person)[0].id
    session.commit()

    def pause() -> None:
        with session_scope(engine) as other:
            leaving.pause_for_reader(other, subscription_id, 1)

    notices.campaign(session)
    session.commit()
    leaving.pause_for_reader(session, subscription_id, 8)
    beside = Beside(pause)
    beside.must_wait()
    session.commit()
    beside.result()
    assert is_end(pause_of(session, person), weeks=8)
    assert len(mails_of_pauses(session)) == 1


@pytest.mark.parametrize("paused_until", [None, utcnow() - timedelta(days=1), utcnow() + timedelta(days=1)])
@pytest.mark.parametrize("status", list(SubscriptionStatus))
@pytest.mark.parametrize("suppressed", [False, True])
def test_the_rule_in_sql_and_the_rule_in_python_agree(
    session: Session, status: SubscriptionStatus, suppressed: bool, paused_until: datetime | None
) -> None:
    person = make_subscriber(session, make_list(session), status=status)
    session.execute(update(Subscription).values(paused_until=paused_until))
    if suppressed:
        suppression.add(session, person.email_index, SuppressionReason.BOUNCED)
    subscribers.refresh(session)
    mailable = session.scalars(select(Subscription.mailable)).one()
    assert mailable is subscribers.is_mailable(status, suppressed=suppressed, paused_until=paused_until)
