"""Leaving a list or all of them, and coming back from it.

The address of these pages is known to whoever reads a mail, also when it was forwarded: nothing on them names anybody,
and they say the same of somebody who was erased or left long ago. They are in the language that the reader's browser
asks for: the one that the person chose would tell of them, too.
"""

from flask import Blueprint, render_template, request

from mailer import links
from mailer.links import Link
from mailer.selfservice import leaving as domain
from mailer.selfservice.leaving import LeftList, Method, NotOnList, Scope
from mailer.web.site import site

leaving = Blueprint("leaving", __name__)


@leaving.get("/unsubscribe/<token>")
def unsubscribe(token: str) -> str:
    """Ask what to leave. Programs that follow every link in a mail end here, so nothing is changed. The database is not
    asked: the page is the same for everybody."""
    _subscription(token)
    return render_template("leaving/unsubscribe.html", token=token)


@leaving.post("/unsubscribe/<token>")
def leave(token: str) -> str:
    """Leave by the mail program's own button (RFC 8058), which sends no scope, or by the page's."""
    method = Method.PAGE if "scope" in request.form else Method.ONE_CLICK
    # Whatever else it says, somebody wants to leave.
    scope = Scope.ALL if request.form.get("scope") == Scope.ALL else Scope.LIST
    left = _leave(_subscription(token), method, scope, request.form.get("reason"))
    return render_template("leaving/leave.html", left=left, is_all=scope is Scope.ALL)


def _subscription(token: str) -> int:
    return links.verify(site().settings.keyring, Link.UNSUBSCRIBE, token)


def _leave(subscription_id: int, method: Method, scope: Scope, reason: str | None) -> LeftList:
    try:
        if method is not Method.ONE_CLICK or not _has_left(subscription_id):
            with site().session() as session:
                subscription = domain.find(session, subscription_id)
                fallbacks = site().settings.language_fallbacks
                return domain.leave(
                    session, subscription, method=method, scope=scope, reason=reason, fallbacks=fallbacks
                )
    except NotOnList:
        pass  # erased, which looks as if they had left before
    return LeftList(already=True, undo=None, has_goodbye=False)


def _has_left(subscription_id: int) -> bool:
    """Whether there is nothing to do: mail programs may try to leave without end, and nobody has to wait for that."""
    with site().session(read_only=True) as session:
        return domain.has_left(session, domain.find(session, subscription_id))


@leaving.get("/undo/<token>")
def undo(token: str) -> str:
    """Ask whether to come back, or say that they are back."""
    with site().session(read_only=True) as session:
        back = domain.look_back(session, token)
    if back.is_done:
        return render_template("leaving/come_back.html", back=back)
    return render_template("leaving/undo.html", token=token, back=back)


@leaving.post("/undo/<token>")
def come_back(token: str) -> str:
    """Bring back what one leaving took."""
    with site().session() as session:
        back = domain.undo(session, token)
    return render_template("leaving/come_back.html", back=back)
