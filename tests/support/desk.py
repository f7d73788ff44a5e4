"""Visitors at the desk, signed in without a password."""

import re
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mailer.organisers import desk_sessions
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, Role
from tests.support.accounts import make_account


class Organiser:
    """Somebody at the desk, in a browser of theirs."""

    def __init__(self, client: FlaskClient, account_id: int, secret: str) -> None:
        self.client, self.account_id, self.secret = client, account_id, secret
        self.cookie = secret

    @property
    def cookie(self) -> str:
        """What their browser keeps."""
        return self.secret

    @cookie.setter
    def cookie(self, secret: str) -> None:
        site = urlsplit(self._base_url)
        name, is_https = ("__Secure-desk", True) if site.scheme == "https" else ("desk", False)
        self.client.set_cookie(name, secret, path="/desk", domain=site.hostname or "", secure=is_https)

    @property
    def _base_url(self) -> str:
        return str(self.client.application.extensions["site"].settings.base_url)

    def get(self, path: str, **more: Any) -> TestResponse:
        """A page."""
        return self.client.get(f"/desk{path}", **self._by(more))

    def _by(self, more: dict[str, Any]) -> dict[str, Any]:
        """With the scheme of the site, without which a browser does not send its cookie."""
        return {"base_url": self._base_url, **more}

    def press(self, path: str, **fields: str | list[str]) -> TestResponse:
        """What a form of a page of theirs sends."""
        data = {"form_token": desk_sessions.form_token(self.secret), **fields}
        return self.send(path, data)

    def send(self, path: str, data: dict[str, Any], *, site: str = "same-origin") -> TestResponse:
        """Likewise, with a token of the test's choice.

        :param site: what their browser says of where the form is from.
        """
        return self.client.post(f"/desk{path}", **self._by({"data": data, "headers": {"Sec-Fetch-Site": site}}))


def come_in(
    app: Flask,
    *roles: Role,
    email: str = "rosa@example.org",
    name: str = "Rosa",
    at: datetime | None = None,
    account: Account | None = None,
) -> Organiser:
    """Somebody with these roles, in a browser of their own.

    :param at: when they signed in; by default now.
    :param account: who it is, where they are known already.
    """
    with session_scope(app.extensions["site"].engine) as session:
        who = account or make_account(session, email, *roles, name=name)
        started = desk_sessions.start(session, who.id, at=at or utcnow(), network="203.0.113.7", browser="Firefox")
        account_id = who.id
    return Organiser(app.test_client(), account_id, started.secret)


def words(page: TestResponse) -> str:
    """What a page says, without its markup."""
    main = re.search(r"<main.*?</main>", page.text, re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main[0] if main else page.text)).split())
