"""The web server itself, over real sockets: who is slow, who is rude, and who lies keeps nobody else from the site."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mailer.cli.run import _GUNICORN
from mailer.store.crypto import Key
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY

PROJECT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef0123456789abcdef01234567"


class Server:
    """gunicorn as the Procfile starts it, with few threads and little patience."""

    def __init__(self, port: int, log: Path) -> None:
        self._port = port
        self._log = log

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + 30
        while True:
            try:
                assert b" 200 OK" in self.get("/healthz")
            except OSError:
                assert time.monotonic() < end, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def logged(self) -> str:
        """All that it logged about requests, after another was answered."""
        assert b" 200 OK" in self.get("/healthz")
        return self._log.read_text().partition("Listening at")[2].partition("\n")[2]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=10)

    def say(self, request: bytes) -> bytes:
        """Send something and read until the server hangs up."""
        with self.connect() as client:
            return say(client, request)

    def get(self, path: str, headers: str = "") -> bytes:
        return self.say(f"GET {path} HTTP/1.1\r\nHost: act.example.org\r\n{headers}Connection: close\r\n\r\n".encode())


def say(client: socket.socket, request: bytes) -> bytes:
    client.sendall(request)
    answer = b""
    while part := client.recv(65536):
        answer += part
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), sqlite_template, "server.PATIENCE_SECONDS = 6") as server:
        yield server


@contextmanager
def serving(folder: Path, sqlite_template: Path, patience: str) -> Iterator[Server]:
    shutil.copyfile(sqlite_template, folder / "tocsin.db")
    port = free_port()
    configuration = folder / "gunicorn.conf.py"
    configuration.write_text(
        (PROJECT / "gunicorn.conf.py").read_text()
        + f"from mailer.web import server\n{patience}\nworkers = 1\nthreads = 4\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "MAILER_DATA_DIR": str(folder),
        "MAILER_BASE_URL": "https://act.example.org",
        "MAILER_SECRET_KEYS": str(SECRET_KEY),
        "MAILER_LINK_KEYS": str(LINK_KEY),
        "MAILER_INDEX_KEY": str(Key(id="x", secret=INDEX_KEY)).partition(":")[2],
    }
    command = ["gunicorn", "--config", str(configuration), "--bind", f"127.0.0.1:{port}", "wsgi:app"]
    log = folder / "server.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, cwd=folder, stderr=stderr, start_new_session=True
        )
    try:
        server = Server(port, log)
        server.wait()
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def answers(server: Server) -> bool:
    return b" 200 OK" in server.get("/healthz")


def is_open(client: socket.socket) -> bool:
    """Whether the server has neither answered nor hung up."""
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        client.settimeout(10)


def test_others_are_served_beside_clients_that_trickle(server: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(3)]
        for client in slow:
            client.sendall(b"POST / HTTP/1.1\r\nHost: act.example.org\r\nContent-Length: 1000\r\n\r\n")
        for client in slow:
            client.sendall(b"a")
        assert answers(server)
        assert all(is_open(client) for client in slow)  # beside them, not after them


def is_waited_for(client: socket.socket) -> bool:
    """Whether the server, which has said all that it has to say, still listens."""
    try:
        client.sendall(b"X")
        client.settimeout(0.2)
        return client.recv(1) == b"" and client.send(b"X") == 1
    except OSError:
        return False


def test_clients_that_trickle_on_and_on_are_hung_up_on(server: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(6)]  # more than there are threads
        end = time.monotonic() + 30
        open_ones = set(slow)
        while open_ones and time.monotonic() < end:
            for client in list(open_ones):
                try:
                    client.sendall(b"X")
                    client.settimeout(0.01)
                    if not client.recv(1):
                        open_ones.remove(client)
                except TimeoutError:
                    pass
                except OSError:
                    open_ones.remove(client)
            time.sleep(0.1)
        assert not open_ones
        assert answers(server)


def test_clients_that_never_hang_up_keep_nobody_waiting(tmp_path: Path, sqlite_template: Path) -> None:
    patience = "server.PATIENCE_SECONDS = server.GOODBYE_SECONDS = 600"
    with serving(tmp_path, sqlite_template, patience) as server, ExitStack() as stack:
        rude = [stack.enter_context(server.connect()) for _ in range(3)]  # fewer than there are threads
        for client in rude:
            answer = say(client, b"GET /healthz HTTP/1.1\r\nHost: act.example.org\r\nConnection: close\r\n\r\n")
            assert b" 200 OK" in answer
        assert answers(server)
        assert all(is_waited_for(client) for client in rude)  # beside them, not after the 2 s that gunicorn gives each


def test_ten_megabytes_are_refused_before_they_are_sent(server: Server) -> None:
    head = b"POST / HTTP/1.1\r\nHost: act.example.org\r\nContent-Length: 10485760\r\n\r\n"
    with server.connect() as client:
        client.sendall(head + b"a" * 1000)
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_who_sends_ten_megabytes_all_the_same_reads_why_they_are_refused(server: Server) -> None:
    body = b"email=" + b"a" * 10_485_754
    head = f"POST / HTTP/1.1\r\nHost: act.example.org\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with server.connect() as client:
        client.sendall(head.encode())
        try:
            client.sendall(body)
        except OSError:
            pytest.skip("this machine's buffers are too small to see the answer")
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert answers(server)


def in_chunks(body: bytes, *, size: int = 8192) -> bytes:
    """A form as a client sends it that does not say how long it is."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    head = (
        b"POST / HTTP/1.1\r\nHost: act.example.org\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(("length", "status"), [(1_000, 422), (65_536, 422), (65_537, 413), (1_000_000, 413)])
