"""The desk's cookies. No other page has one."""

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from wsgiref.types import WSGIEnvironment

from flask import Response, request
from werkzeug.http import parse_cookie

from mailer.web.site import site

_SECRET = re.compile(r"[A-Za-z0-9_-]{20,100}", re.ASCII)
_DESK = "/desk"
_SESSION, _BROWSER, _FORM = "desk", "desk-browser", "desk-form"
_BROWSER_KEPT = timedelta(days=180)


def session_secret() -> str | None:
    """What stands for the session; none if there is no cookie, or one that is none of ours."""
    return _read(_SESSION)


def session_secret_in(environ: WSGIEnvironment, *, https: bool) -> str | None:
    """Likewise, of a request that the site has not heard of yet.

    :param https: whether the site is on it.
    """
    return _sound(parse_cookie(environ).get(_name(_SESSION, https=https), ""))


def browser_secret() -> str | None:
    """What stands for a browser in which somebody has signed in before."""
    return _read(_BROWSER)


def sign_in(response: Response, *, session: str, browser: str) -> None:
    """Let a browser be signed in, and be known the next time.

    :param session: what stands for the session.
    :param browser: what stands for the browser.
    """
    _set(response, _SESSION, session, path=_DESK)
    _set(response, _BROWSER, browser, path=_DESK, kept=_BROWSER_KEPT)
    _delete(response, _FORM)


def sign_out(response: Response) -> None:
    """Let a browser forget the session."""
    _delete(response, _SESSION)


def renew(response: Response, session: str) -> None:
    """Put another secret in place of the session's."""
    _set(response, _SESSION, session, path=_DESK)


# --- the form to sign in with, whose sender has no session ------------------------------------------------------------


def new_form() -> tuple[str, str]:
    """A secret for a browser that is shown the form to sign in with, and the token that stands in the form."""
    secret = _read(_FORM) or secrets.token_urlsafe(24)
    return secret, _form_token(secret)


def remember_form(response: Response, secret: str) -> None:
    """Keep the secret in the browser that is shown the form."""
    _set(response, _FORM, secret, path=_DESK)


def is_own_form() -> bool:
    """Whether a form was made for the browser that has sent it: else another site could sign people in as somebody."""
    secret = _read(_FORM)
    token = request.form.get("form_token", "").encode()  # only bytes may be anything
    return secret is not None and hmac.compare_digest(_form_token(secret).encode(), token)


def _form_token(secret: str) -> str:
    return hashlib.blake2b(secret.encode(), digest_size=16, person=b"desk sign-in").hexdigest()


# --- how they are written ---------------------------------------------------------------------------------------------


def _is_https() -> bool:
    return site().settings.base_url.startswith("https://")


def _name(name: str, *, https: bool | None = None) -> str:
    # Over plain http, as on one's own machine, browsers take no cookie that claims to be secure.
    return f"__Secure-{name}" if (_is_https() if https is None else https) else name


def _read(name: str) -> str | None:
    return _sound(request.cookies.get(_name(name), ""))


def _sound(value: str) -> str | None:
    return value if _SECRET.fullmatch(value) else None


def _set(response: Response, name: str, value: str, *, path: str, kept: timedelta | None = None) -> None:
    response.set_cookie(_name(name), value, path=path, max_age=kept, secure=_is_https(), httponly=True, samesite="Lax")


def _delete(response: Response, name: str) -> None:
    response.delete_cookie(_name(name), path=_DESK, secure=_is_https(), httponly=True, samesite="Lax")
