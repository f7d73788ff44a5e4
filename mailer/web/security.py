"""Headers that every answer carries, what may be kept of it, and where it may send a browser."""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, g, request

#: No script at all, and one style sheet, a file of ours: what gets past escaping still cannot run.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: At the desk also a script, a file of ours, what that asks for, and frames with previews.
_DESK_POLICY = f"{_POLICY}; script-src 'self'; connect-src 'self'; frame-src 'self'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers older than frame-ancestors
    "Referrer-Policy": "no-referrer",  # addresses of pages hold tokens
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        f"{feature}=()"
        for feature in (
            *("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture"),
            *("encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection", "magnetometer"),
            *("microphone", "midi", "payment", "publickey-credentials-get", "screen-wake-lock", "serial", "usb"),
        )
    ),
}
_HOST = re.compile(
    r"((?:[a-z0-9_-]{1,63}\.){0,20}[a-z0-9_-]{1,63}\.?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE
)
_NO_HOST = "invalid"  # RFC 2606: nobody is called so
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}  # RFC 6797; a year


def init(app: Flask, *, https: bool) -> None:
    """Put the headers on every answer, and the version of a static file into its address.

    :param https: whether visitors come over https, so that browsers should insist on it.
    """
    versions = _versions(Path(app.static_folder or ""))

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and values.get("filename") in versions:
            values["v"] = versions[values["filename"]]

    app.wsgi_app = _with_a_host(app.wsgi_app)  # type: ignore[assignment, method-assign]  # Flask's way
    app.after_request(_keep_to_this_site)
    app.after_request(_say_what_to_keep(versions))
    app.after_request(_say_what_may_run)
    app.after_request(_add(_HEADERS | (_HTTPS_ONLY if https else {})))


def _with_a_host(app: WSGIApplication) -> WSGIApplication:
    """Replace a malformed Host before any page sees it: Flask could not even show the page that refuses it."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "HTTP_HOST" in environ and not _HOST.fullmatch(environ["HTTP_HOST"]):
            environ["HTTP_HOST"] = _NO_HOST
        return app(environ, start_response)

    return call


def allow_our_script() -> None:
    """Let the page that is being made run a script: a file of ours, none in the page."""
    g.policy = f"{_POLICY}; script-src 'self'"


def allow_desk() -> None:
    """Let the page that is being made do what a page of the desk may."""
    g.policy = _DESK_POLICY


def _say_what_may_run(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", g.get("policy", _POLICY))
    return response


def _versions(folder: Path) -> dict[str, str]:
    """A hash of what is in each static file, by its name."""
    return {
        file.relative_to(folder).as_posix(): hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def _add(headers: dict[str, str]) -> Callable[[Response], Response]:
    def add(response: Response) -> Response:
        has = {name.lower() for name, _ in response.headers}  # asked one by one, each would be compared with all
        for name, value in headers.items():
            if name.lower() not in has:
                response.headers.add(name, value)
        return response

    return add


def _keep_to_this_site(response: Response) -> Response:
    """Send no browser anywhere but to a path of this site.

    Where Flask itself redirects, to add a slash or to take one away, it writes the request's Host into the address:
    with a forged one, a cache would send people elsewhere.
    """
    if response.location:
        target = urlsplit(response.location)
        path = "/" + target.path.lstrip("/\\")  # browsers take // and /\ for the beginning of a host's name
        response.location = path + (f"?{target.query}" if target.query else "")
    return response


def _say_what_to_keep(versions: dict[str, str]) -> Callable[[Response], Response]:
    def say(response: Response) -> Response:
        arguments = request.view_args or {}
        if request.endpoint == "static" and response.status_code < 400:
            if request.args.get("v") == versions.get(arguments["filename"]):
                response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
            return response
        if "token" in arguments or request.method == "POST" or response.status_code >= 400:
            response.headers["Cache-Control"] = "no-store"
        elif "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-cache"
        return response

    return say
