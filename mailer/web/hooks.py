"""Where mail providers post what became of our mails. No person comes here: there are no pages, no cookies, and no
forms."""

import hmac
import logging
import time
from dataclasses import dataclass, field
from typing import cast

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from mailer.errors import MailerError, ServiceUnavailable
from mailer.inbound import hooks as inbound
from mailer.inbound.addresses import OwnAddresses
from mailer.mail.webhooks.brevo import Brevo
from mailer.mail.webhooks.fetching import fetch
from mailer.mail.webhooks.mailgun import Mailgun
from mailer.mail.webhooks.postmark import Postmark
from mailer.mail.webhooks.sendgrid import SendGrid
from mailer.mail.webhooks.ses import Ses
from mailer.mail.webhooks.sns import Topics
from mailer.mail.webhooks.sparkpost import SparkPost
from mailer.mail.webhooks.types import MAX_BYTES, Hook, Malformed, Post, Provider, Unproven
from mailer.settings import Settings
from mailer.settings.hooks import HookSettings
from mailer.store.db import utcnow
from mailer.web import protection
from mailer.web.site import site

logger = logging.getLogger(__name__)

hooks = Blueprint("hooks", __name__)

_NOTE_SECONDS = 60
_COME_BACK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Door:
    """Who may post, and what proves it."""

    secrets: tuple[str, ...]  # of which one stands in the address
    readers: dict[str, Hook]  # by the name of the provider
    addresses: OwnAddresses
    noted: dict[tuple[str, str], float] = field(default_factory=dict)  # what was refused and why → when the log said so


def init(app: Flask, settings: Settings) -> None:
    """Open the addresses for webhooks, if there is a provider to post to them.

    :raises ConfigurationError: what proves who posts is missing or weak.
    """
    if not settings.hooks.providers:
        return
    addresses = settings.own_addresses
    readers = {provider.value: _reader(settings.hooks, provider) for provider in settings.hooks.providers}
    app.extensions["hooks"] = Door(settings.hooks.secrets, readers, addresses)
    app.register_blueprint(hooks)


def _reader(settings: HookSettings, provider: Provider) -> Hook:
    match provider:
        case Provider.SES:
            return Ses(Topics(settings.ses_topics, fetch))
        case Provider.SENDGRID:
            return SendGrid(settings.sendgrid_keys)
        case Provider.MAILGUN:
            return Mailgun(settings.told(provider))
        case Provider.POSTMARK:
            return Postmark(settings.told(provider))
        case Provider.BREVO:
            return Brevo(settings.told(provider))
        case Provider.SPARKPOST:
            return SparkPost(settings.told(provider))


def _door() -> Door:
    return cast(Door, current_app.extensions["hooks"])


@hooks.post("/hooks/<provider>/<secret>")
def take(provider: str, secret: str) -> Response:
    """Take in what a provider posts: 200 once all that follows from it is saved, also where that is nothing.

    Whoever may not post learns nothing but that: 403. 400 is no JSON, 413 is too much. With 503 the provider has to
    post again.
    """
    door = _door()
    if not _is_known(secret, door.secrets):
        return _refuse(provider, "the secret in the address is another")
    reader = door.readers.get(provider)
    if reader is None:
        return _refuse(provider, "nothing is set for this provider")
    protection.take_in_chunks(MAX_BYTES)
    request.max_content_length = MAX_BYTES
    headers = {name.lower(): value for name, value in request.headers.items()}
    now = utcnow()
    try:
        reports = reader.read(Post(request.get_data(cache=False), headers), now=now)
        inbound.take(site().session, reports, addresses=door.addresses, source=Provider(provider), now=now)
    except Unproven as problem:
        return _refuse(provider, str(problem))
    except Malformed as problem:
        _note(provider, str(problem))
        return _answer(400)
    except ServiceUnavailable as problem:
        logger.error("a webhook could not be taken: %s", problem, extra={"provider": provider})
        return _answer(503)
    return _answer(200)


def _is_known(secret: str, known: tuple[str, ...]) -> bool:
    given = secret.encode("utf-8", "replace")
    return any(hmac.compare_digest(given, each.encode()) for each in known)


def _refuse(provider: str, why: str) -> Response:
    _note(provider, why)
    return _answer(403)


def _note(provider: str, why: str) -> None:
    """Say in the log why a post was not taken: each reason once a minute, since a provider tries again and again."""
    door, now = _door(), time.monotonic()
    named = provider if provider in set(Provider) else "unknown"
    if now - door.noted.get((named, why), -_NOTE_SECONDS) >= _NOTE_SECONDS:
        door.noted[named, why] = now
        logger.warning("a webhook was refused: %s", why, extra={"provider": named})


def _answer(status: int) -> Response:
    response = Response(status=status, mimetype="text/plain")
    if status == 503:
        response.headers["Retry-After"] = str(_COME_BACK_SECONDS)
    return response


@hooks.errorhandler(HTTPException)
def _explain(error: HTTPException) -> Response:
    """Answer what has no page: a program reads it."""
    return _answer(error.code or 500)


@hooks.errorhandler(MailerError)
def _fail(error: MailerError) -> Response:
    logger.error("a webhook could not be taken: %s", error)
    return _answer(503)
