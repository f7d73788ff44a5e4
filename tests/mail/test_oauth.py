"""Tokens are had in time, from the named server alone, and no secret leaves it for a log or a message."""

import logging
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from mailer.mail import oauth
from mailer.mail.oauth import Client, NoToken, Tokens
from tests.support.token_server import Answer, TokenServer, issuing, json_answer

SECRET, REFRESH = "the-secret", "the-consent"


@dataclass
class Kept:
    """A refresh token, and whether it can be kept."""

    token: str = REFRESH
    problem: OSError | None = None
    stored: list[str] = field(default_factory=list)

    def load(self) -> str:
        return self.token

    def store(self, token: str) -> None:
        if self.problem is not None:
            raise self.problem
        self.token = token
        self.stored.append(token)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def client(issuer: TokenServer, consent: Kept | None = None) -> Client:
    return Client(issuer.url, "tocsin", secret=SECRET, scope="mail.read offline_access", consent=consent)


def test_a_token_is_had_by_somebodys_consent_or_in_the_clients_own_name(
    issuer: TokenServer, trusting: ssl.SSLContext
) -> None:
    known = {"client_id": "tocsin", "client_secret": SECRET, "scope": "mail.read offline_access"}
    assert Tokens(client(issuer, Kept()), context=trusting).get() == "token-1"
    assert Tokens(client(issuer), context=trusting).get() == "token-2"
    assert issuer.asked == [
        {"grant_type": "refresh_token", "refresh_token": REFRESH, **known},
        {"grant_type": "client_credentials", **known},
    ]
    Tokens(Client(issuer.url, "tocsin", consent=Kept()), context=trusting).get()
    assert issuer.asked[-1] == {"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": "tocsin"}


@pytest.mark.parametrize(
    ("said", "holds"),
    [(3600, 3300), ("3599", 3299), (None, 300), ("soon", 300), (-5, 300), (1e12, 300), (float("nan"), 300)],
)
def test_a_token_is_renewed_five_minutes_before_its_end(
    issuer: TokenServer, trusting: ssl.SSLContext, said: object, holds: float
) -> None:
    issuer.answer = lambda _: json_answer(access_token=f"token-{len(issuer.asked)}", expires_in=said)
    clock = Clock()
    tokens = Tokens(client(issuer), context=trusting, now=clock)
    assert [tokens.get(), tokens.get()] == ["token-1"] * 2
    clock.now = holds - 1
    assert tokens.get() == "token-1"
    clock.now = holds
    assert tokens.get() == "token-2"


def test_one_that_nobody_takes_is_not_used_again(issuer: TokenServer, trusting: ssl.SSLContext) -> None:
    tokens = Tokens(client(issuer), context=trusting)
    tokens.get()
    tokens.forget()
    assert tokens.last == "token-1"  # what a server says may repeat it
    assert tokens.get() == "token-2"


def test_a_new_refresh_token_takes_the_place_of_the_old(issuer: TokenServer, trusting: ssl.SSLContext) -> None:
    issuer.answer = lambda asked: json_answer(access_token="x", refresh_token=asked["refresh_token"] + "+")
    kept = Kept()
    tokens = Tokens(client(issuer, kept), context=trusting)
    for _ in range(2):
        tokens.get()
        tokens.forget()
    assert kept.stored == [f"{REFRESH}+", f"{REFRESH}++"]
    issuer.answer = lambda asked: json_answer(access_token="x", refresh_token=asked["refresh_token"])
    tokens.get()
    assert len(kept.stored) == 2


def test_one_that_cannot_be_stored_is_used_all_the_same_and_warned_of(
    issuer: TokenServer, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.answer = lambda asked: json_answer(access_token="x", refresh_token=asked["refresh_token"] + "+")
    tokens = Tokens(client(issuer, Kept(problem=OSError(30, "Read-only file system"))), context=trusting)
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            tokens.get()
            tokens.forget()
    assert [asked["refresh_token"] for asked in issuer.asked] == [REFRESH, f"{REFRESH}+"]
    warned = [record.__dict__ for record in caplog.records if record.levelno == logging.WARNING]
    assert [each["problem"] for each in warned] == ["Read-only file system"] * 2
    assert REFRESH not in str(warned)


NAMING = "AADSTS700082: The refresh token of rosa@example.org has expired"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            json_answer(400, error="invalid_grant", error_description=NAMING),
            r"invalid_grant AADSTS700082 \(the refresh",
        ),
        (json_answer(401, error="invalid_client"), r"invalid_client \(MAILER_OAUTH_CLIENT_ID or the secret"),
        (json_answer(400, error="Rosa <rosa@example.org>"), "refuses a token: 400"),
        (json_answer(400, error=["x"]), "refuses a token: 400"),
        (json_answer(200, token="x"), "without a token"),
        (json_answer(200, access_token="a\nb"), "without a token"),
        (json_answer(200, access_token=7), "without a token"),
        ((502, {}, b"<html>rosa@example.org</html>"), "answers 502, and not as"),
        ((200, {}, b"[" * 60000), "answers 200, and not as"),
        ((200, {}, b"\xff" * 2**20), "answers 200, and not as"),
        ((307, {"Location": "https://127.0.0.1:1/"}, b""), "answers 307, and not as"),
    ],
)
def test_why_there_is_no_token_is_said_in_words_of_ours(
    issuer: TokenServer, trusting: ssl.SSLContext, answer: Answer, said: str
) -> None:
    issuer.answer = lambda _: answer
    with pytest.raises(NoToken, match=said) as caught:
        Tokens(client(issuer, Kept()), context=trusting).get()
    assert urlsplit(issuer.url).netloc in str(caught.value)
    for secret in ("rosa", SECRET, REFRESH):
        assert secret not in str(caught.value)
    assert len(issuer.asked) == 1


def test_a_certificate_that_nobody_vouches_for_gets_no_secret(issuer: TokenServer) -> None:
    with pytest.raises(NoToken, match="certificate"):
        Tokens(client(issuer)).get()
    assert issuer.asked == []


def test_a_server_that_is_away_or_silent_is_said(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "_SECONDS", 0.2)
    with issuing(None) as deaf, pytest.raises(NoToken, match=r"did not answer|127\.0\.0\.1"):
        Tokens(client(deaf), context=trusting).get()
    with issuing(certified) as gone:
        away = client(gone)
    with pytest.raises(NoToken, match="refused"):
        Tokens(away, context=trusting).get()


def test_a_client_shows_no_secret(issuer: TokenServer) -> None:
    assert SECRET not in repr(client(issuer))
