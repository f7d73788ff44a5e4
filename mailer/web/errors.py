"""Pages for what went wrong."""

import logging

from flask import render_template
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import ServiceUnavailable as ServiceUnavailablePage

from mailer.errors import ServiceUnavailable
from mailer.web.site import site

logger = logging.getLogger(__name__)

#: status → headline and what the visitor can do; other statuses get the last
_EXPLANATIONS = {
    404: ("There is nothing here", "Check the address. If it came from a mail, copy the whole link from the mail."),
    405: ("That does not work here", "Go back and use the button on the page."),
    503: ("We will be back soon", "Something that this site needs is not there just now. Please try again in a while."),
    500: ("Something went wrong", "It is our fault, not yours, and it has been noted. Please try again later."),
}


def explain_unavailable(error: ServiceUnavailable) -> tuple[str, int]:
    """Answer that the visitor should come back; what is missing goes into the log only."""
    logger.error("a page could not be shown: %s", error)
    return explain(ServiceUnavailablePage())


def explain(error: HTTPException) -> tuple[str, int]:
    """Answer with a page that says what the visitor can do."""
    status = error.code or 500
    headline, advice = _EXPLANATIONS.get(status, _EXPLANATIONS[500 if status >= 500 else 404])
    organisation = site().settings.organisation
    return render_template("error.html", headline=headline, advice=advice, organisation=organisation), status
