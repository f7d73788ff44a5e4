"""What is measured: ways of handing messages to a sink. Each runs in a process of its own and says what it cost."""

import smtplib
import socket
from collections.abc import Sequence
from itertools import cycle, islice

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from mailer.bench.installation import Installation
from mailer.bench.meter import Cost, Meter
from mailer.bench.processes import Ready
from mailer.bench.sinks import HOST
from mailer.delivery import sending
from mailer.mail.dkim import SigningKey
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server
from mailer.mail.types import Outgoing

_PIECE = 8192  # octets
_REPLIES = 4  # to a final dot, MAIL, RCPT and DATA


def send_raw(ready: Ready, port: int, messages: Sequence[Outgoing], count: int) -> Cost:
    """(a) The limit: ready bytes through one pipelined connection, and nothing else.

    :param messages: sent over and over, until there have been `count`.
    """
    envelopes = [f"MAIL FROM:<{m.sender}>\r\nRCPT TO:<{m.recipient}>\r\nDATA\r\n".encode() for m in messages]
    following = envelopes[1:] + envelopes[:1]
    writes = [m.data + b".\r\n" + envelope for m, envelope in zip(messages, following, strict=True)]
    with socket.create_connection((HOST, port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _hear(sock, 1)
        sock.sendall(b"HELO bench.example.org\r\n")
        _hear(sock, 1)
        ready()
        meter = Meter()
        sock.sendall(envelopes[0])
        _hear(sock, _REPLIES - 1)
        for write in islice(cycle(writes), count):
            sock.sendall(write)
            _hear(sock, _REPLIES)
        return meter.read()


def _hear(sock: socket.socket, replies: int) -> None:
    while replies > 0:
        data = sock.recv(_PIECE)
        if not data:
            raise ConnectionError("the sink hung up")
        replies -= data.count(b"\n")


def send_by_smtplib(ready: Ready, port: int, messages: Sequence[Outgoing], count: int) -> Cost:
    """(e) The same bytes through the standard library's client, over one connection that is kept open."""
    with smtplib.SMTP(HOST, port) as connection:
        connection.ehlo()
        ready()
        meter = Meter()
        for message in islice(cycle(messages), count):
            connection.sendmail(message.sender, [message.recipient], message.data)
        return meter.read()


def drain(ready: Ready, port: int, installation: Installation, campaign_id: int) -> Cost:
    """(b) The engine: one worker as it is, with ledger, journal and leases, until a campaign has been sent."""
    worker = installation.worker()
    wire = Pipeline(Server(HOST, port), connections=installation.settings.smtp_connections)
    with installation.engine() as engine:
        ready()
        meter = Meter()
        while sending.drain(engine, campaign_id, wire, worker):
            pass
        cost = meter.read()
        wire.close()
    return cost


def sign(ready: Ready, count: int) -> Cost:
    """Bare RSA-2048 signatures, one after another."""
    key = SigningKey("s1", generate_private_key(65537, 2048))
    digest = bytes(32)
    ready()
    meter = Meter()
    for _ in range(count):
        key.sign(digest)
    return meter.read()
