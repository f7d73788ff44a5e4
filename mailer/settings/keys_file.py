"""`keys.env`: the keys of an installation that was not given any in its environment. By default it is in the data
directory; MAILER_KEYS_FILE puts it elsewhere."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values

from mailer.errors import MailerError
from mailer.store.crypto import Key

NAME = "keys.env"
_HEADER = """\
# Whoever has this file can read every stored address. Whoever loses it has lost them all.
# Keep a copy apart from the database's backups, and let nobody else read it.
"""


class KeysExist(MailerError):
    """There are already keys in {file}. With new ones, nothing that is stored could be read. To replace the secret key,
    run: mailer keys rotate"""


class UnwritableKeys(MailerError):
    """{file} cannot be written: {problem}. Its folder has to be there, and the user who runs this has to own it."""


def read(file: Path) -> dict[str, str]:
    """The variables in the file, or none where there is no file.

    :raises OSError: the file cannot be read.
    :raises UnicodeDecodeError: it is no text.
    """
    values = dotenv_values(file, interpolate=False, encoding="utf-8")
    return {variable: value for variable, value in values.items() if value is not None}


def ensure(file: Path) -> bool:
    """Make keys unless the file is there; returns whether it made them.

    :raises UnwritableKeys: there is no room, no right to write, or no such folder.
    """
    try:
        create(file)
    except KeysExist:
        return False
    return True


def create(file: Path) -> Path:
    """Make new random keys in a folder that is there; returns the file.

    :raises KeysExist: the file is there; it is left as it was.
    :raises UnwritableKeys: there is no room, no right to write, or no such folder.
    """
    index_key = str(Key.generate()).partition(":")[2]
    new = {
        "MAILER_SECRET_KEYS": str(Key.generate()),
        "MAILER_LINK_KEYS": str(Key.generate()),
        "MAILER_INDEX_KEY": index_key,
    }
    with _written(file):
        if file.exists():
            raise KeysExist(file=file)
        partial = _write_partial(file, new)
        try:
            file.hardlink_to(partial)  # unlike a rename, never over a file that another process made meanwhile
        except FileExistsError:
            raise KeysExist(file=file) from None
        finally:
            partial.unlink()
        _sync_directory(file.parent)
    return file


def add_secret_key(file: Path) -> Key:
    """Put a new secret key in front of those in the file; returns it. The file is replaced at once or not at all, and
    those who could read it still can: a service often does so through its group.

    :raises UnwritableKeys: there is no room, or no right to write.
    """
    file = file.resolve()  # a link to it stays one
    values = read(file)
    new = Key.generate()
    values["MAILER_SECRET_KEYS"] = f"{new},{values['MAILER_SECRET_KEYS']}"
    with _written(file):
        partial = _write_partial(file, values)
        try:
            _give_to_those_of(file, partial)
            partial.replace(file)
        except OSError:
            partial.unlink()
            raise
        _sync_directory(file.parent)
    return new


def _give_to_those_of(file: Path, partial: Path) -> None:
    """Let a file have the owner, the group and the rights of another, but none for everybody.

    :raises OSError: this user may not do so.
    """
    known = file.stat()
    os.chown(partial, known.st_uid, known.st_gid)
    partial.chmod(stat.S_IMODE(known.st_mode) & 0o770)


@contextmanager
def _written(file: Path) -> Iterator[None]:
    """:raises UnwritableKeys: whatever goes wrong with the file system."""
    try:
        yield
    except OSError as problem:
        raise UnwritableKeys(file=file, problem=problem.strerror) from None


def _write_partial(file: Path, values: Mapping[str, str]) -> Path:
    """Write the file under another name, for its owner only, and onto the disk: data encrypted under a key that a
    power cut took is lost."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    lines = "".join(f"{variable}={value}\n" for variable, value in values.items())
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(_HEADER + lines)
        stream.flush()
        os.fsync(descriptor)
    return partial


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
