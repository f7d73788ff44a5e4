"""Reporting what became of a letter: that it came back, that they ask for a postal address, or that they have moved.

Everybody is thanked, whether it counts or not: whoever presses twice has done nothing wrong, and nobody learns which
targets there are, or who else reported one.
"""

from contextlib import suppress

from flask import Blueprint, abort, render_template, request
from werkzeug.exceptions import TooManyRequests

from mailer import links
from mailer.cases import target_reports
from mailer.cases.target_book import UnknownTarget
from mailer.links import Link
from mailer.store.models import TargetReportKind
from mailer.web import limits
from mailer.web.site import site

reporting = Blueprint("reporting", __name__)


@reporting.post("/campaigns/<slug>/letter/<target>/report")
@reporting.post("/letters/<token>/<target>/report")
def report(target: str, **address: str) -> str:
    """Count what somebody reports on a target, also once its campaign has ended: answers take their time."""
    if "token" in address:
        links.verify(site().settings.keyring, Link.LETTER, address["token"])
    try:
        kind = TargetReportKind(request.form.get("kind", ""))
    except ValueError:
        abort(400)
    with suppress(UnknownTarget), site().session() as session:
        target_reports.note(session, target, kind, limits.network())
    return _thank()


@reporting.errorhandler(429)
def _thank_all_the_same(_error: TooManyRequests) -> str:
    return _thank()


def _thank() -> str:
    return render_template("reporting/report.html", address=request.view_args or {})
