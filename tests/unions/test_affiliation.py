"""What a visitor writes touches no union before an organiser said yes, and a union moves only to where it may."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer import links
from mailer.links import Link
from mailer.mail import addresses
from mailer.people import mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind, owe
from mailer.people.organisers import NOBODY, Organisers
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Application,
    Base,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    DeliveryState,
    MailedLink,
    Reason,
    Subscriber,
    SubscriptionStatus,
    SuppressionReason,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.unions import affiliation, applications, contacts, directory
from mailer.unions.affiliation import AffiliatedAlready, NotAffiliated
from mailer.unions.applications import AskedFor, KnownUnion, UnknownApplication
from mailer.unions.directory import CircularFederation, SluglessUnion, UnknownUnion, UnusableText
from tests.support.concurrency import Beside
from tests.support.days import is_today
from tests.support.factories import WHEN, make_contact, make_list, make_subscriber, make_union, notices_owed, said
from tests.support.statements import watched

BASE_URL = "https://act.example.org"
ANA = "ana@example.org"
DESK = Organisers(("desk@example.org", "rosa@example.org"), "fr")

ASKED = AskedFor(
    name="Syndicat des Dockers",
    country="FR",
    languages=("fr", "en"),
    members=1200,
    parent="World Federation",
    resolution="Congress of 1 March 2026: we affiliate.",
    is_named=True,
    person_name="Ana Example",
    address=addresses.parse(ANA),
    role="General secretary",
    language="fr",
    consent_text="Yes, write to me about our union.",
    shown_in="en",
    asked_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
)


def ask(engine: Engine, asked: AskedFor = ASKED) -> str:
    """Ask, and return the token in the mail."""
    with session_scope(engine) as session:
        applications.ask(session, asked)
        token = said(notices_owed(session)[-1]).token
    assert token is not None
    return token


def confirm(engine: Engine, token: str) -> applications.AffiliationAsked:
    with session_scope(engine) as session:
        return applications.confirm(session, token, base_url=BASE_URL, told=NOBODY)


def confirm_and_tell(engine: Engine, token: str) -> None:
    with session_scope(engine) as session:
        applications.confirm(session, token, base_url=BASE_URL, told=DESK)


def apply(engine: Engine, asked: AskedFor = ASKED) -> int:
    """Ask and confirm; returns the application's id."""
    confirm(engine, ask(engine, asked))
    with session_scope(engine, read_only=True) as session:
        return applications.all_applications(session)[-1].id


def blind_index(session: Session) -> bytes:
    return keyring_of(session).blind_index(ASKED.address.folded)


def rows(session: Session) -> dict[str, int]:
    """Table → how many rows it has."""
    counts = {name: session.scalar(select(func.count()).select_from(t)) for name, t in Base.metadata.tables.items()}
    session.commit()
    return {name: count or 0 for name, count in counts.items()}


# --- telling organisers --------------------------------------------------------------------------------------------


def test_organisers_hear_of_an_application_once_it_is_confirmed_and_once_only(engine: Engine, session: Session) -> None:
    token = ask(engine)
    assert len(notices_owed(session)) == 1
    session.commit()
    for _ in range(2):
        confirm_and_tell(engine, token)
    told = notices_owed(session)[1:]
    assert [mail.address for mail in told] == ["desk@example.org", "rosa@example.org"]
    assert {(said(mail).kind, said(mail).language) for mail in told} == {(NoticeKind.APPLICATION, "fr")}
    application = session.scalars(select(Application)).one()
    assert said(told[0]).words == {
        "union": "Syndicat des Dockers",
        "applications_command": "mailer unions applications",
        "accept_command": f"mailer unions accept {application.id}",
        "decline_command": f"mailer unions decline {application.id}",
    }


def test_the_mail_about_an_application_names_nobody_who_asked_not_to_be_named(engine: Engine, session: Session) -> None:
    confirm_and_tell(engine, ask(engine, replace(ASKED, is_named=False)))
    stored = notices_owed(session)[1].notice or ""
    assert "Dockers" not in stored and "Ana" not in stored and ANA not in stored


