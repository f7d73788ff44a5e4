"""Signing up, and confirming it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from mailer.campaigns import case_pages, publishing
from mailer.locale import countries, languages
from mailer.people import lists
from mailer.people.subscribers import MAX_TEXT_LENGTH, one_line
from mailer.selfservice import signups
from mailer.selfservice.signups import SignUp
from mailer.store.db import utcnow
from mailer.store.models import MailingList, Union
from mailer.unions import directory
from mailer.web import agreement, errors, fields, protection, turns
from mailer.web.fields import Problems
from mailer.web.language import LANGUAGES, _, current, prefer, url
from mailer.web.site import site

joining = Blueprint("joining", __name__)

_MOST_ENDED = 2  # cases of which the form says how they ended
_LOGO_SECONDS = 86_400  # for which a browser need not ask again


# --- signing up -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Offer:
    """What one may sign up for on a page."""

    lists: Sequence[MailingList]
    via: Union | None  # in whose name the page is

    @property
    def main(self) -> MailingList | None:
        """The list for whoever chooses none: the organisers' first, and a union's own only where there is no other."""
        return min(self.lists, key=lambda each: (each.owner_id is not None, each.id), default=None)

    def chosen(self, slugs: Collection[str]) -> list[MailingList]:
        """The lists of these names; the main one where there are no names, or nothing to choose from."""
        if self.main and (not slugs or len(self.lists) == 1):
            return [self.main]
        return [each for each in self.lists if each.slug in slugs]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """A form as it was filled in, or as it comes filled in."""

    email: str = ""
    name: str = ""
    country: str = ""
    union: str = ""
    language: str = ""
    lists: frozenset[str] = frozenset()
    alerts: bool = False
    store_union: bool = False

    @classmethod
    def of(cls, form: MultiDict[str, str]) -> "_Typed":
        """What was posted."""
        language = form.get("language", "")
        return cls(
            email=form.get("email", "").strip(),
            name=form.get("name", ""),
            country=form.get("country", ""),
            union=form.get("union", "").strip(),
            language=language if language in LANGUAGES else current(),
            lists=frozenset(form.getlist("lists")),
            alerts="alerts" in form,
            store_union="store_union" in form,
        )


@joining.get("/")
def sign_up() -> str:
    """The sign-up form."""
    return _blank(None)


@joining.post("/")
def ask() -> ResponseReturnValue:
    """Take that form, and mail a link to confirm it by."""
    return _take(None)


@joining.get("/join/<union>")
def join(union: str) -> str:
    """The sign-up form in a union's name."""
    return _blank(union)


@joining.post("/join/<union>")
def ask_via(union: str) -> ResponseReturnValue:
    """Take the form that is in a union's name."""
    return _take(union)


@joining.get("/join/<union>/logo.png")
def logo(union: str) -> Response:
    """The logo of the union in whose name a page is."""
    with site().session(read_only=True) as session:
        found = directory.find_named(session, union)
        picture = found.logo if found else None
    if picture is None:
        abort(404)
    answer = Response(picture, mimetype="image/png", headers={"Cache-Control": f"public, max-age={_LOGO_SECONDS}"})
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def logo_address(union: Union | None) -> str | None:
    """Where a union's logo is to be seen; None where there is none. To be asked while its session is open."""
    if union is None or not union.is_named or union.logo is None:
        return None
    return url("joining.logo", union=union.slug)


@joining.get("/check-your-mail")
def check_your_mail() -> str:
    """Say what to do next. The same for everyone: nobody learns here who is known."""
    return render_template(
        "joining/check_your_mail.html",
        is_unlisted=request.args.get("union") == "unlisted",
        is_for_union=request.args.get("form") == "union",
        is_later=request.args.get("mail") == "later",
    )


def _blank(union_slug: str | None) -> str:
    """The form, with what we can guess filled in."""
    with site().session(read_only=True) as session:
        offer = _offer(session, union_slug)
        union = offer.via.name if offer.via else ""
        typed = _Typed(country=_likely_country() or "", union=union, language=current())
        return _show(session, offer, typed)


