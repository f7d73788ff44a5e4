"""An installation on this machine is made complete before anything starts on it."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from mailer.operations import schema
from mailer.settings import KEY_VARIABLES, keys_file
from mailer.store import db
from mailer.trial.processes import local_installation


@pytest.fixture
def variables(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of this process, which needs no process beside it; wishes to stop are again heard as before."""
    given = environment | {"MAILER_REDIS_URL": "redis://127.0.0.1:1/0", "MAILER_SMTP_URL": "smtp://127.0.0.1:1"}
    monkeypatch.setattr(os, "environ", given)
    monkeypatch.chdir(tmp_path)
    wishes = (signal.SIGINT, signal.SIGTERM)
    heard = [signal.getsignal(wish) for wish in wishes]
    yield given
    for wish, handler in zip(wishes, heard, strict=True):
        signal.signal(wish, handler)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_file_that_cannot_be_written_anew_stops_nothing(
    engine: Engine, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with db.session_scope(engine) as session:
        db.have_written_anew(session)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    with local_installation({}) as local:
        assert local.settings.database_url == variables["MAILER_DATABASE_URL"]
        schema.require_current(engine)
    said = capsys.readouterr().err
    assert said.startswith("Warning: The database is up to date, but its file may still hold what was taken out of it")
    assert said.count("\n") == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_keys_are_made_in_the_file_that_is_named(variables: dict[str, str], tmp_path: Path) -> None:
    for variable in KEY_VARIABLES:
        del variables[variable]
    (tmp_path / "keys").mkdir(0o700)
    file = tmp_path / "keys" / "of-the-alerts.env"
    variables["MAILER_KEYS_FILE"] = str(file)
    with local_installation({}) as local:
        assert local.settings.keyring.secret_keys
    assert file.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "data" / keys_file.NAME).exists()
