"""What a person may see and change of what is held about them.

Two kinds of links lead here. The one in every campaign mail may have been forwarded: its pages show nothing about
anybody, and are the same for all. The one that is mailed on request shows everything, for a day. Others are mailed for
one step each: to end a pause, to move to another address, and, to the old one, to stop that.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from mailer import links
from mailer.errors import MailerError
from mailer.locale import countries, languages
from mailer.people import lists
from mailer.people.subscribers import MAX_TEXT_LENGTH
from mailer.selfservice import address_change, disclosure, leaving
from mailer.selfservice import preferences as domain
from mailer.selfservice.preferences import PersonalData
from mailer.store.db import utcnow
from mailer.store.models import ActKind, Subscription, SuppressionReason
from mailer.unions import contacts
from mailer.web import agreement, fields, protection
from mailer.web.fields import Mistyped
from mailer.web.language import LANGUAGES, _, current, prefer, url
from mailer.web.site import site

_PAUSES = (1, 2, 4, 8)  # weeks
_FORMATS: Mapping[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "json": ("application/json", disclosure.to_json),
    "csv": ("text/csv", disclosure.to_csv),
}

preferences = Blueprint("preferences", __name__)


# --- with the link of a campaign mail -------------------------------------------------------------------------------


def _subscription(token: str) -> int:
    return links.verify(site().settings.keyring, links.Link.UNSUBSCRIBE, token)


@preferences.get("/preferences/<token>")
def see(token: str) -> str:
    """Offer what whoever reads a mail may do. The database is not asked: the page is the same for everybody."""
    _subscription(token)
    return render_template("preferences/see.html", token=token, pauses=_PAUSES)


@preferences.post("/preferences/<token>/pause")
def pause(token: str) -> str:
    """Pause the list that a mail came from. Nobody learns whether its reader is still on it."""
    subscription_id, weeks = _subscription(token), _weeks()
    with site().session() as session:
        leaving.pause_for_reader(session, subscription_id, weeks, fallbacks=site().settings.language_fallbacks)
    return render_template("preferences/pause.html", token=token, until=utcnow() + timedelta(weeks=weeks))


def _weeks() -> int:
    weeks = request.form.get("weeks", type=int)
    if weeks not in _PAUSES:
        abort(400)
    return weeks


# --- getting a link that shows everything ---------------------------------------------------------------------------


@preferences.post("/preferences/<token>/link")
def mail_link(token: str) -> ResponseReturnValue:
    """Mail a link to the address that the mail with this one went to. No stamp: one button, which one may press at
    once, and the link itself is what no program makes up."""
    subscription_id = _subscription(token)
    with site().session() as session:
        domain.mail_link_to_owner(session, subscription_id, language=current())
    return redirect(url("preferences.link_sent"), 303)


@preferences.get("/preferences")
def ask_link() -> str:
    """Ask for the address to mail a link to."""
    return _ask_for_address()


@preferences.post("/preferences")
def mail_link_to_address() -> ResponseReturnValue:
    """Mail a link to an address, if it is known. Nobody learns whether it is."""
    typed = request.form.get("email", "").strip()
    try:
        fields.address(typed)
    except Mistyped as mistake:
        return _ask_for_address(typed, {"email": mistake.advice}), 422
    if protection.is_out_of_time(request.form):
        return _ask_for_address(typed, fields.once_more()), 422
    if protection.looks_human(request.form):
        with site().session() as session:
            domain.mail_link(session, typed, language=current())
    return redirect(url("preferences.link_sent"), 303)


def _ask_for_address(typed: str = "", problems: Mapping[str, str] | None = None) -> str:
    return render_template(
        "preferences/ask_link.html", typed=typed, problems=problems or {}, max_address=fields.MAX_ADDRESS_LENGTH
    )


@preferences.get("/preferences/sent")
def link_sent() -> str:
    """Say what to do next, the same to everybody."""
    return render_template("preferences/link_sent.html")


# --- seeing and changing everything ---------------------------------------------------------------------------------


@preferences.get("/manage/<token>")
def manage(token: str) -> str:
    """Show everything, with a form for each part of it."""
    return _show(token)


def _show(token: str, problems: Mapping[str, str] | None = None) -> str:
    """The page; with what was typed and what is wrong with it, where there are problems: field → what to do."""
    with site().session(read_only=True) as session:
        held = domain.see(session, domain.whose(session, token))
        union_names = fields.union_names(session, held.country)
    prefer(held.language)
    return render_template(
        "preferences/manage.html",
        token=token,
        held=held,
        fields=_filled_in(held, is_again=bool(problems)),
        problems=problems or {},
        saved=_saved(),
        trouble=_trouble(held),
        pauses=_PAUSES,
        countries=countries.all_in(current()),
        languages=_languages(held),
        union_names=union_names,
        union_text=agreement.to_store_the_union(),
        list_text=agreement.to_this_list(),
        max_text=MAX_TEXT_LENGTH,
        max_address=fields.MAX_ADDRESS_LENGTH,
    )


def _filled_in(held: PersonalData, *, is_again: bool) -> dict[str, str]:
    """What the forms are filled in with."""
    filled = {
        "name": held.name or "",
        "country": held.country or "",
        "language": held.language or "",
        "union": held.union or "",
        "store_union": "yes" if held.union else "",
        "email": "",
        "is_old_read_by_others": "",
    }
    if is_again:
        filled |= {field: text for field, text in request.form.items() if field in filled}
        if "union" in request.form:
            filled["store_union"] = request.form.get("store_union", "")
    return filled


def _languages(held: PersonalData) -> list[tuple[str, str]]:
    own = [held.language] if held.language and held.language not in LANGUAGES else []
    return [(tag, languages.name(tag)) for tag in (*own, *LANGUAGES)]


def _saved() -> str | None:
    match request.args.get("saved"):
        case "address":
            return _(
                "If that address can be used, an e-mail is on its way to it. Press the button in that e-mail. Until "
                "then, nothing changes."
            )
        case "1":
            return _("Your changes are saved.")
    return None


def _trouble(held: PersonalData) -> str | None:
    match held.blocked:
        case SuppressionReason.COMPLAINED:
            return _("Our e-mail to your address was reported as spam, so we have stopped sending alerts to it.")
        case SuppressionReason.REPORTED:
            return _(
                "Our e-mail to your address was reported as spam, so we have stopped sending alerts to it. If you want "
                "them, sign up again."
            )
        case SuppressionReason.BOUNCED:
            return _(
                "Our e-mail to your address came back, so we have stopped sending alerts to it. If the address works "
                "again, sign up again."
            )
    return None


class _NotAgreed(Exception):
    """The box was not ticked that stands beside what somebody would have to agree to."""

    def __init__(self, field: str) -> None:
        """:param field: of the form."""
        super().__init__(field)
        self.field = field


def _change(token: str, change: Callable[[Session, int], None], *, saved: str = "1") -> ResponseReturnValue:
    """Change something about the person whose link this is, and show the page again."""
    try:
        with site().session() as session:
            subscriber_id = domain.whose(session, token)
            prefer(domain.language_of(session, subscriber_id))  # that the words they agree to are shown in
            change(session, subscriber_id)
    except Mistyped as mistake:
        return _show(token, {"email": mistake.advice}), 422
    except _NotAgreed as missing:
        return _show(token, {missing.field: _NOT_AGREED[missing.field]()}), 422
    except tuple(_PROBLEMS) as problem:
        field, advice = _PROBLEMS[type(problem)]
        return _show(token, {field: advice()}), 422
    except (countries.UnknownCountry, languages.InvalidLanguage, lists.UnknownList):
        abort(400)  # no form of ours sends that
    return redirect(url("preferences.manage", token=token, saved=saved), 303)


_NOT_AGREED: Mapping[str, Callable[[], str]] = {
    "store_union": fields.agree_to_union,
    "lists": fields.agree_to_mail,
}
#: what somebody may get wrong, or be too late for → the field that it is about, and what to do
_PROBLEMS: Mapping[type[MailerError], tuple[str, Callable[[], str]]] = {
    domain.NameTooLong: ("name", lambda: fields.too_long(MAX_TEXT_LENGTH)),
    domain.UnrecognisedUnion: (
        "union",
        lambda: _("We do not know that union. Start typing and choose it from the list, or leave this empty."),
    ),
    domain.NotToBeJoined: ("lists", lambda: _("You cannot join this list at the moment.")),
    leaving.NotOnList: ("lists", lambda: _("You are no longer on that list.")),
    contacts.NoContact: ("contact", lambda: _("You are no longer a contact for that union.")),
    address_change.TooManyAddresses: (
        "email",
        lambda: _("You have given us several new addresses today. Please try again tomorrow."),
    ),
}


@preferences.post("/manage/<token>/details")
def change_details(token: str) -> ResponseReturnValue:
    """Change name, country, language and union, all or nothing: with a button for each part, what was typed into the
    other is lost."""
    form = request.form

    def change(session: Session, subscriber_id: int) -> None:
        domain.describe(
            session,
            subscriber_id,
            name=form.get("name", ""),
            country=form.get("country", ""),
            language=form.get("language", ""),
        )
        _change_union(session, subscriber_id)

    return _change(token, change)


def _change_union(session: Session, subscriber_id: int) -> None:
    """Store the union of a form, or forget it."""
    text, may_store = request.form.get("union", "").strip(), "store_union" in request.form
    if text and may_store:
        domain.state_union(session, subscriber_id, text, words=agreement.to_store_the_union(), shown_in=current())
    elif text and domain.see(session, subscriber_id).union is None:
        raise _NotAgreed("store_union")
    else:
        domain.forget_union(session, subscriber_id)


@preferences.post("/manage/<token>/lists/<slug>")
def change_list(token: str, slug: str) -> ResponseReturnValue:
    """Join a list, leave it, pause it, or end the pause."""

    def theirs(session: Session, subscriber_id: int) -> Subscription:
        return domain.subscription_to(session, subscriber_id, slug)

    fallbacks = site().settings.language_fallbacks

    def change(session: Session, subscriber_id: int) -> None:
        match request.form.get("do"):
            case "join":
                if "agreed" not in request.form:
                    raise _NotAgreed("lists")
                domain.join(session, subscriber_id, slug, words=agreement.to_this_list(), shown_in=current())
            case "leave":
                leaving.leave(session, theirs(session, subscriber_id), method=leaving.Method.PAGE, fallbacks=fallbacks)
            case "pause":
                leaving.pause(session, theirs(session, subscriber_id), _weeks(), fallbacks=fallbacks)
            case "resume":
                leaving.end_pause(session, theirs(session, subscriber_id))
            case _:
                abort(400)

    return _change(token, change)


@preferences.post("/manage/<token>/contact/<union>")
def stop_contact(token: str, union: str) -> ResponseReturnValue:
    """Be a union's contact no more."""

    def change(session: Session, subscriber_id: int) -> None:
        contacts.end(session, contacts.of_person(session, subscriber_id, union))

    return _change(token, change)


