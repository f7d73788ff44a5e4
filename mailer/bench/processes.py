"""Running what is measured in processes of its own, all starting at the same moment."""

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec

from mailer.bench.meter import Cost
from mailer.errors import MailerError

Arguments = ParamSpec("Arguments")
#: tells that everything is prepared, and returns when the others are ready too
Ready = Callable[[], None]


class BenchFailed(MailerError):
    """A process that was being measured ended early. Its output is above."""


@dataclass(frozen=True, slots=True)
class Task:
    """A function and its arguments; it gets a `Ready` first, and returns its cost."""

    function: Callable[..., Cost]
    arguments: tuple[Any, ...]


def task(
    function: Callable[Concatenate[Ready, Arguments], Cost], *arguments: Arguments.args, **_none: Arguments.kwargs
) -> Task:
    """A Task whose arguments a type checker has compared with its function's."""
    return Task(function, arguments)


def run(tasks: Sequence[Task]) -> tuple[Cost, ...]:
    """Run tasks side by side, each in a fresh process that begins when all are ready.

    :raises BenchFailed: one of them did not come to its end.
    """
    # Not forked: a fresh interpreter owes nothing of its memory to this one.
    context = multiprocessing.get_context("spawn")
    pipes = []
    processes = []
    for each in tasks:
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(theirs, each), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            pipe.recv()
        for pipe in pipes:
            pipe.send(None)
        return tuple(pipe.recv() for pipe in pipes)
    except (EOFError, ConnectionError) as end:
        raise BenchFailed from end
    finally:
        for pipe in pipes:
            pipe.close()  # one that still waits to begin ends now
        for process in processes:
            process.join()


def _run(pipe: Connection, each: Task) -> None:
    def ready() -> None:
        pipe.send(None)
        pipe.recv()

    pipe.send(each.function(ready, *each.arguments))
