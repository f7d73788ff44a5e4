"""A person gets a union's mail only once they confirmed that they want it, and until they say that they do not."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer.kits import renewal
from mailer.locale import languages
from mailer.mail import addresses
from mailer.people import mailed_links, subscribers, suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import Notice, NoticeKind, owe
from mailer.people.organisers import NOBODY
from mailer.spreadsheets import importing
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    Delivery,
    DeliveryState,
    MailedLink,
    Purpose,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.unions import applications, contacts
from mailer.unions.contacts import AskedLately, ContactAlready, LongDetail, NoContact, NotItsContact, NotToBeAsked
from tests.support.concurrency import Beside
from tests.support.days import is_today
from tests.support.factories import make_contact, make_list, make_subscriber, make_union, notices_owed, said

BASE_URL = "https://act.example.org"
ANA = "ana@example.org"


@pytest.fixture
def union(session: Session) -> Union:
    union = make_union(session, "dockers-fr", name="Dockers de France", country="FR", languages=["fr", "en"])
    session.commit()
    return union


def blind_index(session: Session, email: str = ANA) -> bytes:
    return keyring_of(session).blind_index(addresses.parse(email).folded)


def invite(engine: Engine, union: Union, email: str = ANA) -> str:
    """Invite somebody, and return the token in the mail."""
    with session_scope(engine) as session:
        contacts.invite(session, union, email, name="Ana Example", role="General secretary")
        token = said(notices_owed(session)[-1]).token
    assert token is not None
    return token


def confirm(engine: Engine, token: str) -> applications.AffiliationAsked:
    with session_scope(engine) as session:
        return applications.confirm(session, token, base_url=BASE_URL, told=NOBODY)


def person_of(session: Session, email: str = ANA) -> Subscriber:
    session.expire_all()
    person = subscribers.find(session, email)
    assert person is not None
    return person


def count(session: Session, table: type) -> int:
    session.expire_all()
    return session.scalar(select(func.count()).select_from(table)) or 0


# --- inviting -------------------------------------------------------------------------------------------------------


def test_who_is_invited_is_nobodys_contact_before_they_confirm(engine: Engine, session: Session, union: Union) -> None:
    invite(engine, union)
    assert [count(session, table) for table in (Subscriber, UnionContact, ConsentEvent)] == [0, 0, 0]
    (mail,) = notices_owed(session)
    assert (mail.address, mail.subscriber_id, said(mail).language, mail.union_id) == (ANA, None, "fr", None)
    assert (said(mail).kind, said(mail).words) == (NoticeKind.CONTACT, {"union": "Dockers de France"})


def test_who_is_known_is_invited_in_their_own_language(engine: Engine, session: Session, union: Union) -> None:
    make_subscriber(session, email=ANA, language="el")
    session.commit()
    invite(engine, union)
    (mail,) = notices_owed(session)
    assert (mail.address, mail.subscriber_id, said(mail).language) == (ANA, None, "el")


def test_an_organiser_may_choose_the_language(session: Session, union: Union) -> None:
    contacts.invite(session, union, ANA, language="DE")
    assert said(notices_owed(session)[0]).language == "de"
    with pytest.raises(languages.InvalidLanguage):
        contacts.invite(session, union, "boris@example.org", language="klingonish")


def test_a_union_without_languages_invites_in_english(session: Session) -> None:
    contacts.invite(session, make_union(session), ANA)
    assert said(notices_owed(session)[0]).language == "en"


def test_an_address_is_asked_once_a_day_until_it_is_confirmed(engine: Engine, session: Session, union: Union) -> None:
    token = invite(engine, union)
    other = make_union(session, "miners")
    with pytest.raises(AskedLately):
        contacts.invite(session, other, ANA.upper())
    session.commit()
    confirm(engine, token)
    contacts.invite(session, other, ANA)
    session.execute(update(MailedLink).values(used_at=None, created_at=utcnow() - timedelta(hours=24, minutes=1)))
    contacts.invite(session, other, ANA)


def test_a_mailbox_is_asked_once_a_day_at_all_its_aliases_and_once_at_its_own_address(
    session: Session, union: Union
) -> None:
    contacts.invite(session, union, "ana+1@example.org")
    contacts.invite(session, union, ANA)
    for text in (ANA, "ana+2@example.org"):
        with pytest.raises(AskedLately, match=re.escape(text)):
            contacts.invite(session, union, text)
    contacts.invite(session, union, "anna@example.org")


def test_nobody_is_asked_who_reported_our_mail_as_spam(session: Session, union: Union) -> None:
    suppression.add(session, blind_index(session), SuppressionReason.COMPLAINED)
    with pytest.raises(NotToBeAsked):
        contacts.invite(session, union, ANA)
    assert notices_owed(session) == []


def test_nobody_is_asked_twice_to_be_what_they_are(session: Session, union: Union) -> None:
    make_contact(session, union, make_subscriber(session, email=ANA))
    with pytest.raises(ContactAlready):
        contacts.invite(session, union, ANA)


def test_what_cannot_be_kept_is_refused(session: Session, union: Union) -> None:
    with pytest.raises(addresses.InvalidAddress):
        contacts.invite(session, union, "ana")
    with pytest.raises(LongDetail, match="role"):
        contacts.invite(session, union, ANA, role="x" * 201)
    assert notices_owed(session) == []


@pytest.mark.parametrize("other", [ANA, "ana+2@example.org"])
def test_of_two_who_invite_one_mailbox_at_once_one_is_the_second(engine: Engine, union: Union, other: str) -> None:
    with session_scope(engine) as session:
        contacts.invite(session, union, ANA)
        second = Beside(lambda: invite(engine, union, other))
        second.must_wait()
    with pytest.raises(AskedLately):
        second.result()


# --- confirming -----------------------------------------------------------------------------------------------------


def test_the_page_shows_what_is_agreed_to_before_anything_is_done(
    engine: Engine, session: Session, union: Union
) -> None:
    token = invite(engine, union)
    asked = applications.look(session, token)
    assert (asked.language, asked.union_name) == ("fr", "Dockers de France")
    assert (asked.is_application, asked.is_confirmed) == (False, False)
    assert asked.consent_text == mailed_links.from_details(contacts.Invitation, _details(session)).consent_text != ""
    assert count(session, UnionContact) == 0


def _details(session: Session) -> dict[str, object]:
    return mailed_links.details_of(session.scalars(select(MailedLink)).one())


def test_who_confirms_is_a_contact_on_no_list(engine: Engine, session: Session, union: Union) -> None:
    asked = confirm(engine, invite(engine, union))
    assert (asked.is_confirmed, asked.union_name, asked.language) == (True, "Dockers de France", "fr")
    ((contact, person),) = contacts.of_union(session, union.id)
    assert (person.email, person.name, person.language) == (ANA, "Ana Example", "fr")
    assert contact.role == "General secretary"
    assert person.union_id is None  # whose contact one is says not that one agreed to have one's union stored
    assert count(session, Subscription) == 0


def test_the_consent_log_has_the_words_of_the_page(engine: Engine, session: Session, union: Union) -> None:
    token = invite(engine, union)
    words = applications.look(session, token).consent_text
    session.commit()
    confirm(engine, token)
    event, text = session.execute(select(ConsentEvent, ConsentText).join(ConsentText)).one()
    assert (event.purpose, event.action, event.method) == (ConsentPurpose.CONTACT, ConsentAction.GIVEN, "invitation")
    assert (text.text, text.language) == (words, "fr")
    assert is_today(event.asked_at, event.confirmed_at)


def test_who_is_known_keeps_what_they_told_us(engine: Engine, session: Session, union: Union) -> None:
    make_subscriber(session, make_list(session), email=ANA, name="Anna", language="el")
    session.commit()
    confirm(engine, invite(engine, union))
    person = person_of(session)
    assert (person.name, person.language) == ("Anna", "el")


def test_confirming_twice_does_it_once(engine: Engine, session: Session, union: Union) -> None:
    token = invite(engine, union)
    assert confirm(engine, token) == confirm(engine, token) == applications.look(session, token)
    assert [count(session, table) for table in (Subscriber, UnionContact, ConsentEvent)] == [1, 1, 1]


@pytest.mark.parametrize("reason", [SuppressionReason.LEFT, SuppressionReason.ERASED, SuppressionReason.BOUNCED])
def test_it_lifts_what_kept_mail_from_them_but_brings_them_back_to_no_list(
    engine: Engine, session: Session, union: Union, reason: SuppressionReason
) -> None:
    make_subscriber(session, make_list(session), email=ANA, status=SubscriptionStatus.UNSUBSCRIBED)
    suppression.add(session, blind_index(session), reason)
    session.commit()
    confirm(engine, invite(engine, union))
    session.expire_all()
    assert suppression.reason(session, blind_index(session)) is None
    subscription = session.scalars(select(Subscription)).one()
    assert (subscription.status, subscription.mailable) == (SubscriptionStatus.UNSUBSCRIBED, False)


def test_an_address_that_works_again_gets_its_lists_again(engine: Engine, session: Session, union: Union) -> None:
    make_subscriber(session, make_list(session), email=ANA)
    suppression.add(session, blind_index(session), SuppressionReason.BOUNCED)
    subscribers.refresh(session)
    session.refresh(union)
    session.commit()
    confirm(engine, invite(engine, union))
    session.expire_all()
    assert session.scalars(select(Subscription.mailable)).all() == [True]


def test_who_reported_our_mail_as_spam_meanwhile_is_not_written_to(
    engine: Engine, session: Session, union: Union
) -> None:
    token = invite(engine, union)
    suppression.add(session, blind_index(session), SuppressionReason.COMPLAINED)
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)
    assert [count(session, table) for table in (Subscriber, UnionContact)] == [0, 0]


def test_a_link_is_good_for_seven_days(engine: Engine, session: Session, union: Union) -> None:
    token = invite(engine, union)
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    for act in (applications.look, partial(applications.confirm, base_url=BASE_URL, told=NOBODY)):
        with pytest.raises(DeadLink):
            act(session, token)
        with pytest.raises(UnknownLink):
            act(session, token[::-1])


def test_once_confirmed_the_request_names_nobody(engine: Engine, session: Session, union: Union) -> None:
    confirm(engine, invite(engine, union))
    assert _details(session) == {"union_id": union.id}


def test_the_link_of_who_was_erased_leads_nowhere(engine: Engine, session: Session, union: Union) -> None:
    used, unused = invite(engine, union), invite(engine, union, "boris@example.org")
    confirm(engine, used)
    for email in (ANA, "boris@example.org"):
        subscribers.erase(session, email)
    session.commit()
    for token in (used, unused):
        with pytest.raises(DeadLink):
            confirm(engine, token)
    assert count(session, UnionContact) == 0


def test_a_confirmation_waits_for_an_erasure(engine: Engine, session: Session, union: Union) -> None:
    token = invite(engine, union)
    subscribers.erase(session, ANA)
    click = Beside(lambda: confirm(engine, token))
    click.must_wait()
    session.commit()
    with pytest.raises(DeadLink):
        click.result()


@pytest.mark.parametrize("reason", [SuppressionReason.ERASED, SuppressionReason.LEFT])
def test_an_import_puts_no_contact_on_a_list_who_had_left_them_all(
    engine: Engine, session: Session, union: Union, reason: SuppressionReason, tmp_path: Path
) -> None:
    make_list(session, "news")
    suppression.add(session, blind_index(session), reason)
    session.commit()
    confirm(engine, invite(engine, union))
    table = tmp_path / "people.csv"
    table.write_text(f"email\n{ANA}\n", encoding="utf-8")
    report = importing.import_file(engine, table, list_slug="news", consent="Yes.")
    assert (report.created, report.subscribed) == (0, 0)
    assert session.scalars(select(Subscription.id)).all() == []


def test_who_becomes_the_contact_of_an_affiliated_union_is_welcomed_with_its_links(
    engine: Engine, session: Session, union: Union
) -> None:
    union.status = UnionStatus.AFFILIATED
    session.commit()
    confirm(engine, invite(engine, union))
    welcome = said(notices_owed(session)[-1])
    assert welcome.kind is NoticeKind.AFFILIATED
    assert "/results/" in welcome.words["results_url"]


# --- being one, and no more -----------------------------------------------------------------------------------------


def by_link(session: Session, contact: UnionContact, _union: Union) -> None:
    contacts.step_down(session, contact)


def by_organiser(session: Session, contact: UnionContact, union: Union) -> None:
    contacts.remove(session, union, ANA.upper())


@pytest.mark.parametrize("leave", [by_link, by_organiser])
def test_who_stops_being_a_contact_keeps_their_lists_and_gets_no_more_of_the_unions_mail(
    session: Session, union: Union, leave: Callable[[Session, UnionContact, Union], None]
) -> None:
    person = make_subscriber(session, make_list(session), email=ANA)
    contact = make_contact(session, union, person)
    others = make_contact(session, make_union(session, "miners"), person)
    for of in (contact, others):
        owe(session, Notice(NoticeKind.KIT), language="en", subscriber_id=person.id, union_id=of.union_id)
    owe(session, Notice(NoticeKind.MANAGE), language="en", subscriber_id=person.id)
    session.commit()
    leave(session, contact, union)
    session.commit()
    assert contacts.of_union(session, union.id) == []
    assert len(contacts.of_union(session, others.union_id)) == 1
    assert [(mail.state, mail.reason, mail.union_id) for mail in notices_owed(session)][:3] == [
        (DeliveryState.SKIPPED, Reason.LEFT, None),
        (DeliveryState.PENDING, None, others.union_id),
        (DeliveryState.PENDING, None, None),
    ]
    assert session.scalars(select(Subscription.mailable)).all() == [True]
    assert count(session, ConsentEvent) == 0  # they are another's contact still
    contacts.end(session, others)
    event = session.scalars(select(ConsentEvent)).one()
    assert (event.purpose, event.action) == (ConsentPurpose.CONTACT, ConsentAction.WITHDRAWN)


def test_the_ledger_forgets_whose_contact_somebody_was_but_not_what_a_worker_holds(
    session: Session, union: Union
) -> None:
    contact = make_contact(session, union)
    for _ in range(2):
        owe(session, Notice(NoticeKind.KIT), language="en", subscriber_id=contact.subscriber_id, union_id=union.id)
    sent, held = notices_owed(session)
    sent.state, held.state, held.fence = DeliveryState.SENT, DeliveryState.SENDING, 1
    session.flush()
    contacts.step_down(session, contact)
    rows = session.execute(
        select(Delivery.state, Delivery.union_id).where(Delivery.purpose == Purpose.NOTICE).order_by(Delivery.id)
    )
    assert [tuple(row) for row in rows][:2] == [(DeliveryState.SENT, None), (DeliveryState.SENDING, union.id)]


def test_who_is_taken_off_by_a_forwarded_mail_can_take_it_back_by_their_own(
    engine: Engine, session: Session, union: Union
) -> None:
    contact = make_contact(session, union, make_subscriber(session, email=ANA, language="fr"))
    contact.role = "Treasurer"
    contacts.step_down(session, contact)
    goodbye = Notice.from_stored(notices_owed(session)[-1].notice or "")
    assert (goodbye.kind, goodbye.words) == (NoticeKind.STEPPED_DOWN, {"union": union.name})
    assert goodbye.token is not None
    session.commit()
    confirm(engine, goodbye.token)
    session.expire_all()
    [(back, person)] = contacts.of_union(session, union.id)
    assert (person.email, back.role) == (ANA, "Treasurer")


def test_nobody_comes_back_by_their_own_once_the_unions_links_were_replaced(
    engine: Engine, session: Session, union: Union
) -> None:
    invited = invite(engine, union, "ben@example.org")
    contacts.step_down(session, make_contact(session, union, make_subscriber(session, email=ANA)))
    token = str(said(notices_owed(session)[-1]).token)
    renewal.renew(session, union.slug, base_url=BASE_URL)
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)
    with pytest.raises(DeadLink):
        applications.look(session, token)
    assert contacts.of_union(session, union.id) == []
    session.commit()
    confirm(engine, invited)  # an organiser wants them
    contacts.step_down(session, contacts.of_union(session, union.id)[0][0])
    later = str(said(notices_owed(session)[-1]).token)
    session.commit()
    confirm(engine, later)
    assert len(contacts.of_union(session, union.id)) == 1


def test_who_came_back_and_was_removed_does_not_come_back_by_an_older_link(
    engine: Engine, session: Session, union: Union
) -> None:
    ana = make_subscriber(session, email=ANA)
    contacts.step_down(session, make_contact(session, union, ana))
    token = str(said(notices_owed(session)[-1]).token)
    contacts.appoint(session, union.id, ana.id, role=None)
    renewal.remove_contact(session, union.slug, ANA, base_url=BASE_URL)
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)
    session.expire_all()
    assert contacts.of_union(session, union.id) == []


def test_the_goodbye_of_an_unnamed_union_does_not_name_it(session: Session, union: Union) -> None:
    union.is_named = False
    contact = make_contact(session, union)
    contacts.step_down(session, contact)
    assert union.name not in (notices_owed(session)[-1].notice or "")


def test_a_second_press_changes_nothing(session: Session, union: Union) -> None:
    contact = make_contact(session, union)
    contacts.step_down(session, contact)
    with pytest.raises(NoContact):
        contacts.get(session, contact.id)
    for act in (contacts.step_down, contacts.end):
        with pytest.raises(NoContact):
            act(session, contact)
    assert count(session, ConsentEvent) == 1


def test_who_steps_down_while_they_are_erased_waits_for_that(engine: Engine, session: Session, union: Union) -> None:
    contact = make_contact(session, union, make_subscriber(session, email=ANA))
    session.commit()

    def step_down() -> None:
        with session_scope(engine) as other:
            contacts.step_down(other, contacts.get(other, contact.id))

    subscribers.erase(session, ANA)
    second = Beside(step_down)
    second.must_wait()
    session.commit()
    with pytest.raises(NoContact):
        second.result()


def test_an_old_link_does_not_bring_back_who_stepped_down(engine: Engine, session: Session, union: Union) -> None:
    token = invite(engine, union)
    confirm(engine, token)
    contacts.remove(session, union, ANA)
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)
    with pytest.raises(DeadLink):
        applications.look(session, token)


def test_who_stepped_down_may_be_invited_again(engine: Engine, session: Session, union: Union) -> None:
    confirm(engine, invite(engine, union))
    contacts.remove(session, union, ANA)
    session.commit()
    confirm(engine, invite(engine, union))
    assert len(contacts.of_union(session, union.id)) == 1


def test_only_its_own_contacts_are_removed(session: Session, union: Union) -> None:
    make_contact(session, make_union(session, "miners"), make_subscriber(session, email=ANA))
    for address in (ANA, "nobody@example.org"):
        with pytest.raises(NotItsContact):
            contacts.remove(session, union, address)


def test_a_contact_is_appointed_once_and_given_a_role_who_has_none(session: Session, union: Union) -> None:
    contact = make_contact(session, union, role=None)
    for role in ("Treasurer", "President"):
        assert contacts.appoint(session, union.id, contact.subscriber_id, role=role).id == contact.id
    assert contact.role == "Treasurer"
