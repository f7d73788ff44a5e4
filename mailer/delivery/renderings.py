"""What was rendered and compiled lately in this process, for whoever looks at mails before they are sent."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from mailer.campaigns import editions
from mailer.delivery import composing


class Renderings:
    """Editions, so that nobody who looks at a campaign waits for them to be made again. They are found by all that they
    depend on: what has changed is made anew. Several threads may ask."""

    def __init__(self, most: int = 128) -> None:
        """:param most: editions that are kept; one takes about 100 kB."""
        self._most = most
        self._kept: tuple[OrderedDict[object, Any], ...] = (OrderedDict(), OrderedDict())
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, session: Session) -> Iterator[None]:
        """Have nothing made again in a session, and keep what is made in it."""
        used: tuple[dict[object, Any], ...] = (editions.rendered(session), composing.compiled(session))
        with self._lock:
            for made, kept in zip(used, self._kept, strict=True):
                made.update(kept)
        yield
        with self._lock:
            for made, kept in zip(used, self._kept, strict=True):
                kept.update((content, made[content]) for content in made.keys() - kept.keys())
                while len(kept) > self._most:
                    kept.popitem(last=False)
