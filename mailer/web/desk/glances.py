"""Glances: a page that is open asks for its moving part every two seconds. Whoever looks on is looked up as often in
this process, however many pages they have open; and all who look on are looked up together, at the cost of one.

So a page that was open may show figures for two seconds more, once a session has ended or a role was taken away. A
press never comes this way, nor does anything that a person asks for.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from flask import current_app, request
from flask.sansio.app import App

_SECONDS = 2.0
# Whoever has not asked for so long has closed the page, or hidden it. Not sooner: each process hears of one request in
# as many as there are processes, by chance, and looks all up once more for whom it has left out.
_GONE_SECONDS = 30.0
_MOST = 500  # visits that are kept
_NAME = "glances"


@dataclass(slots=True)
class _Kept:
    visit: Any
    until: float
    used: float


class Glances:
    """Visits by the hash of their secret, each looked up once in two seconds, and never shown for longer."""

    def __init__(self, endpoints: Collection[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        """:param endpoints: of the parts that pages ask for again and again."""
        self._endpoints = frozenset(endpoints)
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._lock = Lock()
        self._renewing = Lock()

    def cover(self, endpoint: str | None, method: str) -> bool:
        """Whether a request is a glance."""
        return method == "GET" and endpoint in self._endpoints

    def get(
        self,
        key: bytes,
        find: Callable[[], Any],
        find_again: Callable[[Mapping[bytes, Any]], Mapping[bytes, Any]],
    ) -> Any:
        """The visit of a secret; None if there is none.

        :param key: hash of the secret.
        :param find: looks it up. What it does not find is looked for again the next time.
        :param find_again: looks up anew all that it is given, by their keys; what it leaves out is no more.
        """
        is_known, visit = self._good(key)
        if visit is not None:
            return visit
        if not is_known:
            now = self._clock()
            found = {key: find()}
            self._keep(found, now)
            return found[key]
        with self._renewing:
            _, visit = self._good(key)
            if visit is not None:  # somebody else has looked up all of them meanwhile
                return visit
            now = self._clock()
            known = self._of_those_who_look_on(now)
            found = dict.fromkeys(known) | dict(find_again(known))
            self._keep(found, now)
            return found.get(key)

    def known(self, key: bytes) -> Any:
        """The visit of a secret that was looked up in these two seconds; None if none was."""
        return self._good(key)[1]

    def _good(self, key: bytes) -> tuple[bool, Any]:
        """Whether a secret is known, and its visit if that is good for a while."""
        now = self._clock()
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return False, None
            kept.used = now
            return True, kept.visit if now < kept.until else None

    def _of_those_who_look_on(self, now: float) -> dict[bytes, Any]:
        with self._lock:
            return {key: kept.visit for key, kept in self._kept.items() if now - kept.used < _GONE_SECONDS}

    def _keep(self, found: Mapping[bytes, Any], now: float) -> None:
        """:param now: a moment before they were looked up."""
        with self._lock:
            for key, visit in found.items():
                before = self._kept.pop(key, None)
                if visit is not None:
                    self._kept[key] = _Kept(visit, now + _SECONDS, before.used if before else now)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)


def keep(app: App, endpoints: Collection[str]) -> None:
    """Have glances be kept.

    :param endpoints: of the parts that pages ask for again and again.
    """
    app.extensions[_NAME] = Glances(endpoints)


def of(app: App) -> Glances:
    """What an app keeps."""
    kept: Glances = app.extensions[_NAME]
    return kept


def of_request() -> Glances | None:
    """What is kept, if this request is a glance; None for all else, which looks at the truth."""
    kept = of(current_app)
    return kept if kept.cover(request.endpoint, request.method) else None
