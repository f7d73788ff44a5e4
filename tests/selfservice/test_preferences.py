"""With a link that was mailed to them people change all about themselves; without one, nobody learns anything."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer.locale import countries, languages
from mailer.mail import addresses
from mailer.people import lists, mailed_links, notices, suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import NoticeKind
from mailer.selfservice import address_change, leaving, preferences
from mailer.selfservice.leaving import Method, Scope
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Application,
    Base,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    Delivery,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    Union,
    UnionContact,
)
from mailer.unions import contacts
from tests.support.days import lately
from tests.support.factories import (
    deliver,
    make_campaign,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
    subscribe,
)
from tests.support.statements import watched

ANA, NOBODY = "ana@example.org", "nobody@example.org"
WORDS = "Yes, send me the mail of this list."
UNION_WORDS = "Yes, store which union I belong to."


@pytest.fixture
def mailing_list(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def ana(session: Session, mailing_list: MailingList) -> Subscriber:
    """Somebody on a list, without a union."""
    person = make_subscriber(session, mailing_list, email=ANA, language="fr")
    session.commit()
    return person


@pytest.fixture
def dockers(session: Session) -> Union:
    union = make_union(session, "dockers", name="Dockers' Union")
    session.commit()
    return union


def subscription(session: Session, person: Subscriber, mailing_list: MailingList) -> Subscription:
    session.expire_all()
    theirs = select(Subscription).where(
        Subscription.subscriber_id == person.id, Subscription.list_id == mailing_list.id
    )
    return session.scalars(theirs).one()


def log(session: Session) -> list[tuple[ConsentPurpose, ConsentAction, str, str | None]]:
    events = session.execute(
        select(ConsentEvent, ConsentText.text)
        .outerjoin(ConsentText, ConsentText.id == ConsentEvent.text_id)
        .order_by(ConsentEvent.id)
    )
    return [(event.purpose, event.action, event.method, text) for event, text in events]


def count_rows(session: Session) -> dict[str, int]:
    tables = Base.metadata.sorted_tables
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def suppress(session: Session, email: str, reason: SuppressionReason) -> None:
    suppression.add(session, keyring_of(session).blind_index(addresses.parse(email).folded), reason)
    session.commit()


# --- getting a link -------------------------------------------------------------------------------------------------


def test_a_link_is_mailed_to_the_address_that_is_held_and_opens_that_persons_page(
    session: Session, ana: Subscriber
) -> None:
    preferences.mail_link(session, "ANA@example.org", language="tr")
    (mail,) = notices_owed(session)
    assert (mail.state, mail.subscriber_id, mail.address) == (DeliveryState.PENDING, None, ANA)
    assert (said(mail).kind, said(mail).language) == (NoticeKind.MANAGE, "fr")
    token = said(mail).token
    assert token is not None
    assert [preferences.whose(session, token) for _ in range(3)] == [ana.id] * 3


def test_a_campaign_mails_link_has_a_link_mailed_to_whoever_got_that_mail(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    preferences.mail_link_to_owner(session, subscription(session, ana, mailing_list).id, language="tr")
    (mail,) = notices_owed(session)
    assert (mail.subscriber_id, mail.address, mail.state) == (None, ANA, DeliveryState.PENDING)


def test_the_mail_is_in_the_language_of_the_page_where_the_person_has_chosen_none(session: Session) -> None:
    make_subscriber(session, email=ANA, language=None)
    preferences.mail_link(session, ANA, language="tr")
    assert said(notices_owed(session)[0]).language == "tr"


def test_what_is_no_address_is_refused(session: Session) -> None:
    with pytest.raises(addresses.InvalidAddress):
        preferences.mail_link(session, "nobody", language="en")


def effort(engine: Engine, ask: Callable[..., None], whose: str | int) -> tuple[list[str], dict[str, int], list[int]]:
    """What asking for a link runs and writes, and what it rings for."""
    rung: list[int] = []
    with session_scope(engine) as session:
        before = count_rows(session)
    with watched(engine) as statements, notices.ringing_session(engine, rung.append) as session:
        ask(session, whose, language="en")
    with session_scope(engine) as session:
        after = count_rows(session)
    return statements, {table: after[table] - before[table] for table in after}, rung


def test_asking_for_a_link_takes_the_same_whether_the_address_is_known_or_not(
    engine: Engine, session: Session, mailing_list: MailingList
) -> None:
    for name in ("first", "known", "asked", "complained", "bounced"):
        make_subscriber(session, mailing_list, email=f"{name}@example.org")
    session.commit()
    suppress(session, "complained@example.org", SuppressionReason.COMPLAINED)
    suppress(session, "bounced@example.org", SuppressionReason.BOUNCED)
    suppress(session, "erased@example.org", SuppressionReason.ERASED)
    for name in ("first", "asked"):  # what notices are owed under is made by the first of all
        preferences.mail_link(session, f"{name}@example.org", language="en")
    session.commit()
    efforts = [
        effort(engine, preferences.mail_link, f"{name}@example.org")
        for name in ("known", "asked", "complained", "bounced", "erased", "nobody")
    ]
    assert all(each == efforts[0] for each in efforts)
    assert {table: new for table, new in efforts[0][1].items() if new} == {"mailed_links": 1, "deliveries": 1}


def test_a_campaign_mails_link_takes_the_same_whether_its_reader_was_erased_or_not(
    engine: Engine, session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    here = subscription(session, ana, mailing_list).id
    gone = subscription(session, make_subscriber(session, mailing_list, email="boris@example.org"), mailing_list).id
    preferences.mail_link(session, NOBODY, language="en")
    session.commit()
    with session_scope(engine) as other:
        preferences.erase(other, preferences_of(other, "boris@example.org"))
    efforts = [effort(engine, preferences.mail_link_to_owner, link) for link in (here, gone, 0)]
    assert all(each == efforts[0] for each in efforts)


def preferences_of(session: Session, email: str) -> int:
    index = keyring_of(session).blind_index(addresses.parse(email).folded)
    return session.scalars(select(Subscriber.id).where(Subscriber.email_index == index)).one()


def test_nothing_goes_out_and_nothing_is_kept_for_an_address_that_is_not_known(session: Session) -> None:
    preferences.mail_link(session, NOBODY, language="en")
    (mail,) = notices_owed(session)
    assert (mail.state, mail.reason, mail.subscriber_id, mail.address) == (
        DeliveryState.SKIPPED,
        Reason.SUPPRESSED,
        None,
        None,
    )
    assert said(mail).token is None
    (request,) = session.scalars(select(MailedLink))
    assert request.email_index != keyring_of(session).blind_index(NOBODY)
    assert request.details == "{}"


def test_who_reported_our_mail_as_spam_gets_no_link(session: Session, ana: Subscriber) -> None:
    suppress(session, ANA, SuppressionReason.COMPLAINED)
    preferences.mail_link(session, ANA, language="en")
    assert [mail.state for mail in notices_owed(session)] == [DeliveryState.SKIPPED]


@pytest.mark.parametrize("reason", [SuppressionReason.LEFT, SuppressionReason.BOUNCED])
def test_who_left_everything_or_was_out_of_reach_gets_one(
    session: Session, ana: Subscriber, reason: SuppressionReason
) -> None:
    suppress(session, ANA, reason)
    preferences.mail_link(session, ANA, language="en")
    assert [mail.state for mail in notices_owed(session)] == [DeliveryState.PENDING]


def test_nobody_is_flooded_one_link_an_hour_and_three_a_day(session: Session, ana: Subscriber) -> None:
    def ask() -> DeliveryState:
        preferences.mail_link(session, ANA, language="en")
        return notices_owed(session)[-1].state

    def pass_time(hours: float) -> None:
        for request in session.scalars(select(MailedLink)):
            request.created_at -= timedelta(hours=hours)
            request.expires_at -= timedelta(hours=hours)
        session.flush()

    sent, withheld = DeliveryState.PENDING, DeliveryState.SKIPPED
    assert [ask(), ask(), ask()] == [sent, withheld, withheld]
    assert notices_owed(session)[-1].reason == Reason.REPEATED
    pass_time(1.01)
    assert [ask(), ask()] == [sent, withheld]
    pass_time(1.01)
    assert [ask(), ask()] == [sent, withheld]
    pass_time(1.01)
    assert ask() is withheld
    pass_time(21)
    assert ask() is sent


def test_no_mailbox_is_flooded_of_which_several_addresses_get_our_mail(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    texts = ["ana+1@example.org", "ana+2@example.org", ANA]  # the last is no alias: none of theirs keeps a mail from it
    for text in texts[:2]:
        make_subscriber(session, mailing_list, email=text)
    for text in texts:
        preferences.mail_link(session, text, language="en")
    assert [mail.reason for mail in notices_owed(session)] == [None, Reason.REPEATED, None]


def test_a_link_works_for_a_day_and_for_its_own_purpose_only(session: Session, ana: Subscriber) -> None:
    token = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=ana.email_index, subscriber_id=ana.id)
    other = mailed_links.issue(session, MailedLinkKind.UNDO, email_index=ana.email_index, subscriber_id=ana.id)
    nobodys = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=bytes(32))
    with pytest.raises(UnknownLink):
        preferences.whose(session, other)
    with pytest.raises(DeadLink):
        preferences.whose(session, nobodys)
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    with pytest.raises(DeadLink):
        preferences.whose(session, token)


# --- seeing ---------------------------------------------------------------------------------------------------------


def test_one_sees_everything_that_can_be_changed(
    session: Session, ana: Subscriber, mailing_list: MailingList, dockers: Union
) -> None:
    closed = make_list(session, "branch", name="Branch 7")
    closed.is_open = False
    news = make_list(session, "news", name="News")
    news.description = "What became of it, once a month."
    past = make_list(session, "protests", name="Protests")
    subscribe(session, ana, past, status=SubscriptionStatus.UNSUBSCRIBED)
    ana.union_id = dockers.id
    session.flush()
    leaving.pause(session, preferences.subscription_to(session, ana.id, "urgent-actions"), 2)
    held = preferences.see(session, ana.id)
    assert (held.email, held.name, held.country, held.language) == (ANA, "Ana Example", "GB", "fr")
    assert (held.union, held.has_named_address, held.blocked) == ("Dockers' Union", False, None)
    assert [each.slug for each in held.memberships] == ["news", "protests", "urgent-actions"]
    by_slug = {each.slug: each for each in held.memberships}
    assert by_slug["news"].description.own == "What became of it, once a month."
    assert [(each.is_on, each.may_join, bool(each.left_at)) for each in held.memberships] == [
        (False, True, False),
        (False, True, True),
        (True, False, False),
    ]
    until = by_slug["urgent-actions"].paused_until
    assert until in [(moment + timedelta(weeks=2)).date() for moment in lately()]


def test_a_pause_that_is_over_is_not_shown(session: Session, ana: Subscriber) -> None:
    leaving.pause(session, preferences.subscription_to(session, ana.id, "urgent-actions"), 1)
    session.execute(update(Subscription).values(paused_until=utcnow() - timedelta(seconds=1)))
    assert preferences.see(session, ana.id).memberships[0].paused_until is None


# --- changing -------------------------------------------------------------------------------------------------------


def test_name_country_and_language_change_also_where_audiences_are_chosen(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    preferences.describe(session, ana.id, name="  Ana\x00\nMaria ", country="BR", language="pt_br")
    session.expire_all()
    assert (ana.name, ana.country, ana.language) == ("Ana Maria", "BR", "pt-BR")
    copied = subscription(session, ana, mailing_list)
    assert (copied.country, copied.language) == ("BR", "pt-BR")
    preferences.describe(session, ana.id, name=" ", country="", language="")
    session.expire_all()
    assert (ana.name, ana.country, ana.language) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"name": "x" * 201}, preferences.NameTooLong),
        ({"country": "Atlantis"}, countries.UnknownCountry),
        ({"language": "tlhuman"}, languages.InvalidLanguage),
    ],
)
def test_what_cannot_be_stored_changes_nothing(
    engine: Engine, session: Session, ana: Subscriber, change: dict[str, str], refusal: type[Exception]
) -> None:
    given = {"name": "Other", "country": "BR", "language": "en"} | change
    with pytest.raises(refusal), session_scope(engine) as other:
        preferences.describe(other, ana.id, **given)
    session.expire_all()
    assert (ana.name, ana.country, ana.language) == ("Ana Example", "GB", "fr")


def test_a_union_is_stored_with_the_words_that_were_agreed_to(
    session: Session, ana: Subscriber, mailing_list: MailingList, dockers: Union
) -> None:
    for _ in range(2):  # the second time, nothing new is agreed to
        preferences.state_union(session, ana.id, "dockers' union", words=UNION_WORDS, shown_in="fr")
    assert log(session) == [(ConsentPurpose.UNION, ConsentAction.GIVEN, preferences.METHOD, UNION_WORDS)]
    assert session.scalars(select(ConsentText.language)).one() == "fr"
    session.expire_all()
    assert ana.union_id == dockers.id
    assert subscription(session, ana, mailing_list).union_id == dockers.id


def test_a_union_that_nobody_knows_is_not_stored(session: Session, ana: Subscriber, dockers: Union) -> None:
    with pytest.raises(preferences.UnrecognisedUnion):
        preferences.state_union(session, ana.id, "Bakers", words=UNION_WORDS, shown_in="fr")
    assert (ana.union_id, log(session)) == (None, [])


def test_a_union_is_forgotten_wherever_it_is_stored(
    session: Session, ana: Subscriber, mailing_list: MailingList, dockers: Union
) -> None:
    preferences.state_union(session, ana.id, "dockers", words=UNION_WORDS, shown_in="fr")
    campaign = make_campaign(session, mailing_list)
    theirs = deliver(session, campaign, ana, DeliveryState.SENT)
    other = make_subscriber(session, mailing_list, union=dockers)
    others = deliver(session, campaign, other, DeliveryState.SENT)
    for _ in range(2):  # the second time there is nothing to withdraw
        preferences.forget_union(session, ana.id)
    session.expire_all()
    assert (ana.union_id, theirs.union_id, others.union_id) == (None, None, dockers.id)
    assert subscription(session, ana, mailing_list).union_id is None
    assert log(session)[1:] == [(ConsentPurpose.UNION, ConsentAction.WITHDRAWN, preferences.METHOD, None)]


def test_joining_a_list_logs_the_words_and_the_mail_comes(session: Session, ana: Subscriber) -> None:
    news = make_list(session, "news", name="News")
    for _ in range(2):  # the second time, nothing new is agreed to
        preferences.join(session, ana.id, "news", words=WORDS, shown_in="fr")
    assert log(session) == [(ConsentPurpose.ALERTS, ConsentAction.GIVEN, preferences.METHOD, WORDS)]
    assert session.scalars(select(ConsentEvent.list_id)).all() == [news.id]
    joined = subscription(session, ana, news)
    assert (joined.status, joined.mailable, joined.country, joined.language) == (
        SubscriptionStatus.ACTIVE,
        True,
        "GB",
        "fr",
    )


def test_who_left_all_lists_comes_back_to_the_one_they_join(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    news = make_list(session, "news", name="News")
    subscribe(session, ana, news)
    before = subscription(session, ana, mailing_list)
    leaving.leave(session, before, method=Method.ONE_CLICK, scope=Scope.ALL, reason="Too many")
    preferences.join(session, ana.id, "urgent-actions", words=WORDS, shown_in="fr")
    back, left = subscription(session, ana, mailing_list), subscription(session, ana, news)
    assert (back.status, back.mailable, back.unsubscribed_at, back.reason) == (
        SubscriptionStatus.ACTIVE,
        True,
        None,
        None,
    )
    assert (left.status, left.mailable) == (SubscriptionStatus.UNSUBSCRIBED, False)
    assert session.scalars(select(Suppression)).all() == []


def test_who_reported_our_mail_as_spam_joins_nothing(session: Session, ana: Subscriber) -> None:
    make_list(session, "news")
    suppress(session, ANA, SuppressionReason.COMPLAINED)
    assert not any(each.may_join for each in preferences.see(session, ana.id).memberships)
    with pytest.raises(preferences.NotToBeJoined):
        preferences.join(session, ana.id, "news", words=WORDS, shown_in="fr")
    assert log(session) == []


def test_a_list_that_is_not_open_cannot_be_joined(session: Session, ana: Subscriber) -> None:
    make_list(session, "branch").is_open = False
    session.flush()
    with pytest.raises(preferences.NotToBeJoined):
        preferences.join(session, ana.id, "branch", words=WORDS, shown_in="fr")
    with pytest.raises(lists.UnknownList):
        preferences.join(session, ana.id, "nothing", words=WORDS, shown_in="fr")


def test_leaving_pausing_and_going_on_are_about_that_list_only(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    news = make_list(session, "news")
    subscribe(session, ana, news)
    leaving.pause(session, preferences.subscription_to(session, ana.id, "news"), 4)
    assert not subscription(session, ana, news).mailable
    leaving.end_pause(session, preferences.subscription_to(session, ana.id, "news"))
    assert subscription(session, ana, news).mailable
    leaving.leave(session, preferences.subscription_to(session, ana.id, "news"), method=Method.PAGE)
    assert [said(mail).kind for mail in notices_owed(session)] == [NoticeKind.PAUSED, NoticeKind.GOODBYE]
    assert notices.to_ring_for(session) == notices_owed(session)[0].campaign_id
    assert subscription(session, ana, news).status is SubscriptionStatus.UNSUBSCRIBED
    assert subscription(session, ana, mailing_list).mailable
    assert log(session) == [(ConsentPurpose.ALERTS, ConsentAction.WITHDRAWN, Method.PAGE, None)]


def test_a_list_that_one_never_was_on_cannot_be_left_or_paused(session: Session, ana: Subscriber) -> None:
    make_list(session, "news")
    for slug in ("news", "nothing"):
        with pytest.raises(leaving.NotOnList):
            preferences.subscription_to(session, ana.id, slug)


# --- a union's own lists, and its contacts --------------------------------------------------------------------------


@pytest.fixture
def own_list(session: Session, dockers: Union) -> MailingList:
    """The dockers' own list."""
    made = make_list(session, "dockers-news", name="Dockers' news")
    made.owner_id = dockers.id
    session.commit()
    return made


