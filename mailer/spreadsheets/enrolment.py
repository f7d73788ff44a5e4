"""Enrolment: what becomes of people whom an import brings for a list, decided and written many at a time."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, insert, literal, literal_column, select, update
from sqlalchemy.orm import Session

from mailer.people import subscribers, suppression
from mailer.store.db import utcnow
from mailer.store.models import (
    Base,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ImportAddition,
    Subscriber,
    Subscription,
    SubscriptionStatus,
)

METHOD = "import"
# The tables, not the classes: the ORM's way of inserting many takes twice as long.
_SUBSCRIBERS = Base.metadata.tables["subscribers"]
_SUBSCRIPTIONS = Base.metadata.tables["subscriptions"]
_CONSENT_EVENTS = Base.metadata.tables["consent_events"]
_CONSENT_SOURCES = Base.metadata.tables["consent_sources"]
_ADDITIONS = Base.metadata.tables["import_additions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person as an import describes them, checked and normalised. `union_id` is None where storing it was not
    agreed to."""

    line: int
    email: str  # as `addresses.Address.text`
    email_index: bytes
    name: str | None
    country: str | None
    union_id: int | None
    language: str | None
    consent_at: datetime | None
    source: str | None

    def details(self) -> dict[str, Any]:
        """What may be filled in or updated on a person who is known already: column → value."""
        return {"name": self.name, "country": self.country, "union_id": self.union_id, "language": self.language}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an import enrols people for, and on the strength of which words.

    The ids of the texts are None where nothing will be written, or no union stored.
    """

    list_id: int
    text_id: int | None
    union_text_id: int | None
    update: bool  # overwrite what is known, instead of only filling in what is not
    import_id: int | None = None  # of an import that is noted person by person, so that it can go on, and be taken back


class Fate(enum.StrEnum):
    """What becomes of a candidate."""

    CREATED = "created"  # a person nobody knew, now on the list
    SUBSCRIBED = "subscribed"  # known from another list, now on this one too
    UPDATED = "updated"  # on the list already; something about them was filled in or changed
    UNCHANGED = "unchanged"  # on the list already, with all of this
    LEFT = "left"  # left the list, or every list, or was removed; nothing is touched


@dataclass(frozen=True, slots=True)
class Decision:
    """A candidate's fate, and what it takes to bring it about."""

    candidate: Candidate
    fate: Fate
    subscriber_id: int | None  # None for a person nobody knew
    changes: dict[str, Any]  # column of subscribers → new value
    is_done: bool = False  # by this import, before it was interrupted


def decide(session: Session, terms: Terms, candidates: Sequence[Candidate]) -> list[Decision]:
    """What becomes of each candidate. Nothing is written.

    :param candidates: a few thousand at most, each address once.
    """
    indexes = [candidate.email_index for candidate in candidates]
    suppressed = suppression.suppressed(session, indexes)
    known = _known(session, terms.list_id, indexes)
    done = _done(session, terms, known)
    decisions = []
    for candidate in candidates:
        if candidate.email_index in suppressed:
            decisions.append(Decision(candidate, Fate.LEFT, None, {}))
        elif candidate.email_index in known:
            decision = _decide_known(candidate, known[candidate.email_index], terms)
            fate = done.get(decision.subscriber_id or 0)
            if fate is not None and decision.fate is not Fate.LEFT:
                decision = Decision(candidate, fate, decision.subscriber_id, {}, is_done=True)
            decisions.append(decision)
        else:
            decisions.append(Decision(candidate, Fate.CREATED, None, {}))
    return decisions


def _known(session: Session, list_id: int, indexes: Sequence[bytes]) -> dict[bytes, Any]:
    rows = session.execute(
        select(
            Subscriber.email_index,
            Subscriber.id,
            Subscriber.name,
            Subscriber.country,
            Subscriber.union_id,
            Subscriber.language,
            Subscriber.is_kept_off_lists,
            Subscription.status,
            _withdrew_union().label("withdrew_union"),
        )
        .outerjoin(Subscription, and_(Subscription.subscriber_id == Subscriber.id, Subscription.list_id == list_id))
        .where(Subscriber.email_index.in_(indexes))
    )
    return {bytes(row.email_index): row for row in rows}


