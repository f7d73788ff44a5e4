"""Answers to glances, given again before the rest of the site hears of them.

Fifty pages that are open ask twenty-five times a second. What they are shown is made once in two seconds; to have each
of them walk through the whole site for it costs twice as much as the server that reads and writes them.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, request

from mailer.organisers import desk_sessions
from mailer.web.desk import cookies, glances
from mailer.web.desk.visit import Visit, visit

_DESK = "/desk/"
# In the environment of a request: until when others may be given what it was, and for whom that was made. Who asks may
# have lost a role meanwhile.
_UNTIL, _VISIT = "tocsin.answer_until", "tocsin.answer_visit"
_LONGEST = 200  # characters of what an answer is kept by; no page of ours asks with more
_MOST = 500  # answers that are kept


def may_be_given_until(end: float) -> None:
    """Let the answer to this request be given to everybody who asks the same, and may and reads the same.

    :param end: monotonic seconds.
    """
    request.environ[_UNTIL] = end
    request.environ[_VISIT] = visit()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: str
    headers: list[tuple[str, str]]
    body: bytes
    until: float


class Answers:
    """Stands before the site, and gives what was given a moment ago to whoever asks the same. Who that is was looked up
    in these two seconds: see `glances`."""

    def __init__(
        self, site: WSGIApplication, app: Flask, *, https: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """:param site: what answers all else; :param app: whose glances they are.
        :param https: whether the site has its cookies by that alone.
        """
        self._site, self._app, self._https, self._clock = site, app, https, clock
        self._kept: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or not environ.get("PATH_INFO", "").startswith(_DESK):
            return self._site(environ, start_response)
        known = self._find(self._key(environ, self._visit(environ)))
        if known is not None:
            start_response(known.status, [*known.headers])
            return [known.body]
        return self._ask(environ, start_response)

    def _ask(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        heard: list[tuple[str, list[tuple[str, str]]]] = []

        def hear(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            heard.append((status, headers))
            return start_response(status, headers, *error)

        given = self._site(environ, hear)
        until = environ.get(_UNTIL)
        if until is None:
            return given
        try:
            body = b"".join(given)
        finally:
            getattr(given, "close", _nothing)()  # WSGI: what has this wants it to be called
        key = self._key(environ, environ[_VISIT])
        if key is not None:
            self._keep(key, _Answer(*heard[-1], body, until))
        return [body]

    def _visit(self, environ: WSGIEnvironment) -> Visit | None:
        """Who asks; None if they have to be looked up."""
        secret = cookies.session_secret_in(environ, https=self._https)
        return glances.of(self._app).known(desk_sessions.hash_of(secret)) if secret else None

    def _key(self, environ: WSGIEnvironment, who: Visit | None) -> Hashable | None:
        """All that an answer depends on, but for time; None if nothing is kept for them, or by what they ask with."""
        names = ("PATH_INFO", "QUERY_STRING", "HTTP_IF_NONE_MATCH", "HTTP_ACCEPT_LANGUAGE")
        asked = [environ.get(name, "") for name in names]
        if who is None or sum(map(len, asked)) > _LONGEST:
            return None
        return (who.language, str(who.zone), who.permissions, *asked)

    def _find(self, key: Hashable | None) -> _Answer | None:
        with self._lock:
            found = self._kept.get(key)
        return found if found is not None and self._clock() < found.until else None

    def _keep(self, key: Hashable, answer: _Answer) -> None:
        with self._lock:
            self._kept[key] = answer
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)


def _nothing() -> None:
    pass
