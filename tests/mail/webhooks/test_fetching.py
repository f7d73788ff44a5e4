"""A page of a provider is fetched over verified TLS, in a short time, and from where it was asked for alone."""

import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mailer.mail.webhooks import fetching
from mailer.mail.webhooks.types import ProofAway
from tests.support.certificates import Certificates, make_certificates


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]  # of the server below
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/page")
            self.end_headers()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        try:
            if self.path == "/endless":
                while True:
                    self.wfile.write(b"x" * 65536)
            if self.path == "/slow":
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            self.wfile.write(b"a page")
        except OSError:
            return  # whoever asked has heard enough

    def log_message(self, *_args: object) -> None:
        return


class _Server(ThreadingHTTPServer):
    def __init__(self, certificates: Certificates) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.asked: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_args: object) -> None:
        return  # a client that does not trust us hangs up

    def at(self, path: str) -> str:
        return f"https://127.0.0.1:{self.server_port}{path}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    server = _Server(certificates)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_is_fetched_with_its_query(server: _Server) -> None:
    assert fetching.fetch(server.at("/page?a=1&b=2")) == b"a page"
    assert server.asked == ["/page?a=1&b=2"]


def test_a_redirect_is_followed_nowhere(server: _Server) -> None:
    with pytest.raises(ProofAway, match="302"):
        fetching.fetch(server.at("/moved"))
    assert server.asked == ["/moved"]


def test_what_is_no_page_is_none(server: _Server) -> None:
    with pytest.raises(ProofAway, match="404"):
        fetching.fetch(server.at("/missing"))


def test_a_page_that_never_ends_is_given_up(server: _Server) -> None:
    with pytest.raises(ProofAway, match="too long"):
        fetching.fetch(server.at("/endless"))


def test_a_page_that_comes_too_slowly_is_given_up(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SECONDS", 0.3)
    with pytest.raises(ProofAway):
        fetching.fetch(server.at("/slow"))


def test_whose_certificate_is_not_trusted_is_not_asked(
    server: _Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(make_certificates(tmp_path).authority))
    with pytest.raises(ProofAway, match="certificate"):
        fetching.fetch(server.at("/page"))
    assert server.asked == []


def test_who_is_away_is_away(server: _Server) -> None:
    free = server.server_port
    server.server_close()
    with pytest.raises(ProofAway):
        fetching.fetch(f"https://127.0.0.1:{free}/page")
