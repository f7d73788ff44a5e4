"""A message that has come in and was read, before anything is locked for what follows."""

from dataclasses import dataclass
from datetime import datetime

from mailer.inbound.acting import Source
from mailer.mail.feedback.types import Feedback


@dataclass(frozen=True, slots=True)
class Received:
    """What is known of it."""

    data: bytes  # RFC 5322, or anything
    feedback: Feedback
    source: Source
    key: bytes  # what tells it from every other of its source
    now: datetime
    came_at: datetime | None = None  # into the mailbox where it lies, if that is known
    content: bytes = b""  # of a reply, as `sameness.digest`
    words: str | None = None  # as `unread.words_of`, if it is to be kept because nobody could tell what it is
