"""Two programs at once, in an order that a test decides."""

from collections.abc import Callable
from threading import Thread

_WAITING_SECONDS = 0.3
_END_SECONDS = 20


class Beside:
    """Something that goes on beside the test, started at once."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._problem: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as problem:  # noqa: BLE001  # raised again where the test asks for the result
            self._problem = problem

    def must_wait(self) -> None:
        """Give it time to end, and insist that it did not."""
        self._thread.join(_WAITING_SECONDS)
        assert self._thread.is_alive(), f"it did not wait: {self._problem or 'it is done'}"

    def result(self) -> None:
        """Wait for its end; raises what it raised."""
        self._thread.join(_END_SECONDS)
        assert not self._thread.is_alive(), "it waits for ever"
        if self._problem is not None:
            raise self._problem
