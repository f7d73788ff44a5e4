"""The web app's only wiring."""

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from flask import Blueprint, Flask, request
from redis import Redis
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from mailer.errors import ConfigurationError, ServiceUnavailable
from mailer.links import ForgedToken
from mailer.locale import countries, languages
from mailer.locale.languages import SITE_LANGUAGES
from mailer.operations import logs, schema
from mailer.operations.queue import connect
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.settings import Settings
from mailer.store.db import DatabaseUnavailable, open_engine
from mailer.unions.generations import ReplacedLink
from mailer.web import agreement, errors, hooks, language, limits, protection, security, turns, uploading
from mailer.web.caught import caught
from mailer.web.desk import routes, visit
from mailer.web.desk.answers import Answers
from mailer.web.health import health
from mailer.web.public.acting import acting
from mailer.web.public.affiliating import affiliating
from mailer.web.public.forwarding import forwarding
from mailer.web.public.joining import joining
from mailer.web.public.leaving import leaving
from mailer.web.public.preferences import preferences
from mailer.web.public.reading import reading
from mailer.web.public.reporting import reporting
from mailer.web.public.signing import signing
from mailer.web.public.writing import writing
from mailer.web.site import Site

_WEB = Path(__file__).parent / "web"
_PAGES = (
    joining,
    leaving,
    preferences,
    reading,
    writing,
    acting,
    signing,
    reporting,
    affiliating,
    forwarding,
)  # each also under an address that begins with a language
_DOORBELL_SECONDS = 0.5  # how long a page waits for Redis: longer than it takes, shorter than somebody notices

logger = logging.getLogger(__name__)


class _App(Flask):
    """A Flask app that logs nothing of what people ask for."""

    def log_exception(self, exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
        """Write down what failed and where. Flask would add the path, which may hold a link's token, and the errors'
        messages, which may quote what somebody typed."""
        error = exc_info[1]
        parts = []
        while error is not None:
            parts.append(f"{type(error).__module__}.{type(error).__qualname__}")
            parts.append("".join(traceback.format_tb(error.__traceback__)).rstrip())
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        logger.error("a page failed: %s", "\n".join(parts), extra={"page": request.endpoint})


def serve(settings: Settings) -> Flask:
    """Make the web app for a server process: with a log, and on a database whose schema is this version's.

    It starts without a database too, and says 503 until that is back.

    :raises ConfigurationError: a key is missing or weak.
    :raises schema.SchemaOutdated: the database is older than this version: pages would fail one by one.
    :raises schema.SchemaTooNew: the database is newer: likewise.
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
    _read_ahead(app)
    return app


def _read_ahead(app: Flask) -> None:
    """Read what all pages are made of: else the first visitors of each process wait for it, who come all at once when
    an alert has gone out."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
    for spoken in SITE_LANGUAGES:
        languages.name(spoken)
        countries.all_in(spoken)


def create_app(settings: Settings) -> Flask:
    """Make the web app of an installation. Nothing is connected yet.

    :raises ConfigurationError: a key is missing or weak, or what proves who posts to webhooks.
    """
    app = _App("mailer.web", root_path=str(_WEB))
    app.config.update(
        MAX_CONTENT_LENGTH=protection.MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=protection.MAX_BODY_BYTES,
        MAX_FORM_PARTS=protection.MAX_FIELDS,
    )
    redis = _doorbell(settings)
    app.extensions["site"] = Site(
        settings=settings, engine=open_engine(settings.database_url, settings.keyring), redis=redis
    )
    https = settings.base_url.startswith("https://")
    language.init(app)
    security.init(app, https=https)
    uploading.init(app)
    app.before_request(protection.take_head_for_get)
    app.before_request(protection.refuse_misuse)
    app.before_request(visit.identify)
    limits.init(app, settings)
    turns.init(app, redis, limits.pace(limits.SIGN_UP.together), share=limits.SHARE)
    _add_pages(app)
    hooks.init(app, settings)
    _add_error_pages(app)
    app.jinja_env.globals["stamp"] = protection.stamp
    postal_address = settings.postal_address or ""
    app.context_processor(lambda: {"organisation": agreement.organisation(), "postal_address": postal_address})
    app.wsgi_app = Answers(app.wsgi_app, app, https=https)  # type: ignore[method-assign]  # Flask's documented way
    if settings.trusted_proxies:
        # Only the visitor's address is taken from them. Host and scheme come from MAILER_BASE_URL alone.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # likewise
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    return app


def _doorbell(settings: Settings) -> Redis | None:
    try:
        url = settings.redis_url
    except ConfigurationError:
        return None  # without one, workers find the work in the database
    return connect(url, answer_seconds=_DOORBELL_SECONDS)


def _add_pages(app: Flask) -> None:
    in_language = Blueprint(language.PREFIX, __name__, url_prefix=f"/<any({','.join(language.LANGUAGES)}):language>")
    for pages in _PAGES:
        app.register_blueprint(pages)
        in_language.register_blueprint(pages)
    app.register_blueprint(in_language)
    app.register_blueprint(health)
    app.register_blueprint(caught)
    app.register_blueprint(routes.blueprint())


def _add_error_pages(app: Flask) -> None:
    app.register_error_handler(HTTPException, errors.explain)
    app.register_error_handler(ServiceUnavailable, errors.explain_unavailable)
    app.register_error_handler(ForgedToken, errors.explain_unknown_link)
    app.register_error_handler(UnknownLink, errors.explain_unknown_link)
    app.register_error_handler(DeadLink, errors.explain_dead_link)
    app.register_error_handler(ReplacedLink, errors.explain_replaced_link)
