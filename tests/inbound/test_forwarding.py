"""What people write to us reaches whoever reads it, once, as it came, and is nowhere else."""

import logging
import re
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial

import pytest
from sqlalchemy import Engine, LargeBinary, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer import links
from mailer.delivery import ledger, recipients, sending
from mailer.delivery.recipients import Recipient
from mailer.delivery.worker import Worker
from mailer.inbound import limits, receiving
from mailer.inbound.acting import Outcome, Source
from mailer.inbound.addresses import OwnAddresses
from mailer.links import Link
from mailer.mail.feedback.types import Effect, Kind
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import SmtpUnavailable
from mailer.operations import housekeeping
from mailer.people import notices, replies, returned, subscribers, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import Organisers
from mailer.people.tallies import Known
from mailer.store.crypto import Keyring
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Campaign,
    Delivery,
    DeliveryState,
    InboundTally,
    MailEvent,
    Purpose,
    Reason,
    Reply,
    SuppressionReason,
    Tally,
)
from tests.inbound.test_receiving import (
    ANA,
    BOUNCE,
    LEAVE,
    NOBODY_READS,
    World,
    feedback_report,
    message_id,
    report,
)
from tests.support.concurrency import Beside
from tests.support.factories import deliver, make_subscriber, notices_owed, said
from tests.support.mail_server import MailServer

S = DeliveryState
READER = "answers@example.org"
TO = Organisers((READER,), "en")
WORDS = "swordfish"  # stands in each answer, and nowhere else


class Answered(World):
    """A world in which what people write goes on."""

    def __init__(self, engine: Engine, keyring: Keyring, to: Organisers = TO) -> None:
        super().__init__(engine, keyring)
        self.own = OwnAddresses(
            keyring,
            unsubscribe_address=LEAVE,
            bounce_address=BOUNCE,
            answers_go_to=to,
            answered_at=["alerts@example.org", READER],
        )

    def answer(self, words: str = "I wrote to them.", *, delivery: int | None = None, headers: str = "") -> Outcome:
        return self.receive(answer(self.token(delivery), words, headers=headers))

    def found(self, message: bytes, *, came_at: datetime | None) -> Outcome:
        """What becomes of a message that lies in a mailbox."""
        sessions = partial(session_scope, self.engine)
        return receiving.receive(sessions, message, addresses=self.own, source=Source.MAILDIR, came_at=came_at)

    def owed(self) -> list[tuple[DeliveryState, str | None]]:
        with session_scope(self.engine, read_only=True) as session:
            rows = session.scalars(select(Delivery).where(Delivery.purpose == Purpose.REPLY).order_by(Delivery.id))
            return [(row.state, row.reason) for row in rows]

    def kept(self) -> list[bytes]:
        with session_scope(self.engine, read_only=True) as session:
            return list(session.scalars(select(Reply.message).where(Reply.message.is_not(None))))


def answer(token: str, words: str = "I wrote to them.", *, headers: str = "", sender: str = ANA) -> bytes:
    """What somebody writes who presses the button to answer."""
    return (
        f"Return-Path: <{sender}>\r\nFrom: Ana {WORDS} <{sender}>\r\nTo: bounce+{token}@in.example.org\r\n"
        f"Subject: Re: Free {WORDS}\r\n{headers}\r\n{words} {WORDS}\r\n.\r\n"
    ).encode()


@pytest.fixture
def world(engine: Engine, keyring: Keyring) -> Answered:
    return Answered(engine, keyring)


