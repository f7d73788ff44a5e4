"""What anyone may read: campaigns, the feed, the privacy page, and where to report a weakness."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from xml.etree.ElementTree import Element, SubElement, tostring

from flask import Blueprint, Response, abort, render_template, request
from markupsafe import Markup

from mailer.campaigns import publishing
from mailer.campaigns.publishing import Headline
from mailer.links import Pages
from mailer.locale import languages
from mailer.store.db import utcnow
from mailer.store.models import Union
from mailer.unions import directory
from mailer.web import agreement
from mailer.web.language import LANGUAGES, current, in_address, url, wished
from mailer.web.site import site

reading = Blueprint("reading", __name__)

_LAST_PAGE = 1000
_SECURITY_TXT_DAYS = 180  # RFC 9116, 2.5.5: less than a year
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


# --- campaigns ------------------------------------------------------------------------------------------------------


@reading.get("/campaigns")
def archive() -> str:
    """All campaigns that everyone may read, the newest first."""
    number = request.args.get("page", "1")
    if not (number.isascii() and number.isdecimal() and len(number) <= 4 and 1 <= int(number) <= _LAST_PAGE):
        abort(404)
    page = int(number)
    with site().session(read_only=True) as session:
        campaigns, has_older = publishing.archive(session, current(), page=page)
    if not campaigns and page > 1:
        abort(404)
    return render_template("reading/archive.html", campaigns=campaigns, page=page, has_older=has_older)


@reading.get("/campaigns/<slug>")
def campaign(slug: str) -> str:
    """One campaign, in the language that the address names, else in the one of its texts that the browser asks for."""
    with site().session(read_only=True) as session:
        try:
            found = publishing.find(session, slug)
        except publishing.NotPublished:
            abort(404)
        there = [text.language for text in found.texts]
        asked = request.args.get("text")
        if asked is not None and asked not in there:
            abort(404)
        via = directory.find_named(session, request.args.get("union", ""))
        language = asked or in_address() or wished(there) or current()
        page = publishing.page(session, found, language=language, shown_in=current())
    return render_template(
        "reading/campaign.html",
        page=page,
        campaign=page.headline,
        text=Markup(page.html),  # noqa: S704 - sanitised
        others=[_text_in(tag, slug, via) for tag in there if tag != page.headline.language],
        sign_up=url("joining.join", union=via.slug) if via else url("joining.sign_up"),
        is_translated=page.headline.language in languages.forms(language),
    )


def _text_in(tag: str, slug: str, via: Union | None) -> tuple[str, str, str]:
    """A campaign's text in another language, maybe one that the site does not speak: tag, name and address."""
    wanted = {"language": tag} if tag in LANGUAGES else {"text": tag}
    through = {"union": via.slug} if via else {}
    return tag, languages.name(tag), url("reading.campaign", slug=slug, **wanted, **through)


# --- the feed -------------------------------------------------------------------------------------------------------


@reading.get("/feed.atom")
def feed() -> Response:
    """The newest campaigns as an Atom feed (RFC 4287)."""
    with site().session(read_only=True) as session:
        campaigns, _has_older = publishing.archive(session, current())
    answer = Response(_atom(campaigns), content_type="application/atom+xml; charset=utf-8")
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _atom(campaigns: Sequence[Headline]) -> bytes:
    settings = site().settings
    organisation = agreement.organisation()
    address = settings.base_url + url("reading.feed")
    root = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": current()})
    _add(root, "id", address)
    _add(root, "title", organisation)
    _add(root, "updated", _moment(max((campaign.since for campaign in campaigns), default=_NEVER)))
    _add(root, "link", rel="self", type="application/atom+xml", href=address)
    _add(root, "link", rel="alternate", type="text/html", href=settings.base_url + url("reading.archive"))
    _add(SubElement(root, "author"), "name", organisation)
    for campaign in campaigns:
        entry = SubElement(root, "entry", {"xml:lang": campaign.language})
        _add(entry, "id", campaign.id.urn)
        _add(entry, "title", campaign.title)
        _add(entry, "published", _moment(campaign.since))
        _add(entry, "updated", _moment(campaign.since))
        page = settings.base_url + url("reading.campaign", slug=campaign.slug)
        _add(entry, "link", rel="alternate", type="text/html", href=page)
        _add(entry, "summary", campaign.summary)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add(parent: Element, name: str, words: str | None = None, /, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = words


def _moment(moment: datetime) -> str:
    """As RFC 3339 writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- about this site ------------------------------------------------------------------------------------------------


@reading.get("/privacy")
def privacy() -> str:
    """What is stored of people, why, for how long, and what they can do about it."""
    return render_template("reading/privacy.html", settings=site().settings)


@reading.get("/.well-known/security.txt")
def security_txt() -> Response:
    """Where to report a weakness (RFC 9116)."""
    settings = site().settings
    if settings.security_contact is None:
        abort(404)
    last_day = utcnow().date() + timedelta(days=_SECURITY_TXT_DAYS)
    lines = [
        f"Contact: {settings.security_contact}",
        f"Expires: {_moment(datetime.combine(last_day, time(), UTC))}",
        f"Canonical: {Pages(settings.base_url).security_txt()}",
    ]
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
