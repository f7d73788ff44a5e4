"""The journal: what a dead worker left is exact, and a living one's is left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery import journal
from mailer.delivery.journal import Journal, JournalUnwritable, ServerAnswer
from mailer.mail.feedback.types import Category
from mailer.mail.types import Outcome, OutcomeKind

SENT = Outcome(id=1, kind=OutcomeKind.SENT, code=250, text="queued for <ana@example.org>")


def left(folder: Path, name: str) -> journal.LeftBehind:
    with journal.taken_over(folder, name) as found:
        assert found is not None
        return found


def test_what_was_begun_and_what_was_answered_is_known_after_the_worker(tmp_path: Path) -> None:
    living = Journal(tmp_path)
    living.begin(7, 1)
    living.begin(7, 2)
    living.answer(7, SENT)
    living.begin(8, 3)
    living.close()
    found = left(tmp_path, living.name)
    assert found.of(7).begun == {1: ServerAnswer(OutcomeKind.SENT, 250), 2: None}
    assert found.of(8).begun == {3: None}
    assert found.of(9).begun == {}
    assert found.of(9).complete


@pytest.mark.parametrize("refused", Category)
def test_it_keeps_what_a_server_has_against_an_address(tmp_path: Path, refused: Category) -> None:
    living = Journal(tmp_path)
    living.begin(7, 1)
    living.answer(7, Outcome(1, OutcomeKind.FAILED, 550, "5.1.1 <ana@example.org>"), refused=refused)
    living.close()
    assert left(tmp_path, living.name).of(7).begun == {1: ServerAnswer(OutcomeKind.FAILED, 550, refused)}


@pytest.mark.parametrize(("written", "refused"), [("no-such-address", Category.NO_MAILBOX), ("of-tomorrow", None)])
def test_what_another_version_wrote_of_an_address_is_read(
    tmp_path: Path, written: str, refused: Category | None
) -> None:
    living = Journal(tmp_path)
    living.begin(7, 1)
    with living.path.open("a") as file:
        file.write(f"a 7 1 failed 550 {written}\n")
    living.close()
    assert left(tmp_path, living.name).of(7).begun == {1: ServerAnswer(OutcomeKind.FAILED, 550, refused)}


def test_it_names_nobody(tmp_path: Path) -> None:
    living = Journal(tmp_path)
    living.answer(7, SENT)
    assert b"ana" not in living.path.read_bytes()
    assert living.path.stat().st_mode & 0o077 == 0
    living.discard()


def test_a_living_workers_journal_is_left_alone(tmp_path: Path) -> None:
    living = Journal(tmp_path)
    with journal.taken_over(tmp_path, living.name) as found:
        assert found is None
    assert living.path.exists()
    living.discard()
    assert journal.names(tmp_path) == []


def test_only_one_clears_up_and_what_could_not_be_cleared_up_stays(tmp_path: Path) -> None:
    dead = Journal(tmp_path)
    dead.close()
    with pytest.raises(RuntimeError), journal.taken_over(tmp_path, dead.name) as first:
        assert first is not None
        with journal.taken_over(tmp_path, dead.name) as second:
            assert second is None
        raise RuntimeError("the database went away")
    assert journal.names(tmp_path) == [dead.name]
    left(tmp_path, dead.name)
    assert journal.names(tmp_path) == []


def test_kill_9_loses_nothing_that_was_written_and_frees_the_lock(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from mailer.delivery.journal import Journal
kept = Journal(Path(sys.argv[1]))
kept.begin(1, 42)
print(kept.name, flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    with journal.taken_over(tmp_path, name) as found:
        assert found is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert left(tmp_path, name).of(1).begun == {42: None}


def test_after_a_reboot_what_is_missing_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Journal(tmp_path)
    dead.begin(7, 1)
    dead.answer(7, SENT)
    dead.close()
    monkeypatch.setattr(journal, "boot_id", lambda: "another boot")
    found = left(tmp_path, dead.name)
    assert found.of(7).begun == {1: ServerAnswer(OutcomeKind.SENT, 250)}
    assert not found.of(7).complete
    assert not found.of(8).complete


@given(cut=st.integers(min_value=1, max_value=60))
def test_a_last_line_that_was_cut_short_is_as_if_it_had_not_been_written(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    dead = Journal(folder)
    lines = ((7, 1), (7, 2), (7, 30))
    for fence, delivery in lines:
        dead.begin(fence, delivery)
    dead.close()
    whole = dead.path.read_bytes()
    dead.path.write_bytes(whole[: max(len(whole) - cut, 0)])
    kept = dead.path.read_bytes().count(b"\n") - 1
    assert left(folder, dead.name).of(7).begun == dict.fromkeys([delivery for _, delivery in lines[: max(kept, 0)]])


def test_a_full_disk_is_said_and_nothing_counts_as_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    living = Journal(tmp_path)
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        return real(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalUnwritable, match="Make room"):
        living.begin(7, 1)
    monkeypatch.undo()
    with pytest.raises(JournalUnwritable):  # room again, but what is written now would run into the torn line
        living.begin(7, 23)
    living.close()
    assert left(tmp_path, living.name).of(7).begun == {}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnwritable, match="file"):
        Journal(tmp_path / "file")