def _done(session: Session, terms: Terms, known: Mapping[bytes, Any]) -> dict[int, Fate]:
    """What this import has done already: person → fate."""
    if terms.import_id is None or not known:
        return {}
    ids = [row.id for row in known.values()]
    theirs = (ImportAddition.import_id == terms.import_id, ImportAddition.subscriber_id.in_(ids))
    rows = session.execute(select(ImportAddition.subscriber_id, ImportAddition.fate).where(*theirs))
    return {subscriber_id: Fate(fate) for subscriber_id, fate in rows}


def _withdrew_union() -> ColumnElement[bool]:
    """Whether the last thing that a person said about storing their union is that we must not."""
    latest = (
        select(ConsentEvent.action)
        .where(ConsentEvent.subscriber_id == Subscriber.id, ConsentEvent.purpose == ConsentPurpose.UNION)
        .order_by(ConsentEvent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return latest == ConsentAction.WITHDRAWN


def _decide_known(candidate: Candidate, known: Any, terms: Terms) -> Decision:
    is_kept_off = known.status is None and known.is_kept_off_lists
    if known.status is SubscriptionStatus.UNSUBSCRIBED or is_kept_off:
        return Decision(candidate, Fate.LEFT, known.id, {})
    changes = {
        column: value
        for column, value in candidate.details().items()
        if value is not None
        and _replaces(value, getattr(known, column), terms)
        and not (column == "union_id" and known.withdrew_union)
    }
    if known.status is None:
        return Decision(candidate, Fate.SUBSCRIBED, known.id, changes)
    return Decision(candidate, Fate.UPDATED if changes else Fate.UNCHANGED, known.id, changes)


def _replaces(new: object, old: object, terms: Terms) -> bool:
    return old is None or (terms.update and new != old)


def carry_out(session: Session, terms: Terms, decisions: Iterable[Decision]) -> None:
    """Write what was decided in the same transaction, with a line in the consent log for each thing agreed to.

    :raises sqlalchemy.exc.IntegrityError: another program wrote about the same people in between (only on
        PostgreSQL); to be rolled back and decided anew.
    """
    decided = [each for each in decisions if each.fate not in (Fate.UNCHANGED, Fate.LEFT) and not each.is_done]
    ids = _create_subscribers(session, [d.candidate for d in decided if d.fate is Fate.CREATED])
    people = [(ids[d.candidate.email_index] if d.subscriber_id is None else d.subscriber_id, d) for d in decided]
    _change_subscribers(session, [(person, d.changes) for person, d in people if d.changes])
    _subscribe(session, terms, [(person, d) for person, d in people if d.fate in (Fate.CREATED, Fate.SUBSCRIBED)])
    _log_consent(session, terms, people)
    if terms.import_id is not None:
        rows = [{"subscriber_id": person, "fate": decision.fate.value} for person, decision in people]
        _insert(session, _ADDITIONS, rows, import_id=terms.import_id)


def _create_subscribers(session: Session, candidates: Sequence[Candidate]) -> dict[bytes, int]:
    """Insert people; returns the ids by blind index."""
    if not candidates:
        return {}
    rows = [{"email": c.email, "email_index": c.email_index, **c.details()} for c in candidates]
    _insert(session, _SUBSCRIBERS, rows, created_at=utcnow())
    indexes = [c.email_index for c in candidates]
    found = session.execute(select(Subscriber.email_index, Subscriber.id).where(Subscriber.email_index.in_(indexes)))
    return {bytes(email_index): subscriber_id for email_index, subscriber_id in found}


def _change_subscribers(session: Session, changes: Sequence[tuple[int, dict[str, Any]]]) -> None:
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for subscriber_id, values in changes:
        by_columns.setdefault(tuple(values), []).append({"person": subscriber_id, **values})
    for columns, rows in by_columns.items():
        change = update(_SUBSCRIBERS).where(_SUBSCRIBERS.c.id == bindparam("person"))
        session.execute(change.values({column: bindparam(column) for column in columns}), rows)
    if changes:
        subscribers.refresh(session, [subscriber_id for subscriber_id, _ in changes])


def _subscribe(session: Session, terms: Terms, people: Sequence[tuple[int, Decision]]) -> None:
    rows = [
        {
            "subscriber_id": subscriber_id,
            "confirmed_at": decision.candidate.consent_at,
            "country": decision.candidate.country,
            "union_id": decision.candidate.union_id,
            "language": decision.candidate.language,
        }
        for subscriber_id, decision in people
    ]
    _insert(
        session,
        _SUBSCRIPTIONS,
        rows,
        list_id=terms.list_id,
        status=SubscriptionStatus.ACTIVE,
        mailable=subscribers.is_mailable(SubscriptionStatus.ACTIVE, suppressed=False),
        created_at=utcnow(),
    )
    # Someone known from another list has details that this file need not repeat.
    known = [subscriber_id for subscriber_id, decision in people if decision.fate is Fate.SUBSCRIBED]
    if known:
        subscribers.refresh(session, known)


def _log_consent(session: Session, terms: Terms, people: Sequence[tuple[int, Decision]]) -> None:
    given = {
        (ConsentPurpose.ALERTS, terms.list_id, terms.text_id): [p for p in people if _agreed_to_alerts(p[1])],
        (ConsentPurpose.UNION, None, terms.union_text_id): [p for p in people if _agreed_to_union(p[1])],
    }
    for (purpose, list_id, text_id), agreed in given.items():
        rows = [
            {
                "subscriber_id": subscriber_id,
                "asked_at": decision.candidate.consent_at,
                "confirmed_at": decision.candidate.consent_at,
            }
            for subscriber_id, decision in agreed
        ]
        _insert(
            session,
            _CONSENT_EVENTS,
            rows,
            list_id=list_id,
            purpose=purpose,
            action=ConsentAction.GIVEN,
            text_id=text_id,
            method=METHOD,
            recorded_at=utcnow(),
        )
        _note_sources(session, purpose, {person: d.candidate.source for person, d in agreed if d.candidate.source})


def _note_sources(session: Session, purpose: ConsentPurpose, sources: Mapping[int, str]) -> None:
    """Keep where agreements were collected that the log has just got.

    :param sources: by person.
    """
    if not sources:
        return
    newest = (
        select(ConsentEvent.subscriber_id, func.max(ConsentEvent.id))
        .where(
            ConsentEvent.subscriber_id.in_(sources),
            ConsentEvent.purpose == purpose,
            ConsentEvent.method == METHOD,
        )
        .group_by(ConsentEvent.subscriber_id)
    )
    rows = [{"event_id": event_id, "source": sources[person]} for person, event_id in session.execute(newest)]
    _insert(session, _CONSENT_SOURCES, rows)


def _agreed_to_alerts(decision: Decision) -> bool:
    return decision.fate in (Fate.CREATED, Fate.SUBSCRIBED)


def _agreed_to_union(decision: Decision) -> bool:
    if decision.fate is Fate.CREATED:
        return decision.candidate.union_id is not None
    return "union_id" in decision.changes


def _insert(session: Session, table: Table, rows: Sequence[dict[str, Any]], **same: object) -> None:
    """Insert rows into a table.

    :param same: columns with one value for all rows. They are written into the statement, which is prepared once:
        as parameters they took a third of an import's time, for conversions of the same value a million times.
    """
    if not rows:
        return
    dialect = session.get_bind().dialect
    constants: dict[str, ColumnElement[Any]] = {}
    for column, value in same.items():
        inlined = literal(value, table.c[column].type).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        constants[column] = literal_column(str(inlined))
    varying = {column: bindparam(column, type_=table.c[column].type) for column in rows[0]}
    session.execute(insert(table).values({**varying, **constants}), list(rows))
