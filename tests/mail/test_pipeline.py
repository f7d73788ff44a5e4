"""What can be relied on when messages go out pipelined, over several connections, to a server that misbehaves."""

import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from selectors import DefaultSelector, SelectorKey

import pytest

from mailer.mail import smtp_connection
from mailer.mail.pipeline import Pipeline, Timeouts
from mailer.mail.smtp import SenderRefused, Server, SmtpUnavailable
from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage
from tests.mail.desk import Desk
from tests.support.mail_server import MailServer, running

SENT, DEFERRED, FAILED, UNKNOWN = OutcomeKind.SENT, OutcomeKind.DEFERRED, OutcomeKind.FAILED, OutcomeKind.UNKNOWN
WITHOUT_PIPELINING = ("SIZE 26214400", "8BITMIME", "SMTPUTF8", "DSN")


def outgoing(number: int, *, sender: str = "alerts@example.org", octets: int = 0) -> Outgoing:
    head = f"Message-ID: <{number}@example.org>\r\n\r\nHello {number}\r\n"
    data = head.encode() + (b"x" * 68 + b"\r\n") * (octets // 70)
    return Outgoing(number, sender, f"p{number}@example.org", data)


@pytest.fixture(params=["pipelining", "one command at a time"])
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    with running() as state:
        if request.param != "pipelining":
            state.behaviour.extensions = WITHOUT_PIPELINING
        yield state
        assert request.param == "pipelining" or not state.said_ahead, "a command was said ahead of an answer"


@pytest.fixture
def pipelining() -> Iterator[MailServer]:
    with running() as state:
        yield state


def send(server: MailServer, *messages: Outgoing, connections: int = 1, timeouts: Timeouts | None = None) -> Desk:
    desk = Desk(list(messages))
    send_all(server, desk, connections=connections, timeouts=timeouts)
    return desk


def send_all(server: MailServer, desk: Desk, *, connections: int = 1, timeouts: Timeouts | None = None) -> None:
    pipeline = Pipeline(
        Server("127.0.0.1", server.port), connections=connections, timeouts=timeouts or Timeouts(connect=5)
    )
    try:
        pipeline.send(desk)
    finally:
        pipeline.close()


def thrice(second: str | None, good: str = "250 ok") -> Callable[[str], str | None]:
    """Answers of which the second is another."""
    asked = iter(range(1000))
    return lambda _: second if next(asked) == 1 else good


# --- the usual way --------------------------------------------------------------------------------------------------


def test_every_message_is_sent_once_over_one_connection(server: MailServer) -> None:
    desk = send(server, *[outgoing(number) for number in range(1, 31)])
    assert desk.kinds == [SENT] * 30
    assert [message.recipient for message in server.received] == [f"p{n}@example.org" for n in range(1, 31)]
    assert server.received[0].data == outgoing(1).data
    assert (server.connections, desk.most_unanswered) == (1, 1)
    assert server.commands[-1] == "QUIT"


def test_an_envelope_is_one_write_and_never_behind_a_body(pipelining: MailServer) -> None:
    send(pipelining, *[outgoing(number) for number in range(10)])
    assert pipelining.said_ahead == 20  # behind MAIL and RCPT of each there is more
    assert pipelining.bodies_with_more == 0


def test_work_is_spread_over_connections_that_are_opened_only_when_needed(server: MailServer) -> None:
    server.behaviour.delay = 0.05
    desk = send(server, *[outgoing(number) for number in range(40)], connections=4)
    assert desk.kinds == [SENT] * 40
    assert server.connections == 4
    assert 1 < desk.most_unanswered <= 4


def test_a_single_message_needs_a_single_connection(server: MailServer) -> None:
    assert send(server, outgoing(1), connections=4).kinds == [SENT]
    assert server.connections == 1


def test_connections_are_kept_for_the_next_sending(server: MailServer) -> None:
    pipeline = Pipeline(Server("127.0.0.1", server.port))
    for number in range(5):
        desk = Desk([outgoing(number)])
        pipeline.send(desk)
        assert desk.kinds == [SENT]
    assert server.connections == 1
    pipeline.close()
    pipeline.send(Desk([outgoing(9)]))
    assert server.connections == 2
    pipeline.close()


def test_an_idle_connection_that_died_is_replaced_in_silence(server: MailServer) -> None:
    pipeline = Pipeline(Server("127.0.0.1", server.port), connections=1)
    pipeline.send(Desk([outgoing(1)]))
    server.hang_up_on_everyone()
    desk = Desk([outgoing(2), outgoing(3)])
    pipeline.send(desk)
    pipeline.close()
    assert desk.kinds == [SENT, SENT]
    assert (server.connections, server.copies()["p2@example.org"]) == (2, 1)


def test_a_supply_that_is_slow_is_waited_for(server: MailServer) -> None:
    class Slow(Desk):
        def take(self, *, wait: bool) -> Outgoing | None:
            if not wait and random.random() < 0.7:
                return None
            return super().take(wait=wait)

    desk = Slow([outgoing(number) for number in range(20)])
    send_all(server, desk, connections=3)
    assert desk.kinds == [SENT] * 20


def test_a_body_larger_than_every_buffer_arrives_whole(server: MailServer) -> None:
    server.behaviour.pause = lambda line: 0.1 if line.startswith("BODY") else 0
    server.behaviour.read_ahead = 2**16
    messages = [outgoing(number, octets=8_000_000) for number in range(2)]
    assert send(server, *messages).kinds == [SENT, SENT]
    assert [message.data for message in server.received] == [message.data for message in messages]


def test_replies_may_have_many_lines_and_end_in_a_bare_line_feed(server: MailServer) -> None:
    server.behaviour.greeting = "220-test.example.org\r\n220-no UBE\r\n220 ESMTP"
    server.behaviour.rcpt = lambda _: "250-2.1.5 fine\n250 2.1.5 ok\n250"[:-4]
    server.behaviour.dot = lambda _: "250-2.0.0 queued\r\n250 as 12"
    desk = send(server, *[outgoing(number) for number in range(3)])
    assert desk.kinds == [SENT] * 3
    assert desk.outcomes[0].text == "2.0.0 queued as 12"


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "reply", "kind"),
    [
        (Stage.MAIL, "552 5.3.4 too large", FAILED),
        (Stage.MAIL, "534 5.3.4 too large", FAILED),
        (Stage.MAIL, "550 5.2.3 too large for you", FAILED),
        (Stage.RCPT, "450 4.2.1 busy", DEFERRED),
        (Stage.RCPT, "550 5.1.1 no such user", FAILED),
        (Stage.DATA, "451 4.3.0 later", DEFERRED),
        (Stage.DATA, "554 5.7.1 no", FAILED),
        (Stage.DOT, "451 4.3.0 later", DEFERRED),
        (Stage.DOT, "550 5.7.1 spam", FAILED),
    ],
)
def test_a_refusal_is_about_its_own_message_only(
    server: MailServer, stage: Stage, reply: str, kind: OutcomeKind
) -> None:
    setattr(server.behaviour, stage.value, thrice(reply, "354 go on" if stage is Stage.DATA else "250 ok"))
    desk = send(server, *[outgoing(number) for number in (1, 2, 3, 4)])
    assert desk.kinds == [SENT, kind, SENT, SENT]
    code, _, text = reply.partition(" ")
    assert desk.outcomes[2] == Outcome(2, kind, int(code), text, stage)
    assert [message.recipient for message in server.received] == [f"p{n}@example.org" for n in (1, 3, 4)]
    assert server.connections == 1
    assert (2 in desk.begun) == (stage is Stage.DOT)


