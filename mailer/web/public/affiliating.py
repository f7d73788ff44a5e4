"""Asking that a union affiliate, and being the person who gets its mail."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from babel.numbers import format_decimal
from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from mailer import links
from mailer.links import Link
from mailer.locale import countries, languages
from mailer.people.subscribers import MAX_TEXT_LENGTH, one_line
from mailer.store.db import utcnow
from mailer.unions import applications, contacts
from mailer.unions.applications import AskedFor, Request, Unchosen
from mailer.unions.contacts import NoContact
from mailer.web import agreement, fields, protection
from mailer.web.fields import Problems
from mailer.web.language import LANGUAGES, _, current, prefer, url
from mailer.web.site import site

affiliating = Blueprint("affiliating", __name__)

_INTERNATIONAL = "international"  # among the countries, for a union of several
_MAX_RESOLUTION_LENGTH = 2000


# --- asking ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """The form as it was filled in, or as it comes filled in."""

    name: str = ""
    country: str = ""
    languages: frozenset[str] = frozenset()
    members: str = ""
    parent: str = ""
    resolution: str = ""
    is_named: bool = True
    person_name: str = ""
    role: str = ""
    email: str = ""
    language: str = ""
    agreed: bool = False

    @classmethod
    def of(cls, form: MultiDict[str, str]) -> "_Typed":
        """What was posted."""
        texts = ("name", "country", "members", "parent", "resolution", "person_name", "role", "email")
        language = form.get("language", "")
        return cls(
            **{field: form.get(field, "") for field in texts},
            languages=frozenset(form.getlist("languages")),
            is_named="is_named" in form,
            language=language if language in LANGUAGES else current(),
            agreed="agreed" in form,
        )


@affiliating.get("/affiliate")
def affiliate() -> str:
    """The form for a union that wants to affiliate."""
    return _show(_Typed(country=_likely_country(), language=current()))


@affiliating.post("/affiliate")
def ask() -> ResponseReturnValue:
    """Take that form, and mail a link to confirm it by."""
    typed = _Typed.of(request.form)
    try:
        asked = _read(typed)
    except Problems as problems:
        return _show(typed, problems.by_field), 422
    if protection.is_out_of_time(request.form):
        return _show(typed, fields.once_more()), 422
    if protection.looks_human(request.form):
        with site().session() as session:
            applications.ask(session, asked)
    return redirect(url("joining.check_your_mail", form="union"), 303)


def _likely_country() -> str:
    return countries.likely(request.headers.get("Accept-Language", "")) or ""


def _show(typed: _Typed, problems: Mapping[str, str] | None = None) -> str:
    with site().session(read_only=True) as session:
        union_names = fields.union_names(session, typed.country)
    return render_template(
        "affiliating/affiliate.html",
        typed=typed,
        problems=problems or {},
        countries=countries.all_in(current()),
        international=_INTERNATIONAL,
        languages=[(tag, languages.name(tag)) for tag in LANGUAGES],
        union_names=union_names,
        contact_text=agreement.to_be_a_contact(),
        max_address=fields.MAX_ADDRESS_LENGTH,
        max_number=fields.MAX_NUMBER_LENGTH,
        max_resolution=_MAX_RESOLUTION_LENGTH,
        max_text=MAX_TEXT_LENGTH,
    )


# --- reading the form -----------------------------------------------------------------------------------------------


def _read(typed: _Typed) -> AskedFor:
    """What a form asks for.

    :raises Problems: with all that is wrong.
    """
    problems: dict[str, str] = {}
    name = _line("name", typed.name, problems)
    if name is None and "name" not in problems:
        problems["name"] = _("Enter the name of your union.")
    if typed.country != _INTERNATIONAL and typed.country not in dict(countries.all_in("en")):
        problems["country"] = _("Choose your union's country, or “International”.")
    members = fields.check("members", lambda: fields.number(typed.members), problems)
    parent = _line("parent", typed.parent, problems)
    resolution = _resolution(typed.resolution, problems)
    person_name = _line("person_name", typed.person_name, problems)
    role = _line("role", typed.role, problems)
    address = fields.check("email", lambda: fields.address(typed.email.strip()), problems)
    if not typed.agreed:
        problems["agreed"] = _("To send your request, tick the box that says we may write to you.")
    if problems or address is None or name is None:
        raise Problems(problems)
    return AskedFor(
        name=name,
        country=None if typed.country == _INTERNATIONAL else typed.country,
        languages=tuple(tag for tag in LANGUAGES if tag in typed.languages),
        members=members,
        parent=parent,
        resolution=resolution,
        is_named=typed.is_named,
        person_name=person_name,
        address=address,
        role=role,
        language=typed.language,
        consent_text=agreement.to_be_a_contact(),
        shown_in=current(),
        asked_at=utcnow(),
    )


def _line(field: str, typed: str, problems: dict[str, str]) -> str | None:
    text = one_line(typed)
    if text is not None and len(text) > MAX_TEXT_LENGTH:
        problems[field] = fields.too_long(MAX_TEXT_LENGTH)
    return text


def _resolution(typed: str, problems: dict[str, str]) -> str | None:
    text = "\n".join(one_line(line) or "" for line in typed.splitlines()).strip()
    if len(text) > _MAX_RESOLUTION_LENGTH:
        problems["resolution"] = fields.too_long(_MAX_RESOLUTION_LENGTH)
    return text or None


# --- being a union's contact ----------------------------------------------------------------------------------------


@affiliating.get("/contact/<token>")
def confirm(token: str) -> str:
    """Ask for the one click that only the owner of an address can have meant. Programs that follow every link in a mail
    end here, so nothing is changed."""
    return _show_asked(token)


def _show_asked(token: str, *, is_unchosen: bool = False) -> str:
    """What a link would confirm. What was typed into the form is shown only where its reader must choose.

    :param is_unchosen: whether they have not said which requests are theirs.
    """
    with site().session(read_only=True) as session:
        asked = applications.look(session, token)
    prefer(asked.language)
    return render_template(
        "affiliating/thank.html" if asked.is_confirmed else "affiliating/confirm.html",
        token=token,
        asked=asked,
        differing=_differing(asked.requests),
        answers=request.form,
        problems={"requests": _("Tick at least one request.")} if is_unchosen else {},
    )


@affiliating.post("/contact/<token>")
def thank(token: str) -> ResponseReturnValue:
    """Do what the owner of an address confirms, and say what comes next."""
    settings = site().settings
    try:
        with site().session() as session:
            asked = applications.confirm(
                session,
                token,
                base_url=settings.base_url,
                told=settings.organisers,
                chosen=request.form.getlist("requests"),
            )
    except Unchosen:
        return _show_asked(token, is_unchosen=True), 422
    prefer(asked.language)
    return render_template("affiliating/thank.html", asked=asked)


def _differing(requests: Sequence[Request]) -> dict[str, list[tuple[str, list[str]]]]:
    """What requests differ in, beside the union's name: the key of each → what it says there, and what that is."""
    fields_apart = [field for field in _LABELS if len({getattr(each.asked, field) for each in requests}) > 1]
    return {
        each.key: [(_LABELS[field](), _in_words(field, getattr(each.asked, field))) for field in fields_apart]
        for each in requests
    }


