"""The mail catcher, in a process of its own, spoken to over real SMTP."""

import multiprocessing
import os
import resource
import signal
import smtplib
import socket
import stat
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from mailer.trial import catcher
from mailer.trial.catcher import CaughtMessage

MESSAGE = b"Subject: Free them\r\n\r\nWrite today.\r\n"


def _serve(maildir: Path, ready: Connection) -> None:
    catcher.serve(maildir, on_ready=ready.send)


class Catcher:
    """A running catcher and what it kept."""

    def __init__(self, maildir: Path) -> None:
        self.maildir = maildir
        ours, theirs = multiprocessing.Pipe(duplex=False)
        self.process: BaseProcess = multiprocessing.get_context("spawn").Process(target=_serve, args=(maildir, theirs))
        self.process.start()
        theirs.close()
        self.port: int = ours.recv()
        ours.close()

    def connect(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=10)

    def caught(self) -> list[CaughtMessage]:
        return list(catcher.read(self.maildir))

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """Stop it; its exit code."""
        assert self.process.pid
        os.kill(self.process.pid, number)
        self.process.join(10)
        return self.process.exitcode


@pytest.fixture(scope="module")
def shared_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catcher]:
    running = Catcher(tmp_path_factory.mktemp("catcher") / "caught")
    yield running
    running.stop()


@pytest.fixture
def running(shared_process: Catcher) -> Catcher:
    for message in shared_process.caught():
        message.path.unlink()
    return shared_process


