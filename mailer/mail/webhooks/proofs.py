"""Proofs that stand in headers: a login, or a token, that only the provider was told."""

import hmac
from base64 import b64decode
from collections.abc import Sequence

from mailer.mail.webhooks.types import Post, Unproven


def require_login(post: Post, logins: Sequence[str]) -> None:
    """Insist on a login (RFC 7617).

    :param logins: those that count, each as `user:password`; without one, nothing is proved.
    :raises Unproven: none of them is given.
    """
    _require("Basic", _decoded(_credentials(post, "basic")), logins)


def require_token(post: Post, tokens: Sequence[str]) -> None:
    """Insist on a bearer token (RFC 6750), as `require_login`."""
    _require("Bearer", _credentials(post, "bearer").encode("utf-8", "replace"), tokens)


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
