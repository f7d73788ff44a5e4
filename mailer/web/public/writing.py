"""Writing to targets: to whom, the letter, and everything that somebody needs to send it from their own mailbox or on
paper. Nothing that is typed here is kept, and where somebody lives stands in no address."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Self

from flask import Blueprint, Response, abort, redirect, render_template, request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from mailer import links
from mailer.campaigns import letter_pages
from mailer.campaigns.letter_pages import ChoicePage, NoSuchTarget, NothingToSend
from mailer.campaigns.publishing import NotPublished, Withdrawn
from mailer.cases.targets import Target
from mailer.links import Link
from mailer.locale import countries, languages, zones
from mailer.store.db import utcnow
from mailer.store.models import Campaign
from mailer.web import errors, security
from mailer.web.language import _, current, in_address, url, visited, wished
from mailer.web.site import site

writing = Blueprint("writing", __name__)

#: of how many numbers the wording of a letter is drawn
_DRAWN = 2**20
#: how long an address gets that names whom somebody writes to: common servers take 4,000 characters, some proxies less
_LONGEST_ADDRESS = 2000


@dataclass(frozen=True, slots=True)
class _Letters:
    """A campaign's letters at one of their addresses: by its slug, or by a token where it is not public."""

    campaign: Campaign
    address: Mapping[str, str]  # what `url` takes for any page of theirs

    @classmethod
    def find(cls, session: Session, address: Mapping[str, str]) -> Self:
        """Find a campaign by the values in an address.

        :raises NotPublished: there are no letters.
        :raises Withdrawn: there are none any more.
        :raises links.ForgedToken: the token is none of ours.
        """
        if "slug" in address:
            return cls(letter_pages.find(session, address["slug"]), {"slug": address["slug"]})
        number = links.verify(site().settings.keyring, Link.LETTER, address["token"])
        campaign = letter_pages.find_unlisted(session, number)
        return cls(campaign, {"slug": campaign.slug} if campaign.public else {"token": address["token"]})

    @property
    def campaign_address(self) -> str | None:
        """The page of the campaign, if it has one."""
        return url("reading.campaign", slug=self.campaign.slug) if self.campaign.public else None


@writing.errorhandler(Withdrawn)
def _explain_withdrawn(_error: Withdrawn) -> Response:
    return errors.explain_withdrawn()


@writing.errorhandler(NotPublished)
@writing.errorhandler(NoSuchTarget)
def _explain_nothing(_error: NotPublished | NoSuchTarget) -> Response:
    return errors.explain(NotFound())


# --- to whom --------------------------------------------------------------------------------------------------------


@writing.get("/campaigns/<slug>/letter")
@writing.get("/letters/<token>")
def choose(**address: str) -> ResponseReturnValue:
    """Ask where somebody lives, or show whom they may write to."""
    chosen = request.args.get("to")
    slugs = None if chosen is None else list(filter(None, chosen.split(",")))
    with site().session(read_only=True) as session:
        found = _Letters.find(session, address)
        if found.address != address:
            return redirect(url("writing.choose", **found.address, to=chosen))
        page = letter_pages.choice(session, found.campaign, language=current(), chosen=slugs)
        return _show_choice(found, page, is_told=slugs is not None)


@writing.post("/campaigns/<slug>/letter")
@writing.post("/letters/<token>")
def tell_whom(**address: str) -> ResponseReturnValue:
    """Lead to whom people write who live in a country. Nothing is kept of it."""
    country = request.form.get("country", "")
    with site().session(read_only=True) as session:
        found = _Letters.find(session, address)
        if country not in dict(countries.all_in("en")):
            page = letter_pages.choice(session, found.campaign, language=current())
            return _show_choice(found, page, problems={"country": _("Choose the country you live in.")})
        slugs = letter_pages.slugs_for(session, found.campaign, country)
        if len(slugs) == 1:
            return redirect(url("writing.letter", **found.address, target=slugs[0]), 303)
        chosen = url("writing.choose", **found.address, to=",".join(slugs))
        if len(chosen) <= _LONGEST_ADDRESS:
            return redirect(chosen, 303)
        page = letter_pages.choice(session, found.campaign, language=current(), chosen=slugs)  # a whole parliament
        return _show_choice(found, page, is_told=True)


