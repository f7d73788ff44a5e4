"""What people ask for on the site, and the links that prove that it was they who asked.

A link's token is random and stands in one mail only; what is kept is its hash. It serves one purpose, ends after a
while, and may be followed twice: a second click finds what the first one did.
"""

import enum
import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.store import db
from mailer.store.crypto import keyring_of
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
    MailedLinkKind.RESUME: timedelta(weeks=12),  # or less: until the pause ends
    MailedLinkKind.MOVED: timedelta(days=7),
    MailedLinkKind.CONTACT: timedelta(days=7),
    MailedLinkKind.ANSWER: timedelta(days=1),
    MailedLinkKind.SIGN: timedelta(days=7),
    MailedLinkKind.TAKE_BACK: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """How many links a mailbox is mailed in how long, whoever asks for them."""

    mails: int
    within: timedelta


ONE_A_DAY = (Limit(1, timedelta(days=1)),)
#: Who presses a button twice means one mail; who presses it all day is not the person whom it goes to.
LIMITS: Mapping[MailedLinkKind, Sequence[Limit]] = {
    MailedLinkKind.SIGN_UP: ONE_A_DAY,
    MailedLinkKind.MANAGE: (Limit(1, timedelta(hours=1)), Limit(3, timedelta(days=1))),
    MailedLinkKind.ADDRESS: (Limit(3, timedelta(days=1)),),
    MailedLinkKind.RESUME: (Limit(3, timedelta(days=1)),),
    MailedLinkKind.CONTACT: ONE_A_DAY,
    MailedLinkKind.ANSWER: (Limit(3, timedelta(days=1)),),
    MailedLinkKind.SIGN: ONE_A_DAY,
    MailedLinkKind.TAKE_BACK: (Limit(3, timedelta(days=1)),),
}

#: How many requests for one address are kept and shown beside the one that was mailed: the newest. Others may fill in a
#: form for it as often as they like. Its owner can then fill it in once more, and confirm that; had the first been
#: kept, they could not.
MOST_BESIDES = 5

#: how long a link that ran out is told from one that never was
_REMEMBERED = timedelta(days=180)

