"""Processes that begin as copies of one that has read a program in already, which takes a processor a second."""

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path


def context(module: str) -> ForkServerContext:
    """What starts them.

    :param module: which has read in what they need. It takes effect once, with the first start.
    """
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([module])
    return found


def become(environment: dict[str, str], folder: Path, log: Path) -> None:
    """Be where a program is to be, with its variables and its output: the first thing that such a process does."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with log.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
