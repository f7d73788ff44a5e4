"""Sealed files: what is too large for a column, encrypted piece by piece as it comes, and read from any place in it.

Each file has a key of its own, which stands in its header under the installation's newest key. A piece is bound to its
place and to whether it is the last one (a counter as nonce, as in STREAM of Hoang, Reyhanitabar, Rogaway and Vizár,
2015): nobody without the key can change, move or leave out a piece, or cut the file off, unnoticed.
"""

import io
import os
import secrets
from pathlib import Path
from typing import BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailer.store.crypto import Keyring, UnreadableSecret

PIECE_BYTES = 256 * 1024
_TAG_BYTES = 16
_KEY_BYTES = 32
_CONTEXT = "sealed files"
_LENGTH_BYTES = 2  # of the sealed key
_MORE, _LAST = b"more", b"last"


class BrokenSeal(OSError):
    """A sealed file was changed, or cut off."""


class SealedWriter(io.RawIOBase):
    """Writes a file that only its owner can read, and nobody without the keys."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        """:param path: where nothing stands yet."""
        key = secrets.token_bytes(_KEY_BYTES)
        self._cipher = AESGCM(key)
        self._count = 0
        self._buffer = bytearray()
        self.size = 0  # bytes that were written
        self._file: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        sealed = keyring.encrypt_bytes(key, _CONTEXT)
        self._file.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # of all buffers, bytes are what comes
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) > PIECE_BYTES:  # one stays: nobody knows yet which is the last
            self._seal(bytes(self._buffer[:PIECE_BYTES]), _MORE)
            del self._buffer[:PIECE_BYTES]
        return len(data)

    def _seal(self, piece: bytes, place: bytes) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._count), piece, place))
        self._count += 1

    def close(self) -> None:
        """Write the last piece, and see to it that all is on the disk."""
        if not self._file.closed:
            self._seal(bytes(self._buffer), _LAST)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        super().close()

    def abandon(self) -> None:
        """Let the file go as it is: without its last piece nobody can read it."""
        self._file.close()
        super().close()


class _SealedReader(io.RawIOBase):
    """Reads what `SealedWriter` wrote."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        super().__init__()
        self._file = path.open("rb")
        try:
            length = int.from_bytes(self._file.read(_LENGTH_BYTES), "big")
            self._cipher = AESGCM(keyring.decrypt_bytes(self._file.read(length), _CONTEXT))
        except (UnreadableSecret, ValueError):
            self._file.close()
            raise BrokenSeal(f"{path.name} was sealed under a key that is gone, or was changed") from None
        self._start = _LENGTH_BYTES + length
        pieces = max(0, os.fstat(self._file.fileno()).st_size - self._start)
        self._pieces = max(1, -(-pieces // (PIECE_BYTES + _TAG_BYTES)))
        self._size = pieces - self._pieces * _TAG_BYTES
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]  # likewise
        number, start = divmod(self._position, PIECE_BYTES)
        if number >= self._pieces:
            return 0
        part = self._piece(number)[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _piece(self, number: int) -> bytes:
        self._file.seek(self._start + number * (PIECE_BYTES + _TAG_BYTES))
        place = _LAST if number == self._pieces - 1 else _MORE
        try:
            return self._cipher.decrypt(_nonce(number), self._file.read(PIECE_BYTES + _TAG_BYTES), place)
        except (InvalidTag, ValueError):
            raise BrokenSeal("a sealed file was changed, or cut off") from None

    def close(self) -> None:
        self._file.close()
        super().close()


def open_sealed(path: Path, keyring: Keyring) -> BinaryIO:
    """Open a sealed file to read.

    :raises OSError: it is not there; BrokenSeal, it was changed or cut off, or its key is gone.
    """
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, _SealedReader(path, keyring)), PIECE_BYTES))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
