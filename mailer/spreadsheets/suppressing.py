"""Addresses that must not be mailed, from a CSV file."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.formats.csv_output import RejectsFile
from mailer.formats.tables import TableFile, TableRow
from mailer.mail import addresses
from mailer.people import consents, subscribers, suppression
from mailer.spreadsheets import headers
from mailer.spreadsheets.programs import Standing
from mailer.spreadsheets.rows import InvalidRow, RejectsFileIsInput, name_and_address
from mailer.spreadsheets.standings import Standings
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow
from mailer.store.models import ConsentPurpose, Subscriber, Subscription, SubscriptionStatus, SuppressionReason

_ROWS_PER_TRANSACTION = 1000
_EXAMPLES = 5
_ATTEMPTS = 3
_METHOD = "import"
_REASONS = {
    Standing.LEFT: SuppressionReason.LEFT,
    Standing.BOUNCED: SuppressionReason.BOUNCED,
    Standing.COMPLAINED: SuppressionReason.COMPLAINED,
}

#: Why an address may be on such a file. Erasing somebody is another thing: `subscribers.erase`.
REASONS = tuple(_REASONS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionImportReport:
    """What an import did, or would do. Each row counts in exactly one of the rest but `taken_off`."""

    read: int
    added: int  # not on the list before
    changed: int  # there before, now for one more reason
    unchanged: int  # there before
    wanted: int  # not added because the file says that they want mail, or never did
    not_chosen: int  # not added because other values of a column were asked for
    rejected: int  # no address, or the second time in one go
    taken_off: int  # people who got mail from a list here until now
    warnings: tuple[str, ...]
    examples: tuple[str, ...]  # the first of the rejected


def import_file(
    engine: Engine,
    path: Path,
    *,
    reason: SuppressionReason,
    ignored: Sequence[str] = (),
    only: Sequence[tuple[str, str]] = (),
    dry_run: bool = False,
    rejects: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SuppressionImportReport:
    """Put the addresses in a CSV file on the suppression list. Who left is taken off all lists here, too, and gets no
    mail about that.

    Where the file itself says of each row who left, only those are put there, for what the file says.

    :param path: a file as `tables.TableFile` describes; of its columns `email` is read, and who left.
    :param reason: why, where the file does not say.
    :param ignored: columns that do not say who left, whatever stands in them.
    :param only: column and value: of such a column only rows with one of its values are taken.
    :param dry_run: decide everything, write nothing but the rejects.
    :param rejects: where to write the lines without an address, to be corrected and imported.
    :param progress: called with the rows done and the rows there are.
    :raises MailerError: of the file, or what was asked for; nothing was written.
    """
    keyring = keyring_of(engine)
    with TableFile(path, columns=("email",), spellings=headers.SUPPORTERS) as file:
        if rejects is not None and file.is_same_as(rejects):
            raise RejectsFileIsInput(path=path)
        standings = Standings(file, ignored=ignored, only=only)
        total = sum(1 for _ in standings.survey())
        tally: Counter[str] = Counter()
        examples: list[str] = []
        with RejectsFile(rejects, file) as rejected:
            for records in _batches(file.records()):
                why, remarks = _read(file, standings, keyring, reason, records, tally)
                tally.update(_suppress(engine, why, dry_run=dry_run))
                rejected.write(records, remarks)
                tally["rejected"] += len(remarks)
                examples += [f"line {line}: {remark}" for line, remark in remarks.items()]
                del examples[_EXAMPLES:]
                tally["read"] += len(records)
                if progress is not None:
                    progress(tally["read"], total)
        warnings = [*file.remarks(handled=file.unread_columns()), *standings.warnings()]
    names = ("read", "added", "changed", "unchanged", "wanted", "not_chosen", "rejected", "taken_off")
    return SuppressionImportReport(
        **{name: tally[name] for name in names}, warnings=tuple(warnings), examples=tuple(examples)
    )


def _batches(records: Iterator[TableRow]) -> Iterator[list[TableRow]]:
    while batch := list(islice(records, _ROWS_PER_TRANSACTION)):
        yield batch


def _read(
    file: TableFile,
    standings: Standings,
    keyring: Keyring,
    reason: SuppressionReason,
    records: Iterable[TableRow],
    tally: Counter[str],
) -> tuple[dict[bytes, set[SuppressionReason]], dict[int, str]]:
    """The addresses to suppress with their reasons, and what is wrong with the other rows, by line."""
    why: dict[bytes, set[SuppressionReason]] = {}
    remarks: dict[int, str] = {}
    for record in records:
        if not standings.is_chosen(record):
            tally["not_chosen"] += 1
            continue
        reasons = {_REASONS[said.standing] for said in standings.of(record) if said.standing in _REASONS}
        if standings.says_anything and not reasons:
            tally["wanted"] += 1
            continue
        try:
            email = file.texts(record)["email"]
            if not email:
                raise InvalidRow(problem="there is no address")
            email_index = keyring.blind_index(addresses.parse(name_and_address(email)[1]).folded)
        except MailerError as problem:
            remarks[record.line] = str(problem)
            continue
        if email_index in why:
            tally["unchanged"] += 1
        why.setdefault(email_index, set()).update(reasons or {reason})
    return why, remarks


def _suppress(engine: Engine, why: dict[bytes, set[SuppressionReason]], *, dry_run: bool) -> Counter[str]:
    """Write in one transaction, in which nobody comes back."""
    for _ in range(_ATTEMPTS):
        try:
            with session_scope(engine) as session:
                suppression.lock_alone(session)
                outcomes = suppression.add_many(session, why)
                taken_off = _take_off(session, why)
                if dry_run:
                    session.rollback()
            words = {True: "added", None: "changed", False: "unchanged"}
            return Counter(words[outcome] for outcome in outcomes) + Counter(taken_off=taken_off)
        except IntegrityError:  # a server's answer was quicker with one of these addresses
            continue
    raise DatabaseUnavailable(problem="other programs keep writing about the same people")


def _take_off(session: Session, why: dict[bytes, set[SuppressionReason]]) -> int:
    """Have the people with these addresses get no mail; returns how many got mail until now."""
    theirs = select(Subscriber.id, Subscriber.email_index).where(Subscriber.email_index.in_(why))
    people = {person: bytes(email_index) for person, email_index in session.execute(theirs.with_for_update())}
    reached = _mailable(session, people)
    left = [person for person, index in people.items() if SuppressionReason.LEFT in why[index]]
    active = select(Subscription).where(
        Subscription.subscriber_id.in_(left), Subscription.status == SubscriptionStatus.ACTIVE
    )
    for subscription in session.scalars(active).all():
        subscription.status = SubscriptionStatus.UNSUBSCRIBED
        subscription.unsubscribed_at = utcnow()
        consents.withdraw(
            *(session, subscription.subscriber_id, ConsentPurpose.ALERTS),
            method=_METHOD,
            list_id=subscription.list_id,
        )
    subscribers.refresh(session, list(people))
    return len(reached)


def _mailable(session: Session, people: Collection[int]) -> set[int]:
    theirs = select(Subscription.subscriber_id).where(Subscription.subscriber_id.in_(people), Subscription.mailable)
    return set(session.scalars(theirs))