def test_an_application_and_the_mails_about_it_are_kept_together_or_not_at_all(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ask(engine)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(mailed_links, "use", killed)
        confirm_and_tell(engine, token)
    assert len(notices_owed(session)) == 1
    assert session.scalars(select(Application)).all() == []
    session.commit()
    confirm_and_tell(engine, token)
    assert len(notices_owed(session)) == 3


# --- asking ---------------------------------------------------------------------------------------------------------


def test_nothing_that_was_typed_goes_into_the_mail_or_is_known_of_anybody(engine: Engine, session: Session) -> None:
    ask(engine)
    (mail,) = notices_owed(session)
    assert (mail.address, mail.state) == (ANA, DeliveryState.PENDING)
    assert (said(mail).kind, said(mail).language, said(mail).words) == (NoticeKind.CONTACT, "fr", {})
    for table in (Union, Application, Subscriber, UnionContact, ConsentText):
        assert session.scalars(select(table)).all() == []


def unknown(session: Session) -> None:
    make_subscriber(session, email="boris@example.org")


def known(session: Session) -> None:
    make_subscriber(session, make_list(session), email=ANA)


def contact(session: Session) -> None:
    make_contact(session, make_union(session), make_subscriber(session, email=ANA))


def erased(session: Session) -> None:
    subscribers.erase(session, ANA)


def complained(session: Session) -> None:
    suppression.add(session, blind_index(session), SuppressionReason.COMPLAINED)


def repeated(session: Session) -> None:
    applications.ask(session, ASKED)


def invited(session: Session) -> None:
    contacts.invite(session, make_union(session), ANA)


def work_of(engine: Engine, asked: AskedFor) -> list[str]:
    """The statements of asking."""
    with watched(engine) as statements, session_scope(engine) as session:
        applications.ask(session, asked)
    return statements


@pytest.mark.parametrize("situation", [unknown, known, contact, erased, complained, repeated, invited])
def test_the_same_work_is_done_whoever_is_known(
    engine: Engine, session: Session, situation: Callable[[Session], None]
) -> None:
    applications.ask(
        session, replace(ASKED, address=addresses.parse("first@example.org"))
    )  # makes the standing campaign
    session.commit()
    expected = work_of(engine, replace(ASKED, address=addresses.parse("nobody@example.org")))
    situation(session)
    before = rows(session)
    assert work_of(engine, ASKED) == expected
    added = {table: count - before[table] for table, count in rows(session).items() if count != before[table]}
    assert added == {"mailed_links": 1, "deliveries": 1}


@pytest.mark.parametrize(
    ("situation", "reason", "is_kept"),
    [(complained, Reason.SUPPRESSED, False), (repeated, Reason.REPEATED, True), (invited, Reason.REPEATED, True)],
)
def test_what_must_not_go_out_is_withheld_and_kept_only_beside_what_was_mailed(
    session: Session, situation: Callable[[Session], None], reason: Reason, is_kept: bool
) -> None:
    situation(session)
    applications.ask(session, ASKED)
    mail = notices_owed(session)[-1]
    assert (mail.state, mail.reason, said(mail).token) == (DeliveryState.SKIPPED, reason, None)
    request = session.scalars(select(MailedLink).order_by(MailedLink.id.desc()).limit(1)).one()
    assert (request.details != "{}", request.is_mailed) == (is_kept, False)


def test_a_mailbox_is_asked_once_a_day_at_all_its_aliases_and_once_at_its_own_address(session: Session) -> None:
    for text in ("ana+1@example.org", ANA, "ana+2@example.org", "anna@example.org"):
        applications.ask(session, replace(ASKED, address=addresses.parse(text)))
    reasons = [mail.reason for mail in notices_owed(session)]
    assert reasons == [None, None, Reason.REPEATED, None]


def test_who_is_known_is_asked_in_their_own_language(session: Session) -> None:
    make_subscriber(session, email=ANA, language="el")
    applications.ask(session, ASKED)
    assert said(notices_owed(session)[0]).language == "el"


# --- confirming -----------------------------------------------------------------------------------------------------


def test_who_confirms_sees_first_what_was_asked_in_their_name(engine: Engine, session: Session) -> None:
    asked = applications.look(session, ask(engine))
    assert asked == applications.AffiliationAsked(
        "fr", "Syndicat des Dockers", is_application=True, consent_text=ASKED.consent_text, is_confirmed=False
    )
    assert applications.all_applications(session) == []


def test_once_confirmed_an_application_waits_and_no_union_is_changed(engine: Engine, session: Session) -> None:
    token = ask(engine)
    asked = confirm(engine, token)
    assert (asked.is_confirmed, asked.is_application, asked.union_name) == (True, True, "Syndicat des Dockers")
    assert confirm(engine, token) == asked == applications.look(session, token)
    (application,) = applications.all_applications(session)
    for column in ("name", "country", "members", "parent", "resolution", "is_named", "role"):
        assert getattr(application, column) == getattr(ASKED, column)
    assert application.languages == ["fr", "en"]
    person = applications.applicant(session, application)
    assert person is not None
    assert (person.email, person.name, person.language, person.country) == (ANA, "Ana Example", "fr", None)
    counts = rows(session)
    assert [counts[table] for table in ("unions", "union_contacts", "subscriptions", "subscribers")] == [0, 0, 0, 1]


def test_the_consent_log_has_the_words_of_the_form(engine: Engine, session: Session) -> None:
    apply(engine)
    event, text = session.execute(select(ConsentEvent, ConsentText).join(ConsentText)).one()
    assert (event.purpose, event.action, event.method) == (
        ConsentPurpose.CONTACT,
        ConsentAction.GIVEN,
        "affiliation form",
    )
    assert (text.text, text.language, event.asked_at) == (ASKED.consent_text, "en", ASKED.asked_at.date())


def test_once_confirmed_the_request_holds_nothing_of_the_person(engine: Engine, session: Session) -> None:
    apply(engine)
    link = session.scalars(select(MailedLink)).one()
    assert mailed_links.details_of(link) == {"union_name": "Syndicat des Dockers"}


def test_who_reported_our_mail_as_spam_meanwhile_applies_for_nothing(engine: Engine, session: Session) -> None:
    token = ask(engine)
    complained(session)
    session.commit()
    with pytest.raises(DeadLink):
        confirm(engine, token)
    assert applications.all_applications(session) == []


# --- where the form was filled in again before that -----------------------------------------------------------------


def again(engine: Engine, asked: AskedFor) -> None:
    """Ask for an address that was mailed today."""
    with session_scope(engine) as session:
        applications.ask(session, asked)


def look(engine: Engine, token: str) -> list[applications.Request]:
    with session_scope(engine, read_only=True) as session:
        return list(applications.look(session, token).requests)


def choose(engine: Engine, token: str, *keys: str) -> None:
    with session_scope(engine) as session:
        applications.confirm(session, token, base_url=BASE_URL, told=NOBODY, chosen=keys)


def waiting(session: Session) -> list[str]:
    """The unions whose applications wait."""
    session.rollback()
    found = [each.name for each in applications.all_applications(session)]
    session.rollback()
    return found


def a_day_later(session: Session) -> None:
    session.execute(update(MailedLink).values(created_at=utcnow() - timedelta(days=1, minutes=1)))
    session.commit()


CORRECTED = replace(ASKED, name="Syndicat des Dockers et Marins", members=12_000)


def test_who_corrects_an_application_before_confirming_it_says_which_one_an_organiser_gets(
    engine: Engine, session: Session
) -> None:
    token = ask(engine)
    again(engine, CORRECTED)
    requests = look(engine, token)
    assert [each.asked for each in requests] == [CORRECTED, ASKED]
    choose(engine, token, requests[0].key)
    application = session.scalars(select(Application)).one()
    assert (application.name, application.members) == (CORRECTED.name, 12_000)
    assert len(session.scalars(select(ConsentEvent)).all()) == 1
    session.rollback()
    assert look(engine, token) == []
    choose(engine, token, requests[1].key)  # the page of before, sent again
    assert waiting(session) == [CORRECTED.name]


def test_who_speaks_for_two_unions_applies_for_both_by_one_mail(engine: Engine, session: Session) -> None:
    token = ask(engine)
    again(engine, replace(ASKED, name="Seafarers United", person_name=None))
    choose(engine, token, *(each.key for each in look(engine, token)))
    assert sorted(waiting(session)) == ["Seafarers United", ASKED.name]
    assert session.scalars(select(Subscriber.name)).all() == ["Ana Example"]


@pytest.mark.parametrize("keys", [(), ("0" * 32,)])
def test_nothing_is_confirmed_that_was_not_chosen(engine: Engine, session: Session, keys: tuple[str, ...]) -> None:
    token = ask(engine)
    again(engine, CORRECTED)
    for chosen in (keys, (*keys, look(engine, token)[0].key) if keys else ()):
        with pytest.raises(applications.Unchosen):
            choose(engine, token, *chosen)
    assert waiting(session) == []
    assert len(look(engine, token)) == 2


def test_a_strangers_request_that_comes_while_the_page_is_open_is_not_confirmed(
    engine: Engine, session: Session
) -> None:
    token = ask(engine)
    assert look(engine, token) == []
    again(engine, replace(ASKED, name="Strangers United"))
    with pytest.raises(applications.Unchosen):
        choose(engine, token)
    mine = next(each.key for each in look(engine, token) if each.asked == ASKED)
    again(engine, replace(ASKED, name="More Strangers"))
    choose(engine, token, mine)
    assert waiting(session) == [ASKED.name]


def test_the_same_request_twice_is_one_and_nothing_is_asked(engine: Engine, session: Session) -> None:
    token = ask(engine)
    again(engine, replace(ASKED, asked_at=utcnow(), consent_text="Oui.", shown_in="fr"))
    assert look(engine, token) == []
    choose(engine, token)
    assert waiting(session) == [ASKED.name]


def test_however_often_others_fill_in_the_form_for_unions_few_requests_are_kept_and_the_owners_counts(
    engine: Engine, session: Session
) -> None:
    token = ask(engine, replace(ASKED, name="Strangers United"))
    for number in range(2 * mailed_links.MOST_BESIDES):
        again(engine, replace(ASKED, name=f"Strangers {number}"))
    again(engine, ASKED)
    names = [each.asked.name for each in look(engine, token)]
    assert names == [ASKED.name, *(f"Strangers {number}" for number in (9, 8, 7, 6)), "Strangers United"]
    assert session.scalar(select(func.count(MailedLink.id))) == 1 + mailed_links.MOST_BESIDES
    session.rollback()
    choose(engine, token, look(engine, token)[0].key)
    assert waiting(session) == [ASKED.name]
    link = session.scalars(select(MailedLink)).one()  # what was not chosen is gone
    assert mailed_links.details_of(link) == {"union_name": ASKED.name}


def test_mails_of_two_days_make_one_application_of_each_request(engine: Engine, session: Session) -> None:
    first = ask(engine)
    a_day_later(session)
    second = ask(engine, CORRECTED)
    requests = look(engine, first)
    assert requests == look(engine, second)
    choose(engine, first, *(each.key for each in requests))
    choose(engine, second)
    assert sorted(waiting(session)) == [ASKED.name, CORRECTED.name]


def test_an_application_on_the_day_of_an_invitation_is_asked_about_on_its_page(
    engine: Engine, session: Session
) -> None:
    union = make_union(session, "seafarers")
    contacts.invite(session, union, ANA)
    token = said(notices_owed(session)[-1]).token
    session.commit()
    assert token is not None
    assert look(engine, token) == []
    again(engine, ASKED)
    (request,) = look(engine, token)
    assert request.asked == ASKED
    choose(engine, token, request.key)
    assert waiting(session) == [ASKED.name]
    assert [contact.union_id for contact in session.scalars(select(UnionContact))] == [union.id]


def test_who_is_invited_need_not_answer_for_what_others_filled_in(engine: Engine, session: Session) -> None:
    contacts.invite(session, make_union(session, "seafarers"), ANA)
    token = said(notices_owed(session)[-1]).token
    session.commit()
    again(engine, ASKED)
    choose(engine, token or "")
    assert waiting(session) == []
    assert len(session.scalars(select(UnionContact)).all()) == 1
    session.rollback()
    assert session.scalar(select(func.count(MailedLink.id))) == 1


def test_the_page_of_an_application_shows_no_invitation(engine: Engine, session: Session) -> None:
    contacts.invite(session, make_union(session, "seafarers"), ANA)
    session.commit()
    a_day_later(session)
    token = ask(engine)
    assert look(engine, token) == []
    choose(engine, token)
    assert waiting(session) == [ASKED.name]


# --- saying yes -----------------------------------------------------------------------------------------------------


def test_an_accepted_union_is_affiliated_with_its_person_as_contact(engine: Engine, session: Session) -> None:
    application_id = apply(engine)
    make_union(session, "world")
    notices.to_ring_for(session)  # for what was owed before
    union = applications.accept(session, application_id, parent_slug="world", base_url=BASE_URL)
    session.commit()
    session.refresh(union)
    assert (union.slug, union.name, union.country) == ("syndicat-des-dockers", "Syndicat des Dockers", "FR")
    assert (union.languages, union.members, union.is_named) == (["fr", "en"], 1200, True)
    assert union.parent is not None
    assert union.parent.slug == "world"
    assert (union.status, union.resolution) == (UnionStatus.AFFILIATED, ASKED.resolution)
    assert is_today(union.interested_at, union.affiliated_at)
    ((who, person),) = contacts.of_union(session, union.id)
    assert (person.email, who.role) == (ANA, "General secretary")
    assert applications.all_applications(session) == []
    assert notices.to_ring_for(session) == notices_owed(session)[-1].campaign_id


def test_a_contact_is_told_with_all_the_links(engine: Engine, session: Session) -> None:
    union = applications.accept(session, apply(engine), base_url=BASE_URL)
    mail = notices_owed(session)[-1]
    (who, person) = contacts.of_union(session, union.id)[0]
    assert (mail.subscriber_id, mail.union_id, said(mail).language, mail.address) == (person.id, union.id, "fr", None)
    assert said(mail).kind is NoticeKind.AFFILIATED
    words = said(mail).words
    assert set(words) == {"union", "join_url", "results_url", "stop_url"}
    assert (words["union"], words["join_url"]) == (union.name, f"{BASE_URL}/fr/join/syndicat-des-dockers")
    keyring = keyring_of(session)
    for word, page, link, number in (
        ("results_url", "results", Link.UNION, union.id),
        ("stop_url", "no-contact", Link.CONTACT, who.id),
    ):
        address, _, token = words[word].rpartition("/")
        assert address == f"{BASE_URL}/fr/{page}"
        assert links.verify(keyring, link, token) == number


def test_a_union_that_is_not_to_be_named_gets_a_join_link_that_does_not_name_it(
    engine: Engine, session: Session
) -> None:
    union = applications.accept(session, apply(engine, replace(ASKED, is_named=False)), base_url=BASE_URL)
    assert not union.is_named
    welcome = said(notices_owed(session)[-1]).words
    assert welcome["join_url"] == f"{BASE_URL}/fr/"
    assert union.name not in str(welcome)


def test_a_union_of_that_name_is_updated_only_on_request(engine: Engine, session: Session) -> None:
    application_id = apply(engine)
    make_union(session, "dockers-be", name="SYNDICAT  des dockers", country="BE")
    make_union(session, "dockers-fr", name="Syndicat des dockers", country="FR")
    with pytest.raises(KnownUnion, match="--as dockers-fr"):
        applications.accept(session, application_id, base_url=BASE_URL)
    union = applications.accept(session, application_id, slug="dockers-lyon", base_url=BASE_URL)
    assert (union.slug, union.name) == ("dockers-lyon", "Syndicat des Dockers")


def test_a_slug_that_another_union_has_is_not_taken_by_itself(engine: Engine, session: Session) -> None:
    application_id = apply(engine)
    make_union(session, "syndicat-des-dockers", name="Another")
    with pytest.raises(KnownUnion, match='named "Another"'):
        applications.accept(session, application_id, base_url=BASE_URL)
    assert len(applications.all_applications(session)) == 1


def test_a_known_union_keeps_what_is_known_and_is_filled_in(engine: Engine, session: Session) -> None:
    union = make_union(
        session, "dockers", name="Dockers", country=None, languages=["de"], status=UnionStatus.INTERESTED
    )
    session.commit()
    application_id = apply(engine, replace(ASKED, is_named=False))
    accepted = applications.accept(session, application_id, slug="dockers", base_url=BASE_URL)
    assert accepted is union
    assert (union.name, union.country, union.languages, union.members) == ("Dockers", "FR", ["de"], 1200)
    session.refresh(union)
    assert (union.status, union.interested_at, union.is_named) == (UnionStatus.AFFILIATED, WHEN.date(), False)


def test_a_second_person_of_an_affiliated_union_is_its_contact_too_and_alone_is_told(
    engine: Engine, session: Session
) -> None:
    union = make_union(session, "dockers", status=UnionStatus.AFFILIATED, is_named=False)
    make_contact(session, union)
    session.commit()
    application_id = apply(engine, replace(ASKED, resolution=None))
    union.resolution = "As of 2020."
    applications.accept(session, application_id, slug="dockers", base_url=BASE_URL)
    session.refresh(union)
    assert (union.affiliated_at, union.is_named, union.resolution) == (WHEN.date(), False, "As of 2020.")
    assert union.country == "GB"
    assert len(contacts.of_union(session, union.id)) == 2
    told = [mail.subscriber_id for mail in notices_owed(session) if said(mail).kind is NoticeKind.AFFILIATED]
    assert told == [contacts.of_union(session, union.id)[1][1].id]


def test_an_application_of_somebody_who_was_erased_since_has_no_contact(engine: Engine, session: Session) -> None:
    application_id = apply(engine)
    subscribers.erase(session, ANA)
    session.commit()
    session.expire_all()
    union = applications.accept(session, application_id, base_url=BASE_URL)
    assert (union.status, notices.to_ring_for(session)) == (UnionStatus.AFFILIATED, None)
    assert contacts.of_union(session, union.id) == []


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Fédération Générale de l'Énergie (CGE)", "federation-generale-de-lenergie-cge"),
        ("Groß & Łódź – Ørsted", "gross-lodz-orsted"),
        ("İşçi Sendikası", "isci-sendikasi"),
        ("Local 1199", "local-1199"),
        ("Union " + "x" * 100, "union-" + "x" * 74),
    ],
)
def test_a_slug_is_made_of_a_name_in_latin_letters(name: str, slug: str) -> None:
    assert directory.slug_of(name) == slug


