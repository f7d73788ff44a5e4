"""Where settings come from, and the one way to read a variable from there."""

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values

from mailer.errors import ConfigurationError
from mailer.settings import keys_file
from mailer.settings.secret_files import refuse_open_to_all

KEY_VARIABLES = ("MAILER_SECRET_KEYS", "MAILER_LINK_KEYS", "MAILER_INDEX_KEY")
DATA_DIR = "/var/lib/tocsin"  # an example

_KEYS_FILE = "/etc/tocsin/keys/keys.env"

T = TypeVar("T")


class UnreadableFile(ConfigurationError):
    """A file that settings are read from cannot be read."""

    def __init__(self, file: Path, problem: str) -> None:
        Exception.__init__(self, f"{file} cannot be read: {problem}")


class UnknownSetting(ConfigurationError):
    """A variable begins with MAILER_ and is no setting: one that was misspelt would have no effect, unnoticed."""

    def __init__(self, variable: str, known: Iterable[str]) -> None:
        self.variable = variable
        alike = get_close_matches(variable, known, n=1)
        hint = f"Did you mean {alike[0]}?" if alike else "All settings are in docs/reference/settings.md."
        Exception.__init__(self, f"{variable}: there is no such setting. {hint}")


class Environment:
    """The merged sources, and one way to read a variable from them."""

    def __init__(self, environ: Mapping[str, str], directory: Path) -> None:
        dotenv = _read(directory / ".env", lambda file: dotenv_values(file, interpolate=False, encoding="utf-8"))
        given = {name: value for name, value in {**dotenv, **environ}.items() if value}
        self.data_dir = Path(_clean("MAILER_DATA_DIR", given.get("MAILER_DATA_DIR", "data"), DATA_DIR)).expanduser()
        _refuse_shared_folder("MAILER_DATA_DIR", self.data_dir, DATA_DIR)
        self.keys_file = self._find_keys(given.get("MAILER_KEYS_FILE"))
        keys = _read(self.keys_file, keys_file.read)
        self.values: Mapping[str, str] = {**keys, **given}
        self.secret_keys_in_file = "MAILER_SECRET_KEYS" in keys and "MAILER_SECRET_KEYS" not in given
        self._known = {"MAILER_DATA_DIR", "MAILER_KEYS_FILE", *KEY_VARIABLES}

    def _find_keys(self, path: str | None) -> Path:
        """Where the keys are, or will be made.

        :param path: as MAILER_KEYS_FILE names it, if it does.
        :raises ConfigurationError: everybody can read them or put others in their place; or they are still where they
            were, and others would be made beside them.
        """
        default = self.data_dir / keys_file.NAME
        file = Path(_clean("MAILER_KEYS_FILE", path, _KEYS_FILE)).expanduser() if path else default
        _refuse_shared_folder("MAILER_KEYS_FILE", file.parent, _KEYS_FILE)
        _refuse_shared_keys(file)
        if os.path.lexists(default) and not os.path.lexists(file):
            problem = f"{file} is not there, but {default} is; move that file to where it should be"
            raise ConfigurationError("MAILER_KEYS_FILE", problem, _KEYS_FILE)
        return file

    def text(self, variable: str, example: str) -> str | None:
        """A free text of one line; blank counts as not set."""
        self._known.add(variable)
        return _clean(variable, " ".join(self.values.get(variable, "").split()), example) or None

    def lines(self, variable: str, example: str) -> str | None:
        """A free text of several lines. A line end may be written as a backslash and n: not every way to set a
        variable can hold one."""
        self._known.add(variable)
        lines = (" ".join(line.split()) for line in self.values.get(variable, "").replace("\\n", "\n").splitlines())
        return "\n".join(_clean(variable, line, example) for line in lines if line) or None

    def refuse_unread(self) -> None:
        """Refuse what looks like a setting, and nobody asked for; called when all have been read."""
        for variable in sorted(self.values):
            if variable.startswith("MAILER_") and variable not in self._known:
                raise UnknownSetting(variable, self._known)

    def read(self, variable: str, parse: Callable[[str], T], example: str) -> T | None:
        """What a parser makes of a text of one line; None where it is not set.

        :raises ConfigurationError: the parser takes it for wrong.
        """
        text = self.text(variable, example)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as problem:
            raise ConfigurationError(variable, str(problem), example) from None


def required(variable: str, value: T | None, example: str, problem: str) -> T:
    """Give back what is set.

    :param problem: what to say where it is not.
    :raises ConfigurationError: it is not set, or empty.
    """
    if not value:
        raise ConfigurationError(variable, problem, example)
    return value


def _clean(variable: str, text: str, example: str) -> str:
    """Give back a text that can be shown and stored.

    :raises ConfigurationError: it was not UTF-8 (then Python reads surrogates), or has control characters.
    """
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ConfigurationError(variable, "must be UTF-8 text without control characters", example)
    return text


def _read(file: Path, read: Callable[[Path], Mapping[str, T]]) -> Mapping[str, T]:
    try:
        return read(file)
    except OSError as problem:
        raise UnreadableFile(file, problem.strerror or str(problem)) from None
    except UnicodeDecodeError:
        raise UnreadableFile(file, "it is not UTF-8") from None


def _refuse_shared_keys(file: Path) -> None:
    """:raises ConfigurationError: everybody on the machine can read or change the file with the keys."""
    try:
        refuse_open_to_all(file.stat())
    except OSError:
        return  # it is not there, or out of reach: whoever reads it says so
    except ValueError as problem:
        raise ConfigurationError("MAILER_KEYS_FILE", f"{file} {problem}", _KEYS_FILE) from None


def _refuse_shared_folder(variable: str, folder: Path, example: str) -> None:
    """A group may write to it: on Debian each user has a group of their own, and often umask 002.

    :raises ConfigurationError: everybody on the machine can put files of theirs in place of ours.
    """
    try:
        is_shared = folder.stat().st_mode & stat.S_IWOTH
    except OSError:
        return  # likewise
    if is_shared:
        problem = f"{folder} can be changed by everybody on this machine; run chmod o-w on it, or take another folder"
        raise ConfigurationError(variable, problem, example)
