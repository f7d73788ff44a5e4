"""What nobody could read stays a few days where that is asked for, without the body of a mail that it gives back."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer.inbound import receiving
from mailer.inbound.acting import Source
from mailer.inbound.addresses import OwnAddresses
from mailer.mail.feedback import reading
from mailer.mail.feedback.types import Kind
from mailer.operations import housekeeping
from mailer.people import subscribers, unread
from mailer.people.unread import Unread
from mailer.reports import unread as reports
from mailer.store.crypto import Keyring
from mailer.store.db import session_scope, utcnow
from mailer.store.models import UnreadMessage
from tests.conftest import CommandLine
from tests.inbound.test_receiving import ANA, BOUNCE, LEAVE, World, feedback_report, message_id, report
from tests.support.concurrency import Beside

SILENT = "554 failed for some reason"


def world_that_keeps(engine: Engine, keyring: Keyring, days: int) -> World:
    world = World(engine, keyring)
    world.own = OwnAddresses(keyring, unsubscribe_address=LEAVE, bounce_address=BOUNCE, keep_unread_days=days)
    return world


@pytest.fixture
def world(engine: Engine, keyring: Keyring) -> World:
    return world_that_keeps(engine, keyring, 7)


def words(world: World) -> list[str]:
    with session_scope(world.engine, read_only=True) as session:
        return [each.words for each in unread.kept(session)]


def test_by_default_nothing_is_kept(engine: Engine, keyring: Keyring) -> None:
    world = world_that_keeps(engine, keyring, 0)
    for message in (b"no header", report("0" * 40), report(world.token(), SILENT)):
        world.receive(message)
    assert words(world) == []


@pytest.mark.parametrize(
    ("made", "is_kept"),
    [
        (lambda world: report(world.token(), SILENT), True),
        (lambda world: report(world.token(), "550 5.1.1 no such user"), False),
        (lambda _: report("0" * 40), True),
        (lambda _: b"no header, and no message", True),
        (lambda _: b"Return-Path: <>\nFrom: mailer-daemon@example.net\nSubject: Hm\n\nHm\n", True),
        (lambda _: b"From: Ana <ana@example.net>\nSubject: Re: Free the five\n\nI wrote\n", False),
        (lambda _: b"From: a@example.net\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nAway\n", False),
    ],
)
def test_what_a_rule_may_be_missing_for_is_kept(world: World, made: Callable[[World], bytes], is_kept: bool) -> None:
    for _ in range(2):
        world.receive(made(world))
    assert len(words(world)) == is_kept


@pytest.mark.parametrize("source", [Source.MAILDIR, Source.IMAP])
def test_of_a_mailbox_only_what_is_proved_to_be_about_us_is_kept(world: World, source: Source) -> None:
    ours = report(world.token(), SILENT)
    others = [
        report("0" * 40),
        report("0" * 40).replace(b"bounce+", b"eva+"),
        f"In-Reply-To: <{message_id(world)}>\n".encode() + report("0" * 40, SILENT),
        b"a private note without a header",
        b"Return-Path: <>\nFrom: eva@example.net\nSubject: Lunch\n\nHm\n",
    ]
    sessions = partial(session_scope, world.engine)
    for message in (*others, ours):
        receiving.receive(sessions, message, addresses=world.own, source=source, came_at=utcnow())
    (kept,) = words(world)
    assert SILENT in kept


def test_who_is_erased_takes_along_what_names_their_address_and_nothing_else(world: World) -> None:
    for name in ("_ana", "liv"):
        world.receive(report("0" * 40, to=f"{name}@example.net"))
    with session_scope(world.engine) as session:
        subscribers.erase(session, "_ana@example.net")
    (kept,) = words(world)
    assert "liv@example.net" in kept


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_what_comes_while_its_addressee_is_erased_is_not_kept(world: World) -> None:
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
        coming = Beside(lambda: world.receive(report(world.token(), SILENT)))
        coming.must_wait()
    coming.result()
    world.receive(report(world.token(), SILENT + " after all"))
    assert words(world) == []


def test_a_message_is_read_while_nothing_is_locked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = 0
    read_in: list[int] = []

    @contextmanager
    def watched(*, read_only: bool = False) -> Iterator[Session]:
        nonlocal open_
        with session_scope(world.engine, read_only=read_only) as session:
            open_ += 1
            yield session
            open_ -= 1

    real = reading.read

    def read(message: bytes) -> reading.Message | None:
        read_in.append(open_)
        return real(message)

    monkeypatch.setattr(reading, "read", read)
    receiving.receive(watched, report(world.token(), SILENT), addresses=world.own, source=Source.LMTP)
    assert len(words(world)) == 1
    assert set(read_in) == {0}


def test_what_is_counted_as_unread_is_what_is_kept_but_for_what_is_forged(world: World) -> None:
    to = f"To: bounce+{world.token()}@in.example.org\n"
    of_reading = 'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n'
    answers = f"In-Reply-To: <{message_id(world)}>\n"
    for message in (
        f"From: ana@example.net\n{to}Subject: Read\n{of_reading}\n--b\n\nRead\n--b--\n".encode(),
        f"From: ana@example.net\nSubject: Read\n{of_reading}\n--b\n\nRead, too\n--b--\n".encode(),
        f"From: a@example.net\n{to}Subject: Please confirm your e-mail\n\nAre you a program?\n".encode(),
        f"From: News <a@example.net>\n{to}List-Id: <news.example.net>\nSubject: News\n\nNews\n".encode(),
        feedback_report(world.token(), "not-spam"),
    ):
        assert world.receive(message).kind is Kind.OTHER
    assert (world.events(), world.numbers()) == ([], {}), "what tells nothing is recorded nowhere"
    world.receive(report(world.token(), SILENT))
    world.receive(answers.encode() + report("0" * 40, "550 5.1.1 no such user"))
    world.receive(b"no header")
    world.receive(f"Subject: Hm\n{to}\nHm\n".encode())
    world.receive(f"From: ana@example.net\nTo: leave+{'0' * 40}@in.example.org\n\nI leave\n".encode())
    with session_scope(world.engine, read_only=True) as session:
        (this, _) = reports.count(session, today=utcnow().date())
    assert this.numbers == dict.fromkeys(Unread, 1)
    assert len(words(world)) == 4


def test_of_a_mail_that_is_given_back_only_the_header_is_kept(world: World) -> None:
    as_part = report(world.token(), SILENT).replace(
        b"Content-Type: text/rfc822-headers\n\nFrom: alerts@example.org\n",
        b"Content-Type: message/rfc822\n\nFrom: alerts@example.org\nSubject: swordfish\n",
    )
    world.receive(as_part.replace(b"\n--b--", b"Dear Ana, a secret\n\n--b--"))
    as_text = (
        b"From: mailer-daemon@example.net\nSubject: Hm\n\nIt broke.\n\n--- Below this line is a copy of the message.\n"
    )
    world.receive(as_text + b"\nFrom: alerts@example.org\nTo: ana@example.net\nSubject: x\n\nDear Ana, a secret\n")
    part, text = sorted(words(world), key=lambda each: "It broke." in each)
    assert "subject: swordfish" in part and SILENT in part
    assert text.endswith("It broke.\n[given back as text]")
    assert "a secret" not in part + text


def test_it_goes_when_its_days_are_over_and_with_the_person(world: World) -> None:
    world.receive(report(world.token(), SILENT))
    world.receive(b"nobody's")
    world.receive(report("0" * 40, SILENT))  # names her, and is of no mail of ours
    housekeeping.tidy(world.engine)
    assert len(words(world)) == 3
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
    assert words(world) == ["nobody's"]
    with session_scope(world.engine) as session:
        session.execute(update(UnreadMessage).values(until=utcnow() - timedelta(days=1)))
    housekeeping.tidy(world.engine)
    assert words(world) == []


def test_only_so_many_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "MOST", 2)
    for number in range(4):
        world.receive(b"no header %d" % number)
    assert len(words(world)) == 2


def test_an_operator_lists_them_and_looks_at_one(world: World, cli: CommandLine) -> None:
    assert cli("inbound", "unread", "list").output.splitlines() == [
        "None is kept: MAILER_INBOUND_KEEP_UNREAD_DAYS is not set.",
        "How many there were: mailer inbound status",
    ]
    world.receive(b"nothing\x07 known")
    listed = json.loads(cli("inbound", "unread", "list", "--json").output)
    assert (listed["kind"], listed["day"]) == ("unreadable", utcnow().date().isoformat())
    assert cli("inbound", "unread", "list").output == f"{listed['id']}  {listed['day']}  unreadable\n"
    assert json.loads(cli("inbound", "unread", "show", listed["id"], "--json").output)["words"] == "nothing\x07 known"
    assert "\x07" not in cli("inbound", "unread", "show", listed["id"]).output  # it commands no terminal
    missing = cli("inbound", "unread", "show", "0" * 12, exit_code=1)
    assert "`mailer inbound unread list` shows those that are." in missing.output
    with session_scope(world.engine, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(UnreadMessage)) == 1
