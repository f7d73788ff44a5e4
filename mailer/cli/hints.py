"""Commands that messages name, as they have to be typed where the message is read."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import click


def typed(text: str) -> str:
    """A text whose commands begin with what this command was called by, such as `.venv/bin/mailer`."""
    program = _called_by()
    if program == "mailer":
        return text
    root = click.get_current_context().find_root()
    names = "|".join(root.command.list_commands(root) if isinstance(root.command, click.Group) else ())
    return re.sub(rf"(?<![\w./-])mailer (?=(?:{names})\b)", lambda _: f"{program} ", text)


def _called_by() -> str:
    called = Path(sys.argv[0])
    found = shutil.which("mailer")
    if called.name != "mailer" or (found is not None and called.exists() and called.samefile(found)):
        return "mailer"
    return shlex.quote(sys.argv[0])