def test_a_server_that_wants_a_body_for_a_refused_recipient_gets_an_empty_one(pipelining: MailServer) -> None:
    pipelining.behaviour.rcpt = thrice("550 5.1.1 no such user")
    pipelining.behaviour.data_for_nobody = "354 go on"
    desk = send(pipelining, outgoing(1), outgoing(2), outgoing(3))
    assert desk.kinds == [SENT, FAILED, SENT]
    assert desk.outcomes[2].stage is Stage.RCPT
    assert pipelining.empty == [b""]
    assert pipelining.connections == 1


def test_a_refused_sender_stops_everything_before_a_body_is_sent(server: MailServer) -> None:
    server.behaviour.mail = lambda _: "553 5.7.1 sender not allowed"
    desk = Desk([outgoing(1), outgoing(2)])
    with pytest.raises(SenderRefused, match=r"553 5\.7\.1 sender not allowed"):
        send_all(server, desk, connections=2)
    assert not desk.begun
    assert not desk.outcomes


def test_a_refused_sender_stops_others_only_after_their_answers_are_in(server: MailServer) -> None:
    server.behaviour.mail = lambda sender: "550 5.7.1 enough" if sender == "refused@example.org" else "250 ok"
    server.behaviour.pause = lambda line: {"RCPT TO:<p0@example.org>": 0.5, "BODY p1@example.org": 1}.get(line, 0)
    refused = [outgoing(number, sender="refused@example.org") for number in range(3, 9)]
    desk = Desk([outgoing(0), outgoing(1), outgoing(2), *refused])
    with pytest.raises(SenderRefused):
        send_all(server, desk, connections=3)
    assert desk.outcomes[1].kind is SENT
    assert not desk.unanswered
    assert 0 not in desk.begun, "begun after the refusal"


