"""The `mailer` command: one module per group, one domain call per command."""

import errno
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from mailer.cli.hints import typed
from mailer.errors import ConfigurationError, MailerError

#: command name → where it is; a module is imported only when its command is asked for, so that each starts fast
_COMMANDS = {
    "audit": "mailer.cli.audit:audit",
    "bench": "mailer.cli.bench:bench",
    "campaigns": "mailer.cli.campaigns:campaigns",
    "cases": "mailer.cli.cases:cases",
    "catcher": "mailer.cli.catcher:catcher",
    "db": "mailer.cli.db:db",
    "demo": "mailer.cli.demo:demo",
    "doctor": "mailer.cli.doctor:doctor",
    "inbound": "mailer.cli.inbound:inbound",
    "keys": "mailer.cli.keys:keys",
    "kits": "mailer.cli.kits:kits",
    "lists": "mailer.cli.lists:lists",
    "notices": "mailer.cli.notices:notices",
    "run": "mailer.cli.run:run",
    "subscribers": "mailer.cli.subscribers:subscribers",
    "suppressions": "mailer.cli.suppressions:suppressions",
    "targets": "mailer.cli.targets:targets",
    "unions": "mailer.cli.unions:unions",
    "users": "mailer.cli.users:users",
    "worker": "mailer.cli.worker:worker",
}

#: what a disk says that can take or give no more
_DISK_FAILURES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})


class _Commands(click.Group):
    """Loads commands on demand and turns errors into lines and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for argument in args:
            if not argument.isascii() and any("\ud800" <= char <= "\udfff" for char in argument):
                raise click.UsageError(f"The argument {argument!r} is not UTF-8.", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MailerError as error:
            _end(error.lines, error.exit_code)
        except ConfigurationError as error:
            _end([str(error)], error.exit_code)
        except OSError as problem:
            # A file that somebody named and that cannot be used, or a disk. Anything else is a mistake of ours.
            if problem.errno in _DISK_FAILURES:
                _end([f"the disk or the file system failed: {_explain(problem)}"], 3)
            if problem.filename is None:
                raise
            _end([_explain(problem)], 1)


def _end(lines: Sequence[str], exit_code: int) -> NoReturn:
    first, *more = map(typed, lines)
    click.echo("\n".join([f"mailer: {first}", *more]), err=True)
    sys.exit(exit_code)


def _explain(problem: OSError) -> str:
    words = problem.strerror or str(problem)
    return words if problem.filename is None else f"{problem.filename}: {words}"


@click.group(cls=_Commands)
@click.version_option(package_name="tocsin", prog_name="mailer")
def main() -> None:
    """Tocsin: urgent-action e-mail for solidarity campaigns.

    Exit codes: 0 done, 1 the request was refused, 2 wrong usage, 3 a service is missing.
    """
