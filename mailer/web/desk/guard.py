"""The guard: lets in who may come in, and to nothing else; and sees to it that nothing that somebody typed is lost."""

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from flask import Blueprint, Response, abort, current_app, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from mailer import errors as failures
from mailer.organisers import desk_sessions
from mailer.organisers.roles import Permission
from mailer.store.db import utcnow
from mailer.web import errors, security, uploading
from mailer.web.desk import (
    access,
    coming,
    cookies,
    glances,
    keeping,
    menu,
    path,
    proving,
    room,
    stopping,
    terms,
    times,
)
from mailer.web.desk.keeping import Kept
from mailer.web.desk.room import Room
from mailer.web.desk.visit import typed, visit, visitor
from mailer.web.site import site

logger = logging.getLogger(__name__)

_COME_BACK_SECONDS = 10
_NOTED_EVERY = timedelta(minutes=1)


class Guarded(Protocol):
    """What the guard asks of a route."""

    @property
    def may(self) -> Permission | str:
        """Who may have it."""

    @property
    def page(self) -> Callable[..., Any] | None:
        """Of a press, the page that has its form."""

    @property
    def is_weighty(self) -> bool:
        """Of a press: whether it needs a fresh proof of who makes it."""

    @property
    def asks_itself(self) -> bool:
        """Whether a script asks for it."""

    @property
    def is_glance(self) -> bool:
        """Whether a script asks so often that whose it is may be two seconds late."""

    @property
    def is_urgent(self) -> bool:
        """Whether nothing may stand in its way."""

    @property
    def takes_file(self) -> bool:
        """Of a press, whether a file comes with it."""

    @property
    def gives_back(self) -> Callable[[], Any] | None:
        """What gives their words back to somebody who may not have it any more; None from it where there are none."""

    @property
    def room(self) -> Room | None:
        """What it takes a place in, because it takes long."""


def init(desk: Blueprint, routes: Mapping[str, Guarded]) -> None:
    """Stand before every page of the desk.

    :param routes: endpoint → route; what has none is not let through.
    """

    often = [endpoint for endpoint, route in routes.items() if route.is_glance]
    desk.record_once(lambda state: glances.keep(state.app, often))

    @desk.before_request
    def stand() -> Any:
        security.allow_desk()
        route = routes[request.endpoint or ""]
        refused = _refuse(route)
        if refused is None and route.room is not None and not route.takes_file:
            room.enter(route.room)
        return refused

    room.init(desk)

    @desk.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        _forget_kept(response, routes[request.endpoint or ""].page)
        return response

    @desk.context_processor
    def around() -> dict[str, Any]:
        who = visitor()
        ways = {"desk_nav": menu.nav, "desk_menu": menu.menu}
        stop = {"stops": stopping.is_offered(), "desk_under_way": stopping.number_under_way}
        return {
            "visit": who,
            "form_token": who.form_token if who else "",
            "typed": typed,
            "terms": terms,
            "path_of": path.steps,
            **ways,
            **stop,
        }

    desk.add_app_template_filter(times.written, "desk_time")
    desk.add_app_template_filter(times.day, "desk_date")
    desk.register_error_handler(HTTPException, explain)
    desk.register_error_handler(failures.ServiceUnavailable, explain_unavailable)
    desk.register_error_handler(Exception, explain_fault)


def _refuse(route: Guarded) -> Any:
    """What is shown instead of a page, if something is."""
    if route.may == access.ANYBODY:
        return None
    if visitor() is None:
        if route.takes_file and route.page is not None:  # of which nothing is read
            uploading.ignore()
        return _to_sign_in(route)
    if not access.may(visit(), route.may):
        return _turn_away(route)
    if route.takes_file:
        if uploading.is_too_large():
            return redirect(f"{keeping.page_of(route.page)}?problem=size" if route.page else request.path, 303)
        room.enter(route.room or Room.UPLOADING)
        uploading.admit()
    if route.page is not None and not _is_own_form():
        return _show_again(route.page)
    if not route.asks_itself and not route.is_urgent:
        _stay_signed_in()
    return proving.required(route.page) if route.page is not None and route.is_weighty else None


def _turn_away(route: Guarded) -> Any:
    """Not say that a page is there; but let nobody lose what they typed while they still might."""
    if route.gives_back is None or (route.page is not None and not _is_own_form()):
        abort(404)
    return route.gives_back() or abort(404)


def _stay_signed_in() -> None:
    """Write down that somebody is there: the one thing that a look changes. Not at each, since nobody else can write to
    SQLite meanwhile."""
    now = utcnow()
    if now - visit().session.used_at >= _NOTED_EVERY:
        with site().session() as session:
            desk_sessions.touch(session, visit().session.id, at=now)


def _is_own_form() -> bool:
    secret = cookies.session_secret()
    return secret is not None and desk_sessions.is_form_token(secret, request.form.get("form_token", ""))


def _to_sign_in(route: Guarded) -> Any:
    if route.asks_itself:  # a part of a page: what is typed into the rest must stay
        return make_response(render_template("desk/signed_out.html"), 403)
    if route.page is not None:
        page = keeping.page_of(route.page)
        return coming.ask_to_sign_in(page, Kept.of_request(page), status=403)
    return redirect(url_for(keeping.endpoint_of(coming.come_in), to=request.full_path.rstrip("?")), 303)


def _forget_kept(response: Response, page: Callable[..., Any] | None) -> None:
    """Once a form was taken, have it be filled in no more."""
    who = visitor()
    if who is None or who.kept is None or page is None or response.status_code != 303:
        return
    if who.kept.page == keeping.page_of(page) and not (response.location or "").endswith(f"?{keeping.AGAIN}=1"):
        keeping.keep(who.session.id, None)


def _show_again(page: Callable[..., Any]) -> Any:
    """Show a form again that came from a page of an earlier session, or from another site."""
    path = keeping.page_of(page)
    keeping.keep(visit().session.id, Kept.of_request(path))
    return redirect(f"{path}?{keeping.AGAIN}=1", 303)


# --- what went wrong --------------------------------------------------------------------------------------------------


def explain(error: HTTPException) -> Response:
    """Answer with a page that says what to do."""
    status = error.code or 500
    if status == 503:
        return _come_back(room.COME_BACK_SECONDS)
    if status >= 500:
        return _failed(status)
    if visitor() is None:
        return errors.explain(error)
    return make_response(render_template("desk/error.html", advice=errors.advice(status)), status)


def explain_unavailable(error: failures.ServiceUnavailable) -> Response:
    """Answer that a service is missing; which one goes into the log only."""
    logger.error("a page could not be shown: %s", error)
    return _come_back(_COME_BACK_SECONDS)


def explain_fault(_error: Exception) -> Response:
    """Answer that it is our fault, with all that was typed and a button to try again."""
    current_app.log_exception(sys.exc_info())
    return _failed(500)


def _come_back(seconds: int) -> Response:
    response = _failed(503)
    response.headers["Retry-After"] = str(seconds)
    return response


def _failed(status: int) -> Response:
    is_form = request.method == "POST" and not any(map(keeping.is_secret, request.form))
    again = list(request.form.items(multi=True)) if is_form else None
    return make_response(render_template("desk/failed.html", again=again, address=request.path), status)
