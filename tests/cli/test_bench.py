"""`mailer bench`, with tiny audiences."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import main


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in an empty directory, the first of it without its progress."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        smallest = ("--recipients", "100", "--rounds", "1")
        return CliRunner().invoke(main, ["bench", *smallest, *arguments], catch_exceptions=False)

    return run


def test_it_compares_the_engine_with_the_limit_on_both_databases(bench: Callable[..., Result]) -> None:
    result = bench("--case", "a", "--case", "b")
    assert result.exit_code == 0, result.output
    for database in ("sqlite", "postgresql"):
        assert re.search(rf"^\| {database} \| 100 \| b: one worker \| [\d,]+ \| [\d,]+ \| \d+ \|$", result.stdout, re.M)
        assert re.search(rf"^\| \(b\) to the limit \(a\) \| {database}, 100 \| \d", result.stdout, re.M)


def test_two_workers_send_everything_between_them(bench: Callable[..., Result]) -> None:
    result = bench("--case", "c", "--database", "sqlite", "--json")
    [results] = json.loads(result.stdout)
    assert results["recipients"] == 100
    assert [len(each["runs"][0]["costs"]) for each in results["measurements"]] == [1, 2]
    assert [each["runs"][0]["messages"] for each in results["measurements"]] == [100, 100]


def test_signing_is_compared_with_bare_signatures(bench: Callable[..., Result]) -> None:
    result = bench("--case", "d", "--database", "sqlite")
    assert re.search(r"^\| \(d\) to bare RSA-2048 \| sqlite, 100 \| \d", result.stdout, re.M)


def test_it_leaves_a_real_installation_alone(
    bench: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MAILER_LEASE_SECONDS=none of its business\nMAILER_DATABASE_URL=sqlite:///real.db\n")
    monkeypatch.setenv("MAILER_DATA_DIR", str(tmp_path / "data"))
    assert bench("--case", "b", "--database", "sqlite").exit_code == 0
    assert [file.name for file in tmp_path.iterdir()] == [".env"]
