"""Previewing: a campaign's mail, the page of its letter, and its kit, as somebody of its audience would see them.

What is previewed stands in documents of its own, which a page of the desk shows in a frame: they run nothing, fetch
nothing, lead nowhere, and come from nowhere.
"""

import functools
import re
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import Response, abort, current_app, render_template, request, send_file
from sqlalchemy.orm import Session

from mailer.campaigns import letter_pages, text_versions
from mailer.campaigns.readership import Readerships
from mailer.cases.sayable import Sayable
from mailer.delivery import inbox, previews
from mailer.delivery.inbox import MustNotAppear, Scheme, Seen
from mailer.errors import MailerError
from mailer.kits import making, messages
from mailer.kits.editions import KitEditions
from mailer.kits.wording import Forwarder, KitText
from mailer.locale import languages
from mailer.mail import html_words
from mailer.store.models import Campaign, CampaignStatus
from mailer.web import framed
from mailer.web.desk import named, readers, text_fields
from mailer.web.desk.readers import Looked
from mailer.web.desk.recent import renderings
from mailer.web.language import current
from mailer.web.public import writing
from mailer.web.site import site

#: how wide a telephone and a screen are on which a mail is looked at, in CSS pixels
WIDTHS = {"phone": 390, "screen": 1280}


def _look(session: Session, slug: str) -> Looked:
    known: Readerships = current_app.extensions.setdefault("readerships", Readerships())
    return readers.look(session, slug, known)


# --- the mail -------------------------------------------------------------------------------------------------------


def mail(slug: str) -> str:
    """A mail as an inbox shows it, in frames as wide as a telephone and a screen, and its text part."""
    with site().session(read_only=True) as session:
        looked = _look(session, slug)
        try:
            seen, problem = _seen(session, looked), None
        except MailerError as error:
            seen, problem = None, error
        return render_template(
            "desk/previewing/mail.html",
            **_around(looked),
            seen=seen,
            problem=problem,
            text_language=languages.name(seen.language) if seen else "",
            is_own_language=bool(seen and seen.language in languages.forms(looked.reader.language or seen.language)),
            schemes=list(Scheme),
            widths=WIDTHS,
            unfinished=_unfinished(session, looked, seen),
        )


def _unfinished(session: Session, looked: Looked, seen: Seen | None) -> list[tuple[str, str]]:
    """Texts of which something later is saved than a mail says: tag and name."""
    wanted = (request.args.get("lang"), looked.reader.language, seen.language if seen else None)
    tags = dict.fromkeys(wanted)  # each once
    unfinished = (tag for tag in tags if tag and text_versions.is_unfinished(session, looked.campaign, tag))
    return [(tag, languages.name(tag)) for tag in unfinished]


def mail_document(slug: str) -> Response:
    """The HTML part of a mail, in light or dark colours."""
    scheme = Scheme.DARK if request.args.get("scheme") == Scheme.DARK else Scheme.LIGHT
    with site().session(read_only=True) as session:
        looked = _look(session, slug)
        try:
            html = inbox.coloured(_seen(session, looked).html, scheme)
        except MailerError as error:
            return _instead(error)
    return framed.document(html)


def _seen(session: Session, looked: Looked) -> Seen:
    with renderings().lent(session):
        return previews.look(session, looked.campaign, looked.reader, site().settings.mail_sender)


def _around(looked: Looked) -> dict[str, Any]:
    """What every page here shows."""
    campaign = looked.campaign
    return {
        "campaign": campaign,
        "name": named.name_of(campaign),
        "choices": looked.choices,
        "missed": looked.missed,
        "address": looked.address,
        "has_letter": bool(campaign.ask),
        "is_forwardable": campaign.forwardable,
    }


# --- the page of the letter -----------------------------------------------------------------------------------------


def letter(slug: str) -> str:
    """The page from which somebody would write, to whom they would."""
    with site().session(read_only=True) as session:
        looked = _look(session, slug)
        targets = _targets(session, looked)
        chosen = request.args.get("to", "")
        return render_template(
            "desk/previewing/letter.html",
            **_around(looked),
            targets=targets,
            to=chosen if chosen in dict(targets) else next(iter(dict(targets)), ""),
            unfinished=_unfinished_letters(session, looked.campaign),
            width=WIDTHS["phone"],
        )


