"""Whether this process can do its work, for whoever watches it."""

import logging

from flask import Blueprint, Response, jsonify

from mailer.errors import MailerError
from mailer.operations import schema
from mailer.web.site import site

logger = logging.getLogger(__name__)

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Say whether this process can do its work: whether the database answers, with this version's schema. Nothing
    about why not, since anyone may ask."""
    try:
        schema.require_current(site().engine)
    except MailerError as problem:
        logger.warning("not healthy: %s", problem)
        return jsonify(status="unavailable"), 503
    return jsonify(status="ok"), 200