@pytest.mark.parametrize("name", ["Профсоюз докеров", "Ένωση Λιμενεργατών ABC", "اتحاد العمال", "!!!"])
def test_a_name_in_another_script_needs_a_slug(name: str) -> None:
    with pytest.raises(SluglessUnion, match="--as"):
        directory.slug_of(name)


def say_yes(session: Session, application_id: int) -> None:
    applications.accept(session, application_id, slug="another", base_url=BASE_URL)


@pytest.mark.parametrize("again", [say_yes, applications.decline])
def test_an_application_is_decided_once(
    engine: Engine, session: Session, again: Callable[[Session, int], None]
) -> None:
    application_id = apply(engine)
    with pytest.raises(UnknownApplication, match="application 99"):
        again(session, 99)
    applications.accept(session, application_id, base_url=BASE_URL)

    def decide() -> None:
        with session_scope(engine) as other:
            again(other, application_id)

    second = Beside(decide)
    second.must_wait()
    session.commit()
    with pytest.raises(UnknownApplication):
        second.result()


def test_what_is_refused_leaves_the_application(engine: Engine, session: Session) -> None:
    application_id = apply(engine)
    union = make_union(session, "dockers")
    make_union(session, "branch", parent=union)
    session.commit()
    with pytest.raises(CircularFederation), session_scope(engine) as other:
        applications.accept(other, application_id, slug="dockers", parent_slug="branch", base_url=BASE_URL)
    with pytest.raises(UnknownUnion), session_scope(engine) as other:
        applications.accept(other, application_id, parent_slug="nowhere", base_url=BASE_URL)
    session.expire_all()
    assert len(applications.all_applications(session)) == 1
    assert directory.get(session, "dockers").status is UnionStatus.LISTED


