"""One's own account: what somebody changes about it at the desk themselves."""

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from mailer.locale import languages
from mailer.mail import addresses
from mailer.organisers import account_mails, accounts, browsers, desk_sessions, mistakes, passwords, sign_in
from mailer.organisers.account_mails import Event
from mailer.store import audit
from mailer.store.db import Sessions
from mailer.store.models import Account, DeskSession


def change(session: Session, account: Account, *, name: str, zone: str, language: str | None) -> None:
    """Change how somebody is called, in which time zone they see times, and in which language they see the desk.

    :param language: None: the one that the browser asks for.
    :raises LongName: the name is too long.
    :raises UnknownZone: nobody knows the time zone.
    """
    account.name, account.zone = accounts.checked_name(name), accounts.checked_zone(zone)
    account.language = languages.of_site(language)
    session.flush()


def change_password(
    sessions: Sessions, desk_session_id: int, *, old: str, new: str, again: str | None = None, at: datetime
) -> None:
    """Choose another password. Every other session ends.

    :param desk_session_id: in which it is done; it goes on.
    :param again: the new one, as it was typed a second time.
    :raises WeakPassword: somebody would soon guess the new one.
    :raises WrongPassword: the old one is wrong, or the session has ended.
    :raises TooManyAttempts: it was wrong too often, see `attempts`.
    :raises PasswordsDiffer: the new one was typed otherwise the second time.
    :raises Mistakes: several of these.
    """
    with sessions(read_only=True) as session:
        desk_session = session.get(DeskSession, desk_session_id)
        if desk_session is None:
            raise sign_in.WrongPassword
        account_id, address = desk_session.account_id, addresses.parse(desk_session.account.email)
    place = sign_in.place_of(desk_session_id)
    mistakes.gather(
        partial(sign_in.ask_password, sessions, account_id, old, place=place, at=at),
        partial(passwords.check, new, address),
        partial(passwords.check_again, new, again),
    )
    kept = passwords.hash(new)
    with sessions() as session:
        desk_session = session.get(DeskSession, desk_session_id)
        if desk_session is None:  # somebody has just ended it, perhaps because it is not the owner's
            raise sign_in.WrongPassword
        desk_session.account.password_hash = kept
        desk_sessions.end_all(session, account_id, but=desk_session_id)
        browsers.forget_all(session, account_id)
        account_mails.tell(session, desk_session.account, Event.PASSWORD, at=at)
        who = desk_sessions.who(desk_session)
        audit.append(session, "accounts.password", who, kind="account", subject=account_id)
