"""Headers that every answer carries."""

from collections.abc import Callable

from flask import Response

_HEADERS = {
    # No script at all, and no style but our own files: what gets past escaping still cannot run.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # addresses of pages hold tokens
}
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}  # RFC 6797; a year


def add_headers(*, https: bool) -> Callable[[Response], Response]:
    """Make the function that puts the headers on a response.

    :param https: whether visitors come over https, so that browsers should insist on it.
    """
    headers = _HEADERS | (_HTTPS_ONLY if https else {})

    def add(response: Response) -> Response:
        response.headers.update(headers)
        return response

    return add
