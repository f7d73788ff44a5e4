"""`mailer inbound fetch`: messages are taken out of a mailbox."""

import hashlib
import logging
import sys
from functools import partial

import click

from mailer.cli.installation import Installation, pass_installation
from mailer.errors import ConfigurationError
from mailer.inbound import fetching, receiving
from mailer.inbound.acting import Source
from mailer.inbound.addresses import OwnAddresses
from mailer.inbound.fetching import Fetched
from mailer.mail.mailboxes import opening
from mailer.mail.mailboxes.imap_session import Secret
from mailer.mail.mailboxes.remembered import Remembered, alone_with
from mailer.mail.mailboxes.types import ImapFolder, MaildirFolder
from mailer.operations import logs, mailboxes
from mailer.operations.stopping import Stop

_FOLDER = "mailboxes"  # in the data directory

log = logging.getLogger(__name__)


@click.command()
@click.option("--once", is_flag=True, help="Look once, and end. By default it looks every minute, until told to stop.")
@pass_installation
def fetch(installation: Installation, once: bool) -> None:
    """Take what comes back out of the mailbox of MAILER_INBOUND_URL.

    A message that is about a mail of ours leaves the mailbox when all that follows from it is saved; every other stays
    in it, unread. If the mailbox or the database is away, it waits, and tries again. On SIGTERM or Ctrl-C, it finishes
    what it has begun, and ends.
    """
    logs.configure(json=not sys.stderr.isatty())
    settings = installation.settings
    place = settings.inbound_place
    opens = place if isinstance(place, MaildirFolder) else (place, mailboxes.secret_of(settings, place))
    addresses = settings.own_addresses
    if not addresses.any:
        problem = "is not set, nor MAILER_UNSUBSCRIBE_ADDRESS: nothing would be known to be ours"
        raise ConfigurationError("MAILER_BOUNCE_ADDRESS", problem, "bounce+{token}@example.org")
    _ = installation.engine  # refuses a database of another version
    stop = Stop().listen()
    with alone_with(settings.make_data_dir() / _FOLDER, _name(place)) as remembered:
        look = partial(_look, installation, opens, remembered, addresses, stop)
        if once:
            fetched = look()
            if not (fetched.handled or fetched.left):
                log.info("nothing new in the mailbox")
        else:
            fetching.poll(look, stop=stop)


def _look(
    installation: Installation,
    place: MaildirFolder | tuple[ImapFolder, Secret],
    remembered: Remembered,
    addresses: OwnAddresses,
    stop: Stop,
) -> Fetched:
    """:raises MailboxUnavailable: see `fetching.fetch`, and so for the database."""
    disposal, most_bytes = installation.settings.inbound_disposal, receiving.MAX_BYTES
    source = Source.MAILDIR if isinstance(place, MaildirFolder) else Source.IMAP
    with opening.opened(place, remembered, disposal=disposal, most_bytes=most_bytes) as mailbox:
        return fetching.fetch(installation.session, mailbox, addresses=addresses, source=source, is_stopped=stop)


def _name(place: MaildirFolder | ImapFolder) -> str:
    """Tells what is remembered of one mailbox from what is of others, and does not tell whose it is."""
    return hashlib.sha256(place.identity.encode()).hexdigest()[:16]
