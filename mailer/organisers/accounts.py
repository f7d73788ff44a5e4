"""Accounts: who may come to the desk, and in which roles."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, selectinload

from mailer.errors import MailerError
from mailer.locale.zones import is_zone
from mailer.mail.addresses import Address
from mailer.organisers import account_mails, desk_sessions
from mailer.organisers.account_mails import Event
from mailer.organisers.roles import MAY, WITHOUT_SECOND_FACTOR, Permission
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import add_unique, utcnow
from mailer.store.models import Account, AccountRole, DeskSession, Invitation, Role

#: how long before it counts that somebody publishes, or does so no more
PUBLISHERS_CHANGE_AFTER = timedelta(hours=24)
LONGEST_NAME = 200  # characters
_LOCK = 0xACC7  # any number that nothing else in the database locks


class UnknownAccount(MailerError):
    """Nobody has an account with the address {address}. See who has: mailer users list"""


class AccountAlready(MailerError):
    """{address} has an account already. Give another role with: mailer users role {address} --add ROLE"""


class NoRole(MailerError):
    """An account needs at least one role. Choose among admin, writer, publisher and analyst."""


class LastAdmin(MailerError):
    """{address} is the only admin left, so nobody could let others in. Make somebody else an admin first."""


class DisabledAccount(MailerError):
    """The account of {address} is disabled. Enable it first: mailer users enable {address}"""


class LongName(MailerError):
    """A name may have at most {most} characters; this one has {length}. Make it shorter."""


class UnknownZone(MailerError):
    """There is no time zone "{zone}". Write it as in Europe/Paris or Asia/Tehran."""


# --- who there is ---------------------------------------------------------------------------------------------------


def exist(session: Session) -> bool:
    """Whether there is any account. Without one, an installation works by the command line alone."""
    return bool(session.scalar(select(exists().where(Account.id.is_not(None)))))


def add(
    session: Session,
    address: Address,
    roles: Collection[Role],
    *,
    name: str | None = None,
    zone: str = "UTC",
    language: str | None = None,
    at: datetime | None = None,
) -> Account:
    """Make an account, by which nobody can come in before they are invited (see `invitations`).

    :param at: by default now.
    :raises AccountAlready: there is one with that address.
    :raises NoRole: it is given none.
    """
    if not roles:
        raise NoRole
    now = at or utcnow()
    account = Account(
        email=address.text,
        email_index=keyring_of(session).account_index(address.folded),
        name=checked_name(name),
        zone=checked_zone(zone),
        language=language,
        created_at=now,
        roles=[AccountRole(role=role, granted_at=now) for role in sorted(set(roles))],
    )
    if not add_unique(session, account):
        raise AccountAlready(address=address.text)
    return account


def get(session: Session, account_id: int) -> Account:
    """The account with an id.

    :raises UnknownAccount: there is none.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise UnknownAccount(address=f"number {account_id}")
    return account


def find(session: Session, address: Address) -> Account | None:
    """The account with an address."""
    index = keyring_of(session).account_index(address.folded)
    return session.scalars(select(Account).where(Account.email_index == index)).one_or_none()


def named(session: Session, address: Address) -> Account:
    """Likewise, for whoever says that there is one.

    :raises UnknownAccount: there is none.
    """
    account = find(session, address)
    if account is None:
        raise UnknownAccount(address=address.text)
    return account


def all_accounts(session: Session) -> Sequence[Account]:
    """Everybody who has an account, or had one, the oldest first."""
    return session.scalars(_with_roles().order_by(Account.id)).all()


def names(session: Session, ids: Collection[int]) -> Mapping[int, str]:
    """What people are called: account → their name, or their address until they have given one."""
    found = session.execute(select(Account.id, Account.name, Account.email).where(Account.id.in_(ids)))
    return {account_id: name or email for account_id, name, email in found}


def _with_roles() -> Select[Account]:
    return select(Account).options(selectinload(Account.roles))


def has_joined(account: Account) -> bool:
    """Whether somebody has chosen a password: before, nobody can come in."""
    return account.password_hash is not None


