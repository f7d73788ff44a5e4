"""The audit log as it is read at the desk: with the names of those who did something, and of what they did it to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.store import audit
from mailer.store.models import Account, AuditActor, AuditEntry, Union

ACCOUNT, CAMPAIGN, UNION = "account", "campaign", "union"


@dataclass(frozen=True, slots=True)
class Line:
    """One entry."""

    number: int | None  # none for a moment, until it is chained
    at: datetime
    is_day_only: bool  # it is about one person: no hour was kept
    actor: AuditActor
    account_id: int | None
    account: str | None  # what they are called now
    session: str | None
    action: str
    kind: str | None
    subject: str | None  # as the log has it
    called: str | None  # what that is called now
    details: Mapping[str, Any]


def page(
    session: Session,
    *,
    before: int | None = None,
    limit: int,
    kind: str | None = None,
    subject: str | None = None,
    account_id: int | None = None,
) -> list[Line]:
    """The newest entries, the newest first, as `audit.page` chooses them."""
    entries = audit.page(session, before=before, limit=limit, kind=kind, subject=subject, account_id=account_id)
    people = _people(session, entries)
    unions = _unions(session, entries)
    names = {ACCOUNT: people, UNION: unions}
    return [
        Line(
            number=entry.number,
            at=entry.created_at,
            is_day_only=entry.created_at.time() == time(),
            actor=entry.actor,
            account_id=entry.account_id,
            account=people.get(str(entry.account_id)),
            session=entry.session,
            action=entry.action,
            kind=entry.kind,
            subject=entry.subject,
            called=names.get(entry.kind or "", {}).get(entry.subject or "", entry.subject),
            details={name: names.get(name, {}).get(str(each), each) for name, each in (entry.details or {}).items()},
        )
        for entry in entries
    ]


def _people(session: Session, entries: Sequence[AuditEntry]) -> dict[str, str]:
    """Account, as the log has it → its name."""
    ids = {entry.account_id for entry in entries} | {int(each) for each in _named(entries, ACCOUNT)}
    found = session.execute(select(Account.id, Account.name, Account.email).where(Account.id.in_(ids - {None})))
    return {str(account_id): name or email for account_id, name, email in found}


def _unions(session: Session, entries: Sequence[AuditEntry]) -> dict[str, str]:
    ids = {int(each) for each in _named(entries, UNION)}
    found = session.execute(select(Union.id, Union.slug).where(Union.id.in_(ids)))
    return {str(union_id): slug for union_id, slug in found}


def _named(entries: Sequence[AuditEntry], kind: str) -> set[str]:
    """What is told of things of a kind, by which number."""
    named = {str(entry.subject) for entry in entries if entry.kind == kind}
    named |= {str((entry.details or {}).get(kind)) for entry in entries}
    return {each for each in named if each.isdecimal()}


def people(session: Session) -> dict[int, str]:
    """Everybody who may be asked for: account → name, by the alphabet."""
    found = session.execute(select(Account.id, Account.name, Account.email))
    names = {account_id: name or email for account_id, name, email in found}
    return dict(sorted(names.items(), key=lambda each: each[1].casefold()))
