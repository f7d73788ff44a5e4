"""A mail or a kit as a document of its own, in a frame of a page of ours: nothing runs in it, and it reaches nobody."""

import re

from flask import Response, make_response

#: Only the style that stands in it, and as from nowhere.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox"
)
LINKS_OPEN = "allow-popups allow-popups-to-escape-sandbox"  # what the frame itself has to allow, too
#: without `allow-popups`, what would open elsewhere opens nowhere
_OPEN_ELSEWHERE = '<base target="_blank">'
#: What has a browser connect to somebody before its policy is asked: Chromium 156 does for a frame that it then refuses
#: to show. No renderer of ours writes any of them.
_REACHING = re.compile(r"<(?=(?:i?frame|link|object|embed)\b)", re.ASCII | re.IGNORECASE)


def document(html: str, *, links_open: bool = False) -> Response:
    """Answer with a document that only a page of this site may frame.

    :param links_open: in a window of their own, as from a mail program. Otherwise they lead nowhere.
    """
    response = make_response(_REACHING.sub("&lt;", html).replace("<head>", f"<head>{_OPEN_ELSEWHERE}", 1))
    response.headers["Content-Security-Policy"] = f"{_POLICY} {LINKS_OPEN}" if links_open else _POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