def _dialogue(port: int, *, before_data: bytes, body: bytes) -> list[bytes]:
    """Speak raw SMTP: everything up to DATA in one write, then the body. The replies to what came after EHLO."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as replies:
        replies.readline()
        connection.sendall(b"EHLO here\r\n")
        while replies.readline()[3:4] == b"-":
            pass
        connection.sendall(before_data)
        heard = [replies.readline() for _ in range(before_data.count(b"\r\n"))]
        connection.sendall(body + b"QUIT\r\n")
        return heard + replies.readlines()


def _transaction(recipient: bytes) -> bytes:
    return b"MAIL FROM:<alerts@example.org>\r\nRCPT TO:<" + recipient + b">\r\nDATA\r\n"


def test_a_message_is_kept_with_its_envelope(running: Catcher) -> None:
    with running.connect() as smtp:
        smtp.sendmail("bounce+7@example.org", ["amelie@example.net"], MESSAGE)
    (message,) = running.caught()
    assert (message.sender, message.recipient) == ("bounce+7@example.org", "amelie@example.net")
    assert message.data == MESSAGE
    assert message.message["Subject"] == "Free them"
    assert message.path.read_bytes().startswith(
        b"Return-Path: <bounce+7@example.org>\r\nDelivered-To: amelie@example.net\r\nSubject:"
    )


def test_each_recipient_gets_a_copy(running: Catcher) -> None:
    with running.connect() as smtp:
        smtp.sendmail("a@example.org", ["one@example.net", "two@example.net"], MESSAGE)
    assert [message.recipient for message in running.caught()] == ["one@example.net", "two@example.net"]


def test_a_message_without_sender_is_kept(running: Catcher) -> None:
    with running.connect() as smtp:
        smtp.sendmail("", ["one@example.net"], MESSAGE)
    assert [message.sender for message in running.caught()] == [""]


def test_an_address_in_any_script_is_kept(running: Catcher) -> None:
    with running.connect() as smtp:
        smtp.ehlo()
        smtp.sendmail("a@example.org", ["вера@почта.example.org"], MESSAGE, mail_options=["SMTPUTF8"])
    assert [message.recipient for message in running.caught()] == ["вера@почта.example.org"]


def test_it_offers_what_it_honours_and_no_more(running: Catcher) -> None:
    with running.connect() as smtp:
        smtp.ehlo()
        assert set(smtp.esmtp_features) == {"size", "8bitmime", "smtputf8", "pipelining", "help"}
        assert smtp.esmtp_features["size"] == str(25 * 1024 * 1024)


def test_pipelined_commands_are_answered_in_order(running: Catcher) -> None:
    """RFC 2920: a body may share a write with the commands of the next message."""
    body = MESSAGE + b".\r\n"
    replies = _dialogue(
        running.port,
        before_data=b"NOOP\r\n" + _transaction(b"one@example.net"),
        body=body + _transaction(b"two@example.net") + body,
    )
    codes = [reply[:3] for reply in replies]
    assert codes == [b"250", b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert [(m.recipient, m.data) for m in running.caught()] == [
        ("one@example.net", MESSAGE),
        ("two@example.net", MESSAGE),
    ]


@pytest.mark.parametrize(
    ("on_the_wire", "kept"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"one\r\n.\r\n", b"one\r\n"),
        (b"Stop.\r\n..\r\n.. .\r\n...\r\n.\r\n", b"Stop.\r\n.\r\n. .\r\n..\r\n"),
        (b"A: b\r\n\r\n" + b"x" * 996 + b".\r\n" * 3, None),
        (b"A: b\r\n\r\n" + b"x" * 998 + b"\r\n.\r\n", b"A: b\r\n\r\n" + b"x" * 998 + b"\r\n"),
        (b"line=\r\n" * 20_000 + b".\r\n", b"line=\r\n" * 20_000),
    ],
)
def test_a_body_is_kept_as_it_was_meant(running: Catcher, on_the_wire: bytes, kept: bytes | None) -> None:
    if kept is None:
        kept, on_the_wire = on_the_wire, on_the_wire.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    assert _dialogue(running.port, before_data=_transaction(b"one@example.net"), body=on_the_wire)[3][:3] == b"250"
    assert [message.data for message in running.caught()] == [kept]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"a\nb\r\n.\r\n", b"554"),
        (b"a\rb\r\n.\r\n", b"554"),
        (b"a\n.\r\nb\r\n.\r\n", b"554"),
        (b"x" * 999 + b"\r\n.\r\n", b"554"),
        (b"x" * 200_000 + b"\r\n.\r\n", b"554"),
        (b"0123456789abcdef" * 61 + b"\r\n.\r\n", b"250"),
        ((b"y" * 998 + b"\r\n") * (26 * 1024) + b".\r\n", b"552"),
    ],
)
def test_a_message_that_no_server_must_accept_is_refused_whole(running: Catcher, body: bytes, code: bytes) -> None:
    replies = _dialogue(running.port, before_data=_transaction(b"one@example.net"), body=body)
    assert [reply[:3] for reply in replies[3:]] == [code, b"221"]
    assert len(running.caught()) == (code == b"250")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"RCPT TO:<one@example.net>\r\n", b"503"),
        (b"DATA\r\n", b"503"),
        (b"MAIL FROM:a@example.org\r\n", b"553"),
        (b"MAIL FROM:<a\rX-Evil: 1@example.org>\r\n", b"553"),
        (b"MAIL FROM:<a@example.org> RET=HDRS\r\n", b"555"),
        (b"MAIL FROM:<a@example.org> SIZE=99999999\r\n", b"552"),
    ],
)
def test_a_command_out_of_order_or_form_is_refused(running: Catcher, command: bytes, code: bytes) -> None:
    assert _dialogue(running.port, before_data=command, body=b"")[0][:3] == code


def test_only_the_owner_can_read_caught_mail(running: Catcher) -> None:
    with running.connect() as smtp:
        smtp.sendmail("a@example.org", ["one@example.net"], MESSAGE)
    (message,) = running.caught()
    assert stat.S_IMODE(message.path.stat().st_mode) == 0o600
    for folder in (running.maildir, *running.maildir.iterdir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_mail_that_the_disk_has_no_room_for_is_put_off_and_leaves_nothing(running: Catcher) -> None:
    assert running.process.pid
    unlimited = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    with running.connect() as smtp:
        with pytest.raises(smtplib.SMTPDataError, match=r"452.*4\.3\.1"):
            smtp.sendmail("a@example.org", ["one@example.net", "two@example.net"], MESSAGE * 100)
        assert list((running.maildir / "tmp").iterdir()) == []
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, unlimited)
        smtp.sendmail("a@example.org", ["three@example.net"], MESSAGE * 100)
    assert [message.recipient for message in running.caught()] == ["three@example.net"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_asked_and_keeps_what_it_had(tmp_path: Path, number: int) -> None:
    running = Catcher(tmp_path / "caught")
    with running.connect() as smtp:
        smtp.sendmail("a@example.org", ["one@example.net"], MESSAGE)
        assert running.stop(number) == 0
    assert [message.recipient for message in running.caught()] == ["one@example.net"]


def test_mail_from_before_a_restart_comes_first(tmp_path: Path) -> None:
    for recipient in ("first@example.net", "second@example.net"):
        running = Catcher(tmp_path / "caught")
        with running.connect() as smtp:
            smtp.sendmail("a@example.org", [recipient], MESSAGE)
        running.stop()
    assert [message.recipient for message in running.caught()] == ["first@example.net", "second@example.net"]


def test_messages_that_a_mail_program_has_opened_still_count(running: Catcher) -> None:
    with running.connect() as smtp:
        smtp.sendmail("a@example.org", ["one@example.net"], MESSAGE)
    path = running.caught()[0].path
    opened = path.rename(running.maildir / "cur" / f"{path.name}:2,S")
    assert [message.path for message in running.caught()] == [opened]


def test_where_nothing_was_caught_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert list(catcher.read(tmp_path / "none")) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "mail.example.org", "::", ""])
def test_it_never_listens_where_others_could_reach_it(tmp_path: Path, host: str) -> None:
    with pytest.raises(catcher.NotOnLoopback, match=r"127\.0\.0\.1"):
        catcher.serve(tmp_path, host=host, on_ready=lambda _port: None)


def test_a_port_in_use_is_said_so(tmp_path: Path, running: Catcher) -> None:
    with pytest.raises(catcher.CannotListen, match=f"port {running.port}: Address already in use"):
        catcher.serve(tmp_path, port=running.port, on_ready=lambda _port: None)


def test_a_directory_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(catcher.CannotKeepMail, match="Not a directory"):
        catcher.serve(tmp_path / "file" / "caught", on_ready=lambda _port: None)
