"""Makes it cheap to have a web app of one's own in each test: what is the same for all of them is worked out once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


@contextmanager
def shared_parts() -> Iterator[None]:
    """Let all apps of this process have the code of their templates and of their addresses in common.

    To make an app takes 50 ms of a processor otherwise, and its first page 30 more.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Flask.jinja_options, "bytecode_cache", _InMemory())
        patch.setattr(Rule, "_compile_builder", _remembered(Rule._compile_builder))
        yield


class _InMemory(BytecodeCache):
    """What Jinja made of each template; it notices where a template changed."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._code.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


def _remembered(compile_builder: Callable[[Rule, bool], Any]) -> Callable[[Rule, bool], Any]:
    """Werkzeug's function that writes the function that puts an address together, for each rule once."""
    known: dict[tuple[object, ...], Any] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    return compile_once
