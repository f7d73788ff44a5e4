"""gunicorn's threads, made to serve others beside clients that are slow on purpose."""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # gunicorn has no types

#: How long a client may take for a request and its answer. The database may take 15 s of it.
PATIENCE_SECONDS = 30
#: How long a client may take to close a connection that we have closed.
GOODBYE_SECONDS = 1


#: client → how much longer than others its request may take, because somebody is known to send a large file
_longer: dict[int, float] = {}


def be_patient(environ: Mapping[str, Any], seconds: float) -> None:
    """Let a request take its time, where a client sends a large file over a slow line.

    :param environ: of the request; :param seconds: more than others have.
    """
    client = environ.get("gunicorn.socket")
    if client is not None:
        _longer[id(client)] = seconds


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # likewise
    """Gives each client a thread, and some time, but not all the time there is.

    By itself gunicorn reads from a client for as long as that sends a byte now and then. And its main thread, which
    takes in everybody else, waits 2 s for each client that leaves a finished connection open (measured with 27.0).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ends: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        self._ends[conn] = time.monotonic() + PATIENCE_SECONDS
        try:
            stays_open = super().handle(conn)
            if stays_open is False:
                _say_goodbye(conn.sock)
            return stays_open
        finally:
            del self._ends[conn]
            _longer.pop(id(conn.sock), None)

    def notify(self) -> None:
        super().notify()
        now = time.monotonic()
        for conn, end in list(self._ends.items()):
            if end + _longer.get(id(conn.sock), 0) < now:
                _hang_up(conn.sock)


def _say_goodbye(client: socket.socket) -> None:
    """Let the client read the answer to its end: what arrives after a close would destroy it (RFC 9112, 9.6)."""
    end = time.monotonic() + GOODBYE_SECONDS
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while (remaining := end - time.monotonic()) > 0:
            client.settimeout(remaining)
            if not client.recv(65536):
                break
    _hang_up(client)


def _hang_up(client: socket.socket) -> None:
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