def checked_name(name: str | None) -> str | None:
    """A name with its spaces in order; None for an empty one.

    :raises LongName: it is too long.
    """
    tidy = " ".join((name or "").split())
    if len(tidy) > LONGEST_NAME:
        raise LongName(most=LONGEST_NAME, length=len(tidy))
    return tidy or None


def checked_zone(zone: str) -> str:
    """The name of a time zone.

    :raises UnknownZone: nobody knows it.
    """
    if not is_zone(zone):
        raise UnknownZone(zone=zone)
    return zone


# --- what they may do -----------------------------------------------------------------------------------------------


def roles_of(account: Account) -> frozenset[Role]:
    """The roles that somebody has now, also while the account is disabled."""
    return frozenset(each.role for each in account.roles if each.ended_at is None)


def permissions_of(account: Account) -> frozenset[Permission]:
    """What somebody may do now: nothing while the account is disabled, and without a second factor what an analyst may
    at most."""
    if account.disabled_at is not None:
        return frozenset()
    return _permissions(roles_of(account), has_second_factor=account.totp_secret is not None)


def permissions_in(
    session: Session, hashes: Collection[bytes], *, at: datetime
) -> Mapping[bytes, frozenset[Permission]]:
    """Session → what whoever is in it may do now; those that have ended are left out. It reads nothing else of anybody:
    for pages that ask every two seconds.

    :param hashes: of the sessions' secrets, which stand for them.
    """
    read = (
        select(DeskSession.secret_hash, Account.totp_secret.is_not(None), AccountRole.role)
        .join(DeskSession.account)
        .outerjoin(AccountRole, and_(AccountRole.account_id == Account.id, AccountRole.ended_at.is_(None)))
        .where(DeskSession.secret_hash.in_(hashes), desk_sessions.is_let_in(at))
    )
    roles: dict[tuple[bytes, bool], set[Role]] = {}
    for secret_hash, has_second_factor, role in session.execute(read):
        roles.setdefault((secret_hash, has_second_factor), set()).update([role] if role else [])
    return {key: _permissions(has, has_second_factor=is_so) for (key, is_so), has in roles.items()}


def _permissions(roles: Collection[Role], *, has_second_factor: bool) -> frozenset[Permission]:
    may = frozenset[Permission]().union(*(MAY[role] for role in roles))
    return may if has_second_factor else may & WITHOUT_SECOND_FACTOR


def grant(session: Session, account: Account, role: Role, at: datetime) -> bool:
    """Give somebody a role. That of a publisher counts a day later, see `publishers_at`.

    :returns: whether they did not have it.
    """
    _alone(session, account)
    if role in roles_of(account):
        return False
    account.roles.append(AccountRole(role=role, granted_at=at))
    account_mails.tell(session, account, Event.ROLES, at=at)
    return True


def revoke(session: Session, account: Account, role: Role, at: datetime) -> bool:
    """Take a role from somebody, at once.

    :returns: whether they had it.
    :raises LastAdmin: nobody else could let people in.
    """
    _alone(session, account)
    if role not in roles_of(account):
        return False
    if role is Role.ADMIN:
        _other_admin(session, account)
    for each in account.roles:
        if each.role == role and each.ended_at is None:
            each.ended_at = at
    account_mails.tell(session, account, Event.ROLES, at=at)
    return True


def disable(session: Session, account: Account, at: datetime) -> bool:
    """Let somebody in no more: end their sessions and their invitations. The roles stay, for when they come back.

    :returns: whether the account was not disabled.
    :raises LastAdmin: nobody else could let people in.
    """
    _alone(session, account)
    if account.disabled_at is not None:
        return False
    if Role.ADMIN in roles_of(account):
        _other_admin(session, account)
    account.disabled_at = at
    desk_sessions.end_all(session, account.id)
    waiting = (Invitation.account_id == account.id, Invitation.used_at.is_(None), Invitation.expires_at > at)
    session.execute(update(Invitation).where(*waiting).values(expires_at=at))
    account_mails.tell(session, account, Event.DISABLED, at=at)
    return True


