"""Marks: what a form carries of what its reader saw, by which it is known whether that has changed meanwhile."""

import hashlib
import json


def of(*seen: object) -> str:
    """A few characters that are different once something that somebody saw is.

    :param seen: what JSON can hold, or what is written in one way only.
    """
    written = json.dumps(seen, sort_keys=True, default=repr)
    return hashlib.blake2b(written.encode(), digest_size=8).hexdigest()
