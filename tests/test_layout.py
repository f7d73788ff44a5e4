"""The house: who may import whom is held by `make lint`, and every room stands on the map."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
MAILER = PROJECT / "mailer"
PACKAGES = sorted(folder.parent.name for folder in MAILER.glob("*/__init__.py"))
EDGES = {"bench", "cli", "trial", "web"}
#: what stands on no step of the ladder that another could import: the edges, and what only they may know
DOMAIN = [package for package in PACKAGES if package not in EDGES | {"operations", "settings"}]
MAP = PROJECT / "docs" / "explanation" / "map-of-the-code.md"


def _ladder() -> list[list[str]]:
    """The steps, the highest first, each with the rooms that stand on it."""
    config = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    (layers,) = [each for each in config["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    return [re.split(r" \| ", step) for step in layers["layers"]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the contracts are about, to do wrong in."""
    for folder in ("mailer", "workers"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(PROJECT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def _lint(checkout: Path) -> str:
    """What `make lint` says of a checkout's imports, in one line, so that no line break hides a name."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert (done.returncode == 1) is ("BROKEN" in done.stdout)
    return " ".join(done.stdout.split())


def _write(checkout: Path, package: str, module: str, *imports: str) -> None:
    lines = "".join(f"import {name}\n" for name in imports)
    (checkout / "mailer" / package / f"{module}.py").write_text(lines)


def test_a_new_module_in_any_room_needs_no_line_elsewhere(checkout: Path) -> None:
    for package in PACKAGES:
        _write(checkout, package, "newcomer", "mailer.errors")
    assert "0 broken" in _lint(checkout)


def test_no_module_of_the_domain_may_import_the_web_the_queue_or_the_terminal(checkout: Path) -> None:
    forbidden = ("flask", "rq", "redis", "click", "rich", "workers.jobs")
    for package in DOMAIN:
        _write(checkout, package, "intruder", *forbidden)
    said = _lint(checkout)
    for package in DOMAIN:
        for name in forbidden:
            assert f"mailer.{package}.intruder -> {name}" in said


def test_what_knows_nothing_of_us_may_import_no_database(checkout: Path) -> None:
    for package in ("mail", "formats", "locale"):
        _write(checkout, package, "intruder", "sqlalchemy", "alembic")
    said = _lint(checkout)
    for package in ("mail", "formats", "locale"):
        assert f"mailer.{package}.intruder -> sqlalchemy" in said
        assert f"mailer.{package}.intruder -> alembic" in said


def test_no_room_may_import_one_above_it_or_beside_it(checkout: Path) -> None:
    ladder = _ladder()
    refused = []
    for above, step in zip([[], *ladder], ladder, strict=False):
        for room in step:
            others = [*above, *(each for each in step if each != room)]
            if room in PACKAGES and others:
                _write(checkout, room, "climber", *(f"mailer.{other}" for other in others))
                refused += [(room, other) for other in others]
    said = _lint(checkout)
    assert len(refused) > 20
    assert [pair for pair in refused if f"mailer.{pair[0]} is not allowed to import mailer.{pair[1]}" not in said] == []


def test_no_edge_may_import_another(checkout: Path) -> None:
    _write(checkout, "web", "intruder", "mailer.cli.lists", "workers.jobs")
    _write(checkout, "cli", "intruder", "workers.jobs")
    said = _lint(checkout)
    assert "mailer.web is not allowed to import mailer.cli" in said
    assert "mailer.web is not allowed to import workers" in said
    assert "mailer.cli is not allowed to import workers" in said


def test_a_room_without_a_place_on_the_ladder_is_refused(checkout: Path) -> None:
    (checkout / "mailer" / "attic").mkdir()
    (checkout / "mailer" / "attic" / "__init__.py").write_text('"""Nobody knows."""\n')
    assert "attic" in _lint(checkout)


def test_every_room_stands_on_the_map() -> None:
    text = MAP.read_text()
    modules = sorted(file.name for file in MAILER.glob("*.py") if file.name != "__init__.py")
    rooms = [*(f"mailer/{package}/" for package in PACKAGES), *(f"mailer/{module}" for module in modules), "workers/"]
    assert [room for room in rooms if not re.search(rf"^### .*`{re.escape(room)}`", text, re.MULTILINE)] == []