# --- what a server does not tell ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ahead", ["drop", "503 5.5.1 out of order", "554 5.5.0 improper pipelining", None, "421 4.5.0 no"]
)
def test_a_server_that_does_not_take_what_is_said_ahead_gets_one_command_at_a_time(
    pipelining: MailServer, ahead: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    pipelining.behaviour.ahead = ahead
    messages = [outgoing(number) for number in range(20)]
    desk = send(pipelining, *messages, timeouts=Timeouts(connect=5, rcpt=0.3))
    assert desk.kinds == [SENT] * 20
    assert pipelining.connections == 2
    assert pipelining.said_ahead == 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "PIPELINING" in caplog.text


@pytest.mark.parametrize("ending", [None, "503 5.5.1 never"])
def test_a_server_that_ends_badly_whatever_is_said_is_not_thought_to_be_slow(
    pipelining: MailServer, ending: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    pipelining.behaviour.rcpt = lambda recipient: ending if recipient == "p0@example.org" else "250 ok"
    desk = Desk([outgoing(number) for number in range(10)])
    if ending is None:
        with pytest.raises(SmtpUnavailable):  # three connections in a row came to nothing
            send_all(pipelining, desk)
        desk.offer_the_rest()
    send_all(pipelining, desk)
    assert desk.kinds == [DEFERRED if ending is None else FAILED] + [SENT] * 9
    assert pipelining.said_ahead >= 10
    assert not caplog.records


@pytest.mark.parametrize("slow", [0, 0.2])  # so that others have said theirs ahead before the first is answered
@pytest.mark.parametrize("ahead", ["drop", "503 5.5.1 out of order", None, "421 4.5.0 no"])
def test_nobody_pays_for_what_several_connections_said_ahead(
    pipelining: MailServer, ahead: str | None, slow: float, caplog: pytest.LogCaptureFixture
) -> None:
    pipelining.behaviour.ahead = ahead
    pipelining.behaviour.pause = lambda line: slow if line.startswith("MAIL") else 0
    messages = [outgoing(number) for number in range(40)]
    desk = send(pipelining, *messages, connections=4, timeouts=Timeouts(connect=5, rcpt=1))
    assert desk.kinds == [SENT] * 40
    assert pipelining.connections <= 8
    assert pipelining.said_ahead <= 8
    assert len(caplog.records) == 1


@pytest.mark.parametrize("place", [0, 30])
@pytest.mark.parametrize("answer", [None, "501 5.1.3 bad syntax"])
def test_a_recipient_whom_a_server_never_takes_casts_no_doubt_on_others(
    pipelining: MailServer, answer: str | None, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    pipelining.behaviour.rcpt = lambda recipient: answer if recipient == f"p{place}@example.org" else "250 ok"
    pipelining.behaviour.pause = lambda _: 0.003
    desk = send(pipelining, *[outgoing(number) for number in range(100)], connections=4)
    assert desk.kinds[place] is (DEFERRED if answer is None else FAILED)
    assert desk.kinds.count(SENT) == 99
    assert pipelining.connections <= 12
    assert not caplog.records


def test_a_server_that_has_shown_that_it_takes_what_is_said_ahead_may_hang_up(pipelining: MailServer) -> None:
    pipelining.behaviour.rcpt = thrice(None)
    assert send(pipelining, *[outgoing(number) for number in range(10)]).kinds == [SENT] * 10
    assert pipelining.said_ahead >= 18


@pytest.mark.parametrize("connections", [1, 3])
def test_a_connection_that_has_had_its_share_is_replaced_and_the_next_one_ends_before(
    server: MailServer, connections: int
) -> None:
    server.behaviour.most_transactions = 5
    desk = send(server, *[outgoing(number) for number in range(75)], connections=connections)
    assert desk.kinds == [SENT] * 75
    assert 1 <= server.turned_away <= connections
    assert server.commands.count("QUIT") >= 75 // 5 - connections


def test_a_limit_is_looked_at_again_after_a_while(server: MailServer) -> None:
    refusals = iter([None, "451 4.3.2 not just now"])
    server.behaviour.mail = lambda _: next(refusals, None) or "250 ok"  # once, by chance, after the first message
    desk = send(server, *[outgoing(number) for number in range(60)])
    assert desk.kinds == [SENT] * 60
    assert server.connections == 21  # one message each, until the twentieth tries another


def test_a_server_that_takes_no_mail_now_keeps_nobody_but_those_who_asked(server: MailServer) -> None:
    server.behaviour.mail = lambda _: "452 4.3.1 full"
    desk = Desk([outgoing(number) for number in range(20)])
    with pytest.raises(SmtpUnavailable, match=r"takes no mail now: 452 4\.3\.1 full"):
        send_all(server, desk)
    assert desk.kinds == [DEFERRED] * 3 + [None] * 17


def test_a_server_that_counts_recipients_of_a_connection_gets_another_connection(server: MailServer) -> None:
    server.behaviour.rcpt = thrice("452 4.5.3 too many recipients")
    assert send(server, *[outgoing(number) for number in range(3)]).kinds == [SENT] * 3
    assert server.connections >= 2


@pytest.mark.parametrize("place", [0, 5])
def test_a_recipient_who_is_always_one_too_many_holds_up_nobody(server: MailServer, place: int) -> None:
    much = f"p{place}@example.org"
    server.behaviour.rcpt = lambda recipient: "452 4.5.3 too many" if recipient == much else "250 ok"
    desk = send(server, *[outgoing(number) for number in range(20)])
    assert desk.kinds == [SENT] * place + [DEFERRED] + [SENT] * (19 - place)
    assert server.connections <= 2


def test_a_server_with_too_many_recipients_is_not_stormed(server: MailServer) -> None:
    server.behaviour.rcpt = lambda _: "452 4.5.3 too many"
    assert send(server, *[outgoing(number) for number in range(40)], connections=2).kinds == [DEFERRED] * 40
    assert server.connections <= 7


def test_after_a_refused_recipient_no_more_is_said_than_must_be(pipelining: MailServer) -> None:
    pipelining.behaviour.rcpt = lambda recipient: "250 ok" if recipient[1:3] in ("1@", "19") else "550 5.1.1 nobody"
    desk = send(pipelining, *[outgoing(number) for number in range(20)])
    assert desk.kinds == [FAILED, SENT, *[FAILED] * 17, SENT]
    words = [line[:4] for line in pipelining.commands]
    # On each of three connections the first refusal shows; DATA is said ahead of no other.
    assert (pipelining.connections, words.count("DATA")) == (3, 5)
    assert words.count("RSET") <= 18


def test_a_connection_on_which_refusals_take_long_is_replaced(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_connection, "_TARPIT_SECONDS", 0)
    server.behaviour.rcpt = lambda recipient: "550 5.1.1 nobody" if recipient[1] in "13" else "250 ok"
    assert send(server, *[outgoing(number) for number in range(5)]).kinds == [SENT, FAILED, SENT, FAILED, SENT]
    assert server.connections == 3


def test_many_refused_recipients_are_spread_over_connections(server: MailServer) -> None:
    server.behaviour.rcpt = lambda _: "550 5.1.1 nobody"
    assert send(server, *[outgoing(number) for number in range(40)], connections=2).kinds == [FAILED] * 40
    assert 5 <= server.connections == server.commands.count("QUIT") <= 6


@pytest.mark.parametrize("silent_at", ["MAIL", "RCPT", "DATA"])
def test_a_silent_server_holds_nothing_that_was_not_begun(server: MailServer, silent_at: str) -> None:
    server.behaviour.pause = lambda line: 600 if line.startswith(silent_at) else 0
    asked = iter(range(1000))
    desk = Desk([outgoing(number) for number in range(10)], is_halted=lambda: next(asked) > 20)
    send_all(server, desk, connections=2)
    assert desk.kinds == [None] * 10
    assert not desk.begun


def test_what_was_begun_is_waited_for_when_all_else_is_let_go(server: MailServer) -> None:
    answered: list[int] = []
    server.behaviour.pause = lambda line: 1.5 if line == "BODY p0@example.org" else 600 if "p1@" in line else 0
    desk = Desk(
        [outgoing(number) for number in range(10)],
        may_begin=lambda _: not desk.begun,
        on_note=lambda outcome: answered.append(outcome.id),
        is_halted=lambda: bool(desk.begun),
    )
    send_all(server, desk, connections=2)
    assert answered == desk.begun == [0]


# --- lost connections -----------------------------------------------------------------------------------------------


def test_a_connection_lost_between_body_and_answer_leaves_that_one_unknown(server: MailServer) -> None:
    server.behaviour.dot = lambda recipient: None if recipient == "p2@example.org" else "250 ok"
    desk = send(server, outgoing(1), outgoing(2), outgoing(3))
    assert desk.kinds == [SENT, UNKNOWN, SENT]
    assert (server.connections, set(server.copies().values())) == (2, {1})


def test_a_connection_lost_within_a_body_leaves_that_one_unknown(server: MailServer) -> None:
    server.behaviour.within_body = lambda recipient: None if recipient == "p2@example.org" else "read on"
    desk = send(server, outgoing(1), outgoing(2, octets=3_000_000), outgoing(3))
    assert desk.kinds == [SENT, UNKNOWN, SENT]
    assert not server.copies()["p2@example.org"]


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA])
@pytest.mark.parametrize("reply", [None, "421 4.3.2 shutting down", "garbage", "250-never\r\n" * 9000])
def test_a_connection_lost_before_the_body_loses_nothing(server: MailServer, stage: Stage, reply: str | None) -> None:
    setattr(server.behaviour, stage.value, thrice(reply, "354 go on" if stage is Stage.DATA else "250 ok"))
    desk = send(server, outgoing(1), outgoing(2), outgoing(3), timeouts=Timeouts(mail=2, rcpt=2, data=2))
    assert desk.kinds == [SENT, SENT, SENT]
    assert server.connections == 2
    assert set(server.copies().values()) == {1}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("421 4.3.2 shutting down", DEFERRED),
        ("250 ok\r\n421 4.3.2 shutting down", SENT),
        ("garbage", UNKNOWN),
        ("354 more?", UNKNOWN),
        ("x" * 100_000, UNKNOWN),
        ("250-never\r\n" * 9000, UNKNOWN),
    ],
)
def test_what_is_said_to_a_body_counts_for_that_body_only(server: MailServer, reply: str, kind: OutcomeKind) -> None:
    server.behaviour.dot = lambda recipient: reply if recipient == "p2@example.org" else "250 ok"
    desk = send(server, outgoing(1), outgoing(2), outgoing(3))
    assert desk.kinds == [SENT, kind, SENT]
    assert server.connections == 2


