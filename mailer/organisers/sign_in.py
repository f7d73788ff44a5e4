"""Signing in: a password, and the second factor where there is one.

Whatever is wrong, the answer is the same and takes as long: whether there is such an account, whether it is disabled,
whether the password or the code was wrong. Argon2 takes a fifth of a second, so it runs outside every transaction; what
is only good once is used up in the one that begins the session.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail import addresses
from mailer.mail.addresses import InvalidAddress
from mailer.organisers import account_mails, attempts, browsers, desk_sessions, passwords, recovery_codes, totp
from mailer.organisers.account_mails import Event
from mailer.organisers.attempts import TooMany
from mailer.store import audit
from mailer.store.crypto import keyring_of
from mailer.store.db import Sessions
from mailer.store.models import Account, DeskSession


class WrongPassword(MailerError):
    """This is not the password of your account. Try again."""


class TooManyAttempts(MailerError):
    """The password was wrong too often. Try again in {minutes} min."""


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody gives who wants to sign in."""

    address: str  # as typed
    password: str = field(repr=False)
    code: str = field(repr=False)  # of the second factor, or a recovery code; empty if they have neither
    network: str  # that they come from, always written the same
    browser: str | None = field(default=None, repr=False)  # what the lasting cookie holds
    browser_label: str | None = None  # what the browser is called, for its owner
    network_label: str | None = None  # and where it is


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody got in."""

    secret: str = field(repr=False)  # for the cookie of the session
    browser: str = field(repr=False)  # for the lasting cookie
    account_id: int
    session_id: int
    session_label: str


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody who is signed in has shown that it is still they."""

    secret: str = field(repr=False)  # for the cookie, instead of the one before


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody did not get in."""

    wait: timedelta | None = None  # what they gave was not even looked at, and would not be before that


def sign_in(sessions: Sessions, given: Given, *, at: datetime) -> SignedIn | Refused:
    """Sign somebody in.

    :param sessions: opens sessions, each of which commits.
    """
    tried = _folded(given.address)
    with sessions() as session:
        account_id, kept = _look_up(session, tried)
        browser_id = browsers.find(session, account_id, given.browser)
        attempt = attempts.begin(session, tried, network=given.network, browser_id=browser_id, at=at)
    if isinstance(attempt, TooMany):
        return Refused(attempt.wait)
    is_right = passwords.verify(kept, given.password)
    with sessions() as session:
        account = session.get(Account, account_id)
        if not _proves(session, account, kept, is_right, given.code, at) or account is None:
            return Refused()
        attempts.succeed(session, attempt)
        signed_in = begin(
            session,
            account.id,
            browser=given.browser,
            browser_label=given.browser_label,
            network_label=given.network_label,
            at=at,
        )
    _rehash(sessions, account_id, kept, given.password)
    return signed_in


def begin(
    session: Session,
    account_id: int,
    *,
    browser: str | None,
    browser_label: str | None,
    network_label: str | None,
    at: datetime,
    is_first: bool = False,
) -> SignedIn:
    """Let somebody in who has just proven who they are, and write to them if this browser was not known.

    :param browser: and so on, as `Given` has them.
    :param is_first: whether they have just joined: then no browser of theirs can be known.
    """
    is_known = is_first or browsers.find(session, account_id, browser) is not None
    started = desk_sessions.start(session, account_id, at=at, network=network_label, browser=browser_label)
    known = browsers.know(session, account_id, browser, at=at)
    if not is_known:
        account = session.get_one(Account, account_id)
        account_mails.tell(session, account, Event.NEW_BROWSER, browser=browser_label, at=at)
    who = desk_sessions.who(started.desk_session)
    audit.append(session, "accounts.sign_in", who, kind="account", subject=account_id)
    return SignedIn(started.secret, known, account_id, started.desk_session.id, started.desk_session.label)


def prove_again(
    sessions: Sessions, desk_session_id: int, password: str, code: str, *, at: datetime
) -> Proven | Refused:
    """Have somebody who is signed in show that it is still they, before what weighs more. Whoever has the session's old
    secret is out. It is refused, too, when the session has ended meanwhile.

    :param sessions: as for `sign_in`; so `code`.
    """
    with sessions() as session:
        desk_session = session.get(DeskSession, desk_session_id)
        if desk_session is None:
            return Refused()
        account_id, kept = desk_session.account_id, desk_session.account.password_hash
        tried = _folded(desk_session.account.email)
        # Who has found a session open is at a place of their own, and neither locks the owner out elsewhere nor is
        # locked out with strangers.
        attempt = attempts.begin(session, tried, network=place_of(desk_session_id), is_inside=True, at=at)
    if isinstance(attempt, TooMany):
        return Refused(attempt.wait)
    is_right = passwords.verify(kept, password)
    with sessions() as session:
        account = session.get(Account, account_id)
        if not _proves(session, account, kept, is_right, code, at):
            return Refused()
        attempts.succeed(session, attempt)
        secret = desk_sessions.prove(session, desk_session_id, at=at)
    return Refused() if secret is None else Proven(secret)


def ask_password(sessions: Sessions, account_id: int, password: str, *, place: str, at: datetime) -> None:
    """Ask somebody for the password of their account, before it is changed how they prove who they are.

    :param place: where they are asked, as it is counted; see `attempts.begin`.
    :raises WrongPassword: it is another.
    :raises TooManyAttempts: it was wrong too often.
    """
    with sessions() as session:
        account = session.get_one(Account, account_id)
        kept = account.password_hash
        attempt = attempts.begin(session, _folded(account.email), network=place, is_inside=True, at=at)
    if isinstance(attempt, TooMany):
        raise TooManyAttempts(minutes=ceil(attempt.wait / timedelta(minutes=1)))
    if not passwords.verify(kept, password):
        raise WrongPassword
    with sessions() as session:
        attempts.succeed(session, attempt)


def place_of(desk_session_id: int) -> str:
    """Where somebody is who is asked in a session, as it is counted."""
    return f"session {desk_session_id}"


def _folded(address: str) -> str:
    """What is tried, as it is counted: also what is no address."""
    try:
        return addresses.parse(address.strip()).folded
    except InvalidAddress:
        return address.strip().casefold()


def _look_up(session: Session, folded: str) -> tuple[int, str | None]:
    """:returns: id, 0 if nobody has an account with that address, and the hash of the password."""
    index = keyring_of(session).account_index(folded)
    found = session.execute(select(Account.id, Account.password_hash).where(Account.email_index == index)).first()
    return (found.id, found.password_hash) if found else (0, None)


def _proves(
    session: Session, account: Account | None, kept: str | None, is_right: bool, code: str, at: datetime
) -> bool:
    """Whether somebody gave what their account asks for; only then is the code used up. What is looked at is the same
    for everybody.

    :param kept: the hash that the password was compared with; :param is_right: what came of that.
    """
    account_id = account.id if account else 0
    secret = account.totp_secret if account else None
    step = totp.verify(secret, code, account.totp_step if account else None, at)
    is_recovery = recovery_codes.is_one(session, account_id, code)
    if account is None or not is_right or account.password_hash != kept or account.disabled_at is not None:
        return False
    if secret is None:
        return True  # an analyst
    if step is not None:
        return totp.use(session, account_id, step)
    if not (is_recovery and recovery_codes.use(session, account_id, code, at=at)):
        return False
    left = recovery_codes.left(session, account_id)
    account_mails.tell(session, account, Event.RECOVERY_CODE, codes=left, at=at)
    return True


def _rehash(sessions: Sessions, account_id: int, kept: str | None, password: str) -> None:
    """Keep the password as it is kept now, if it was hashed when that cost less."""
    if kept is None or not passwords.is_outdated(kept):
        return
    new = passwords.hash(password)
    with sessions() as session:
        same = (Account.id == account_id, Account.password_hash == kept)
        session.execute(update(Account).where(*same).values(password_hash=new))
