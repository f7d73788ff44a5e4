"""What the views work with: sessions that ring for the mails that people wait for."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy.orm import Session

from mailer.operations.queue import connect, open_queue
from mailer.people import notices
from mailer.store.models import Subscriber
from mailer.web import site
from tests.support.factories import notices_owed
from tests.web.pages import affiliate, sign_up

#: what somebody does → the mail that they wait for
WAITED_FOR: dict[str, Callable[[FlaskClient, dict[str, str]], Any]] = {
    "sign up": lambda client, _: sign_up(client, "newer@example.org"),
    "confirm": lambda client, links: client.post(f"/confirm/{links['confirm']}"),
    "ask for a link": lambda client, _: client.post("/preferences", data={"email": "ana@example.org"}),
    "ask for a link with a mail's": lambda client, links: client.post(f"/preferences/{links['preferences']}/link"),
    "name an address": lambda client, links: client.post(
        f"/manage/{links['manage']}/address", data={"email": "ana@example.com"}
    ),
    "pause": lambda client, links: client.post(f"/preferences/{links['preferences']}/pause", data={"weeks": "1"}),
    "stop mail that moved": lambda client, links: client.post(f"/moved/{links['moved']}"),
    "affiliate": lambda client, _: affiliate(client, "another@example.org"),
    "ask for a link to take back": lambda client, links: client.post(f"/act/{links['act']}/link"),
    "sign with a mail's link": lambda client, links: client.post(f"/sign/{links['sign']}"),
    "step down": lambda client, links: client.post(f"/no-contact/{links['no-contact']}"),
}


def with_doorbell(app: Flask, redis: Redis) -> None:
    app.extensions["site"] = replace(app.extensions["site"], redis=redis)


@pytest.fixture
def rung(app: Flask, links: dict[str, str], valkey_url: str) -> Iterator[Callable[[], list[str]]]:
    """What waits in the queue, the next first; nothing at the beginning."""
    with connect(valkey_url) as redis:
        with_doorbell(app, redis)
        yield lambda: [job_id.rpartition("-")[0] for job_id in open_queue(redis).get_job_ids()]


@pytest.mark.parametrize("act", WAITED_FOR.values(), ids=WAITED_FOR)
def test_whatever_one_does_the_mail_that_one_waits_for_is_rung_for_once(
    client: FlaskClient,
    session: Session,
    links: dict[str, str],
    rung: Callable[[], list[str]],
    act: Callable[[FlaskClient, dict[str, str]], Any],
) -> None:
    before = len(notices_owed(session))
    session.rollback()  # on SQLite nobody else could write
    assert act(client, links).status_code in (200, 303)
    assert len(notices_owed(session)) == before + 1
    assert rung() == [f"campaign-{notices.campaign(session).id}"]


def test_who_leaves_by_the_page_is_rung_for(
    client: FlaskClient, ana: Subscriber, links: dict[str, str], rung: Callable[[], list[str]]
) -> None:
    assert client.post(f"/undo/{links['undo']}").status_code == 200
    assert rung() == []
    assert client.post(f"/unsubscribe/{links['unsubscribe']}", data={"scope": "list"}).status_code == 200
    assert len(rung()) == 1


def test_nobody_is_rung_where_nothing_was_owed(
    client: FlaskClient, links: dict[str, str], rung: Callable[[], list[str]]
) -> None:
    for page in (
        "confirm",
        "manage",
        "address",
        "contact",
        "no-contact",
        "unsubscribe",
        "resume",
        "moved",
        "act",
        "take-back",
        "sign",
        "signed",
    ):
        assert client.get(f"/{page}/{links[page]}").status_code == 200
    assert client.post(f"/manage/{links['manage']}/address", data={"email": "ana"}).status_code == 422
    assert client.post(f"/manage/{links['manage']}/details", data={"country": "XX"}).status_code == 400
    assert rung() == []


def test_no_view_opens_a_session_that_does_not_ring() -> None:
    views = Path(site.__file__).parent.rglob("*.py")
    assert [view.name for view in views if "session_scope(" in view.read_text(encoding="utf-8")] == []


def test_without_redis_the_page_is_the_same_and_the_log_says_what_waits(
    app: Flask, client: FlaskClient, session: Session, links: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with connect("redis://127.0.0.1:1") as nowhere:
        with_doorbell(app, nowhere)
        assert sign_up(client, "newer@example.org").status_code == 303
    (warning,) = [record for record in caplog.records if record.name == "mailer.web.site"]
    assert warning.__dict__["campaign"] == notices.campaign(session).id
    assert "newer" not in caplog.text
