"""Pages for what went wrong: each says, in the reader's language, what to do now."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, g, make_response, render_template, request
from werkzeug.exceptions import Gone, HTTPException, NotFound, ServiceUnavailable, TooManyRequests

from mailer import errors
from mailer.errors import MailerError
from mailer.web.language import _, forget_address, url

logger = logging.getLogger(__name__)

_COME_BACK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Advice:
    """What a page says."""

    headline: str
    advice: str = ""
    address: str | None = None  # of a page that helps
    link: str = ""  # the words to follow it by


def explain(error: HTTPException) -> Response:
    """Answer with a page that says what the visitor can do."""
    return _page(advice(error.code or 500), error)


def explain_unavailable(error: errors.ServiceUnavailable) -> Response:
    """Answer that the visitor should come back; what is missing goes into the log only."""
    logger.error("a page could not be shown: %s", error)
    return explain(ServiceUnavailable(retry_after=_COME_BACK_SECONDS))


def explain_unknown_link(_error: MailerError) -> Response:
    """Answer to a link that we never made, or made for something else.

    Such as `mailed_links.UnknownLink` and `links.ForgedToken`.
    """
    return _page(_cut_link(), NotFound())


def explain_dead_link(_error: MailerError) -> Response:
    """Answer to a link that has run out, and say how to get a fresh one: `mailed_links.DeadLink`."""
    return explain(Gone())


def explain_replaced_link(_error: MailerError) -> Response:
    """Answer to a link to a union's kit or results that was replaced: `generations.ReplacedLink`."""
    advice = Advice(
        _("This link has been replaced"),
        _("The union's contacts were mailed a new one. If you are one of them, use the link in that e-mail."),
    )
    return _page(advice, Gone())


def explain_withdrawn() -> Response:
    """Answer that something was taken down, with no word of what it was."""
    forget_address()
    return _page(Advice(_("This has been taken down, and you do not need to do anything.")), Gone())


def explain_full(wait: timedelta) -> Response:
    """Answer that more people sign up than all together may.

    :param wait: until there may be a turn for somebody.
    """
    advice = Advice(
        _("Please try again tomorrow"),
        _(
            "So many people are signing up that our e-mail to you could not go out within a day. "
            "Nothing that you typed was kept."
        ),
    )
    return _page(advice, TooManyRequests(retry_after=math.ceil(wait.total_seconds())))


def advice(status: int) -> Advice:
    """What the visitor can do about an answer of this status."""
    return _ADVICE.get(status, _our_fault if status >= 500 else _misunderstood)()


def _page(said: Advice, error: HTTPException) -> Response:
    g.is_error = True  # no page to be found by
    response = make_response(render_template("error.html", advice=said), error.code or 500)
    for name, value in error.get_headers():
        if name != "Content-Type":  # Allow and Retry-After belong to the status (RFC 9110, 15.5.6 and 10.2.3)
            response.headers[name] = value
    return response


# --- what the pages say ---------------------------------------------------------------------------------------------


def _misunderstood() -> Advice:
    return Advice(
        _("We did not understand that"),
        _("Something is wrong with the address or the form. Go back and try again."),
    )


def _forbidden() -> Advice:
    return Advice(
        _("This form came from another site"),
        _("To keep you safe, we only accept forms from our own pages. Open the page here and fill in the form again."),
        url("joining.sign_up"),
        _("Go to the home page"),
    )


def _nothing_here() -> Advice:
    return Advice(
        _("We cannot find this page"),
        _("Check the address. If it came from an e-mail, copy the whole link from that e-mail."),
        url("joining.sign_up"),
        _("Go to the home page"),
    )


def _wrong_way() -> Advice:
    return Advice(_("That does not work here"), _("Go back and use the button on the page."))


def _cut_link() -> Advice:
    if _is_for_unions():
        return Advice(
            _("This link does not work"),
            _("Part of it may be missing. Copy the whole link from the e-mail."),
            url("affiliating.affiliate"),
            _("For unions"),
        )
    return Advice(
        _("This link does not work"),
        _("Part of it may be missing. Copy the whole link from the e-mail, or ask us for a new one."),
        url("preferences.ask_link"),
        _("Get a new link"),
    )


def _dead_link() -> Advice:
    if (request.endpoint or "").endswith(("forwarding.correct", "forwarding.change")):
        return Advice(
            _("This link has expired"),
            _("For your safety, our links only work for a limited time. You can ask for a new one on the kit's page."),
        )
    if _is_for_unions():
        return Advice(
            _("This link has expired"),
            _(
                "For your safety, our links only work for a limited time. If you filled in our form for unions, "
                "ask again. If we invited you, write to us and we will send you a new one."
            ),
            url("affiliating.affiliate"),
            _("Ask again"),
        )
    if _is_on(_UNDOING):
        return Advice(
            _("This link has expired"),
            _("If you left during the last 30 days, use the link in our last e-mail to you. Or sign up again."),
            url("joining.sign_up"),
            _("Sign up"),
        )
    if _is_on(_STOPPING):
        return Advice(
            _("This link has expired"),
            _("It worked for one week. If our e-mails moved and you did not want that, write to us."),
            url("reading.privacy"),
            _("Privacy"),
        )
    return Advice(
        _("This link has expired"),
        _("For your safety, our links only work for a limited time. We will gladly send you a new one."),
        *_where_links_come_from(),
    )


def _where_links_come_from() -> tuple[str, str]:
    # Who never confirmed is mailed a link when they sign up anew, and no other.
    if _is_on(_CONFIRMING):
        return url("joining.sign_up"), _("Sign up")
    return url("preferences.ask_link"), _("Get a new link")


_CONFIRMING = ("joining.confirm", "joining.welcome")
_UNDOING = ("leaving.undo", "leaving.come_back")
_STOPPING = ("preferences.moved", "preferences.stop")


def _is_on(views: tuple[str, ...]) -> bool:
    """Whether the page is one of these."""
    return (request.endpoint or "").endswith(views)


def _is_for_unions() -> bool:
    """Whether the page is one of those that unions get links to."""
    return (request.blueprint or "").endswith(("affiliating", "forwarding"))


def _too_much() -> Advice:
    return Advice(
        _("That is too much at once"),
        _("What you sent is too long for our forms. Go back and make it shorter."),
    )


def _too_often() -> Advice:
    return Advice(
        _("Please wait a little while"),
        _("Your network has sent us too many requests. Nothing is lost. Wait a few minutes and try again."),
    )


def _back_soon() -> Advice:
    return Advice(
        _("We will be back soon"),
        _("Part of this site is not working at the moment. Please try again in a few minutes."),
    )


def _our_fault() -> Advice:
    return Advice(
        _("Something went wrong"),
        _("This is our fault, not yours, and we have recorded it. Please try again later."),
    )


_ADVICE: Mapping[int, Callable[[], Advice]] = {
    403: _forbidden,
    404: _nothing_here,
    405: _wrong_way,
    410: _dead_link,
    413: _too_much,
    429: _too_often,
    503: _back_soon,
}
