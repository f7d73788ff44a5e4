"""Coming in and going: to sign in and out."""

import json
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for

from mailer.organisers import desk_sessions
from mailer.web.desk import cookies
from mailer.web.desk.keeping import Kept
from mailer.web.desk.visit import PREFIX, visit, visitor
from mailer.web.site import site


def come_in() -> Any:
    """The form to sign in with; whoever is signed in is sent on."""
    if visitor() is not None:
        return redirect(_own_path(request.args.get("to", "")), 303)
    return ask_to_sign_in(_own_path(request.args.get("to", "")))


def ask_to_sign_in(
    to: str, kept: Kept | None = None, *, problem: str | None = None, address: str = "", status: int = 200
) -> Response:
    """Show the form to sign in with.

    :param to: the path of the page to show then.
    :param kept: the form that is then filled in on it.
    :param problem: what to do about a sign-in that was refused.
    :param address: that was typed.
    :param status: of the answer.
    """
    secret, token = cookies.new_form()
    stored = json.dumps(kept.to_stored(), ensure_ascii=False) if kept else ""
    page = render_template(
        "desk/coming/come_in.html", to=to, kept=stored, problem=problem, address=address, sign_in_token=token
    )
    response = make_response(page, status)
    cookies.remember_form(response, secret)
    return response


def leave() -> Any:
    """Sign somebody out of this browser."""
    with site().session() as session:
        desk_sessions.end(session, visit().session.id)
    response = make_response(redirect(url_for("desk.coming.come_in"), 303))
    cookies.sign_out(response)
    response.headers["Clear-Site-Data"] = '"storage"'  # what a page kept of forms that were not sent
    return response


def _own_path(path: str) -> str:
    """A path of the desk as it is; what is none of the desk's, its home."""
    is_own = path.startswith(f"{PREFIX}/") and not set(path) & set("\\\r\n\0") and "//" not in path.partition("?")[0]
    return path if is_own and not path.startswith(f"{PREFIX}/sign-") else f"{PREFIX}/"
