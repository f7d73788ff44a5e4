"""Invitations: links by which somebody comes to the desk for the first time, or sets up anew what they have lost.

A link's token is random, and what is kept is its hash. It works once, within a day; a newer one of the same kind
replaces it. Whoever has the link can choose a password, but not do without the second factor: that stays when a
password is chosen anew, and is set up anew by whoever knows the password alone.
"""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.locale import languages
from mailer.mail import addresses
from mailer.organisers import (
    account_mails,
    accounts,
    browsers,
    desk_sessions,
    mistakes,
    passwords,
    recovery_codes,
    sign_in,
    totp,
)
from mailer.organisers.account_mails import Event
from mailer.organisers.accounts import DisabledAccount
from mailer.organisers.desk_sessions import hash_of
from mailer.organisers.roles import need_second_factor
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store import audit
from mailer.store.db import Sessions, utcnow
from mailer.store.models import Account, AuditActor, Invitation, InvitationKind

LIFETIME = timedelta(days=1)
#: how long a link that is over is told from one that never was
_REMEMBERED = timedelta(days=30)
_TOKEN_BYTES = 20
_FORM = re.compile(r"[0-9a-f]{40}", re.ASCII)  # nothing that a mail program would take for the end of a sentence
_WITH_SECRET = (InvitationKind.JOIN, InvitationKind.SECOND_FACTOR)


#: what the mail says that the link is for
_NEW = {InvitationKind.PASSWORD: "new_password", InvitationKind.SECOND_FACTOR: "new_factor"}


class JoinedAlready(MailerError):
    """{address} has come in before. For another password: mailer users invite {address} --password"""


class NotJoined(MailerError):
    """{address} has not come in yet, and has nothing to set up anew. Invite them: mailer users invite {address}"""


class UnknownInvitation(MailerError):
    """This link does not work. Part of it may be missing: copy the whole link."""


class UsedInvitation(MailerError):
    """This link was used already, and works once. If it was not you who used it, tell whoever looks after accounts."""


class OldInvitation(MailerError):
    """This link is over: it works for a day, and until there is a newer one. Ask for a new one."""


class CodeMissing(MailerError):
    """The code is missing: give the six digits that the app shows for the secret on this page."""


class WrongCode(MailerError):
    """This code does not belong to the secret on this page. Scan it, or type it, into the app once more, and give the
    six digits that the app shows now. Check that the clock of the telephone is right."""


def invite(session: Session, account: Account, kind: InvitationKind, *, by: int | None, at: datetime) -> str:
    """Make a link for somebody. Earlier ones of the kind work no more.

    :param by: the id of the account of whoever invites; None: the command line.
    :returns: the token of the link, which is kept nowhere.
    :raises DisabledAccount: they are not to come in.
    :raises JoinedAlready: they have a password, and the link is to choose the first.
    :raises NotJoined: they have none, and the link is to replace something.
    """
    if account.disabled_at is not None:
        raise DisabledAccount(address=account.email)
    if accounts.has_joined(account) is (kind is InvitationKind.JOIN):
        raise (JoinedAlready if kind is InvitationKind.JOIN else NotJoined)(address=account.email)
    same = (Invitation.account_id == account.id, Invitation.kind == kind, Invitation.expires_at > at)
    session.execute(update(Invitation).where(*same).values(expires_at=at))
    token = secrets.token_hex(_TOKEN_BYTES)
    session.add(
        Invitation(
            account_id=account.id,
            kind=kind,
            token_hash=hash_of(token),
            totp_secret=totp.new_secret() if kind in _WITH_SECRET else None,
            by_id=by,
            created_at=at,
            expires_at=at + LIFETIME,
        )
    )
    session.flush()
    return token


def mail(session: Session, account: Account, kind: InvitationKind, token: str) -> None:
    """Owe somebody a mail with their link, in the transaction that made it.

    :param token: as `invite` has made it.
    """
    words = {_NEW[kind]: "yes"} if kind in _NEW else {}
    notice = Notice(NoticeKind.INVITATION, token, words)
    notices.owe(session, notice, language=account.language, address=account.email)


def look(session: Session, token: str, *, at: datetime) -> Invitation:
    """The invitation that a link belongs to, with its account.

    :raises UnknownInvitation: there is none.
    :raises UsedInvitation: it was used.
    :raises OldInvitation: it ran out, or was replaced.
    """
    found = None
    if _FORM.fullmatch(token):
        found = session.scalars(select(Invitation).where(Invitation.token_hash == hash_of(token))).one_or_none()
    if found is None:
        raise UnknownInvitation
    if found.used_at is not None:
        raise UsedInvitation
    if found.expires_at <= at or found.account.disabled_at is not None:
        raise OldInvitation
    return found


def needs_code(invitation: Invitation) -> bool:
    """Whether the second factor has to be set up by this link. An analyst who joins may."""
    return invitation.kind is InvitationKind.SECOND_FACTOR or (
        invitation.kind is InvitationKind.JOIN and need_second_factor(accounts.roles_of(invitation.account))
    )