def test_a_form_that_comes_in_chunks_is_taken_whole_or_refused(server: Server, length: int, status: int) -> None:
    answer = server.say(in_chunks(b"email=".ljust(length, b"a")))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert answers(server)


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\nemail=\r\n", b"6\r\nemail=a\r\n", b"6;=\r\nemail=\r\n", b"6\r\nemail=\r\n0\r\nbad trailer\r\n\r\n"],
    ids=["size", "end", "extension", "trailer"],
)
def test_a_broken_chunk_gets_a_400_and_one_line_of_the_log(server: Server, chunks: bytes) -> None:
    before = server.logged()
    answer = server.say(in_chunks(b"").partition(b"0\r\n\r\n")[0] + chunks)
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    new = server.logged().removeprefix(before).splitlines()
    assert [line.partition("an invalid request was refused")[1] for line in new] == ["an invalid request was refused"]
    assert answers(server)


def test_who_hangs_up_within_a_chunk_leaves_one_line_of_the_log(server: Server) -> None:
    before = server.logged()
    with server.connect() as client:
        client.sendall(in_chunks(b"email=a")[:-8])
        client.shutdown(socket.SHUT_WR)
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert len(server.logged().removeprefix(before).splitlines()) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 10_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad\0Name: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nName: a\0b\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
    ],
    ids=["path", "header", "headers", "nul-name", "nul-value", "bytes", "lengths", "negative", "both", "tls", "words"],
)
def test_what_is_no_request_gets_a_short_answer_and_names_nobody_in_the_log(
    server: Server, request_bytes: bytes
) -> None:
    with server.connect() as client:
        try:
            answer = say(client, request_bytes)
        except ConnectionResetError:  # it hung up while we were still sending
            answer = b""
    assert re.match(rb"HTTP/1\.1 4\d\d |$", answer), answer[:200]
    logged = server.logged()
    assert "127.0.0.1" not in logged
    assert logged.count("an invalid request was refused") == logged.count("WARNING")


@pytest.mark.parametrize(
    "header",
    [
        "SCRIPT_NAME: //evil.example.com",
        "Script-Name: //evil.example.com",
        "PATH_INFO: /static/site.css",
        "X-Forwarded-Host: evil.example.com",
        "X-Forwarded-Prefix: //evil.example.com",
        "X-Forwarded-Proto: gopher",
        "Forwarded: host=evil.example.com;proto=http",
        "X-Original-URL: /static/site.css",
    ],
)
def test_no_header_moves_the_site_elsewhere(server: Server, header: str) -> None:
    def page(headers: str = "") -> bytes:
        answer = server.get("/no/such/page", headers)
        return re.sub(rb"Date: [^\r]*", b"", answer)

    assert page(f"{header}\r\n") == page()


def test_no_link_of_anybody_is_logged(server: Server) -> None:
    for path in (f"/confirm/{TOKEN}", f"/unsubscribe/{TOKEN}?email=ana@example.org", f"/manage/{TOKEN}"):
        server.get(path)
    server.say(f"GET /confirm/{TOKEN} HTTP/1.1 extra\r\nHost: x\r\n\r\n".encode())
    server.say(f"GET /confirm/{TOKEN} HTTP/1.1\r\nHost: x\r\nReferer:\0\r\n\r\n".encode())
    logged = server.logged()
    assert TOKEN not in logged
    assert "example.org" not in logged


def test_one_machine_runs_the_same_server() -> None:
    assert str(PROJECT / "gunicorn.conf.py") in _GUNICORN
    procfile = (PROJECT / "Procfile").read_text()
    assert re.search(r"^web: gunicorn (?!.*(--config|--worker-class|--access-logfile))", procfile, re.MULTILINE)
