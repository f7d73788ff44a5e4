"""What people ask for on the site, and the links that prove that it was they who asked.

A link's token is random and stands in one mail only; what is kept is its hash. It serves one purpose, ends after a
while, and may be followed twice: a second click finds what the first one did.
"""

import enum
import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.store import db
from mailer.store.db import utcnow
from mailer.store.models import MailedLink, MailedLinkKind, Reason

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kept = TypeVar("Kept", bound="DataclassInstance")

LIFETIME = {
    MailedLinkKind.SIGN_UP: timedelta(days=7),
    MailedLinkKind.MANAGE: timedelta(days=1),
    MailedLinkKind.ADDRESS: timedelta(days=1),
    MailedLinkKind.UNDO: timedelta(days=30),
    MailedLinkKind.CONTACT: timedelta(days=7),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """How many links an address is mailed in how long, whoever asks for them."""

    mails: int
    within: timedelta


ONE_A_DAY = (Limit(1, timedelta(days=1)),)
#: Who presses a button twice means one mail; who presses it all day is not the person whom it goes to.
LIMITS: Mapping[MailedLinkKind, Sequence[Limit]] = {
    MailedLinkKind.SIGN_UP: ONE_A_DAY,
    MailedLinkKind.MANAGE: (Limit(1, timedelta(hours=1)), Limit(3, timedelta(days=1))),
    MailedLinkKind.ADDRESS: (Limit(3, timedelta(days=1)),),
    MailedLinkKind.CONTACT: ONE_A_DAY,
}

#: how long a link that ran out is told from one that never was
_REMEMBERED = timedelta(days=180)

_TOKEN_BYTES = 20
_FORM = re.compile(r"[0-9a-f]{40}", re.ASCII)


class UnknownLink(MailerError):
    """This link does not work. Part of it may be missing: copy the whole link from the e-mail."""


class DeadLink(MailerError):
    """This link has expired, or what it was for is gone. Ask for a new one."""


def issue(
    session: Session,
    kind: MailedLinkKind,
    *,
    email_index: bytes,
    subscriber_id: int | None = None,
    details: Mapping[str, Any] | None = None,
    is_mailed: bool = True,
    lifetime: timedelta | None = None,
) -> str:
    """Keep what a link is for, and make its token.

    :param email_index: `Keyring.blind_index` of the address that the mail goes to.
    :param details: what depends on the kind, such as `to_details` of a dataclass; stored encrypted, as JSON.
    :param is_mailed: whether the link goes out; see `MailedLink.is_mailed`.
    :param lifetime: of the link; by default as long as those of its kind.
    :returns: the token: 40 hexadecimal digits, 160 random bits.
    """
    token = secrets.token_hex(_TOKEN_BYTES)
    now = utcnow()
    session.add(
        MailedLink(
            kind=kind,
            token_hash=_hash(token),
            email_index=email_index,
            subscriber_id=subscriber_id,
            details=json.dumps(dict(details or {}), ensure_ascii=False),
            is_mailed=is_mailed,
            created_at=now,
            expires_at=now + (lifetime or LIFETIME[kind]),
        )
    )
    session.flush()
    return token


def pretend(session: Session, kind: MailedLinkKind) -> None:
    """Do what `issue` does, for a mail that must not go out, so that nobody learns that it does not.

    The row is nobody's: it holds nothing, no link leads to it, and it does not count as a mail that was sent, else
    whoever asks for an address each day could keep its owner out for ever.
    """
    issue(session, kind, email_index=secrets.token_bytes(32), is_mailed=False)


def reason_to_withhold(
    session: Session,
    kind: MailedLinkKind,
    email_index: bytes,
    *,
    is_barred: bool,
    limits: Sequence[Limit] | None = None,
) -> Reason | None:
    """Why a link must not be mailed to an address. The same is read whatever the answer, so that the time it takes
    tells nothing.

    :param is_barred: whether the address gets no such mail at all; most often, because it reported us as spam.
    :param limits: that take the place of those of the kind.
    """
    limits = LIMITS[kind] if limits is None else limits
    now = utcnow()
    # One that was used does not count: its owner reads our mail, may come back on the day they left, and may speak for
    # two unions. Nor does one that was withheld: others could ask each day, and keep the owner from it for ever.
    lately = select(MailedLink.created_at).where(
        MailedLink.email_index == email_index,
        MailedLink.kind == kind,
        MailedLink.used_at.is_(None),
        MailedLink.is_mailed,
        MailedLink.created_at > now - max(limit.within for limit in limits),
    )
    times = session.scalars(lately).all()
    if is_barred:
        return Reason.SUPPRESSED
    reached = (sum(time > now - limit.within for time in times) >= limit.mails for limit in limits)
    return Reason.REPEATED if any(reached) else None


def one_at_a_time(session: Session, email_index: bytes) -> None:
    """Wait for whoever asks for the same address at this moment: of two, one is the second."""
    db.lock(session, int.from_bytes(email_index[:8], signed=True))


def find(session: Session, kind: MailedLinkKind, token: str) -> MailedLink:
    """The link that a token is of.

    :raises UnknownLink: no such link was made for this purpose, or it was forgotten long after its end.
    :raises DeadLink: it has run out.
    """
    if not _FORM.fullmatch(token):
        raise UnknownLink
    link = session.scalar(select(MailedLink).where(MailedLink.token_hash == _hash(token), MailedLink.kind == kind))
    if link is None:
        raise UnknownLink
    if link.expires_at <= utcnow():
        raise DeadLink
    return link


def details_of(link: MailedLink) -> dict[str, Any]:
    """What `issue` was given."""
    details: dict[str, Any] = json.loads(link.details)
    return details


def to_details(value: "DataclassInstance") -> dict[str, Any]:
    """A frozen dataclass as `issue` keeps it: its fields are text, numbers, times, enums, other dataclasses, or tuples
    of these, or None."""
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return to_details(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, enum.Enum) else value


def from_details(kept: type[Kept], details: Mapping[str, Any]) -> Kept:
    """The dataclass that `to_details` was given. A field that was not kept has its default: it is newer."""
    types = get_type_hints(kept)
    return kept(**{name: _typed(types[name], value) for name, value in details.items()})


def _typed(field: Any, value: Any) -> Any:
    """A value as the type of its field has it."""
    if value is None:
        return None
    if get_origin(field) is UnionType:
        (field,) = (each for each in get_args(field) if each is not NoneType)
    if get_origin(field) is tuple:
        return tuple(_typed(get_args(field)[0], each) for each in value)
    if is_dataclass(field):
        return from_details(cast("type[DataclassInstance]", field), value)
    if field is datetime:
        return datetime.fromisoformat(value)
    return field(value) if issubclass(field, enum.Enum) else value


def forget_expired(session: Session) -> None:
    """Empty what has run out: of a sign-up that nobody confirmed, nothing is left after a week but the hash of a random
    number, which is nobody's. By it, a link that is followed late is known to have run out; for half a year.
    """
    now = utcnow()
    session.execute(
        update(MailedLink)
        .where(MailedLink.expires_at <= now, MailedLink.email_index != MailedLink.token_hash)
        .values(email_index=MailedLink.token_hash, subscriber_id=None, details="{}")
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(MailedLink).where(MailedLink.expires_at <= now - _REMEMBERED))
    session.expire_all()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
