"""The listener, spoken to over real LMTP and SMTP: what is answered is true, whatever a client does."""

import json
import smtplib
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from mailer.mail import smtp_listening
from mailer.mail.smtp import Place
from mailer.mail.smtp_conversation import Patience
from mailer.mail.smtp_listening import CannotListen
from mailer.mail.smtp_taking import LARGEST_MESSAGE, MOST_RECIPIENTS, Dialect
from tests.support.listening import READS, Inbox, Listener, Taken
from tests.support.waiting import wait_until

LMTP, SMTP = Dialect.LMTP, Dialect.SMTP
ANA = "ana@in.example.org"
MESSAGE = b"Subject: undelivered\r\n\r\nNo such user.\r\n"
BOTH = {LMTP: Place(), SMTP: Place()}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    listener = Listener(tmp_path_factory.mktemp("listener"), BOTH)
    yield listener
    assert listener.stop() == 0


@pytest.fixture
def listener(shared: Listener) -> Iterator[Listener]:
    yield shared
    (shared.folder / "taken").unlink(missing_ok=True)
    (shared.folder / "later").unlink(missing_ok=True)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Listener]]:
    """Starts a listener of the test's own."""
    started: list[Listener] = []

    def start(places: dict[Dialect, Place] | None = None, **patience: float) -> Listener:
        started.append(Listener(tmp_path, places or BOTH, Patience(**patience)))  # type: ignore[arg-type]  # numbers
        return started[-1]

    yield start
    for listener in started:
        listener.stop()


def client(listener: Listener, dialect: Dialect) -> smtplib.SMTP:
    place = listener.places[dialect]
    kind = smtplib.LMTP if dialect is LMTP else smtplib.SMTP
    return kind(place.host, place.port, timeout=60)


class Raw:
    """Speaks byte by byte, where smtplib would not."""

    def __init__(self, connection: socket.socket, replies: BinaryIO) -> None:
        self.connection, self._replies = connection, replies

    def hear(self) -> str:
        """The next line, "" at the end."""
        return self._replies.readline().decode().rstrip("\r\n")

    def say(self, *commands: str) -> list[str]:
        """Say all at once; the answers, a line each."""
        self.connection.sendall("".join(f"{command}\r\n" for command in commands).encode())
        return [self.hear() for _ in commands]

    def begin(self, dialect: Dialect, *recipients: str, sender: str = "") -> None:
        """All up to DATA."""
        self.connection.sendall(b"LHLO here\r\n" if dialect is LMTP else b"EHLO here\r\n")
        while self.hear()[3:4] == "-":
            pass
        envelope = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)]
        assert {answer[:3] for answer in self.say(*envelope)} == {"250"}
        assert self.say("DATA")[0].startswith("354")


@contextmanager
def raw(listener: Listener, dialect: Dialect) -> Iterator[Raw]:
    place = listener.places[dialect]
    with (
        socket.create_connection((place.host, place.port), timeout=60) as connection,
        connection.makefile("rb") as replies,
    ):
        spoken = Raw(connection, replies)
        assert spoken.hear().startswith("220 in.example.org ")
        yield spoken


# --- what is taken --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [LMTP, SMTP])
def test_a_message_to_an_address_of_ours_is_taken_with_its_envelope(listener: Listener, dialect: Dialect) -> None:
    with client(listener, dialect) as connection:
        assert connection.sendmail("mx@example.net", [ANA], MESSAGE) == {}
        assert connection.sendmail("", [ANA.upper().replace("IN.EXAMPLE.ORG", "in.example.org")], MESSAGE) == {}
    assert listener.taken() == [
        Taken(ANA, "mx@example.net", dialect.value, MESSAGE),
        Taken("ANA@in.example.org", "", dialect.value, MESSAGE),
    ]


STRANGERS = pytest.mark.parametrize(
    "recipient", ["ana@example.org", "", "ana", '"ana@in.example.org"@example.net', "ána@x.example"]
)


@STRANGERS
def test_nobody_else_gets_mail_through_us(listener: Listener, recipient: str) -> None:
    with client(listener, SMTP) as connection:
        connection.ehlo()
        connection.mail("", ["SMTPUTF8"])
        code, words = connection.docmd(f"RCPT TO:<{recipient}>")
        assert (code, words[:5]) == (550, b"5.1.1")
        assert connection.docmd("DATA")[0] == 503
    assert listener.taken() == []
    assert [word for word in ("@", "RCPT") if word in listener.log()] == []


