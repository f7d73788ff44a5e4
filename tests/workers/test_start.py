"""What a worker says when it starts."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

import workers.__main__ as worker
from mailer.operations import logs
from mailer.settings import KEY_VARIABLES, keys_file


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_beside", [True, False])
def test_keys_beside_the_database_are_spoken_of_once(
    environment: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_beside: bool,
) -> None:
    (tmp_path / "keys").mkdir(0o700)
    file = keys_file.create((tmp_path if is_beside else tmp_path / "keys") / keys_file.NAME)
    services = {"MAILER_REDIS_URL": "redis://127.0.0.1:1/0", "MAILER_SMTP_URL": "smtp://127.0.0.1:1"}
    monkeypatch.setattr("socket.gethostname", lambda: "mail.example.org")
    given = {name: value for name, value in environment.items() if name not in KEY_VARIABLES} | services
    if not is_beside:
        (tmp_path / "database").mkdir(0o700)
        database = (tmp_path / "tocsin.db").rename(tmp_path / "database" / "tocsin.db")
        given["MAILER_DATABASE_URL"] = f"sqlite:///{database}"
    monkeypatch.setattr(os, "environ", given | {"MAILER_KEYS_FILE": str(file)})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda **_: None)  # it would take away what listens here
    monkeypatch.setattr(worker, "_supervise", lambda _: None)
    with caplog.at_level(logging.INFO):
        assert worker.main() == 0
    said = [record.message for record in caplog.records]
    beside = f"keys beside the database: {file} lies in the directory of the database"
    assert [line.startswith(beside) for line in said] == [True] * is_beside


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["mail.example.org", None])
def test_a_machine_without_a_full_name_is_spoken_of_once(
    environment: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str | None,
) -> None:
    services = {"MAILER_REDIS_URL": "redis://127.0.0.1:1/0", "MAILER_SMTP_URL": "smtp://127.0.0.1:1"}
    monkeypatch.setattr("socket.gethostname", lambda: "vm")
    monkeypatch.setattr(os, "environ", {**environment, **services, **({"MAILER_SMTP_HELO": name} if name else {})})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda **_: None)
    monkeypatch.setattr(worker, "_supervise", lambda _: None)
    with caplog.at_level(logging.INFO):
        assert worker.main() == 0
    said = [record.message for record in caplog.records if record.message.startswith("a poor name for mail servers")]
    assert len(said) == (name is None)
