"""What is fetched acts once, leaves the mailbox only when that is saved, and nobody's own mail is touched."""

import logging
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.inbound import fetching, limits, receiving
from mailer.inbound.acting import Source
from mailer.inbound.fetching import Fetched
from mailer.links import Link
from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.mailboxes import opening
from mailer.mail.mailboxes.imap_login import Password
from mailer.mail.mailboxes.maildir import Maildir
from mailer.mail.mailboxes.remembered import Remembered
from mailer.mail.mailboxes.types import BATCH, Disposal, ImapFolder, MailboxUnavailable, Obstacle, Waiting
from mailer.people.organisers import Organisers
from mailer.store.crypto import Keyring
from mailer.store.db import DatabaseUnavailable, Sessions, session_scope, utcnow
from mailer.store.models import Delivery, Purpose, SuppressionReason
from tests.inbound.test_receiving import World, message_id, report
from tests.support.certificates import make_certificates
from tests.support.imap_server import BEFORE, Behaviour, ImapServer, running
from tests.support.maildirs import SomeMaildir

LETTER = b"From: eva@example.net\nTo: rosa@example.org\nSubject: Lunch\n\nOn Friday?\n"


@pytest.fixture
def world(engine: Engine, keyring: Keyring) -> World:
    return World(engine, keyring)


@pytest.fixture
def some(tmp_path: Path) -> SomeMaildir:
    return SomeMaildir(tmp_path / "box")


def opened(some: SomeMaildir) -> Maildir:
    remembered = Remembered(some.folder.parent / "seen")
    return Maildir(some.folder, remembered, disposal=Disposal.KEEP, most_bytes=receiving.MAX_BYTES)


def fetch(world: World, some: SomeMaildir, sessions: Sessions | None = None, **options: Callable[[], bool]) -> Fetched:
    sessions = sessions or partial(session_scope, world.engine)
    return fetching.fetch(sessions, opened(some), addresses=world.own, source=Source.MAILDIR, **options)


def wish_to_leave(world: World) -> bytes:
    token = links.sign(world.keyring, Link.UNSUBSCRIBE, world.subscription)
    return f"From: ana@example.net\nTo: leave+{token}@in.example.org\n\nplease\n".encode()


def test_what_is_about_a_mail_of_ours_acts_and_leaves_the_mailbox(world: World, some: SomeMaildir) -> None:
    some.deliver(report(world.token()))
    some.deliver(wish_to_leave(world))
    assert fetch(world, some) == Fetched(handled=2)
    assert (len(some.new), len(some.cur)) == (0, 2)
    assert world.reason() == (SuppressionReason.BOUNCED, Category.NO_MAILBOX)
    assert world.events() == [(Kind.BOUNCE, Effect.SUPPRESS), (Kind.UNSUBSCRIBE, Effect.LEAVE)]


def letters_to_somebody(world: World) -> dict[str, bytes]:
    """What may lie in a mailbox that somebody reads, by what it is."""
    answer = b"Subject: Re: Free the five\nIn-Reply-To: <" + message_id(world).encode() + b">\n"
    to_us = b"To: bounce+" + world.token().encode() + b"@in.example.org\n"
    return {
        "a letter": LETTER,
        "an answer to a mail of ours": b"From: ana@example.net\nTo: rosa@example.org\n"
        + answer
        + b"\nI have written!\n",
        "an answer to the envelope": b"From: ana@example.net\n" + to_us + b"Subject: Re: five\n\nI have written!\n",
        "an absence, in answer": b"From: ana@example.net\nAuto-Submitted: auto-replied\n" + answer + b"\nI am away.\n",
        "a ticket about one of our mails": b"From: tickets@example.net\nAuto-Submitted: auto-generated\n"
        + b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nSee this.\n--b\nContent-Type: message/rfc822\n\n'
        + b"Return-Path: <bounce+"
        + world.token().encode()
        + b"@in.example.org>\nSubject: Five\n\nhello\n--b--\n",
        "a bounce of another's": report("0" * 40).replace(b"+" + b"0" * 40, b"").replace(b"in.ex", b"ex"),
        "a bounce in answer": answer + report("0" * 40).replace(b"bounce+", b"x"),
        "a forged bounce": report("0" * 40),
        "a forged wish": b"From: eva@example.net\nTo: leave+" + b"0" * 40 + b"@in.example.org\n\nx\n",
        "a receipt": b"From: ana@example.net\n" + to_us + b"Content-Type: multipart/report;"
        b' report-type=disposition-notification; boundary="b"\n\n--b\n\nread\n--b--\n',
        "no message": b"\x00" * 100,
        "nothing": b"",
    }


