"""What mail servers said no to, counted and quoted for an organiser without naming anybody."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.delivery.ledger import audience_of
from mailer.mail import addresses
from mailer.mail.smtp_replies import enhanced_code
from mailer.store.models import Campaign, Delivery, DeliveryState, Purpose, Subscriber

#: kinds of refusal that are shown
_MOST = 10
#: refusals of each state that are looked at: their texts have to be decrypted to be told apart, at 20 µs each
_SAMPLE = 5_000
_REFUSED = (DeliveryState.FAILED, DeliveryState.DEFERRED)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refusal."""

    state: DeliveryState  # deferred or failed
    smtp_code: int | None
    enhanced_code: str | None  # RFC 3463: "5.1.1"
    reason: str | None
    count: int
    is_estimate: bool  # counted in the latest of that state, and projected on all
    example: str | None  # one server's words, without whom they are about

    @property
    def answer(self) -> str:
        """What it is called in a line: "550 5.1.1"."""
        return " ".join(str(part) for part in (self.smtp_code, self.enhanced_code, self.reason) if part)


@dataclass(frozen=True, slots=True)
class TestMail:
    """What became of a test mail."""

    delivery: int
    state: DeliveryState
    reason: str | None
    smtp_code: int | None
    smtp_text: str | None  # without whom it is about
    settled_at: datetime | None
    language: str | None  # that its reader was to have


def refusals(
    session: Session, campaign: Campaign, states: Mapping[DeliveryState, int], *, sample: int | None = None
) -> list[Refusal]:
    """The most frequent refusals of a campaign, the most frequent first.

    :param states: how many deliveries are in each state.
    :param sample: refusals of each state that are looked at; by default 5,000.
    """
    found: list[tuple[int, Refusal]] = []
    for state in _REFUSED:
        if states[state]:
            found += _refusals_in(session, campaign, state, states[state], sample or _SAMPLE)
    found = sorted(found, key=lambda each: -each[1].count)[:_MOST]
    examples = _scrubbed(session, {delivery_id: refusal.example for delivery_id, refusal in found})
    return [replace(refusal, example=examples[delivery_id]) for delivery_id, refusal in found]


def _refusals_in(
    session: Session, campaign: Campaign, state: DeliveryState, total: int, sample: int
) -> list[tuple[int, Refusal]]:
    """Each kind in a state, with the delivery that its example, as the server wrote it, is from."""
    latest = session.execute(
        select(Delivery.id, Delivery.smtp_code, Delivery.reason, Delivery.smtp_text)
        .where(*audience_of(campaign.id), Delivery.state == state)
        .order_by(Delivery.id.desc())
        .limit(sample)
    ).all()
    kinds: dict[tuple[int | None, str | None, str | None], list[tuple[int, str | None]]] = defaultdict(list)
    for delivery_id, smtp_code, reason, text in latest:
        kinds[smtp_code, enhanced_code(text), reason].append((delivery_id, text))
    return [
        (
            alike[0][0],
            Refusal(
                state,
                *kind,
                count=round(total * len(alike) / len(latest)),
                is_estimate=total > len(latest),
                example=alike[0][1],
            ),
        )
        for kind, alike in kinds.items()
    ]


def test_mails(session: Session, campaign: Campaign, *, most: int = 5) -> list[TestMail]:
    """The latest test mails of a campaign, the last one ordered first."""
    rows = session.scalars(
        select(Delivery)
        .where(Delivery.campaign_id == campaign.id, Delivery.purpose == Purpose.TEST)
        .order_by(Delivery.id.desc())
        .limit(most)
    ).all()
    return _told(session, rows)


def test_mails_to(session: Session, campaign: Campaign, address: str, *, most: int = 50) -> list[TestMail]:
    """Likewise those to one address, as `addresses.Address.text`, among the latest 500."""
    latest = (
        select(Delivery)
        .where(Delivery.campaign_id == campaign.id, Delivery.purpose == Purpose.TEST)
        .order_by(Delivery.id.desc())
        .limit(10 * most)
    )
    folded = addresses.parse(address).folded
    theirs = [row for row in session.scalars(latest) if row.address and addresses.parse(row.address).folded == folded]
    return _told(session, theirs[:most])


def _told(session: Session, rows: Sequence[Delivery]) -> list[TestMail]:
    texts = _scrubbed(session, {row.id: row.smtp_text for row in rows})
    return [
        TestMail(row.id, row.state, row.reason, row.smtp_code, texts[row.id], row.settled_at, row.language)
        for row in rows
    ]


def _scrubbed(session: Session, texts: Mapping[int, str | None]) -> dict[int, str | None]:
    """Delivery → what the server said, without the address and the name of the person it is about."""
    people = session.execute(
        select(Delivery.id, Delivery.address, Subscriber.email, Subscriber.name)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.id.in_(list(texts)))
    )
    names = {delivery_id: addresses.names_in(address or email, name) for delivery_id, address, email, name in people}
    return {delivery_id: text and addresses.without(text, names[delivery_id]) for delivery_id, text in texts.items()}