# --- saying no ------------------------------------------------------------------------------------------------------


def test_who_is_declined_is_forgotten(engine: Engine, session: Session) -> None:
    application_id = apply(engine)
    person = subscribers.find(session, ANA)
    assert person is not None
    owe(session, Notice(NoticeKind.MANAGE), language="en", subscriber_id=person.id)
    applications.decline(session, application_id)
    session.commit()
    counts = rows(session)
    tables = ("applications", "subscribers", "consent_events", "suppressions")
    assert {table: counts[table] for table in tables} == dict.fromkeys(tables, 0)
    (link,) = session.scalars(select(MailedLink))
    assert (link.person, link.email_index, link.details) == (link.token_hash, link.token_hash, "{}")
    mail = notices_owed(session)[-1]
    assert (mail.state, mail.reason, mail.subscriber_id) == (DeliveryState.SKIPPED, Reason.ERASED, None)


@pytest.mark.parametrize("status", [SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED])
def test_who_is_or_was_on_a_list_is_kept_without_the_consent(
    engine: Engine, session: Session, status: SubscriptionStatus
) -> None:
    make_subscriber(session, make_list(session), email=ANA, status=status)
    session.commit()
    applications.decline(session, apply(engine))
    assert subscribers.find(session, ANA) is not None
    actions = session.scalars(select(ConsentEvent.action).order_by(ConsentEvent.id)).all()
    assert actions == [ConsentAction.GIVEN, ConsentAction.WITHDRAWN]


