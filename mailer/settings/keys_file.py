"""`keys.env` in the data directory: the keys of an installation that was not given any in its environment."""

import os
from collections.abc import Mapping
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


def read(data_dir: Path) -> dict[str, str]:
    """The variables in the file, or none where there is no file.

    :raises OSError: the file cannot be read.
    :raises UnicodeDecodeError: it is no text.
    """
    values = dotenv_values(data_dir / NAME, interpolate=False, encoding="utf-8")
    return {variable: value for variable, value in values.items() if value is not None}


def ensure(data_dir: Path) -> bool:
    """Make keys unless the file is there; returns whether it made them."""
    try:
        create(data_dir)
    except KeysExist:
        return False
    return True


def create(data_dir: Path) -> Path:
    """Make new random keys in a data directory that is there; returns the file.

    :raises KeysExist: the file is there; it is left as it was.
    """
    file = data_dir / NAME
    index_key = str(Key.generate()).partition(":")[2]
    new = {
        "MAILER_SECRET_KEYS": str(Key.generate()),
        "MAILER_LINK_KEYS": str(Key.generate()),
        "MAILER_INDEX_KEY": index_key,
    }
    partial = _write_partial(data_dir, new)
    try:
        file.hardlink_to(partial)  # unlike a rename, never over a file that another process made meanwhile
    except FileExistsError:
        raise KeysExist(file=file) from None
    finally:
        partial.unlink()
    _sync_directory(data_dir)
    return file


def add_secret_key(data_dir: Path) -> Key:
    """Put a new secret key in front of those in the file; returns it. The file is replaced at once or not at all."""
    values = read(data_dir)
    new = Key.generate()
    values["MAILER_SECRET_KEYS"] = f"{new},{values['MAILER_SECRET_KEYS']}"
    _write_partial(data_dir, values).replace(data_dir / NAME)
    _sync_directory(data_dir)
    return new


def _write_partial(data_dir: Path, values: Mapping[str, str]) -> Path:
    """Write the file under another name, for its owner only, and onto the disk: data encrypted under a key that a
    power cut took is lost."""
    partial = data_dir / f"{NAME}.{os.getpid()}"
    lines = "".join(f"{variable}={value}\n" for variable, value in values.items())
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(_HEADER + lines)
        stream.flush()
        os.fsync(descriptor)
    return partial


def _sync_directory(data_dir: Path) -> None:
    descriptor = os.open(data_dir, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
