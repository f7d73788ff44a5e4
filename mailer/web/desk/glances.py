"""Glances: a page that is open asks for its moving part every two seconds. Whoever looks on is looked up as often in
this process, however many pages they have open.

So a page that was open may show figures for two seconds more, once a session has ended or a role was taken away. A
press never comes this way, nor does anything that a person asks for.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from threading import Lock
from typing import Any

from flask import current_app, request
from flask.sansio.app import App

_SECONDS = 2.0
_MOST = 500  # visits that are kept
_NAME = "glances"


class Glances:
    """Visits by the hash of their secret, each looked up once in two seconds, and never shown for longer."""

    def __init__(self, endpoints: Collection[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        """:param endpoints: of the parts that pages ask for again and again."""
        self._endpoints = frozenset(endpoints)
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    def cover(self, endpoint: str | None, method: str) -> bool:
        """Whether a request is a glance."""
        return method == "GET" and endpoint in self._endpoints

    def get(self, key: bytes, find: Callable[[], Any]) -> Any:
        """The visit of a secret; None if there is none.

        :param key: hash of the secret.
        :param find: looks it up. What it does not find is looked for again the next time.
        """
        now = self._clock()
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        found = find()
        with self._lock:
            self._kept.pop(key, None)
            if found is not None:
                self._kept[key] = (now + _SECONDS, found)  # from before it was looked up
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return found


def keep(app: App, endpoints: Collection[str]) -> None:
    """Have glances be kept.

    :param endpoints: of the parts that pages ask for again and again.
    """
    app.extensions[_NAME] = Glances(endpoints)


def of_request() -> Glances | None:
    """What is kept, if this request is a glance; None for all else, which looks at the truth."""
    glances: Glances = current_app.extensions[_NAME]
    return glances if glances.cover(request.endpoint, request.method) else None
