"""A sealed file tells nobody without the keys what it holds, and nobody can change it unnoticed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.store.crypto import Key, Keyring
from mailer.store.sealed_files import PIECE_BYTES, BrokenSeal, SealedWriter, open_sealed

KEY = Key.generate()


def ring(*keys: Key) -> Keyring:
    return Keyring(secret_keys=keys, link_keys=keys, index_key=bytes(range(32)))


@pytest.fixture
def seal(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "sealed"
        path.unlink(missing_ok=True)
        with SealedWriter(path, ring(KEY)) as file:
            for start in range(0, len(content), 100_000):
                file.write(content[start : start + 100_000])
        return path

    return write


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_what_is_written_is_read_from_any_place(seal: Callable[[bytes], Path], size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    path = seal(content)
    assert path.stat().st_mode & 0o077 == 0
    with open_sealed(path, ring(Key.generate(), KEY)) as file:
        assert file.read() == content
        for place in (0, size // 2, max(0, size - 3)):
            assert file.seek(place) == place
            assert file.read(7) == content[place : place + 7]
        assert file.seek(0, 2) == size


def test_lines_are_read_one_by_one(seal: Callable[[bytes], Path]) -> None:
    with open_sealed(seal(b"email\nana@example.org\n" * 20_000), ring(KEY)) as file:
        assert sum(1 for _ in file) == 40_000


def test_it_tells_nobody_without_the_key_what_it_holds(seal: Callable[[bytes], Path]) -> None:
    path = seal(b"ana@example.org\n" * 1000)
    assert b"example" not in path.read_bytes()
    with pytest.raises(BrokenSeal):
        open_sealed(path, ring(Key.generate()))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_whoever_changes_a_bit_cuts_it_off_or_moves_a_piece_is_noticed(
    seal: Callable[[bytes], Path], data: st.DataObject
) -> None:
    path = seal(bytes(2 * PIECE_BYTES + 100))
    sealed = bytearray(path.read_bytes())
    match data.draw(st.sampled_from(["bit", "cut", "move"])):
        case "bit":
            sealed[data.draw(st.integers(2, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del sealed[data.draw(st.integers(0, len(sealed) - 1)) :]
        case _:
            start, length = len(sealed) - 2 * (PIECE_BYTES + 16) - 116, PIECE_BYTES + 16
            first, second = sealed[start : start + length], sealed[start + length : start + 2 * length]
            sealed[start : start + 2 * length] = second + first
    path.write_bytes(sealed)
    with pytest.raises(BrokenSeal), open_sealed(path, ring(KEY)) as file:
        file.read()


def test_what_broke_off_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    file = SealedWriter(path, ring(KEY))
    file.write(bytes(3 * PIECE_BYTES))
    file.abandon()
    with pytest.raises(BrokenSeal), open_sealed(path, ring(KEY)) as cut:
        cut.read()