def _is_more_open(offer: _Offer, typed: _Typed, problems: Collection[str]) -> bool:
    """Whether what nobody has to fill in is shown: where it is filled in, or something in it is wrong."""
    is_filled_in = (
        typed.name.strip()
        or typed.union != (offer.via.name if offer.via else "")
        or (typed.store_union and not offer.via)  # else that box is not in there
        or typed.language != current()
        or typed.lists
    )
    return bool(is_filled_in) or not {"name", "union", "lists"}.isdisjoint(problems)


def _take(union_slug: str | None) -> ResponseReturnValue:
    with site().session(read_only=True) as session:
        offer = _offer(session, union_slug)
        typed = _Typed.of(request.form)
        try:
            sign_up, is_unlisted = _read(session, offer, typed)
        except Problems as problems:
            return _show(session, offer, typed, problems.by_field), 422
        if protection.is_out_of_time(request.form):
            return _show(session, offer, typed, fields.once_more()), 422
    is_human = protection.looks_human(request.form)
    wait = turns.wait(counts=is_human)
    if wait > turns.MOST:
        return errors.explain_full(wait - turns.MOST)
    if is_human:
        try:
            _ask(sign_up, not_before=utcnow() + wait if wait else None)
        except lists.ListGone:
            with site().session(read_only=True) as session:
                return _show(session, _offer(session, union_slug), typed, {"lists": _choose_a_list()}), 422
    told = {"union": "unlisted"} if is_unlisted else {}
    if wait:
        told["mail"] = "later"
    return redirect(url("joining.check_your_mail", **told), 303)


def _ask(sign_up: SignUp, *, not_before: datetime | None) -> None:
    with site().session() as session:
        signups.ask(session, sign_up, not_before=not_before)


def _offer(session: Session, union_slug: str | None) -> _Offer:
    via = directory.find_named(session, union_slug) if union_slug is not None else None
    if union_slug is not None and via is None:
        abort(404)
    return _Offer(lists.open_lists(session, owner_id=via.id if via else None), via)


def _likely_country() -> str | None:
    return countries.likely(request.headers.get("Accept-Language", ""))


def _show(session: Session, offer: _Offer, typed: _Typed, problems: Mapping[str, str] | None = None) -> str:
    return render_template(
        "joining/sign_up.html",
        offer=offer,
        name_of=lists.name_of,
        description_of=lists.description_of,
        logo=logo_address(offer.via),
        address=url("joining.ask_via", union=offer.via.slug) if offer.via else url("joining.ask"),
        typed=typed,
        problems=problems or {},
        wanted=offer.chosen(typed.lists) or offer.chosen(()),
        is_more_open=_is_more_open(offer, typed, problems or {}),
        countries=countries.all_in(current()),
        languages=[(tag, languages.name(tag)) for tag in LANGUAGES],
        union_names=fields.union_names(session, typed.country or _likely_country()),
        alert=None if problems else publishing.current(session, current(), _likely_country()),
        ended=() if problems else case_pages.ended(session, current(), most=_MOST_ENDED),
        alerts_text=agreement.to_what_was_asked_for(),
        union_text=agreement.to_store_the_union(),
        max_address=fields.MAX_ADDRESS_LENGTH,
        max_text=MAX_TEXT_LENGTH,
    )


# --- reading the form -----------------------------------------------------------------------------------------------


def _read(session: Session, offer: _Offer, typed: _Typed) -> tuple[SignUp, bool]:
    """What a form asks for, and whether the union in it is none that we know.

    :raises Problems: with all that is wrong.
    """
    problems: dict[str, str] = {}
    address = fields.check("email", lambda: fields.address(typed.email), problems)
    name = one_line(typed.name)
    if name is not None and len(name) > MAX_TEXT_LENGTH:
        problems["name"] = fields.too_long(MAX_TEXT_LENGTH)
    if typed.country not in dict(countries.all_in("en")):
        problems["country"] = _("Choose the country you live in.")
    union_id, is_unlisted = _union(session, offer, typed, problems)
    chosen = [each.id for each in offer.chosen(typed.lists)]
    if not chosen:
        problems["lists"] = _choose_a_list()
    if not typed.alerts:
        problems["alerts"] = fields.agree_to_mail()
    if problems or address is None:
        raise Problems(problems)
    return SignUp(
        address=address,
        name=name,
        country=typed.country,
        union_id=union_id,
        language=typed.language,
        list_ids=tuple(chosen),
        alerts_text=agreement.to_what_was_asked_for(),
        union_text=agreement.to_store_the_union() if union_id is not None else None,
        shown_in=current(),
        via_union_id=offer.via.id if offer.via else None,
        asked_at=utcnow(),
    ), is_unlisted


