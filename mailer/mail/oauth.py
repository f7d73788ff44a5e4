"""Tokens that open a mailbox for an hour or so, from a server that issues them (OAuth 2.0, RFC 6749)."""

import json
import logging
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

_SECONDS = 30.0  # until the server has to answer
_MOST = 2**16  # octets of an answer that are read
_EARLY_SECONDS = 300.0  # before it ends, a token is renewed
_UNSAID_SECONDS = 600.0  # how long one holds of which the server does not say it

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE = re.compile(r"[a-z_]{1,40}")
#: Microsoft's own number of what is wrong, in its words; these may name somebody
_NUMBER = re.compile(r"\bAADSTS\d{1,9}\b")
_MEANINGS = {
    "invalid_grant": "the refresh token holds no more, so consent has to be given anew",
    "invalid_client": "MAILER_OAUTH_CLIENT_ID or the secret is wrong, or has run out",
    "unauthorized_client": "the client may not ask in this way: look at its permissions there",
    "invalid_scope": "MAILER_OAUTH_SCOPE is wrong",
}

log = logging.getLogger(__name__)


class NoToken(Exception):
    """Why there is no token, in one line that holds no secret."""


class RefreshToken(Protocol):
    """What somebody's consent came to, where it is kept. A server may give another one with each token."""

    def load(self) -> str:
        """The one that is kept."""

    def store(self, token: str) -> None:
        """:raises OSError: it could not be kept."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks for tokens, and where."""

    token_url: str  # https
    id: str
    secret: str | None = field(default=None, repr=False)
    scope: str | None = None
    consent: RefreshToken | None = None  # somebody's; without it, the client asks in its own name (4.4)


class Tokens:
    """The token that holds now, got when it is asked for, and renewed five minutes before its end."""

    def __init__(
        self, client: Client, *, context: ssl.SSLContext | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """:param context: for TLS; by default the system's certificates are trusted.
        :param now: seconds.
        """
        self._client, self._context, self._now = client, context, now
        self._token, self._last, self._ends = "", "", 0.0
        self._not_stored: str | None = None

    def get(self) -> str:
        """:raises NoToken: the server gives none."""
        if not self._token or self._now() >= self._ends - _EARLY_SECONDS:
            self._renew()
        return self._token

    @property
    def last(self) -> str:
        """The last one that was got, whether it holds or was forgotten; "" before the first."""
        return self._last

    def forget(self) -> None:
        """Ask for another next time: nobody takes this one."""
        self._token = ""

    def _renew(self) -> None:
        asked_at = self._now()
        answer = _ask(self._client.token_url, self._form(), self._context or ssl.create_default_context())
        token = answer.get("access_token")
        if not (isinstance(token, str) and _TOKEN.fullmatch(token)):
            raise NoToken(f"{_host(self._client.token_url)} answers without a token")
        self._token = self._last = token
        self._ends = asked_at + _seconds(answer.get("expires_in"))
        self._keep(answer.get("refresh_token"))

    def _form(self) -> Mapping[str, str]:
        client = self._client
        form = {"client_id": client.id}
        if client.consent is None:
            form["grant_type"] = "client_credentials"
        else:
            form |= {"grant_type": "refresh_token", "refresh_token": self._not_stored or client.consent.load()}
        if client.secret:
            form["client_secret"] = client.secret
        if client.scope:
            form["scope"] = client.scope
        return form

    def _keep(self, token: object) -> None:
        """The old one may soon end."""
        consent = self._client.consent
        if consent is None or not (isinstance(token, str) and _TOKEN.fullmatch(token)) or token == consent.load():
            return
        try:
            consent.store(token)
            self._not_stored = None
        except OSError as problem:
            self._not_stored = token
            words = problem.strerror or type(problem).__name__
            log.warning("a new refresh token could not be stored", extra={"problem": words})


def _ask(url: str, form: Mapping[str, str], context: ssl.SSLContext) -> Mapping[str, Any]:
    """:raises NoToken: there is no answer, or a refusal. Another address, which an answer may name, is never asked."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    connection = HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=_SECONDS, context=context)
    try:
        connection.request("POST", target, urlencode(form), headers)
        with connection.getresponse() as response:
            status, body = response.status, response.read(_MOST)
    except ssl.SSLCertVerificationError as problem:
        raise NoToken(f"the certificate of {_host(url)} is not valid: {problem.verify_message}") from problem
    except TimeoutError as problem:
        raise NoToken(f"{_host(url)} did not answer in time") from problem
    except (OSError, HTTPException) as problem:
        raise NoToken(f"{_host(url)}: {' '.join(str(problem).split())[:200] or type(problem).__name__}") from problem
    finally:
        connection.close()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise NoToken(f"{_host(url)} answers {status}, and not as a server does that issues tokens")
    if status != 200:
        raise NoToken(f"{_host(url)} refuses a token: {_why(answer) or status}")
    return answer


def _why(answer: Mapping[str, Any]) -> str:
    """What a server's refusal means, without its words."""
    code = str(answer.get("error", ""))
    number = _NUMBER.search(str(answer.get("error_description", "")))
    said = [code if _CODE.fullmatch(code) else "", number[0] if number else ""]
    words = " ".join(filter(None, said))
    return f"{words} ({_MEANINGS[code]})" if code in _MEANINGS else words


def _seconds(said: object) -> float:
    """How long a token holds; some servers write the number as a text."""
    try:
        seconds = float(str(said))
    except ValueError:
        return _UNSAID_SECONDS
    return seconds if 0 < seconds < 10**7 else _UNSAID_SECONDS


def _host(url: str) -> str:
    return urlsplit(url).netloc