def test_who_speaks_for_a_union_or_asks_for_another_is_kept_with_the_consent(engine: Engine, session: Session) -> None:
    first = apply(engine)
    second = apply(engine, replace(ASKED, name="Another"))
    applications.decline(session, first)
    applications.accept(session, second, base_url=BASE_URL)
    session.commit()
    applications.decline(session, apply(engine, replace(ASKED, name="A third")))
    assert session.scalars(select(ConsentEvent.action)).all() == [ConsentAction.GIVEN] * 3
    assert len(session.scalars(select(UnionContact)).all()) == 1


def test_an_application_of_somebody_who_was_erased_can_be_declined(engine: Engine, session: Session) -> None:
    application_id = apply(engine)
    subscribers.erase(session, ANA)
    session.commit()
    session.expire_all()
    applications.decline(session, application_id)
    assert applications.all_applications(session) == []


# --- moving ---------------------------------------------------------------------------------------------------------


def test_a_union_affiliates_lapses_and_comes_back_with_dates(session: Session) -> None:
    make_union(session, "dockers", status=UnionStatus.INTERESTED)
    union = affiliation.affiliate(session, "dockers", resolution=" Carried\r\nunanimously ", base_url=BASE_URL)
    union.affiliated_at = WHEN
    session.flush()
    session.refresh(union)
    assert (union.status, union.interested_at) == (UnionStatus.AFFILIATED, WHEN.date())
    assert notices.to_ring_for(session) is None
    assert union.resolution == "Carried\nunanimously"
    first = union.affiliated_at
    affiliation.lapse(session, "dockers")
    assert (union.status, union.affiliated_at) == (UnionStatus.LAPSED, first)
    lapsed = union.lapsed_at
    affiliation.affiliate(session, "dockers", base_url=BASE_URL)
    assert first == WHEN.date()
    assert is_today(lapsed, union.affiliated_at)
    assert (union.lapsed_at, union.resolution) == (lapsed, "Carried\nunanimously")