def _choose_a_list() -> str:
    return _("Choose at least one list.")


def _union(session: Session, offer: _Offer, typed: _Typed, problems: dict[str, str]) -> tuple[int | None, bool]:
    """The union to store, and whether somebody named one that we do not know."""
    text = one_line(typed.union)
    is_via = offer.via is not None and text == one_line(offer.via.name)
    if text is None:
        return None, False
    if len(text) > MAX_TEXT_LENGTH:
        problems["union"] = fields.too_long(MAX_TEXT_LENGTH)
        return None, False
    if not typed.store_union:
        if not is_via:  # the page itself put that one in
            problems["store_union"] = fields.agree_to_union()
        return None, False
    union_id = offer.via.id if offer.via and is_via else directory.recognise(session, text, typed.country)
    return union_id, union_id is None


# --- confirming -----------------------------------------------------------------------------------------------------


@joining.get("/confirm/<token>")
def confirm(token: str) -> str:
    """Ask for the one click. Programs that follow every link in a mail end here, so nothing is changed."""
    return _show_asked(token, undecided=())


def _show_asked(token: str, *, undecided: Collection[str]) -> str:
    """What a link would confirm.

    :param undecided: what its reader left open.
    """
    with site().session(read_only=True) as session:
        asked = signups.look(session, token)
    prefer(asked.language)
    problems = {field: _CHOOSE[field]() for field in _CHOOSE if field in undecided}
    return render_template(
        "joining/confirm.html",
        token=token,
        asked=asked,
        choices={field: _labelled(field, values) for field, values in asked.choices.items()},
        answers=request.form,
        problems=problems,
    )


#: what to do where sign-ups differ, by field
_CHOOSE: Mapping[str, Callable[[], str]] = {
    "name": lambda: _("Choose how we should address you."),
    "country": lambda: _("Choose the country you live in."),
    "language": lambda: _("Choose the language of our e-mails."),
    signups.UNION: lambda: _("Choose your union, or untick the box."),
}


def _labelled(field: str, values: Sequence[str | None]) -> list[tuple[str, str]]:
    """What may be chosen: what the form sends, and what it means to a reader."""
    return [(value or "", _words_for(field, value)) for value in values]


def _words_for(field: str, value: str | None) -> str:
    if value is None:
        return _("I would rather not say")
    match field:
        case "country":
            return countries.name(value, current())
        case "language":
            return languages.name(value)
    return value


@joining.post("/confirm/<token>")
def welcome(token: str) -> ResponseReturnValue:
    """Put the owner of the address on the lists, and show what there is to do."""
    base_url = site().settings.base_url
    try:
        with site().session() as session:
            confirmed = signups.confirm(
                session,
                token,
                union_agreed="store_union" in request.form,
                base_url=base_url,
                added=request.form.getlist("lists"),
                chosen={field: request.form[field] for field in _CHOOSE if field in request.form},
                fallbacks=site().settings.language_fallbacks,
            )
    except signups.Undecided as error:
        return _show_asked(token, undecided=error.undecided), 422
    prefer(confirmed.language)
    return render_template(
        "joining/welcome.html",
        confirmed=confirmed,
        stored=_told(confirmed.stored),
        share_url=base_url + url("joining.sign_up", language=None),
    )


def _told(stored: signups.Stored | None) -> list[tuple[str, str]]:
    """What a confirmation has us store: what it is, and its value."""
    if stored is None:
        return []
    facts = [
        (_("Name"), stored.name),
        (_("Country"), _words_for("country", stored.country) if stored.country else None),
        (_("Language of our e-mails"), _words_for("language", stored.language) if stored.language else None),
        (_("Union"), stored.union),
    ]
    return [(label, value) for label, value in facts if value]
