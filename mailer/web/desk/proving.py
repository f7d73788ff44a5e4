"""Proving again who one is: password and code anew, before what weighs more."""

from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for

from mailer.organisers import sign_in
from mailer.organisers.sign_in import Refused
from mailer.store.db import utcnow
from mailer.web.desk import coming, cookies, keeping
from mailer.web.desk.keeping import AGAIN, Kept, View
from mailer.web.desk.visit import typed, visit
from mailer.web.site import site


def required(page: View) -> Response | None:
    """What a press is answered with that asks for a fresh proof; None where one was given in the last minutes. What was
    typed stands in its form again afterwards, and takes one more press.

    :param page: that has the form.
    """
    if visit().is_proven:
        return None
    path = keeping.page_of(page)
    keeping.keep(visit().session.id, Kept.of_request(path))
    return _to(url_for(keeping.endpoint_of(ask), to=f"{path}?{AGAIN}=1"))


def ask() -> str:
    """The form for it."""
    return _form()


def prove() -> Any:
    """Look at what was given, and show the page that asked for it."""
    outcome = sign_in.prove_again(
        site().session,
        visit().session.id,
        request.form.get("password", "")[: coming.LONGEST],
        request.form.get("code", "").strip()[: coming.LONGEST],
        at=utcnow(),
    )
    if isinstance(outcome, Refused):
        return make_response(_form(coming.refusal(outcome.wait)), 403)
    response = _to(coming.own_path(request.form.get("to", "")))
    cookies.renew(response, outcome.secret)
    return response


def _form(problem: str = "") -> str:
    to = coming.own_path(typed("to", request.args.get("to", "")))
    return render_template("desk/proving/ask.html", to=to, problem=problem, has_code=visit().has_code)


def _to(address: str) -> Response:
    return make_response(redirect(address, 303))
