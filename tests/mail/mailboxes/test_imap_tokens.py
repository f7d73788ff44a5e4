"""A mailbox that wants a token gets one, and hears no more of one that it does not take."""

import base64
import ssl
from collections.abc import Callable
from itertools import count

import pytest

from mailer.mail.mailboxes import imap_session
from mailer.mail.mailboxes.imap_login import Bearer
from mailer.mail.mailboxes.types import ImapFolder, MailboxUnavailable, Obstacle
from mailer.mail.oauth import Client, Tokens
from tests.support.imap_server import Behaviour, ImapServer
from tests.support.token_server import TokenServer, json_answer

Serve = Callable[[Behaviour], ImapServer]
OFFERS = ("IMAP4rev1", "AUTH=XOAUTH2", "MOVE", "UIDPLUS")


@pytest.fixture
def secret(issuer: TokenServer, trusting: ssl.SSLContext) -> Bearer:
    return Bearer(Tokens(Client(issuer.url, "tocsin", secret="x"), context=trusting))


@pytest.fixture
def look(secret: Bearer, trusting: ssl.SSLContext) -> Callable[[ImapServer], int]:
    """Opens a server's INBOX; how many messages it has."""

    def look(server: ImapServer) -> int:
        place = ImapFolder("127.0.0.1", "box@example.org", server.port)
        with imap_session.opened(place, secret, context=trusting) as session:
            return session.count

    return look


Look = Callable[[ImapServer], int]


def test_a_token_opens_it_and_is_used_as_long_as_it_holds(serve: Serve, issuer: TokenServer, look: Look) -> None:
    server = serve(Behaviour(capabilities=OFFERS, token="token-1"))
    server.inbox.add(b"x")
    assert [look(server), look(server)] == [1, 1]
    assert len(issuer.asked) == 1
    assert not server.said("token-1")  # it stands in an answer, encoded


def test_a_token_that_is_not_taken_is_answered_by_an_empty_line_and_another_is_asked_for(
    serve: Serve, look: Look
) -> None:
    server = serve(Behaviour(capabilities=OFFERS, token="token-2"))
    with pytest.raises(MailboxUnavailable, match="AUTHENTICATIONFAILED") as caught:
        look(server)
    assert caught.value.obstacle is Obstacle.LOGIN
    assert "token-1" not in str(caught.value)
    assert server.said("answer") == ["answer b'\\r\\n'"]
    assert look(server) == 0


def test_a_server_that_repeats_the_token_is_not_quoted(serve: Serve, look: Look) -> None:
    server = serve(Behaviour(capabilities=OFFERS, token="token-1"))
    server.behaviour.instead = lambda command: "NO what is token-1" if "SELECT" in command else None
    with pytest.raises(MailboxUnavailable, match="its words repeat the token"):
        look(server)


@pytest.mark.parametrize("length", [40, 700, 2_000])  # of Google's and Microsoft's, and longer than what is shown
@pytest.mark.parametrize("said", ["{response}", "{response:.60}", "x" * 250 + "{token}", '"{token}"'])
def test_nor_in_another_form(serve: Serve, issuer: TokenServer, look: Look, length: int, said: str) -> None:
    token = "Zq7-" * (length // 4)
    issuer.answer = lambda _: json_answer(200, access_token=token, expires_in=3600)
    server = serve(Behaviour(capabilities=OFFERS, token=token))
    response = base64.b64encode(f"user={server.behaviour.user}\1auth=Bearer {token}\1\1".encode()).decode()
    words = f"BAD AUTHENTICATE XOAUTH2 {said.format(response=response, token=token)}"
    server.behaviour.instead = lambda command: words if "SELECT" in command else None
    with pytest.raises(MailboxUnavailable, match="its words repeat the token") as caught:
        look(server)
    assert response[:20] not in str(caught.value) and token[:20] not in str(caught.value)


def test_without_a_token_the_server_is_not_even_asked(serve: Serve, issuer: TokenServer, look: Look) -> None:
    issuer.answer = lambda _: json_answer(400, error="invalid_grant")
    server = serve(Behaviour(capabilities=OFFERS))
    with pytest.raises(MailboxUnavailable, match="consent has to be given anew") as caught:
        look(server)
    assert caught.value.obstacle is Obstacle.TOKEN
    assert server.commands == []


def test_a_token_that_ends_before_the_log_in_and_is_not_renewed_is_said(
    serve: Serve, issuer: TokenServer, trusting: ssl.SSLContext
) -> None:
    clock = count(step=4000)
    secret = Bearer(Tokens(Client(issuer.url, "tocsin", secret="x"), context=trusting, now=lambda: next(clock)))
    first = issuer.answer
    issuer.answer = lambda form: first(form) if len(issuer.asked) == 1 else json_answer(400, error="invalid_grant")
    server = serve(Behaviour(capabilities=OFFERS))
    place = ImapFolder("127.0.0.1", "box@example.org", server.port)
    with pytest.raises(MailboxUnavailable) as caught, imap_session.opened(place, secret, context=trusting):
        pass
    assert caught.value.obstacle is Obstacle.TOKEN
    assert len(issuer.asked) == 2


def test_a_server_that_takes_no_tokens_is_said(serve: Serve, look: Look) -> None:
    with pytest.raises(MailboxUnavailable, match="no log-in with XOAUTH2"):
        look(serve(Behaviour()))
