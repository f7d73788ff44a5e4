"""Keys are made once, replaced without losing a value, and never shown."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from mailer.settings import KEY_VARIABLES, keys_file, load_settings
from mailer.store import crypto
from mailer.store.db import open_engine, session_scope
from mailer.store.models import Subscriber
from tests.conftest import SECRET_KEY, CommandLine
from tests.support.factories import make_subscriber
from tests.support.unpadded import take_padding_away


@pytest.fixture
def cli_with_key_file(cli: CommandLine) -> CommandLine:
    """The command line of an installation that keeps its keys in its data directory."""
    for variable in KEY_VARIABLES:
        del cli.environment[variable]
    return cli


@contextmanager
def _session(cli: CommandLine) -> Iterator[Session]:
    """A session with the keys that the installation has now."""
    settings = load_settings(cli.environment)
    engine = open_engine(settings.database_url, settings.keyring)
    with session_scope(engine) as session:
        yield session
    engine.dispose()


def _names(cli: CommandLine) -> list[str | None]:
    with _session(cli) as session:
        return list(session.scalars(select(Subscriber.name).order_by(Subscriber.id)))


def _data_dir(cli: CommandLine) -> Path:
    return Path(cli.environment["MAILER_DATA_DIR"])


def _keys_file(cli: CommandLine) -> Path:
    return _data_dir(cli) / keys_file.NAME


def test_new_keys_are_for_their_owner_only_and_never_overwritten(cli_with_key_file: CommandLine) -> None:
    cli_with_key_file("keys", "new")
    file = _keys_file(cli_with_key_file)
    made = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_settings(cli_with_key_file.environment).keyring.secret_keys
    assert "mailer keys rotate" in cli_with_key_file("keys", "new", exit_code=1).output
    assert file.read_text() == made
    assert [entry.name for entry in file.parent.iterdir()] == [keys_file.NAME]


def test_keys_are_not_made_beside_those_of_the_environment(cli: CommandLine) -> None:
    assert "the environment" in cli("keys", "new", exit_code=1).output
    assert not (_data_dir(cli) / keys_file.NAME).exists()


def test_a_key_is_never_printed_when_it_is_made(cli_with_key_file: CommandLine) -> None:
    output = cli_with_key_file("keys", "new").output
    for value in keys_file.read(_keys_file(cli_with_key_file)).values():
        assert value not in output


def test_ensure_makes_keys_only_where_there_are_none(tmp_path: Path) -> None:
    file = tmp_path / keys_file.NAME
    assert keys_file.ensure(file)
    before = keys_file.read(file)
    assert not keys_file.ensure(file)
    assert keys_file.read(file) == before


def test_a_service_that_reads_the_keys_through_its_group_still_can_after_a_rotation(tmp_path: Path) -> None:
    file = keys_file.create(tmp_path / "keys.env")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1, 8)
    before = file.stat()
    keys_file.add_secret_key(file)
    after = file.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_what_nobody_may_hand_on_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = keys_file.create(tmp_path / "keys.env")
    before = file.read_bytes()

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(keys_file.UnwritableKeys, match="Operation not permitted"):
        keys_file.add_secret_key(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_rotation_encrypts_everything_under_a_new_key_and_loses_nothing(cli_with_key_file: CommandLine) -> None:
    cli_with_key_file("keys", "new")
    first = load_settings(cli_with_key_file.environment).keyring.secret_keys[0]
    with _session(cli_with_key_file) as session:
        make_subscriber(session, name="Ana")
        make_subscriber(session, name="Zoë")

    assert "Encrypted 4 values" in cli_with_key_file("keys", "rotate").output

    usage = json.loads(cli_with_key_file("keys", "status", "--json").stdout)
    assert [row["values"] for row in usage] == [4, 0]
    assert usage[1]["key"] == first.id
    assert _names(cli_with_key_file) == ["Ana", "Zoë"]
    file = _keys_file(cli_with_key_file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_interrupted_rotation_goes_on_without_another_key(cli_with_key_file: CommandLine) -> None:
    cli_with_key_file("keys", "new")
    with _session(cli_with_key_file) as session:
        make_subscriber(session, name="Ana")
    keys_file.add_secret_key(_keys_file(cli_with_key_file))  # as far as the interrupted one came

    assert "Encrypted 2 values" in cli_with_key_file("keys", "rotate").output
    assert len(load_settings(cli_with_key_file.environment).keyring.secret_keys) == 2


def test_what_an_earlier_version_encrypted_is_shown_and_encrypted_again_without_another_key(
    cli_with_key_file: CommandLine,
) -> None:
    cli_with_key_file("keys", "new")
    (key,) = load_settings(cli_with_key_file.environment).keyring.secret_keys
    with _session(cli_with_key_file) as session:
        make_subscriber(session, name="Ana")
        make_subscriber(session, name="Zoë")
        take_padding_away(session, Subscriber.name, key)

    assert cli_with_key_file("db", "upgrade").stdout.endswith("run: mailer keys rotate\n")
    assert f"{key.id}  4 values, 2 of them from an earlier version" in cli_with_key_file("keys", "status").stdout
    assert "Encrypted 2 values" in cli_with_key_file("keys", "rotate").output
    status = json.loads(cli_with_key_file("keys", "status", "--json").stdout)
    assert status == [{"key": key.id, "values": 4, "unpadded": 0}]
    assert "rotate" not in cli_with_key_file("db", "upgrade").output
    assert _names(cli_with_key_file) == ["Ana", "Zoë"]


def test_keys_of_the_environment_are_rotated_by_setting_the_printed_value(cli: CommandLine, session: Session) -> None:
    make_subscriber(session, name="Ana")
    session.commit()

    variable, _, value = cli("keys", "rotate").stdout.strip().partition("=")
    assert variable == "MAILER_SECRET_KEYS"
    assert value.endswith(f",{SECRET_KEY}")
    assert not (_data_dir(cli) / keys_file.NAME).exists()

    cli.environment[variable] = value
    assert "Encrypted 2 values" in cli("keys", "rotate").output
    assert [row["values"] for row in json.loads(cli("keys", "status", "--json").stdout)] == [2, 0]
    assert _names(cli) == ["Ana"]


def test_rotating_without_a_database_is_a_missing_service(
    cli_with_key_file: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_it(*_: object) -> int:
        raise OperationalError("UPDATE subscribers", {}, Exception("the server closed the connection unexpectedly"))

    cli_with_key_file("keys", "new")
    monkeypatch.setattr(crypto, "rotate", lose_it)
    failed = cli_with_key_file("keys", "rotate", exit_code=3)
    assert failed.stderr.startswith("mailer: The database cannot be used: the server closed the connection")
    assert failed.stderr.count("\n") == 1


# --- in a file elsewhere --------------------------------------------------------------------------------------------


@pytest.fixture
def cli_with_keys_elsewhere(cli_with_key_file: CommandLine, tmp_path: Path) -> CommandLine:
    """The command line of an installation that is to keep its keys in a file outside its data directory."""
    (tmp_path / "keys").mkdir(0o700)
    cli_with_key_file.environment["MAILER_KEYS_FILE"] = str(tmp_path / "keys" / "of-the-alerts.env")
    return cli_with_key_file


def test_keys_are_made_and_rotated_in_the_file_that_is_named(
    cli_with_keys_elsewhere: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "of-the-alerts.env"
    assert str(file) in cli_with_keys_elsewhere("keys", "new").output
    with _session(cli_with_keys_elsewhere) as session:
        make_subscriber(session, name="Ana")
    assert str(file) in cli_with_keys_elsewhere("keys", "rotate").output
    assert len(load_settings(cli_with_keys_elsewhere.environment).keyring.secret_keys) == 2
    assert _names(cli_with_keys_elsewhere) == ["Ana"]
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600
    assert not _keys_file(cli_with_keys_elsewhere).exists()
    assert str(file) in cli_with_keys_elsewhere("keys", "new", exit_code=1).output


def test_a_link_to_the_keys_stays_a_link(cli_with_keys_elsewhere: CommandLine, tmp_path: Path) -> None:
    cli_with_keys_elsewhere("keys", "new")
    link = tmp_path / "keys.env"
    link.symlink_to(tmp_path / "keys" / "of-the-alerts.env")
    cli_with_keys_elsewhere.environment["MAILER_KEYS_FILE"] = str(link)
    cli_with_keys_elsewhere("keys", "rotate")
    assert link.is_symlink()
    assert len(load_settings(cli_with_keys_elsewhere.environment).keyring.secret_keys) == 2


def test_keys_that_cannot_be_made_where_they_should_be_are_refused_in_one_line(
    cli_with_keys_elsewhere: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "keys").rmdir()
    refused = cli_with_keys_elsewhere("keys", "new", exit_code=1).stderr
    assert f"{tmp_path}/keys/of-the-alerts.env cannot be written: No such file or directory" in refused
    assert refused.count("\n") == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_status_says_when_the_keys_lie_beside_the_database(
    cli_with_keys_elsewhere: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "database").mkdir()
    database = (tmp_path / "tocsin.db").rename(tmp_path / "database" / "tocsin.db")
    cli_with_keys_elsewhere.environment["MAILER_DATABASE_URL"] = f"sqlite:///{database}"
    cli_with_keys_elsewhere("keys", "new")
    assert cli_with_keys_elsewhere("keys", "status").stderr == ""
    beside = (tmp_path / "keys" / "of-the-alerts.env").rename(database.with_name("of-the-alerts.env"))
    cli_with_keys_elsewhere.environment["MAILER_KEYS_FILE"] = str(beside)
    status = cli_with_keys_elsewhere("keys", "status", "--json")
    assert status.stderr.startswith(f"{beside} lies in the directory of the database")
    assert status.stderr.count("\n") == 1
    assert len(json.loads(status.stdout)) == 1
