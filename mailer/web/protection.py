"""What keeps forms from being used against others: bots that fill them in, other sites that post to them, and what no
form of ours can have sent."""

import hashlib
import hmac
import io
import logging
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import abort, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from markupsafe import Markup
from werkzeug.wsgi import get_content_length

from mailer.store.crypto import Keyring
from mailer.store.db import utcnow
from mailer.web.language import _
from mailer.web.site import site

logger = logging.getLogger(__name__)

#: what one form may weigh; ours have a few short fields
MAX_BODY_BYTES = 64 * 1024
#: endpoint → likewise, where more is typed: a text of a campaign, and whoever has to sign in before it is saved
_LARGER: Mapping[str, int] = {"desk.texts.save": 640 * 1024, "desk.coming.enter": 1280 * 1024}
MAX_FIELDS = 200  # of a multipart form

#: nobody fills in a form in less
_QUICKEST = timedelta(seconds=2)
#: A page may lie open overnight, or for a week, and what was typed into it must not be lost.
_OLDEST = timedelta(days=30)

_STAMP_FORM = re.compile(r"(?P<made>[0-9]{1,12})\.(?P<mac>[0-9a-f]{32})", re.ASCII)

# A field that people do not see and programs fill in, and the time, signed. `aria-hidden` and `tabindex` keep those out
# who read by ear or go by keyboard; where no style sheet arrives, the label says what to do.
_FIELDS = Markup(
    '<div class="visually-hidden" aria-hidden="true">'
    '<label>{label} <input type="text" name="website" autocomplete="off" tabindex="-1"></label></div>'
    '<input type="hidden" name="stamp" value="{stamp}">'
)

#: What mail clients post to, from wherever they are (RFC 8058).
_OPEN_TO_ALL = "leaving.leave"
#: where no browser posts, which looks itself at what comes
_FOR_PROGRAMS = "hooks.take"
#: where a file comes in, see `uploading`
_WITH_FILE = "desk.imports.upload"


def stamp() -> Markup:
    """Hidden fields for a form that makes us write to somebody.

    A form that is shown again, to have a mistake mended, keeps its first time: mending may take a moment only.
    """
    posted = request.form.get("stamp", "") if request.method == "POST" else ""
    keyring = site().settings.keyring
    age = _age(keyring, posted)
    signed = posted if age is not None and age <= _OLDEST else sign(keyring, utcnow())
    return _FIELDS.format(label=_("Leave this field empty"), stamp=signed)


def sign(keyring: Keyring, when: datetime) -> str:
    """A time, signed under the newest link key, as a form carries it."""
    made = str(int(when.timestamp()))
    return f"{made}.{_mac(keyring.link_keys[0].secret, made)}"


def looks_human(form: Mapping[str, str]) -> bool:
    """Whether a form was filled in by a person, as far as its hidden fields tell.

    One stamp does for many posts; how many there may be is for `limits` to say. Whoever calls this answers a program as
    it would a person, and does nothing.
    """
    age = _age(site().settings.keyring, form.get("stamp", ""))
    return not form.get("website") and age is not None and _QUICKEST <= age <= _OLDEST


def is_out_of_time(form: Mapping[str, str]) -> bool:
    """Whether a form is one that we made, and was sent sooner than anybody fills one in, or long after. A person may do
    so with the back button, or where the browser fills it in: whoever calls this asks for one more press."""
    age = _age(site().settings.keyring, form.get("stamp", ""))
    return not form.get("website") and age is not None and not _QUICKEST <= age <= _OLDEST


def _age(keyring: Keyring, posted: str) -> timedelta | None:
    """How old a stamp is; None if it is none of ours."""
    form = _STAMP_FORM.fullmatch(posted)
    if not form or not any(
        hmac.compare_digest(form["mac"], _mac(key.secret, form["made"])) for key in keyring.link_keys
    ):
        return None
    return timedelta(seconds=int(utcnow().timestamp()) - int(form["made"]))


def _mac(secret: bytes, made: str) -> str:
    return hashlib.blake2b(made.encode(), key=secret, digest_size=16, person=b"form stamp").hexdigest()


def take_head_for_get() -> None:
    """Let no view that asks "GET or else" do for a HEAD what it does for a POST. The answer has no body anyway."""
    if request.method == "HEAD":
        request.method = "GET"


def most_bytes(endpoint: str) -> int:
    """What a form to an endpoint may weigh."""
    return _LARGER.get(endpoint, MAX_BODY_BYTES)


def refuse_misuse() -> None:
    """Refuse what no page of ours can have sent, before anything looks at it.

    :raises HTTPException: 403 for another site's form, 413 for a body that is too big or says that it is, 400 for what
        no keyboard types, and for a body that is broken on the way.
    """
    if request.endpoint == _FOR_PROGRAMS:
        return
    if request.method == "POST" and _is_from_elsewhere() and not _is_open_to_all():
        abort(403)
    if request.endpoint == _WITH_FILE and request.method == "POST":
        return  # its form is read once it is known who sends it
    most = most_bytes(request.endpoint or "")
    request.max_content_length = request.max_form_memory_size = most
    take_in_chunks(most)
    if any("\0" in text for text in _texts()):
        abort(400)  # PostgreSQL stores no such text


def take_in_chunks(most: int) -> None:
    """Read a body that does not say how long it is, and put it in place of the stream that it came by.

    Werkzeug would cut what is too long, and take a broken chunk for a mistake of ours.

    :param most: bytes that there may be.
    :raises HTTPException: 413, it is too much; 400, a chunk is broken or missing.
    """
    environ = request.environ
    if get_content_length(environ) is not None or "wsgi.input_terminated" not in environ:
        return
    body = b""
    try:
        while len(body) <= most and (part := environ["wsgi.input"].read(most + 1 - len(body))):
            body += part
    except (ParseException, OSError):
        logger.warning("an invalid request was refused")
        abort(400)
    if len(body) > most:
        abort(413)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    del environ["wsgi.input_terminated"]


def _texts() -> list[str]:
    """All that a request says.

    :raises HTTPException: 400, it is no text; 413, it is too much.
    """
    try:
        return [
            request.path,
            *(text for values in (request.args, request.form) for pair in values.items() for text in pair),
        ]
    except UnicodeDecodeError:  # raw bytes that are no UTF-8; Werkzeug takes them for a mistake of ours
        abort(400)


def _is_from_elsewhere() -> bool:
    """Whether a browser says that another site's page sent this.

    `Sec-Fetch-Site` comes first: no page can forge it, and under our own Referrer-Policy a browser has to write `null`
    for the Origin of our own forms (Fetch, "append a request Origin header"). An old browser, or one on plain http,
    sends that `null` alone. It passes: a page of another site could send it too, but has nothing of the visitor's to
    use, for what one may do here stands in the link, and in no cookie.
    """
    sender = request.headers.get("Sec-Fetch-Site")
    if sender is not None:
        return sender not in ("same-origin", "none")
    origin = request.headers.get("Origin", "null")
    return origin != "null" and origin != _origin(site().settings.base_url)


def _origin(url: str) -> str:
    parts = urlsplit(url.lower())
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(default)}"


def _is_open_to_all() -> bool:
    return (request.endpoint or "").endswith(_OPEN_TO_ALL)
