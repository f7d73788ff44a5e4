"""Losing: what somebody typed into a form that can be saved nowhere any more is shown to them, to be copied."""

from collections.abc import Sequence
from typing import Any

from flask import make_response, render_template


def give_back(why: str, said: Sequence[tuple[str, str]], status: int, *, slug: str | None = None) -> Any:
    """A page with what somebody typed.

    :param why: it is not saved.
    :param said: what each thing is, and the words.
    :param slug: of the campaign, for whoever may still see it.
    """
    return make_response(render_template("desk/lost.html", why=why, said=said, slug=slug), status)
