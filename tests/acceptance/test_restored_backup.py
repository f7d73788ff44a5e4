"""A database that was restored from a backup sends nothing again until a person says so."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from mailer.operations.queue import connect, ring
from tests.acceptance.system import LEASE_SECONDS, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

PEOPLE = 200


def test_nothing_is_sent_again_from_a_restored_backup(
    system: System, campaign: Callable[[int], str], tmp_path: Path
) -> None:
    slug = campaign(PEOPLE)
    database = Path(str(make_url(system.environment["MAILER_DATABASE_URL"]).database))
    system.mailer("campaigns", "send", slug)
    shutil.copyfile(database, tmp_path / "backup.db")
    system.start_worker()
    system.wait_until_sent(slug)
    system.kill_everything()

    for leftover in database.parent.glob(f"{database.name}-*"):
        leftover.unlink()
    shutil.copyfile(tmp_path / "backup.db", database)
    assert system.states(slug) == {"pending": PEOPLE}
    with connect(system.environment["MAILER_REDIS_URL"]) as connection:
        ring(connection, 1)  # what rings before the sweeper had a look must do no harm either
    system.start_worker()
    wait_until(lambda: system.status(slug)["status"] == "paused")
    assert "restored from a backup" in system.status(slug)["hold_reason"]
    with pytest.raises(AssertionError):
        system.server.wait_for(PEOPLE + 1, seconds=3 * LEASE_SECONDS)
    assert system.states(slug) == {"pending": PEOPLE}

    system.mailer("campaigns", "resume", slug)
    system.wait_until_sent(slug)
    assert set(system.server.copies().values()) == {2}
