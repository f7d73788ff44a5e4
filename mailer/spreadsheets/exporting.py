"""A list's supporters as a CSV file."""

import io
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

from sqlalchemy import Select, and_, func, select, true
from sqlalchemy.orm import Session, aliased

from mailer.formats.csv_output import CsvWriter, whole_file
from mailer.formats.tables import PLAIN, Dress
from mailer.people import lists
from mailer.spreadsheets.importing import COLUMNS
from mailer.store import scope
from mailer.store.models import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentSource,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    Union,
)

_ROWS_PER_FETCH = 1000


def export_list(session: Session, list_slug: str, path: Path, *, dress: Dress = PLAIN) -> int:
    """Write the people who are on a list, in the columns that an import reads.

    Only those who want the mail: a file with people who left in it would bring them back wherever it is imported.
    The file is readable for its owner only, and is there whole or not at all. What a union exports of its own list
    tells of nobody that they belong to another union, see `scope.told_unions`.

    :param path: where to write it; a file of that name is replaced.
    :param dress: how to write it, such as with a byte order mark for Excel.
    :returns: how many people it has.
    :raises lists.UnknownList: no list has that slug.
    :raises tables.UnwritableFile: there is no room, or no right to write; no file was made or replaced.
    """
    people = _people(lists.get(session, list_slug).id, scope.told_unions(session))
    exported = 0
    with whole_file(path) as file:
        writer = CsvWriter(file, COLUMNS, dress)
        for row in _records(session, people):
            writer.write(row)
            exported += 1
    return exported


def in_parts(session: Session, list_slug: str, *, dress: Dress = PLAIN) -> Iterator[str]:
    """Likewise, in parts of some hundred rows, for whoever passes them on: nothing of it is written to a disk.

    :raises lists.UnknownList: no list has that slug.
    """
    people = _people(lists.get(session, list_slug).id, scope.told_unions(session))
    file = io.StringIO(newline="")
    writer = CsvWriter(file, COLUMNS, dress)
    for number, row in enumerate(_records(session, people), start=1):
        writer.write(row)
        if number % _ROWS_PER_FETCH == 0:
            yield file.getvalue()
            file.seek(0)
            file.truncate()
    yield file.getvalue()


def _records(session: Session, people: Select[*tuple[Any, ...]]) -> Iterator[list[str | None]]:
    """What `_people` chose, each as the cells of a row."""
    for row in session.execute(people.execution_options(yield_per=_ROWS_PER_FETCH)):
        agreed = row.confirmed_at.isoformat() if row.confirmed_at else None
        yield [row.email, row.name, row.country, row.slug, row.language, agreed, row.source]


def _people(list_id: int, told_unions: Set[int] | None) -> Select[*tuple[Any, ...]]:
    """Who is on a list, in the order of COLUMNS, with what the consent log last says of their being on it.

    :param told_unions: of which unions it may be told who belongs to them; None for all.
    """
    may_be_told = true() if told_unions is None else Union.id.in_(sorted(told_unions))
    event = aliased(ConsentEvent)
    latest = (
        select(func.max(event.id))
        .where(
            event.subscriber_id == Subscriber.id,
            event.list_id == list_id,
            event.purpose == ConsentPurpose.ALERTS,
            event.action == ConsentAction.GIVEN,
        )
        .correlate(Subscriber)
        .scalar_subquery()
    )
    return (
        select(
            Subscriber.email,
            Subscriber.name,
            Subscriber.country,
            Union.slug,
            Subscriber.language,
            ConsentEvent.confirmed_at,
            ConsentSource.source,
        )
        .join(Subscription, and_(Subscription.subscriber_id == Subscriber.id, Subscription.list_id == list_id))
        .outerjoin(Union, and_(Union.id == Subscriber.union_id, may_be_told))
        .outerjoin(ConsentEvent, ConsentEvent.id == latest)
        .outerjoin(ConsentSource, ConsentSource.event_id == ConsentEvent.id)
        .outerjoin(Suppression, Suppression.email_index == Subscriber.email_index)
        .where(Subscription.status == SubscriptionStatus.ACTIVE, Suppression.email_index.is_(None))
        .order_by(Subscriber.id)
    )
