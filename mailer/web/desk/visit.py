"""A visit: who is at the desk in this request, and what they may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any, cast

from flask import g, request
from sqlalchemy.orm import Session

from mailer.locale import zones
from mailer.organisers import accounts, desk_sessions
from mailer.organisers.roles import Permission
from mailer.store import audit
from mailer.store.audit import Who
from mailer.store.db import utcnow
from mailer.store.models import Account, DeskSession
from mailer.web import language
from mailer.web.desk import cookies, glances, keeping
from mailer.web.desk.keeping import Kept
from mailer.web.site import site

PREFIX = "/desk"


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is signed in, as the views see them."""

    account_id: int
    name: str  # their address, until they have given one
    address: str
    language: str | None
    zone: tzinfo
    permissions: frozenset[Permission]
    session: DeskSession
    who: Who  # for the audit log
    form_token: str = field(repr=False)
    has_code: bool  # whether they have a second factor
    is_proven: bool  # whether they gave password and second factor within the last minutes
    kept: Kept | None = field(repr=False)

    def may(self, permission: Permission | str) -> bool:
        """Whether they may do something: by a permission, or its value."""
        return permission in self.permissions


def identify() -> None:
    """Find out who a request to the desk comes from. To be called before anything that counts or refuses requests."""
    if request.path != PREFIX and not request.path.startswith(f"{PREFIX}/"):
        return
    language.speak_at_desk()
    secret = cookies.session_secret()
    if secret is None:
        return
    kept = glances.of_request()
    found = kept.get(desk_sessions.hash_of(secret), lambda: _find(secret), _find_again) if kept else _find(secret)
    if found is not None:
        g.visit = found
        language.prefer(found.language)


def _find(secret: str) -> Visit | None:
    with site().session(read_only=True) as session:
        found = desk_sessions.find(session, secret, at=utcnow())
        return _visit(found.account, found, secret) if found is not None else None


def _find_again(visits: Mapping[bytes, Visit]) -> Mapping[bytes, Visit]:
    """What has become of visits, by the hashes of their secrets; those whose session has ended are left out."""
    with site().session(read_only=True) as session:
        may = accounts.permissions_in(session, visits.keys(), at=utcnow())
    return {key: replace(visits[key], permissions=permissions) for key, permissions in may.items()}


def _visit(account: Account, found: DeskSession, secret: str) -> Visit:
    return Visit(
        account_id=account.id,
        name=account.name or account.email,
        address=account.email,
        language=account.language,
        zone=zone_of(account),
        permissions=accounts.permissions_of(account),
        session=found,
        who=desk_sessions.who(found),
        form_token=desk_sessions.form_token(secret),
        has_code=account.totp_secret is not None,
        is_proven=desk_sessions.is_fresh(found, utcnow()),
        kept=Kept.from_stored(found.kept) if found.kept else None,
    )


def zone_of(account: Account) -> tzinfo:
    """The zone that somebody sees times in."""
    return zones.or_utc(account.zone)


def visit() -> Visit:
    """Who is at the desk. Only for views behind the guard, which lets nobody else in."""
    return cast(Visit, g.visit)


def visitor() -> Visit | None:
    """Who is at the desk, if somebody is."""
    return cast(Visit | None, g.get("visit"))


def record(
    session: Session,
    action: str,
    subject: str | int,
    *,
    kind: str = "campaign",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write into the audit log what whoever is at the desk does, in the transaction that does it.

    :param action: as for `audit.append`; so the others.
    """
    audit.append(session, action, visit().who, kind=kind, subject=subject, details=details)


def typed(name: str, default: str = "") -> str:
    """What somebody typed into a field of the form on this page, so that it stands in it again; nothing secret."""
    return "" if keeping.is_secret(name) else str(typed_form().get(name, default))


def typed_form() -> Mapping[str, str]:
    """Field → what somebody typed into the form on this page; nothing where they have sent none."""
    if request.method == "POST":
        return request.form
    who = visitor()
    return who.kept.fields if who is not None and who.kept is not None and who.kept.page == request.path else {}
