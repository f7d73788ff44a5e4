"""What each command does to the database. Each change that somebody orders by a command stands in the audit log: which
command it was, and what it named.

A command that stands in no line here does not run, and one that is said to read, and changes a row, is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection, Engine, select

from mailer.store import audit, db, slugs
from mailer.store.audit import COMMAND_LINE
from mailer.store.db import DatabaseUnavailable, session_scope
from mailer.store.models import Union
from mailer.store.slugs import InvalidSlug

UNION = "union"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a command does."""

    changes: bool
    about: tuple[str, str] | None = None  # the kind of what it changes, and the parameter that names it
    more: Mapping[str, str] = field(default_factory=dict)  # parameter → kind, of what else it names
    of_person: bool = False  # it is about one person: only the day is kept
    words: str | None = None  # the parameter that says why, in somebody's own words, which are kept encrypted
    is_noted: bool = False  # it changes no row, and an entry tells of it all the same


@dataclass(frozen=True, slots=True)
class Unlogged:
    """A command that no entry tells of."""

    why: str


READS = Effect(changes=False)


def changes(
    kind: str | None = None, by: str = "slug", *, of_person: bool = False, words: str | None = None, **more: str
) -> Effect:
    """:param by: the parameter that names what is changed.
    :param words: as of `Effect`.
    :param more: parameter → kind."""
    return Effect(changes=True, about=(kind, by) if kind else None, more=more, of_person=of_person, words=words)


_TRIAL = Unlogged("it works on a world of its own, or starts the parts that do the work")
_CAMPAIGN = changes("campaign")
_STARTS = changes("campaign", words="alone")
_CASE = changes("case")
#: what leaves the house cannot be called back
_HANDS_OUT = Effect(changes=True, about=("campaign", "slug"), is_noted=True)
_LIST = changes("list")
_UNION = changes(UNION)
_OF_CONTACT = changes(UNION, of_person=True)
_ACCOUNT = changes()  # which one, each command says itself: its parameter is an address
_APPLICATION = changes("application", "application_id", of_person=True)

#: command → what it does
EFFECTS: Mapping[str, Effect | Unlogged] = {
    "audit list": READS,
    "audit verify": Unlogged("it adds nothing to the log, and only chains what stands there"),
    "bench": _TRIAL,
    "campaigns cancel": _CAMPAIGN,
    "campaigns check": READS,
    "campaigns close": _CAMPAIGN,
    "campaigns copy": changes("campaign", "name", slug="campaign"),
    "campaigns correct-letters": changes("campaign", "folder"),
    "campaigns delete": _CAMPAIGN,
    "campaigns export": READS,
    "campaigns letter": READS,
    "campaigns list": READS,
    "campaigns load": changes("campaign", "folder"),
    "campaigns pause": _CAMPAIGN,
    "campaigns preview": READS,
    "campaigns recipients": READS,
    "campaigns reopen": _CAMPAIGN,
    "campaigns report": READS,
    "campaigns resend": _CAMPAIGN,
    "campaigns resume": _STARTS,
    "campaigns send": _STARTS,
    "campaigns signatures export": _HANDS_OUT,
    "campaigns signatures hide": changes("campaign", of_person=True),
    "campaigns signatures list": READS,
    "campaigns status": READS,
    "campaigns stop": _CAMPAIGN,
    "campaigns test": _CAMPAIGN,
    "campaigns withdraw": _CAMPAIGN,
    "cases close": _CASE,
    "cases consent": _CASE,
    "cases list": READS,
    "cases load": changes("case", "folder"),
    "cases reopen": _CASE,
    "cases show": READS,
    "cases stop": _CASE,
    "catcher": _TRIAL,
    "db upgrade": changes(),
    "demo": _TRIAL,
    "doctor": READS,
    "inbound": Unlogged("it is what a person does themselves, by mail"),
    "inbound fetch": Unlogged("it is what people do themselves, by mail"),
    "inbound listen": Unlogged("it is what people do themselves, by mail"),
    "inbound status": READS,
    "inbound try": Unlogged("what it keeps of its own mail it takes away again"),
    "inbound unread list": READS,
    "inbound unread show": READS,
    "keys new": Unlogged("there is no database yet"),
    "keys rotate": changes(),
    "keys status": READS,
    "kits link": READS,
    "kits make": _CAMPAIGN,
    "kits save": READS,
    "kits status": READS,
    "lists change": changes("list", owner=UNION),
    "lists create": changes("list", owner=UNION),
    "lists delete": _LIST,
    "lists list": READS,
    "lists show": READS,
    "lists translate": _LIST,
    "notices status": READS,
    "run": _TRIAL,
    "subscribers add": changes("list", "list_slugs", of_person=True),
    "subscribers erase": changes(of_person=True),
    "subscribers export": READS,
    "subscribers import": changes("list", "list_slug"),
    "subscribers show": READS,
    "subscribers unsubscribe": changes("list", "list_slug", of_person=True),
    "suppressions import": changes(),
    "suppressions lift": changes(of_person=True),
    "suppressions list": READS,
    "suppressions show": READS,
    "targets export": READS,
    "targets import": changes(),
    "targets list": READS,
    "targets show": READS,
    "targets verify": changes("target", "slugs"),
    "unions accept": _APPLICATION,
    "unions add": changes(UNION, parent_slug=UNION),
    "unions affiliate": _UNION,
    "unions applications": READS,
    "unions change": changes(UNION, parent_slug=UNION),
    "unions contacts": READS,
    "unions decline": _APPLICATION,
    "unions export": READS,
    "unions import": changes(),
    "unions interested": _UNION,
    "unions introduce": _UNION,
    "unions invite": _OF_CONTACT,
    "unions lapse": _UNION,
    "unions link": READS,
    "unions list": READS,
    "unions logo": _UNION,
    "unions remove-contact": _OF_CONTACT,
    "unions renew-links": _UNION,
    "unions report": READS,
    "unions show": READS,
    "users add": _ACCOUNT,
    "users disable": _ACCOUNT,
    "users enable": _ACCOUNT,
    "users invite": _ACCOUNT,
    "users list": READS,
    "users role": _ACCOUNT,
    "users sessions": _ACCOUNT,
    "worker": _TRIAL,
}


