"""The pages on which somebody signs, as a browser and as programs see them."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from mailer.campaigns import acts, signatures
from mailer.links import Link
from mailer.people import suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow, utctoday
from mailer.store.models import (
    Act,
    ActKind,
    Asking,
    Campaign,
    CampaignStatus,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    Delivery,
    DeliveryState,
    MailedLink,
    Signature,
    Subscriber,
    Subscription,
    SuppressionReason,
)
from mailer.web.public.signing import leads_somewhere
from tests.support.factories import (
    WHEN,
    deliver,
    make_act,
    make_campaign,
    make_case,
    make_list,
    make_signature,
    make_subscriber,
    notices_owed,
)
from tests.web.pages import newest_token, signed

ANA = "ana@example.org"
SIGN = "/en/campaigns/free-the-five/sign"


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.public, campaign.about = True, "DK"
    campaign.petition = {"to": {"en": "the Embassy of Denmark", "fr": "l’ambassade du Danemark"}}
    campaign.started_at, campaign.deadline = WHEN, utcnow() + timedelta(days=30)
    session.commit()
    return campaign


@pytest.fixture
def token(app: Flask, session: Session, campaign: Campaign) -> str:
    """Of a mail to somebody who lives in Greece and reads Greek."""
    person = make_subscriber(session, campaign.mailing_list, email=ANA, name="Ana Secret", country="GR", language="el")
    mail = deliver(session, campaign, person, DeliveryState.SENT)
    session.commit()
    return signed(app, Link.ACT, mail.id)


def form(**changes: Any) -> dict[str, Any]:
    """A form that is filled in well; a field given as None is left out."""
    fields = {"email": ANA, "name": "Ana Kolmer", "place": "Porto", "country": "PT", "shown": "yes"}
    fields |= {"handed_over": "yes", **changes}
    return {name: value for name, value in fields.items() if value is not None}


def count(session: Session, table: Any) -> int:
    session.rollback()
    found = session.scalar(select(func.count()).select_from(table)) or 0
    session.rollback()
    return found


# --- the form -------------------------------------------------------------------------------------------------------


def test_the_form_comes_empty_and_says_who_gets_the_names_and_until_when_one_can_take_it_back(
    client: FlaskClient, campaign: Campaign
) -> None:
    page = unescape(client.get(SIGN).text)
    assert "checked" not in page and "selected" not in page.partition("</header>")[2]
    for words in (
        "Free the five",
        "It goes to: ",
        "the Embassy of Denmark",
        "whoever lives there is only counted",
        "Greenland",
        "What was handed over cannot be called back.",
        "You can take your signature back as long as we know that it is yours.",
        "That is until ",
        "write to the embassy.",
    ):
        assert words in page, words
    french = unescape(client.get("/fr/campaigns/free-the-five/sign").text)
    assert "l’ambassade du Danemark" in french


def test_somebody_signs_from_the_form_to_the_page_that_thanks(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    sent = client.post(SIGN, data=form())
    assert (sent.status_code, sent.location) == (303, "/en/sign")
    assert "Check your e-mail" in client.get(sent.location).text
    assert count(session, Act) == 0
    link = newest_token(session)
    page = unescape(client.get(f"/en/signed/{link}").text)
    for words in ("Do you want to sign?", "Ana Kolmer", "Porto", "Portugal", "Shown on our site", "Handed over with"):
        assert words in page, words
    thanks = client.post(f"/en/signed/{link}")
    assert "Thank you for signing" in thanks.text
    assert count(session, Signature) == count(session, Act) == 1
    assert client.post(f"/en/signed/{link}").text == thanks.text == client.get(f"/en/signed/{link}").text
    assert count(session, Subscription) == 0
    log = {
        purpose: (text.text, text.language)
        for purpose, text in session.execute(select(ConsentEvent.purpose, ConsentText).join(ConsentText)).all()
    }
    assert log[ConsentPurpose.SIGNED][0].startswith("I sign, and Harbour Solidarity may keep that")
    assert log[ConsentPurpose.HANDED_OVER][0].endswith("to: the Embassy of Denmark")
    assert set(log) == {ConsentPurpose.SIGNED, ConsentPurpose.SHOWN, ConsentPurpose.HANDED_OVER}


def test_programs_that_follow_every_link_sign_nothing_and_use_nothing_up(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    client.post(SIGN, data=form(email="new@example.org"))
    link = newest_token(session)
    links = count(session, MailedLink)
    for prefix in ("", "/fr", "/ar"):
        for path in (f"/signed/{link}", f"/sign/{token}", "/campaigns/free-the-five/sign", "/sign"):
            for _ in range(2):
                assert client.get(prefix + path).status_code == 200
                assert client.head(prefix + path).status_code == 200
    assert (count(session, Act), count(session, MailedLink)) == (0, links)
    assert client.post(f"/signed/{link}").status_code == 200
    assert count(session, Act) == 1


def test_who_ticks_nothing_is_counted_and_no_name_of_theirs_is_kept_anywhere(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    client.post(SIGN, data=form(shown=None, handed_over=None))
    kept = session.scalars(select(MailedLink.details)).all()
    session.rollback()
    assert "Kolmer" not in str(kept) and "Porto" not in str(kept)
    link = newest_token(session)
    assert "You are only counted. We store no name." in client.get(f"/en/signed/{link}").text
    client.post(f"/signed/{link}")
    assert (count(session, Act), count(session, Signature)) == (1, 0)
    assert session.scalars(select(Subscriber.name)).all() == [None]


def test_a_name_has_nothing_in_it_that_turns_round_what_stands_beside_it(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    client.post(SIGN, data=form(name="Ana\u202e Kolmer\u2067", place="\u202a"))
    client.post(f"/signed/{newest_token(session)}")
    found = session.scalars(select(Signature)).one()
    assert (found.name, found.place) == ("Ana Kolmer", None)


@pytest.mark.parametrize("country", ["DK", "GL", ""])
def test_of_nobody_at_home_or_of_no_country_is_a_name_kept_even_until_they_confirm(
    client: FlaskClient, session: Session, campaign: Campaign, country: str
) -> None:
    assert client.post(SIGN, data=form(country=country)).status_code == 303
    assert "Kolmer" not in str(session.scalars(select(MailedLink.details)).all())
    session.rollback()
    client.post(f"/signed/{newest_token(session)}")
    assert (count(session, Act), count(session, Signature)) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "field", "advice"),
    [
        ({"email": ""}, "email", "Enter your e-mail address."),
        ({"email": "ana"}, "email", "This is not an e-mail address."),
        ({"country": "XX"}, "country", "Choose the country you live in."),
        ({"name": ""}, "name", "Enter your name, or untick the boxes beside it."),
        ({"name": "\u200b\u202e …"}, "name", "Enter your name, or untick the boxes beside it."),
        ({"name": "x" * 81}, "name", "Use at most 80 characters."),
        ({"place": "x" * 81}, "place", "Use at most 80 characters."),
        ({"name": "www.example.org"}, "name", "We cannot show this."),
        ({"place": "ana@example.org"}, "place", "We cannot show this."),
        ({"name": "Amal Odeh"}, "name", "We cannot show this."),
    ],
)
def test_a_form_with_a_mistake_says_what_to_do_and_keeps_what_was_typed(
    client: FlaskClient, session: Session, campaign: Campaign, changes: dict[str, str], field: str, advice: str
) -> None:
    campaign.case = make_case(session, country="DK", never=["Amal Odeh"])
    session.commit()
    answer = client.post(SIGN, data=form(**changes))
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert advice in page and f'id="{field}-problem"' in page
    assert f'value="{changes.get("place", "Porto")}"' in page
    assert count(session, MailedLink) == 0


@pytest.mark.parametrize(
    "text",
    [
        *("ana@example.org", "https://example.org", "www.example.org", "example.org", "buy at shop.example/now"),
        *("ANA＠EXAMPLE．ORG", "hxxp://x", "Ana (example.com)", "t.me/ana", "аna.рф/x"),
        *("buy24.example", "my-shop2.example", "example\u200b.org", "ex\xadample.\u2060org", "example。org"),
    ],
)
def test_what_leads_somewhere_is_no_name(text: str) -> None:
    assert leads_somewhere(text)


@pytest.mark.parametrize(
    "text",
    [
        "Ana Kolmer",
        "J. R. Kolmer",
        "Dr.phil. Ana Kolmer",
        "St.Gallen",
        "O’Neill-Ödön",
        "ليلى مارون",
        "王芳",
        "M.K.",
        "A.B. Kolmer",
        "1.Vorsitzende",
    ],
)
def test_what_people_are_called_is_a_name(text: str) -> None:
    assert not leads_somewhere(text)


def test_a_program_that_fills_in_the_form_is_thanked_and_nothing_is_kept(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    assert client.post(SIGN, data=form(website="https://example.org")).status_code == 303
    assert count(session, MailedLink) == 0


def test_alerts_are_offered_only_where_anybody_may_join_the_list(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    assert 'name="alerts"' in client.get(SIGN).text
    client.post(SIGN, data=form(alerts="yes"))
    page = client.post(f"/en/signed/{newest_token(session)}").text
    assert "You are on these lists:" in page
    assert count(session, Subscription) == 1
    campaign.mailing_list.is_open = False
    session.commit()
    assert 'name="alerts"' not in client.get(SIGN).text
    client.post(SIGN, data=form(alerts="yes", email="other@example.org"))
    client.post(f"/en/signed/{newest_token(session)}")
    assert count(session, Subscription) == 1


# --- who signed before ----------------------------------------------------------------------------------------------


def seen(answer: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.data, [header for header in answer.headers if header[0] != "Date"]


def test_an_address_that_signed_one_that_did_not_and_one_that_is_suppressed_get_the_same_bytes(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    old = make_subscriber(session, email="old@example.org")
    make_act(session, campaign, old, ActKind.SIGNED, day=utctoday() - timedelta(days=9))
    make_subscriber(session, campaign.mailing_list, email="known@example.org")
    for reason in SuppressionReason:
        person = make_subscriber(session, email=f"{reason.value}@example.org")
        suppression.add(session, keyring_of(session).blind_index(person.email), reason)
    session.commit()
    known = ["old", "known", "new", *(reason.value for reason in SuppressionReason)]
    answers = [seen(client.post(SIGN, data=form(email=f"{each}@example.org"))) for each in known]
    answers += [seen(client.post(SIGN, data=form(email="new@example.org")))]
    assert all(answer == answers[0] for answer in answers)
    assert acts.count(session, campaign.id).signed == 1
    told = [Notice.from_stored(each.notice or "") for each in notices_owed(session)]
    assert {each.kind for each in told} == {NoticeKind.SIGN}
    assert ["is_signed" in each.words for each in told] == [True] + [False] * (len(told) - 1)


def test_the_page_and_its_number_are_the_same_before_and_after(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    def page() -> str:
        return re.sub(r'name="stamp" value="[^"]*"', "", client.get(SIGN).text)

    before = page()
    client.post(SIGN, data=form())
    assert page() == before


# --- from one's own mail --------------------------------------------------------------------------------------------


def test_a_forwarded_mail_tells_a_stranger_nothing_and_what_they_ask_for_goes_to_its_owner(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    page = client.get(f"/sign/{token}")
    assert "Ana" not in page.text and "ana@" not in page.text and 'value="GR" selected' not in page.text
    assert page.headers["Content-Language"] == "en"
    assert 'name="email"' not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    answer = client.post(f"/sign/{token}", data=form(email="stranger@example.org"))
    assert (answer.status_code, answer.location) == (303, "/sign")
    assert "Ana" not in client.get(answer.location).text
    assert count(session, Act) == 0
    [owed] = notices_owed(session)
    assert owed.address == ANA


def test_the_answer_is_the_same_whoever_the_mail_went_to_and_whatever_they_did(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    erased = deliver(session, campaign, None, DeliveryState.SENT)
    person = make_subscriber(session)
    make_act(session, campaign, person, ActKind.SIGNED)
    did = deliver(session, campaign, person, DeliveryState.SENT)
    tokens = [token, signed(app, Link.ACT, erased.id), signed(app, Link.ACT, did.id)]
    session.commit()

    def page(each: str) -> str:
        shown = re.sub(r'name="stamp" value="[^"]*"', "", client.get(f"/en/sign/{each}").text)
        return shown.replace(each, "…")

    assert len({page(each) for each in tokens}) == 1
    assert len({str(seen(client.post(f"/en/sign/{each}", data=form()))) for each in (*tokens, token)}) == 1


@pytest.mark.parametrize("page", ["sign", "signed"])
def test_a_forged_token_and_one_of_another_purpose_get_404(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign, token: str, page: str
) -> None:
    client.post(SIGN, data=form())
    link = newest_token(session)
    genuine = token if page == "sign" else link
    delivery_id = session.scalars(select(Delivery.id).order_by(Delivery.id)).first() or 0
    session.rollback()
    others = [signed(app, each, delivery_id) for each in Link if each is not Link.ACT or page != "sign"]
    other_page = link if page == "sign" else token
    for each in ("0" * 40, genuine[:-1], genuine[:-1] + ("0" if genuine[-1] != "0" else "1"), other_page, *others):
        assert client.get(f"/{page}/{each}").status_code == 404
        assert client.post(f"/{page}/{each}", data=form()).status_code == 404
    assert count(session, Act) == 0


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["deadline", Asking.STOPPED, Asking.CLOSED, Asking.WITHDRAWN])
def test_after_the_end_the_form_says_so_and_takes_nothing(
    client: FlaskClient, session: Session, campaign: Campaign, token: str, end: str | Asking
) -> None:
    client.post(SIGN, data=form(email="new@example.org"))
    link = newest_token(session)
    if isinstance(end, Asking):
        campaign.asking = end
    else:
        campaign.deadline = utcnow() - timedelta(minutes=1)
    session.commit()
    links = count(session, MailedLink)
    for path in (SIGN, f"/en/sign/{token}", f"/en/signed/{link}"):
        for answer in (client.get(path), client.post(path, data=form())):
            assert answer.status_code == (410 if end is Asking.WITHDRAWN else 200), path
            for words in ('name="country"', "Yes, I sign", "the Embassy of Denmark"):
                assert words not in answer.text, path
            if end is Asking.STOPPED:
                assert "do not pass this on" in answer.text
            elif end is not Asking.WITHDRAWN:
                assert "Nobody can sign this any more" in answer.text
    assert (count(session, Act), count(session, MailedLink)) == (0, links)


@pytest.mark.parametrize("why", ["no petition", "not public", "not begun", "unknown"])
def test_what_cannot_be_signed_is_not_there(
    client: FlaskClient, session: Session, campaign: Campaign, why: str
) -> None:
    match why:
        case "no petition":
            campaign.petition = None
        case "not public":
            campaign.public = False
        case "not begun":
            campaign.status, campaign.started_at = CampaignStatus.DRAFT, None
        case _:
            campaign.slug = "another"
    session.commit()
    assert client.get(SIGN).status_code == 404
    assert client.post(SIGN, data=form()).status_code == 404


# --- several, and taking it back ------------------------------------------------------------------------------------


def test_of_what_others_filled_in_its_owner_chooses(client: FlaskClient, session: Session, campaign: Campaign) -> None:
    client.post(SIGN, data=form())
    link = newest_token(session)
    client.post(SIGN, data=form(name="Not Ana"))
    page = unescape(client.get(f"/en/signed/{link}").text)
    assert "Ana Kolmer" in page and "Not Ana" in page and "Without a name" not in page
    assert "filled in more than once" in page and "checked" not in page
    undecided = client.post(f"/en/signed/{link}")
    assert undecided.status_code == 422
    assert "Choose which of these you sign" in undecided.text
    assert count(session, Act) == 0
    keys = re.findall(r'name="sign-free-the-five" type="radio" value="([0-9a-f]+)"', page)
    assert client.post(f"/en/signed/{link}", data={"sign-free-the-five": keys[0]}).status_code == 200
    assert [each.name for each in session.scalars(select(Signature))] == ["Ana Kolmer"]


def test_a_signature_is_taken_back_by_the_button_behind_the_link(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    client.post(SIGN, data=form())
    link = newest_token(session)
    client.post(f"/signed/{link}")
    assert client.get(f"/signed/{link}/take-back").status_code == 405
    done = client.post(f"/en/signed/{link}/take-back", data={"slug": "free-the-five"})
    assert "Your signature is taken back" in done.text
    assert (count(session, Act), count(session, Signature)) == (0, 0)
    assert client.get(f"/en/signed/{link}").status_code == 410
    assert client.post(f"/en/signed/{link}/take-back", data={"slug": "free-the-five"}).status_code == 410


# --- names on the campaign's page -----------------------------------------------------------------------------------


def named(session: Session, campaign: Campaign, name: str, **columns: Any) -> None:
    make_signature(session, campaign, make_subscriber(session, country="GB"), name=name, **columns)
    session.commit()


def test_names_stand_below_the_text_each_apart_and_only_those_to_be_shown(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    page = client.get("/en/campaigns/free-the-five").text
    assert 'href="/en/campaigns/free-the-five/sign"' in page and 'id="names"' not in page
    named(session, campaign, "ليلى مارون", place="Beirut <b>")
    named(session, campaign, "Only handed over", is_shown=False)
    named(session, campaign, "Hidden", is_hidden=True)
    for path in ("/en/campaigns/free-the-five", "/en/campaigns/free-the-five/names"):
        page = client.get(path).text
        assert "<bdi>ليلى مارون</bdi>" in page and "<bdi>Beirut &lt;b&gt;</bdi>" in page
        assert "Only handed over" not in page and "Hidden" not in page


@pytest.mark.parametrize("end", [Asking.STOPPED, Asking.WITHDRAWN, "not public", Asking.CLOSED])
def test_names_are_shown_while_the_campaign_is_public_and_not_stopped(
    client: FlaskClient, session: Session, campaign: Campaign, end: Asking | str
) -> None:
    named(session, campaign, "Zoe Signer")
    if isinstance(end, Asking):
        campaign.asking = end
    else:
        campaign.public = False
    session.commit()
    for path in ("/en/campaigns/free-the-five", "/en/campaigns/free-the-five/names"):
        assert ("Zoe Signer" in client.get(path).text) is (end is Asking.CLOSED)


def test_the_pages_of_names_go_on_as_long_as_there_are_some(
    client: FlaskClient, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "/en/campaigns/free-the-five/names"
    assert "Nobody has signed with their name yet." in client.get(names).text
    monkeypatch.setattr(signatures, "PER_PAGE", 2)
    for number in range(3):
        named(session, campaign, f"Name {number}")
    first, second = client.get(names).text, client.get(f"{names}?page=2").text
    assert 'rel="next"' in first and 'rel="prev"' not in first
    assert 'rel="prev"' in second and 'rel="next"' not in second
    assert 'href="/en/campaigns/free-the-five/names"' in client.get("/en/campaigns/free-the-five").text
    for wrong in ("3", "0", "-1", "x", "", "1" * 30):
        assert client.get(f"{names}?page={wrong}").status_code == 404


# --- preferences ----------------------------------------------------------------------------------------------------


def test_what_one_did_stands_in_the_preferences_and_is_taken_back_there(
    client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    person = make_subscriber(session, email=ANA)
    make_signature(session, campaign, person, name="Ana Kolmer")
    make_act(session, campaign, person, ActKind.WROTE)
    session.commit()
    client.post("/preferences", data={"email": ANA})
    link = newest_token(session)
    page = client.get(f"/en/manage/{link}").text
    assert "You signed this on " in page and "You told us on " in page and "Free the five" in page
    path = f"/en/manage/{link}/acts/free-the-five"
    assert client.post(path, data={"kind": "other"}).status_code == 400
    for _ in range(2):
        assert client.post(path, data={"kind": "signed"}).status_code == 303
    assert (count(session, Act), count(session, Signature)) == (1, 0)
    assert client.post(f"/en/manage/{link}/acts/another", data={"kind": "wrote"}).status_code == 303
    session.get_one(Campaign, campaign.id).asking = Asking.WITHDRAWN
    session.commit()
    page = client.get(f"/en/manage/{link}").text
    assert "A campaign that was taken down" in page and "Free the five" not in page
    assert client.post(path, data={"kind": "wrote"}).status_code == 303
    assert count(session, Act) == 0
    assert "What you did" not in client.get(f"/en/manage/{link}").text
