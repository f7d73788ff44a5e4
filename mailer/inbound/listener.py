"""The inbox that mail servers hand messages to over LMTP or SMTP: each goes the way of every other that comes in."""

from mailer.inbound import receiving
from mailer.inbound.acting import Source
from mailer.inbound.addresses import OwnAddresses
from mailer.mail.smtp_taking import Dialect
from mailer.store.db import Sessions

_NOTICE = b"From: mailer-daemon@example.org\nSubject: failure notice\n\n550 no such user\n"


class Letterbox:
    """Takes what comes to our own addresses, and nothing else."""

    reads = receiving.MAX_BYTES

    def __init__(self, sessions: Sessions, addresses: OwnAddresses) -> None:
        """:param sessions: opens a transaction on the database, in any thread."""
        self._sessions, self._addresses = sessions, addresses
        receiving.recognise(_NOTICE, addresses=addresses)  # loads the words of mail servers before anybody waits

    def expects(self, recipient: str) -> bool:
        """Whether an address has the form of one of ours."""
        return self._addresses.are_asked_for(recipient)

    def take(self, message: bytes, *, recipient: str, sender: str, dialect: Dialect) -> None:
        """As `receiving.receive`.

        :raises DatabaseUnavailable: nothing was saved.
        """
        receiving.receive(
            self._sessions,
            message,
            addresses=self._addresses,
            source=Source(dialect.value),
            recipient=recipient,
            sender=sender,
        )
