"""The site's own server, with one process that answers and dies at the point that a test has chosen."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import psutil

from mailer.bench.sinks import free_port
from mailer.organisers import desk_sessions
from tests.acceptance.system import System
from tests.support.waiting import LONG, wait_until

_PROJECT = Path(__file__).parents[2]


@contextmanager
def serving(system: System, folder: Path) -> Iterator[int]:
    """Run it, with one process that answers; another takes its place when it is killed. Yields its port."""
    configuration = folder / "gunicorn.conf.py"
    configuration.write_text(
        (_PROJECT / "gunicorn.conf.py").read_text()
        + "from pathlib import Path\nfrom tests.acceptance.dying import Death\n"
        + f"death = Death(Path({str(folder)!r}))\ndeath.listen()\npre_request = death.begin\n"
        + "workers, threads = 1, 4\n"
    )
    port, log = free_port(), folder / "site.log"
    command = ["gunicorn", "--config", str(configuration), "--bind", f"127.0.0.1:{port}", "wsgi:app"]
    environment = system.environment | {"PYTHONPATH": str(_PROJECT)}
    with log.open("wb") as said:
        site = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, cwd=folder, stderr=said, start_new_session=True
        )
    try:
        wait_until(lambda: site.poll() is not None or _answers(port))
        assert site.poll() is None, log.read_text()
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(site.pid, signal.SIGKILL)
        site.wait(timeout=20)


def kill_what_answers(port: int) -> None:
    """`kill -9` the process that answers on a port, whatever it is doing; another takes its place."""
    listening = [each for each in psutil.process_iter() if _listens(each, port)]
    for process in listening:
        with suppress(psutil.NoSuchProcess):
            if process.parent() in listening:  # not the one that starts it again
                process.kill()
                process.wait(LONG)


def _listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in process.net_connections())
    return False


# --- what an organiser does there -----------------------------------------------------------------------------------


def headers_of(secret: str) -> dict[str, str]:
    """What a browser sends with each request.

    :param secret: of a session at the desk.
    """
    return {"Host": "act.example.org", "Cookie": f"__Secure-desk={secret}", "Sec-Fetch-Site": "same-origin"}


def press(port: int, secret: str, path: str, fields: Mapping[str, str]) -> int | None:
    """Send a form of the desk; returns the status of the answer, None if there was none."""
    form = urlencode({"form_token": desk_sessions.form_token(secret), **fields})
    headers = headers_of(secret) | {"Content-Type": "application/x-www-form-urlencoded"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)) as connection:
        try:
            connection.request("POST", f"/desk{path}", form, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    with closing(connection), suppress(OSError):
        connection.request("GET", "/healthz", headers={"Host": "act.example.org"})
        return connection.getresponse().status == 200
    return False
