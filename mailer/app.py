"""The web app's only wiring."""

import logging
import sys
from pathlib import Path

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from mailer import logs, schema
from mailer.db import DatabaseUnavailable, open_engine
from mailer.errors import ServiceUnavailable
from mailer.settings import Settings
from mailer.web.errors import explain, explain_unavailable
from mailer.web.public import public
from mailer.web.security import add_headers
from mailer.web.site import Site

_WEB = Path(__file__).parent / "web"

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> Flask:
    """Make the web app for a server process: with a log, and on a database whose schema is this version's.

    It starts without a database too, and says 503 until that is back.

    :raises ConfigurationError: a key is missing or weak.
    :raises schema.SchemaOutdated: or `SchemaTooNew`: pages would fail one by one.
    """
    logs.configure(json=not sys.stderr.isatty())
    app = create_app(settings)
    engine = app.extensions["site"].engine
    try:
        schema.require_current(engine)
    except DatabaseUnavailable as problem:
        logger.warning("starting without the database: %s", problem)
    finally:
        engine.dispose()  # gunicorn forks after this, and processes cannot share a connection
    return app


def create_app(settings: Settings) -> Flask:
    """Make the web app of an installation. Nothing is connected yet.

    :raises ConfigurationError: a key is missing or weak.
    """
    app = Flask("mailer.web", root_path=str(_WEB))
    app.extensions["site"] = Site(settings=settings, engine=open_engine(settings.database_url, settings.keyring))
    app.register_blueprint(public)
    app.register_error_handler(HTTPException, explain)
    app.register_error_handler(ServiceUnavailable, explain_unavailable)
    app.after_request(add_headers(https=settings.base_url.startswith("https://")))
    if settings.trusted_proxies:
        # Only the visitor's address is taken from them. Host and scheme come from MAILER_BASE_URL alone.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's documented way to add a middleware
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    return app