def enable(session: Session, account: Account, at: datetime) -> bool:
    """Let somebody in again, with the password and the second factor that they had. Their roles are given anew, so that
    nobody who was let in this minute counts as a publisher.

    :returns: whether the account was disabled.
    """
    _alone(session, account)
    if account.disabled_at is None:
        return False
    _give_anew(account, at, ended_at=account.disabled_at)
    account.disabled_at = None
    account_mails.tell(session, account, Event.ENABLED, at=at)
    return True


def give_roles_anew(session: Session, account: Account, at: datetime) -> None:
    """Have somebody's roles count from now on only: who has a second factor that another person let them set up may be
    that other person."""
    _alone(session, account)
    _give_anew(account, at, ended_at=at)
    session.flush()


def _give_anew(account: Account, at: datetime, *, ended_at: datetime) -> None:
    given = [each for each in account.roles if each.ended_at is None]
    for each in given:
        each.ended_at = ended_at
        account.roles.append(AccountRole(role=each.role, granted_at=at))


def _alone(session: Session, account: Account) -> None:
    """Wait for others who change what somebody may do: else two admins could take the role from each other."""
    session.flush()
    db.lock(session, _LOCK)
    session.refresh(account, ["disabled_at", "roles"])


def _other_admin(session: Session, account: Account) -> None:
    """:raises LastAdmin: nobody else is one; of who can come in, where this one can."""
    holds = exists().where(
        AccountRole.account_id == Account.id, AccountRole.role == Role.ADMIN, AccountRole.ended_at.is_(None)
    )
    others = select(Account.id).where(holds, Account.id != account.id, Account.disabled_at.is_(None))
    if has_joined(account):
        others = others.where(Account.password_hash.is_not(None))
    if session.scalars(others.limit(1)).first() is None:
        raise LastAdmin(address=account.email)


# --- who publishes --------------------------------------------------------------------------------------------------


def publishers_at(session: Session, at: datetime) -> Sequence[Account]:
    """Who counts as a publisher. A change counts a day after it was made, so that nobody can make a second person of
    their own, or be rid of the one there is, and send within the hour: who was given the role less than 24 hours ago
    does not count yet, and who lost it, or was disabled, less than 24 hours ago still does. Those who are given it on
    the first day that there is any publisher count at once. Nobody counts who never came in.

    Who counts may have no right to do anything: ask `is_publisher_at` of who approves.
    """
    changed = at - PUBLISHERS_CHANGE_AFTER
    counts = exists().where(
        AccountRole.account_id == Account.id,
        *_counts_since_long(session, at),
        or_(AccountRole.ended_at.is_(None), AccountRole.ended_at > changed),
    )
    is_open = or_(Account.disabled_at.is_(None), Account.disabled_at > changed)
    return session.scalars(
        _with_roles().where(counts, is_open, Account.password_hash.is_not(None)).order_by(Account.id)
    ).all()


def publishers(session: Session) -> list[Account]:
    """Those who may send now, the oldest first."""
    return [each for each in all_accounts(session) if Permission.SEND in permissions_of(each)]


def is_publisher_at(session: Session, account: Account, at: datetime) -> bool:
    """Whether somebody may approve: they are a publisher now, and the role that they have now counts."""
    theirs = exists().where(
        AccountRole.account_id == account.id, AccountRole.ended_at.is_(None), *_counts_since_long(session, at)
    )
    return Permission.APPROVE in permissions_of(account) and bool(session.scalar(select(theirs)))


def _counts_since_long(session: Session, at: datetime) -> tuple[ColumnElement[bool], ...]:
    """That a role is a publisher's, and was given long enough ago to count."""
    role, given = AccountRole.role == Role.PUBLISHER, AccountRole.granted_at
    first = session.scalar(select(func.min(given)).where(role)) or at
    long_ago = or_(given <= at - PUBLISHERS_CHANGE_AFTER, given < first + PUBLISHERS_CHANGE_AFTER)
    return role, given <= at, long_ago
