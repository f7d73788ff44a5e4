"""Messages that a fuzzer makes of our samples, with an eye on which lines of ours each one reaches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inbound.test_explaining import EXPECTED, sample

ROOT = Path(__file__).parents[2]
_ATHERIS = "atheris==3.0.0"  # no requirement of ours: it is there for few machines, and only for this
_SECONDS = 300


@pytest.fixture
def with_atheris() -> dict[str, str]:
    """The environment of a process that can import it: it is kept in build/fuzzing."""
    folder = ROOT / "build" / "fuzzing"
    if not (folder / "atheris").is_dir():
        pip = [sys.executable, "-W", "ignore", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--target", str(folder), _ATHERIS], check=True, timeout=300)
    return os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.mark.soak
def test_no_message_that_a_fuzzer_finds_raises_or_takes_long(with_atheris: dict[str, str], tmp_path: Path) -> None:
    corpus, found = tmp_path / "corpus", tmp_path / "found"
    corpus.mkdir()
    found.mkdir()
    for name in EXPECTED:
        (corpus / name).write_bytes(b"\n\n" + sample(name))
    options = [f"-max_total_time={_SECONDS}", "-max_len=65536", f"-artifact_prefix={found}/", "-timeout=30"]
    command = [sys.executable, "-m", "tests.inbound.fuzzing", *options, str(corpus)]
    run = subprocess.run(
        command, cwd=ROOT, env=with_atheris, capture_output=True, text=True, timeout=_SECONDS + 120, check=False
    )
    assert run.returncode == 0, (
        f"{[file.read_bytes() for file in found.iterdir()]}\n{run.stdout[-3000:]}{run.stderr[-500:]}"
    )
    assert len(list(corpus.iterdir())) > 2 * len(EXPECTED)  # it found messages that reach other lines
