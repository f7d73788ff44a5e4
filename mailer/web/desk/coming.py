"""Coming in and going: to sign in and out."""

import json
from datetime import timedelta
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for

from mailer.organisers import desk_sessions, sign_in
from mailer.organisers.sign_in import Given, Refused, SignedIn
from mailer.store.db import utcnow
from mailer.web import limits
from mailer.web.desk import browsers, cookies
from mailer.web.desk.keeping import AGAIN, Kept, keep
from mailer.web.desk.visit import PREFIX, visit, visitor
from mailer.web.language import _
from mailer.web.site import site

#: characters that are looked at
LONGEST = 1000  # of what is typed: an address has 254 characters, and a password at most so many


def come_in() -> Any:
    """The form to sign in with; whoever is signed in is sent on."""
    if visitor() is not None:
        return redirect(own_path(request.args.get("to", "")), 303)
    return ask_to_sign_in(own_path(request.args.get("to", "")))


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


def enter() -> Any:
    """Sign somebody in, and show the page that they wanted, with what they had typed."""
    to, kept = own_path(request.form.get("to", "")), _kept()
    address = request.form.get("address", "").strip()[:LONGEST]
    if not cookies.is_own_form():
        return ask_to_sign_in(to, kept, problem=stale(), address=address, status=400)
    outcome = sign_in.sign_in(site().session, _given(address), at=utcnow())
    if isinstance(outcome, Refused):
        return ask_to_sign_in(to, kept, problem=refusal(outcome.wait), address=address, status=403)
    return _let_in(outcome, to, kept)


def _given(address: str) -> Given:
    return Given(
        address=address,
        password=request.form.get("password", "")[:LONGEST],
        code=request.form.get("code", "").strip()[:LONGEST],
        network=limits.network(),
        browser=cookies.browser_secret(),
        network_label=limits.network(),
        browser_label=browsers.name(request.user_agent.string),
    )


def secret(field: str) -> str:
    """What somebody typed into a field that no page shows again; of one that is too long, enough to tell."""
    return request.form.get(field, "")[: LONGEST + 1]


def stale() -> str:
    """What somebody is told whose form was not made for this browser."""
    return _("This page was open for too long, or your browser keeps no cookies. Please try once more.")


def refusal(wait: timedelta | None) -> str:
    """What somebody is told who did not prove who they are.

    :param wait: until it is looked at again.
    """
    if wait is None:
        return _("That did not work. Check the address, the password and the code, and try again.")
    minutes = max(1, round(wait.total_seconds() / 60))
    return _("Too many attempts have failed. Try again in {minutes} min.", minutes=minutes)


def _let_in(signed_in: SignedIn, to: str, kept: Kept | None) -> Response:
    # Whoever could put a cookie into this browser before must not share the session that begins now.
    end_earlier()
    if kept is not None:
        keep(signed_in.session_id, kept)
        to = f"{kept.page}?{AGAIN}=1"
    response = make_response(redirect(to, 303))
    cookies.sign_in(response, session=signed_in.secret, browser=signed_in.browser)
    return response


def end_earlier() -> None:
    """End the session that this browser has, if it has one, because another begins."""
    if (earlier := visitor()) is not None:
        with site().session() as session:
            desk_sessions.end(session, earlier.session.id)


def leave() -> Any:
    """Sign somebody out of this browser."""
    with site().session() as session:
        desk_sessions.end(session, visit().session.id)
    response = make_response(redirect(url_for("desk.coming.come_in"), 303))
    cookies.sign_out(response)
    response.headers["Clear-Site-Data"] = '"storage"'  # what a page kept of forms that were not sent
    return response


def _kept() -> Kept | None:
    """What had been typed into a form before its sender had to sign in."""
    try:
        kept = Kept.from_stored(json.loads(request.form.get("kept", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return kept if own_path(kept.page) == kept.page else None


def own_path(path: str) -> str:
    """A path of the desk as it is; what is none of the desk's, its home."""
    is_own = path.startswith(f"{PREFIX}/") and not set(path) & set("\\\r\n\0") and "//" not in path.partition("?")[0]
    return path if is_own and not path.startswith(f"{PREFIX}/sign-") else f"{PREFIX}/"
