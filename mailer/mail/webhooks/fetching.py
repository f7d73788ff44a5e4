"""Fetching a page of a provider: over verified TLS, in a few seconds, a few kilobytes, without following anywhere."""

import ssl
import time
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from mailer.mail.webhooks.types import ProofAway

_SECONDS = 5.0
_MAX_BYTES = 64 * 1024
_CHUNK = 8 * 1024


def fetch(address: str) -> bytes:
    """The body of the answer of an https address.

    :raises ProofAway: it did not answer with 200, in time, and shortly; a redirect is no answer.
    """
    url = urlsplit(address)
    give_up = time.monotonic() + _SECONDS
    connection = HTTPSConnection(
        url.hostname or "", url.port or 443, timeout=_SECONDS, context=ssl.create_default_context()
    )
    try:
        connection.request("GET", f"{url.path or '/'}{f'?{url.query}' if url.query else ''}")
        answer = connection.getresponse()
        if answer.status != 200:
            raise _away(url.hostname, f"it answered {answer.status}")
        body = b""
        while len(body) <= _MAX_BYTES and time.monotonic() < give_up:
            part = answer.read1(_CHUNK)
            if not part:
                return body
            body += part
        raise _away(url.hostname, "its answer is too long, or comes too slowly")
    except (OSError, HTTPException) as problem:
        raise _away(url.hostname, str(problem) or type(problem).__name__) from None
    finally:
        connection.close()


def _away(host: str | None, problem: str) -> ProofAway:
    return ProofAway(problem=f"{host}: {' '.join(problem.split())[:200]}")
