"""The program runs from its own folder: an installation that would lack half of it is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What tells how the program is built, with next to nothing to build."""
    for file in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copyfile(PROJECT / file, tmp_path / file)
    for package in ("mailer", "workers"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def build(folder: Path, kind: str) -> "subprocess.CompletedProcess[str]":
    code = f"from setuptools import build_meta; build_meta.{kind}('.')"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_an_installation_away_from_its_folder_is_refused_and_told_how_to_do_it(folder: Path) -> None:
    done = build(folder, "build_wheel")
    assert done.returncode == 1
    assert done.stderr.endswith("Install it there with `make setup`, or with `pip install -e .`\n")
    assert not list(folder.glob("*.whl"))


def test_one_in_its_folder_is_not(folder: Path) -> None:
    assert build(folder, "build_editable").returncode == 0
    assert list(folder.glob("*editable*.whl"))
