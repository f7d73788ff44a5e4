"""Where the installation keeps what it knows, and with which keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from sqlalchemy import make_url

from mailer.errors import ConfigurationError
from mailer.settings import keys_file, values
from mailer.settings.environment import DATA_DIR, KEY_VARIABLES, Environment, UnreadableFile
from mailer.store.crypto import Key, Keyring, decode_secret

VALKEY_SOCKET = "valkey.sock"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Its files, its database, its queue and its keys."""

    data_dir: Path
    keys_file: Path  # whether it is there or not
    database_url: str
    configured_redis_url: str | None
    configured_keys: Mapping[str, str] = field(repr=False)  # those of KEY_VARIABLES that are set, as written
    secret_keys_in_file: bool  # whether MAILER_SECRET_KEYS comes from `keys_file`

    @cached_property
    def keyring(self) -> Keyring:
        """The keys of this installation.

        :raises ConfigurationError: one is missing or weak.
        """
        example = "k1:" + "A-url-safe-base64-of-32-random-bytes="
        hint = (
            f"it is not in {self.keys_file.absolute()} either. Make keys with: mailer keys new; "
            "or, if you have an installation elsewhere, set MAILER_DATA_DIR, or MAILER_KEYS_FILE"
        )
        return Keyring(
            secret_keys=self._keys("MAILER_SECRET_KEYS", example, hint),
            link_keys=self._keys("MAILER_LINK_KEYS", example, hint),
            index_key=self._parsed_key("MAILER_INDEX_KEY", decode_secret, example.partition(":")[2], hint),
        )

    def _keys(self, variable: str, example: str, hint: str) -> list[Key]:
        def parse(text: str) -> list[Key]:
            keys = [Key.parse(part) for part in text.split(",")]
            if len({key.id for key in keys}) < len(keys):
                raise ValueError("two keys have the same id")
            return keys

        return self._parsed_key(variable, parse, example, hint)

    def _parsed_key(self, variable: str, parse: Callable[[str], T], example: str, hint: str) -> T:
        text = self.configured_keys.get(variable)
        if not text:
            raise ConfigurationError(variable, f"is not set, and {hint}", example)
        try:
            return parse(text)
        except ValueError as problem:
            raise ConfigurationError(variable, f"{problem}; make keys with: mailer keys new", example) from None

    @property
    def redis_url(self) -> str:
        """The configured Redis, or the embedded Valkey of this data directory.

        :raises ConfigurationError: neither is there.
        """
        if self.configured_redis_url:
            return self.configured_redis_url
        socket = self.data_dir / VALKEY_SOCKET
        try:
            if socket.exists():
                return f"unix://{socket.resolve()}"
        except OSError as problem:
            raise UnreadableFile(socket, problem.strerror or str(problem)) from None
        raise ConfigurationError(
            "MAILER_REDIS_URL",
            "is not set, and no `mailer run` is running on this data directory",
            "redis://127.0.0.1:6379/0",
        )

    @property
    def advice_on_keys(self) -> str | None:
        """What to say of a keys file that goes wherever the database goes, since it lies in the same directory or below
        it; None where it does not, or the database is no file."""
        url = make_url(self.database_url)
        if url.get_backend_name() != "sqlite" or not url.database:
            return None
        directory = Path(url.database).resolve().parent
        for file in (self.keys_file, self.data_dir / keys_file.NAME):  # the second may be a copy that was left behind
            if file.exists() and file.resolve().is_relative_to(directory):
                return (
                    f"{file} lies in the directory of the database: whoever takes a copy of that can read everything."
                    " Move the file elsewhere, and set MAILER_KEYS_FILE to where it is."
                )
        return None

    def make_data_dir(self) -> Path:
        """Make the data directory, for its owner only, where there is none; returns it.

        :raises ConfigurationError: it cannot be made.
        """
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as problem:
            reason = f"{self.data_dir} cannot be made: {problem.strerror}"
            raise ConfigurationError("MAILER_DATA_DIR", reason, DATA_DIR) from None
        return self.data_dir


def read(env: Environment) -> StorageSettings:
    """Those of an environment.

    :raises ConfigurationError: one is wrong.
    """
    return StorageSettings(
        data_dir=env.data_dir,
        keys_file=env.keys_file,
        database_url=env.read("MAILER_DATABASE_URL", values.database_url, "postgresql+psycopg://user:pass@host/tocsin")
        or f"sqlite:///{env.data_dir / 'tocsin.db'}",
        configured_redis_url=env.read("MAILER_REDIS_URL", values.redis_url, "redis://127.0.0.1:6379/0"),
        configured_keys={name: env.values[name] for name in KEY_VARIABLES if env.values.get(name)},
        secret_keys_in_file=env.secret_keys_in_file,
    )
