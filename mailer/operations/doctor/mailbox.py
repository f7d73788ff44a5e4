"""The mailbox that what comes back is fetched from: whether it can be opened, and messages can leave it."""

from collections.abc import Mapping

from mailer.mail.mailboxes import imap_session, maildir
from mailer.mail.mailboxes.imap_session import Secret
from mailer.mail.mailboxes.types import ImapFolder, MailboxUnavailable, MaildirFolder, Obstacle
from mailer.operations.doctor.findings import Code, Finding, Level
from mailer.operations.doctor.rounds import Seen

_SECONDS = 10.0

_CODES: Mapping[Obstacle, Code] = {
    Obstacle.CONNECTION: "mailbox-away",
    Obstacle.CERTIFICATE: "mailbox-certificate",
    Obstacle.TOKEN: "mailbox-token",
    Obstacle.LOGIN: "mailbox-login",
    Obstacle.FOLDER: "mailbox-folder",
    Obstacle.CLEARING: "mailbox-full",
}


def look(place: MaildirFolder | tuple[ImapFolder, Secret]) -> Seen:
    """Open the mailbox, and close it again. No message is read or marked.

    :param place: on an IMAP server, with what proves who we are.
    """
    try:
        if isinstance(place, MaildirFolder):
            return Seen(f"{place} can be used, with {maildir.look(place.path):,} new messages in it")
        return _look_on_a_server(*place)
    except MailboxUnavailable as problem:
        where = str(place if isinstance(place, MaildirFolder) else place[0])
        what = f"the mailbox cannot be used: {problem.problem}"
        remedy = f"{problem.remedy} Until then what comes back stays there."
        return Seen(findings=(Finding(Level.ERROR, _CODES[problem.obstacle], where, what, remedy),))


def _look_on_a_server(place: ImapFolder, secret: Secret) -> Seen:
    with imap_session.opened(place, secret, read_only=True, seconds=_SECONDS) as session:
        says = f"{place} answers, log-in taken, {session.count:,} messages in it"
        if session.can_move or session.can_expunge:
            return Seen(says)
    what = "the server can remove no single messages: what was handled stays there, marked as deleted"
    remedy = "Have a mail program remove from time to time what is marked as deleted, or use another provider."
    return Seen(says, (Finding(Level.WARNING, "mailbox-expunge", str(place), what, remedy),))
