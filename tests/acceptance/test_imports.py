"""kill -9 of the worker that imports an uploaded file: no row is lost, none is there twice, and the file is gone."""

from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.settings import load_settings
from mailer.spreadsheets import uploads
from mailer.spreadsheets.importing import Asked
from mailer.spreadsheets.uploads import Store
from mailer.store.db import session_scope
from mailer.store.models import (
    ConsentEvent,
    Import,
    ImportAddition,
    ImportState,
    Role,
    Subscriber,
    Subscription,
)
from tests.acceptance.system import System
from tests.support.accounts import make_account
from tests.support.factories import make_list
from tests.support.waiting import wait_until

_PEOPLE = 5_000
_BAD = 10  # lines without an address
_PATIENCE = 600  # seconds: that worker stands behind everything else on the machine


def _upload(session: Session, store: Store) -> int:
    name, file = store.create()
    with file:
        file.write(b"email,name,country\n")
        for number in range(_PEOPLE):
            file.write(f"person{number}@example.org,Ana {number},GB\n".encode())
        file.write(b"nobody,,\n" * _BAD)
    make_list(session)
    account = make_account(session, "rosa@example.org", Role.PUBLISHER)
    begun = uploads.begin(session, account.id, name="people.csv", file=name)
    uploads.ask(session, begun.id, Asked(list_slug="urgent-actions", consent="I want urgent actions."))
    session.commit()
    return begun.id


def _standing(engine: Engine, import_id: int) -> Import:
    with session_scope(engine, read_only=True) as session:
        return session.get_one(Import, import_id)


def test_a_worker_that_is_killed_over_and_over_imports_each_row_once(
    system: System, engine: Engine, session: Session
) -> None:
    settings = load_settings(system.environment, directory=Path(system.folder))
    store = Store.of(settings.data_dir, settings.keyring)
    import_id = _upload(session, store)
    deaths = 0
    for state, after in (
        (ImportState.LOOKING, ImportState.LOOKED),
        (ImportState.IMPORTING, ImportState.DONE),
    ):
        if state is ImportState.IMPORTING:
            with session_scope(engine) as owner:
                uploads.confirm(owner, import_id)
        for least in (1, _PEOPLE // 2):
            worker = system.start_worker()

            def is_far(least: int = least, after: ImportState = after) -> bool:
                now = _standing(engine, import_id)
                return now.rows_done >= least or now.state is after

            wait_until(is_far, seconds=_PATIENCE)
            deaths += _standing(engine, import_id).state is state
            system.kill(worker)
        system.start_worker()

        def is_over(after: ImportState = after) -> bool:
            now = _standing(engine, import_id)
            assert now.state is not ImportState.REFUSED, now.problem
            return now.state is after

        wait_until(is_over, seconds=_PATIENCE)
        system.kill_everything()
    assert deaths >= 2, "it was killed in the middle"
    done = _standing(engine, import_id)
    assert (done.found["read"], done.found["created"], done.found["rejected"]) == (_PEOPLE + _BAD, _PEOPLE, _BAD)
    with session_scope(engine, read_only=True) as now:
        numbers = {
            model: now.scalar(select(func.count()).select_from(model))
            for model in (Subscriber, Subscription, ConsentEvent, ImportAddition)
        }
    assert set(numbers.values()) == {_PEOPLE}
    with session_scope(engine, read_only=True) as now:
        uploads.clear(now, store, at=done.finished_at and done.finished_at.replace(year=2100))
    assert [path.name for path in store.folder.iterdir()] == [done.rejects], "what was uploaded is gone"
