"""Leaving a list or all of them, and coming back from it.

The address of these pages is known to whoever reads a mail, also when it was forwarded: nothing on them names anybody.
They are in the language that the reader's browser asks for: the one that the person chose would tell of them, too.
"""

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session

from mailer import links
from mailer.links import Link
from mailer.selfservice import leaving as domain
from mailer.selfservice.leaving import LeftList, ListShown, Method, NotOnList, Scope
from mailer.store.crypto import keyring_of
from mailer.store.models import Subscription
from mailer.web.site import site

Found = TypeVar("Found", LeftList, ListShown)

leaving = Blueprint("leaving", __name__)


@leaving.get("/unsubscribe/<token>")
def unsubscribe(token: str) -> str:
    """Ask what to leave. Programs that follow every link in a mail end here, so nothing is changed."""
    place = _with_subscription(token, domain.look, read_only=True)
    if place is None:
        return render_template("leaving/not_on_list.html")
    return render_template("leaving/unsubscribe.html", token=token, list_name=place.list_name)


@leaving.post("/unsubscribe/<token>")
def leave(token: str) -> str:
    """Leave by the mail program's own button (RFC 8058), which sends no scope, or by the page's."""
    method = Method.PAGE if "scope" in request.form else Method.ONE_CLICK
    # Whatever else it says, somebody wants to leave.
    scope = Scope.ALL if request.form.get("scope") == Scope.ALL else Scope.LIST
    reason = request.form.get("reason")

    def take_off(session: Session, subscription: Subscription) -> LeftList:
        return domain.leave(session, subscription, method=method, scope=scope, reason=reason)

    left = _with_subscription(token, take_off)
    if left is None:
        return render_template("leaving/not_on_list.html")
    return render_template("leaving/leave.html", left=left, is_all=left.scope is Scope.ALL)


def _with_subscription(
    token: str, act: Callable[[Session, Subscription], Found], *, read_only: bool = False
) -> Found | None:
    """Do something with the subscription that a link is for; None where it is gone."""
    try:
        with site().session(read_only=read_only) as session:
            subscription_id = links.verify(keyring_of(session), Link.UNSUBSCRIBE, token)
            return act(session, domain.find(session, subscription_id))
    except NotOnList:
        return None


@leaving.get("/undo/<token>")
def undo(token: str) -> str:
    """Ask whether to come back."""
    with site().session(read_only=True) as session:
        back = domain.look_back(session, token)
    return render_template("leaving/undo.html", token=token, back=back)


@leaving.post("/undo/<token>")
def come_back(token: str) -> str:
    """Bring back what one leaving took."""
    with site().session() as session:
        back = domain.undo(session, token)
    return render_template("leaving/come_back.html", back=back)
