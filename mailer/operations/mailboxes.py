"""What opens the mailbox of the settings, for whatever wants to look into it."""

from mailer.mail.mailboxes.imap_login import Bearer, Password
from mailer.mail.mailboxes.imap_session import Secret
from mailer.mail.mailboxes.types import ImapFolder
from mailer.mail.oauth import Tokens
from mailer.settings import Settings


def secret_of(settings: Settings, place: ImapFolder) -> Secret:
    """What proves to the server who we are.

    :raises ConfigurationError: it is not set, or a file of it cannot be used.
    """
    return Bearer(Tokens(settings.oauth_client)) if place.by_token else Password(settings.inbound_password)
