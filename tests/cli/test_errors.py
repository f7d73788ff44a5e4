"""Whatever is named that cannot be used: one line, the right exit code, no traceback."""

import errno
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailer import cli as command_line
from mailer.cli import main
from mailer.people import lists
from tests.conftest import CommandLine

CONSENT = ("--consent", "I want urgent actions by e-mail.")
LONG = "x" * 300

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def one_line(stderr: str) -> str:
    """The one line that says what was wrong; a progress bar may have said before what was begun."""
    line = stderr.removeprefix("Importing\n")
    assert line.startswith("mailer: ")
    assert line.count("\n") == 1
    return line


def test_file_names_that_are_too_long_are_refused(cli: CommandLine, tmp_path: Path) -> None:
    cli("lists", "create", "news", "--name", "News")
    file = tmp_path / "people.csv"
    file.write_text("email\nana@example.org\n")
    imported = ("subscribers", "import", "--list", "news", *CONSENT)
    assert "too long" in one_line(cli(*imported, f"{LONG}.csv", exit_code=1).stderr)
    assert "too long" in one_line(cli(*imported, file, "--rejects", LONG, exit_code=1).stderr)
    assert "too long" in one_line(cli("subscribers", "export", "--list", "news", "-o", LONG, exit_code=1).stderr)
    cli("campaigns", "load", LONG, exit_code=2)


def test_a_folder_that_may_not_be_read_is_refused(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.parent.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    cli("lists", "create", "news", "--name", "News")
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(Path, "stat", refuse)  # root, who may run these tests, is refused nothing
    assert "cannot be read" in one_line(cli("campaigns", "load", "closed", exit_code=1).stderr)
    imported = ("subscribers", "import", "closed/people.csv", "--list", "news", *CONSENT)
    assert "Permission denied" in one_line(cli(*imported, exit_code=1).stderr)


def test_a_data_directory_below_a_file_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cli.environment["MAILER_DATA_DIR"] = str(tmp_path / "file" / "data")
    for variable in ("MAILER_SECRET_KEYS", "MAILER_LINK_KEYS", "MAILER_INDEX_KEY"):
        del cli.environment[variable]
    for command in (("keys", "new"), ("db", "upgrade"), ("run",), ("demo",)):
        assert "MAILER_DATA_DIR" in one_line(cli(*command, exit_code=1).stderr)


def test_arguments_that_are_not_utf8_are_wrong_usage(cli: CommandLine) -> None:
    for arguments in (("lists", "create", "news", "--name", "Caf\udce9"), ("campaigns", "status", "caf\udce9")):
        refused = cli(*arguments, exit_code=2).stderr
        assert "is not UTF-8" in refused
        refused.encode()


@pytest.mark.parametrize(
    ("problem", "exit_code", "words"),
    [
        (IsADirectoryError(errno.EISDIR, "Is a directory", "out"), 1, "mailer: out: Is a directory\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "file system failed: No space left on device\n"),
    ],
)
def test_files_and_disks_that_fail_end_with_one_line(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, problem: OSError, exit_code: int, words: str
) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(lists, "all_lists", fail)
    assert words in one_line(cli("lists", "list", exit_code=exit_code).stderr)


def test_a_mistake_of_ours_keeps_its_traceback(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr(lists, "all_lists", fail)
    result = CliRunner().invoke(main, ["lists", "list"], env=cli.environment)
    assert isinstance(result.exception, ConnectionResetError)
    assert command_line._DISK_FAILURES.isdisjoint({errno.ECONNRESET, errno.EPIPE})


@pytest.mark.parametrize(
    "command", [("run", "--workers", "0"), ("run", "--port", "99999"), ("demo", "--supporters", "0")]
)
def test_numbers_that_make_no_sense_are_wrong_usage(cli: CommandLine, command: tuple[str, ...]) -> None:
    assert "is not in the range" in cli(*command, exit_code=2).stderr
