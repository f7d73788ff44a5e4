"""`mailer audit`: who did what, and whether anybody has touched the log of it."""

import json
from datetime import time
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.cli.effects import UNION
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_lines_option, json_option
from mailer.errors import MailerError
from mailer.store import audit as log
from mailer.store.audit import Fault, Finding, Mark, Verdict
from mailer.store.models import AuditEntry, Union

_PAGE = 50
_SAID = {
    Fault.MISSING: "missing",
    Fault.CHANGED: "not as written",
    Fault.ASTRAY: "of another copy of this log",
    Fault.UNREADABLE: "in part unreadable, because a secret key is missing or the details were damaged",
}


class Touched(MailerError):
    """The audit log is not as it was written. If you have changed MAILER_INDEX_KEY, or restored a backup, that is why.
    Otherwise somebody has used the database past this program: keep a copy of it, and find out who could."""


class _Noted(click.ParamType[Mark]):
    """The newest entry, as `verify` has printed it once."""

    name = "NUMBER:HASH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mark:
        try:
            return Mark.parse(value)
        except ValueError:
            self.fail(f"{value} is not what `mailer audit verify` prints, such as 812:9f3a and so on", param, ctx)


@click.group()
def audit() -> None:
    """Show who did what, and make sure that nobody has touched the log of it."""


@audit.command("list")
@click.option("--before", metavar="NUMBER", type=click.IntRange(1), help="Only entries with a lower number.")
@click.option(
    "--limit", metavar="NUMBER", type=click.IntRange(1, 10_000), default=_PAGE, show_default=True, help="How many."
)
@json_lines_option
@pass_installation
def list_(installation: Installation, before: int | None, limit: int, as_json: bool) -> None:
    """Show who did what, the newest first."""
    with installation.session(read_only=True) as session:
        entries = log.page(session, before=before, limit=limit)
        told = [_facts(session, entry) for entry in entries]
    for facts in told:
        click.echo(json.dumps(facts, ensure_ascii=False) if as_json else _line(facts))
    if as_json:
        return
    if not told:
        click.echo("There is no such entry.")
    elif len(entries) == limit and (oldest := entries[-1].number or 0) > 1:
        click.echo(typed(f"For older ones: mailer audit list --before {oldest}"))


def _facts(session: Session, entry: AuditEntry) -> dict[str, Any]:
    """What is told of an entry; a union is called as it is now."""
    at, details = entry.created_at, entry.details or {}
    return {
        "number": entry.number,
        "at": at.date().isoformat() if at.time() == time() else at.isoformat(timespec="seconds"),
        "actor": entry.actor.value,
        "account": entry.account_id,
        "session": entry.session,
        "action": entry.action,
        "kind": entry.kind,
        "subject": _called(session, entry.kind, entry.subject),
        "details": {name: _called(session, name, value) for name, value in details.items()},
    }


def _called(session: Session, kind: str | None, subject: Any) -> Any:
    if kind != UNION or subject is None:
        return subject
    return session.scalar(select(Union.slug).where(Union.id == int(subject))) or subject


def _line(facts: dict[str, Any]) -> str:
    number = "" if facts["number"] is None else f"{facts['number']:,}"
    who = facts["actor"] if facts["account"] is None else f"account {facts['account']}"
    where = f"session {facts['session']}" if facts["session"] else ""
    about = f"{facts['kind']} {facts['subject']}" if facts["subject"] is not None else ""
    more = ", ".join(f"{name} {value}" for name, value in facts["details"].items())
    told = "  ".join(filter(None, (where, about, more)))
    at = facts["at"].replace("T", " ").replace("+00:00", " UTC")
    return f"{number:>8}  {at:<23}  {who:<12}  {facts['action']:<24}  {told}".rstrip()


@audit.command()
@click.option("--noted", metavar="NUMBER:HASH", type=_Noted(), help="The newest entry, as it was printed once.")
@json_option
@pass_installation
def verify(installation: Installation, noted: Mark | None, as_json: bool) -> None:
    """Make sure that nobody has changed, removed or replaced an entry of the audit log.

    The exit code is 1 if somebody has. It prints the number and hash of the newest entry. Keep that line elsewhere:
    without it nobody can tell whether the newest entries were removed. Pass it on the next time, with --noted.
    """
    with installation.session() as session:
        log.chain(session)
    with installation.session(read_only=True) as session:
        found = log.verify(session, noted=noted)
    if as_json:
        click.echo(json.dumps(_to_json(found)))
    else:
        _show(found)
    if found.findings:
        raise Touched


def _to_json(found: Verdict) -> dict[str, Any]:
    findings = [{"first": each.first, "last": each.last, "fault": each.fault.value} for each in found.findings]
    return {"entries": found.entries, "newest": str(found.newest) if found.newest else None, "findings": findings}


def _show(found: Verdict) -> None:
    for each in found.findings:
        click.echo(f"{_entries(each)} {_SAID[each.fault]}.")
    if found.newest is None:
        click.echo("There is no entry.")
        return
    if not found.findings:
        click.echo(f"{found.entries:,} {'entry' if found.entries == 1 else 'entries'}, all as they were written.")
    click.echo(f"Newest: {found.newest}")
    if not found.findings:
        click.echo(typed(f"Keep that elsewhere. The next time: mailer audit verify --noted {found.newest}"))


def _entries(finding: Finding) -> str:
    return (
        f"Entry {finding.first} is"
        if finding.first == finding.last
        else (f"Entries {finding.first} to {finding.last} are")
    )
