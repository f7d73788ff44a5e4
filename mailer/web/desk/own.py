"""Own account: what somebody changes about it themselves, and where they are signed in."""

from collections.abc import Mapping
from typing import Any

from flask import abort, make_response, redirect, render_template, request

from mailer.errors import MailerError
from mailer.locale import zone_choices
from mailer.organisers import accounts, desk_sessions, invitations, own_account, recovery_codes
from mailer.store.db import utcnow
from mailer.store.models import InvitationKind
from mailer.web import language
from mailer.web.desk import coming, inviting, refusing
from mailer.web.desk.visit import record, visit
from mailer.web.language import url
from mailer.web.site import site


def see() -> Any:
    """One's own account."""
    return _page()


def _page(problems: Mapping[str, str] | None = None) -> str:
    with site().session(read_only=True) as session:
        account = accounts.get(session, visit().account_id)
        begun = desk_sessions.of_account(session, account.id, at=utcnow())
        codes_left = recovery_codes.left(session, account.id)
    return render_template(
        "desk/own/see.html",
        account=account,
        sessions=begun,
        codes_left=codes_left,
        zones=zone_choices.by_region(language.current()),
        languages=inviting.language_choices(),
        problems=problems or {},
    )


def change() -> Any:
    """Change what one is called, and how times and pages are shown."""
    chosen = request.form.get("language", "")
    if chosen not in ("", *language.offered()):
        abort(400)
    try:
        with site().session() as session:
            account = accounts.get(session, visit().account_id)
            own_account.change(
                session,
                account,
                name=request.form.get("name", ""),
                zone=request.form.get("zone", ""),
                language=chosen or None,
            )
            record(session, "accounts.change", account.id, kind="account")
    except MailerError as mistake:
        return make_response(_page(refusing.at_field(mistake)), 422)
    return redirect(url("desk.own.see", done="change"), 303)


# --- password and second factor ---------------------------------------------------------------------------------------


def choose_password() -> str:
    """The form for another password."""
    return render_template("desk/own/choose_password.html")


def change_password() -> Any:
    """Choose another password."""
    try:
        own_account.change_password(
            site().session,
            visit().session.id,
            old=coming.secret("password"),
            new=coming.secret("new_password"),
            again=coming.secret("new_password_again"),
            at=utcnow(),
        )
    except MailerError as mistake:
        problems = refusing.at_field(mistake)
        return make_response(render_template("desk/own/choose_password.html", problems=problems), 422)
    return redirect(url("desk.own.see", done="password"), 303)


def set_up() -> Any:
    """Make a link by which to set up another second factor, and follow it."""
    with site().session() as session:
        account = accounts.get(session, visit().account_id)
        token = invitations.invite(session, account, InvitationKind.SECOND_FACTOR, by=account.id, at=utcnow())
        details = {"kind": InvitationKind.SECOND_FACTOR.value}
        record(session, "accounts.invite", account.id, kind="account", details=details)
    return redirect(url("desk.inviting.see", token=token), 303)


def make_codes() -> Any:
    """Make new recovery codes, and show them this once."""
    if not visit().has_code:
        abort(404)
    with site().session() as session:
        codes = recovery_codes.make(session, visit().account_id)
        record(session, "accounts.recovery_codes", visit().account_id, kind="account")
    return render_template("desk/codes.html", codes=codes, address=visit().address, next=url("desk.own.see"))


# --- sessions ---------------------------------------------------------------------------------------------------------


def end_session(session_id: int) -> Any:
    """Sign oneself out in another browser."""
    with site().session() as session:
        theirs = {each.id for each in desk_sessions.of_account(session, visit().account_id)}
        if session_id not in theirs:
            abort(404)
        desk_sessions.end(session, session_id)
        record(session, "accounts.end_sessions", visit().account_id, kind="account")
    return redirect(url("desk.own.see", done="ended"), 303)


def end_others() -> Any:
    """Likewise in all others."""
    with site().session() as session:
        desk_sessions.end_all(session, visit().account_id, but=visit().session.id)
        record(session, "accounts.end_sessions", visit().account_id, kind="account")
    return redirect(url("desk.own.see", done="ended"), 303)
