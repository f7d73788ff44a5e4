"""Makes it cheap to have a database engine of one's own in each test: what is the same for all is worked out once."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.util import LRUCache

from mailer.store import crypto
from mailer.store.crypto import Keyring

_MOST_STATEMENTS = 2000


@contextmanager
def shared_statements() -> Iterator[None]:
    """Let all engines of this process have their compiled statements in common, as one engine of a program that runs
    for long has them from one request to the next.

    A third of what tests took of a processor went into compiling the same statements again.
    """
    dialects: dict[Hashable, Dialect] = {}  # what is compiled belongs to a dialect, and a dialect has the keys
    statements: LRUCache[Any, Any] = LRUCache(_MOST_STATEMENTS)
    attach = crypto.attach

    def share(engine: Engine, keyring: Keyring) -> None:
        for keys in [keys for keys, dialect in dialects.items() if dialect is engine.dialect]:
            del dialects[keys]  # who gives an engine other keys than it had keeps it to themselves
        attach(engine, keyring)
        own = engine.dialect
        keys = (own.name, keyring.secret_keys, keyring.link_keys, keyring.blind_index(""))
        engine._compiled_cache = statements
        if keys in dialects:
            engine.dialect = engine.pool._dialect = dialects[keys]
            cast(Any, own).initialize = _know_all
        else:
            # A dialect learns of its server at the first connection.
            event.listen(engine, "connect", lambda *_: dialects.setdefault(keys, own))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crypto, "attach", share)
        yield


def _know_all(_connection: Any) -> None:
    """There is no need to ask the server what another dialect knows."""