@STRANGERS
@pytest.mark.parametrize("sender", ["eve@example.net", '"<e>\tve"@example.net'])
def test_over_lmtp_our_own_mail_server_sends_nothing_back_to_a_stranger(
    listener: Listener, recipient: str, sender: str
) -> None:
    with raw(listener, LMTP) as spoken:
        spoken.begin(LMTP, recipient, ANA, '"<a>\tb"@example.org', sender=sender)
        spoken.connection.sendall(MESSAGE + b".\r\n")
        answers = [spoken.hear() for _ in range(3)]
    assert [answer[:13] for answer in answers] == ["250 2.0.0 Dro", "250 2.0.0 Tak", "250 2.0.0 Dro"]
    assert [each.recipient for each in listener.taken()] == [ANA]
    assert answers[0].split()[4].rstrip(",") in listener.log()
    assert "@" not in listener.log()


def test_what_was_dropped_is_said_with_what_to_do_but_not_each_time(start: Callable[..., Listener]) -> None:
    listener = start()
    with client(listener, LMTP) as connection:
        for _ in range(3):
            assert connection.sendmail("", ["nobody@example.org"], MESSAGE) == {}
    assert listener.stop() == 0
    said = [json.loads(line) for line in listener.log().splitlines() if "let the mail server refuse" in line]
    assert [(each["not_ours"], each["too_large"]) for each in said] == [(1, 0), (2, 0)]


def test_the_others_of_a_message_get_it_where_one_recipient_is_refused(listener: Listener) -> None:
    with client(listener, SMTP) as connection:
        refused = connection.sendmail("", ["nobody@example.org", ANA], MESSAGE)
    assert {recipient: code for recipient, (code, _) in refused.items()} == {"nobody@example.org": 550}
    assert [each.recipient for each in listener.taken()] == [ANA]


def test_what_is_written_arrives_as_it_is(listener: Listener) -> None:
    texts = [b"..\r\n.a\r\n", b"a\nb\rc\r\n", b"\xff\xe9\r\n", b"x" * 3000 + b"\r\n", b"\r\n", b""]
    for text in texts:
        with raw(listener, LMTP) as spoken:
            spoken.begin(LMTP, ANA)
            stuffed = (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:]
            spoken.connection.sendall(stuffed + b".\r\n")
            assert spoken.hear().startswith("250 2.0.0 Taken as ")
    assert [each.message for each in listener.taken()] == texts


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n"])
def test_no_second_message_hides_in_one(listener: Listener, end: bytes) -> None:
    text = b"a" + end + b"MAIL FROM:<>\r\nRCPT TO:<eve@in.example.org>\r\nDATA\r\nb\r\n"
    with raw(listener, SMTP) as spoken:
        spoken.begin(SMTP, ANA)
        spoken.connection.sendall(text + b".\r\n")
        assert spoken.hear().startswith("250")
        assert spoken.say("QUIT")[0].startswith("221")
    assert [each.recipient for each in listener.taken()] == [ANA]


def test_international_addresses_and_eight_bits_are_taken(listener: Listener) -> None:
    with client(listener, SMTP) as connection:
        connection.ehlo()
        offered = connection.esmtp_features
        assert offered.keys() >= {"8bitmime", "smtputf8", "pipelining", "enhancedstatuscodes", "size"}
        assert not offered.keys() & {"auth", "starttls", "dsn", "chunking"}
        options = ["SMTPUTF8", "BODY=8BITMIME"]
        assert connection.sendmail("józef@example.net", ["ána@in.example.org"], "é".encode(), options) == {}
    assert [(each.recipient, each.sender) for each in listener.taken()] == [("ána@in.example.org", "józef@example.net")]


def test_of_a_huge_message_the_beginning_is_kept_and_the_rest_read(listener: Listener) -> None:
    with client(listener, LMTP) as connection:
        assert connection.sendmail("", [ANA], b"x" * 100_000) == {}
    assert [each.message for each in listener.taken()] == [b"x" * READS]


