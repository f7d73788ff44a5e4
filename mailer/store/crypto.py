"""Encryption at rest, the blind index, and the keys for both.

A stolen database names nobody: addresses, names and what people typed are stored as AES-256-GCM ciphertext under keys
kept outside it, padded so that its length tells next to nothing, and found again by HMAC-SHA-256 of the normalised
address.
"""

import base64
import binascii
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    LargeBinary,
    MetaData,
    bindparam,
    exists,
    func,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from mailer.errors import MailerError

KEY_BYTES = 32
_NONCE_BYTES = 12

#: the first byte of a stored value
_UNPADDED = 1  # what was written before there was padding; it is read, and awaits rotation
_PADDED = 2
_END = b"\x80"  # of what was padded, before the zeros (ISO/IEC 7816-4): unambiguous whatever stands before it
#: The shortest that anything becomes: hardly an address or name is longer, so that nobody stands out by theirs.
#: Sixty-four would do for Latin letters, but a name of 22 letters in Thai or Hindi takes more.
_SHORTEST = 128

T = TypeVar("T")


class UnreadableSecret(MailerError):
    """A stored value cannot be decrypted: its key "{key_id}" is not in MAILER_SECRET_KEYS, or the row was
    damaged. Put the key back, behind the newest one."""


@dataclass(frozen=True, slots=True)
class Key:
    """One named 256-bit key. `repr` never shows the secret."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "Key":
        """Make a new random key with a random short name."""
        return cls(id=secrets.token_hex(4), secret=secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read `id:` + 32 bytes in url-safe base64.

        :raises ValueError: the text has another form, or the key is weaker than 256 random bits.
        """
        name, colon, encoded = text.strip().partition(":")
        if not colon or not name or not name.isascii() or not name.isalnum() or len(name) > 32:
            raise ValueError("a key is written as id:base64, with an id of letters and digits")
        return cls(id=name, secret=decode_secret(encoded))

    def __str__(self) -> str:
        return f"{self.id}:{base64.urlsafe_b64encode(self.secret).decode()}"