def _show_choice(
    found: _Letters, page: ChoicePage, *, is_told: bool = False, problems: Mapping[str, str] | None = None
) -> str:
    return render_template(
        "writing/choose.html",
        page=page,
        is_told=is_told,
        problems=problems or {},
        address=found.address,
        campaign_address=found.campaign_address,
        countries=countries.all_in(current()),
    )


# --- the letter -----------------------------------------------------------------------------------------------------


@writing.get("/campaigns/<slug>/letter/<target>")
@writing.get("/letters/<token>/<target>")
def letter(target: str, **address: str) -> ResponseReturnValue:
    """Whom to write to, what, and how to send it."""
    number = _wording()
    with site().session(read_only=True) as session:
        found = _Letters.find(session, address)
        if found.address != address:
            return redirect(url("writing.letter", **found.address, target=target, wording=request.args.get("wording")))
        return _show_letter(session, found, target, number)


@writing.get("/campaigns/<slug>/letter/<target>/letter.eml")
@writing.get("/letters/<token>/<target>/letter.eml")
def draft(target: str, **address: str) -> ResponseReturnValue:
    """The letter as a file that opens as a new mail; the page instead, if there is nothing to send."""
    number = _wording()
    with site().session(read_only=True) as session:
        found = _Letters.find(session, address)
        try:
            content = letter_pages.draft_of(session, found.campaign, target, number=number)
        except NothingToSend:
            return _show_letter(session, found, target, number), 410
    name = f"letter-{target}.eml"
    answer = send_file(BytesIO(content), mimetype="message/rfc822", as_attachment=True, download_name=name)
    answer.headers["X-Robots-Tag"] = "noindex"  # as the page says of itself
    return answer


def _wording() -> int:
    """The number of the wording that an address asks for; any, if it asks for none. 404 for what is no number."""
    asked = request.args.get("wording")
    if asked is None:
        return secrets.randbelow(_DRAWN)
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= len(str(_DRAWN))):
        abort(404)
    return int(asked)


def _show_letter(session: Session, found: _Letters, target: str, number: int) -> str:
    there = {each.language for each in found.campaign.letters}
    language = in_address() or wished(there) or current()
    page = letter_pages.page(session, found.campaign, target, number=number, language=language, shown_in=current())
    shown = page.writing
    security.allow_our_script()  # its buttons copy
    return render_template(
        "writing/letter.html",
        page=page,
        writing=shown,
        address={**found.address, "target": target},
        choose_address=url("writing.choose", **found.address),
        campaign_address=found.campaign_address,
        number=shown.wording.number if shown and shown.wording else 0,
        another=_another(shown.wording.number, shown.wording.of) if shown and shown.wording else None,
        letter_language=languages.name(shown.letter.language) if shown and shown.letter else "",
        is_read=bool(shown and shown.letter and shown.letter.language in languages.forms(language)),
        zone=_zone(shown.target) if shown else "",
    )


def preview_letter(session: Session, campaign: Campaign, target: str, *, language: str) -> str:
    """The page as it will be, also of a campaign that nobody may read yet.

    :param language: of the visitor.
    :raises NoSuchTarget: the campaign does not ask to write to that.
    :raises Withdrawn: a word that must not appear stands in what is known of the target.
    """
    address = {"slug": campaign.slug}
    with visited("writing.letter", language, target=target, **address):
        return _show_letter(session, _Letters(campaign, address), target, 0)


def _another(number: int, of: int) -> int | None:
    """Another wording than one; None where there is but one."""
    return (number + 1 + secrets.randbelow(of - 1)) % of if of > 1 else None


def _zone(target: Target) -> str:
    """What the time zone of a target's telephone hours is called here."""
    if not target.phone_zone:
        return ""
    return zones.name_of(target.phone_zone, utcnow(), languages.locale(current()))
