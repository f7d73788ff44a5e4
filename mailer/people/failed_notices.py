"""System notices that failed: why, for as long as somebody may want to know, and never whom they were for.

Who waits for such a mail does not hear of it, nor does anybody else: the log and `mailer notices status` say so.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, LargeBinary, Row, Select, SQLColumnExpression, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.people.notices import FAILED, NAMES_SOMEBODY, Notice, NoticeKind
from mailer.store.crypto import Keyring, UnreadableSecret, keyring_of
from mailer.store.models import ADDRESS, SERVERS_WORDS, Delivery, DeliveryState, Subscriber


class FailedNotice(NamedTuple):
    """All that may be known of a notice that failed, or was refused for now."""

    delivery_id: int
    state: DeliveryState
    kind: NoticeKind | None  # None where that was damaged
    union_id: int | None  # of the union for whose contact it was
    reason: str | None
    smtp_code: int | None
    words: str | None  # the mail server's, without whom they are about
    settled_at: datetime | None


def read(session: Session, *which: ColumnElement[bool], most: int | None = None) -> list[FailedNotice]:
    """Notices that still say something, the latest first.

    :param which: conditions of theirs.
    :param most: so many at most.
    """
    keyring = keyring_of(session)
    return [_failed(keyring, row) for row in session.execute(_rows(*which).order_by(Delivery.id.desc()).limit(most))]


def forget_whom(session: Session) -> None:
    """Drop of notices that failed whom they were for, and what they said. Their kind stays, the union for whose contact
    one was, and the mail server's words, encrypted: until `notices.forget_settled` drops those too."""
    names_somebody = or_(Delivery.address.is_not(None), Delivery.subscriber_id.is_not(None))
    rows = _rows(Delivery.state.in_(FAILED), names_somebody).order_by(Delivery.id).with_for_update(of=Delivery)
    keyring = keyring_of(session)
    for failed in [_failed(keyring, row) for row in session.execute(rows)]:
        kept = Notice(failed.kind, union_id=failed.union_id).to_stored() if failed.kind else None
        session.execute(
            update(Delivery)
            .where(Delivery.id == failed.delivery_id)
            .values(notice=kept, smtp_text=failed.words, **dict.fromkeys(NAMES_SOMEBODY))
            .execution_options(synchronize_session=False)
        )


def _rows(*which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    # Ciphertexts are decrypted one by one, so that one that was damaged fails alone.
    secrets = [type_coerce(secret, LargeBinary) for secret in _SECRETS.values()]
    return (
        select(*_CLEAR, *secrets)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.notice.is_not(None), *which)
    )


_CLEAR: tuple[SQLColumnExpression[Any], ...] = (
    *(Delivery.id, Delivery.state, Delivery.union_id, Delivery.reason, Delivery.smtp_code, Delivery.settled_at),
)
_SECRETS = {
    "deliveries.notice": Delivery.notice,
    SERVERS_WORDS: Delivery.smtp_text,
    ADDRESS: Delivery.address,
    "subscribers.email": Subscriber.email,
    "subscribers.name": Subscriber.name,
}


def _failed(keyring: Keyring, row: Row[*tuple[Any, ...]]) -> FailedNotice:
    delivery_id, state, union_id, reason, smtp_code, settled_at, *secrets = row
    opened = [_opened(keyring, *each) for each in zip(secrets, _SECRETS, strict=True)]
    stored, words, address, email, name = opened
    notice = Notice.from_stored(stored) if stored else None
    if opened.count(None) > secrets.count(None):
        words = None  # whom they are about was damaged
    return FailedNotice(
        delivery_id,
        state,
        notice.kind if notice else None,
        union_id or (notice.union_id if notice and address is email is None else None),  # of one that names nobody else
        reason,
        smtp_code,
        words and addresses.without(words, addresses.names_in(address or email, name)),
        settled_at,
    )


def _opened(keyring: Keyring, secret: bytes | None, context: str) -> str | None:
    try:
        return None if secret is None else keyring.decrypt(bytes(secret), context)
    except UnreadableSecret:
        return None
