"""Mail servers that others wrote, each with a root, a process namespace and files of its own until the end of the test.

Packages of Debian's exclude each other, and only root can have several. A root is made once and kept in `build/`;
what a test writes there goes to a layer above it.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support import debian

SUITE = "bookworm"
_KEPT = Path(__file__).parents[2] / "build" / "servers"
_HOST = "relay.example.org"
_START_SECONDS = 60
_APART = ("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child")
#: $1: the layers from below, $2: a folder for those of the test, $3: what is run there
_IN_A_ROOT = f"""
hostname {_HOST} &&
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root" &&
mount -t proc proc "$2/root/proc" &&
exec chroot "$2/root" /bin/sh -euc "$3"
"""


@dataclass(frozen=True, kw_only=True)
class Relay:
    """A kind of mail server, as it is installed and started.

    Its `script` runs as root, in the root with its packages or, for a program from npm, in a folder of its own beside
    `node_modules`. It listens on port $PORT of 127.0.0.1, takes mail to everybody at example.net and hands it to port
    $SINK there, knows nobody at gone.example.org, and ends by replacing itself with the server (or `sleep`, if that
    goes to the background).
    """

    name: str
    debian: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    script: str


@contextmanager
def running(relay: Relay, folder: Path, *, sink: int) -> Iterator[int]:
    """A relay, until the end of the block; yields its port. Skips the test where it cannot be had.

    :param folder: empty, for what it writes; `log` is what it says.
    :param sink: the port where it hands over what it took.
    """
    command = _in_a_root(relay, folder) if relay.debian else _in_a_folder(relay, folder)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    path = "/usr/sbin:/usr/bin:/sbin:/bin" if relay.debian else os.environ["PATH"]
    variables = {"PATH": path, "PORT": str(port), "SINK": str(sink)}
    log = folder / "log"
    with log.open("wb") as output:
        # All that it starts lies in a namespace, and ends with the first process there.
        process = subprocess.Popen(
            [*_APART, *command],
            env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            _wait_until_it_greets(process, port, log)
            yield port
        finally:
            if process.poll() is None:
                # The kernel would kill it with its parent, but not if it has changed its user since: prctl(2).
                for first in psutil.Process(process.pid).children() or [process]:
                    first.kill()
                process.wait(10)


def _in_a_root(relay: Relay, folder: Path) -> list[str]:
    for name in ("upper", "work", "root"):
        (folder / name).mkdir()
    return ["sh", "-c", _IN_A_ROOT, "sh", str(_root(relay.debian)), str(folder), relay.script]


def _in_a_folder(relay: Relay, folder: Path) -> list[str]:
    (folder / "node_modules").symlink_to(_node_modules(relay.npm))
    return ["sh", "-euc", f'cd "$0" && {relay.script}', str(folder)]


def _root(packages: tuple[str, ...]) -> Path:
    """The folder of a small Debian with some packages, made if need be: half a minute and 200 MB."""
    _require_root()
    folder = _KEPT / "-".join((SUITE, *packages))
    if not folder.exists():
        program = debian.program("mmdebstrap", package="mmdebstrap")
        with _made_whole(folder) as unfinished:
            _install([program, "--variant=apt", f"--include={','.join(packages)}", SUITE, str(unfinished)])
            (unfinished / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {_HOST} relay\n")
            (unfinished / "etc" / "resolv.conf").write_text("")  # nobody in there finds a way out
    return folder


def _node_modules(packages: tuple[str, ...]) -> Path:
    _require_root()
    npm = debian.program("npm", package="npm")
    folder = _KEPT / "-".join(("npm", *packages))
    if not folder.exists():
        with _made_whole(folder) as unfinished:
            _install([npm, "install", "--no-audit", "--prefix", str(unfinished), *packages])
    return folder / "node_modules"


@contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name when that is done."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    _KEPT.mkdir(parents=True, exist_ok=True)
    yield unfinished
    unfinished.rename(folder)


def _install(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        _skip(f"{' '.join(command)}: {done.stderr[-500:]}")


def _require_root() -> None:
    if os.geteuid() != 0 or subprocess.run([*_APART, "true"], capture_output=True, check=False).returncode != 0:
        _skip("only root can start other mail servers, and only where it may make namespaces")


def _skip(reason: str) -> None:
    say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    say(reason)


def _wait_until_it_greets(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                if connection.recv(3) == b"220":
                    connection.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        said = log.read_text(errors="replace")[-3000:]
        assert process.poll() is None, f"it ended with {process.returncode}:\n{said}"
        assert time.monotonic() < give_up, f"it does not answer:\n{said}"
        time.sleep(0.1)
