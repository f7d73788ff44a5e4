"""Opening whichever mailbox is set."""

from collections.abc import Iterator
from contextlib import contextmanager

from mailer.mail.mailboxes.maildir import Maildir
from mailer.mail.mailboxes.remembered import Remembered
from mailer.mail.mailboxes.types import Disposal, Mailbox, MaildirFolder


@contextmanager
def opened(place: MaildirFolder, remembered: Remembered, *, disposal: Disposal, most_bytes: int) -> Iterator[Mailbox]:
    """A mailbox, until the end of the block.

    :param remembered: what stays in it though it was looked at.
    :param most_bytes: of each message that are read.
    :raises MailboxUnavailable: it cannot be used.
    """
    yield Maildir(place.path, remembered, disposal=disposal, most_bytes=most_bytes)