def test_a_unions_own_list_is_shown_to_those_only_who_are_or_were_on_it(
    session: Session, ana: Subscriber, own_list: MailingList
) -> None:
    assert [each.slug for each in preferences.see(session, ana.id).memberships] == ["urgent-actions"]
    was_on = make_subscriber(session, own_list, status=SubscriptionStatus.UNSUBSCRIBED)
    shown = {each.slug: each.may_join for each in preferences.see(session, was_on.id).memberships}
    assert shown == {"dockers-news": True, "urgent-actions": True}


def test_nobody_joins_by_its_name_a_unions_list_that_they_were_not_offered(
    session: Session, ana: Subscriber, own_list: MailingList
) -> None:
    with pytest.raises(lists.UnknownList):
        preferences.join(session, ana.id, own_list.slug, words=WORDS, shown_in="fr")
    assert [each.list_id for each in session.scalars(select(Subscription))] == [
        subscription(session, ana, lists.get(session, "urgent-actions")).list_id
    ]
    subscribe(session, ana, own_list)
    leaving.leave(session, preferences.subscription_to(session, ana.id, own_list.slug), method=Method.PAGE)
    preferences.join(session, ana.id, own_list.slug, words=WORDS, shown_in="fr")
    assert subscription(session, ana, own_list).status is SubscriptionStatus.ACTIVE


