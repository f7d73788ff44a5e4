"""The letter's page: to whom, what, and every way to send it; and nothing of who reads it."""

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from mailer.links import Link
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, CaseEventKind, TargetRole
from tests.support.cases import decide, make_case
from tests.support.factories import WHEN, make_campaign, make_list
from tests.support.letters import add_letter, put_target
from tests.web.pages import signed

DEADLINE = datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC)
PAGE = "/en/campaigns/free-the-five/letter"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is asked of the database is tested on both with `campaigns.letter_pages`


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A public campaign about a case, with a letter in three languages to the embassies in three countries."""
    case = make_case(
        session, "leila", copy_to=[{"countries": [], "name": "Her lawyer", "email": "law@example.net", "address": ""}]
    )
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.public, campaign.started_at, campaign.case, campaign.about = True, WHEN, case, "BR"
    campaign.ask, campaign.deadline = ["embassy", "authority"], DEADLINE
    for language in ("en", "ru", "ar"):
        add_letter(
            session, campaign, language, rules="Do not name her friends.\n\nBe polite." if language == "en" else ""
        )
    put_target(session, "embassy-de", countries=("DE",), name="Embassy in Berlin", languages=("ru",))
    put_target(session, "embassy-fr", countries=("FR",), name="Embassy in Paris")
    session.commit()
    return campaign


def fields(page: str) -> dict[str, str]:
    """What stands in the fields to copy, by id."""
    found = dict(re.findall(r'<input id="(\w+)" value="([^"]*)" readonly', page))
    found |= re.findall(r'<textarea class="copy" id="(\w+)"[^>]* readonly[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    return {name: unescape(value) for name, value in found.items()}


def mailto(page: str) -> str:
    [link] = re.findall(r'<a class="button" href="(mailto:[^"]+)"', page)
    return unescape(link)


# --- to whom --------------------------------------------------------------------------------------------------------


def choose(client: FlaskClient, country: str, page: str = PAGE) -> str:
    """Where somebody is led who says where they live."""
    answer = client.post(page, data={"country": country})
    assert answer.status_code == 303
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.headers["Location"])


def test_whoever_says_where_they_live_is_led_to_whom_they_write_to(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    for page in (client.get(PAGE).text, client.get("/en/campaigns/free-the-five").text):
        assert f'<form method="post" action="{PAGE}"' in page
        assert '<option value="DE">Germany</option>' in page
        assert "embassy-de" not in page
    assert choose(client, "DE") == f"{PAGE}/embassy-de"
    put_target(session, "court", role=TargetRole.AUTHORITY, case="leila", name="Court")
    session.commit()
    address = choose(client, "DE")
    assert unescape(address).replace("%2C", ",") == f"{PAGE}?to=embassy-de,court"
    page = client.get(address).text
    assert f'<a href="{PAGE}/embassy-de"><bdi>Embassy in Berlin</bdi></a>' in page
    assert f'<a href="{PAGE}/court"><bdi>Court</bdi></a>' in page
    assert '<meta name="robots" content="noindex">' in page


def test_nobody_at_home_is_led_to_anybody_and_no_log_tells_them_from_others(
    client: FlaskClient, campaign: Campaign
) -> None:
    assert choose(client, "BR") == choose(client, "PE") == f"{PAGE}?to="  # at home, and without an embassy
    page = client.get(f"{PAGE}?to=").text
    assert "We do not ask people in that country to write to anybody." in page
    assert "<bdi>Brazil</bdi>: if you live there, please do not act on this from there." in page
    assert f'<a href="{PAGE}">Choose another country</a>' in page


def test_a_whole_parliament_is_shown_though_no_address_could_name_it(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    campaign.ask = ["representative"]
    for number in range(250):
        put_target(session, f"member-{number}", role=TargetRole.REPRESENTATIVE, countries=("DE",), name=f"M {number}")
    session.commit()
    answer = client.post(PAGE, data={"country": "DE"})
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    for number in (0, 249):
        assert f'<a href="{PAGE}/member-{number}"><bdi>M {number}</bdi></a>' in answer.text
    assert '<meta name="robots" content="noindex">' in answer.text


@pytest.mark.parametrize("country", ["", "XX", "de", "<script>"])
def test_what_is_no_country_is_asked_for_once_more(client: FlaskClient, campaign: Campaign, country: str) -> None:
    answer = client.post(PAGE, data={"country": country})
    assert answer.status_code == 200
    assert 'href="#country">Choose the country you live in.</a>' in answer.text
    assert "<script>" not in answer.text


def test_where_all_write_to_the_same_the_pages_lead_there_at_once(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    campaign.ask = ["authority"]
    put_target(session, "court", role=TargetRole.AUTHORITY, case="leila", name="Court")
    session.commit()
    for page in (client.get(PAGE).text, client.get("/en/campaigns/free-the-five").text):
        assert f'<a href="{PAGE}/court"><bdi>Court</bdi></a>' in page
        assert 'name="country"' not in page


@pytest.mark.parametrize("address", [f"{PAGE}?to=nobody", f"{PAGE}?to={',x' * 200}", f"{PAGE}/nobody", f"{PAGE}/court"])
def test_whom_a_campaign_does_not_ask_for_looks_like_any_page_that_is_not_there(
    client: FlaskClient, session: Session, campaign: Campaign, address: str
) -> None:
    put_target(session, "court", role=TargetRole.AUTHORITY, about="PE")
    session.commit()
    answer, other = client.get(address), client.get("/en/no/such/page")
    assert answer.status_code == other.status_code == 404
    assert re.findall(r"<main.*</main>", answer.text, re.DOTALL) == re.findall(r"<main.*</main>", other.text, re.DOTALL)


# --- the letter -----------------------------------------------------------------------------------------------------


def test_all_that_is_sent_stands_in_fields_that_belong_to_no_form(client: FlaskClient, campaign: Campaign) -> None:
    page = client.get(f"{PAGE}/embassy-fr?wording=0").text
    assert fields(page) == {
        "subject": "Free the five",
        "text": "Your Excellency,\n\nI ask you to free the five dockers of Veldara:\n\n- all five;\n- at once.\n\n"
        "Yours,\n(your name)",
        "email": "embassy-fr@example.org",
        "copy": "law@example.net",
    }
    assert re.findall(r'name="([^"]*)"', re.sub(r"<meta[^>]*>", "", page)) == ["kind"] * 3, "what became of it"
    assert "Act by 30 April 2035" in page
    assert "We last checked on 1 March 2026" in page
    assert "<bdi>Brazil</bdi>: if you live there, please do not act on this from there." in page
    assert page.index("Do not name her friends.") < page.index("Your Excellency")
    assert mailto(page).startswith(
        "mailto:embassy-fr@example.org?cc=law@example.net&subject=Free%20the%20five&body=You"
    )
    assert "Copy it first" not in page
    assert "For you to read" not in page


def test_a_letter_in_another_language_stands_above_one_to_read(client: FlaskClient, campaign: Campaign) -> None:
    page = client.get("/ar/campaigns/free-the-five/letter/embassy-de?wording=0").text
    text = re.search(r'<textarea class="copy" id="text"([^>]*)>', page)
    assert text and ' lang="ru" dir="ltr"' in text[1]
    assert fields(page)["subject"] == "Освободите пятерых"
    reading = page[page.index('id="reading"') :]
    assert '<div lang="ar" dir="rtl">' in reading and "أفرجوا عن الخمسة" in reading
    assert "body=" not in mailto(page)
    assert 'id="reading"' not in client.get("/ru/campaigns/free-the-five/letter/embassy-de").text


def test_which_words_a_letter_has_is_drawn_and_stays_with_what_is_taken_from_the_page(
    client: FlaskClient, campaign: Campaign
) -> None:
    subjects = set()
    for _ in range(40):
        page = client.get(f"{PAGE}/embassy-fr").text
        subject = fields(page)["subject"]
        subjects.add(subject)
        [address] = re.findall(r'href="([^"]*/letter\.eml\?wording=\d+)"', page)
        draft = message_from_bytes(client.get(address).data, policy=policy.default)
        assert draft["Subject"] == subject
        [another] = re.findall(r'href="([^"]*/embassy-fr\?wording=\d+)"', page)
        assert {subject, fields(client.get(another).text)["subject"]} == {"Free the five", "Five dockers in prison"}
    assert subjects == {"Free the five", "Five dockers in prison"}
    for wording in ("x", "-1", "1" * 20, "١"):
        assert client.get(f"{PAGE}/embassy-fr?wording={wording}").status_code == 404


def test_a_draft_is_a_file_that_opens_unsent(client: FlaskClient, campaign: Campaign) -> None:
    answer = client.get(f"{PAGE}/embassy-de/letter.eml?wording=0")
    assert answer.headers["Content-Type"] == "message/rfc822"
    assert answer.headers["Content-Disposition"] == "attachment; filename=letter-embassy-de.eml"
    message = message_from_bytes(answer.data, policy=policy.default)
    assert (message["X-Unsent"], message["To"], message["Cc"]) == ("1", "embassy-de@example.org", "law@example.net")
    page = client.get(f"{PAGE}/embassy-de?wording=0").text
    assert str(message.get_content()).replace("\r\n", "\n") == fields(page)["text"] + "\n"


def test_a_target_that_wants_no_copies_is_written_to_in_own_words(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    put_target(session, "embassy-fr", countries=("FR",), own_words=True)
    session.commit()
    page = client.get(f"{PAGE}/embassy-fr").text
    assert "They do not accept letters that are all alike." in page
    assert "<li>Release her at once.</li>" in page
    assert "Free the five" not in page[page.index("</h1>") :].replace(">Free the five</bdi></a>", "")
    assert "letter.eml" not in page
    answer = client.get(f"{PAGE}/embassy-fr/letter.eml")
    assert answer.status_code == 410
    assert "Write in your own words" in answer.text


def test_every_way_to_a_target_is_told(client: FlaskClient, session: Session, campaign: Campaign) -> None:
    ways = {
        "email": "",
        "url": "https://example.org/form",
        "phone": "+49 30 123456",
        "phone_hours": "Mon-Fri 9-12",
        "phone_zone": "Europe/Berlin",
        "address": "Тюрьма 8\nЖодино",
        "address_latin": "Prison 8\nZhodino",
    }
    put_target(session, "embassy-fr", countries=("FR",), **ways)
    session.commit()
    page = client.get(f"{PAGE}/embassy-fr").text
    assert '<a class="button quiet" href="https://example.org/form" rel="external noreferrer">' in page
    assert '<a href="tel:+4930123456">' in page
    assert "<bdi>Mon-Fri 9-12</bdi> (Central European Time)" in page
    assert '<address class="lines" id="address"><bdi>Тюрьма 8</bdi>\n<bdi>Жодино</bdi></address>' in page
    assert '<address class="lines" id="latin"><bdi>Prison 8</bdi>\n<bdi>Zhodino</bdi></address>' in page
    assert "mailto:" not in page and "letter.eml" not in page


def test_a_target_to_which_no_way_is_left_is_said_to_have_none(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    put_target(session, "embassy-fr", countries=("FR",), email="", verified_on=None)
    session.commit()
    page = client.get(f"{PAGE}/embassy-fr").text
    assert "At the moment we know of no way to write to them." in page
    assert "Nobody has checked yet that all this is right." in page
    assert "mailto:" not in page


def test_syntax_of_other_languages_in_a_target_and_a_letter_stays_text(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    evil = (
        '</textarea><script>alert(1)</script>"&bcc=x@example.com\r\nBcc: x@example.com #let x = 1; {{ 7 * 7 }} <mj-raw>'
    )
    campaign.letters[1].subjects, campaign.letters[1].body = (
        [evil.replace("{{ 7 * 7 }}", "49")],
        evil.replace("{{ 7 * 7 }}", "49"),
    )
    put_target(
        session,
        "embassy-fr",
        countries=("FR",),
        name=evil,
        address=evil,
        phone="+1",
        phone_hours=evil,
        phone_zone="UTC",
    )
    session.commit()
    page = client.get(f"{PAGE}/embassy-fr").text
    assert "<script>alert" not in page and "<mj-raw>" not in page and "{{ 7 * 7 }}" in page
    assert set(re.findall(r"[?&](\w+)=", mailto(page))) == {"cc", "subject", "body"}
    answer = client.get(f"{PAGE}/embassy-fr/letter.eml")
    assert answer.headers["X-Robots-Tag"] == "noindex"
    draft = message_from_bytes(answer.data, policy=policy.default)
    assert draft.get_all("Bcc") is None


# --- when -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}?to=embassy-de", f"{PAGE}/embassy-de", f"{PAGE}/gone"])
@pytest.mark.parametrize(
    ("columns", "event", "told"),
    [
        ({}, CaseEventKind.STOPPED, "Please do not write any more"),
        ({}, CaseEventKind.CLOSED, "This action has ended."),
        ({"status": CampaignStatus.CANCELLED}, None, "This campaign has been called off."),
        ({"deadline": utcnow() - timedelta(days=1)}, None, "This campaign is over. Its deadline was"),
        ({"deadline": None}, None, "This campaign is over. Please do not write any more."),
    ],
    ids=["stopped", "closed", "cancelled", "over", "old"],
)
def test_once_nobody_is_to_write_the_page_says_so_and_shows_no_letter(
    client: FlaskClient,
    session: Session,
    campaign: Campaign,
    path: str,
    columns: dict[str, Any],
    event: CaseEventKind | None,
    told: str,
) -> None:
    for name, value in columns.items():
        setattr(campaign, name, value)
    session.commit()
    if event and campaign.case:
        decide(session, campaign.case, event)
    answer = client.get(path)
    assert answer.status_code == 200
    assert told in answer.text
    for call in ("mailto:", "embassy-de@", "<form", "Act by", "Excellency", "Write to"):
        assert call not in answer.text
    assert "<form" not in client.get("/en/campaigns/free-the-five").text
    assert client.get(f"{PAGE}/embassy-de/letter.eml").status_code == 410


def test_what_was_withdrawn_is_gone_with_every_word_of_it(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    decide(session, campaign, CaseEventKind.WITHDRAWN)
    for path in (PAGE, f"{PAGE}/embassy-de", f"{PAGE}/embassy-de/letter.eml"):
        answer = client.get(path)
        assert answer.status_code == 410
        assert "This has been taken down" in answer.text
        assert "free-the-five" not in answer.text and "embassy" not in answer.text
    assert client.post(PAGE, data={"country": "DE"}).status_code == 410


# --- a campaign that is not public ----------------------------------------------------------------------------------


def test_a_campaign_that_is_not_public_has_its_letters_under_an_address_that_nobody_can_guess(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    hidden = f"/en/letters/{signed(app, Link.LETTER, campaign.id)}"
    for path in ("", "/embassy-de"):  # while it is public, it has one address
        assert client.get(hidden + path).headers["Location"] == PAGE + path
    campaign.public = False
    session.commit()
    assert {client.get(path).status_code for path in (PAGE, f"{PAGE}/embassy-de", "/en/letters/x")} == {404}
    assert choose(client, "DE", hidden) == f"{hidden}/embassy-de"
    for path in (hidden, f"{hidden}/embassy-de"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert '<meta name="robots" content="noindex">' in answer.text
        assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert "/campaigns/free-the-five" not in answer.text
    draft = client.get(f"{hidden}/embassy-de/letter.eml")
    assert draft.status_code == 200
    for where in (Link.KIT, Link.UNSUBSCRIBE):
        assert client.get(f"/letters/{signed(app, where, campaign.id)}/embassy-de").status_code == 404


def test_a_draft_of_a_campaign_has_no_page_yet(client: FlaskClient, session: Session, campaign: Campaign) -> None:
    campaign.status, campaign.started_at = CampaignStatus.DRAFT, None
    session.commit()
    answer = client.get(f"{PAGE}/embassy-de")
    assert answer.status_code == 404
    assert "We cannot find this page" in answer.text