def _unfinished_letters(session: Session, campaign: Campaign) -> list[tuple[str, str]]:
    """Letters of a draft of which something later is saved than its page shows: name and title."""
    if campaign.status is not CampaignStatus.DRAFT:
        return []
    versions = text_versions.latest(session, campaign).items()
    held = [name for name, version in versions if name.role and version.written and not version.goes_out]
    return [(name.stem, text_fields.title(name)) for name in held]


def letter_document(slug: str) -> Response:
    """That page as the site would show it."""
    with site().session(read_only=True) as session:
        looked = _look(session, slug)
        to = request.args.get("to", "")
        if to not in dict(_targets(session, looked)):
            abort(404)
        try:
            html = writing.preview_letter(session, looked.campaign, to, language=looked.reader.language or "en")
            words, attributes = html_words.read(html)
            if not Sayable(looked.campaign.case).may_say(words, *sorted(set(attributes))):
                raise MustNotAppear
        except MailerError as error:
            return _instead(error)
    return framed.document(_by_itself(html))


def _targets(session: Session, looked: Looked) -> list[tuple[str, str]]:
    campaign, country = looked.campaign, looked.reader.country
    if not campaign.ask:
        return []
    slugs = letter_pages.slugs_for(session, campaign, country) if country else None
    there = letter_pages.choice(session, campaign, language=current(), chosen=slugs)
    return [(slug, name) for slug, name in there.targets if Sayable(campaign.case).may_say(slug, name)]


_STYLE_SHEET = re.compile(r'<link rel="stylesheet"[^>]*>')
_FETCHED = re.compile(r"<link [^>]*>|<script[^>]*></script>")


def _by_itself(html: str) -> str:
    """A page of the site that fetches nothing."""
    styled = _STYLE_SHEET.sub(lambda _link: f"<style>{_site_style()}</style>", html, count=1)
    return _FETCHED.sub("", styled)


@functools.cache
def _site_style() -> str:
    return (Path(current_app.static_folder or "") / "site.css").read_text(encoding="utf-8")


# --- the kit --------------------------------------------------------------------------------------------------------


def kit(slug: str) -> str:
    """What the reader's union would be given to forward; that for everybody, if it gets none of its own."""
    with site().session(read_only=True) as session:
        looked = _look(session, slug)
        found, problem = None, None
        if looked.campaign.forwardable:
            try:
                found = _kit(session, looked)
            except MailerError as error:
                problem = error
        text, forwarder = found[1:] if found else (None, None)
        return render_template(
            "desk/previewing/kit.html",
            **_around(looked),
            is_made=found is not None,
            problem=problem,
            union=forwarder.name if forwarder else None,
            text=text,
            short=messages.short(text) if text else "",
            medium=messages.medium(text, site().settings.mail_sender.organisation) if text else "",
            width=WIDTHS["phone"],
        )


def kit_document(slug: str) -> Response:
    """The mail of a kit."""
    with site().session(read_only=True) as session:
        looked = _look(session, slug)
        try:
            found = _kit(session, looked)
        except MailerError as error:
            return _instead(error)
    if found is None:
        abort(404)
    return framed.document(inbox.coloured(found[1].html, Scheme.LIGHT))


def kit_picture(slug: str) -> Response:
    """The picture of a kit."""
    return _paper(slug, "picture.png", "image/png")


def kit_leaflet(slug: str) -> Response:
    """The leaflet of a kit, to be kept as a file."""
    return _paper(slug, "leaflet.pdf", "application/pdf")


def _paper(slug: str, name: str, kind: str) -> Response:
    with site().session(read_only=True) as session:
        looked = _look(session, slug)
        try:
            found = _kit(session, looked)
        except MailerError:
            abort(404)
        papers = found[0].on_paper(found[1], found[2]) if found else {}
    if name not in papers:
        abort(404)
    is_file = kind == "application/pdf"
    return send_file(BytesIO(papers[name]), mimetype=kind, as_attachment=is_file, download_name=name)


def _kit(session: Session, looked: Looked) -> tuple[KitEditions, KitText, Forwarder] | None:
    campaign, reader = looked.campaign, looked.reader
    forwarder = making.forwarder(session, campaign, reader.union_id) if campaign.forwardable else None
    if forwarder is None:
        return None
    made = KitEditions(session, campaign, site().settings.mail_sender)
    language = languages.nearest(reader.language, made.languages, campaign.fallbacks) or campaign.language
    return made, made.text(forwarder, language), forwarder


# --- documents ------------------------------------------------------------------------------------------------------


def _instead(problem: MailerError) -> Response:
    return framed.document(render_template("desk/previewing/problem.html", problem=problem))