def test_a_contact_sees_whose_contact_they_are_and_stops_it(session: Session, ana: Subscriber, dockers: Union) -> None:
    bakers = make_union(session, "bakers", name="Bakers")
    for union in (dockers, bakers):
        make_contact(session, union, ana, role="Treasurer")
    make_contact(session, dockers)
    assert [(each.name, each.role) for each in preferences.see(session, ana.id).contact_of] == [
        ("Bakers", "Treasurer"),
        ("Dockers' Union", "Treasurer"),
    ]
    contacts.end(session, contacts.of_person(session, ana.id, "dockers"))
    assert [each.slug for each in preferences.see(session, ana.id).contact_of] == ["bakers"]
    assert log(session) == []  # they are another's still
    contacts.end(session, contacts.of_person(session, ana.id, "bakers"))
    assert [row[:2] for row in log(session)] == [(ConsentPurpose.CONTACT, ConsentAction.WITHDRAWN)]
    with pytest.raises(contacts.NoContact):  # not even where somebody else is one
        contacts.end(session, contacts.of_person(session, ana.id, "dockers"))
    assert session.scalar(select(func.count(UnionContact.id)).where(UnionContact.union_id == dockers.id)) == 1


def test_a_contact_who_moves_stays_one(session: Session, ana: Subscriber, dockers: Union) -> None:
    make_contact(session, dockers, ana)
    address_change.name(session, ana.id, "ana.new@example.net", language="en")
    token = said(notices_owed(session)[-1]).token
    assert token is not None
    address_change.move(session, token)
    ((_, person),) = contacts.of_union(session, dockers.id)
    assert person.email == "ana.new@example.net"


