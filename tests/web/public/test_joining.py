"""A supporter joins in a minute, in their language; and nobody can use the form to harm or to find out about others."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer import web
from mailer.cases import cases
from mailer.people import lists as mailing_lists
from mailer.people import suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    CampaignStatus,
    CaseEventKind,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    Delivery,
    DeliveryState,
    JoinCount,
    MailedLink,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
    Union,
)
from mailer.web.language import _
from mailer.web.site import Site
from mailer.web.turns import Turns
from tests.support.cases import decide, make_case
from tests.support.factories import WHEN, add_text, make_campaign, make_list, make_subscriber, make_union

STATIC = Path(web.__file__).parent / "static"
ANA = "ana@example.org"


@pytest.fixture
def lists(session: Session) -> list[MailingList]:
    """Two that the page offers, and one that it does not."""
    both = [make_list(session), make_list(session, "news", name="News")]
    both[0].description = "About two a month."
    make_list(session, "staff", name="Our staff").is_open = False
    session.commit()
    return both


@pytest.fixture
def union(session: Session) -> Union:
    union = make_union(session, name="Dockers United")
    session.commit()
    return union


def form(**changes: Any) -> dict[str, Any]:
    """A form that is filled in well; a field given as None is left out."""
    fields = {
        "email": ANA,
        "name": "Ana Example",
        "country": "FR",
        "union": "",
        "language": "en",
        "lists": "urgent-actions",
        "alerts": "yes",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


@pytest.fixture
def mails(session: Session) -> Callable[[], list[Notice]]:
    """The notices that are owed, the oldest first."""

    def read() -> list[Notice]:
        pending = select(Delivery).where(Delivery.state == DeliveryState.PENDING).order_by(Delivery.id)
        stored = [delivery.notice for delivery in session.scalars(pending)]
        session.rollback()
        return [Notice.from_stored(notice) for notice in stored if notice is not None]

    return read


Mails = Callable[[], list[Notice]]


@pytest.fixture
def token(client: FlaskClient, lists: list[MailingList], mails: Mails) -> str:
    """Of the link in the mail to somebody who has filled in the form, in French."""
    client.post("/", data=form(language="fr"))
    token = mails()[0].token
    assert token is not None
    return token


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, *tags: str) -> Iterator[dict[str, str]]:
        return (attributes for tag, attributes in self.found if tag in tags)

    def named(self, name: str) -> dict[str, str]:
        return next(each for each in self.all("input", "select") if each.get("name") == name)


def text_of(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(unescape(re.sub("<[^>]*>", "", page)).split())


def chosen(page: str) -> list[str]:
    """The options that come preselected."""
    return [option["value"] for option in Elements(page).all("option") if "selected" in option]


# --- the form -------------------------------------------------------------------------------------------------------


def test_the_form_asks_for_what_it_must_and_presumes_no_consent(client: FlaskClient, lists: list[MailingList]) -> None:
    page = client.get("/").text
    elements = Elements(page)
    for name in ("email", "name", "country", "union", "language", "lists", "alerts", "store_union"):
        assert "checked" not in elements.named(name)
    assert [each["value"] for each in elements.all("input") if each.get("name") == "lists"] == [
        "news",
        "urgent-actions",
    ]
    assert "About two a month." in page
    assert "Our staff" not in page
    assert "Set-Cookie" not in client.get("/").headers


def test_the_form_says_what_is_asked_for_now_and_how_other_cases_ended(
    client: FlaskClient, session: Session, lists: list[MailingList]
) -> None:
    page = client.get("/en/").text
    assert "asking for now" not in page and "ended before" not in page
    case = make_case(session, outcome={"en": "She is free.", "fr": "Elle est libre."})
    campaign = make_campaign(session, lists[0], status=CampaignStatus.SENT)
    campaign.public, campaign.started_at, campaign.deadline = True, WHEN, utcnow() + timedelta(days=3)
    for slug in ("open", "without-outcome", "not-public"):
        make_case(session, slug, outcome={} if slug == "without-outcome" else {"en": slug}, public=slug != "not-public")
    for each in ("leila", "without-outcome", "not-public"):
        decide(session, cases.get(session, each), CaseEventKind.CLOSED)
    session.commit()
    page = client.get("/fr/").text
    assert 'href="/fr/campaigns/free-the-five"' in page
    assert re.findall('href="/fr/cases/([^"]+)"', page) == ["leila"]
    assert "Elle est libre." in page and "open" not in page
    case.never, campaign.deadline = ["libre"], WHEN
    session.commit()
    page = client.get("/fr/").text
    assert "libre" not in page and "/cases/" not in page and "/campaigns/" not in page


def ids_in_order(page: str) -> list[str]:
    return [attributes["id"] for _tag, attributes in Elements(page).found if "id" in attributes]


def is_folded_up(page: str) -> bool:
    """Whether what nobody has to fill in is behind its summary."""
    (details,) = (attributes for attributes in Elements(page.partition("<main")[2]).all("details"))
    return "open" not in details


def test_what_must_be_filled_in_comes_first_and_the_rest_is_behind_the_button(
    client: FlaskClient, lists: list[MailingList], union: Union
) -> None:
    for path, first in (
        ("/", ["email", "country", "alerts", "send", "name", "language", "union", "store_union", "lists-1"]),
        ("/join/dockers", ["email", "country", "store_union", "alerts", "send", "name", "language", "union"]),
    ):
        page = client.get(path).text
        assert [each for each in ids_in_order(page) if each in first] == first
        assert is_folded_up(page)
        assert page.index('id="send"') < page.rindex("<details")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Ana"},
        {"language": "el"},
        {"union": "Dockers"},
        {"store_union": "yes"},
        {"lists": "news"},
        {"lists": "staff"},
        {"name": "x" * 201},
    ],
)
def test_the_rest_is_shown_where_it_was_filled_in_or_something_in_it_is_wrong(
    client: FlaskClient, lists: list[MailingList], changes: dict[str, str]
) -> None:
    bare = {"name": "", "lists": None, "email": "ana"}
    assert is_folded_up(client.post("/", data=form(**bare)).text)
    assert not is_folded_up(client.post("/", data=form(**bare | changes)).text)


def test_who_chooses_no_list_gets_the_organisers_first_one_as_the_page_says(
    client: FlaskClient, lists: list[MailingList], union: Union, session: Session, mails: Mails
) -> None:
    make_list(session, "a-list-of-dockers", name="Dockers' news").owner_id = union.id
    session.commit()
    for path in ("/", "/join/dockers"):
        page = client.get(path).text
        (offer,) = re.findall("<dl.*?</dl>", page, re.DOTALL)
        assert text_of(offer) == f"What you will get {lists[0].name} About two a month."
        client.post(path, data=form(email=f"{len(path)}@example.org", lists=None))
    for mail in mails():
        page = client.get(f"/confirm/{mail.token}").text
        assert re.findall("<li><bdi>(.*?)</bdi></li>", page) == [lists[0].name]


def test_the_page_says_what_was_chosen_when_it_is_shown_again(client: FlaskClient, lists: list[MailingList]) -> None:
    page = client.post("/", data=form(email="ana", lists="news")).text
    (offer,) = re.findall("<dl.*?</dl>", page, re.DOTALL)
    assert text_of(offer) == "What you will get News"


@pytest.mark.parametrize("path", ["/", "/ar/", "/join/dockers", "/check-your-mail"])
def test_every_field_has_a_label_and_every_page_one_headline(
    client: FlaskClient, lists: list[MailingList], union: Union, path: str
) -> None:
    for answer in (client.get(path), *([client.post(path)] if "mail" not in path else [])):
        elements = Elements(answer.text)
        labelled = {label.get("for") for label in elements.all("label")}
        fields = [each for each in elements.all("input", "select") if each.get("type") != "hidden" and "id" in each]
        assert {field["id"] for field in fields} <= labelled
        ids = [attributes["id"] for _tag, attributes in elements.found if "id" in attributes]
        assert len(ids) == len(set(ids))
        for _tag, attributes in elements.found:
            assert set(attributes.get("aria-describedby", "").split()) <= set(ids)
        assert len(list(elements.all("h1"))) == 1


@pytest.mark.parametrize(
    ("accepted", "preselected"),
    [("de-AT,de;q=0.9", ["AT", "de"]), ("fr-CA", ["CA", "fr"]), ("de,en-US;q=0.7", ["", "de"]), ("", ["", "en"])],
)
def test_country_and_language_come_preselected_from_what_the_browser_asks_for(
    client: FlaskClient, lists: list[MailingList], accepted: str, preselected: list[str]
) -> None:
    page = client.get("/", headers={"Accept-Language": accepted}).text
    assert chosen(page) == [value for value in preselected if value]


def test_countries_have_the_names_that_readers_know(client: FlaskClient, lists: list[MailingList]) -> None:
    page = client.get("/tr/").text
    names = re.findall(r'<option value="[A-Z]{2}">(.*?)</option>', page)
    assert names.index("Cibuti") < names.index("Çad") < names.index("Danimarka")
    assert ">Taiwan<" in client.get("/en/").text


def test_a_page_in_arabic_is_written_from_right_to_left(client: FlaskClient, lists: list[MailingList]) -> None:
    page = client.get("/ar/").text
    elements = Elements(page)
    assert next(elements.all("html"))["dir"] == "rtl"
    assert elements.named("email")["dir"] == "ltr"
    assert chosen(page) == ["ar"]
    assert next(each for each in elements.all("form"))["action"] == "/ar/"


def test_a_page_stays_light_however_many_unions_there_are(
    client: FlaskClient, lists: list[MailingList], session: Session
) -> None:
    for number in range(500):
        make_union(session, f"union-{number}", name=f"{number} " + "Профсоюз " * 15)
    session.commit()
    page = client.get("/ru/")
    assert page.text.count("Профсоюз") > 300
    weight = len(page.data) + sum((STATIC / name).stat().st_size for name in ("site.css", "icon.svg", "copy.js"))
    assert weight < 60_000


def test_unions_of_the_readers_country_are_offered_first(
    client: FlaskClient, lists: list[MailingList], session: Session
) -> None:
    make_union(session, "b", name="B", country="AT")
    make_union(session, "a", name="A", country="GB")
    session.commit()
    page = client.get("/", headers={"Accept-Language": "de-AT"}).text
    assert re.findall("<option>(.)</option>", page) == ["B", "A"]


def test_where_there_is_one_list_there_is_nothing_to_choose(
    client: FlaskClient, session: Session, mails: Mails
) -> None:
    make_list(session).description = "About two a month."
    session.commit()
    page = client.get("/").text
    assert 'name="lists"' not in page
    assert "About two a month." in page
    assert client.post("/", data=form(lists=None)).status_code == 303
    assert [mail.kind for mail in mails()] == [NoticeKind.CONFIRM]


def test_where_there_is_no_list_nobody_can_join(client: FlaskClient, session: Session) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "<form" not in page.text
    assert client.post("/", data=form()).status_code == 422
    assert session.scalars(select(MailedLink)).all() == []


# --- asking ---------------------------------------------------------------------------------------------------------


def test_who_fills_in_the_form_is_sent_a_mail_and_told_to_look_for_it(
    client: FlaskClient, lists: list[MailingList], mails: Mails, session: Session
) -> None:
    answer = client.post("/fr/", data=form())
    assert (answer.status_code, answer.location) == (303, "/fr/check-your-mail")
    assert client.get(answer.location).status_code == 200
    assert [mail.kind for mail in mails()] == [NoticeKind.CONFIRM]
    assert session.scalars(select(Subscriber)).all() == []


@pytest.fixture
def two_a_day(app: Flask) -> None:
    """So few mails may all sign-ups together have."""
    app.extensions["turns"] = Turns(None, ((timedelta(days=1), 2),), share=1)


@pytest.mark.usefixtures("two_a_day", "lists")
def test_above_what_all_together_may_have_sign_ups_are_kept_and_their_mail_goes_later(
    client: FlaskClient, session: Session
) -> None:
    began = utcnow()
    places = [client.post("/fr/", data=form(email=f"p{number}@example.org")).location for number in range(4)]
    assert places == ["/fr/check-your-mail"] * 2 + ["/fr/check-your-mail?mail=later"] * 2
    owed = session.scalars(select(Delivery).order_by(Delivery.id)).all()
    assert [mail.state for mail in owed] == [DeliveryState.PENDING] * 2 + [DeliveryState.DEFERRED] * 2
    for number, mail in enumerate(owed[2:], start=1):
        assert mail.not_before is not None
        turn = mail.not_before - began
        assert timedelta(hours=12 * number - 1) < turn < timedelta(hours=12 * number + 1)
    assert session.scalar(select(func.count(MailedLink.id)).where(MailedLink.is_mailed)) == 4


@pytest.mark.usefixtures("two_a_day", "lists")
def test_who_would_have_to_wait_longer_than_a_day_is_asked_to_come_back(client: FlaskClient, session: Session) -> None:
    answers = [client.post("/", data=form(email=f"p{number}@example.org")) for number in range(5)]
    assert [answer.status_code for answer in answers] == [303] * 4 + [429]
    assert "Please try again tomorrow" in text_of(answers[-1].text)
    assert "network" not in answers[-1].text
    assert timedelta(hours=11) < timedelta(seconds=int(answers[-1].headers["Retry-After"])) <= timedelta(hours=12)
    assert session.scalar(select(func.count(MailedLink.id))) == 4
    assert client.post("/", data=form(email="")).status_code == 422


@pytest.mark.usefixtures("two_a_day", "lists")
def test_whoever_is_known_and_programs_too_get_the_same_answer_while_mails_wait(
    client: FlaskClient, session: Session
) -> None:
    make_subscriber(session, session.scalars(select(MailingList)).first(), email="known@example.org")
    session.commit()
    for number in range(2):
        client.post("/", data=form(email=f"p{number}@example.org"))
    program = client.post("/", data=form(email="other@example.org", website="https://example.com"))
    known = client.post("/", data=form(email="known@example.org"))
    again = client.post("/", data=form(email="known@example.org"))
    assert {answer.location for answer in (program, known, again)} == {"/check-your-mail?mail=later"}


def test_the_page_says_that_the_mail_may_take_a_while_where_it_does(client: FlaskClient) -> None:
    assert "it may take a while" in client.get("/en/check-your-mail?mail=later").text
    assert "it may take a while" not in client.get("/en/check-your-mail").text


def test_workers_are_rung_for_once_the_mail_is_owed_for_good(
    client: FlaskClient, lists: list[MailingList], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed: list[list[int]] = []

    def ring(_site: Site, campaign_id: int, *, first: bool = True) -> None:
        assert first
        owed.append(list(session.scalars(select(Delivery.id).where(Delivery.campaign_id == campaign_id))))
        session.rollback()

    monkeypatch.setattr(Site, "ring", ring)
    client.post("/", data=form())
    assert [len(deliveries) for deliveries in owed] == [1]


def nobody(session: Session, lists: list[MailingList]) -> None:
    pass


def on_the_list(session: Session, lists: list[MailingList]) -> None:
    make_subscriber(session, lists[0], email=ANA, language="el")


def on_another_list(session: Session, lists: list[MailingList]) -> None:
    make_subscriber(session, lists[1], email=ANA)


def left(session: Session, lists: list[MailingList]) -> None:
    make_subscriber(session, lists[0], email=ANA, status=SubscriptionStatus.UNSUBSCRIBED)


def complained(session: Session, lists: list[MailingList]) -> None:
    on_the_list(session, lists)
    suppression.add(session, keyring_of(session).blind_index(ANA), SuppressionReason.COMPLAINED)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("situation", [nobody, on_the_list, on_another_list, left, complained])
def test_the_answer_is_the_same_whoever_is_known(
    client: FlaskClient,
    lists: list[MailingList],
    session: Session,
    situation: Callable[[Session, list[MailingList]], None],
    times: int,
) -> None:
    expected = client.post("/", data=form(email="nobody@example.org"))
    situation(session, lists)
    session.commit()
    for _time in range(times):
        answer = client.post("/", data=form())
    assert (answer.status_code, answer.data) == (expected.status_code, expected.data)
    same = [[(k, v) for k, v in each.headers if k != "Date"] for each in (answer, expected)]
    assert same[0] == same[1]


def test_a_program_gets_the_same_answer_and_nothing_is_done(
    client: FlaskClient, lists: list[MailingList], session: Session
) -> None:
    expected = client.post("/", data=form(email="boris@example.org"))
    for tell in ({"website": "https://example.com"}, {"stamp": "forged"}):
        answer = client.post("/", data=form(**tell))
        assert (answer.status_code, answer.data, answer.location) == (303, expected.data, expected.location)
    assert len(session.scalars(select(MailedLink)).all()) == 1


def test_a_list_that_is_closed_cannot_be_joined_by_its_name(
    client: FlaskClient, lists: list[MailingList], session: Session
) -> None:
    assert client.post("/", data=form(lists="staff")).status_code == 422
    assert session.scalars(select(MailedLink)).all() == []


# --- what is wrong with a form --------------------------------------------------------------------------------------

TOO_LONG = "This is too long. Use at most {most} characters."
MISTAKES = [
    ({"email": ""}, "email", "Enter your e-mail address.", {}),
    ({"email": "ana"}, "email", "This is not an e-mail address. Enter one like this: name@example.org", {}),
    ({"email": f"{'a' * 310}@example.org"}, "email", TOO_LONG, {"most": 320}),
    ({"name": "x" * 201}, "name", TOO_LONG, {"most": 200}),
    ({"country": ""}, "country", "Choose the country you live in.", {}),
    ({"country": "XX"}, "country", "Choose the country you live in.", {}),
    ({"union": "x" * 201, "store_union": "yes"}, "union", TOO_LONG, {"most": 200}),
    (
        {"union": "Dockers United"},
        "store_union",
        "If you want us to store your union, tick this box. If not, leave the union empty.",
        {},
    ),
    ({"lists": "staff"}, "lists", "Choose at least one list.", {}),
    ({"alerts": None}, "alerts", "To sign up, tick the box that says we may write to you.", {}),
]


def test_who_chose_a_list_that_is_deleted_at_that_moment_gets_the_form_back(
    client: FlaskClient, lists: list[MailingList], session: Session, mails: Mails, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(*, counts: bool) -> timedelta:
        mailing_lists.delete(session, "news")
        session.commit()
        return timedelta()

    monkeypatch.setattr("mailer.web.public.joining.turns.wait", delete)
    answer = client.post("/", data=form(lists="news"))
    assert answer.status_code == 422
    assert "Choose at least one list." in text_of(answer.text)
    assert f'value="{ANA}"' in answer.text
    assert mails() == []


@pytest.mark.parametrize(("changes", "field", "message", "values"), MISTAKES)
def test_a_mistake_is_explained_above_the_form_and_at_its_field_in_the_readers_language(
    app: Flask,
    client: FlaskClient,
    lists: list[MailingList],
    union: Union,
    session: Session,
    changes: dict[str, str],
    field: str,
    message: str,
    values: dict[str, int],
) -> None:
    answer = client.post("/fr/", data=form(**changes))
    assert answer.status_code == 422
    with app.test_request_context("/fr/"):
        app.preprocess_request()
        advice = _(message, **values)
    assert text_of(answer.text).count(" ".join(advice.split())) == 2
    elements = Elements(answer.text)
    assert [each for each in elements.all("div") if each.get("role") == "alert"]
    (link,) = [
        each["href"] for each in elements.all("a") if each["href"].startswith("#") and each["href"] != "#content"
    ]
    assert link.removeprefix("#") in [attributes.get("id") for _tag, attributes in elements.found]
    described = [attributes for _tag, attributes in elements.found if f"{field}-problem" in str(attributes)]
    assert [each for each in described if "aria-describedby" in each]
    assert session.scalars(select(MailedLink)).all() == []


def test_what_was_typed_is_kept(client: FlaskClient, lists: list[MailingList], union: Union) -> None:
    typed = form(email="ana", language="el", union="Dockers", store_union="yes", lists=["news", "urgent-actions"])
    page = client.post("/", data=typed).text
    elements = Elements(page)
    assert [elements.named(name)["value"] for name in ("email", "name", "union")] == ["ana", "Ana Example", "Dockers"]
    assert chosen(page) == ["FR", "el"]
    ticked = {each["id"] for each in elements.all("input") if "checked" in each}
    assert ticked == {"alerts", "store_union", "lists-1", "lists-2"}


@pytest.mark.parametrize("field", ["email", "name", "country", "union", "language", "lists"])
@pytest.mark.parametrize(
    "evil", ['"><script>alert(1)</script>', "x\r\nBcc: boris@example.org", "{{ 7*7 }}", "\u202e\ud83d"]
)
def test_nothing_that_is_typed_becomes_markup_a_header_or_a_mistake_of_ours(
    client: FlaskClient, lists: list[MailingList], session: Session, field: str, evil: str
) -> None:
    evil = evil.encode("utf-8", "replace").decode()
    for changes in ({field: evil}, {field: evil, "alerts": None}):
        answer = client.post("/", data=form(**changes))
        assert answer.status_code in (303, 422)
        assert "<script>" not in answer.text
        assert "49" not in Elements(answer.text).named("name").get("value", "") if answer.status_code == 422 else True
        assert answer.location in (None, "/check-your-mail")
    for delivery in session.scalars(select(Delivery)):
        assert delivery.address is None or "\n" not in delivery.address


def test_a_name_is_kept_on_one_line(
    client: FlaskClient, lists: list[MailingList], mails: Mails, session: Session
) -> None:
    client.post("/", data=form(name=" Ana\r\nBcc: boris@example.org "))
    client.post(f"/confirm/{mails()[0].token}")
    assert session.scalars(select(Subscriber.name)).one() == "Ana Bcc: boris@example.org"


# --- unions ---------------------------------------------------------------------------------------------------------


def test_a_union_is_stored_with_the_words_that_were_agreed_to(
    client: FlaskClient, lists: list[MailingList], union: Union, mails: Mails, session: Session
) -> None:
    page = client.get("/de/").text
    client.post("/de/", data=form(union="  dockers united", store_union="yes"))
    confirming = client.get(f"/de/confirm/{mails()[0].token}").text
    assert "checked" not in Elements(confirming).named("store_union")  # somebody else may have filled in the form
    client.post(f"/confirm/{mails()[0].token}", data={"store_union": "yes"})
    assert session.scalars(select(Subscriber.union_id)).one() == union.id
    words = session.execute(
        select(ConsentEvent.purpose, ConsentText.text, ConsentText.language).join(
            ConsentText, ConsentText.id == ConsentEvent.text_id
        )
    ).all()
    assert {purpose for purpose, _text, _language in words} == {ConsentPurpose.ALERTS, ConsentPurpose.UNION}
    for _purpose, text, language in words:
        assert " ".join(text.split()) in text_of(page)
        assert language == "de"


def test_a_union_that_we_do_not_know_is_said_so_and_not_stored(
    client: FlaskClient, lists: list[MailingList], union: Union, mails: Mails, session: Session
) -> None:
    answer = client.post("/", data=form(union="Lamplighters", store_union="yes"))
    assert answer.location == "/check-your-mail?union=unlisted"
    assert "We do not know your union yet" in client.get(answer.location).text
    client.post(f"/confirm/{mails()[0].token}")
    assert session.scalars(select(Subscriber.union_id)).one() is None
    assert session.scalars(select(ConsentEvent.purpose)).all() == [ConsentPurpose.ALERTS]


def test_a_box_ticked_for_no_union_stores_nothing(
    client: FlaskClient, lists: list[MailingList], mails: Mails, session: Session
) -> None:
    assert client.post("/", data=form(store_union="yes")).location == "/check-your-mail"
    client.post(f"/confirm/{mails()[0].token}")
    assert session.scalars(select(ConsentEvent.purpose)).all() == [ConsentPurpose.ALERTS]


@pytest.mark.parametrize("agrees", [False, True])
def test_a_unions_page_counts_who_joins_and_stores_the_union_only_with_consent(
    client: FlaskClient, lists: list[MailingList], union: Union, mails: Mails, session: Session, agrees: bool
) -> None:
    page = client.get("/fr/join/dockers").text
    assert "Dockers United" in page
    assert Elements(page).named("union")["value"] == "Dockers United"
    assert "checked" not in Elements(page).named("store_union")
    consent = {"store_union": "yes"} if agrees else {}
    answer = client.post("/fr/join/dockers", data=form(union="Dockers United", **consent))
    assert (answer.status_code, answer.location) == (303, "/fr/check-your-mail")
    client.post(f"/confirm/{mails()[0].token}", data={"store_union": "yes"} if agrees else {})
    assert session.scalars(select(Subscriber.union_id)).one() == (union.id if agrees else None)
    assert session.scalars(select(JoinCount.joined)).all() == [1]


def test_a_form_with_mistakes_stays_in_the_unions_name(
    client: FlaskClient, lists: list[MailingList], union: Union
) -> None:
    page = client.post("/join/dockers", data=form(email="")).text
    assert next(Elements(page).all("form"))["action"] == "/join/dockers"


def test_who_names_another_union_on_a_unions_page_is_asked_for_consent(
    client: FlaskClient, lists: list[MailingList], union: Union
) -> None:
    assert client.post("/join/dockers", data=form(union="Miners")).status_code == 422


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_there_is_no_page_of_a_union_that_nobody_knows(
    client: FlaskClient, lists: list[MailingList], method: str
) -> None:
    assert client.open("/join/lamplighters", method=method, data=form()).status_code == 404


# --- confirming -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_program_that_follows_every_link_confirms_nothing(
    client: FlaskClient, token: str, session: Session, method: str
) -> None:
    answer = client.open(f"/confirm/{token}", method=method)
    assert answer.status_code == 200
    assert session.scalars(select(Subscriber)).all() == []
    assert session.scalars(select(MailedLink.used_at)).all() == [None]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_page_to_confirm_has_one_button_in_the_language_that_was_asked_for(client: FlaskClient, token: str) -> None:
    page = client.get(f"/confirm/{token}").text
    elements = Elements(page)
    assert next(elements.all("html"))["lang"] == "fr"
    assert len(list(elements.all("button"))) == 1
    assert [urlsplit(each["action"]).path for each in elements.all("form")] == [f"/confirm/{token}"]
    assert "Ana" not in page
    assert next(Elements(client.get(f"/tr/confirm/{token}").text).all("html"))["lang"] == "tr"


def test_who_confirms_is_welcomed_however_often(
    client: FlaskClient, token: str, session: Session, mails: Mails
) -> None:
    first, second = client.post(f"/confirm/{token}"), client.post(f"/confirm/{token}")
    assert first.status_code == second.status_code == 200
    assert first.text == second.text
    assert "Urgent actions" in first.text
    assert "https://act.example.org/<" in first.text
    assert next(Elements(first.text).all("html"))["lang"] == "fr"
    assert session.scalars(select(Subscription.mailable)).all() == [True]
    session.rollback()
    assert [mail.kind for mail in mails()] == [NoticeKind.CONFIRM, NoticeKind.WELCOME]


def test_the_welcome_leads_to_the_current_alert(
    client: FlaskClient, token: str, session: Session, lists: list[MailingList]
) -> None:
    campaign = make_campaign(session, lists[0], status=CampaignStatus.SENDING)
    campaign.public, campaign.started_at, campaign.deadline = True, utcnow(), utcnow() + timedelta(days=3)
    add_text(session, campaign, "fr", "Texte.")
    session.commit()
    page = client.post(f"/fr/confirm/{token}").text
    assert "/fr/campaigns/free-the-five" in page
    assert "<bdi>Subject</bdi>" in page


def test_who_asks_for_more_before_confirming_finds_all_of_it_on_one_page_and_chooses(
    client: FlaskClient, token: str, session: Session, union: Union
) -> None:
    client.post("/", data=form(language="fr", lists="news", country="GB", union="Dockers United", store_union="yes"))
    page = client.get(f"/en/confirm/{token}").text
    elements = Elements(page)
    boxes = [each for each in elements.all("input") if each.get("type") in ("checkbox", "radio")]
    assert [(each["name"], each["value"]) for each in boxes] == [
        ("lists", "news"),
        ("country", "GB"),
        ("country", "FR"),
        ("store_union", "yes"),
    ]
    assert not [each for each in boxes if "checked" in each]
    assert "You wrote Dockers United as your union. May we store that?" in text_of(page)
    again = client.post(f"/en/confirm/{token}", data={"lists": "news"})
    assert again.status_code == 422
    assert "Choose the country you live in." in text_of(again.text)
    assert "checked" in Elements(again.text).named("lists")
    session.rollback()
    assert session.scalars(select(Subscriber)).all() == []
    session.rollback()
    answer = client.post(f"/en/confirm/{token}", data={"lists": "news", "country": "FR", "store_union": "yes"})
    assert answer.status_code == 200
    said = text_of(answer.text)
    for fact in ("News", "Urgent actions", "Country: France", "Name: Ana Example", "Union: Dockers United"):
        assert fact in said
    assert len(session.scalars(select(Subscription)).all()) == 2


def test_who_does_not_tick_the_box_beside_their_union_is_told_that_it_is_not_stored(
    client: FlaskClient, lists: list[MailingList], union: Union, mails: Mails
) -> None:
    client.post("/", data=form(union="dockers united", store_union="yes"))
    page = client.post(f"/confirm/{mails()[0].token}").text
    assert "We have not stored your union" in page
    assert "Dockers United" not in page


def test_the_tick_for_a_union_counts_for_the_one_that_the_page_named(
    client: FlaskClient, session: Session, union: Union, mails: Mails, lists: list[MailingList]
) -> None:
    make_union(session, "bakers", name="Bakers")
    session.commit()
    client.post("/", data=form(union="dockers united", store_union="yes"))
    address = f"/en/confirm/{mails()[0].token}"
    named = Elements(client.get(address).text).named("union")
    assert (named["type"], named["value"]) == ("hidden", "dockers")
    answer = client.post(address, data={"store_union": "yes", "union": "bakers"})
    assert answer.status_code == 422
    again = Elements(answer.text)
    assert "You wrote Dockers United as your union. May we store that?" in text_of(answer.text)
    assert "checked" not in again.named("store_union")
    assert "#store_union" in [each["href"] for each in again.all("a")]
    session.rollback()
    assert session.scalars(select(Subscriber)).all() == []
    session.rollback()
    assert client.post(address, data={"store_union": "yes", "union": "dockers"}).status_code == 200


def test_the_page_says_that_the_earlier_mail_leads_to_all_that_was_asked_for(client: FlaskClient) -> None:
    page = client.get("/en/check-your-mail").text
    assert "all that you have asked for since" in page
    assert "If you are on our list already, the e-mail says so." in page


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_none_of_ours_or_has_run_out_is_told_apart(
    client: FlaskClient, token: str, session: Session, method: str
) -> None:
    assert client.open(f"/confirm/{'0' * 40}", method=method).status_code == 404
    assert client.open("/confirm/x", method=method).status_code == 404
    session.execute(update(MailedLink).values(expires_at=utcnow() - timedelta(seconds=1)))
    session.commit()
    page = client.open(f"/confirm/{token}", method=method)
    assert page.status_code == 410
    assert '<a class="button" href="/">Sign up</a>' in page.text  # the only way to another link
    assert session.scalars(select(Subscriber)).all() == []
