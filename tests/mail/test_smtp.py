"""What the SMTP client makes of a server's answers: nothing is called sent, failed or unknown that is not."""

from collections.abc import Iterator

import pytest

from mailer.mail.smtp import SenderRefused, Server, SmtpTransport, SmtpUnavailable
from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage
from tests.mail_server import MailServer, running


def outgoing(number: int, *, recipient: str | None = None) -> Outgoing:
    data = f"Message-ID: <{number}@example.org>\r\n\r\nHello {number}\r\n".encode()
    return Outgoing(id=number, sender="alerts@example.org", recipient=recipient or f"p{number}@example.org", data=data)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with running() as state:
        yield state


def send(server: MailServer, *messages: Outgoing) -> list[Outcome]:
    transport = SmtpTransport(Server("127.0.0.1", server.port))
    try:
        return list(transport.send(messages))
    finally:
        transport.close()


def test_every_message_is_sent_once_over_one_connection(server: MailServer) -> None:
    outcomes = send(server, *[outgoing(number) for number in range(1, 31)])
    assert [(outcome.id, outcome.kind) for outcome in outcomes] == [(n, OutcomeKind.SENT) for n in range(1, 31)]
    assert [message.recipient for message in server.received] == [f"p{n}@example.org" for n in range(1, 31)]
    assert server.received[0].data == outgoing(1).data
    assert server.connections == 1


@pytest.mark.parametrize(
    ("stage", "reply", "kind"),
    [
        (Stage.MAIL, "452 4.3.1 full", OutcomeKind.DEFERRED),
        (Stage.RCPT, "450 4.2.1 busy", OutcomeKind.DEFERRED),
        (Stage.RCPT, "550 5.1.1 no such user", OutcomeKind.FAILED),
        (Stage.DATA, "451 4.3.0 later", OutcomeKind.DEFERRED),
        (Stage.DATA, "554 5.7.1 no", OutcomeKind.FAILED),
        (Stage.DOT, "451 4.3.0 later", OutcomeKind.DEFERRED),
        (Stage.DOT, "550 5.7.1 spam", OutcomeKind.FAILED),
    ],
)
def test_a_refusal_is_about_its_own_message_only(
    server: MailServer, stage: Stage, reply: str, kind: OutcomeKind
) -> None:
    asked = iter(range(100))

    def second_is_refused(_: str) -> str:
        good = "354 go on" if stage is Stage.DATA else "250 ok"
        return reply if next(asked) == 1 else good

    setattr(server.behaviour, stage.value, second_is_refused)
    outcomes = send(server, outgoing(1), outgoing(2), outgoing(3))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.SENT, kind, OutcomeKind.SENT]
    code, _, text = reply.partition(" ")
    assert (outcomes[1].code, outcomes[1].text, outcomes[1].stage) == (int(code), text, stage)
    assert [message.recipient for message in server.received] == ["p1@example.org", "p3@example.org"]


def test_a_server_that_refuses_the_sender_stops_everything_before_a_body_is_sent(server: MailServer) -> None:
    server.behaviour.mail = lambda _: "553 5.7.1 sender not allowed"
    with pytest.raises(SenderRefused, match=r"553 5\.7\.1 sender not allowed"):
        send(server, outgoing(1), outgoing(2))
    assert not server.received


def test_a_connection_lost_between_body_and_answer_leaves_that_one_unknown(server: MailServer) -> None:
    server.behaviour.dot = lambda recipient: None if recipient == "p2@example.org" else "250 ok"
    outcomes = send(server, outgoing(1), outgoing(2), outgoing(3))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.SENT, OutcomeKind.UNKNOWN, OutcomeKind.SENT]
    assert server.connections == 2


def test_a_connection_lost_before_the_body_leaves_the_message_untold(server: MailServer) -> None:
    server.behaviour.rcpt = lambda recipient: None if recipient == "p2@example.org" else "250 ok"
    transport = SmtpTransport(Server("127.0.0.1", server.port))
    outcomes: list[Outcome] = []
    with pytest.raises(SmtpUnavailable):
        outcomes.extend(transport.send([outgoing(1), outgoing(2), outgoing(3)]))
    assert [message.recipient for message in server.received] == ["p1@example.org"]


def test_421_in_mid_campaign_ends_the_sending_and_names_the_server(server: MailServer) -> None:
    server.behaviour.rcpt = lambda _: "421 4.3.2 shutting down"
    with pytest.raises(SmtpUnavailable, match="shutting down"):
        send(server, outgoing(1))
    assert not server.received


def test_an_answer_that_does_not_come_in_time_is_unknown(server: MailServer) -> None:
    server.behaviour.delay = 5
    transport = SmtpTransport(Server("127.0.0.1", server.port), dot_seconds=0.2)
    assert [outcome.kind for outcome in transport.send([outgoing(1)])] == [OutcomeKind.UNKNOWN]


def test_no_server_is_said_with_the_setting_to_check() -> None:
    with running() as state:
        port = state.port
    with pytest.raises(SmtpUnavailable, match="MAILER_SMTP_URL") as caught:
        list(SmtpTransport(Server("127.0.0.1", port)).send([outgoing(1)]))
    assert caught.value.exit_code == 3


def test_an_international_local_part_needs_a_server_that_takes_it(server: MailServer) -> None:
    anna = outgoing(1, recipient="ánna@example.org")
    assert send(server, anna)[0].kind is OutcomeKind.SENT
    assert any(command.startswith("mail FROM") and "SMTPUTF8" in command for command in server.commands)
    assert server.received[0].recipient == "ánna@example.org"


def test_an_international_local_part_fails_visibly_where_it_is_not_offered(server: MailServer) -> None:
    server.behaviour.extensions = ("PIPELINING",)
    outcomes = send(server, outgoing(1, recipient="ánna@example.org"), outgoing(2))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.FAILED, OutcomeKind.SENT]
    assert "SMTPUTF8" in outcomes[0].text


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Server("mail.example.org", 587, "starttls", "user", "secret"))