class Recorder:
    """Writes a command that changes something into the audit log, with an entry for each thing that it names: in the
    first of its transactions that changes a row, last before the commit. So nothing is changed without an entry, nor is
    there one of what was refused. A crash later leaves an entry of a command that did only a part.
    """

    def __init__(self, context: click.Context) -> None:
        """:raises KeyError: nobody has said what the command does."""
        self._name = command_name(context)
        self._effect = EFFECTS[self._name]
        self._parameters = context.params
        self._told: tuple[str, Sequence[str | int]] | None = None
        self._written: audit.Written | None = None

    def watch(self, engine: Engine) -> None:
        """Write what is changed by an engine from now on."""
        if isinstance(self._effect, Effect) and not self._parameters.get("dry_run"):
            db.before_commits(engine, partial(self._write, self._effect), always=self._effect.is_noted)

    def tell(self, kind: str, subjects: Sequence[str | int]) -> None:
        """Say what the command is about, where its parameters do not: slugs, or of unions ids."""
        self._told = kind, subjects

    def chain(self, engine: Engine) -> None:
        """Chain what was written. If that cannot be done now, a worker or the next command does it."""
        if self._written:
            try:
                with session_scope(engine) as session:
                    audit.chain(session)
            except DatabaseUnavailable:
                return

    def _write(self, effect: Effect, connection: Connection) -> None:
        if not effect.changes:
            raise RuntimeError(f"`mailer {self._name}` changes something, but is said to read")
        # Asked anew each time: a commit may have failed, and the command tries again.
        if self._written and audit.is_written(connection, self._written):
            return
        kind, subjects = self._told or self._about(connection, effect)
        others = {of: _subject(connection, of, self._parameters[name]) for name, of in effect.more.items()}
        details = {of: each for of, each in others.items() if each is not None}
        if effect.words and self._parameters[effect.words]:
            details[effect.words] = self._parameters[effect.words]
        for subject in subjects or (None,):
            self._written = audit.append(
                connection,
                self._name.replace(" ", "."),
                COMMAND_LINE,
                kind=None if subject is None else kind,
                subject=subject,
                details=details or None,
                day_only=effect.of_person,
            )

    def _about(self, connection: Connection, effect: Effect) -> tuple[str, Sequence[str | int]]:
        if effect.about is None:
            return "", ()
        kind, parameter = effect.about
        value = self._parameters[parameter]
        named = [_subject(connection, kind, each) for each in (value if isinstance(value, tuple) else (value,))]
        return kind, [each for each in named if each is not None]


def command_name(context: click.Context) -> str:
    """What a command is called, after the program."""
    names = []
    while context.parent is not None:
        names.append(context.info_name or "")
        context = context.parent
    return " ".join(reversed(names))


def _subject(connection: Connection, kind: str, named: Any) -> str | int | None:
    """What the log says of what a parameter names. Of a union its id: once it asks not to be named, its slug must be
    found nowhere. Nothing that has not the form of a slug.
    """
    if named is None or isinstance(named, int):
        return named
    slug = named.resolve().name if isinstance(named, Path) else str(named)
    if kind == UNION:
        return connection.scalar(select(Union.id).where(Union.slug == slug))
    try:
        return slugs.check(slug)
    except InvalidSlug:
        return None
