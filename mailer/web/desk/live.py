"""Parts of pages that a script asks for every two seconds: they weigh nothing while nothing changes."""

import hashlib

from flask import Response, make_response, request

from mailer.web.desk import answers


def with_etag(html: str, *, until: float | None = None) -> Response:
    """An answer with a part of a page; 304, without a body, if whoever asks has that already.

    The page's script sends the tag itself, since nothing of the desk is kept by browsers.

    :param until: monotonic seconds, until when everybody may be given it who may and reads the same.
    """
    if until is not None:
        answers.may_be_given_until(until)
    response = make_response(html)
    response.set_etag(hashlib.blake2b(html.encode(), digest_size=12).hexdigest())
    response.make_conditional(request)
    return response