def test_421_behind_an_invitation_finds_nothing_begun(server: MailServer) -> None:
    server.behaviour.data = thrice("354 go on\r\n421 4.3.2 or rather not", "354 go on")
    desk = send(server, outgoing(1), outgoing(2), outgoing(3))
    assert desk.kinds == [SENT, SENT, SENT]
    assert set(server.copies().values()) == {1}


def test_words_that_nobody_asked_for_end_the_connection(server: MailServer) -> None:
    server.behaviour.dot = lambda recipient: "250 ok\r\n250 what else?" if recipient == "p2@example.org" else "250 ok"
    desk = send(server, outgoing(1), outgoing(2), outgoing(3))
    # Without pipelining the words stand alone; with it they seem to answer the next MAIL, and the last answer is over.
    assert desk.kinds[:2] == [SENT, SENT]
    assert set(server.copies().values()) == {1}


@pytest.mark.parametrize(("reply", "kind"), [("552 5.3.4 too large", FAILED), ("250 taken", UNKNOWN)])
def test_an_answer_before_the_end_of_a_body_counts_if_it_is_a_refusal(
    pipelining: MailServer, reply: str, kind: OutcomeKind
) -> None:
    pipelining.behaviour.read_ahead = 2**14
    pipelining.behaviour.within_body = lambda recipient: reply if recipient == "p2@example.org" else "read on"
    desk = send(pipelining, outgoing(1), outgoing(2, octets=20_000_000), outgoing(3))
    assert desk.kinds == [SENT, kind, SENT]
    assert not pipelining.copies()["p2@example.org"]


