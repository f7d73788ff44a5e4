"""A Maildir, as a mail server and a mail program make one."""

import itertools
from pathlib import Path

_NUMBERS = itertools.count(1)


class SomeMaildir:
    """One to deliver to, and to look into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("new", "cur", "tmp"):
            (folder / name).mkdir(parents=True)

    def deliver(self, message: bytes, name: str | None = None) -> str:
        """Put a message into `new`; its name."""
        name = name or f"1764510000.M{next(_NUMBERS):06}P1.mx.example.org"
        (self.folder / "tmp" / name).write_bytes(message)
        (self.folder / "tmp" / name).rename(self.folder / "new" / name)
        return name

    @property
    def new(self) -> list[str]:
        """Names of what nobody has seen."""
        return sorted(file.name for file in (self.folder / "new").iterdir())

    @property
    def cur(self) -> list[str]:
        """Names of what somebody has."""
        return sorted(file.name for file in (self.folder / "cur").iterdir())
