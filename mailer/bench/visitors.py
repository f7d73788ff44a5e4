"""Visitors of the site: they come at a steady rate, however long the ones before them wait (an open loop)."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPConnection
from itertools import cycle
from statistics import quantiles
from urllib.parse import urlencode

HOST = "127.0.0.1"
_GIVE_UP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Visits:
    """How one stretch of visits was answered."""

    rate: float  # visits a second, as they came
    seconds: tuple[float, ...]  # of each, from the moment it was due to the last byte of its answer
    answers: Mapping[str, int]  # status → how often; "lost" for none

    def percentile(self, percent: int) -> float:
        """Seconds that so many of a hundred visits took at most."""
        return quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


class _Fields(HTMLParser):
    """The fields of a form with what stands in them: hidden ones, boxes with a value, and what is selected."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.boxes: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and "selected" in given and self._select:
            self.values[self._select] = given.get("value", "")
        elif tag == "input" and given.get("type") == "checkbox":
            self.boxes[given.get("name", "")] = given.get("value", "on")
        elif tag == "input" and given.get("name"):
            self.values[given["name"]] = given.get("value", "")


def fill_in(port: int, path: str, *, boxes: Sequence[str]) -> dict[str, str]:
    """Fetch a form; returns its fields as a browser would send them.

    :param boxes: names of those that are ticked.
    """
    connection = HTTPConnection(HOST, port, timeout=_GIVE_UP_SECONDS)
    connection.request("GET", path)
    fields = _Fields()
    fields.feed(connection.getresponse().read().decode())
    connection.close()
    return fields.values | {name: fields.boxes[name] for name in boxes}


def post_steadily(
    port: int, path: str, forms: Sequence[Mapping[str, str]], *, rate: float, first_visitor: int = 0
) -> Visits:
    """Send forms, each over a connection of its own and from another network.

    :param rate: forms a second.
    :param first_visitor: number of the first, from which the network is made.
    """
    requests = [_post(path, form, first_visitor + number) for number, form in enumerate(forms)]
    return asyncio.run(_visit_steadily(port, requests, rate))


def get_steadily(port: int, paths: Sequence[str], *, rate: float, cookies: Sequence[str] = ()) -> Visits:
    """Ask for pages, likewise.

    :param rate: pages a second.
    :param cookies: of those who ask, one after the other, and again from the first.
    """
    whose = cycle([f"Cookie: {cookie}\r\n" for cookie in cookies] or [""])
    visits = enumerate(zip(paths, whose, strict=False))
    requests = [f"{_head('GET', path, number)}{cookie}\r\n".encode() for number, (path, cookie) in visits]
    return asyncio.run(_visit_steadily(port, requests, rate))


def press_steadily(
    port: int, visits: Sequence[tuple[str, Mapping[str, str]]], *, rate: float, first_visitor: int = 0
) -> Visits:
    """Send forms, each to a page of its own: path and form.

    :param rate: forms a second; `first_visitor` as for `post_steadily`.
    """
    requests = [_post(path, form, first_visitor + number) for number, (path, form) in enumerate(visits)]
    return asyncio.run(_visit_steadily(port, requests, rate))


async def _visit_steadily(port: int, requests: Sequence[bytes], rate: float) -> Visits:
    answers: Counter[str] = Counter()
    began = time.monotonic() + 0.1

    async def visit(number: int) -> float:
        due = began + number / rate
        await asyncio.sleep(due - time.monotonic())
        try:
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                answers[await _exchange(port, requests[number])] += 1
        except (OSError, TimeoutError):
            answers["lost"] += 1
        return time.monotonic() - due

    seconds = await asyncio.gather(*(visit(number) for number in range(len(requests))))
    return Visits(rate=rate, seconds=tuple(seconds), answers=dict(answers))


def _post(path: str, form: Mapping[str, str], visitor: int) -> bytes:
    body = urlencode(form).encode()
    fields = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"{_head('POST', path, visitor)}{fields}".encode() + body


def _head(method: str, path: str, visitor: int) -> str:
    # 2001:db8::/32 is for examples (RFC 3849); each visitor has a /48 of it, since what a /48 sends is limited, too.
    network = f"2001:db8:{visitor & 0xFFFF:x}::1"
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nX-Forwarded-For: {network}\r\n"


async def _exchange(port: int, request: bytes) -> str:
    """Send a request; returns the status of its answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request)
        answer = await reader.read()
    finally:
        writer.close()
    return answer[9:12].decode() or "lost"
