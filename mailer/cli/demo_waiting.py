"""Waiting for what the demo's workers do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from mailer.cli.installation import Installation
from mailer.errors import MailerError

T = TypeVar("T")

_WAIT_SECONDS = 300
_POLL_SECONDS = 0.1


class TookTooLong(MailerError):
    """The demo waited {seconds} seconds for {what}, in vain. The reason is in {log}"""


def wait_for(what: str, look: Callable[[Session], T | None], *, installation: Installation, log: Path) -> T:
    """Look into the database until something is there.

    :param what: it is, in words.
    :param look: returns it, or None as long as it is not there.
    :param log: what the workers say.
    :raises TookTooLong: it was not there in time.
    """
    end = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < end:
        with installation.session(read_only=True) as session:
            found = look(session)
        if found is not None:
            return found
        time.sleep(_POLL_SECONDS)
    raise TookTooLong(seconds=_WAIT_SECONDS, what=what, log=log)
