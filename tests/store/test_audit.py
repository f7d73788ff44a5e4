"""What stands in the audit log was done, nobody can change it unnoticed, and nobody waits for it."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mailer.operations import housekeeping
from mailer.store import audit, crypto, scope
from mailer.store.audit import COMMAND_LINE, ITSELF, Fault, Finding, Mark, Who
from mailer.store.crypto import Key, Keyring
from mailer.store.db import open_engine, session_scope
from mailer.store.models import AuditActor, AuditEntry, Base
from tests.support.concurrency import Beside
from tests.support.factories import make_list, make_union

ANA = Who(AuditActor.ACCOUNT, 7, "3")
_GUARDS = ("append_only", "chained", "kept")


def write(engine: Engine, *actions: str) -> None:
    """Entries, each in a transaction of its own, and chained."""
    for action in actions:
        with session_scope(engine) as session:
            audit.append(session, action, ANA, kind="campaign", subject="alert", details={"people": 3214})
    with session_scope(engine) as session:
        audit.chain(session)


def verdict(engine: Engine, noted: Mark | None = None) -> list[Finding]:
    with session_scope(engine, read_only=True) as session:
        return list(audit.verify(session, noted=noted).findings)


def newest(engine: Engine) -> Mark:
    with session_scope(engine, read_only=True) as session:
        found = audit.newest_of(session)
    assert found
    return found


def by_the_back_door(engine: Engine, *statements: str) -> None:
    """Change what the database guards, as somebody can who owns it."""
    with engine.begin() as connection:
        for name in _GUARDS:
            on = " ON audit_entries" if engine.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER IF EXISTS audit_entries_{name}{on}"))
        for statement in statements:
            connection.execute(text(statement))


# --- writing --------------------------------------------------------------------------------------------------------


def test_an_entry_says_who_did_what_to_what_from_which_session(engine: Engine, session: Session) -> None:
    write(engine, "campaigns.send")
    [entry] = audit.page(session, limit=50)
    assert (entry.actor, entry.account_id, entry.session) == (AuditActor.ACCOUNT, 7, "3")
    assert (entry.action, entry.kind, entry.subject) == ("campaigns.send", "campaign", "alert")
    assert (entry.number, entry.previous, entry.details) == (1, bytes(32), {"people": 3214})
    assert abs((datetime.now(UTC) - entry.created_at).total_seconds()) < 60


def test_there_is_no_entry_of_what_was_rolled_back(engine: Engine, session: Session) -> None:
    audit.append(session, "one", ITSELF)
    with pytest.raises(ZeroDivisionError), session.begin_nested():
        audit.append(session, "two", ITSELF)
        raise ZeroDivisionError
    session.commit()
    audit.append(session, "three", ITSELF)
    session.rollback()
    assert [entry.action for entry in audit.page(session, limit=50)] == ["one"]


def test_of_what_is_about_one_person_only_the_day_is_kept(session: Session) -> None:
    audit.append(session, "subscribers.erase", COMMAND_LINE, day_only=True)
    [entry] = audit.page(session, limit=50)
    assert entry.created_at == datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def test_a_session_that_is_limited_to_a_union_writes_and_reads_nothing(engine: Engine) -> None:
    with session_scope(engine) as session:
        union = make_union(session, "dockers").id
    write(engine, "campaigns.send")
    with session_scope(engine) as session:
        scope.limit(session, union)
        audit.append(session, "campaigns.pause", ANA)
        assert audit.page(session, limit=50) == []
    write(engine)
    assert verdict(engine) == []
    assert newest(engine).number == 2


def test_pages_follow_each_other_without_a_gap_the_newest_first(engine: Engine, session: Session) -> None:
    write(engine, *"abcde")
    audit.append(session, "f", ITSELF)
    pages, before = "", None
    while entries := audit.page(session, before=before, limit=2):
        pages += "".join(entry.action for entry in entries)
        before = entries[-1].number
    assert pages == "fedcba"


def test_entries_of_one_thing_or_one_person_are_paged_the_same_way(engine: Engine, session: Session) -> None:
    with session_scope(engine) as other:
        for number in range(9):
            audit.append(other, f"{number}", ANA, kind="campaign", subject="alert" if number % 2 else "other")
        audit.append(other, "by itself", ITSELF, kind="campaign", subject="alert")
        audit.append(other, "case", ANA, kind="case", subject="alert")
        audit.chain(other)
    audit.append(session, "now", ANA, kind="campaign", subject="alert")

    def actions(before: int | None = None, **which: Any) -> list[str]:
        return [entry.action for entry in audit.page(session, before=before, limit=3, **which)]

    assert actions(kind="campaign", subject="alert") == ["now", "by itself", "7"]
    assert actions(kind="campaign", subject="alert", before=8) == ["5", "3", "1"]
    assert actions(kind="case") == ["case"]
    assert actions(account_id=7, kind="campaign") == ["now", "8", "7"]
    assert actions(account_id=8) == []


# --- the database refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.execute(update(AuditEntry).values(action="nothing")),
        lambda s: s.execute(update(AuditEntry).values(hash=bytes(32))),
        lambda s: s.execute(update(AuditEntry).values(number=9)),
        lambda s: s.execute(delete(AuditEntry)),
    ],
    ids=["other words", "another hash", "another number", "none"],
)
def test_the_database_refuses_to_change_or_delete_an_entry(
    engine: Engine, session: Session, act: Callable[[Session], object]
) -> None:
    write(engine, "campaigns.send")
    with pytest.raises(DBAPIError, match="append-only"):
        act(session)


def test_what_is_not_chained_yet_is_guarded_too(session: Session) -> None:
    audit.append(session, "campaigns.send", ITSELF)
    session.commit()
    for act in (update(AuditEntry).values(subject="another"), delete(AuditEntry)):
        with pytest.raises(DBAPIError, match="append-only"):
            session.execute(act)
        session.rollback()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_sqlite_refuses_to_put_another_entry_in_the_place_of_one(engine: Engine, session: Session) -> None:
    write(engine, "campaigns.send")
    copied = "id, created_at, actor, 'nothing', digest, number, previous, hash"
    columns = copied.replace("'nothing'", "action")
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(f"INSERT OR REPLACE INTO audit_entries ({columns}) SELECT {copied} FROM audit_entries"))


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_refuses_to_empty_the_log(engine: Engine, session: Session) -> None:
    write(engine, "campaigns.send")
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text("TRUNCATE audit_entries"))


def test_the_program_changes_no_entry_that_it_has_read(engine: Engine, session: Session) -> None:
    write(engine, "campaigns.send")
    audit.page(session, limit=1)[0].details = {"people": 1}
    with pytest.raises(TypeError, match="append-only"):
        session.flush()


# --- verifying ------------------------------------------------------------------------------------------------------


def test_a_log_that_nobody_touched_is_whole(engine: Engine) -> None:
    assert verdict(engine) == []
    write(engine, *"abc")
    noted = newest(engine)
    write(engine, *"de")
    assert verdict(engine, noted) == []


@pytest.mark.parametrize(
    "change",
    [
        "created_at = '2026-01-05 00:00:00+00:00'",
        "actor = 'by itself'",
        "account_id = 8",
        "session = NULL",
        "action = 'campaigns.pause'",
        "kind = 'case'",
        "subject = 'another'",
        "details = NULL",
        "digest = previous",
        "previous = digest",
    ],
)
def test_it_is_said_which_entry_was_changed(engine: Engine, change: str) -> None:
    write(engine, *"abc")
    if engine.dialect.name == "sqlite":
        change = change.replace("+00:00", ".000000")
    by_the_back_door(engine, f"UPDATE audit_entries SET {change} WHERE number = 2")
    assert verdict(engine) == [Finding(2, 2, Fault.CHANGED)]


def test_details_are_not_exchanged_for_others(engine: Engine) -> None:
    write(engine, *"abc")
    with session_scope(engine) as session:
        audit.append(session, "d", ITSELF, details={"people": 1})
    write(engine)
    by_the_back_door(
        engine,
        "UPDATE audit_entries SET details = (SELECT details FROM audit_entries WHERE number = 4) WHERE number = 1",
    )
    assert verdict(engine) == [Finding(1, 1, Fault.CHANGED)]


def test_it_is_said_which_entries_are_missing(engine: Engine) -> None:
    write(engine, *"abcdef")
    noted = newest(engine)
    by_the_back_door(engine, "DELETE FROM audit_entries WHERE number IN (1, 3, 4)")
    assert verdict(engine) == [Finding(1, 1, Fault.MISSING), Finding(3, 4, Fault.MISSING)]
    by_the_back_door(engine, "DELETE FROM audit_entries")
    assert verdict(engine) == []
    assert verdict(engine, noted) == [Finding(1, 6, Fault.MISSING)]


def test_numbers_do_not_hide_what_is_missing(engine: Engine) -> None:
    write(engine, *"abc")
    by_the_back_door(
        engine, "DELETE FROM audit_entries WHERE number = 2", "UPDATE audit_entries SET number = 2 WHERE number = 3"
    )
    assert verdict(engine) == [Finding(2, 2, Fault.CHANGED)]


def test_a_log_that_went_on_after_it_was_cut_is_not_the_one_that_was_noted(engine: Engine) -> None:
    write(engine, *"abc")
    noted = newest(engine)
    by_the_back_door(engine, "DELETE FROM audit_entries WHERE number > 1")
    write(engine, *"de")
    assert verdict(engine) == []
    assert verdict(engine, noted) == [Finding(3, 3, Fault.ASTRAY)]


def test_an_entry_of_another_copy_of_the_log_does_not_fit_in(engine: Engine) -> None:
    write(engine, *"abc")
    by_the_back_door(
        engine, "CREATE TABLE kept AS SELECT * FROM audit_entries", "DELETE FROM audit_entries WHERE number > 1"
    )
    write(engine, *"de")
    by_the_back_door(
        engine,
        "DELETE FROM audit_entries WHERE number = 2",
        "INSERT INTO audit_entries SELECT * FROM kept WHERE number = 2",
    )
    assert verdict(engine) == [Finding(3, 3, Fault.ASTRAY)]


def test_a_key_more_changes_nothing_and_a_lost_one_is_told(engine: Engine, database_url: str, keyring: Keyring) -> None:
    write(engine, *"ab")
    index_key = keyring._index_key
    newer = Keyring(
        secret_keys=[Key.generate(), *keyring.secret_keys], link_keys=keyring.link_keys, index_key=index_key
    )
    rotated = open_engine(database_url, newer)
    assert crypto.rotate(rotated, Base.metadata) == 2
    assert verdict(rotated) == []
    rotated.dispose()
    lost = open_engine(database_url, keyring)
    assert verdict(lost) == [Finding(1, 2, Fault.UNREADABLE)]
    lost.dispose()


# --- side by side ---------------------------------------------------------------------------------------------------


def test_two_who_write_at_once_keep_one_chain(engine: Engine) -> None:
    def write_some(name: str) -> None:
        for number in range(12):
            with session_scope(engine) as session:
                audit.append(session, f"{name}{number}", ITSELF)
            with session_scope(engine) as session:
                audit.chain(session)

    writers = [Beside(lambda name=name: write_some(name)) for name in "abc"]  # type: ignore[misc]  # mypy 8603
    for writer in writers:
        writer.result()
    assert verdict(engine) == []
    assert newest(engine).number == 36
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).where(AuditEntry.number.is_(None))) == 0


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_nobody_waits_for_who_takes_long(engine: Engine) -> None:
    is_written, may_end = Event(), Event()

    def take_long() -> None:
        with session_scope(engine) as session:
            make_list(session)
            audit.append(session, "subscribers.import", COMMAND_LINE)
            is_written.set()
            assert may_end.wait(20)

    long = Beside(take_long)
    assert is_written.wait(20)
    write(engine, "campaigns.stop")
    assert newest(engine).number == 1
    may_end.set()
    long.result()
    write(engine)
    with session_scope(engine) as session:
        assert [entry.action for entry in audit.page(session, limit=9)] == ["subscribers.import", "campaigns.stop"]
    assert verdict(engine) == []


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_writes_does_not_wait_for_who_chains(engine: Engine) -> None:
    with session_scope(engine) as session:
        audit.append(session, "one", ITSELF)
    with session_scope(engine) as chaining:
        audit.chain(chaining)
        with session_scope(engine) as session:
            audit.append(session, "campaigns.stop", COMMAND_LINE)
        other = Beside(lambda: write(engine))
        other.must_wait()
    other.result()
    assert verdict(engine) == []
    assert newest(engine).number == 2


def test_what_a_crash_left_unchained_is_chained_by_housekeeping(engine: Engine) -> None:
    with session_scope(engine) as session:
        audit.append(session, "one", ITSELF)
    housekeeping.tidy(engine)
    assert newest(engine).number == 1
