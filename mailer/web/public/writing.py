"""Writing to targets: the letter, and everything that somebody needs to send it from their own mailbox or on paper."""

from flask import Blueprint, abort
from flask.typing import ResponseReturnValue

writing = Blueprint("writing", __name__)


@writing.get("/campaigns/<slug>/letter")
@writing.get("/campaigns/<slug>/letter/<target>")
def letter(**_address: str) -> ResponseReturnValue:
    """The letter of a public campaign to a target."""
    abort(404)


@writing.get("/letters/<slug>")
@writing.get("/letters/<slug>/<target>")
def unlisted_letter(**_address: str) -> ResponseReturnValue:
    """Likewise of a campaign that is not public."""
    abort(404)
