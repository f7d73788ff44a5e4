"""The servers that are measured against."""

import smtplib
import time

import pytest

from mailer.bench.sinks import HOST, running_sink
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server
from mailer.mail.types import OutcomeKind, Outgoing
from tests.mail.desk import Desk


def outgoing(number: int) -> Outgoing:
    return Outgoing(number, "a@example.org", f"p{number}@example.org", b"Subject: x\r\n\r\nbody\r\n")


def test_a_slow_sink_holds_up_one_connection_and_not_the_others() -> None:
    seconds, each, connections = 0.2, 2, 16
    with running_sink(answer_seconds=seconds) as port:
        desk = Desk([outgoing(number) for number in range(connections * each)])
        pipeline = Pipeline(Server(HOST, port), connections=connections)
        began = time.monotonic()
        pipeline.send(desk)
        took = time.monotonic() - began
        pipeline.close()
    assert desk.kinds == [OutcomeKind.SENT] * connections * each
    assert each * seconds <= took < connections * each * seconds  # as long as one after another


@pytest.mark.parametrize("answer_seconds", [0.0, 0.01])
def test_every_client_can_speak_to_it(answer_seconds: float) -> None:
    with running_sink(answer_seconds=answer_seconds) as port, smtplib.SMTP(HOST, port) as client:
        assert client.sendmail("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\n.\r\nbody\r\n") == {}
