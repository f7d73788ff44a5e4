"""Files with a secret in them."""

import os
import stat
import unicodedata
from pathlib import Path

from mailer.errors import ConfigurationError

_LONGEST = 65536  # octets


def secret_in(variable: str, file: Path, example: str) -> str:
    """The one line in a file that only its owner and, maybe, a group may read.

    :raises ConfigurationError: it cannot be read, anybody may read it, or it holds something else.
    """
    try:
        with file.open("rb") as stream:
            refuse_open_to_all(os.fstat(stream.fileno()))
            text = stream.read(_LONGEST).decode().rstrip("\r\n")
        if text and not any(unicodedata.category(char) == "Cc" for char in text):
            return text
        reason = f"{file} must hold one line"
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