_LABELS: Mapping[str, Callable[[], str]] = {
    "country": lambda: _("Country"),
    "parent": lambda: _("Federation it belongs to"),
    "members": lambda: _("Approximate number of members"),
    "languages": lambda: _("Your members' languages"),
    "resolution": lambda: _("The resolution it passed"),
    "is_named": lambda: _("May we name your union?"),
    "person_name": lambda: _("Your name"),
    "role": lambda: _("Your role in the union"),
    "language": lambda: _("Language of our e-mails"),
}


def _in_words(field: str, value: Any) -> list[str]:
    match field:
        case "country":
            return [countries.name(value, current()) if value else _("International")]
        case "is_named":
            return [_("Yes") if value else _("No")]
        case "language":
            return [languages.name(value)]
        case "languages" if value:
            return [languages.name(tag) for tag in value]
        case "members" if value:
            return [format_decimal(value, locale=languages.locale(current()))]
    return [value or _("Left empty")]


@affiliating.get("/no-contact/<token>")
def step_down(token: str) -> str:
    """Ask whether to get no more of a union's mail. Whoever reads such a mail knows this address, also when it was
    forwarded: the database is not asked, and nobody learns whether the person still is a contact."""
    _contact(token)
    return render_template("affiliating/step_down.html", token=token)


@affiliating.post("/no-contact/<token>")
def stop_contact(token: str) -> str:
    """Send no more of a union's mail to whom that link was mailed. The answer is the same where nothing was sent."""
    contact_id = _contact(token)
    with suppress(NoContact), site().session() as session:
        contacts.step_down(session, contacts.get(session, contact_id))
    return render_template("affiliating/stop_contact.html")


def _contact(token: str) -> int:
    return links.verify(site().settings.keyring, Link.CONTACT, token)