def test_a_recipient_at_whom_the_server_always_hangs_up_does_not_hold_up_the_others(server: MailServer) -> None:
    server.behaviour.rcpt = lambda recipient: "421 4.7.0 go away" if recipient == "p2@example.org" else "250 ok"
    desk = send(server, *[outgoing(number) for number in range(1, 10)])
    assert desk.kinds == [SENT, DEFERRED] + [SENT] * 7
    assert (desk.outcomes[2].stage, desk.outcomes[2].text) == (Stage.RCPT, "421 4.7.0 go away")


def test_a_server_that_ends_each_connection_after_a_few_messages_is_served_without_a_pause(server: MailServer) -> None:
    asked = iter(range(1000))
    server.behaviour.mail = lambda _: "421 4.7.0 enough for now" if next(asked) % 3 == 2 else "250 ok"
    # A pause after each would double from one to the next, and soon be taken for a server that cannot be reached.
    assert send(server, *[outgoing(number) for number in range(40)]).kinds == [SENT] * 40
    assert server.connections == 20


# --- no server ------------------------------------------------------------------------------------------------------


def test_no_server_is_said_with_the_setting_to_check() -> None:
    with running() as state:
        pass
    desk = Desk([outgoing(1)])
    with pytest.raises(SmtpUnavailable, match="MAILER_SMTP_URL") as caught:
        send_all(state, desk)
    assert caught.value.exit_code == 3
    assert not desk.begun


