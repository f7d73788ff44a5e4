"""A server that issues tokens over https, for tests: it writes down what it is asked for."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

#: how it answers: code, headers, body
Answer = tuple[int, dict[str, str], bytes]


def json_answer(code: int = 200, **fields: object) -> Answer:
    return code, {"Content-Type": "application/json"}, json.dumps(fields).encode()


class _Server(ThreadingHTTPServer):
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in a thread of its own."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)


class TokenServer:
    """One that answers as a test says."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        """:param context: with its certificate; None for http, as only Dovecot asks here."""
        self.asked: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, str]], Answer] = lambda _: json_answer(
            access_token=f"token-{len(self.asked)}", expires_in=3600, token_type="Bearer"
        )
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def do_GET(self) -> None:
                self._reply(self.path.partition("?")[2])

            def _reply(self, form: str) -> None:
                server.asked.append(dict(parse_qsl(form)))
                code, headers, body = server.answer(server.asked[-1])
                self.send_response(code)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.tls = context
        self.port = self._server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}/token"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def issuing(context: ssl.SSLContext | None) -> Iterator[TokenServer]:
    """One, until the end of the block."""
    server = TokenServer(context)
    try:
        yield server
    finally:
        server.close()
