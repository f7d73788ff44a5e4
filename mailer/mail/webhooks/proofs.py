"""What several providers prove that they sent something by: a login or a token that only they were told, and the time
at which they signed."""

import hmac
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime

from mailer.mail.webhooks import documents
from mailer.mail.webhooks.types import Post, Unproven, is_fresh


def require_login(post: Post, logins: Sequence[str]) -> None:
    """Insist on a login (RFC 7617).

    :param logins: those that count, each as `user:password`; without one, nothing is proved.
    :raises Unproven: none of them is given.
    """
    _require("Basic", _decoded(_credentials(post, "basic")), logins)


def require_token(post: Post, tokens: Sequence[str]) -> None:
    """Insist on a bearer token (RFC 6750), as `require_login`."""
    _require("Bearer", _credentials(post, "bearer").encode("utf-8", "replace"), tokens)


def require_fresh(signed: str, now: datetime) -> None:
    """Insist on a time of signing that is near.

    :param signed: in seconds since 1970, as it is signed.
    :raises Unproven: it is none, or too old, or still to come.
    """
    seconds = documents.number(signed)
    if seconds is None or not is_fresh(datetime.fromtimestamp(seconds, UTC), now):
        raise Unproven(why="it was signed more than 48 hours ago or never, or this machine's clock is wrong")


def _require(scheme: str, given: bytes, known: Sequence[str]) -> None:
    if not any(hmac.compare_digest(given, each.encode()) for each in known):
        raise Unproven(why=f"no Authorization: {scheme} with what it was told")


def _credentials(post: Post, scheme: str) -> str:
    named, _, rest = post.header("authorization").strip().partition(" ")
    return rest.strip() if named.lower() == scheme else ""


def _decoded(credentials: str) -> bytes:
    try:
        return b64decode(credentials, validate=True)
    except ValueError:  # base64 with what is none, or beyond ASCII
        return b""
