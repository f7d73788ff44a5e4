"""Saying that one wrote, and taking back what one did.

The address of the first page is known to whoever reads a mail, also when it was forwarded: nothing on it names anybody
or tells what was said before, and it answers all alike. What takes something back is mailed to the owner.
"""

from flask import Blueprint, Response, redirect, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from mailer.campaigns.publishing import Withdrawn
from mailer.links import Pages
from mailer.selfservice import acting as domain
from mailer.selfservice.acting import Asked, NothingToSay
from mailer.web import agreement, errors, security
from mailer.web.language import current, url
from mailer.web.site import site

acting = Blueprint("acting", __name__)


@acting.errorhandler(Withdrawn)
def _explain_withdrawn(_error: Withdrawn) -> Response:
    return errors.explain_withdrawn()


@acting.errorhandler(NothingToSay)
def _explain_nothing(_error: NothingToSay) -> Response:
    return errors.explain(NotFound())


@acting.get("/act/<token>")
def ask(token: str) -> str:
    """Ask whether the reader of a mail has written. Programs that follow every link in a mail end here, so nothing is
    counted."""
    with site().session(read_only=True) as session:
        asked = domain.look(session, token, language=current())
    return _shown("acting/ask.html", token, asked)


@acting.post("/act/<token>")
def say(token: str) -> str:
    """Count that the reader of a mail has written, once; each press is answered alike."""
    with site().session(read_only=True) as session:
        asked = domain.look(session, token, language=current())
    if asked.over is None:
        with site().session() as session:
            domain.say(session, asked, language=current(), words=agreement.to_keep_that_i_acted())
    return _shown("acting/ask.html" if asked.over else "acting/say.html", token, asked)


def _shown(template: str, token: str, asked: Asked) -> str:
    pages = Pages(site().settings.base_url, asked.headline.language)
    security.allow_our_script()  # its button copies
    return render_template(
        template,
        token=token,
        asked=asked,
        campaign=asked.headline,
        words=agreement.to_keep_that_i_acted(),
        share=pages.campaign(asked.headline.slug) if asked.is_public else None,
    )


# --- taking it back -------------------------------------------------------------------------------------------------


@acting.post("/act/<token>/link")
def mail_link(token: str) -> ResponseReturnValue:
    """Mail a link that takes back what was done to the address that the mail with this one went to."""
    with site().session() as session:
        domain.mail_take_back(session, token, language=current())
    return redirect(url("acting.link_sent"), 303)


@acting.get("/take-back")
def link_sent() -> str:
    """Say that such a link is on its way, whether or not there is anybody to send it to."""
    return render_template("acting/link_sent.html")


@acting.get("/take-back/<token>")
def take_back(token: str) -> str:
    """Show the owner of an address what they are counted for, and ask whether to take it back."""
    with site().session(read_only=True) as session:
        shown = domain.look_at_take_back(session, token, language=current())
    return render_template("acting/take_back.html", token=token, shown=shown, campaign=shown.headline)


@acting.post("/take-back/<token>")
def taken_back(token: str) -> str:
    """Count them no more."""
    with site().session() as session:
        shown = domain.take_back(session, token, language=current())
    return render_template("acting/taken_back.html", campaign=shown.headline)
