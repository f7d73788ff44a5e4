"""What a message that came back can be, and what it can mean."""

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What a message is."""

    UNSUBSCRIBE = "unsubscribe"  # somebody wants to leave
    FORGED = "forged"  # would leave, with a token that nobody signed
    COMPLAINT = "complaint"  # somebody called our mail spam
    REPORT = "report"  # of a machine about our signatures (RFC 6591)
    BOUNCE = "bounce"  # our mail was not delivered
    DELAYED = "delayed"  # not yet; the server goes on trying
    DELIVERED = "delivered"  # a receipt of a mail server
    AUTO_REPLY = "auto_reply"  # an answer that nobody wrote
    REPLY = "reply"  # a person's
    OTHER = "other"  # nothing of ours: receipts of reading, challenges, what goes to many, that our mail is no spam
    UNREADABLE = "unreadable"  # no message at all


class Effect(enum.StrEnum):
    """What follows for the person whom a message is about."""

    SUPPRESS = "suppress"  # at once
    COUNT = "count"  # one more of those that suppress when they add up
    LEAVE = "leave"  # that subscription ends
    FORWARD = "forward"  # goes to an organiser
    NONE = "none"  # recorded at most


class Category(enum.StrEnum):
    """Why a mail was refused or came back."""

    NO_MAILBOX = "no_mailbox"  # nobody has that address
    NO_DOMAIN = "no_domain"  # its domain does not exist, or takes no mail
    DISABLED = "disabled"  # locked, suspended, unused for long
    FULL = "full"
    TEMPORARY = "temporary"  # given up after trying for long
    UNDETERMINED = "undetermined"  # it does not say
    RATE = "rate"  # too much in too short a time
    POLICY = "policy"  # a blocklist, or a rule of that server
    CONTENT = "content"  # what the mail says or carries
    AUTH = "auth"  # SPF, DKIM, DMARC, names of our server
    SIZE = "size"
    RELAY = "relay"  # that server takes no mail for that domain
    US = "us"  # our sender's address or account

    @property
    def permanent(self) -> bool:
        """Whether the address itself is gone."""
        return self in (Category.NO_MAILBOX, Category.NO_DOMAIN)

    @property
    def effect(self) -> Effect:
        """What one such bounce does to the address."""
        if self is Category.NO_MAILBOX:
            return Effect.SUPPRESS
        return Effect.COUNT if self in _COUNTED else Effect.NONE


_COUNTED = (Category.NO_DOMAIN, Category.DISABLED, Category.FULL, Category.TEMPORARY, Category.UNDETERMINED)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a mail server's answer means."""

    category: Category
    status: str | None  # enhanced status code (RFC 3463)
    rule: str  # what decided, in words


@dataclass(frozen=True, slots=True)
class Fate:
    """What a report says of one recipient."""

    address: str  # the one that was written to, as far as the report tells
    original: str | None  # as the report names it whom the mail was first sent to
    final: str | None  # whom it was sent to in the end, where that is another address
    action: str | None  # "failed", "delayed" and so on (RFC 3464)
    meaning: Meaning

    @property
    def has_failed(self) -> bool:
        """Whether the mail did not arrive, and nobody tries again; so it is where a report does not say."""
        return self.action not in ("delayed", "delivered", "relayed", "expanded")


class Identified(enum.StrEnum):
    """How it is known whose delivery a message is about."""

    ENVELOPE = "envelope"  # by where it was sent to
    RETURNED = "returned"  # by the mail that it gives back
    MESSAGE_ID = "message_id"  # by what every answer to the mail names, so whoever gets one could make it up
    NONE = "none"  # it acts on nobody


#: the rule by which a message is of kind `other` and no rule knows it
NOTHING_KNOWN = "nothing known"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a message is, about whom, and what follows."""

    kind: Kind
    rule: str  # how that is known, in words
    effect: Effect = Effect.NONE
    meaning: Meaning | None = None  # of bounces, delays and deliveries
    recipients: tuple[Fate, ...] = ()
    addresses: tuple[str, ...] = ()  # whom a complaint names
    delivery: int | None = None
    subscription: int | None = None
    identified_by: Identified = Identified.NONE
    is_unproven: bool = False  # only what it says that it answers names the delivery: that acts on nobody
    leaves_all: bool = False  # a wish to leave means every list, and not that of the subscription alone

    @property
    def category(self) -> Category | None:
        """Why a mail came back; None for anything else."""
        return self.meaning.category if self.meaning and self.kind is Kind.BOUNCE else None

    @property
    def tells_nothing(self) -> bool:
        """Whether it is known what it is, and that this tells nothing of people or mails: a receipt of reading, say."""
        return self.kind is Kind.OTHER and self.rule != NOTHING_KNOWN
