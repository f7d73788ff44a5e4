"""A worker: the terms on which one process claims and sends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mailer.mail.sender import Sender
from mailer.people.organisers import NOBODY, Organisers


def _at_once() -> float:
    return 0.0


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who claims, and on what terms."""

    name: str  # host and process, for the operator
    lease: timedelta
    journals: Path  # folder of this host's journals
    sender: Sender
    organisers: Organisers = NOBODY  # who hears when a campaign is held
    stopping: Callable[[], bool] = _never  # asked before each message
    pace: Callable[[], float] = _at_once  # seconds to wait before the next message; 0 takes one from the allowance
