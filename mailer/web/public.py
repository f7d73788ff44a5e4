"""What anyone may see."""

import logging

from flask import Blueprint, Response, jsonify, render_template

from mailer import schema
from mailer.errors import MailerError
from mailer.web.site import site

logger = logging.getLogger(__name__)

public = Blueprint("public", __name__)


@public.get("/")
def index() -> str:
    """Say whose mail this is and how to leave."""
    settings = site().settings
    return render_template(
        "public/index.html", organisation=settings.organisation, postal_address=settings.postal_address
    )


@public.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Say whether this process can do its work: whether the database answers, with this version's schema. Nothing
    about why not, since anyone may ask."""
    try:
        schema.require_current(site().engine)
    except MailerError as problem:
        logger.warning("not healthy: %s", problem)
        return jsonify(status="unavailable"), 503
    return jsonify(status="ok"), 200