def join(
    sessions: Sessions,
    token: str,
    *,
    name: str,
    zone: str,
    language: str | None,
    password: str,
    again: str | None = None,
    code: str,
    at: datetime,
) -> Sequence[str]:
    """Come to the desk for the first time.

    :param again: the password, as it was typed a second time.
    :param code: that the app shows for the secret of the invitation; empty for who needs no second factor, and wants
        none.
    :returns: recovery codes, to be shown once; none without a second factor.
    :raises UnknownInvitation: and others, as `look`.
    :raises WeakPassword: somebody would soon guess the password.
    :raises PasswordsDiffer: it was typed otherwise the second time.
    :raises CodeMissing: the code is needed.
    :raises WrongCode: it is wrong.
    :raises LongName: and UnknownZone: so.
    :raises Mistakes: several of these.
    """
    with sessions(read_only=True) as session:
        invitation = _look_for(session, token, InvitationKind.JOIN, at)
        has_code = needs_code(invitation) or bool(code.strip())
        mistakes.gather(
            partial(accounts.checked_name, name),
            partial(accounts.checked_zone, zone),
            partial(passwords.check, password, addresses.parse(invitation.account.email)),
            partial(passwords.check_again, password, again),
            *([partial(_step, invitation, code, at)] if has_code else []),
        )
        step = _step(invitation, code, at) if has_code else None
    kept = passwords.hash(password)
    with sessions() as session:
        account, secret = _use(session, token, InvitationKind.JOIN, at)
        account.name, account.zone = accounts.checked_name(name), accounts.checked_zone(zone)
        account.language, account.password_hash = languages.of_site(language), kept
        codes = _set_up(session, account, secret, step) if step is not None else []
        _log(session, account, "accounts.join")
        return codes


def set_password(sessions: Sessions, token: str, *, password: str, again: str | None = None, at: datetime) -> None:
    """Choose another password. The second factor stays, and every session ends.

    :param again: as for `join`.
    :raises UnknownInvitation: and others, as `look`.
    :raises WeakPassword: somebody would soon guess it.
    :raises PasswordsDiffer: it was typed otherwise the second time.
    :raises Mistakes: both.
    """
    with sessions(read_only=True) as session:
        invitation = _look_for(session, token, InvitationKind.PASSWORD, at)
        mistakes.gather(
            partial(passwords.check, password, addresses.parse(invitation.account.email)),
            partial(passwords.check_again, password, again),
        )
    kept = passwords.hash(password)
    with sessions() as session:
        account, _ = _use(session, token, InvitationKind.PASSWORD, at)
        account.password_hash = kept
        desk_sessions.end_all(session, account.id)
        browsers.forget_all(session, account.id)
        account_mails.tell(session, account, Event.PASSWORD, at=at)
        _log(session, account, "accounts.password")


def set_second_factor(sessions: Sessions, token: str, *, password: str, code: str, at: datetime) -> Sequence[str]:
    """Set up another second factor. Every session ends, and older recovery codes work no more. Where another person at
    the desk made the link, roles are given anew: an admin who makes links for a publisher's password and second factor
    is a publisher no sooner than one whom they invite.

    :param code: that the app shows for the secret of the invitation.
    :returns: new recovery codes, to be shown once.
    :raises UnknownInvitation: and others, as `look`.
    :raises WrongPassword: it is not that of the account.
    :raises TooManyAttempts: it was wrong too often, see `attempts`.
    :raises CodeMissing: there is no code.
    :raises WrongCode: it is wrong.
    :raises Mistakes: several of these.
    """
    with sessions(read_only=True) as session:
        invitation = _look_for(session, token, InvitationKind.SECOND_FACTOR, at)
    place = f"invitation {invitation.id}"
    mistakes.gather(
        partial(sign_in.ask_password, sessions, invitation.account_id, password, place=place, at=at),
        partial(_step, invitation, code, at),
    )
    step = _step(invitation, code, at)
    with sessions() as session:
        account, secret = _use(session, token, InvitationKind.SECOND_FACTOR, at)
        if invitation.by_id not in (None, account.id):
            accounts.give_roles_anew(session, account, at)  # before the account's row: others wait in this order
        codes = _set_up(session, account, secret, step)
        desk_sessions.end_all(session, account.id)
        account_mails.tell(session, account, Event.SECOND_FACTOR, at=at)
        _log(session, account, "accounts.second_factor")
        return codes


def forget_old(session: Session) -> None:
    """Delete those that have been over for a month."""
    over = utcnow() - _REMEMBERED
    session.execute(delete(Invitation).where(or_(Invitation.expires_at < over, Invitation.used_at < over)))


def _look_for(session: Session, token: str, kind: InvitationKind, at: datetime) -> Invitation:
    """:raises UnknownInvitation: also where the link is for something else."""
    invitation = look(session, token, at=at)
    if invitation.kind is not kind:
        raise UnknownInvitation
    return invitation


def _step(invitation: Invitation, code: str, at: datetime) -> int:
    """:raises CodeMissing: nothing was typed; :raises WrongCode: the app shows another."""
    if not code.strip():
        raise CodeMissing
    step = totp.verify(invitation.totp_secret, code, None, at)
    if step is None:
        raise WrongCode
    return step


def _use(session: Session, token: str, kind: InvitationKind, at: datetime) -> tuple[Account, str | None]:
    """Use a link up: of two who follow it at once, one gets in.

    :returns: whose it is, and the secret that stands on its page.
    """
    waiting = (Invitation.used_at.is_(None), Invitation.expires_at > at, Invitation.kind == kind)
    used = update(Invitation).where(Invitation.token_hash == hash_of(token), *waiting).values(used_at=at)
    found = session.execute(used.returning(Invitation.account_id, Invitation.totp_secret)).first()
    if found is None:
        _look_for(session, token, kind, at)
        raise OldInvitation
    account = accounts.get(session, found.account_id)
    if account.disabled_at is not None:
        raise OldInvitation
    return account, found.totp_secret


def _set_up(session: Session, account: Account, secret: str | None, step: int) -> Sequence[str]:
    # The code that was just typed is used up as any other.
    account.totp_secret, account.totp_step = secret, step
    return recovery_codes.make(session, account.id)


def _log(session: Session, account: Account, action: str) -> None:
    audit.append(session, action, audit.Who(AuditActor.ACCOUNT, account.id), kind="account", subject=account.id)