@pytest.mark.parametrize(("dialect", "answers"), [(LMTP, ["250 2.0.0 Dropped"] * 2), (SMTP, ["552 5.3.4 Larger "])])
def test_what_is_too_large_is_read_to_its_end(listener: Listener, dialect: Dialect, answers: list[str]) -> None:
    with raw(listener, dialect) as spoken:
        spoken.begin(dialect, ANA, "eve@in.example.org")
        piece = b"x" * 2**20 + b"\r\n"
        for _ in range(LARGEST_MESSAGE // 2**20 + 1):
            spoken.connection.sendall(piece)
        spoken.connection.sendall(b".\r\n")
        assert [spoken.hear()[:17] for _ in answers] == answers
        assert spoken.say("QUIT")[0].startswith("221")
    assert listener.taken() == []


@pytest.mark.parametrize(("dialect", "limit", "answer"), [(LMTP, "", 250), (SMTP, str(LARGEST_MESSAGE), 552)])
def test_only_over_smtp_a_message_that_is_announced_as_too_large_is_refused(
    listener: Listener, dialect: Dialect, limit: str, answer: int
) -> None:
    with client(listener, dialect) as connection:
        connection.ehlo()
        assert connection.esmtp_features["size"] == limit
        assert connection.docmd(f"MAIL FROM:<> SIZE={LARGEST_MESSAGE + 1}")[0] == answer


def test_there_is_a_limit_to_the_recipients_of_a_message(listener: Listener) -> None:
    with client(listener, SMTP) as connection:
        connection.ehlo()
        connection.mail("")
        codes = [connection.rcpt(f"a{number}@in.example.org")[0] for number in range(MOST_RECIPIENTS + 1)]
    assert codes == [250] * MOST_RECIPIENTS + [452]


def test_commands_may_come_ahead_of_their_answers(listener: Listener) -> None:
    with raw(listener, LMTP) as spoken:
        spoken.connection.sendall(b"LHLO here\r\n")
        while spoken.hear()[3:4] == "-":
            pass
        answers = spoken.say("MAIL FROM:<>", "RCPT TO:<a@example.org>", f"RCPT TO:<{ANA}>", "DATA")
        assert [answer[:3] for answer in answers] == ["250", "250", "250", "354"]
        spoken.connection.sendall(MESSAGE + b".\r\nNOOP\r\nQUIT\r\n")
        assert [spoken.hear()[:3] for _ in range(4)] == ["250", "250", "250", "221"]


@pytest.mark.parametrize(
    ("dialect", "command", "answer"),
    [
        (LMTP, "EHLO here", "500"),
        (LMTP, "HELO here", "500"),
        (SMTP, "LHLO here", "500"),
        (SMTP, "MAIL FROM:<>", "503"),
        (SMTP, "VRFY ana", "252"),
        (SMTP, "EXPN ana", "502"),
        (SMTP, "DATA", "503"),
        (SMTP, "GET / HTTP/1.1", "500"),
        (SMTP, "x" * 200_000, "500"),
    ],
)
def test_what_makes_no_sense_is_answered(listener: Listener, dialect: Dialect, command: str, answer: str) -> None:
    with raw(listener, dialect) as spoken:
        assert spoken.say(command)[0][:3] == answer
        assert spoken.say("QUIT")[0].startswith("221")


# --- what cannot be taken now ---------------------------------------------------------------------------------------


def test_over_lmtp_each_recipient_is_answered_for(listener: Listener) -> None:
    (listener.folder / "later").touch()
    with raw(listener, LMTP) as spoken:
        spoken.begin(LMTP, ANA, "later@in.example.org", "eve@in.example.org")
        spoken.connection.sendall(MESSAGE + b".\r\n")
        assert [spoken.hear()[:3] for _ in range(3)] == ["250", "451", "250"]
        assert spoken.say("NOOP")[0].startswith("250")
    assert [each.recipient for each in listener.taken()] == [ANA, "eve@in.example.org"]


def test_over_smtp_a_message_is_taken_for_all_or_comes_again(listener: Listener) -> None:
    (listener.folder / "later").touch()
    recipients = [ANA, "later@in.example.org"]
    with client(listener, SMTP) as connection:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            connection.sendmail("", recipients, MESSAGE)
        assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (451, b"4.3.0")
        (listener.folder / "later").unlink()
        assert connection.sendmail("", recipients, MESSAGE) == {}
    assert {each.recipient for each in listener.taken()} == set(recipients)


def test_a_mistake_of_ours_sends_no_message_back(listener: Listener) -> None:
    with client(listener, LMTP) as connection:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            connection.sendmail("", ["broken@in.example.org"], MESSAGE)
        assert refused.value.smtp_code == 451
    assert "a message could not be taken in" in listener.log()
    assert "@" not in listener.log()


# --- who comes in, and for how long ---------------------------------------------------------------------------------


def test_there_is_room_for_so_many_connections(start: Callable[..., Listener]) -> None:
    listener = start(connections=2)
    with client(listener, SMTP), client(listener, LMTP) as second:
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            client(listener, SMTP)
        assert refused.value.smtp_code == 421
        assert second.noop()[0] == 250
        second.quit()
        with client(listener, SMTP) as third:
            assert third.sendmail("", [ANA], MESSAGE) == {}
    assert "too many connections" in listener.log()


def test_who_says_nothing_or_too_little_is_sent_away(start: Callable[..., Listener]) -> None:
    listener = start(idle_seconds=0.5, message_seconds=1.5)
    with raw(listener, SMTP) as silent:
        assert silent.hear() == ""
    with raw(listener, LMTP) as slow:
        slow.begin(LMTP, ANA)
        heard = b""
        slow.connection.settimeout(0.2)
        while not heard:
            slow.connection.sendall(b"x\r\n")
            try:
                heard = slow.connection.recv(100)
            except TimeoutError:
                continue
        assert heard.startswith(b"421 4.4.2")
    assert listener.taken() == []


def test_nobody_stays_for_ever(start: Callable[..., Listener]) -> None:
    listener = start(connection_seconds=1)
    with raw(listener, SMTP) as spoken:
        assert spoken.say("NOOP")[0].startswith("250")
        assert spoken.hear().startswith("421 4.3.2")
        assert spoken.hear() == ""


_HELP = b"LHLO here\r\n" + b"HELP\r\n" * 15_000
_MAIL = b"MAIL FROM:<>\r\n" + b"RCPT TO:<x@y>\r\n" * MOST_RECIPIENTS + b"DATA\r\n.\r\n"  # most is said at its end


@pytest.mark.parametrize("patience", [{"idle_seconds": 0.5}, {"connection_seconds": 1}], ids=str)
@pytest.mark.parametrize("said", [_HELP, b"LHLO here\r\n" + _MAIL * 50], ids=["commands", "messages"])
def test_who_does_not_read_the_answers_is_sent_away_too(
    start: Callable[..., Listener], tmp_path: Path, said: bytes, patience: dict[str, float]
) -> None:
    path = str(tmp_path / "s")  # nothing takes up more answers there than a page or two of the kernel's
    start({LMTP: Place(path=Path(path))}, connections=1, farewell_seconds=0.2, **patience)

    def can_come_in() -> bool:
        try:
            smtplib.LMTP(path).quit()
        except smtplib.SMTPConnectError:
            return False
        return True

    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(path)
        with suppress(OSError):  # it may be sent away before it has said all
            deaf.settimeout(60)
            deaf.sendall(said)
        wait_until(can_come_in)


# --- its end --------------------------------------------------------------------------------------------------------


def test_a_message_that_is_coming_in_is_taken_before_it_stops(start: Callable[..., Listener]) -> None:
    listener = start()
    with raw(listener, LMTP) as busy, raw(listener, SMTP) as idle, raw(listener, LMTP) as held:
        held.begin(LMTP, "held@in.example.org")
        held.connection.sendall(MESSAGE + b".\r\n")
        wait_until((listener.folder / "is-held").exists)
        busy.begin(LMTP, ANA)
        busy.connection.sendall(MESSAGE)
        listener.tell_to_stop()
        assert idle.hear().startswith("421 4.3.2")
        with pytest.raises(OSError), client(listener, SMTP):  # nobody new comes in
            pass
        busy.connection.sendall(b".\r\n")
        (listener.folder / "held").touch()
        for spoken in (busy, held):
            assert spoken.hear().startswith("250")
            assert spoken.hear().startswith("421 4.3.2")
    assert listener.wait() == 0
    assert sorted(each.recipient for each in listener.taken()) == [ANA, "held@in.example.org"]


# --- where it listens -----------------------------------------------------------------------------------------------


def test_a_socket_in_the_file_system_is_for_its_owner_and_a_group(
    start: Callable[..., Listener], tmp_path: Path
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))  # as after kill -9
    listener = start({LMTP: Place(path=path)})
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with pytest.raises(CannotListen, match="another program listens there"):
        smtp_listening.serve(Inbox(tmp_path), {LMTP: Place(path=path)}, name="x")
    with smtplib.LMTP(str(path)) as connection:
        assert connection.sendmail("", [ANA], MESSAGE) == {}
    assert listener.stop() == 0
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(CannotListen, match="no socket"):
        smtp_listening.serve(Inbox(tmp_path), {LMTP: Place(path=path)}, name="x")
    assert path.read_text() == "mine"


def test_a_port_that_is_taken_is_said_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = Place(port=taken.getsockname()[1])
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{place.port}: .*in use"):
            smtp_listening.serve(Inbox(tmp_path), {SMTP: place}, name="x")


def test_whoever_opens_it_to_other_machines_is_told(start: Callable[..., Listener]) -> None:
    listener = start({LMTP: Place(), SMTP: Place("0.0.0.0")})  # on purpose, for a moment
    warned = [line for line in listener.log().splitlines() if "can be reached from other machines" in line]
    assert len(warned) == 1
    assert '"source": "smtp"' in warned[0]
