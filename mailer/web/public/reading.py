"""What anyone may read: campaigns, cases, the feed, the privacy page, and where to report a weakness."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from xml.etree.ElementTree import Element, SubElement, tostring

from flask import Blueprint, Response, abort, render_template, request
from markupsafe import Markup

from mailer.campaigns import case_pages, letter_pages, publishing, signatures
from mailer.campaigns.publishing import Headline, TakenDown
from mailer.cases.dossier import PersonStatus
from mailer.links import Pages
from mailer.locale import countries, languages
from mailer.mail import isolation
from mailer.selfservice import signing
from mailer.store.db import utcnow
from mailer.store.models import Asking, CaseEventKind, Union
from mailer.unions import directory
from mailer.web import agreement, errors, security
from mailer.web.language import LANGUAGES, _, current, in_address, url, wished
from mailer.web.site import site

reading = Blueprint("reading", __name__)

_LAST_PAGE = 1000
_SECURITY_TXT_DAYS = 180  # RFC 9116, 2.5.5: less than a year
_TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"  # RFC 6721
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


# --- campaigns and cases --------------------------------------------------------------------------------------------


@reading.get("/campaigns")
def archive() -> Response:
    """All campaigns that everyone may read, the newest first."""
    number = request.args.get("page", "1")
    if not (number.isascii() and number.isdecimal() and len(number) <= 4 and 1 <= int(number) <= _LAST_PAGE):
        abort(404)
    page = int(number)
    with site().session(read_only=True) as session:
        campaigns, has_older = publishing.archive(session, current(), page=page)
    if not campaigns and page > 1:
        abort(404)
    return _fresh(render_template("reading/archive.html", campaigns=campaigns, page=page, has_older=has_older))


@reading.get("/campaigns/<slug>")
def campaign(slug: str) -> Response:
    """One campaign, in the language that the address names, else in the one of its texts that the browser asks for."""
    with site().session(read_only=True) as session:
        try:
            found = publishing.find(session, slug)
        except publishing.NotPublished:
            abort(404)
        except publishing.Withdrawn:
            return errors.explain_withdrawn()
        there = [text.language for text in found.texts]
        language = _language_among(there)
        via = directory.find_named(session, request.args.get("union", ""))
        page = publishing.page(session, found, language=language, shown_in=current())
        choice = letter_pages.choice(session, found, language=current()) if found.ask else None
        petition = signing.page(session, found, language=language) if found.petition else None
        names, has_more_names = signatures.shown(session, found) if petition else ([], False)
    security.allow_our_script()  # its button copies
    return _fresh(
        render_template(
            "reading/campaign.html",
            page=page,
            campaign=page.headline,
            choice=choice,
            petition=petition,
            names=names,
            has_more_names=has_more_names,
            countries=countries.all_in(current()) if choice else (),
            text=Markup(page.html),  # noqa: S704 - sanitised
            others=[_text_in("reading.campaign", tag, slug, via) for tag in there if tag != page.headline.language],
            address=Pages(site().settings.base_url, page.headline.language).campaign(slug),
            is_shared=page.is_current and not page.headline.is_stop,
            sign_up=url("joining.join", union=via.slug) if via else url("joining.sign_up"),
            is_translated=page.headline.language in languages.forms(language),
        )
    )


@reading.get("/cases/<slug>")
def case(slug: str) -> Response:
    """One case with its history and the campaigns about it, in a language as for a campaign."""
    with site().session(read_only=True) as session:
        try:
            found = case_pages.find(session, slug)
        except case_pages.NoPage:
            abort(404)
        there = [text.language for text in found.texts]
        language = _language_among(there)
        page = case_pages.page(session, found, language=language)
    return _fresh(
        render_template(
            "reading/case.html",
            page=page,
            text=Markup(page.html),  # noqa: S704 - sanitised
            statuses=_statuses(),
            turns=_turns(),
            others=[_text_in("reading.case", tag, slug) for tag in there if tag != page.language],
            is_translated=page.language in languages.forms(language),
        )
    )


def _language_among(there: Collection[str]) -> str:
    """The language of the reader of something that is written in some languages; 404 if its address asks for another
    one by `text`."""
    asked = request.args.get("text")
    if asked is not None and asked not in there:
        abort(404)
    return asked or in_address() or wished(there) or current()


def _text_in(endpoint: str, tag: str, slug: str, via: Union | None = None) -> tuple[str, str, str]:
    """A text in another language, maybe one that the site does not speak: tag, name and address."""
    wanted = {"language": tag} if tag in LANGUAGES else {"text": tag}
    through = {"union": via.slug} if via else {}
    return tag, languages.name(tag), url(endpoint, slug=slug, **wanted, **through)


def _fresh(page: str) -> Response:
    """A page of which a browser asks each time whether it has changed: what is stopped must not be read as it was."""
    answer = Response(page, content_type="text/html; charset=utf-8")
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _statuses() -> dict[PersonStatus, str]:
    """What has become of a person, in words."""
    return {
        PersonStatus.THREATENED: _("threatened"),
        PersonStatus.MISSING: _("missing"),
        PersonStatus.ARRESTED: _("arrested"),
        PersonStatus.CHARGED: _("charged"),
        PersonStatus.SENTENCED: _("sentenced"),
        PersonStatus.RELEASED: _("released"),
        PersonStatus.ACQUITTED: _("acquitted"),
        PersonStatus.DEAD: _("dead"),
    }


def _turns() -> dict[CaseEventKind, str]:
    """What the history says of what we did."""
    return {
        CaseEventKind.STOPPED: _("We asked everybody not to write any more."),
        CaseEventKind.REOPENED: _("We said that people may write again."),
        CaseEventKind.CLOSED: _("This action has ended."),
    }


# --- the feed -------------------------------------------------------------------------------------------------------


@reading.get("/feed.atom")
def feed() -> Response:
    """The newest campaigns as an Atom feed (RFC 4287)."""
    with site().session(read_only=True) as session:
        campaigns, _has_older = publishing.archive(session, current())
        withdrawn = publishing.withdrawn(session)
    answer = Response(_atom(campaigns, withdrawn), content_type="application/atom+xml; charset=utf-8")
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _atom(campaigns: Sequence[Headline], withdrawn: Sequence[TakenDown]) -> bytes:
    settings = site().settings
    organisation = agreement.organisation()
    address = settings.base_url + url("reading.feed")
    root = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xmlns:at": _TOMBSTONES, "xml:lang": current()})
    _add(root, "id", address)
    _add(root, "title", organisation)
    _add(
        root,
        "updated",
        _moment(max((*(each.updated for each in campaigns), *(each.when for each in withdrawn)), default=_NEVER)),
    )
    _add(root, "link", rel="self", type="application/atom+xml", href=address)
    _add(root, "link", rel="alternate", type="text/html", href=settings.base_url + url("reading.archive"))
    _add(SubElement(root, "author"), "name", organisation)
    for campaign in campaigns:
        title, summary, language = _as_text(campaign)
        entry = SubElement(root, "entry", {"xml:lang": language})
        _add(entry, "id", campaign.id.urn)
        _add(entry, "title", title)
        _add(entry, "published", _moment(campaign.since))
        _add(entry, "updated", _moment(campaign.updated))
        page = settings.base_url + url("reading.campaign", slug=campaign.slug)
        _add(entry, "link", rel="alternate", type="text/html", href=page)
        _add(entry, "summary", summary)
    for gone in withdrawn:
        _add(root, "at:deleted-entry", ref=gone.id.urn, when=_moment(gone.when))
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _as_text(campaign: Headline) -> tuple[str, str, str]:
    """Title and summary of a campaign as plain text, and the language of both: of one on which nobody is to act, that
    of this page."""
    title = isolation.in_text(campaign.title, languages.direction(current()))
    words = campaign.told.words.text if campaign.told.words else ""
    match campaign.told.asking:
        case Asking.OPEN if not campaign.is_over:
            return campaign.title, campaign.summary, campaign.language
        case Asking.STOPPED:
            title = _("Please do not write any more: {title}", title=title)
            said = _(
                "We asked people to write. Now it could do harm: please send nothing more, and do not pass this on."
            )
        case _:
            title, said = _("Ended: {title}", title=title), _("This action has ended.")
    return title, publishing.one_line(f"{said} {words}"), current()


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
