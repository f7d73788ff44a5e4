"""A process that is told to stop ends when it has finished what it began, whatever it was doing then."""

import os
import signal
import threading

import pytest

from mailer.operations.stopping import Stop

pytestmark = pytest.mark.usefixtures("kept_signals")


@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_wait_of_an_hour(wish: signal.Signals) -> None:
    stop = Stop().listen()
    assert not stop()
    threading.Timer(0.05, os.kill, (os.getpid(), wish)).start()
    stop.wait(3600)
    assert stop()