def test_all_contacts_are_told_that_their_union_is_affiliated(session: Session) -> None:
    union = make_union(session, "dockers", languages=["tr"])
    people = [make_subscriber(session, language=language) for language in ("es", None, "ga")]
    for person in people:
        make_contact(session, union, person)
    make_contact(session, make_union(session, "miners"))
    affiliation.affiliate(session, "dockers", base_url=BASE_URL)
    mails = notices_owed(session)
    assert [(mail.subscriber_id, said(mail).language) for mail in mails] == [
        (people[0].id, "es"),
        (people[1].id, "tr"),
        (people[2].id, "ga"),
    ]
    joins = [said(mail).words["join_url"] for mail in mails]
    assert joins == [f"{BASE_URL}{prefix}/join/dockers" for prefix in ("/es", "/tr", "")]
    assert notices.to_ring_for(session) == mails[0].campaign_id


@pytest.mark.parametrize("status", UnionStatus)
def test_moves_that_make_no_sense_are_refused(session: Session, status: UnionStatus) -> None:
    union = make_union(session, "dockers", status=status)
    moves: dict[Callable[[], object], tuple[set[UnionStatus], type[Exception]]] = {
        lambda: directory.note_interest(session, "dockers"): ({UnionStatus.LISTED}, directory.BeyondInterest),
        lambda: affiliation.affiliate(session, "dockers", base_url=BASE_URL): (
            {UnionStatus.LISTED, UnionStatus.INTERESTED, UnionStatus.LAPSED},
            AffiliatedAlready,
        ),
        lambda: affiliation.lapse(session, "dockers"): ({UnionStatus.AFFILIATED}, NotAffiliated),
    }
    for move, (allowed, error) in moves.items():
        session.commit()
        if status in allowed:
            move()
            assert union.status is not status
            session.rollback()
        else:
            with pytest.raises(error, match='"dockers"'):
                move()
            assert union.status is status


def test_a_resolution_is_plain_text_of_a_readable_length(session: Session) -> None:
    make_union(session, "dockers")
    for resolution in ("", "x" * 2001, "a\x00b"):
        with pytest.raises(UnusableText, match="resolution"):
            affiliation.affiliate(session, "dockers", resolution=resolution, base_url=BASE_URL)
    with pytest.raises(UnknownUnion):
        affiliation.affiliate(session, "nowhere", base_url=BASE_URL)
    assert directory.get(session, "dockers").status is UnionStatus.LISTED
