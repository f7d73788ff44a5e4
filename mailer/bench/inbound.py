"""Mail that comes in: how long it takes to take in a message, and to find out what a large one is."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import select, update

from mailer import links
from mailer.bench import installation
from mailer.bench.installation import Installation
from mailer.delivery import thresholds
from mailer.inbound import receiving
from mailer.inbound.acting import Source
from mailer.inbound.addresses import OwnAddresses
from mailer.links import Link
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import Sessions, session_scope, utcnow
from mailer.store.models import Base, Delivery, DeliveryState, Subscriber, Subscription

#: messages of each kind, each about somebody else's mail
EACH = 200
_BOUNCE, _LEAVE = "bounce+{token}@in.example.org", "leave+{token}@in.example.org"
_LARGE = 2**20

_REPORT = """\
From: Mail Delivery System <mailer-daemon@mx.example.net>
To: {bounce}
Subject: Undelivered mail
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=part

--part
Content-Type: text/plain; charset=utf-8

Your message could not be delivered to {address}.

--part
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {address}
Action: failed
Status: {status}
Diagnostic-Code: smtp; {reply}

--part
Content-Type: text/rfc822-headers

From: Harbour Solidarity <alerts@example.org>
To: {address}
List-Unsubscribe: <mailto:{leave}>
Subject: Free them now

--part--
"""
_COMPLAINT = """\
From: feedback@example.net
To: bounce@in.example.org
Subject: A user called this spam
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=part

--part
Content-Type: text/plain

A user of ours called this spam.

--part
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Loop/1
Version: 1

--part
Content-Type: message/rfc822

Return-Path: <{bounce}>
From: Harbour Solidarity <alerts@example.org>
To: {address}
List-Unsubscribe: <mailto:{leave}>
Subject: Free them now

{text}
--part--
"""
_WORDS = """\
From: MAILER-DAEMON@mx.example.net
To: {bounce}
Subject: failure notice

I was not able to deliver your message to the following address.

<{address}>:
550 no such user here

--- Below this line is a copy of the message.

Return-Path: <{bounce}>
From: Harbour Solidarity <alerts@example.org>
Subject: Free them now

{text}
"""
_ABSENCE = """\
From: {address}
To: {bounce}
Subject: Out of office
Auto-Submitted: auto-replied

I am away until Monday.
"""
_ANSWER = """\
From: {address}
To: {bounce}
Subject: Re: Free them now
In-Reply-To: <1@example.org>

Thank you for writing. I sent the letter today.

> {text}
"""
_WISH = """\
From: {address}
To: {leave}
Subject: unsubscribe

