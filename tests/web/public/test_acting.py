"""The pages on which somebody says that they wrote, and takes it back, as a browser and as programs see them."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts
from mailer.campaigns.acts import Counted
from mailer.links import Link
from mailer.store.db import utcnow
from mailer.store.models import (
    Act,
    Asking,
    Campaign,
    CampaignStatus,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    Delivery,
    DeliveryState,
    MailedLink,
    Subscriber,
)
from tests.support.factories import WHEN, deliver, make_campaign, make_list, make_subscriber
from tests.web.pages import newest_token, signed

ONE = Counted(1, 0)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.ask, campaign.started_at, campaign.deadline = ["embassy"], WHEN, utcnow() + timedelta(days=30)
    session.commit()
    return campaign


@pytest.fixture
def ana(session: Session) -> Subscriber:
    return make_subscriber(session, email="ana@example.org", name="Ana Kolmer", country="GB", language="fr")


@pytest.fixture
def token(app: Flask, session: Session, campaign: Campaign, ana: Subscriber) -> str:
    """Of the mail that Ana got."""
    mail = deliver(session, campaign, ana, DeliveryState.SENT)
    session.commit()
    return signed(app, Link.ACT, mail.id)


def counted(session: Session, campaign: Campaign) -> Counted:
    session.rollback()
    found = acts.count(session, campaign.id)
    session.rollback()
    return found


def test_programs_that_follow_every_link_count_nothing_and_use_nothing_up(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    for prefix in ("", "/fr", "/ar"):
        for _ in range(2):
            assert client.get(f"{prefix}/act/{token}").status_code == 200
            assert client.head(f"{prefix}/act/{token}").status_code == 200
    assert counted(session, campaign) == Counted(0, 0)
    assert session.scalar(select(func.count()).select_from(MailedLink)) == 0
    session.rollback()
    assert client.post(f"/act/{token}").status_code == 200
    assert counted(session, campaign) == ONE


def test_each_press_gets_the_same_page_which_names_nobody(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    before = client.get(f"/en/act/{token}")
    pages = [client.post(f"/en/act/{token}") for _ in range(3)]
    assert {page.text for page in pages} == {pages[0].text}
    assert {str(page.headers) for page in pages} == {str(pages[0].headers)}
    assert client.get(f"/en/act/{token}").text == before.text
    for page in (before, *pages):
        assert "Ana" not in page.text and "ana@" not in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert not page.headers.getlist("Set-Cookie")
    assert counted(session, campaign) == ONE


def test_who_is_thanked_may_pass_on_what_everybody_may_read(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    assert "share-text" not in client.post(f"/fr/act/{token}").text
    campaign.public = True
    session.commit()
    page = client.post(f"/fr/act/{token}").text
    assert 'id="share-text"' in page and "https://act.example.org/en/campaigns/free-the-five</textarea>" in page
    assert "share-text" not in client.get(f"/fr/act/{token}").text


def test_what_is_agreed_to_is_kept_in_the_words_and_the_language_of_the_page(
    client: FlaskClient, session: Session, token: str
) -> None:
    page = client.get(f"/fr/act/{token}").text
    client.post(f"/fr/act/{token}")
    session.rollback()
    [(event, text)] = session.execute(select(ConsentEvent, ConsentText).join(ConsentText)).all()
    assert (event.purpose, text.language) == (ConsentPurpose.ACTED, "fr")
    assert text.text.startswith("Oui, j’ai écrit, et Harbour Solidarity peut le conserver")
    assert text.text.partition(",")[2][:30] in page
    assert session.scalars(select(Act.language)).all() == ["fr"]


@pytest.mark.parametrize("page", ["act", "take-back"])
def test_a_forged_token_and_one_of_another_purpose_get_404(
    app: Flask, client: FlaskClient, session: Session, token: str, page: str
) -> None:
    delivery_id = session.scalars(select(Delivery.id)).one()
    session.rollback()
    others = [signed(app, link, delivery_id) for link in Link if link is not Link.ACT]
    for each in ("0" * 40, token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"), *others):
        assert client.get(f"/{page}/{each}").status_code == 404
        assert client.post(f"/{page}/{each}").status_code == 404
    assert session.scalar(select(func.count()).select_from(Act)) == 0


@pytest.mark.parametrize("asking", [Asking.CLOSED, Asking.STOPPED, Asking.WITHDRAWN, None])
def test_after_the_end_the_page_invites_to_nothing(
    client: FlaskClient, session: Session, campaign: Campaign, token: str, asking: Asking | None
) -> None:
    if asking is None:
        campaign.deadline = utcnow() - timedelta(minutes=1)
    else:
        campaign.asking = asking
    session.commit()
    for page in (client.get(f"/en/act/{token}"), client.post(f"/en/act/{token}")):
        assert page.status_code == (410 if asking is Asking.WITHDRAWN else 200)
        assert "I have written" not in page.text
    assert counted(session, campaign) == Counted(0, 0)


def test_the_owner_takes_it_back_by_a_link_in_their_mailbox(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    client.post(f"/act/{token}")
    asked = client.post(f"/en/act/{token}/link")
    assert (asked.status_code, asked.location) == (303, "/en/take-back")
    assert "An e-mail is on its way" in client.get(asked.location).text
    link = newest_token(session)
    session.rollback()
    page = client.get(f"/en/take-back/{link}").text
    assert "You are counted among those who have written." in page
    assert counted(session, campaign) == ONE
    assert "not counted for this campaign any more" in client.post(f"/en/take-back/{link}").text
    assert counted(session, campaign) == Counted(0, 0)
    assert "There is nothing to take back." in client.get(f"/en/take-back/{link}").text
    assert client.post(f"/en/take-back/{link}").status_code == 200


def test_a_campaign_without_an_end_says_that_the_case_has_to_end_first(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    assert "Until " in client.get(f"/en/act/{token}").text
    campaign.deadline = campaign.started_at = None
    session.commit()
    assert "When this case has ended" in client.get(f"/en/act/{token}").text


def test_a_campaign_that_asks_nobody_to_write_has_no_such_page(
    client: FlaskClient, session: Session, campaign: Campaign, token: str
) -> None:
    campaign.ask = []
    session.commit()
    assert client.get(f"/act/{token}").status_code == 404
