"""What came back of a campaign's mails: numbers, which name nobody, and small ones are hidden."""

from collections import Counter
from dataclasses import asdict, dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.people import returned
from mailer.people.small_numbers import hide_one
from mailer.store.models import Campaign, MailEvent, MailEventCount

_KINDS = (Kind.BOUNCE, Kind.COMPLAINT, Kind.UNSUBSCRIBE)


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back of a campaign's mails after a server had taken them; None where a number is hidden."""

    permanent: int | None  # nobody has the address, or its domain is gone
    temporary: int | None  # for another reason
    undetermined: int | None  # for a reason that the server does not say
    complaints: int | None  # called spam
    unsubscribed_by_mail: int | None  # left by mail, as far as it is known after which campaign

    def to_json(self) -> dict[str, int | None]:
        """As `status --json` prints it."""
        return asdict(self)

    @property
    def is_nothing(self) -> bool:
        """Whether nothing came back."""
        return not any(number is None or number for number in asdict(self).values())


def count(session: Session, campaign: Campaign) -> Returned:
    """What came back so far, of a campaign and not of its test mails."""
    did_something = or_(MailEvent.kind != Kind.UNSUBSCRIBE, MailEvent.effect == Effect.LEAVE)
    events = session.execute(
        select(MailEvent.kind, MailEvent.category, func.count())
        .where(MailEvent.campaign_id == campaign.id, MailEvent.kind.in_(_KINDS), did_something)
        .where(MailEvent.source != returned.SENDING)
        .group_by(MailEvent.kind, MailEvent.category)
    )
    kept = session.execute(
        select(MailEventCount.kind, MailEventCount.category, func.sum(MailEventCount.number))
        .where(MailEventCount.campaign_id == campaign.id, MailEventCount.kind.in_(_KINDS))
        .group_by(MailEventCount.kind, MailEventCount.category)
    )
    numbers: Counter[str] = Counter()
    for kind, category, number in (*events, *kept):
        numbers[_name(kind, category)] += number
    return Returned(**{name: hide_one(numbers[name]) for name in Returned.__slots__})


def _name(kind: Kind, category: str | None) -> str:
    if kind is not Kind.BOUNCE:
        return "complaints" if kind is Kind.COMPLAINT else "unsubscribed_by_mail"
    if not category or category == Category.UNDETERMINED:
        return "undetermined"
    return "permanent" if Category(category).permanent else "temporary"