unsubscribe
"""
_UNKNOWN, _FULL = ("5.1.1", "550 5.1.1 no such user here"), ("5.2.2", "552 5.2.2 the mailbox is full")
_TEXT = "\n".join("Two dockers are in prison for a strike that was legal." for _ in range(200))
#: what each kind is called, its message, the envelope's sender, and the status and the reply of a report
_KINDS = (
    ("report: no such user", _REPORT, "", _UNKNOWN),
    ("report: mailbox full", _REPORT, "", _FULL),
    ("no such user, in words", _WORDS, "", _UNKNOWN),
    ("complaint", _COMPLAINT, "feedback@example.net", _UNKNOWN),
    ("wish to leave", _WISH, "reader@example.net", _UNKNOWN),
    ("absence note", _ABSENCE, "", _UNKNOWN),
    ("answer of a person", _ANSWER, "reader@example.net", _UNKNOWN),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """How long messages of one kind took to take in, until what followed was saved."""

    called: str
    seconds: Sequence[float]  # of each, by the clock

    def percentile(self, percent: int) -> float:
        """In seconds: of 100, so many took no longer."""
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


@dataclass(frozen=True, slots=True)
class Inbound:
    """What was measured."""

    database: str
    kinds: Sequence[Taken]
    slowest: float  # seconds of the processor that the slowest message of 1 MiB took to be recognised
    slowest_of: str  # what that one repeats

    @property
    def together(self) -> Taken:
        """Messages of every kind."""
        return Taken("all of them", [seconds for kind in self.kinds for seconds in kind.seconds])


def people(each: int = EACH) -> int:
    """How many an installation must have: the first of a campaign, by whom it is told whether its addresses come of a
    bad import, and those whom the messages are about.

    :param each: messages of each kind.
    """
    return thresholds.FIRST + len(_KINDS) * each


def measure(measured: Installation, database: str, *, each: int = EACH) -> Inbound:
    """Have a campaign go out, and take in what comes back of it, one message after the other.

    :param each: messages of each kind.
    """
    campaign_id = installation.start_campaign(measured).id
    with measured.engine() as engine:
        sessions: Sessions = partial(session_scope, engine)
        addresses = OwnAddresses(keyring_of(engine), unsubscribe_address=_LEAVE, bounce_address=_BOUNCE)
        slowest_of, slowest = max(_large_ones(addresses), key=lambda one: one[1])
        mails = _send(sessions, campaign_id)[thresholds.FIRST :]
        receiving.recognise(
            _ABSENCE.encode(), addresses=addresses
        )  # loads the words of mail servers, as a listener does
        kinds = []
        for number, (called, form, sender, (status, reply)) in enumerate(_KINDS):
            its = mails[number * each : (number + 1) * each]
            messages = [form.format(**mail, status=status, reply=reply, text=_TEXT).encode() for mail in its]
            kinds.append(Taken(called, [_take(sessions, addresses, message, sender) for message in messages]))
    return Inbound(database, kinds, slowest, slowest_of)


def _take(sessions: Sessions, addresses: OwnAddresses, message: bytes, sender: str) -> float:
    began = time.perf_counter()
    receiving.receive(sessions, message, addresses=addresses, source=Source.LMTP, sender=sender)
    return time.perf_counter() - began


def _send(sessions: Sessions, campaign_id: int) -> Sequence[dict[str, str]]:
    """Have a campaign be sent; returns what a message about each of its mails may hold."""
    table = Base.metadata.tables["deliveries"]
    ended = {"state": DeliveryState.SENT, "fence": 1, "attempts": 1}
    theirs = (
        select(Delivery.id, Subscription.id, Subscriber.email)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Delivery.campaign_id == campaign_id)
        .order_by(Delivery.id)
    )
    with sessions() as session:
        keyring = keyring_of(session)
        of_campaign = table.c.campaign_id == campaign_id
        session.connection().execute(update(table).where(of_campaign).values(**ended, settled_at=utcnow()))
        later = {"settled_at": utcnow() + timedelta(seconds=1)}
        first = select(table.c.id).where(of_campaign).order_by(table.c.id).limit(thresholds.FIRST)
        session.connection().execute(update(table).where(of_campaign, table.c.id.not_in(first)).values(**later))
        mails = [
            {
                "bounce": _BOUNCE.format(token=links.sign(keyring, Link.BOUNCE, delivery)),
                "leave": _LEAVE.format(token=links.sign(keyring, Link.UNSUBSCRIBE, subscription)),
                "address": address,
            }
            for delivery, subscription, address in session.execute(theirs)
        ]
        db.analyze(session, Delivery)
    return mails


# --- large messages -------------------------------------------------------------------------------------------------

_HEAD = b"From: MAILER-DAEMON@example.net\nReturn-Path: <>\nSubject: failure notice\n"
_ROOMS = (
    b"\n",
    b"Content-Type: text/html\n\n<html>",
    b"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@example.net\nDiagnostic-Code: ",
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: quoted-printable\n\n",
    b"X-Header: ",
)
_PIECES = (
    *(b"a", b" ", b"\n", b"a@b.c ", b"<", b"(", b"550 ", b"user unknown ", b"5.1.", b"=", b"=?utf-8?q?x?= ", b"> "),
    *(b"Final-Recipient: x\n", b"Action: failed\n\n", b"<a ", b"&amp;", b"http://a ", b"\x1b$B", b"\xff", b"--b\n\n"),
    *(b"bounce+" + b"0" * 40 + b"@in.example.org ", b"0" * 32 + b"@x ", b"mailbox ", b"\xe4\xb8\x8d\xe5\xad\x98"),
)


def _large_ones(addresses: OwnAddresses) -> Iterator[tuple[str, float]]:
    """What each message of 1 MiB repeats, and the seconds of the processor that it takes to be recognised."""
    for room in _ROOMS:
        for piece in _PIECES:
            message = (_HEAD + room + piece * (_LARGE // len(piece)))[:_LARGE]
            began = time.process_time()
            receiving.recognise(message, addresses=addresses)
            yield f"`{piece[:20]!r}` behind `{room[:40]!r}`", time.process_time() - began
