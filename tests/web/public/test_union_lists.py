"""A union's own lists are joined from its page, and from no other."""

import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from mailer.store.db import session_scope
from mailer.store.models import MailedLink
from tests.support.factories import make_list, make_union

FORM = {"name": "", "country": "GB", "union": "", "language": "en", "alerts": "yes"}


@pytest.fixture(autouse=True)
def _lists(engine: Engine) -> None:
    """The organisers' list, and two of either of two unions, one of them closed."""
    with session_scope(engine) as session:
        make_list(session, name="Urgent actions")
        for slug in ("bakers", "dockers"):
            union = make_union(session, slug)
            for name in ("news", "staff"):
                own = make_list(session, f"{slug}-{name}", name=f"{slug}' {name}")
                own.owner_id, own.is_open = union.id, name == "news"


def asked_for(engine: Engine) -> list[int]:
    with session_scope(engine, read_only=True) as session:
        return [len(json.loads(each)["list_ids"]) for each in session.scalars(select(MailedLink.details))]


def test_each_page_offers_its_own(client: FlaskClient) -> None:
    names = {"bakers": "bakers&#39; news", "dockers": "dockers&#39; news"}
    offered = {path: client.get(path).text for path in ("/", "/join/bakers", "/join/dockers")}
    assert "Urgent actions" in offered["/"]
    assert [name for name in names if names[name] in offered["/"]] == []
    assert [name for name in names if names[name] in offered["/join/bakers"]] == ["bakers"]
    assert [name for name in names if names[name] in offered["/join/dockers"]] == ["dockers"]
    assert not any("staff" in page for page in offered.values())


@pytest.mark.parametrize("slug", ["dockers-news", "bakers-staff", "nothing"])
def test_a_list_that_was_not_offered_is_not_asked_for(engine: Engine, client: FlaskClient, slug: str) -> None:
    form = {**FORM, "email": "ana@example.org", "lists": slug}
    refused = client.post("/join/bakers", data=form)
    assert refused.status_code == 422
    assert "Choose at least one list." in refused.text
    assert asked_for(engine) == []


def test_what_was_offered_is_asked_for_and_nothing_beside(engine: Engine, client: FlaskClient) -> None:
    form = {**FORM, "email": "ana@example.org", "lists": ["bakers-news", "urgent-actions", "dockers-news"]}
    assert client.post("/join/bakers", data=form).status_code == 303
    assert asked_for(engine) == [2]
    other = {**FORM, "email": "boris@example.org", "lists": ["bakers-news"]}
    assert client.post("/", data=other).status_code == 303  # one list is offered there, and that is what it means
    assert asked_for(engine) == [2, 1]
