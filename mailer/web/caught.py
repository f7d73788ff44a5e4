"""The mails that the catcher kept, for whoever tries the program out on their own machine. In English only.

Nobody else may see them, since they hold the links that stand for a person's consent. So there is no such page unless
all of this is so: the site's own links lead to this machine, mail goes to our catcher on it, and the visitor sits at
it, with no proxy between, and asks for it by a name that no other site can take (DNS rebinding).
"""

import functools
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import islice
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for

from mailer.mail.smtp import is_loopback
from mailer.settings import Settings
from mailer.trial import catcher
from mailer.trial.catcher import CaughtMessage
from mailer.web import framed
from mailer.web.site import site

caught = Blueprint("caught", __name__, url_prefix="/caught")

_MOST = 100  # mails of the list
_GREETING_SECONDS = 0.5
_ASK_AGAIN_SECONDS = 5
_FROM_A_PROXY = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")
_LINK = re.compile(r"https?://[^\s<>\"]+")

_PAGE_CSP = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _Mail:
    """A kept mail as the list shows it."""

    name: str
    at: datetime
    recipient: str
    subject: str


@caught.app_template_global()
def caught_url() -> str | None:
    """Where the caught mails are; None for everyone who may not see them."""
    return url_for("caught.inbox") if _is_trial(site().settings) else None


@caught.before_request
def refuse() -> None:
    """:raises NotFound: this is no trial, or a visitor from elsewhere."""
    if not _is_trial(site().settings):
        abort(404)


@caught.get("/")
def inbox() -> Response:
    """The newest mails."""
    return _shown("caught/inbox.html", mails=[_mail(message) for message in islice(_newest(), _MOST)])


@caught.get("/<name>")
def mail(name: str) -> Response:
    """One mail: its headers, its text, its links, and its HTML in a frame."""
    message = _get(name)
    parsed = message.message
    text = _part(parsed, "plain")
    ours = site().settings.base_url
    links = dict.fromkeys(link.rstrip(".,;:!?)") for link in _LINK.findall(text) if link.startswith(ours))
    return _shown(
        "caught/mail.html",
        mail=_mail(message),
        headers=[(header, str(value)) for header, value in parsed.items()],
        text=text,
        links=list(links),
        has_html=parsed.get_body(("html",)) is not None,
        sandbox=framed.LINKS_OPEN,
    )


@caught.get("/<name>/html")
def html(name: str) -> Response:
    """The HTML part of a mail, without an origin: no script runs, and nothing is fetched."""
    written = _part(_get(name).message, "html")
    response = framed.document(written, links_open=True)
    response.headers["Cache-Control"] = "no-store"
    return response


def _shown(template: str, **values: object) -> Response:
    response = make_response(render_template(template, **values))
    response.headers["Content-Security-Policy"] = _PAGE_CSP
    response.headers["Cache-Control"] = "no-store"
    return response


# --- who may see them -----------------------------------------------------------------------------------------------


def _is_trial(settings: Settings) -> bool:
    server = settings.configured_smtp
    return (
        server is not None
        and is_loopback(server.host)
        and is_loopback(urlsplit(settings.base_url).hostname or "")
        and _sits_here()
        and _is_our_catcher(server.host, server.port, int(time.monotonic() // _ASK_AGAIN_SECONDS))
    )


def _sits_here() -> bool:
    return (
        is_loopback(request.remote_addr or "")
        and is_loopback(urlsplit(f"//{request.host}").hostname or "")
        and not any(header in request.headers for header in _FROM_A_PROXY)
    )


@functools.lru_cache(maxsize=4)
def _is_our_catcher(host: str, port: int, _period: int) -> bool:
    """Whether the mail server greets as the catcher does. A real one on this machine delivers what it is given, and
    whoever runs it is not trying this out."""
    try:
        with socket.create_connection((host, port), timeout=_GREETING_SECONDS) as connection:
            return catcher.GREETING.encode() in connection.recv(512)
    except OSError:
        return False


# --- what was kept --------------------------------------------------------------------------------------------------


def _newest() -> Iterator[CaughtMessage]:
    return reversed(list(catcher.read(site().settings.data_dir / catcher.FOLDER)))


def _get(name: str) -> CaughtMessage:
    """:raises NotFound: no mail has that name."""
    # Compared, and not put into a path.
    found = next((message for message in _newest() if message.path.name == name), None)
    if found is None:
        abort(404)
    return found


def _mail(message: CaughtMessage) -> _Mail:
    name = message.path.name
    seconds = name.partition(".")[0]
    at = datetime.fromtimestamp(int(seconds) if seconds.isdecimal() else message.path.stat().st_mtime, UTC)
    return _Mail(name, at, message.recipient, str(message.message["Subject"] or "(no subject)"))


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
