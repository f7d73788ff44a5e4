"""What was worked out a moment ago, kept in this process: however many look, it is worked out once."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar, cast

from flask import current_app

from mailer.delivery.renderings import Renderings

T = TypeVar("T")
_SECONDS = 2.0
#: what took long is kept for so many times as long: to count a million mails takes as much of a processor, however fast
#: pages ask
_AS_LONG = 60
_LONGEST_SECONDS = 30.0
_MOST = 500  # values that are kept


class _Kept:
    """A value, and who works it out."""

    __slots__ = ("made_at", "making", "until", "value")

    def __init__(self) -> None:
        self.making = Lock()
        self.made_at: float | None = None  # none: it was never worked out
        self.until: float | None = None  # likewise
        self.value: Any = None


class Recent(Generic[T]):
    """Values by key, each worked out once in two seconds, or less often if that takes long. While one does so anew, the
    others get the last one; where there is none they wait."""

    def __init__(self, *, as_long: float = _AS_LONG, clock: Callable[[], float] = time.monotonic) -> None:
        """:param as_long: for how many times as long as it took a value is kept, if that is more than two seconds."""
        self._as_long = as_long
        self._clock = clock
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T], *, anew: bool = False) -> T:
        """The value of a key.

        :param key: everything that the value depends on, but for time.
        :param make: works it out. What it raises passes, and nothing is kept then.
        :param anew: do so in any case, for whoever has just pressed something; others get it, too.
        """
        kept = self._of(key)
        if anew:
            with kept.making:
                return self._make(kept, make)
        if self._is_good(kept):
            return cast(T, kept.value)
        if not kept.making.acquire(blocking=kept.until is None):
            return cast(T, kept.value)
        try:
            if not self._is_good(kept):  # else somebody else has worked it out meanwhile
                return self._make(kept, make)
            return cast(T, kept.value)
        finally:
            kept.making.release()

    def peek(self, key: Hashable, *, seconds: float) -> T | None:
        """The value of a key, if it was worked out lately; nothing is worked out.

        :param seconds: how long ago at most.
        """
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or kept.made_at is None or self._clock() - kept.made_at > seconds:
            return None
        return cast(T, kept.value)

    def _make(self, kept: _Kept, make: Callable[[], T]) -> T:
        begun = self._clock()
        made = make()
        now = self._clock()
        good = min(max(_SECONDS, self._as_long * (now - begun)), _LONGEST_SECONDS)
        kept.value, kept.made_at, kept.until = made, now, now + good
        return made

    def _of(self, key: Hashable) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
            return kept

    def _is_good(self, kept: _Kept) -> bool:
        return kept.until is not None and self._clock() < kept.until


def recent(what: str, *, as_long: float = _AS_LONG) -> Recent[Any]:
    """What this process keeps of one kind.

    :param what: names it.
    :param as_long: as for `Recent`.
    """
    return cast("Recent[Any]", current_app.extensions.setdefault(f"recent {what}", Recent(as_long=as_long)))


def renderings() -> Renderings:
    """What of mails was rendered lately in this process."""
    return cast(Renderings, current_app.extensions.setdefault("renderings", Renderings()))
