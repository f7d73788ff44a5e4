"""How far something has got, on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar() -> Progress:
    """A bar that shows how many of how many, and how much longer it will take; on standard error."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


@contextmanager
def import_bar(*, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar for the length of an import. Yields what the import tells how much is done, and how much there is."""
    with click.progressbar(length=1, label="Importing", file=sys.stderr, hidden=hidden) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield progress