def decode_secret(encoded: str) -> bytes:
    """Read 32 bytes of url-safe base64.

    :raises ValueError: another length or alphabet, or so few different bytes that nobody drew them at random.
    """
    try:
        secret = base64.b64decode(encoded.strip(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the key is not url-safe base64") from None
    if len(secret) != KEY_BYTES:
        raise ValueError(f"the key has {len(secret)} bytes, but {KEY_BYTES} are needed")
    if len(set(secret)) < 12:  # 32 random bytes have fewer than 12 different values once in 10**17
        raise ValueError("the key is not random")
    return secret


class Keyring:
    """The installation's keys: secret keys newest first, link keys newest first, one index key."""

    def __init__(self, *, secret_keys: Iterable[Key], link_keys: Iterable[Key], index_key: bytes) -> None:
        self.secret_keys = tuple(secret_keys)
        self.link_keys = tuple(link_keys)
        self._index_key = index_key
        self._link_index_key = hmac.digest(index_key, b"mailed links", "sha256")
        self._share_key = hmac.digest(index_key, b"shares", "sha256")
        self._audit_key = hmac.digest(index_key, b"audit log", "sha256")
        self._account_key = hmac.digest(index_key, b"accounts", "sha256")
        self._mail_key = hmac.digest(index_key, b"mail that came in", "sha256")
        self._ciphers = {key.id.encode(): AESGCM(key.secret) for key in self.secret_keys}
        self._prefix = _prefix(self.secret_keys[0].id)
        self._newest = AESGCM(self.secret_keys[0].secret)

    @property
    def newest_prefix(self) -> bytes:
        """What every ciphertext under the newest key starts with: what has another start awaits rotation."""
        return self._prefix

    def encrypt(self, plaintext: str, context: str) -> bytes:
        """Encrypt a text under the newest key, as `encrypt_bytes`."""
        return self.encrypt_bytes(plaintext.encode(), context)

    def decrypt(self, ciphertext: bytes, context: str) -> str:
        """Decrypt what `encrypt` made under any key of the ring.

        :raises UnreadableSecret: as `decrypt_bytes`.
        """
        return self.decrypt_bytes(ciphertext, context).decode()

    def encrypt_bytes(self, plaintext: bytes, context: str) -> bytes:
        """Pad, and encrypt under the newest key (AES-256-GCM, NIST SP 800-38D).

        :param context: where the value is stored, such as "subscribers.email"; authenticated, so that a
            ciphertext moved to another column does not decrypt.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return self._prefix + nonce + self._newest.encrypt(nonce, _padded(plaintext), _bound(context))

    def decrypt_bytes(self, ciphertext: bytes, context: str) -> bytes:
        """Decrypt what `encrypt_bytes` made under any key of the ring, also before there was padding.

        :raises UnreadableSecret: the key is not in the ring, or the value was changed.
        """
        if len(ciphertext) < 2:
            raise UnreadableSecret(key_id="")
        end = 2 + ciphertext[1]
        key_id = ciphertext[2:end]
        cipher = self._ciphers.get(key_id)
        if cipher is None or ciphertext[0] not in (_PADDED, _UNPADDED):
            raise UnreadableSecret(key_id=key_id.decode("ascii", "replace"))
        body = end + _NONCE_BYTES
        try:
            if ciphertext[0] == _UNPADDED:
                return cipher.decrypt(ciphertext[end:body], ciphertext[body:], context.encode())
            padded = cipher.decrypt(ciphertext[end:body], ciphertext[body:], _bound(context))
        except (InvalidTag, ValueError):  # ValueError: it is too short to hold a nonce
            raise UnreadableSecret(key_id=key_id.decode("ascii", "replace")) from None
        return padded[: padded.rindex(_END)]

    def blind_index(self, folded_address: str) -> bytes:
        """HMAC-SHA-256 of a folded address (`addresses.Address.folded`): 32 bytes to find it by."""
        return hmac.digest(self._index_key, folded_address.encode(), "sha256")

    def link_index(self, what: str, reference: bytes) -> bytes:
        """What a mailed link refers to, as 32 bytes to find the link by: HMAC-SHA-256 under a key of the links' own, so
        that whoever reads the database cannot tell which row of another table is meant.

        :param what: kind of link and of reference; the same reference is something else for another kind.
        """
        return hmac.digest(self._link_index_key, what.encode() + b":" + reference, "sha256")

    def share_of(self, reference: bytes, shares: int) -> int:
        """In which of a few shares something is, from 0: HMAC-SHA-256 under a key of its own. It is always in the same
        one, and nobody can tell what else is.

        :param shares: how many; a power of two up to 256, so that all are equally large.
        """
        return hmac.digest(self._share_key, reference, "sha256")[0] % shares

    def account_index(self, folded_address: str) -> bytes:
        """HMAC-SHA-256 of a folded address under a key of the accounts' own: 32 bytes to find an account by. Nobody who
        reads the database can tell which subscriber somebody at the desk is.
        """
        return self.account_digest("address", folded_address)

    def account_digest(self, what: str, value: str) -> bytes:
        """Likewise of what else is compared and not kept, such as a recovery code or a network: 32 bytes.

        :param what: of what kind the value is; the same one is something else of another kind.
        """
        return hmac.digest(self._account_key, f"{what}:{value}".encode(), "sha256")

    def mail_digest(self, source: str, key: bytes) -> bytes:
        """What tells that a message that came in was taken before: HMAC-SHA-256 under a key of its own, so that whoever
        has the database and a message cannot tell whether it is there.

        :param source: what brought it; the same key is another message of another source.
        """
        return hmac.digest(self._mail_key, source.encode() + b":" + key, "sha256")

    def audit_digest(self, content: bytes) -> bytes:
        """What proves that an entry of the audit log is as it was written: HMAC-SHA-256 under a key of the log's own.
        Whoever has the database alone can neither make one, nor try out what details may have said."""
        return hmac.digest(self._audit_key, content, "sha256")


def attach(engine: Engine, keyring: Keyring) -> None:
    """Give an engine the keys that its encrypted columns need.

    They ride on the dialect because that is all a column type is handed, and because a module-level
    keyring would be one per process instead of one per database.
    """
    cast(Any, engine.dialect).keyring = keyring


def keyring_of(database: Session | Engine) -> Keyring:
    """The keys attached to an engine, or to a session's engine."""
    bind = database.get_bind() if isinstance(database, Session) else database
    return cast(Keyring, cast(Any, bind.dialect).keyring)


class Encrypted(TypeDecorator[T], Generic[T]):
    """A column stored as ciphertext, of any type. Equality and order in SQL are meaningless on it: look up by blind
    index, and sort what was read."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, context: str) -> None:
        """:param context: "table.column" as it was called at first, bound into the ciphertext."""
        super().__init__()
        self.context = context


class EncryptedText(Encrypted[str]):
    """A text."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else cast(Any, dialect).keyring.encrypt(value, self.context)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else cast(Any, dialect).keyring.decrypt(bytes(value), self.context)


class EncryptedBytes(Encrypted[bytes]):
    """What is no text, such as a picture."""

    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else cast(Any, dialect).keyring.encrypt_bytes(value, self.context)

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        return None if value is None else cast(Any, dialect).keyring.decrypt_bytes(bytes(value), self.context)


class EncryptedJson(Encrypted[Any]):
    """What JSON can hold. To change it, give the column a new value."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        text = None if value is None else json.dumps(value, ensure_ascii=False)
        return None if text is None else cast(Any, dialect).keyring.encrypt(text, self.context)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(cast(Any, dialect).keyring.decrypt(bytes(value), self.context))


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """How many stored values are under a key."""

    values: int = 0
    unpadded: int = 0  # of these, written before there was padding


def rotate(engine: Engine, metadata: MetaData, *, batch: int = 1000) -> int:
    """Encrypt anew, under the newest key, every stored value that is under an older one or unpadded.

    Commits after each batch, so that it may be interrupted, and run beside everything else.

    :param metadata: the tables; their `Encrypted` columns are found by type.
    :param batch: values to a transaction.
    :returns: how many values were encrypted anew.
    :raises UnreadableSecret: a value's key is not in the ring; what was done before it stays done.
    """
    return sum(_rotate_column(engine, column, batch) for column in _encrypted_columns(metadata))


def key_usage(session: Session, metadata: MetaData) -> dict[str, KeyUsage]:
    """How many stored values are under each key, by key id, also of keys that are not in the ring."""
    usage = {key.id: KeyUsage() for key in keyring_of(session).secret_keys}
    for column in _encrypted_columns(metadata):
        prefixes = [_prefix(key_id) for key_id in usage]
        for prefix in prefixes:
            _count_in(usage, session, column, prefix)
        while (stranger := _one_without(session, column, prefixes)) is not None:
            prefixes.append(stranger[: 2 + stranger[1]])
            _count_in(usage, session, column, prefixes[-1])
    return usage


def has_unpadded(session: Session, metadata: MetaData) -> bool:
    """Whether a value is stored whose length tells how long it is. Quicker than to count them."""
    return any(
        session.scalar(select(exists().where(_starts_with(column, bytes([_UNPADDED])))))
        for column in _encrypted_columns(metadata)
    )


def _count_in(usage: dict[str, KeyUsage], session: Session, column: Column[Any], prefix: bytes) -> None:
    count = session.scalar(select(func.count()).select_from(column.table).where(_starts_with(column, prefix))) or 0
    key_id = prefix[2:].decode("ascii", "replace")
    known = usage.get(key_id, KeyUsage())
    is_padded = prefix[0] == _PADDED
    usage[key_id] = KeyUsage(known.values + count, known.unpadded + (0 if is_padded else count))


def _rotate_column(engine: Engine, column: Column[Any], batch: int) -> int:
    keyring = keyring_of(engine)
    context = cast(Encrypted[Any], column.type).context
    primary_key = next(iter(column.table.primary_key))
    stored = type_coerce(column, LargeBinary)
    old_values = (
        select(primary_key, stored)
        .where(column.is_not(None), ~_starts_with(column, keyring.newest_prefix))
        .order_by(primary_key)
        .limit(batch)
    )
    # A value that changed in between is under the newest key already, and must not be put back.
    change = (
        update(column.table)
        .where(primary_key == bindparam("row"), stored == bindparam("old", type_=LargeBinary))
        .values({column: bindparam("new", type_=LargeBinary)})
    )
    rotated, last = 0, None
    while True:
        with engine.begin() as connection:
            rows = connection.execute(old_values if last is None else old_values.where(primary_key > last)).all()
            if not rows:
                return rotated
            decrypted = [(row, bytes(old), keyring.decrypt_bytes(bytes(old), context)) for row, old in rows]
            connection.execute(
                change,
                [{"row": row, "old": old, "new": keyring.encrypt_bytes(new, context)} for row, old, new in decrypted],
            )
        rotated += len(rows)
        last = rows[-1][0]


def _encrypted_columns(metadata: MetaData) -> list[Column[Any]]:
    return [
        column for table in metadata.sorted_tables for column in table.columns if isinstance(column.type, Encrypted)
    ]


def _prefix(key_id: str) -> bytes:
    return bytes([_PADDED, len(key_id)]) + key_id.encode()


def _padded(plaintext: bytes) -> bytes:
    """As long as the next power of two, so that of all lengths a dozen are left, and nothing becomes over twice as
    long."""
    return (plaintext + _END).ljust(max(_SHORTEST, 1 << len(plaintext).bit_length()), b"\0")


def _bound(context: str) -> bytes:
    """What authenticates a padded value: nobody can pass it off as an unpadded one."""
    return b"padded " + context.encode()


def _starts_with(column: Column[Any], prefix: bytes) -> ColumnElement[bool]:
    start = func.substr(type_coerce(column, LargeBinary), 1, len(prefix), type_=LargeBinary)
    return start == literal(prefix, LargeBinary)


def _one_without(session: Session, column: Column[Any], prefixes: list[bytes]) -> bytes | None:
    """A stored value that starts with none of the prefixes."""
    strange = [~_starts_with(column, prefix) for prefix in prefixes]
    found = session.scalar(select(type_coerce(column, LargeBinary)).where(column.is_not(None), *strange).limit(1))
    return None if found is None else bytes(found)