@pytest.fixture
def send(engine: Engine, wire: Pipeline, worker: Worker) -> Callable[[], None]:
    """Sends what is owed of system mail."""

    def send() -> None:
        with session_scope(engine) as session:
            campaign_id = notices.campaign(session).id
        sending.drain(engine, campaign_id, wire, worker)

    return send


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Sees to it that nothing of what people wrote is in the log."""
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.records:
        assert WORDS not in f"{record.getMessage()} {record.__dict__}"


def read(server: MailServer) -> EmailMessage:
    (mail,) = server.received
    return message_from_bytes(mail.data, policy=policy.default)


# --- on its way ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shown")
def test_an_answer_reaches_its_reader_as_it_came_and_is_kept_no_longer(
    world: Answered, server: MailServer, send: Callable[[], None]
) -> None:
    outcome = world.answer()
    assert (outcome.kind, outcome.effect, outcome.why) == (Kind.REPLY, Effect.FORWARD, None)
    assert world.events() == [(Kind.REPLY, Effect.FORWARD)]
    send()
    (mail,) = server.received
    assert (mail.sender, mail.recipient) == ("", READER)
    assert answer(world.token()) in mail.data.replace(b"\r\n..\r\n", b"\r\n.\r\n")
    assert world.owed() == [(S.SENT, None)]
    housekeeping.tidy(world.engine)
    assert world.kept() == []
    with session_scope(world.engine) as session:
        row = session.scalars(select(Reply)).one()
        assert (row.message, row.subscriber_id, row.delivery_id) == (None, None, None)
        (delivery,) = session.scalars(select(Delivery).where(Delivery.purpose == Purpose.REPLY))
        assert (delivery.notice, delivery.address, delivery.smtp_text) == (None, None, None)


def test_the_mail_around_it_is_ours_alone_and_asks_for_nothing(
    world: Answered, server: MailServer, send: Callable[[], None]
) -> None:
    hostile = (
        "Subject: =?utf-8?q?x=0D=0ABcc:_all=40example.net?=\r\nDisposition-Notification-To: <a@example.net>\r\n"
        "Return-Receipt-To: <a@example.net>\r\nX-Evil: 1\r\nReply-To: <evil@example.net>\r\n"
    )
    world.answer(headers=hostile)
    send()
    message = read(server)
    assert message["Subject"] == "An answer to our e-mails"
    assert message["From"] == "Harbour Solidarity <alerts@example.org>"
    assert message["To"] == READER
    assert message["Auto-Submitted"] == "auto-generated"
    names = {name.lower() for name in message}
    assert not names & {"disposition-notification-to", "return-receipt-to", "reply-to", "bcc", "x-evil", "cc"}
    assert len(names) == len(list(message))
    assert WORDS not in "".join(str(value) for value in message.values())
    words, attached = message.iter_parts()
    assert "An answer to this e-mail does not reach them." in " ".join(str(words).split())
    assert attached.get_content_type() == "message/rfc822"
    assert not any("NOTIFY" in command or "ENVID" in command for command in server.commands)


def test_a_huge_and_nested_answer_goes_on_cut_where_reading_ends(
    world: Answered, server: MailServer, send: Callable[[], None]
) -> None:
    nest = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(200))
    world.receive(
        answer(world.token(), "x" * 70 + "\r\n" * 40_000 + "y" * 2_000_000, headers=f"MIME-Version: 1.0\r\n{nest}")
    )
    send()
    (mail,) = server.received
    assert len(mail.data) < 2**20 * 1.5
    words, attached = read(server).iter_parts()
    assert "only its beginning is attached" in " ".join(str(words).split())
    assert attached.get_content_type() == "application/octet-stream"  # no server takes such a line
    assert len(attached.get_payload(decode=True)) == receiving.MAX_BYTES


def test_octets_beyond_ascii_are_announced(world: Answered, server: MailServer, send: Callable[[], None]) -> None:
    world.answer("J’ai écrit.")
    send()
    assert any(re.match("MAIL FROM:<>.* BODY=8BITMIME", command) for command in server.commands)
    assert "J’ai écrit.".encode() in server.received[0].data


# --- once, and not in circles ----------------------------------------------------------------------------------------


def test_what_is_given_again_goes_on_once_even_after_it_went(
    world: Answered, server: MailServer, send: Callable[[], None]
) -> None:
    for about in (world.delivery, 987_654):  # of a mail of ours, and of none
        world.answer(delivery=about)
        assert world.answer(delivery=about).effect is Effect.NONE
    send()
    housekeeping.tidy(world.engine)
    assert world.answer().effect is Effect.NONE
    assert world.answer(delivery=987_654).why == "it came before"
    with session_scope(world.engine) as session:  # nor does it take the place of another on that day
        assert session.scalars(select(InboundTally.number).where(InboundTally.what == Tally.FORWARDED)).all() == [2]
    send()
    assert len(server.received) == 2


def test_what_we_handed_on_never_goes_on_again(
    world: Answered, server: MailServer, send: Callable[[], None], keyring: Keyring
) -> None:
    world.answer()
    send()
    handed_on = server.received[0].data
    back = b"Return-Path: <office@example.org>\r\n" + handed_on.replace(b"Auto-Submitted: auto-generated\r\n", b"")
    back = back.replace(b"X-Auto-Response-Suppress: OOF, AutoReply\r\n", b"")
    outcome = world.receive(back, recipient="bounce@in.example.org")
    assert (outcome.kind, outcome.why) == (Kind.REPLY, "it was forwarded by us before")
    mark = f"X-Tocsin-Forwarded: {links.sign(keyring, Link.FORWARDED, 7)}\r\n"
    assert world.answer("once more", headers=mark).why == "it was forwarded by us before"
    forged = f"X-Tocsin-Forwarded: {'0' * 40}\r\nX-Tocsin-Forwarded: {world.token()}\r\n"
    assert world.answer("and more", headers=forged).effect is Effect.FORWARD  # it is no token for that


@pytest.mark.parametrize("header", ["In-Reply-To", "References"])
def test_what_a_program_answers_to_a_mail_that_handed_on_an_answer_goes_no_further(
    world: Answered, server: MailServer, send: Callable[[], None], header: str
) -> None:
    world.answer()
    send()
    ours, theirs = read(server)["Message-ID"], f"<{message_id(world)}>"
    ticket = f"From: tickets@example.net\nTo: alerts@example.org\nSubject: We got it\n{header}: {{}}\n\nThank you.\n"
    outcome = world.receive(ticket.format(f"{theirs}\n <a@example.net> {ours}").encode())
    assert (outcome.kind, outcome.why) == (Kind.REPLY, "it answers a mail that forwarded an answer")
    assert world.receive(ticket.format(theirs).encode()).effect is Effect.FORWARD


@pytest.mark.parametrize("header", [f"From: Answers <{READER.upper()}>", f"From: a@example.net\nSender: {READER}"])
def test_nor_does_what_comes_from_where_answers_go(world: Answered, header: str) -> None:
    message = f"{header}\nTo: bounce+{world.token()}@in.example.org\nSubject: We got it\n\nThank you.\n"
    outcome = world.receive(message.encode(), sender="a@example.net")
    assert (outcome.kind, outcome.why) == (Kind.REPLY, "whoever answers go to wrote it")
    assert world.owed() == []


@pytest.mark.parametrize("message", [report("0" * 40), b"From: a@example.net\nAuto-Submitted: auto-replied\n\nAway\n"])
def test_nothing_but_what_a_person_wrote_goes_on(world: Answered, message: bytes) -> None:
    world.receive(message)
    assert world.owed() == []


def test_where_nobody_is_named_it_is_only_counted(engine: Engine, keyring: Keyring) -> None:
    world = Answered(engine, keyring, Organisers())
    assert (world.answer().effect, world.answer("more").why) == (Effect.NONE, NOBODY_READS)
    world.answer(delivery=987_654)
    assert world.owed() == [] and world.kept() == []
    assert world.events() == [(Kind.REPLY, Effect.NONE)] * 2
    assert world.numbers() == {(0, Kind.REPLY, ""): 1}


@pytest.mark.parametrize(
    ("is_ours", "days_ago", "effect"),
    [
        (True, 0, Effect.FORWARD),
        (True, 29, Effect.FORWARD),
        (True, 31, Effect.NONE),
        (True, None, Effect.NONE),
        (False, 0, Effect.NONE),
    ],
)
def test_of_a_mailbox_only_late_answers_to_our_mails_go_on_and_stay_in_it(
    world: Answered, is_ours: bool, days_ago: int | None, effect: Effect
) -> None:
    came_at = None if days_ago is None else utcnow() - timedelta(days=days_ago)
    outcome = world.found(answer(world.token() if is_ours else "0" * 40), came_at=came_at)
    assert (outcome.kind, outcome.effect, outcome.is_done_with) == (Kind.REPLY, effect, False)


def test_the_same_answer_goes_on_once_wherever_it_comes_in_and_however_it_is_found(world: Answered) -> None:
    written = answer(world.token())
    ways = [f"Received: from mx{number}\r\nDelivered-To: a{number}\r\n".encode() + written for number in range(3)]
    to_us = "bounce@in.example.org", f"bounce+{world.token()}@in.example.org"
    outcomes = [world.receive(way, recipient=recipient) for way, recipient in zip(ways, to_us, strict=False)]
    outcomes += [world.found(way.replace(b"\r\n", b"\n"), came_at=utcnow()) for way in ways]
    assert [outcome.effect for outcome in outcomes] == [Effect.FORWARD] + [Effect.NONE] * 4
    assert len(world.owed()) == 1
    assert world.answer("Another").effect is Effect.FORWARD


def test_what_went_on_is_known_for_longer_than_it_may_go_on_from_a_mailbox(world: Answered) -> None:
    world.answer()
    for days, is_known in ((32, True), (33, False)):
        with session_scope(world.engine) as session:
            session.execute(update(Reply).values(day=utcnow() - timedelta(days=days)))
        housekeeping.tidy(world.engine)
        outcome = world.found(answer(world.token()) + b"\r\n" * days, came_at=utcnow() - timedelta(days=29))
        assert (outcome.why == "it came before") is is_known


def test_what_people_answer_to_is_ours_only_where_it_goes_on(world: Answered, keyring: Keyring) -> None:
    assert world.own.are_asked_for("Alerts@example.org")
    assert not world.own.are_asked_for(READER)  # else it would go round
    without = OwnAddresses(keyring, unsubscribe_address=LEAVE, bounce_address=BOUNCE)
    assert not without.are_asked_for("alerts@example.org")


# --- so many ---------------------------------------------------------------------------------------------------------


def test_of_a_day_so_many_go_on_and_then_one_mail_has_the_numbers(
    world: Answered, monkeypatch: pytest.MonkeyPatch, server: MailServer, send: Callable[[], None]
) -> None:
    monkeypatch.setattr(replies, "MOST_A_DAY", 2)
    monkeypatch.setattr(replies, "KEPT_FOR_ANSWERS", 0)
    effects = [world.answer(str(number), delivery=900_000 + number).effect for number in range(5)]
    assert effects == [Effect.FORWARD] * 2 + [Effect.NONE] * 3
    with session_scope(world.engine) as session:
        replies.tell_of_too_many(session, TO)  # the day is not over
        assert notices_owed(session) == []
        for row in session.scalars(select(InboundTally)):
            row.since -= timedelta(days=1)
    for _ in range(2):
        with session_scope(world.engine) as session:
            replies.tell_of_too_many(session, TO)
            (owed,) = notices_owed(session)
            words = said(owed).words
    assert (words["forwarded"], words["dropped"]) == ("2", "3")
    send()
    (digest,) = [mail for mail in server.received if b"More answers than we forward" in mail.data]
    assert WORDS.encode() not in digest.data


@pytest.mark.parametrize(
    ("together", "restarted", "dropped"), [(1, (), 3), (10, (), 3), (1, range(6), 3), (10, range(6), 3), (10, (2,), 2)]
)
def test_after_so_many_messages_of_an_hour_the_rest_is_counted_and_dropped(
    world: Answered,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    together: int,
    restarted: Collection[int],
    dropped: int,
) -> None:
    monkeypatch.setattr(limits, "MOST_AN_HOUR", 3)
    monkeypatch.setattr(limits, "_TOGETHER", together)
    for number in range(6):
        if number in restarted:
            world.own.taken = Known()  # as another process, which knows of nothing
        world.receive(b"From: spam@example.net\n\n%d\n" % number, recipient="bounce@in.example.org")
    with session_scope(world.engine) as session:
        numbers = {row.what: row.number for row in session.scalars(select(InboundTally))}
    assert numbers[Tally.DROPPED] == dropped
    assert [record.levelname for record in caplog.records if "came within an hour" in record.message] == ["WARNING"]


def test_a_flood_keeps_nobody_on_a_list_and_hides_no_bounce(
    world: Answered, monkeypatch: pytest.MonkeyPatch, keyring: Keyring
) -> None:
    monkeypatch.setattr(limits, "MOST_AN_HOUR", 0)
    monkeypatch.setattr(returned, "MOST_OF_ONE", 2)
    to_leave = links.sign(keyring, Link.UNSUBSCRIBE, world.subscription)
    leaving = f"From: {ANA}\nTo: leave+{to_leave}@in.example.org\n\n".encode()
    # Somebody else has her mail, and writes to it again and again.
    assert [world.answer(str(number)).why for number in range(4)] == [None] * 2 + ["too many came within an hour"] * 2
    assert len(world.events()) == 2
    other = world.mail()
    assert world.receive(report(world.token(other))).effect is Effect.SUPPRESS
    assert world.receive(leaving).effect is Effect.LEAVE
    assert world.receive(leaving + b"again").why == "too many came within an hour"  # it can do nothing more
    assert world.receive(b"From: a@example.net\n\n", recipient=f"leave+{'0' * 40}@in.example.org").why is not None


def test_what_strangers_write_leaves_room_for_answers_to_our_mails(
    world: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "MOST_A_DAY", 5)
    monkeypatch.setattr(replies, "KEPT_FOR_ANSWERS", 3)
    strangers = [world.answer(str(number), delivery=900_000 + number).effect for number in range(4)]
    assert strangers == [Effect.FORWARD] * 2 + [Effect.NONE] * 2
    proven = [world.answer(f"ours {number}").effect for number in range(4)]
    assert proven == [Effect.FORWARD] * 3 + [Effect.NONE]
    with session_scope(world.engine) as session:
        numbers = {row.what: row.number for row in session.scalars(select(InboundTally))}
    assert (numbers[Tally.FORWARDED], numbers[Tally.NOT_FORWARDED]) == (5, 3)


def test_an_answer_to_a_mail_of_which_too_much_came_is_among_those_that_did_not_go_on(
    world: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returned, "MOST_OF_ONE", 2)
    assert [world.answer(str(number)).effect for number in (0, 1, 2, 2)] == [Effect.FORWARD] * 2 + [Effect.NONE] * 2
    with session_scope(world.engine) as session:
        numbers = {row.what: row.number for row in session.scalars(select(InboundTally))}
    assert (numbers[Tally.FORWARDED], numbers[Tally.NOT_FORWARDED]) == (2, 2)


def test_who_has_one_person_s_mails_cannot_take_the_room_that_is_kept_for_answers(
    world: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "MOST_A_DAY", 8)
    monkeypatch.setattr(replies, "KEPT_FOR_ANSWERS", 6)
    monkeypatch.setattr(replies, "MOST_OF_ONE", 3)
    mails = [world.delivery, world.mail(), world.mail()]
    effects = [world.answer(str(number), delivery=mails[number % 3]).effect for number in range(7)]
    assert effects == [Effect.FORWARD] * 5 + [Effect.NONE] * 2  # the last two of them in the room of all
    with session_scope(world.engine) as session:
        liv = make_subscriber(session, email="liv@example.net")
        campaign = session.scalars(select(Campaign)).all()[0]
        theirs = deliver(session, campaign, liv, S.SENT).id
        notice = Notice(NoticeKind.CONFIRM, token="x", words={"lists": "Alerts"})
        of_form = notices.owe(session, notice, language="en", address="eva@example.net")
    assert world.answer(delivery=of_form).effect is Effect.NONE  # anybody can have such sent
    assert [world.answer(str(n), delivery=theirs).effect for n in range(4)] == [Effect.FORWARD] * 3 + [Effect.NONE]


def test_the_mail_with_the_numbers_says_how_many_went_on(world: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "KEPT_FOR_ANSWERS", replies.MOST_A_DAY - 1)
    for number in range(3):
        world.answer(str(number), delivery=900_000 + number)
    with session_scope(world.engine) as session:
        for row in session.scalars(select(InboundTally)):
            row.since -= timedelta(days=1)
    with session_scope(world.engine) as session:
        replies.tell_of_too_many(session, TO)
        (owed,) = notices_owed(session)
        assert (said(owed).words["forwarded"], said(owed).words["dropped"]) == ("1", "2")


def test_answers_to_a_mail_leave_room_for_what_programs_tell_of_it_and_these_for_answers(
    world: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returned, "MOST_OF_ONE", 2)
    away = f"From: {ANA}\nTo: bounce+{world.token()}@in.example.org\nAuto-Submitted: auto-replied\n\nAway {{}}\n"
    for number in range(3):
        world.answer(str(number))
        world.receive(away.format(number).encode())
    kinds = [kind for kind, _ in world.events()]
    assert sorted(kinds) == sorted([Kind.REPLY, Kind.AUTO_REPLY] * 2)
    assert world.bounce().effect is Effect.SUPPRESS


def test_in_a_flood_of_answers_to_a_mail_its_bounce_is_taken(world: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_AN_HOUR", 0)
    monkeypatch.setattr(limits, "MOST_LOOKED_INTO", 0)
    monkeypatch.setattr(returned, "MOST_OF_ONE", 1)
    written = answer(world.token()), answer(world.token(), "more")
    to_it = f"bounce+{world.token()}@in.example.org"
    whys = [world.receive(each, recipient=to_it, sender=ANA).why for each in written]
    assert whys == [None, "too many came within an hour"]
    assert world.receive(report(world.token()), recipient=to_it, sender="").effect is Effect.SUPPRESS


def test_in_a_flood_an_answer_to_the_sender_s_address_is_taken_if_it_says_which_mail_it_answers(
    world: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_AN_HOUR", 0)
    monkeypatch.setattr(returned, "MOST_OF_ONE", 2)
    written = f"From: Ana <{ANA}>\nTo: alerts@example.org\nSubject: Re: Free\n{{}}\nI wrote, {{}}\n"
    answers = f"In-Reply-To: <{message_id(world)}>\n"
    to = {"recipient": "alerts@example.org", "sender": ANA}
    outcomes = [world.receive(written.format(answers, number).encode(), **to) for number in range(3)]
    assert [each.effect for each in outcomes] == [Effect.FORWARD] * 2 + [Effect.NONE]
    assert world.receive(written.format("", 3).encode(), **to).why == "too many came within an hour"


@pytest.mark.parametrize(
    ("headers", "sender", "taken"),
    [
        ('Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n', "", 1),
        ("Auto-Submitted: auto-replied\n", ANA, 2),
        ('Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n', ANA, 0),
        ("", ANA, 2),
    ],
)
def test_in_a_flood_whoever_has_a_mail_of_ours_has_no_more_taken_than_is_kept(
    world: Answered, monkeypatch: pytest.MonkeyPatch, headers: str, sender: str, taken: int
) -> None:
    monkeypatch.setattr(limits, "MOST_AN_HOUR", 0)
    monkeypatch.setattr(limits, "MOST_LOOKED_INTO", 0)
    monkeypatch.setattr(returned, "MOST_OF_ONE", 2)
    parts = {
        "delivery-status": f"Final-Recipient: rfc822; {ANA}\nAction: failed\nStatus: 5.1.1",
        "disposition-notification": "Disposition: manual-action/MDN-sent-manually; displayed",
    }
    part = "".join(
        f"--b\nContent-Type: message/{each}\n\n{parts[each]}\n\n--b--\n" for each in parts if each in headers
    )

    def how_many(address: str) -> int:
        message = f"From: {ANA}\nTo: {address}\nSubject: Re: Free\n{headers}\n{part or 'Dear all'}\n{{}}\n"
        whys = [world.receive(message.format(n).encode(), recipient=address, sender=sender).why for n in range(5)]
        return 5 - whys.count("too many came within an hour")

    assert how_many(f"bounce+{world.token()}@in.example.org") == taken
    assert how_many(f"bounce+{world.token(900_000)}@in.example.org") == 0  # of a mail that is not there any more
    to_leave = links.sign(world.keyring, Link.UNSUBSCRIBE, world.subscription)
    if part:  # it is no wish to leave
        assert how_many(f"leave+{to_leave}@in.example.org") == 0


def test_in_a_flood_what_gives_back_a_mail_of_ours_is_taken_wherever_it_comes_once(
    world: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_AN_HOUR", 0)
    dropped = "too many came within an hour"
    bare = {"recipient": "bounce@in.example.org", "sender": "feedback@mailbox.example.com"}
    assert world.receive(feedback_report("0" * 40), **bare).why == dropped
    assert world.receive(feedback_report(world.token()), **bare).effect is Effect.SUPPRESS
    assert world.receive(feedback_report(world.token()) + b"again", **bare).why == dropped
    monkeypatch.setattr(limits, "MOST_LOOKED_INTO", 2)
    assert world.receive(feedback_report(world.token(world.mail())), **bare).why == dropped  # two were


# --- what may go wrong -----------------------------------------------------------------------------------------------


def test_a_worker_that_dies_before_the_answer_was_handed_over_loses_and_doubles_nothing(
    world: Answered, engine: Engine, server: MailServer, send: Callable[[], None], worker: Worker
) -> None:
    world.answer()
    with session_scope(engine) as session:
        campaign_id = notices.campaign(session).id
    batch = ledger.claim(engine, campaign_id, worker="gone", journal="gone.journal", lease=timedelta(seconds=-1))
    assert batch is not None
    housekeeping.tidy(engine)
    assert len(world.kept()) == 1  # it is on its way still
    ledger.close(engine, batch)  # as its journal has it: nothing was begun
    send()
    send()
    assert len(server.received) == 1
    assert world.owed() == [(S.SENT, None)]


def test_whose_outcome_nobody_learned_is_unknown_and_not_sent_again(
    world: Answered, server: MailServer, send: Callable[[], None]
) -> None:
    server.behaviour.dot = lambda _: None
    world.answer()
    with suppress(SmtpUnavailable):
        send()
    assert world.owed() == [(S.UNKNOWN, Reason.CONNECTION_LOST)]
    housekeeping.tidy(world.engine)
    assert world.kept() == []
    send()
    assert len(server.received) == 1


def test_who_is_erased_takes_their_answer_along(world: Answered, server: MailServer, send: Callable[[], None]) -> None:
    world.answer()
    world.receive(answer(world.token(987_654), f"of nobody, who writes about {ANA}", sender="eva@example.net"))
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
    (kept,) = world.kept()
    assert b"of nobody" in kept
    assert world.events() == []
    send()
    assert sorted(world.owed()) == sorted([(S.SKIPPED, Reason.ERASED), (S.SENT, None)])
    assert len(server.received) == 1


@pytest.mark.parametrize("sender", ["Liv@Example.net", "other@example.net"])
def test_who_never_was_on_a_list_takes_along_what_they_answered_to_a_mail_that_a_form_had_us_send(
    world: Answered, server: MailServer, send: Callable[[], None], sender: str
) -> None:
    with session_scope(world.engine) as session:
        notice = Notice(NoticeKind.CONFIRM, token="x", words={"lists": "Alerts"})
        asked = notices.owe(session, notice, language="en", address="liv@example.net")
        session.get_one(Delivery, asked).state = S.SENT
        notices.forget_settled(session)
    world.receive(answer(world.token(asked), sender=sender, headers="Reply-To: Liv <LIV@example.net>\r\n"))
    with session_scope(world.engine) as session:
        subscribers.erase(session, "liv@example.net")
    assert world.kept() == []
    send()
    assert (world.owed(), server.received) == ([(S.SKIPPED, Reason.ERASED)], [])


def test_an_answer_whose_key_is_lost_keeps_nobody_from_being_erased(world: Answered) -> None:
    world.answer(delivery=987_654)
    with session_scope(world.engine) as session:
        session.execute(update(Reply).values(message=type_coerce(b"lost", LargeBinary)))
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_an_answer_that_comes_while_its_writer_is_erased_goes_nowhere(world: Answered) -> None:
    outcomes: list[Outcome] = []
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
        answering = Beside(lambda: outcomes.append(world.answer()))
        answering.must_wait()
    answering.result()
    assert [(outcome.effect, outcome.why) for outcome in outcomes] == [
        (Effect.NONE, "whose mail it is about was erased at this moment")
    ]
    assert (world.owed(), world.kept(), world.events()) == ([], [], [])


def test_right_before_an_answer_is_sent_it_is_seen_that_its_writer_was_erased(world: Answered) -> None:
    world.answer()
    with session_scope(world.engine) as session:
        campaign_id = notices.campaign(session).id
    batch = ledger.claim(world.engine, campaign_id, worker="w", journal="a.journal", lease=timedelta(seconds=30))
    assert batch is not None
    (claimed,) = batch.deliveries
    assert isinstance(recipients.look_up(world.engine, batch, batch.deliveries).recipients[claimed.id], Recipient)
    with session_scope(world.engine) as session:
        subscribers.erase(session, ANA)
    assert recipients.look_up(world.engine, batch, batch.deliveries).recipients[claimed.id] is Reason.ERASED


def test_what_cannot_be_handed_over_for_a_week_is_dropped(
    world: Answered, server: MailServer, send: Callable[[], None]
) -> None:
    world.answer()
    for days, is_kept in ((7, True), (8, False)):
        with session_scope(world.engine) as session:
            session.execute(update(Reply).values(day=utcnow() - timedelta(days=days)))
        housekeeping.tidy(world.engine)
        assert bool(world.kept()) is is_kept
    send()
    assert (world.owed(), server.received) == ([(S.SKIPPED, Reason.ERASED)], [])


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("stage", ["mail", "rcpt", "dot"])
def test_answers_that_are_refused_hold_up_no_other_mail_and_their_words_are_told_nowhere(
    world: Answered, server: MailServer, send: Callable[[], None], stage: str
) -> None:
    refusal = f"554 5.7.1 {WORDS} is spam"

    def answered(text: str) -> str:
        is_one = text in ("", READER) or "MAIL FROM:<>" in text
        return refusal if is_one else "250 ok"

    setattr(server.behaviour, stage, answered if stage != "dot" else lambda to: refusal if READER in to else "250 ok")
    for number in range(25):
        world.answer(str(number), delivery=900_000 + number)
    with session_scope(world.engine) as session:
        session.execute(update(Delivery).values(draw=Delivery.id))
        notices.owe(session, notices.Notice(notices.NoticeKind.CONFIRM, "0" * 40), language="en", address=ANA)
    send()
    assert world.owed() == [(S.FAILED, Reason.POLICY)] * 25
    assert [mail.recipient for mail in server.received] == [ANA]
    with session_scope(world.engine) as session:
        texts = session.scalars(select(Delivery.smtp_text).where(Delivery.purpose == Purpose.REPLY)).all()
    assert set(texts) == {"5.7.1"}


def test_an_answer_that_was_damaged_fails_alone(
    world: Answered, session: Session, server: MailServer, send: Callable[[], None]
) -> None:
    world.answer()
    world.answer("whole", delivery=987_654)
    first = select(Reply.key).where(Reply.subscriber_id.is_not(None)).scalar_subquery()
    session.execute(update(Reply).where(Reply.key == first).values(message=type_coerce(b"\2\0broken", LargeBinary)))
    session.commit()
    send()
    assert sorted(world.owed()) == sorted([(S.FAILED, Reason.UNREADABLE), (S.SENT, None)])
    assert len(server.received) == 1


def test_a_reader_who_left_a_list_gets_answers_all_the_same(
    world: Answered, server: MailServer, send: Callable[[], None], keyring: Keyring
) -> None:
    with session_scope(world.engine) as session:
        suppression.add(session, keyring.blind_index(READER), SuppressionReason.LEFT)
    world.answer()
    send()
    assert len(server.received) == 1


def test_an_answer_makes_no_event_that_lasts_longer_than_others(world: Answered) -> None:
    world.answer()
    with session_scope(world.engine) as session:
        session.execute(update(MailEvent).values(day=utcnow() - returned.KEPT - timedelta(days=1)))
    housekeeping.tidy(world.engine)
    assert world.events() == []
    assert [(kind, number) for (_, kind, _), number in world.numbers().items()] == [(Kind.REPLY, 1)]


def test_several_at_once_stay_within_a_day_s_number(world: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "MOST_A_DAY", 3)
    monkeypatch.setattr(replies, "KEPT_FOR_ANSWERS", 0)
    with ThreadPoolExecutor(4) as threads:
        answers = [partial(world.answer, str(number), delivery=900_000 + number) for number in range(8)]
        effects = [each.result().effect for each in [threads.submit(one) for one in answers]]
    assert sorted(effects) == sorted([Effect.FORWARD] * 3 + [Effect.NONE] * 5)
