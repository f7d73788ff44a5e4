"""The web app's only wiring."""

from pathlib import Path

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from mailer.db import open_engine
from mailer.settings import Settings
from mailer.web.errors import explain
from mailer.web.public import public
from mailer.web.security import add_headers
from mailer.web.site import Site

_WEB = Path(__file__).parent / "web"


def create_app(settings: Settings) -> Flask:
    """Make the web app of an installation. Nothing is connected yet.

    :raises ConfigurationError: a key is missing or weak.
    """
    app = Flask("mailer.web", root_path=str(_WEB))
    app.extensions["site"] = Site(settings=settings, engine=open_engine(settings.database_url, settings.keyring))
    app.register_blueprint(public)
    app.register_error_handler(HTTPException, explain)
    app.after_request(add_headers(https=settings.base_url.startswith("https://")))
    if settings.trusted_proxies:
        # Only the visitor's address is taken from them. Host and scheme come from MAILER_BASE_URL alone.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's documented way to add a middleware
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    return app