@pytest.mark.parametrize("greeting", ["421 4.3.2 back soon", "554 5.7.1 not you", "hello"])
def test_a_server_that_does_not_greet_is_unavailable(server: MailServer, greeting: str) -> None:
    server.behaviour.greeting = greeting
    with pytest.raises(SmtpUnavailable, match=greeting):
        send(server, outgoing(1), connections=4)
    assert server.connections == (1 if greeting.startswith("5") else 3)


def test_a_server_that_goes_away_in_mid_campaign_has_answered_for_what_was_begun(server: MailServer) -> None:
    def note(_: Outcome) -> None:
        server.behaviour.greeting = "421 4.3.2 shutting down"
        server.behaviour.mail = lambda _: "421 4.3.2 shutting down"

    server.behaviour.delay = 0.05
    desk = Desk([outgoing(number) for number in range(50)], on_note=note)
    with pytest.raises(SmtpUnavailable, match="shutting down"):
        send_all(server, desk, connections=3)
    assert not desk.unanswered
    assert {SENT, None} == set(desk.kinds)
    assert len(server.received) == desk.kinds.count(SENT)


def test_a_server_with_few_connections_is_used_with_those(server: MailServer) -> None:
    server.behaviour.most_connections = 2
    server.behaviour.delay = 0.01
    assert send(server, *[outgoing(number) for number in range(60)], connections=8).kinds == [SENT] * 60


