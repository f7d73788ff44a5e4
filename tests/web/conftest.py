"""The web app of a migrated installation, on each kind of database."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.app import create_app
from mailer.links import Link
from mailer.settings import Settings
from mailer.store.models import Campaign, CampaignStatus, DeliveryState, MailingList, Subscriber, UnionStatus
from mailer.unions import directory
from mailer.web import protection
from tests.support.factories import WHEN, deliver, make_campaign, make_contact, make_list, make_subscriber, make_union
from tests.support.letters import add_letter, put_target
from tests.web.pages import affiliate, campaign_link, make_kit, newest_token, sign_up, signed


@pytest.fixture
def app(settings: Callable[..., Settings], database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The site over the test's own database, with no Redis to ring, and open to any number of people."""
    app = create_app(settings(MAILER_DATABASE_URL=database_url))
    app.test_client_class = Person
    for limiter in app.extensions["limiter"]:
        monkeypatch.setattr(limiter, "enabled", False)
    yield app
    app.extensions["site"].engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor."""
    return app.test_client()


@pytest.fixture
def ana(session: Session) -> Subscriber:
    """Ana, who is on the one list that there is."""
    make_union(session)
    ana = make_subscriber(session, make_list(session), email="ana@example.org")
    session.commit()
    return ana


@pytest.fixture
def links(app: Flask, client: FlaskClient, session: Session, ana: Subscriber) -> dict[str, str]:
    """A genuine token for each kind of page: first part of its path → token."""
    found = {"preferences": campaign_link(app, session), "unsubscribe": campaign_link(app, session)}
    assert sign_up(client, "new@example.org").status_code == 303
    found["confirm"] = newest_token(session)
    assert client.post("/preferences", data={"email": "ana@example.org"}).status_code == 303
    found["manage"] = newest_token(session)
    assert client.post(f"/manage/{found['manage']}/address", data={"email": "ana@example.net"}).status_code == 303
    found["address"] = newest_token(session)
    assert client.post(f"/preferences/{found['preferences']}/pause", data={"weeks": "1"}).status_code == 200
    found["resume"] = newest_token(session)
    assert client.post(f"/unsubscribe/{found['unsubscribe']}", data={"scope": "list"}).status_code == 200
    found["undo"] = newest_token(session)
    assert affiliate(client, "officer@example.org").status_code == 303
    found["contact"] = newest_token(session)
    found["moved"] = link_of_mover(client, session)
    found |= links_of_union(app, session, ana)
    assert client.post(f"/kit/{found['kit']}/link").status_code == 303
    found["answer"] = newest_token(session)
    found["letters"] = link_of_letters(app, session)
    found["act"] = link_to_act(app, session, ana)
    assert client.post(f"/act/{found['act']}/link").status_code == 303
    found["take-back"] = newest_token(session)
    found["sign"] = link_to_act(app, session, make_subscriber(session, email="signer@example.org"))
    assert client.post(f"/sign/{found['sign']}").status_code == 303
    found["signed"] = newest_token(session)
    assert len(set(found.values())) == 17
    return found


def link_of_mover(client: FlaskClient, session: Session) -> str:
    """What the old address of somebody who has moved gets."""
    mover = make_subscriber(session, session.scalars(select(MailingList)).one(), email="mover@example.org")
    session.commit()
    assert client.post("/preferences", data={"email": mover.email}).status_code == 303
    manage = newest_token(session)
    assert client.post(f"/manage/{manage}/address", data={"email": "moved@example.net"}).status_code == 303
    assert client.post(f"/address/{newest_token(session)}").status_code == 200
    return newest_token(session)


def links_of_union(app: Flask, session: Session, contact: Subscriber) -> dict[str, str]:
    """What the union of that person, who is its contact, gets links to."""
    union = directory.get(session, "dockers")
    union.status = UnionStatus.AFFILIATED
    campaign = make_campaign(session, session.scalars(select(MailingList)).one())
    kit = make_kit(session, campaign, union)
    kit.forwarded_at, kit.reached = WHEN, 250
    found = {
        "kit": signed(app, Link.KIT, kit.id),
        "results": signed(app, Link.UNION, union.id),
        "no-contact": signed(app, Link.CONTACT, make_contact(session, union, contact).id),
    }
    session.commit()
    return found


def link_of_letters(app: Flask, session: Session) -> str:
    """What a campaign that is not public mails to those who write to the target that `address_of` names."""
    mailing_list = session.scalars(select(MailingList)).one()
    campaign = make_campaign(session, mailing_list, slug="not-public", status=CampaignStatus.SENT)
    campaign.ask, campaign.about, campaign.petition = ["embassy"], "BR", {"to": {"en": "the Embassy of Brazil"}}
    campaign.started_at, campaign.deadline = WHEN, datetime(2035, 4, 30, tzinfo=UTC)
    add_letter(session, campaign)
    put_target(session, "gb-embassy", email="embassy@example.org")
    session.commit()
    return signed(app, Link.LETTER, campaign.id)


def link_to_act(app: Flask, session: Session, person: Subscriber) -> str:
    """What a mail to somebody holds by which they say that they wrote, and sign."""
    campaign = session.scalars(select(Campaign).where(Campaign.slug == "not-public")).one()
    delivery = deliver(session, campaign, person, DeliveryState.SENT)
    session.commit()
    return signed(app, Link.ACT, delivery.id)


class Person(FlaskClient):
    """A visitor who has seen each form that they send, and took a moment to fill it in."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        fields = kwargs.get("data")
        is_form = kwargs.get("method") == "POST" and (fields is None or isinstance(fields, dict))
        if is_form and "/unsubscribe/" not in str(args[:1]):
            kwargs["data"] = {"stamp": stamp_of(self.application), **(fields or {})}
        return super().open(*args, **kwargs)


def stamp_of(app: Flask, *, age: timedelta = timedelta(minutes=1)) -> str:
    """What a form says that the site made some time ago."""
    return protection.sign(app.extensions["site"].settings.keyring, datetime.now(UTC) - age)
