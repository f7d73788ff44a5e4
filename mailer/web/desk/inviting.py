"""Inviting: what somebody does by a link to their account: join, or choose another password or second factor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import segno
from flask import Response, make_response, redirect, render_template, request
from markupsafe import Markup

from mailer.errors import MailerError
from mailer.locale import languages, zone_choices
from mailer.organisers import accounts, invitations, sign_in, totp
from mailer.organisers.invitations import OldInvitation, UnknownInvitation, UsedInvitation
from mailer.store.db import utcnow
from mailer.store.models import Invitation, InvitationKind
from mailer.web import agreement, language, limits
from mailer.web.desk import browsers, coming, cookies, duties, refusing, times
from mailer.web.desk.visit import PREFIX, zone_of
from mailer.web.language import _, url
from mailer.web.site import site

_GROUP = 4  # characters of a secret that are read at once


def see(token: str) -> Any:
    """What there is to do by a link."""
    try:
        invitation = _look(token)
    except MailerError as over:
        return _over(over)
    return _form(token, invitation)


def accept(token: str) -> Any:
    """Do it."""
    try:
        invitation = _look(token)
        if not cookies.is_own_form():
            return _form(token, invitation, {"form": coming.stale()}, status=400)
        return _ACCEPT[invitation.kind](token, invitation)
    except (UnknownInvitation, UsedInvitation, OldInvitation) as over:
        return _over(over)
    except MailerError as mistake:
        return _form(token, invitation, refusing.at_field(mistake), status=422)


def _look(token: str) -> Invitation:
    with site().session(read_only=True) as session:
        invitation = invitations.look(session, token, at=utcnow())
        accounts.roles_of(invitation.account)  # while they can be loaded
        return invitation


# --- what the kinds do ------------------------------------------------------------------------------------------------


def _join(token: str, invitation: Invitation) -> Response:
    chosen = request.form.get("language", "")
    codes = invitations.join(
        site().session,
        token,
        name=request.form.get("name", ""),
        zone=request.form.get("zone", ""),
        language=chosen,
        password=coming.secret("new_password"),
        again=coming.secret("new_password_again"),
        code=coming.secret("code"),
        at=utcnow(),
    )
    language.prefer(chosen)
    return _let_in(invitation, codes)


def _choose_password(token: str, _invitation: Invitation) -> Response:
    new, again = coming.secret("new_password"), coming.secret("new_password_again")
    invitations.set_password(site().session, token, password=new, again=again, at=utcnow())
    return make_response(redirect(url("desk.coming.come_in", changed=1), 303))


def _set_up(token: str, invitation: Invitation) -> Response:
    codes = invitations.set_second_factor(
        site().session, token, password=coming.secret("password"), code=coming.secret("code"), at=utcnow()
    )
    return _let_in(invitation, codes)


_ACCEPT: Mapping[InvitationKind, Callable[[str, Invitation], Response]] = {
    InvitationKind.JOIN: _join,
    InvitationKind.PASSWORD: _choose_password,
    InvitationKind.SECOND_FACTOR: _set_up,
}


def _let_in(invitation: Invitation, codes: Sequence[str]) -> Response:
    """Sign somebody in who has just given all that they would be asked for, and show them their recovery codes."""
    coming.end_earlier()
    with site().session() as session:
        signed_in = sign_in.begin(
            session,
            invitation.account_id,
            browser=cookies.browser_secret(),
            browser_label=browsers.name(request.user_agent.string),
            network_label=limits.network(),
            at=utcnow(),
            is_first=invitation.kind is InvitationKind.JOIN,
        )
    response = make_response(
        render_template("desk/codes.html", codes=codes, address=invitation.account.email, next=f"{PREFIX}/")
        if codes
        else redirect(f"{PREFIX}/", 303)
    )
    cookies.sign_in(response, session=signed_in.secret, browser=signed_in.browser)
    return response


# --- the page ---------------------------------------------------------------------------------------------------------


def _form(
    token: str, invitation: Invitation, problems: Mapping[str, str] | None = None, *, status: int = 200
) -> Response:
    secret, form_token = cookies.new_form()
    account = invitation.account
    page = render_template(
        "desk/inviting/see.html",
        token=token,
        kind=invitation.kind.name.lower(),
        address=account.email,
        name=account.name or "",
        zone=account.zone,
        until=times.written(invitation.expires_at, zone_of(account)),
        duties=[each for each in duties.every() if each.role in accounts.roles_of(account)],
        needs_code=invitations.needs_code(invitation),
        app=_app(invitation),
        zones=zone_choices.by_region(language.current()),
        languages=language_choices(),
        problems=problems or {},
        invitation_token=form_token,
    )
    response = make_response(page, status)
    cookies.remember_form(response, secret)
    return response


def _app(invitation: Invitation) -> Mapping[str, Any] | None:
    """What an authenticator app is set up with: as a picture, as a link, and to type."""
    if invitation.totp_secret is None:
        return None
    name = agreement.organisation()
    uri = totp.uri(invitation.totp_secret, account=invitation.account.email, organisation=name)
    groups = [invitation.totp_secret[at : at + _GROUP] for at in range(0, len(invitation.totp_secret), _GROUP)]
    drawn = segno.make(uri, error="m").svg_inline(omitsize=True, border=4, dark="#000", light="#fff", svgclass="qr")
    return {"uri": uri, "picture": Markup(drawn), "typed": " ".join(groups)}  # noqa: S704  # nothing of it was typed


def language_choices() -> list[tuple[str, str]]:
    """The languages of the desk, and the browser's own."""
    named = [(tag, languages.name(tag)) for tag in language.offered()]
    return [("", _("The one that the browser asks for")), *named]


def _over(error: MailerError) -> Response:
    page = render_template("desk/inviting/over.html", advice=_advice(error))
    return make_response(page, 404 if isinstance(error, UnknownInvitation) else 410)


def _advice(error: MailerError) -> str:
    if isinstance(error, UsedInvitation):
        return _("It was used already, and works once. If it was you, sign in. Else ring one of your admins at once.")
    if isinstance(error, OldInvitation):
        return _("It works for one day, and until there is a newer one. Ring one of your admins for a new link.")
    return _("Part of it may be missing. Copy the whole link, or ring one of your admins for a new one.")