# --- time-outs ------------------------------------------------------------------------------------------------------


def test_an_answer_that_does_not_come_in_time_is_unknown_and_holds_up_nobody(server: MailServer) -> None:
    server.behaviour.pause = lambda line: 60 if line == "BODY p0@example.org" else 0
    desk = send(server, *[outgoing(number) for number in range(20)], connections=2, timeouts=Timeouts(dot=0.3))
    assert desk.kinds == [UNKNOWN] + [SENT] * 19


def test_one_stalled_connection_does_not_stall_the_others(server: MailServer) -> None:
    server.behaviour.pause = lambda line: 1.5 if line.upper().startswith("RCPT TO:<P0@") else 0
    noted: list[int] = []
    desk = Desk([outgoing(n) for n in range(30)], on_note=lambda outcome: noted.append(outcome.id))
    send_all(server, desk, connections=2)
    assert desk.kinds == [SENT] * 30
    assert noted.index(0) >= 28


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_command_without_an_answer_loses_nothing(server: MailServer, command: str) -> None:
    server.behaviour.pause = lambda line: 60 if line.upper().startswith(command) and server.connections == 1 else 0
    desk = send(server, outgoing(1), outgoing(2), timeouts=Timeouts(mail=0.2, rcpt=0.2, data=0.2))
    assert desk.kinds == [SENT, SENT]
    assert set(server.copies().values()) == {1}


def test_a_server_that_takes_no_more_of_a_body_is_given_up(pipelining: MailServer) -> None:
    pipelining.behaviour.pause = lambda line: 60 if line.startswith("BODY") and pipelining.connections == 1 else 0
    pipelining.behaviour.read_ahead = 2**14
    messages = [outgoing(1, octets=20_000_000), outgoing(2)]
    assert send(pipelining, *messages, timeouts=Timeouts(block=0.3)).kinds == [UNKNOWN, SENT]


def test_a_server_that_does_not_greet_in_time_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = Server("127.0.0.1", silent.getsockname()[1])
        with pytest.raises(SmtpUnavailable, match="in time"):
            Pipeline(server, timeouts=Timeouts(connect=0.1)).send(Desk([outgoing(1)]))


def test_a_server_that_does_not_greet_is_waited_for_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            waits.append(timeout)
            return super().select(timeout)

    def refuse_one() -> None:
        conversation, _ = listening.accept()
        conversation.sendall(b"421 4.3.2 back soon\r\n")
        conversation.close()

    waits: list[float | None] = []
    monkeypatch.setattr("mailer.mail.pipeline.DefaultSelector", Counting)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=refuse_one)
        thread.start()
        server = Server("127.0.0.1", listening.getsockname()[1])
        with pytest.raises(SmtpUnavailable, match="in time"):
            Pipeline(server, timeouts=Timeouts(connect=0.5)).send(Desk([outgoing(1)]))
        thread.join()
    assert len(waits) < 50


# --- withdrawn and stopped ------------------------------------------------------------------------------------------


def test_a_withdrawn_message_is_not_sent_and_has_no_outcome(server: MailServer) -> None:
    desk = Desk([outgoing(number) for number in range(10)], may_begin=lambda message: message.id in (5, 6, 8))
    send_all(server, desk)
    assert [number for number, kind in enumerate(desk.kinds) if kind is SENT] == [5, 6, 8]
    assert desk.kinds.count(None) == 7
    assert len(server.received) == 3


