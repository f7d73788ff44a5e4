"""A union asks to affiliate, and somebody becomes the person who gets its mail: only ever who owns the address."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.links import Link
from mailer.people.notices import NoticeKind
from mailer.store.db import utcnow
from mailer.store.models import (
    Application,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    MailedLink,
    Subscriber,
    Subscription,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.unions import contacts
from mailer.web.language import LANGUAGES
from tests.support.factories import make_contact, make_subscriber, make_union, notices_owed, said
from tests.web.conftest import stamp_of
from tests.web.pages import affiliate, forwarded_notes, newest_token, seen, signed, stored

OFFICER = "officer@example.org"


def full_form(**changes: Any) -> dict[str, Any]:
    """All of the form filled in, by somebody who does not mind to say everything."""
    return {
        "name": "Dockers  of the North",
        "country": "FR",
        "languages": ["fr", "ar"],
        "members": "1.200",
        "parent": "Harbour Workers International",
        "resolution": "Passed on 3 May.\r\n\r\nWe affiliate.",
        "is_named": "yes",
        "person_name": "Zoé Example",
        "role": "General secretary",
        "email": OFFICER,
        "language": "fr",
        "agreed": "yes",
    } | changes


# --- asking ---------------------------------------------------------------------------------------------------------


def test_the_form_says_what_affiliation_means_and_offers_the_unions_that_may_be_named(
    client: FlaskClient, session: Session
) -> None:
    make_union(session, name="Harbour Workers International")
    make_union(session, "silent", name="The Silent Ones", is_named=False)
    session.commit()
    page = client.get("/affiliate").text
    assert "Your members get nothing from us unless they sign up themselves" in page
    assert "<option>Harbour Workers International</option>" in page
    assert "The Silent Ones" not in page
    assert re.search(r'name="is_named" type="checkbox" value="yes" checked', page)
    assert re.search(r'name="agreed" type="checkbox" value="yes" required>', page)


def test_every_page_leads_to_it(client: FlaskClient) -> None:
    assert '<a href="/fr/affiliate">' in client.get("/fr/privacy").text


def test_what_is_asked_for_waits_for_the_owner_of_the_address_and_then_for_an_organiser(
    client: FlaskClient, session: Session
) -> None:
    answer = client.post("/affiliate", data=full_form())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/check-your-mail?form=union")
    assert "your request will go to an organiser" in client.get(answer.headers["Location"]).text
    assert session.scalars(select(Application)).all() == []
    token = newest_token(session)
    page = client.get(f"/contact/{token}", headers={"Accept-Language": "de"})
    assert page.headers["Content-Language"] == "fr"
    assert "Dockers of the North" not in page.text  # anybody may have written that
    page = client.post(f"/contact/{token}")
    assert page.status_code == 200
    asked = session.scalars(select(Application)).one()
    assert (asked.name, asked.country, asked.languages, asked.members) == (
        "Dockers of the North",
        "FR",
        ["fr", "ar"],
        1200,
    )
    assert (asked.parent, asked.is_named, asked.role) == ("Harbour Workers International", True, "General secretary")
    assert asked.resolution == "Passed on 3 May.\n\nWe affiliate."
    assert session.scalars(select(Union)).all() == []
    person = session.get_one(Subscriber, asked.subscriber_id)
    assert (person.email, person.name, person.language) == (OFFICER, "Zoé Example", "fr")
    assert session.scalars(select(Subscription)).all() == []


def test_the_consent_log_keeps_the_words_that_stood_beside_the_box(client: FlaskClient, session: Session) -> None:
    page = client.get("/de/affiliate").text
    words = re.search(r'name="agreed"[^>]*>\s*<span>([^<]+)</span>', page)
    assert words
    assert "Harbour Solidarity" in words[1]
    client.post("/de/affiliate", data=full_form())
    client.post(f"/contact/{newest_token(session)}")
    event = session.scalars(select(ConsentEvent)).one()
    assert event.purpose is ConsentPurpose.CONTACT
    text = session.get_one(ConsentText, event.text_id)
    assert (text.text, text.language) == (unescape(words[1]), "de")


def test_the_least_that_one_can_say_is_enough(client: FlaskClient, session: Session) -> None:
    fields = {"name": "Dockers", "country": "international", "email": OFFICER, "agreed": "yes"}
    assert client.post("/ar/affiliate", data=fields).status_code == 303
    token = newest_token(session)
    assert client.get(f"/contact/{token}").headers["Content-Language"] == "ar"
    client.post(f"/contact/{token}")
    asked = session.scalars(select(Application)).one()
    assert (asked.country, asked.languages, asked.members, asked.is_named) == (None, [], None, False)


def test_what_a_visitor_typed_stands_in_no_mail(client: FlaskClient, session: Session) -> None:
    client.post("/affiliate", data=full_form(name="Buy now at evil.example.com"))
    [owed] = notices_owed(session)
    assert said(owed).kind is NoticeKind.CONTACT
    assert said(owed).words == {}


MISTAKES = {
    "name": ("", "Enter the name of your union."),
    "country": ("XX", "Choose your union's country"),
    "members": ("many", "Enter a whole number"),
    "parent": ("x" * 201, "Use at most 200 characters"),
    "resolution": ("x" * 2001, "Use at most 2000 characters"),
    "person_name": ("x" * 201, "Use at most 200 characters"),
    "role": ("x" * 201, "Use at most 200 characters"),
    "email": ("officer.at.example.org", "This is not an e-mail address"),
    "agreed": (None, "tick the box that says we may write to you"),
}


@pytest.mark.parametrize("field", MISTAKES)
def test_a_mistake_is_explained_beside_its_field_and_nothing_that_was_typed_is_lost(
    client: FlaskClient, session: Session, field: str
) -> None:
    wrong, advice = MISTAKES[field]
    fields = {name: value for name, value in full_form(**{field: wrong}).items() if value is not None}
    page = client.post("/affiliate", data=fields)
    assert page.status_code == 422
    assert advice in unescape(page.text)
    assert page.text.count('class="error"') == 1
    assert f'<li><a href="#{field}">' in page.text
    assert f'id="{field}-problem"' in page.text
    for name, value in fields.items():
        for each in [value] if isinstance(value, str) else value:
            if name == "country" and field == "country":
                continue  # nothing to choose
            if name == "resolution":
                assert f"\n{each.replace(chr(13), '')}</textarea>" in page.text.replace("\r", "")
            elif name in ("country", "language"):
                assert f'<option value="{each}"' in page.text
                assert re.search(rf'<option value="{each}"[^>]* selected', page.text)
            elif each == "yes" or name == "languages":
                assert re.search(rf'name="{name}" type="checkbox" value="{each}"[^>]* checked', page.text)
            else:
                assert f'name="{name}"' in page.text
                assert f'value="{each}"' in page.text
    assert notices_owed(session) == []


@pytest.mark.parametrize("typed", ["0", "-5", "12.5", "1,2,3", "1" * 21, "twelve", "1e3"])
def test_what_is_no_number_of_people_is_none(client: FlaskClient, typed: str) -> None:
    assert affiliate(client, OFFICER, members=typed).status_code == 422


@pytest.mark.parametrize("typed", ["1200", "1.200", "1,200", "1 200", "1\u202f200", "1'200", "١٢٠٠", "١٬٢٠٠"])
def test_a_number_may_be_written_as_anywhere(client: FlaskClient, session: Session, typed: str) -> None:
    assert affiliate(client, OFFICER, members=typed).status_code == 303
    client.post(f"/contact/{newest_token(session)}")
    assert session.scalars(select(Application.members)).one() == 1200


def test_no_answer_tells_whose_address_is_known(client: FlaskClient, session: Session) -> None:
    union = make_union(session, status=UnionStatus.AFFILIATED)
    make_contact(session, union, make_subscriber(session, email="known@example.org"))
    session.commit()
    addresses = ["known@example.org", "unknown@example.org"] * 2
    answers = [seen(affiliate(client, address)) for address in addresses]
    assert answers == [answers[0]] * len(answers)


def test_a_program_that_does_not_know_our_form_makes_us_write_to_nobody(app: Flask, session: Session) -> None:
    program = FlaskClient(app, app.response_class)
    for fields in ({}, {"stamp": "1"}, {"stamp": stamp_of(app), "website": "x"}):
        answer = program.post("/affiliate", data=full_form(**fields))
        assert (answer.status_code, answer.headers["Location"]) == (303, "/check-your-mail?form=union")
    assert notices_owed(session) == []


def test_another_sites_form_is_refused(client: FlaskClient, session: Session) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.com"}):
        assert client.post("/affiliate", data=full_form(), headers=headers).status_code == 403
    assert notices_owed(session) == []


# --- confirming -----------------------------------------------------------------------------------------------------


@pytest.fixture
def union(session: Session) -> Union:
    union = make_union(session, name="Dockers United", status=UnionStatus.AFFILIATED)
    session.commit()
    return union


def test_who_is_invited_sees_by_which_union_and_gets_its_mail_with_one_press(
    client: FlaskClient, session: Session, engine: Engine, union: Union
) -> None:
    contacts.invite(session, union, OFFICER, language="en")
    session.commit()
    token = newest_token(session)
    before = stored(engine)
    page = client.get(f"/contact/{token}").text
    assert "Do you want to get our e-mails for <bdi>Dockers United</bdi>?" in page
    assert "write to me on behalf of my union" in page
    assert stored(engine) == before
    for _ in range(3):
        page = client.post(f"/contact/{token}").text
        assert "From now on, you will get our e-mails for <bdi>Dockers United</bdi>." in page
    assert "From now on, you will get our e-mails for" in client.get(f"/contact/{token}").text
    session.rollback()
    assert session.scalars(select(UnionContact.union_id)).all() == [union.id]
    assert len(session.scalars(select(ConsentEvent)).all()) == 1


def test_only_the_page_of_an_invitation_names_a_union_that_asked_not_to_be_named(
    client: FlaskClient, session: Session
) -> None:
    union = make_union(session, "silent", name="The Silent Ones", status=UnionStatus.AFFILIATED, is_named=False)
    contacts.invite(session, union, OFFICER, language="en")
    session.commit()
    token = newest_token(session)
    pages = [client.open(f"/contact/{token}", method=method) for method in ("GET", "POST", "GET")]
    assert "Do you want to get our e-mails for <bdi>The Silent Ones</bdi>?" in pages[0].text
    assert ["From now on, you will get our e-mails for your union" in unescape(page.text) for page in pages[1:]] == [
        True
    ] * 2
    for page in pages:
        assert page.status_code == 200
        assert ("Silent" in page.text) == (page is pages[0])
        assert "None" not in page.text


def test_who_is_invited_by_an_affiliated_union_is_welcomed(client: FlaskClient, session: Session, union: Union) -> None:
    contacts.invite(session, union, OFFICER, language="en")
    session.commit()
    client.post(f"/contact/{newest_token(session)}")
    session.rollback()
    assert NoticeKind.AFFILIATED in {said(owed).kind for owed in notices_owed(session)}


def test_the_organisers_whom_the_setting_names_hear_of_an_application_once(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    site = app.extensions["site"]
    told = replace(site.settings, organiser_addresses=("desk@example.org", "rosa@example.org"))
    app.extensions["site"] = replace(site, settings=told)
    affiliate(client, OFFICER)
    token = newest_token(session)
    for _ in range(2):
        client.post(f"/contact/{token}")
    mails = [mail for mail in notices_owed(session) if said(mail).kind is NoticeKind.APPLICATION]
    assert [mail.address for mail in mails] == ["desk@example.org", "rosa@example.org"]


def test_a_confirmation_that_is_sent_again_and_again_makes_one_application(
    client: FlaskClient, session: Session
) -> None:
    affiliate(client, OFFICER)
    token = newest_token(session)
    pages = [client.post(f"/contact/{token}") for _ in range(3)]
    assert ["An organiser will look at it and write to you." in page.text for page in pages] == [True] * 3
    assert len(session.scalars(select(Application)).all()) == 1


def boxes(page: str) -> list[str]:
    """What the page sends for each request that may be ticked; none of them is."""
    return re.findall(r'name="requests" type="checkbox" value="([^"]+)"(?! checked)', page)


def test_who_sends_the_form_again_before_confirming_ticks_the_request_that_is_right(
    client: FlaskClient, session: Session
) -> None:
    client.post("/affiliate", data=full_form(is_named="yes"))
    token = newest_token(session)
    corrected = full_form(
        members="", language="de", languages=["fr"], resolution="Passed on 4 May.\n\n<b>We affiliate.</b>"
    )
    client.post("/affiliate", data={name: value for name, value in corrected.items() if name != "is_named"})
    page = client.get(f"/en/contact/{token}").text
    newest, first = boxes(page)
    assert newest != first
    said_there = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
    for fact in ("Dockers of the North", "Approximate number of members Left empty", "1,200", "Passed on 4 May."):
        assert fact in said_there
    assert "May we name your union? No" in said_there
    assert re.search(r"<dd><bdi>Français</bdi></dd>\s*<dd><bdi>العربية</bdi></dd>", page)  # each in its own direction
    for alike in (OFFICER, "Zoé", "General secretary", "Harbour Workers", "France"):
        assert alike not in said_there  # it helps nobody to choose
    assert "<b>" not in page
    unticked = client.post(f"/en/contact/{token}")
    assert unticked.status_code == 422
    assert '<li><a href="#requests-1">Tick at least one request.</a></li>' in unticked.text
    assert session.scalars(select(Application)).all() == []
    session.rollback()
    answer = client.post(f"/en/contact/{token}", data={"requests": newest})
    assert "We have received your request" in answer.text
    asked = session.scalars(select(Application)).one()
    assert (asked.members, asked.is_named) == (None, False)
    session.rollback()
    assert "Dockers" not in client.get(f"/en/contact/{token}").text


def test_what_was_filled_in_twice_alike_is_not_shown(client: FlaskClient, session: Session) -> None:
    affiliate(client, OFFICER)
    token = newest_token(session)
    affiliate(client, OFFICER)
    page = client.get(f"/contact/{token}").text
    assert "Did you ask us to affiliate your union?" in page
    assert "Dockers of the North" not in page
    assert "more than once" not in page


def test_who_is_invited_and_applies_on_that_day_is_asked_about_both(
    client: FlaskClient, session: Session, union: Union
) -> None:
    contacts.invite(session, union, OFFICER, language="en")
    session.commit()
    token = newest_token(session)
    affiliate(client, OFFICER)
    page = client.get(f"/contact/{token}").text
    assert "Our form for unions was filled in for this address, too." in page
    (box,) = boxes(page)
    assert "<bdi>Dockers of the North</bdi>" in page
    assert client.post(f"/contact/{token}", data={"requests": box}).status_code == 200
    assert [each.name for each in session.scalars(select(Application))] == ["Dockers of the North"]
    assert len(session.scalars(select(UnionContact)).all()) == 1


def test_the_page_says_that_the_earlier_mail_leads_to_every_request(client: FlaskClient) -> None:
    assert "shows all that you have asked for since" in client.get("/check-your-mail?form=union").text


def test_a_link_that_ran_out_leads_to_the_form(client: FlaskClient, session: Session) -> None:
    affiliate(client, OFFICER)
    token = newest_token(session)
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    for method in ("GET", "POST"):
        page = client.open(f"/contact/{token}", method=method)
        assert page.status_code == 410
        assert '<a class="button" href="/affiliate">' in page.text
        assert "If we invited you, write to us" in page.text  # who was invited has nothing to apply for


@pytest.mark.parametrize(
    "path", ["/contact/0123", "/no-contact/0123", "/contact/" + "0" * 40, "/no-contact/" + "0" * 40]
)
def test_a_link_that_is_none_of_ours_is_not_found(client: FlaskClient, path: str) -> None:
    for method in ("GET", "POST"):
        page = client.open(path, method=method)
        assert page.status_code == 404
        assert "Copy the whole link from the e-mail." in page.text


# --- stopping -------------------------------------------------------------------------------------------------------


def test_a_contact_stops_the_unions_mail_with_one_press_and_stays_on_their_lists(
    app: Flask, client: FlaskClient, session: Session, engine: Engine, union: Union
) -> None:
    person = make_subscriber(session, email=OFFICER, name="Zoé Example", language="fr")
    contact = make_contact(session, union, person)
    other = make_contact(session, union)
    session.commit()
    address = f"/no-contact/{signed(app, Link.CONTACT, contact.id)}"
    before = stored(engine)
    page = first = client.get(address)
    assert page.headers["Content-Language"] == "en"  # the reader's: their own would tell of them
    assert "Dockers United" not in page.text
    (line,) = forwarded_notes(page.text)
    assert page.text.index("Stop sending them to me") < page.text.index(line)
    assert not [secret for secret in (OFFICER, "Zoé", "General secretary") if secret in page.text]
    assert stored(engine) == before
    stopped = client.post(address)
    assert stopped.status_code == 200
    session.rollback()
    assert session.scalars(select(UnionContact.id)).all() == [other.id]
    assert session.get(Subscriber, person.id) is not None
    session.rollback()  # on SQLite nobody else could write
    assert (client.get(address).text, client.post(address).text) == (first.text, stopped.text)
    assert session.scalars(select(UnionContact.id)).all() == [other.id]


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_pages_are_there_in_every_language(
    app: Flask, client: FlaskClient, session: Session, union: Union, tag: str
) -> None:
    contact = make_contact(session, union)
    session.commit()
    affiliate(client, OFFICER)
    for path in (
        "/affiliate",
        "/check-your-mail?form=union",
        f"/contact/{newest_token(session)}",
        f"/no-contact/{signed(app, Link.CONTACT, contact.id)}",
    ):
        page = client.get(f"/{tag}{path}")
        assert (page.status_code, page.headers["Content-Language"]) == (200, tag)
        assert f'dir="{"rtl" if tag == "ar" else "ltr"}"' in page.text
