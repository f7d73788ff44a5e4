"""Signing a petition, and confirming it.

What a link in a campaign's mail leads to is known to whoever reads that mail, also when it was forwarded: the form is
the same for everybody, comes empty, and what it asks for goes to the mail's owner to be confirmed.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from mailer import links
from mailer.campaigns import acts, petitions, publishing, signatures
from mailer.campaigns.publishing import Headline, NotPublished, Withdrawn
from mailer.links import Link, Pages
from mailer.locale import countries
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.people.subscribers import one_line
from mailer.selfservice import signing as domain
from mailer.selfservice import signing_links
from mailer.selfservice.signing import NothingToSign, Wish
from mailer.selfservice.signing_links import Shown
from mailer.store import db
from mailer.store.db import utcnow
from mailer.store.models import Asking, Campaign
from mailer.web import agreement, errors, fields, protection, security, turns
from mailer.web.fields import Problems
from mailer.web.language import _, current, prefer, url
from mailer.web.site import site

signing = Blueprint("signing", __name__)

MAX_NAME_LENGTH = 80
_PAGE_DIGITS = 5
#: what would lead somewhere: the beginning of a link, or a name of a host as people write it
_LINK = re.compile(r"://|\bwww\.|[^\W\d_][\w-]+[.\u3002][^\W\d_]{2,}|\w\.\w{2,}/", re.IGNORECASE)
#: has letters run the other way, past the end of a name too
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
#: what ends such a word and is a title, or the short form of one
_TITLES = re.compile(r"\b(?:dr|prof|st|ste|jr|sr|phil|med|ing|dipl|rer|nat)\.(?=[^\W\d_])", re.IGNORECASE)


@signing.errorhandler(Withdrawn)
def _explain_withdrawn(_error: Withdrawn) -> Response:
    return errors.explain_withdrawn()


@signing.errorhandler(NotPublished)
@signing.errorhandler(NothingToSign)
def _explain_nothing(_error: NotPublished | NothingToSign) -> Response:
    return errors.explain(NotFound())


# --- the form -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """A form as it was filled in; at first it is empty."""

    email: str = ""
    name: str = ""
    place: str = ""
    country: str = ""
    shown: bool = False
    handed_over: bool = False
    alerts: bool = False

    @classmethod
    def of(cls, form: MultiDict[str, str]) -> "_Typed":
        """What was posted."""
        return cls(
            email=form.get("email", "").strip(),
            name=form.get("name", ""),
            place=form.get("place", ""),
            country=form.get("country", ""),
            shown="shown" in form,
            handed_over="handed_over" in form,
            alerts="alerts" in form,
        )


@dataclass(frozen=True, slots=True)
class _Form:
    """A petition's form at one of its addresses: its campaign's, or that of a link in a mail."""

    slug: str = ""
    token: str | None = None

    @property
    def address(self) -> str:
        """That it is sent to."""
        if self.token is None:
            return url("signing.ask", slug=self.slug)
        return url("signing.ask_from_mail", token=self.token)

    @property
    def delivery_id(self) -> int | None:
        """Of the mail that the link was in.

        :raises links.ForgedToken: it is none of ours.
        """
        return None if self.token is None else links.verify(site().settings.keyring, Link.ACT, self.token)

    def campaign(self, session: Session) -> Campaign:
        """What it is about.

        :raises publishing.NotPublished: and the others as of `signing.find` and `signing.of_mail`.
        """
        delivery_id = self.delivery_id
        return domain.find(session, self.slug) if delivery_id is None else domain.of_mail(session, delivery_id)


@signing.get("/campaigns/<slug>/sign")
def sign(slug: str) -> str:
    """The form, for everybody."""
    return _blank(_Form(slug=slug))


@signing.post("/campaigns/<slug>/sign")
def ask(slug: str) -> ResponseReturnValue:
    """Take that form, and mail a link to confirm it by."""
    return _take(_Form(slug=slug))


@signing.get("/sign/<token>")
def sign_from_mail(token: str) -> str:
    """The form for whoever has a mail of the campaign: without an address, and empty as for everybody."""
    return _blank(_Form(token=token))


@signing.post("/sign/<token>")
def ask_from_mail(token: str) -> ResponseReturnValue:
    """Take that form, and mail a link to whom that mail went to."""
    return _take(_Form(token=token))


@signing.get("/sign")
def sent() -> str:
    """Say what to do next. The same for everyone: nobody learns here who has signed."""
    return render_template("signing/sent.html", is_later=request.args.get("mail") == "later")


@signing.get("/campaigns/<slug>/names")
def names(slug: str) -> str:
    """The names of those who want theirs shown, page by page."""
    number = request.args.get("page", "1")
    if not (number.isascii() and number.isdecimal() and len(number) <= _PAGE_DIGITS and int(number)):
        abort(404)
    page = int(number)
    with site().session(read_only=True) as session:
        campaign = domain.find(session, slug)
        headline = publishing.headline_of(session, campaign, current())
        if headline.told.asking is Asking.STOPPED:
            abort(404)
        found, has_more = signatures.shown(session, campaign, page=page)
    if page > 1 and not found and not has_more:
        abort(404)
    shown = {"campaign": headline, "names": found, "page": page, "has_more": has_more}
    return render_template("signing/page_of_names.html", **shown)


def _blank(form: _Form) -> str:
    with site().session(read_only=True) as session:
        return _show(session, form, _Typed())


def _show(session: Session, form: _Form, typed: _Typed, problems: Mapping[str, str] | None = None) -> str:
    campaign = form.campaign(session)
    petition = domain.page(session, campaign, language=current())
    if petition.over is not None:
        return render_template("signing/over.html", petition=petition, campaign=petition.headline)
    text = publishing.page(session, campaign, language=current(), shown_in=current())
    return render_template(
        "signing/sign.html",
        petition=petition,
        campaign=petition.headline,
        text=Markup(text.html),  # noqa: S704 - sanitised
        address=form.address,
        is_from_mail=form.token is not None,
        typed=typed,
        problems=problems or {},
        countries=countries.all_in(current()),
        max_address=fields.MAX_ADDRESS_LENGTH,
        max_name=MAX_NAME_LENGTH,
        signed_text=agreement.to_keep_that_i_signed(),
        shown_text=agreement.to_show_my_name(),
        handed_over_text=agreement.to_hand_my_name_over(petition.to.text),
        alerts_text=agreement.to_this_list(),
    )


def _take(form: _Form) -> ResponseReturnValue:
    typed = _Typed.of(request.form)
    with site().session(read_only=True) as session:
        campaign = form.campaign(session)
        if acts.why_over(campaign, db.now(session)) is not None:
            return _show(session, form, typed)
        try:
            address, wish = _read(session, form, campaign, typed)
        except Problems as problems:
            return _show(session, form, typed, problems.by_field), 422
        if protection.is_out_of_time(request.form):
            return _show(session, form, typed, fields.once_more()), 422
    is_human = protection.looks_human(request.form)
    wait = turns.wait(counts=is_human)
    if wait > turns.MOST:
        return errors.explain_full(wait - turns.MOST)
    if is_human:
        _ask(form, address, wish, not_before=utcnow() + wait if wait else None)
    return redirect(url("signing.sent", **({"mail": "later"} if wait else {})), 303)


def _ask(form: _Form, address: Address | None, wish: Wish, *, not_before: datetime | None) -> None:
    with site().session() as session:
        campaign, delivery_id = form.campaign(session), form.delivery_id
        if address is not None:
            domain.ask(session, campaign, address, wish, not_before=not_before)
        elif delivery_id is not None:
            domain.ask_from_mail(session, campaign, delivery_id, wish, not_before=not_before)


def _read(session: Session, form: _Form, campaign: Campaign, typed: _Typed) -> tuple[Address | None, Wish]:
    """Whose address a form names, and what it asks for. No name is taken that would not be shown or handed over.

    :raises Problems: with all that is wrong.
    """
    problems: dict[str, str] = {}
    address = None
    if form.token is None:
        address = fields.check("email", lambda: fields.address(typed.email), problems)
    country = typed.country or None
    if country is not None and country not in dict(countries.all_in("en")):
        problems["country"] = _("Choose the country you live in.")
    name = place = None
    if (typed.shown or typed.handed_over) and petitions.may_be_named(campaign, country):
        name, place = _visible(typed.name), _visible(typed.place)
        for field, text in (("name", name), ("place", place)):
            if problem := _problem_with(campaign, text):
                problems[field] = problem
        if name is None:
            problems["name"] = _("Enter your name, or untick the boxes beside it.")
    if problems:
        raise Problems({field: problems[field] for field in ("email", "name", "place", "country") if field in problems})
    return address, Wish(
        name=name,
        place=place,
        country=country,
        language=current(),
        signed_text=agreement.to_keep_that_i_signed(),
        shown_text=agreement.to_show_my_name() if name and typed.shown else None,
        handed_over_text=_to_hand_over(campaign) if name and typed.handed_over else None,
        alerts_text=agreement.to_this_list() if typed.alerts and domain.list_to_join(session, campaign) else None,
        shown_in=current(),
        asked_at=utcnow(),
    )


def _to_hand_over(campaign: Campaign) -> str:
    return agreement.to_hand_my_name_over(domain.addressee(campaign, current()).text)


def _visible(text: str) -> str | None:
    """A name or a place on one line, which turns the order of no letters round; None where nothing of it is seen."""
    line = one_line(_TURNING.sub("", text))
    return line if line and any(char.isalnum() for char in line) else None


def _problem_with(campaign: Campaign, text: str | None) -> str | None:
    """What to do about a name or a place that cannot be shown; nothing says which word it is that must not appear."""
    if text is None:
        return None
    if len(text) > MAX_NAME_LENGTH:
        return fields.too_long(MAX_NAME_LENGTH)
    if leads_somewhere(text) or not domain.may_say(campaign, text):
        return _("We cannot show this. Write it without addresses, links and other people’s names.")
    return None


def leads_somewhere(text: str) -> bool:
    """Whether an address or a link stands in a name, which could be there to advertise something."""
    seen = "".join(char for char in text if unicodedata.category(char) != "Cf")  # joiners and marks are not
    plain = unicodedata.normalize("NFKC", seen)
    return "@" in plain or bool(addresses.find(plain)) or _LINK.search(_TITLES.sub("", plain)) is not None


# --- confirming -----------------------------------------------------------------------------------------------------


@signing.get("/signed/<token>")
def confirm(token: str) -> str:
    """Show what waits to be signed, or what was. Programs that follow every link in a mail end here, so nothing is
    changed."""
    with site().session(read_only=True) as session:
        shown = _in_their_language(lambda: signing_links.look(session, token, language=current()))
    return _show_confirmation(token, shown)


@signing.post("/signed/<token>")
def signed(token: str) -> ResponseReturnValue:
    """Sign for the owner of the address."""
    settings = site().settings
    try:
        with site().session() as session:
            _in_their_language(lambda: signing_links.look(session, token, language=current()))
            shown = signing_links.confirm(
                session,
                token,
                language=current(),
                base_url=settings.base_url,
                chosen={
                    field.removeprefix("sign-"): key for field, key in request.form.items() if field.startswith("sign-")
                },
                fallbacks=settings.language_fallbacks,
            )
    except signing_links.Undecided as error:
        with site().session(read_only=True) as session:
            shown = signing_links.look(session, token, language=current())
        advice = _("Choose which of these you sign, or that you sign none.")
        return _show_confirmation(token, shown, {f"sign-{slug}": advice for slug in error.slugs}), 422
    return _show_confirmation(token, shown)


@signing.post("/signed/<token>/take-back")
def take_back(token: str) -> str:
    """Take a signature back."""
    with site().session() as session:
        _in_their_language(lambda: signing_links.look(session, token, language=current()))
        shown = signing_links.take_back(session, token, request.form.get("slug", ""), language=current())
    return render_template("signing/taken_back.html", campaign=shown.asked[0].petition.headline)


def _in_their_language(look: Callable[[], Shown]) -> Shown:
    """What a link is for, in the language of its owner."""
    before, shown = current(), look()
    prefer(shown.language)
    return shown if current() == before else look()


def _to_pass_on(shown: Shown) -> Headline | None:
    """The campaign that whoever signed may tell others of, if everybody may read it and still act on it."""
    petitions = (each.petition for each in shown.asked if each.signature)
    return next((each.headline for each in petitions if each.is_public and each.over is None), None)


def _show_confirmation(token: str, shown: Shown, problems: Mapping[str, str] | None = None) -> str:
    signed_for = None if shown.to_decide else _to_pass_on(shown)
    pages = Pages(site().settings.base_url, signed_for.language) if signed_for else None
    security.allow_our_script()  # its button copies
    return render_template(
        "signing/confirm.html",
        token=token,
        shown=shown,
        signed_for=signed_for,
        share=pages.campaign(signed_for.slug) if signed_for and pages else None,
        problems=problems or {},
        anchors={field: f"{field}-1" for field in problems or {}},  # the first that one may choose
        answers=request.form,
        country_name=lambda code: countries.name(code, current()),
    )