def test_a_wish_to_stop_ends_what_was_begun_and_begins_nothing(server: MailServer) -> None:
    class Stopping(Desk):
        stopped = False

        def take(self, *, wait: bool) -> Outgoing | None:
            return None if self.stopped else super().take(wait=wait)

        @property
        def exhausted(self) -> bool:
            return self.stopped or super().exhausted

    desk = Stopping([outgoing(number) for number in range(1000)], may_begin=lambda _: not desk.stopped)
    desk.on_note = lambda _: setattr(desk, "stopped", len(desk.outcomes) >= 10)
    server.behaviour.delay = 0.02
    send_all(server, desk, connections=4)
    assert not desk.unanswered
    assert len(desk.begun) == len(server.received) < 20


def test_a_supply_that_raises_leaves_no_connection_in_the_middle_of_a_message(server: MailServer) -> None:
    def fail(message: Outgoing) -> bool:
        if message.id == 5:
            raise OSError("the disk is full")
        return True

    pipeline = Pipeline(Server("127.0.0.1", server.port))
    with pytest.raises(OSError, match="the disk is full"):
        pipeline.send(Desk([outgoing(number) for number in range(10)], may_begin=fail))
    desk = Desk([outgoing(20)])
    pipeline.send(desk)
    pipeline.close()
    assert desk.kinds == [SENT]
    assert set(server.copies().values()) == {1}


def test_a_supply_that_cannot_note_a_lost_connection_says_so_itself(server: MailServer) -> None:
    def fail(outcome: Outcome) -> None:
        raise OSError("the disk is full")

    server.behaviour.dot = lambda _: None
    with pytest.raises(OSError, match="the disk is full"):
        send_all(server, Desk([outgoing(1)], on_note=fail))


# --- any misfortune -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_server_does_nothing_is_lost_or_doubled(server: MailServer, seed: int) -> None:
    chance = random.Random(seed)
    hang_ups = Counter[str]()
    lock = threading.Lock()

    def whim(good: str, *, at: str, taken: bool = False) -> Callable[[str], str | None]:
        def answer(_: str) -> str | None:
            with lock:
                reply = chance.choices(
                    [good, None, "421 4.3.2 bye", "451 4.3.0 later", "550 5.7.1 no", "nonsense", good + "\r\n421 bye"],
                    [90, 2, 1, 3, 3, 1, 1],
                )[0]
                if at == "mail" and reply is not None and reply.startswith("550"):
                    reply = "450 4.1.8 later"
                hang_ups[at] += reply is None or reply == "nonsense"
                return reply

        return answer

    server.behaviour.mail = whim("250 ok", at="mail")
    server.behaviour.rcpt = whim("250 ok", at="rcpt")
    server.behaviour.data = whim("354 go on", at="data")
    server.behaviour.dot = whim("250 ok", at="dot")
    in_body = whim("read on", at="dot")
    server.behaviour.within_body = lambda recipient: (
        reply if (reply := in_body(recipient)) in (None, "451 4.3.0 later") else "read on"
    )
    server.behaviour.pause = lambda _: chance.choice((0, 0, 0, 0.001))
    desk = Desk(
        [outgoing(number, octets=chance.choice((0, 11_000, 300_000))) for number in range(150)],
        may_begin=lambda message: message.id % 20 != 7,
    )
    while True:
        try:
            send_all(server, desk, connections=3)
            break
        except SmtpUnavailable:  # three connections in a row came to nothing
            assert not desk.unanswered
            desk.offer_the_rest()

    copies = server.copies()
    for message in desk.messages:
        outcome, received = desk.outcomes.get(message.id), copies[message.recipient]
        assert received <= 1, "received twice"
        if outcome is None:
            assert message.id % 20 == 7
            assert not received
        elif outcome.kind is SENT:
            assert received == 1
        elif outcome.kind is not UNKNOWN:
            assert not received
    assert not desk.unanswered
    assert desk.kinds.count(UNKNOWN) <= hang_ups["dot"]
    assert desk.most_unanswered <= 3