def test_what_somebody_may_want_to_read_stays_unread_and_is_taken_in_once(world: World, some: SomeMaildir) -> None:
    letters = letters_to_somebody(world)
    stays = {some.deliver(letter): name for name, letter in letters.items()}
    assert fetch(world, some) == Fetched(left=len(letters)), [
        name for file, name in stays.items() if file not in some.new
    ]
    assert some.cur == []
    counted = world.numbers()
    assert fetch(world, some) == Fetched()
    assert world.numbers() == counted
    assert world.reason() is None


def test_an_absence_that_came_to_our_own_address_leaves_the_mailbox(world: World, some: SomeMaildir) -> None:
    to_us = f"To: bounce+{world.token()}@in.example.org\nAuto-Submitted: auto-replied\nSubject: Away\n\nBye.\n"
    some.deliver(b"From: ana@example.net\n" + to_us.encode())
    assert fetch(world, some) == Fetched(handled=1)
    assert world.events() == [(Kind.AUTO_REPLY, Effect.NONE)]


class Dies(BaseException):
    """A kill between two steps."""


def test_killed_between_saving_and_moving_it_doubles_nothing(
    world: World, some: SomeMaildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    some.deliver(report(world.token(), "552 5.2.2 mailbox full"))
    with monkeypatch.context() as patched:
        patched.setattr(Maildir, "settle", lambda *_: (_ for _ in ()).throw(Dies))
        with pytest.raises(Dies):
            fetch(world, some)
    assert (world.events(), len(some.new)) == ([(Kind.BOUNCE, Effect.COUNT)], 1)
    assert fetch(world, some) == Fetched(handled=1)
    assert (world.events(), len(some.new)) == ([(Kind.BOUNCE, Effect.COUNT)], 0)


def test_while_the_database_is_away_messages_stay_and_are_taken_in_later(world: World, some: SomeMaildir) -> None:
    for _ in range(3):
        some.deliver(report(world.token(world.mail()), "552 5.2.2 mailbox full"))
    left = iter(range(3))  # transactions until it goes away: two for each bounce, and one that asks how many came

    @contextmanager
    def going_away(*, read_only: bool = False) -> Iterator[Session]:
        if next(left, None) is None:
            raise DatabaseUnavailable(problem="it went away")
        with session_scope(world.engine, read_only=read_only) as session:
            yield session

    with pytest.raises(DatabaseUnavailable):
        fetch(world, some, going_away)
    assert (len(some.new), len(some.cur), len(world.events())) == (2, 1, 1)
    assert fetch(world, some) == Fetched(handled=2)
    assert len(world.events()) == 3


def test_what_cannot_be_moved_does_not_keep_those_behind_it_from_being_read(
    world: World, some: SomeMaildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = MailboxUnavailable(place="here", problem="it is full", obstacle=Obstacle.CLEARING)
    for _ in range(BATCH + 1):
        some.deliver(report(world.token(world.mail()), "552 5.2.2 mailbox full"))

    def refuse(_self: Maildir, handled: Sequence[Waiting], left: Sequence[Waiting]) -> None:
        raise stuck

    monkeypatch.setattr(Maildir, "settle", refuse)
    with pytest.raises(MailboxUnavailable, match="it is full"):
        fetch(world, some)
    assert len(world.events()) == BATCH + 1


def test_what_is_too_much_for_an_hour_stays_and_is_read_later(
    world: World, some: SomeMaildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        some.deliver(LETTER)
    some.deliver(report(world.token()))
    with monkeypatch.context() as patched:
        patched.setattr(limits, "MOST_AN_HOUR", 2)
        with pytest.raises(limits.TooManyInAnHour):
            fetch(world, some)
    assert fetch(world, some) == Fetched(handled=1, left=1)


def test_what_is_awaited_is_taken_up_to_the_first_that_is_too_much(
    world: World, some: SomeMaildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    for message in (LETTER, report(world.token()), LETTER, wish_to_leave(world)):
        some.deliver(message)
    with monkeypatch.context() as patched:
        patched.setattr(limits, "MOST_AN_HOUR", 1)
        with pytest.raises(limits.TooManyInAnHour):
            fetch(world, some)
    assert world.events() == [(Kind.BOUNCE, Effect.SUPPRESS)]
    assert len(some.new) == 3
    assert fetch(world, some) == Fetched(handled=1, left=1)


def test_it_stops_between_two_batches(world: World, some: SomeMaildir) -> None:
    for _ in range(2 * BATCH):
        some.deliver(LETTER)
    asked = iter([False, True])
    assert fetch(world, some, is_stopped=lambda: next(asked)) == Fetched(left=BATCH)
    assert fetch(world, some) == Fetched(left=BATCH)


def test_the_log_names_nobody(world: World, some: SomeMaildir, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for letter in letters_to_somebody(world).values():
        some.deliver(letter)
    some.deliver(report(world.token()))
    fetch(world, some)
    assert "'handled': 1" in str([record.__dict__ for record in caplog.records])
    assert not [record for record in caplog.records if "@" in str(record.__dict__)]


# --- over IMAP ------------------------------------------------------------------------------------------------------


class Accounts:
    """Mailboxes on servers that are trusted."""

    def __init__(self, folder: Path) -> None:
        certificates = make_certificates(folder)
        self.theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.theirs.load_cert_chain(certificates.server)
        self._trusting = ssl.create_default_context(cafile=str(certificates.authority))
        self._folder = folder

    def fetch(self, world: World, server: ImapServer, user: str) -> Fetched:
        place, remembered = ImapFolder("127.0.0.1", user, server.port), Remembered(self._folder / user)
        with opening.opened(
            (place, Password("right")), remembered, disposal=Disposal.DELETE, most_bytes=2**20, context=self._trusting
        ) as mailbox:
            sessions = partial(session_scope, world.engine)
            return fetching.fetch(sessions, mailbox, addresses=world.own, source=Source.IMAP)


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_is_in_a_mailbox_that_was_moved_or_put_back_acts_and_goes_on_once(
    world: World, accounts: Accounts
) -> None:
    world.own.answers_go_to = Organisers(("office@example.org",))
    to_us = f"From: ana@example.net\nTo: bounce+{world.token()}@in.example.org\nSubject: Re: five\n\nI wrote.\n"

    def fill(server: ImapServer) -> None:
        for message in (to_us.encode(), report(world.token(), "552 5.2.2 mailbox full")):
            uid = server.inbox.add(message)
            server.inbox.mails[uid].came = utcnow().strftime("%d-%b-%Y %H:%M:%S +0000")

    for user in ("box@example.org", "moved@example.org"):
        with running(Behaviour(user=user), accounts.theirs) as server:
            for _ in range(2):
                fill(server)
                assert accounts.fetch(world, server, user) == Fetched(handled=1, left=1)
                server.inbox.validity += 1
                server.inbox.mails.clear()
    assert sorted(world.events()) == sorted([(Kind.BOUNCE, Effect.COUNT), (Kind.REPLY, Effect.FORWARD)])
    with session_scope(world.engine) as session:
        assert session.scalar(select(func.count()).where(Delivery.purpose == Purpose.REPLY)) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_over_imap_what_hangs_up_when_it_should_move_doubles_nothing_and_each_mailbox_has_numbers_of_its_own(
    world: World, accounts: Accounts
) -> None:
    for user in ("one@example.org", "two@example.org"):
        with running(Behaviour(user=user), accounts.theirs) as server:
            fetch_from = partial(accounts.fetch, world)
            server.inbox.add(report(world.token(world.mail()), "552 5.2.2 mailbox full"))
            server.inbox.add(LETTER)
            server.behaviour.instead = lambda command: BEFORE if "STORE" in command else None
            with pytest.raises(MailboxUnavailable, match="hung up"):
                fetch_from(server, user)
            server.behaviour.instead = lambda _: None
            assert fetch_from(server, user) == Fetched(handled=1)
            assert [mail.data for mail in server.inbox.mails.values()] == [LETTER]
            assert fetch_from(server, user) == Fetched()
    assert world.events() == [(Kind.BOUNCE, Effect.COUNT)] * 2


# --- once a minute --------------------------------------------------------------------------------------------------


class Clock:
    """Waits without time passing, and is told to stop after so many rounds."""

    def __init__(self, rounds: int) -> None:
        self.waited: list[float] = []
        self._rounds = rounds

    def __call__(self) -> bool:
        return len(self.waited) >= self._rounds

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)


def test_it_looks_once_a_minute_and_more_rarely_while_something_is_away(caplog: pytest.LogCaptureFixture) -> None:
    away = MailboxUnavailable(place="imap.example.org", problem="it hung up", obstacle=Obstacle.CONNECTION)
    goes = iter([None, *[away] * 3, DatabaseUnavailable(problem="locked"), away, None, away])

    def look() -> None:
        if (problem := next(goes)) is not None:
            raise problem

    clock = Clock(8)
    fetching.poll(look, stop=clock)
    assert clock.waited == [60, 60, 120, 240, 480, 900, 60, 60]
    assert [record.message for record in caplog.records] == ["nothing could be fetched"] * 6
    assert "it hung up" in str(caplog.records[0].__dict__)