@preferences.post("/manage/<token>/acts/<slug>")
def take_back(token: str, slug: str) -> ResponseReturnValue:
    """Take back what one did for a campaign."""

    def change(session: Session, subscriber_id: int) -> None:
        kind = request.form.get("kind", "")
        if kind not in list(ActKind):
            abort(400)
        domain.take_back(session, subscriber_id, slug, ActKind(kind))

    return _change(token, change)


@preferences.post("/manage/<token>/address")
def change_address(token: str) -> ResponseReturnValue:
    """Write to another address, which has to be confirmed there."""

    def change(session: Session, subscriber_id: int) -> None:
        address = fields.address(request.form.get("email", "").strip())
        is_told = "is_old_read_by_others" not in request.form
        address_change.name(session, subscriber_id, address.text, language=current(), is_old_address_told=is_told)

    return _change(token, change, saved="address")


@preferences.post("/manage/<token>/address/keep")
def keep_address(token: str) -> ResponseReturnValue:
    """Stay at the address that is held, whatever new one was named."""
    return _change(token, address_change.withdraw)


@preferences.post("/manage/<token>/download")
def download(token: str) -> Response:
    """Everything that is held, as a file."""
    extension = request.form.get("format", "")
    if extension not in _FORMATS:
        abort(400)
    with site().session(read_only=True) as session:
        held = disclosure.about(session, domain.whose(session, token))
    mimetype, write = _FORMATS[extension]
    name = f"my-data-{utcnow():%Y-%m-%d}.{extension}"
    return Response(write(held), mimetype=mimetype, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@preferences.get("/manage/<token>/erase")
def erase(token: str) -> str:
    """Say what erasing means, and ask for it."""
    with site().session(read_only=True) as session:
        prefer(domain.language_of(session, domain.whose(session, token)))
    return render_template("preferences/erase.html", token=token)


@preferences.post("/manage/<token>/erase")
def forget(token: str) -> str:
    """Erase everything that is held of a person."""
    with site().session() as session:
        subscriber_id = domain.whose(session, token)
        prefer(domain.language_of(session, subscriber_id))
        domain.erase(session, subscriber_id)
    return render_template("preferences/forget.html")


# --- with the link that was mailed at a pause -----------------------------------------------------------------------


@preferences.get("/resume/<token>")
def end_pause(token: str) -> str:
    """Ask whether to end a pause."""
    with site().session(read_only=True) as session:
        list_name = leaving.look_at_pause(session, token)
    return render_template("preferences/end_pause.html", token=token, list_name=list_name)


@preferences.post("/resume/<token>")
def resume(token: str) -> str:
    """End the pause."""
    with site().session() as session:
        list_name = leaving.resume(session, token)
    return render_template("preferences/resume.html", list_name=list_name)


# --- with the link that was mailed to a new address -----------------------------------------------------------------


@preferences.get("/address/<token>")
def use_address(token: str) -> str:
    """Ask for the one click."""
    with site().session(read_only=True) as session:
        address_change.look(session, token)
    return render_template("preferences/use_address.html", token=token)


@preferences.post("/address/<token>")
def move(token: str) -> ResponseReturnValue:
    """Write to the address that the link was mailed to from now on."""
    try:
        with site().session() as session:
            address_change.move(session, token)
    except address_change.AddressTaken:
        return render_template("preferences/address_taken.html"), 409
    return render_template("preferences/move.html")


# --- with the link that was mailed to the old address ---------------------------------------------------------------


@preferences.get("/moved/<token>")
def moved(token: str) -> str:
    """Ask whether to stop the mail that has moved. The page is the same for everybody."""
    with site().session(read_only=True) as session:
        address_change.look_at_stop(session, token)
    return render_template("preferences/moved.html", token=token)


@preferences.post("/moved/<token>")
def stop(token: str) -> str:
    """Stop it. Nobody learns what became of the person."""
    with site().session() as session:
        address_change.stop(session, token)
    return render_template("preferences/stop.html")
