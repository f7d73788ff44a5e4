"""What anyone may see."""

import logging

from flask import Blueprint, Response, jsonify, render_template
from sqlalchemy import select

from mailer.db import DatabaseUnavailable, session_scope
from mailer.models import MailingList
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
    """Say whether this process can do its work: whether the database answers and has tables. Nothing about why not,
    since anyone may ask."""
    try:
        with session_scope(site().engine, read_only=True) as session:
            session.execute(select(MailingList.id).limit(1))
    except DatabaseUnavailable as problem:
        logger.warning("the database is unavailable: %s", problem)
        return jsonify(status="unavailable"), 503
    return jsonify(status="ok"), 200