_PERSON = "person"  # among the details: the subscriber's id
_INDEX_BYTES = 32
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
    email_index: bytes | None,
    mailbox: str | None = None,
    subscriber_id: int | None = None,
    details: Mapping[str, Any] | None = None,
    is_mailed: bool = True,
    lifetime: timedelta | None = None,
) -> str:
    """Keep what a link is for, and make its token.

    :param email_index: `Keyring.blind_index` of the address that the mail goes to; None where the link is not to be
        found by it, and does not count among those that were mailed there.
    :param mailbox: `addresses.Address.mailbox` of it, where somebody typed it into a form; see `MailedLink.mailbox`.
    :param subscriber_id: whose it is, where that is known.
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
            email_index=_random() if email_index is None else address_index(session, kind, email_index),
            mailbox=None if mailbox is None else _mailbox_index(session, kind, mailbox),
            person=_random() if subscriber_id is None else _person_index(session, kind, subscriber_id),
            details=_written(subscriber_id, details or {}),
            is_mailed=is_mailed,
            created_at=now,
            expires_at=now + (lifetime or LIFETIME[kind]),
        )
    )
    session.flush()
    return token


def issue_unless(
    session: Session,
    kind: MailedLinkKind,
    withheld: Reason | None,
    *,
    email_index: bytes,
    mailbox: str,
    subscriber_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> str | None:
    """As `issue`, unless the mail is withheld. What somebody asks for again before they confirm is kept all the same:
    the link that they were mailed leads to it.

    :param withheld: why it must not go out, see `reason_to_withhold`.
    :param details: None where a link asks for nothing that could be kept.
    :returns: the token for the mail; None where none goes out.
    """
    is_again = withheld is Reason.REPEATED and details is not None
    if withheld and not is_again:
        pretend(session, kind)
        return None
    token = issue(
        session,
        kind,
        email_index=email_index,
        mailbox=mailbox,
        subscriber_id=subscriber_id,
        details=details,
        is_mailed=not is_again,
    )
    return None if is_again else token


def pretend(session: Session, kind: MailedLinkKind) -> None:
    """Do what `issue` does, for a mail that must not go out, so that nobody learns that it does not.

    The row is nobody's: it holds nothing, no link leads to it, and it does not count as a mail that was sent, else
    whoever asks for an address each day could keep its owner out for ever.
    """
    issue(session, kind, email_index=None, is_mailed=False)


def others(link: MailedLink) -> Select[MailedLink]:
    """What else was asked for an address, is of the same kind, and waits to be confirmed; the newest first."""
    return _waiting(link.kind, link.email_index).where(MailedLink.id != link.id)


def drop_oldest(session: Session, kind: MailedLinkKind, email_index: bytes) -> None:
    """Forget what was asked for an address and not mailed, but for the newest: see `MOST_BESIDES`."""
    unmailed = _waiting(kind, address_index(session, kind, email_index)).where(~MailedLink.is_mailed)
    dropped = session.scalars(unmailed.with_only_columns(MailedLink.id).offset(MOST_BESIDES)).all()
    session.execute(delete(MailedLink).where(MailedLink.id.in_(dropped)))


def drop_unmailed(session: Session, link: MailedLink) -> None:
    """Forget what else was asked for an address and not mailed: it was decided on with this link."""
    unmailed = session.scalars(others(link).where(~MailedLink.is_mailed).with_only_columns(MailedLink.id)).all()
    session.execute(delete(MailedLink).where(MailedLink.id.in_(unmailed)))


def _waiting(kind: MailedLinkKind, index: bytes) -> Select[MailedLink]:
    return (
        select(MailedLink)
        .where(
            MailedLink.kind == kind,
            MailedLink.email_index == index,
            MailedLink.used_at.is_(None),
            MailedLink.expires_at > utcnow(),
        )
        .order_by(MailedLink.id.desc())
    )


def reason_to_withhold(
    session: Session,
    kind: MailedLinkKind,
    email_index: bytes,
    *,
    mailbox: str | None = None,
    is_barred: bool,
    limits: Sequence[Limit] | None = None,
) -> Reason | None:
    """Why a link must not be mailed to an address. The same is read whatever the answer, so that the time it takes
    tells nothing.

    :param mailbox: as for `issue`: what went to the mailbox at another of its addresses counts too; but not against
        the address that the mailbox is called by. Where a `+` is nothing special, what went to an alias reached nobody,
        and others could ask for one each day, and keep the owner from it for ever.
    :param is_barred: whether the address gets no such mail at all; most often, because it reported us as spam.
    :param limits: that take the place of those of the kind.
    """
    limits = LIMITS[kind] if limits is None else limits
    now = utcnow()
    # One that was used does not count: its owner reads our mail, may come back on the day they left, and may speak for
    # two unions. Nor does one that was withheld: others could ask each day, and keep the owner from it for ever.
    is_theirs = MailedLink.email_index == address_index(session, kind, email_index)
    if mailbox is not None:
        is_alias = keyring_of(session).blind_index(mailbox) != bytes(email_index)
        is_theirs |= MailedLink.mailbox == (_mailbox_index(session, kind, mailbox) if is_alias else _random())
    lately = select(MailedLink.created_at).where(
        is_theirs,
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


def one_at_a_time(session: Session, email_index: bytes, *, mailbox: str | None = None) -> None:
    """Wait for whoever asks for the same address or mailbox at this moment: of two, one is the second."""
    indexes = [email_index]
    if mailbox is not None:
        indexes.insert(0, keyring_of(session).link_index("mailbox", mailbox.encode()))  # first, for everybody
    for index in indexes:
        db.lock(session, int.from_bytes(index[:8], signed=True))


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


def lists_waited_for(session: Session) -> Counter[int]:
    """For how many addresses a sign-up to each list waits to be confirmed: a list's id → their number."""
    waiting = select(MailedLink).where(
        MailedLink.kind == MailedLinkKind.SIGN_UP, MailedLink.used_at.is_(None), MailedLink.expires_at > utcnow()
    )
    asked = {
        (bytes(link.email_index), list_id)  # once, however often the form was filled in
        for link in session.scalars(waiting)
        for list_id in details_of(link).get("list_ids", ())
    }
    return Counter(list_id for _, list_id in asked)


def details_of(link: MailedLink) -> dict[str, Any]:
    """What `issue` was given."""
    return {name: value for name, value in json.loads(link.details).items() if name != _PERSON}


def keep(link: MailedLink, details: Mapping[str, Any]) -> None:
    """Keep other details with a link; it stays the same person's."""
    link.details = _written(person_of(link), details)


def _written(subscriber_id: int | None, details: Mapping[str, Any]) -> str:
    whose = {} if subscriber_id is None else {_PERSON: subscriber_id}
    return json.dumps(whose | dict(details), ensure_ascii=False)


# --- whose they are -------------------------------------------------------------------------------------------------
#
# An address and a person have an index of their own for each kind: a link that anybody can have us make by a form has
# none in common with one that tells more, such as when somebody left.


