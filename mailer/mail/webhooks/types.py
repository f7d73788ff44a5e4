"""The terms of webhooks: who posts, what is posted, and what one event says."""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mailer.errors import MailerError, ServiceUnavailable
from mailer.mail.feedback.types import Feedback

#: what one post may weigh
MAX_BYTES = 2**20
#: A provider tries again for hours after an outage of ours; what is signed and older may be somebody's copy.
OLDEST = timedelta(hours=48)


class Provider(enum.StrEnum):
    """Who takes our mails, and says what became of them."""

    SES = "ses"  # Amazon SES, by SNS
    SENDGRID = "sendgrid"
    MAILGUN = "mailgun"
    POSTMARK = "postmark"
    BREVO = "brevo"
    SPARKPOST = "sparkpost"


class Unproven(MailerError):
    """Nothing proves that the provider sent it: {why}."""


class Malformed(MailerError):
    """It is nothing that a provider sends: {why}."""


class ProofAway(ServiceUnavailable):
    """What proves who sent it could not be fetched: {problem}. The provider will send it again."""


@dataclass(frozen=True, slots=True)
class Post:
    """What came in a request."""

    body: bytes  # as it was sent
    headers: Mapping[str, str]  # their names in lower case

    def header(self, name: str) -> str:
        """A header's value; "" without it."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Report:
    """One event of which a provider tells, not yet known to be about a delivery of ours."""

    feedback: Feedback
    key: str  # the same however often the event is posted, and of no other
    token: str = ""  # what we put into the mail for the provider to give back
    sender: str = ""  # the envelope sender of the mail
    message_id: str = ""
    must_be_kept: bool = False  # its key, even if nothing follows: whoever has it could post something else under it


class Hook(Protocol):
    """Reads what one provider posts."""

    def read(self, post: Post, *, now: datetime) -> Sequence[Report]:
        """The events in a post that tell something, after it is proved that the provider sent it.

        :raises Unproven: it is not.
        :raises Malformed: it is no JSON.
        :raises ProofAway: that cannot be found out now.
        """


#: fetches a page of a provider, given its https address
Fetch = Callable[[str], bytes]


def is_fresh(sent: datetime, now: datetime) -> bool:
    """Whether something that was signed at a time is neither too old nor from the future."""
    return abs(now - sent) <= OLDEST
