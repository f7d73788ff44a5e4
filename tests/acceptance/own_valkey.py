"""A Valkey of a test's own, to be killed and started again."""

from contextlib import ExitStack
from pathlib import Path

import psutil
from redis import Redis

from mailer.trial.valkey import embedded_valkey
from tests.acceptance.system import kill_together


class OwnValkey:
    """A Valkey of the test's own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._socket = folder / "valkey.sock"
        self._stack = stack
        self.url = ""
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        self.url = self._stack.enter_context(embedded_valkey(self._socket))

    def kill(self) -> None:
        """`kill -9`."""
        with Redis.from_url(self.url) as connection:
            number = connection.info()["process_id"]
        kill_together([psutil.Process(number)])
