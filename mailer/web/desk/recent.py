"""What was worked out a moment ago, kept in this process: however many look, it is worked out once."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar, cast

from flask import current_app

from mailer.delivery.renderings import Renderings

T = TypeVar("T")
_SECONDS = 2.0
#: what took long is kept for so many times as long: to count a million mails takes as much of a processor, however fast
#: pages ask
_AS_LONG = 60
_LONGEST_SECONDS = 30.0
_MOST = 500  # values that are kept


class _Made(NamedTuple):
    """A value, and between which monotonic seconds it is good."""

    value: Any
    at: float
    until: float


class _Kept:
    """A value, and who works it out."""

    __slots__ = ("made", "making")

    def __init__(self) -> None:
        self.making = Lock()
        self.made: _Made | None = None  # none: it was never worked out


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
        return cast(T, self._get(key, make, anew=anew).value)

    def get_until(self, key: Hashable, make: Callable[[], T]) -> tuple[T, float]:
        """The value of a key, and until when it is good, in monotonic seconds: in the past, while somebody else works
        it out anew. The parameters are those of `get`."""
        made = self._get(key, make)
        return cast(T, made.value), made.until

    def peek(self, key: Hashable, *, seconds: float) -> T | None:
        """The value of a key, if it was worked out lately; nothing is worked out.

        :param seconds: how long ago at most.
        """
        with self._lock:
            kept = self._kept.get(key)
        made = kept.made if kept is not None else None
        return cast(T, made.value) if made is not None and self._clock() - made.at <= seconds else None

    def _get(self, key: Hashable, make: Callable[[], T], *, anew: bool = False) -> _Made:
        kept = self._of(key)
        if anew:
            with kept.making:
                return self._make(kept, make)
        last = kept.made
        if last is not None and self._is_good(last):
            return last
        if not kept.making.acquire(blocking=last is None):
            return cast(_Made, last)
        try:
            last = kept.made
            if last is not None and self._is_good(last):  # somebody else has worked it out meanwhile
                return last
            return self._make(kept, make)
        finally:
            kept.making.release()

    def _make(self, kept: _Kept, make: Callable[[], T]) -> _Made:
        begun = self._clock()
        value = make()
        now = self._clock()
        made = _Made(value, now, now + min(max(_SECONDS, self._as_long * (now - begun)), _LONGEST_SECONDS))
        kept.made = made
        return made

    def _of(self, key: Hashable) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
            return kept

    def _is_good(self, made: _Made) -> bool:
        return self._clock() < made.until


def recent(what: str, *, as_long: float = _AS_LONG) -> Recent[Any]:
    """What this process keeps of one kind.

    :param what: names it.
    :param as_long: as for `Recent`.
    """
    return cast("Recent[Any]", current_app.extensions.setdefault(f"recent {what}", Recent(as_long=as_long)))


def renderings() -> Renderings:
    """What of mails was rendered lately in this process."""
    return cast(Renderings, current_app.extensions.setdefault("renderings", Renderings()))
