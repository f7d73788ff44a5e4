"""What was encrypted before there was padding."""

import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary, select, type_coerce, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from mailer.store.crypto import Encrypted, Key, keyring_of


def unpadded(key: Key, text: str, context: str) -> bytes:
    """A text as earlier versions encrypted it."""
    nonce = os.urandom(12)
    start = bytes([1, len(key.id)]) + key.id.encode()
    return start + nonce + AESGCM(key.secret).encrypt(nonce, text.encode(), context.encode())


def take_padding_away(session: Session, attribute: InstrumentedAttribute[Any], key: Key) -> None:
    """Have a column hold what an earlier version would have written."""
    (column,) = attribute.property.columns
    assert isinstance(column.type, Encrypted)
    context, (number,) = column.type.context, column.table.primary_key
    stored = type_coerce(column, LargeBinary)
    rows = session.execute(select(number, stored).where(column.is_not(None))).all()
    for row, value in rows:
        old = unpadded(key, keyring_of(session).decrypt(bytes(value), context), context)
        session.execute(update(column.table).where(number == row).values({column: type_coerce(old, LargeBinary)}))
