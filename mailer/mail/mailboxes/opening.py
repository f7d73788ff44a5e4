"""Opening whichever mailbox is set."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from mailer.mail.mailboxes import imap_session
from mailer.mail.mailboxes.imap import Imap
from mailer.mail.mailboxes.imap_session import Secret
from mailer.mail.mailboxes.maildir import Maildir
from mailer.mail.mailboxes.remembered import Remembered
from mailer.mail.mailboxes.types import Disposal, ImapFolder, Mailbox, MaildirFolder


@contextmanager
def opened(
    place: MaildirFolder | tuple[ImapFolder, Secret],
    remembered: Remembered,
    *,
    disposal: Disposal,
    most_bytes: int,
    context: ssl.SSLContext | None = None,
) -> Iterator[Mailbox]:
    """A mailbox, until the end of the block.

    :param place: on an IMAP server, with what proves who we are.
    :param remembered: what stays in it though it was looked at.
    :param most_bytes: of each message that are read.
    :param context: for TLS; by default the system's certificates are trusted.
    :raises MailboxUnavailable: it cannot be used.
    """
    if isinstance(place, MaildirFolder):
        yield Maildir(place.path, remembered, disposal=disposal, most_bytes=most_bytes)
        return
    folder, secret = place
    with imap_session.opened(folder, secret, context=context) as session:
        yield Imap(session, remembered, disposal=disposal, most_bytes=most_bytes)