def test_an_erased_contact_is_no_longer_one_and_no_application_says_who_made_it(
    session: Session, ana: Subscriber, dockers: Union
) -> None:
    make_contact(session, dockers, ana)
    kept = make_contact(session, dockers)
    for person in (ana, session.get_one(Subscriber, kept.subscriber_id)):
        asked = {"languages": [], "is_named": True, "subscriber_id": person.id}
        session.add(Application(name="Bakers", role="Chair", **asked))
    session.commit()
    preferences.erase(session, ana.id)
    session.commit()
    session.expire_all()
    assert [each.id for each in session.scalars(select(UnionContact))] == [kept.id]
    applications = session.scalars(select(Application).order_by(Application.id))
    assert [(each.name, each.subscriber_id, each.role) for each in applications] == [
        ("Bakers", None, None),
        ("Bakers", kept.subscriber_id, "Chair"),
    ]


# --- erasing --------------------------------------------------------------------------------------------------------


def test_an_erased_person_is_nowhere_in_the_database(
    engine: Engine, session: Session, ana: Subscriber, mailing_list: MailingList, dockers: Union
) -> None:
    other = make_subscriber(session, mailing_list, email="boris@example.org")
    campaign = make_campaign(session, mailing_list)
    mails = [deliver(session, campaign, person, DeliveryState.PENDING) for person in (ana, other)]
    preferences.state_union(session, ana.id, "dockers", words=UNION_WORDS, shown_in="fr")
    preferences.join(session, ana.id, "urgent-actions", words=WORDS, shown_in="fr")
    preferences.mail_link(session, ANA, language="fr")
    leaving.leave(session, preferences.subscription_to(session, ana.id, "urgent-actions"), method=Method.PAGE)
    address_change.name(session, ana.id, "ana.new@example.org", language="fr")
    session.commit()
    subscriber_id = ana.id
    with session_scope(engine) as changing:
        preferences.erase(changing, subscriber_id)
    session.expire_all()
    assert session.scalars(select(Subscriber.id)).all() == [other.id]
    assert session.scalars(select(Subscription.subscriber_id)).all() == [other.id]
    assert session.scalars(select(ConsentEvent)).all() == []
    for link in session.scalars(select(MailedLink)):
        assert (link.person, link.email_index, link.details) == (link.token_hash, link.token_hash, "{}")
    assert [(mail.state, mail.subscriber_id) for mail in mails] == [
        (DeliveryState.SKIPPED, None),
        (DeliveryState.PENDING, other.id),
    ]
    for notice in notices_owed(session):
        assert (notice.state, notice.reason) == (DeliveryState.SKIPPED, Reason.ERASED)
        assert (notice.subscriber_id, notice.address, notice.notice, notice.language) == (None, None, None, None)
    with pytest.raises(DeadLink):
        preferences.erase(session, subscriber_id)


def test_an_organiser_erases_by_address_what_a_person_would_erase_by_link(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    address_change.name(session, ana.id, "ana.new@example.net", language="en")
    preferences.erase_address(session, ana.email)
    preferences.erase_address(session, "nobody@example.net")
    held = session.scalars(select(Delivery.address).where(Delivery.address.is_not(None))).all()
    assert (held, session.scalar(select(func.count()).select_from(Subscriber))) == ([], 0)
