"""Accounts: who may come to the desk, for admins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import abort, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.links import Pages
from mailer.mail import addresses
from mailer.organisers import accounts, desk_sessions, invitations
from mailer.organisers.accounts import UnknownAccount
from mailer.organisers.roles import need_second_factor
from mailer.store.db import utcnow
from mailer.store.models import Account, InvitationKind, Role
from mailer.web.desk import duties, refusing
from mailer.web.desk.duties import Duty
from mailer.web.desk.visit import record, visit
from mailer.web.language import url
from mailer.web.site import site

#: as a form names it → what the link is for
_KINDS = {kind.name.lower(): kind for kind in InvitationKind}


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may come to the desk, as the pages show them."""

    id: int
    address: str
    name: str | None
    roles: frozenset[Role]
    state: str  # "disabled", "invited" or "active"
    lacks_code: bool  # they may do no more than an analyst before they have set up a second factor
    counts: bool | None  # whether they count as a publisher; None: as they are or are not one
    seen: date | None  # in the viewer's zone

    @property
    def duties(self) -> list[Duty]:
        """Their roles in words."""
        return [each for each in duties.every() if each.role in self.roles]


def see() -> str:
    """Who there is."""
    with site().session(read_only=True) as session:
        members = _members(session, accounts.all_accounts(session))
    return render_template("desk/accounts/see.html", members=members)


def _members(session: Session, of: Any) -> list[Member]:
    publishing = {account.id for account in accounts.publishers_at(session, utcnow())}
    seen = desk_sessions.last_seen(session)
    return [_member(account, publishing, seen.get(account.id)) for account in of]


def _member(account: Account, publishing: set[int], seen: datetime | None) -> Member:
    has_joined, roles = accounts.has_joined(account), accounts.roles_of(account)
    is_open = account.disabled_at is None
    counts = account.id in publishing
    return Member(
        id=account.id,
        address=account.email,
        name=account.name,
        roles=roles,
        state="disabled" if not is_open else "active" if has_joined else "invited",
        lacks_code=has_joined and account.totp_secret is None and need_second_factor(roles),
        counts=counts if has_joined and counts is not (Role.PUBLISHER in roles and is_open) else None,
        seen=seen.astimezone(visit().zone).date() if seen else None,
    )


# --- letting somebody in ----------------------------------------------------------------------------------------------


def prepare() -> str:
    """The form to invite somebody with."""
    return _invitation()


def _invitation(problems: Mapping[str, str] | None = None) -> str:
    return render_template("desk/accounts/prepare.html", every=duties.every(), problems=problems or {})


def invite() -> Any:
    """Make an account, and show the link to hand over."""
    now = utcnow()
    try:
        address = addresses.parse(request.form.get("invitee", "").strip())
        with site().session() as session:
            account = accounts.add(session, address, _chosen(), name=request.form.get("name"), at=now)
            token = invitations.invite(session, account, InvitationKind.JOIN, by=visit().account_id, at=now)
            if request.form.get("mailed"):
                invitations.mail(session, account, InvitationKind.JOIN, token)
            _log(session, "accounts.invite", account, roles=sorted(_chosen()))
    except MailerError as mistake:
        return make_response(_invitation(refusing.at_field(mistake)), 422)
    return _link(account, InvitationKind.JOIN, token)


def _chosen() -> set[Role]:
    return {role for role in Role if request.form.get(f"role-{role}")}


def _link(account: Account, kind: InvitationKind, token: str) -> str:
    address = Pages(site().settings.base_url).desk_invitation(token)
    return render_template(
        "desk/accounts/link.html",
        account=account,
        kind=kind.name.lower(),
        link=address,
        is_mailed=bool(request.form.get("mailed")),
    )


# --- one of them ------------------------------------------------------------------------------------------------------


def one(account_id: int) -> Any:
    """One account, and what may be done to it."""
    return _one(account_id)


def _one(account_id: int, problems: Mapping[str, str] | None = None) -> str:
    with site().session(read_only=True) as session:
        (member,) = _members(session, [_get(session, account_id)])
        begun = desk_sessions.of_account(session, account_id, at=utcnow())
    return render_template(
        "desk/accounts/one.html", member=member, sessions=begun, every=duties.every(), problems=problems or {}
    )


def _get(session: Session, account_id: int) -> Account:
    try:
        return accounts.get(session, account_id)
    except UnknownAccount:
        abort(404)


def change_roles(account_id: int) -> Any:
    """Give roles, and take roles."""

    def act(session: Session, account: Account) -> dict[str, Any]:
        chosen, now = _chosen(), utcnow()
        if not chosen:
            raise accounts.NoRole
        added = [role for role in sorted(chosen) if accounts.grant(session, account, role, now)]
        gone = [role for role in sorted(set(Role) - chosen) if accounts.revoke(session, account, role, now)]
        return {"added": added, "removed": gone} if added or gone else {}

    return _change(account_id, "accounts.roles", act)


def disable(account_id: int) -> Any:
    """Let somebody in no more."""
    return _change(
        account_id, "accounts.disable", lambda session, account: accounts.disable(session, account, utcnow())
    )


def enable(account_id: int) -> Any:
    """Let somebody in again."""
    return _change(account_id, "accounts.enable", lambda session, account: accounts.enable(session, account, utcnow()))


def end_sessions(account_id: int) -> Any:
    """Sign somebody out everywhere."""
    return _change(
        account_id, "accounts.end_sessions", lambda session, account: desk_sessions.end_all(session, account.id)
    )


def _change(account_id: int, action: str, act: Callable[[Session, Account], Any]) -> Any:
    """Do something to an account, and write it down if it changed anything.

    :param act: says what changed; what is false is nothing.
    """
    try:
        with site().session() as session:
            account = _get(session, account_id)
            changed = act(session, account)
            if changed:
                _log(session, action, account, **(changed if isinstance(changed, dict) else {}))
    except MailerError as mistake:
        return make_response(_one(account_id, refusing.at_field(mistake)), 422)
    return redirect(url("desk.accounts.one", account_id=account_id, done=action.rpartition(".")[2]), 303)


def renew(account_id: int) -> Any:
    """Make somebody a new link, and show it to hand over."""
    kind = _KINDS.get(request.form.get("kind", ""))
    if kind is None:
        abort(400)
    try:
        with site().session() as session:
            account = _get(session, account_id)
            token = invitations.invite(session, account, kind, by=visit().account_id, at=utcnow())
            _log(session, "accounts.invite", account, kind=kind.value)
    except MailerError as mistake:
        return make_response(_one(account_id, refusing.at_field(mistake)), 422)
    return _link(account, kind, token)


def _log(session: Session, action: str, account: Account, **details: Any) -> None:
    record(session, action, account.id, kind="account", details=details or None)
