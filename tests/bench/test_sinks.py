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
    seconds, each = 0.2, 5
    with running_sink(answer_seconds=seconds) as port:
        desk = Desk([outgoing(number) for number in range(4 * each)])
        pipeline = Pipeline(Server(HOST, port), connections=4)
        began = time.monotonic()
        pipeline.send(desk)
        took = time.monotonic() - began
        pipeline.close()
    assert desk.kinds == [OutcomeKind.SENT] * 4 * each
    assert each * seconds <= took < 3 * each * seconds  # one after another it would be 4 times as long


@pytest.mark.parametrize("answer_seconds", [0.0, 0.01])
def test_every_client_can_speak_to_it(answer_seconds: float) -> None:
    with running_sink(answer_seconds=answer_seconds) as port, smtplib.SMTP(HOST, port) as client:
        assert client.sendmail("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\n.\r\nbody\r\n") == {}
