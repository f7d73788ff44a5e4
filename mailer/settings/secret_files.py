"""Files with a secret in them."""

import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from mailer.errors import ConfigurationError

_LONGEST = 65536  # octets


def secret_in(variable: str, file: Path, example: str) -> str:
    """The one line in a file that only its owner and, maybe, a group may read.

    :raises ConfigurationError: it cannot be read, anybody may read it, or it holds something else.
    """
    text = _text_in(variable, file, example).rstrip("\r\n")
    if text and not any(unicodedata.category(char) == "Cc" for char in text):
        return text
    raise ConfigurationError(variable, f"{file} must hold one line", example)


def secrets_in(variable: str, file: Path, example: str) -> list[str]:
    """The lines in such a file that are not empty, without the space around them.

    :raises ConfigurationError: it cannot be read, or anybody may read it.
    """
    return [line for each in _text_in(variable, file, example).splitlines() if (line := each.strip())]


def _text_in(variable: str, file: Path, example: str) -> str:
    try:
        with file.open("rb") as stream:
            refuse_open_to_all(os.fstat(stream.fileno()))
            return stream.read(_LONGEST).decode()
    except OSError as problem:
        reason = f"{file} cannot be read: {problem.strerror or problem}"
    except UnicodeDecodeError:
        reason = f"{file} is not UTF-8"
    except ValueError as problem:
        reason = f"{file} {problem}"
    raise ConfigurationError(variable, reason, example)


def refuse_open_to_all(file: os.stat_result) -> None:
    """:raises ValueError: everybody on the machine can do something with a file that only its owner and, maybe, a group
    should: a service often reads its keys through its group."""
    if file.st_mode & stat.S_IRWXO:
        raise ValueError("can be read or changed by everybody on this machine; run chmod o-rwx on it")


@dataclass(frozen=True, slots=True)
class SecretFile:
    """One whose secret others change, and we keep."""

    variable: str
    file: Path
    example: str

    def load(self) -> str:
        """:raises ConfigurationError: as of `secret_in`."""
        return secret_in(self.variable, self.file, self.example)

    def store(self, text: str) -> None:
        """Put another secret in its place, at one stroke: a crash must not leave half of one.

        :raises OSError: the folder cannot be written to.
        """
        file = self.file.resolve()
        new = file.with_name(f"{file.name}.new")
        before = file.stat()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            os.fsync(descriptor)
        new.replace(file)