def person_of(link: MailedLink) -> int | None:
    """The id of the subscriber whose link it is; None as long as that is nobody's."""
    subscriber_id: int | None = json.loads(link.details).get(_PERSON)
    return subscriber_id


def of_person(session: Session, subscriber_id: int, kinds: Collection[MailedLinkKind]) -> ColumnElement[bool]:
    """The condition that a link is a person's, and of one of these kinds."""
    return MailedLink.person.in_([_person_index(session, kind, subscriber_id) for kind in kinds])


def about(session: Session, subscriber_id: int, email_index: bytes) -> ColumnElement[bool]:
    """The condition that a link is a person's, or was mailed to their address, whatever its kind."""
    to_address = MailedLink.email_index.in_([address_index(session, kind, email_index) for kind in MailedLinkKind])
    return or_(of_person(session, subscriber_id, list(MailedLinkKind)), to_address)


def address_index(session: Session, kind: MailedLinkKind, email_index: bytes) -> bytes:
    """What `MailedLink.email_index` holds for an address.

    :param email_index: `Keyring.blind_index` of it.
    """
    return keyring_of(session).link_index(f"address {kind.value}", bytes(email_index))


def _mailbox_index(session: Session, kind: MailedLinkKind, mailbox: str) -> bytes:
    """What `MailedLink.mailbox` holds; for another kind of link it is something else."""
    return keyring_of(session).link_index(f"mailbox {kind.value}", mailbox.encode())


def _person_index(session: Session, kind: MailedLinkKind, subscriber_id: int) -> bytes:
    return keyring_of(session).link_index(f"person {kind.value}", str(subscriber_id).encode())


def _random() -> bytes:
    return secrets.token_bytes(_INDEX_BYTES)


def use(
    session: Session,
    link: MailedLink,
    subscriber_id: int,
    *,
    at: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down that a link was used, whose it is from now on, and what to keep with it.

    It is not found by its address any more: the moment at which it was used may stand with the person, and whoever has
    us mail another link there must not be led to it.
    """
    link.used_at = at
    link.email_index, link.mailbox = link.token_hash, None
    link.person = _person_index(session, link.kind, subscriber_id)
    link.details = _written(subscriber_id, details or {})
    session.flush()


def end(session: Session, subscriber_id: int, kinds: Collection[MailedLinkKind]) -> None:
    """Have a person's links of these kinds open nothing from now on."""
    session.execute(update(MailedLink).where(of_person(session, subscriber_id, kinds)).values(expires_at=utcnow()))


def who_used(session: Session, kind: MailedLinkKind, subscriber_ids: Collection[int]) -> set[int]:
    """Those of some people who used a link of a kind that has not run out since."""
    people = {_person_index(session, kind, subscriber_id): subscriber_id for subscriber_id in subscriber_ids}
    used = select(MailedLink.person).where(MailedLink.person.in_(people), MailedLink.used_at.is_not(None))
    return {people[bytes(person)] for person in session.scalars(used)}


# --- what is kept with them -----------------------------------------------------------------------------------------


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


# --- forgetting them ------------------------------------------------------------------------------------------------


def forget(session: Session, *, subscriber_id: int | None, email_index: bytes | None = None) -> None:
    """Empty the links of a person, and those that were mailed to an address. Whoever follows one finds that it has run
    out, and does not learn that its owner was erased."""
    kinds = list(MailedLinkKind)
    if email_index is not None:
        indexes = [address_index(session, kind, email_index) for kind in kinds]
        _empty(session, MailedLink.email_index.in_(indexes), expires_at=utcnow())
    if subscriber_id is not None:
        _empty(session, of_person(session, subscriber_id, kinds), expires_at=utcnow())


def _empty(session: Session, which: ColumnElement[bool], **more: datetime) -> None:
    nobodys: dict[str, Any] = {
        "email_index": MailedLink.token_hash,
        "mailbox": None,
        "person": MailedLink.token_hash,
        "details": "{}",
        # A mail provider's log has the moment in which the link was mailed.
        "created_at": db.day_of(session, MailedLink.created_at),
        "used_at": None,
    }
    session.execute(update(MailedLink).where(which).values(nobodys | more))


def forget_expired(session: Session) -> None:
    """Empty what has run out: of a sign-up that nobody confirmed, nothing is left after a week but the hash of a random
    number, which is nobody's. By it, a link that is followed late is known to have run out; for half a year.
    """
    now = utcnow()
    _empty(session, (MailedLink.expires_at <= now) & (MailedLink.person != MailedLink.token_hash))
    session.execute(delete(MailedLink).where(MailedLink.expires_at <= now - _REMEMBERED))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
