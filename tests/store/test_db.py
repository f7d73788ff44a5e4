"""Sessions, times, and what is said when the database is not there."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError, StatementError
from sqlalchemy.orm import Session

from mailer.operations import schema
from mailer.store import crypto, db
from mailer.store.crypto import Keyring
from mailer.store.db import DatabaseUnavailable, Deadlock, ForeignFile, next_midnight, open_engine, session_scope
from mailer.store.models import Base, MailingList, Subscriber, Union
from tests.support.concurrency import Beside
from tests.support.factories import make_list, make_subscriber


def test_a_block_that_ends_well_is_committed(engine: Engine) -> None:
    with session_scope(engine) as session:
        make_list(session)
    with session_scope(engine, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(MailingList)) == 1


def test_a_block_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), session_scope(engine) as session:
        make_list(session)
        raise ZeroDivisionError
    with session_scope(engine, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(MailingList)) == 0


def test_a_time_in_any_zone_comes_back_as_the_same_moment_in_utc(session: Session) -> None:
    mailing_list = make_list(session)
    mailing_list.created_at = datetime(2026, 3, 1, 14, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    session.commit()
    session.refresh(mailing_list)
    assert mailing_list.created_at == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    assert mailing_list.created_at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(session: Session) -> None:
    mailing_list = make_list(session)
    mailing_list.created_at = datetime(2026, 3, 1, 9, 0)  # noqa: DTZ001  # the mistake under test
    with pytest.raises(StatementError, match="naive time"):
        session.flush()
    session.rollback()


def test_of_a_moment_in_any_zone_its_day_in_utc_is_kept(session: Session) -> None:
    person = make_subscriber(session)
    for kept, expected in (
        (datetime(2026, 3, 1, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), date(2026, 2, 28)),
        (datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 3, 1)),
        (date(2026, 3, 2), date(2026, 3, 2)),
    ):
        person.created_at = kept
        session.commit()
        session.refresh(person)
        assert person.created_at == expected
        assert session.scalar(select(Subscriber.id).where(Subscriber.created_at == kept)) == person.id
        written = session.scalar(text("SELECT CAST(created_at AS TEXT) FROM subscribers"))
        assert "00:00:00" in str(written)
    person.created_at = datetime(2026, 3, 1, 9, 0)  # noqa: DTZ001  # the mistake under test
    with pytest.raises(StatementError, match="naive time"):
        session.flush()
    session.rollback()


def test_the_next_midnight_is_that_of_utc_and_never_earlier() -> None:
    sunday = datetime(2026, 3, 1, tzinfo=UTC)
    assert next_midnight(sunday) == sunday
    assert next_midnight(sunday + timedelta(microseconds=1)) == sunday + timedelta(days=1)
    assert next_midnight(datetime(2026, 3, 1, 2, 0, tzinfo=timezone(timedelta(hours=3)))) == sunday


def test_a_reader_does_not_wait_for_a_writer(engine: Engine) -> None:
    with session_scope(engine) as writer:
        make_list(writer)
        with session_scope(engine, read_only=True) as reader:
            assert reader.scalar(select(func.count()).select_from(MailingList)) == 0


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_stands_still_in_the_middle_of_a_transaction_gives_back_what_it_locked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "IDLE_SECONDS", 1)
    engine.dispose()  # what is open already has the usual patience
    with session_scope(engine) as session:
        make_list(session, "alerts")

    with pytest.raises(DatabaseUnavailable), session_scope(engine) as still:
        still.scalars(select(MailingList).with_for_update()).one()
        with session_scope(engine) as other:  # waits for the lock
            assert other.scalars(select(MailingList.slug).with_for_update()).one() == "alerts"
        still.scalars(select(MailingList)).one()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_only_reads_may_take_as_long_as_they_like(engine: Engine) -> None:
    patience = text("SHOW idle_in_transaction_session_timeout")
    with session_scope(engine, read_only=True) as session:
        assert session.scalar(patience) == "0"
    with session_scope(engine) as session:
        assert session.scalar(patience) == f"{db.IDLE_SECONDS}s"


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_connection_that_died_while_nobody_used_it_fails_no_transaction(
    engine: Engine, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_SURELY_ALIVE_SECONDS", 0)
    who = select(func.pg_backend_pid())
    with session_scope(engine) as session:
        died = session.scalar(who)
    elsewhere = open_engine(engine.url.render_as_string(hide_password=False), keyring)
    with session_scope(elsewhere) as session:
        session.execute(select(func.pg_terminate_backend(died, 5_000)))  # waits until it is gone
    elsewhere.dispose()
    with session_scope(engine) as session:
        assert session.scalar(who) != died


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_loses_against_another_program_is_told_to_do_it_again(engine: Engine) -> None:
    with session_scope(engine) as session:
        names = [make_list(session, slug).slug for slug in ("one", "two")]
    both_have_one = Barrier(2)

    def lock(slugs: list[str]) -> None:
        with session_scope(engine) as session:
            for slug in slugs:
                session.scalar(select(MailingList.id).where(MailingList.slug == slug).with_for_update())
                if slug == slugs[0]:
                    both_have_one.wait(10)

    problems = []
    for each in [Beside(lambda: lock(names)), Beside(lambda: lock(names[::-1]))]:
        try:
            each.result()
        except DatabaseUnavailable as problem:
            problems.append(type(problem))
    assert problems == [Deadlock]


def test_a_committed_write_survives_a_power_cut(engine: Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_subscriber_comes_back_as_they_were_written(session: Session) -> None:
    person = make_subscriber(session, email="Зоя@example.org", name="Zoë 🌹")
    session.commit()
    session.refresh(person)
    assert (person.email, person.name) == ("Зоя@example.org", "Zoë 🌹")


def test_a_database_that_was_never_migrated_is_explained(empty_database_url: str, keyring: Keyring) -> None:
    engine = open_engine(empty_database_url, keyring)
    with pytest.raises(DatabaseUnavailable, match="mailer db upgrade"), session_scope(engine) as session:
        session.scalars(select(MailingList)).all()
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://127.0.0.1:1/tocsin"])
def test_a_database_out_of_reach_is_a_missing_service(url: str, keyring: Keyring) -> None:
    engine = open_engine(url, keyring)
    with pytest.raises(DatabaseUnavailable, match="MAILER_DATABASE_URL") as caught, session_scope(engine) as session:
        session.execute(text("SELECT 1"))
    assert caught.value.exit_code == 3
    engine.dispose()


@pytest.mark.parametrize("damage", [b"these are no database pages\n" * 100, b"SQLite format 3\0" + b"x" * 5000])
def test_a_file_that_is_no_database_is_a_missing_service(tmp_path: Path, keyring: Keyring, damage: bytes) -> None:
    file = tmp_path / "tocsin.db"
    file.write_bytes(damage)
    engine = open_engine(f"sqlite:///{file}", keyring)
    for act in (schema.upgrade, schema.require_current, count_values):
        with pytest.raises(DatabaseUnavailable, match="file is not a database"):
            act(engine)
    engine.dispose()


def count_values(engine: Engine) -> None:
    with session_scope(engine, read_only=True) as session:
        crypto.key_usage(session, Base.metadata)


def test_mistakes_in_our_own_statements_are_not_taken_for_a_missing_database(engine: Engine) -> None:
    with pytest.raises(IntegrityError), session_scope(engine) as session:
        make_list(session)
        make_list(session)
    if engine.dialect.name == "postgresql":  # SQLite cannot tell a mistake from a missing table
        with pytest.raises(ProgrammingError), session_scope(engine) as session:
            session.execute(text("SELECT nothing FROM lists"))


@pytest.mark.parametrize("add", [db.add_unique, db.insert_unless_there])
def test_of_two_rows_with_the_same_unique_value_the_first_stays(
    session: Session, add: Callable[[Session, MailingList], bool]
) -> None:
    assert add(session, MailingList(slug="news", name="News"))
    assert not add(session, MailingList(slug="news", name="Other"))
    session.commit()
    assert session.scalars(select(MailingList.name)).all() == ["News"]


@pytest.mark.parametrize("add", [db.add_unique, db.insert_unless_there])
def test_a_row_that_refers_to_nothing_is_no_duplicate(session: Session, add: Callable[[Session, Union], bool]) -> None:
    with pytest.raises(IntegrityError):
        add(session, Union(slug="new", name="New", parent_id=999))


def test_a_sqlite_file_of_another_user_that_others_may_read_is_refused(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    file = tmp_path / "tocsin.db"
    file.touch(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    engine = open_engine(f"sqlite:///{file}", keyring)
    with pytest.raises(ForeignFile, match="chmod 600") as caught, session_scope(engine) as session:
        session.execute(text("SELECT 1"))
    assert caught.value.exit_code == 3
    engine.dispose()


def test_the_sqlite_file_is_for_its_owner_only(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "tocsin.db"
    engine = open_engine(f"sqlite:///{file}", keyring)
    with session_scope(engine) as session:
        session.execute(text("SELECT 1"))
    assert file.stat().st_mode & 0o777 == 0o600
    engine.dispose()


def test_programs_that_open_a_new_sqlite_file_at_once_wait_for_each_other(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "new.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE made_by_another (id INTEGER)")

        def open_it() -> None:
            engine = open_engine(f"sqlite:///{file}", keyring)
            with session_scope(engine, read_only=True) as session:
                assert session.scalar(text("PRAGMA journal_mode")) == "wal"
            engine.dispose()

        opening = Beside(open_it)
        opening.must_wait()
        other.execute("COMMIT")
        opening.result()
