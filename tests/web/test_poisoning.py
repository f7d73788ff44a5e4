"""Nothing that a request says makes a page, a link or a redirect of ours lead to somebody else's site."""

import re
from contextlib import closing

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from mailer.store.models import Delivery
from mailer.web.public import writing
from tests.web.pages import EVIL, every_page, newest_token, raw, seen, stays_here

pytestmark = pytest.mark.usefixtures("ana")


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here depends on the database


def bare(answer: TestResponse) -> tuple[int, str, list[tuple[str, str]]]:
    status, text, headers = seen(answer)
    return status, re.sub(r'name="stamp" value="[^"]*"', "", text), [h for h in headers if h[0] != "Content-Length"]


@pytest.mark.parametrize(
    "host",
    [
        EVIL,
        f"act.example.org@{EVIL}",
        f"{EVIL}:443",
        "a b",
        '"><script>',
        "",
        "[::1",
        "\xe9vil.example.com",
        "x" * 5000,
        "x" * 64 + ".example",
        "a..b",
    ],
)
def test_the_host_that_a_request_names_changes_nothing(
    app: Flask, client: FlaskClient, links: dict[str, str], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_DRAWN", 1)  # else each visit may see another wording of a letter
    headers = {"Host": host, "X-Forwarded-Host": EVIL, "Forwarded": f"host={EVIL}", "X-Forwarded-Proto": "http"}
    for page in every_page(app, links):
        with closing(client.get(page)) as plain, closing(client.get(page, headers=headers)) as forged:
            assert bare(forged) == bare(plain), page


def test_no_link_in_a_mail_is_made_of_the_host_that_a_request_names(client: FlaskClient, session: Session) -> None:
    client.post(
        "/",
        data={"email": "new@example.org", "country": "GB", "language": "en", "alerts": "yes"},
        headers={"Host": EVIL, "X-Forwarded-Host": EVIL},
    )
    client.post(f"/confirm/{newest_token(session)}", headers={"Host": EVIL})
    session.rollback()
    notices = session.scalars(select(Delivery.notice).where(Delivery.notice.is_not(None))).all()
    assert len(notices) == 2
    assert "https://act.example.org/" in str(notices)
    assert EVIL not in str(notices)


TRAPS = [
    f"//{EVIL}",
    f"//{EVIL}/",
    f"//{EVIL}/fr",
    f"/\\{EVIL}",
    f"/%5c{EVIL}",
    f"/%2f%2f{EVIL}",
    f"/%2f{EVIL}/%2e%2e",
    f"/fr//{EVIL}",
    f"//fr//{EVIL}//",
    f"/fr/%0d%0aLocation:%20https://{EVIL}",
    f"/fr?next=https://{EVIL}",
    f"/.//{EVIL}",
    f"///{EVIL}",
    f"/http://{EVIL}/",
    f"/campaigns/%0d%0aSet-Cookie:a=b?{EVIL}",
]


@pytest.mark.parametrize("path", TRAPS)
def test_no_address_leads_away_from_the_site(client: FlaskClient, path: str) -> None:
    for method in ("GET", "POST"):
        answer = client.open(method=method, environ_overrides=raw(path), headers={"Host": EVIL})
        stays_here(answer)
        for name in ("Set-Cookie", "X-Evil"):
            assert name not in answer.headers


def test_no_field_leads_away_from_the_site(app: Flask, client: FlaskClient, links: dict[str, str]) -> None:
    names = ("next", "url", "redirect", "return", "return_to", "continue", "r", "saved", "union", "language", "format")
    wishes = dict.fromkeys(names, f"https://{EVIL}/")
    headers = {"Referer": f"https://{EVIL}/", "Host": EVIL}
    for method in ("GET", "POST"):
        fields = {**wishes, "do": "leave", "email": "x@example.org"} if method == "POST" else None
        for page in every_page(app, links, method):
            answer = client.open(page, method=method, query_string=wishes, data=fields, headers=headers)
            with closing(answer):
                assert answer.status_code < 500, page
                stays_here(answer)
