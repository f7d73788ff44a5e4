"""Publishing: campaigns as pages for everyone, read by nobody in particular.

A page knows nothing of its reader but the language: no name, no country, no union. Where a mail would name the target
for the reader's country, a page names the one for everyone else, and lists all of them.
"""

import functools
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

from babel.lists import format_list
from markdown_it.token import Token
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, selectinload

from mailer.campaigns import deadlines, editions
from mailer.cases.targets import NOBODY, Target, Targets
from mailer.errors import MailerError
from mailer.locale import countries, languages
from mailer.mail import markdown
from mailer.mail.html_slots import cut_html
from mailer.mail.markers import Markers
from mailer.mail.merge import fill
from mailer.mail.types import Pieces
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus, CampaignText

PER_PAGE = 20  # campaigns of the archive

#: what stands where a mail has something personal, and its author gave no default
_BLANK = "…"
#: XML 1.0, 2.2: what no feed may hold
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


class NotPublished(MailerError):
    """There is no page for campaign "{slug}": it does not exist, is not public, or has not started."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A campaign as a list of them shows it."""

    slug: str
    id: uuid.UUID  # stays, wherever the site moves
    language: str  # of title and summary
    title: str  # one line
    summary: str  # one line
    since: datetime  # when it began
    deadline: datetime | None
    is_over: bool  # whether nobody should act on it any more


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom people in some countries are asked to write to."""

    countries: str  # their names, as a sentence lists them; "" for everyone else
    name: str
    email: str  # "" if there is none
    address: str

    @property
    def mailto(self) -> str:
        """A link to write to them (RFC 6068)."""
        return f"mailto:{quote(self.email, safe='@')}"


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """A campaign as everyone may read it."""

    headline: Headline
    html: str  # sanitised; its highest headings are h2
    is_cancelled: bool
    addressees: tuple[Addressee, ...]  # by country; the one for everyone else comes last


def archive(session: Session, language: str, *, page: int = 1) -> tuple[list[Headline], bool]:
    """Public campaigns that have been sent or are being sent, the newest first.

    :param language: of the reader; a campaign that has no text in it comes in its own.
    :param page: from 1.
    :returns: at most PER_PAGE of them, and whether there are older ones.
    """
    found = session.scalars(_newest().offset((page - 1) * PER_PAGE).limit(PER_PAGE + 1)).all()
    now = db.now(session)
    return [_headline(campaign, language, now) for campaign in found[:PER_PAGE]], len(found) > PER_PAGE


def current(session: Session, language: str) -> Headline | None:
    """The newest public campaign whose deadline is to come; None where there is none.

    :param language: of the reader, as for `archive`.
    """
    campaign = _to_act_on(session)
    return None if campaign is None else _headline(campaign, language, db.now(session))


def current_for(session: Session, language: str, country: str | None) -> tuple[Headline, Target | None] | None:
    """Likewise, for somebody who lives in a country: the title names whom they write to, who comes with it."""
    campaign = _to_act_on(session)
    if campaign is None:
        return None
    target = Targets.stored(campaign.targets).for_country(country)
    text = _text(campaign, language)
    title = _line(text.subject, language, target)
    return replace(_headline(campaign, language, db.now(session)), title=title), target


def _to_act_on(session: Session) -> Campaign | None:
    return session.scalar(_newest().where(Campaign.deadline >= db.now(session)).limit(1))


def find(session: Session, slug: str) -> Campaign:
    """The campaign that everyone may read under that slug.

    One that was paused after it began stays where mails link to it, and so does one that was cancelled.

    :raises NotPublished: it is not public, it has not begun, or there is none.
    """
    was_stopped = and_(
        Campaign.started_at.is_not(None), Campaign.status.in_([CampaignStatus.PAUSED, CampaignStatus.CANCELLED])
    )
    readable = select(Campaign).where(Campaign.slug == slug, Campaign.public, or_(_is_out(), was_stopped))
    campaign = session.scalar(readable)
    if campaign is None:
        raise NotPublished(slug=slug)
    return campaign


def page(session: Session, campaign: Campaign, *, language: str, shown_in: str) -> CampaignPage:
    """A campaign's page.

    :param language: of the reader; where there is no text in it, they get the campaign's own.
    :param shown_in: the language of what stands around the text, and so of the names of countries.
    """
    text = _text(campaign, language)
    return CampaignPage(
        headline=_headline(campaign, language, db.now(session)),
        html=_html(text.body, language, Targets.stored(campaign.targets).fallback),
        is_cancelled=campaign.status is CampaignStatus.CANCELLED,
        addressees=_addressees(map(Target.from_json, campaign.targets), shown_in),
    )


def title(campaign: Campaign, language: str) -> str:
    """What a campaign is called, in one line, for somebody of whom only the language is known."""
    return _line(_text(campaign, language).subject, language, Targets.stored(campaign.targets).fallback)


def _newest() -> Select[Campaign]:
    lines = selectinload(Campaign.texts).load_only(CampaignText.language, CampaignText.subject, CampaignText.preheader)
    begun = func.coalesce(Campaign.started_at, Campaign.created_at)
    return select(Campaign).where(_is_out()).options(lines).order_by(begun.desc(), Campaign.id.desc())


def _is_out() -> ColumnElement[bool]:
    return and_(Campaign.public, Campaign.status.in_([CampaignStatus.SENDING, CampaignStatus.SENT]))


def _text(campaign: Campaign, language: str) -> CampaignText:
    """The text that `editions.Texts` would choose, without reading all of them."""
    texts = {text.language: text for text in campaign.texts}
    return texts[languages.nearest(language, texts, campaign.fallbacks) or campaign.language]


def _headline(campaign: Campaign, language: str, now: datetime) -> Headline:
    text = _text(campaign, language)
    fallback = Targets.stored(campaign.targets).fallback
    return Headline(
        slug=campaign.slug,
        id=_identity(campaign),
        language=text.language,
        title=_line(text.subject, language, fallback),
        summary=_line(text.preheader, language, fallback),
        since=campaign.started_at or campaign.created_at,
        deadline=campaign.deadline,
        is_over=deadlines.is_over(campaign, now),
    )


def _identity(campaign: Campaign) -> uuid.UUID:
    """Of the salt too, since other installations may have a campaign of that name; hashed, since it is a secret."""
    return uuid.UUID(bytes=sha256(campaign.salt + campaign.slug.encode()).digest()[:16], version=4)


# --- words ----------------------------------------------------------------------------------------------------------


def _line(written: str, language: str, target: Target | None) -> str:
    """A subject or a preheader as one line of plain text."""
    words = fill(_wording(written, language), _values(target))
    return " ".join(_NOT_IN_XML.sub("", words).split())


# A link in a hundred thousand mails is followed by many at once; and nothing in a page is anybody's.
@functools.lru_cache(maxsize=64)
def _html(written: str, language: str, target: Target | None) -> str:
    """A body as sanitised HTML."""
    markers = Markers()
    marked = _NOT_IN_XML.sub("", markers.mark(_wording(written, language)))
    tokens = markdown.read(marked, markers, empty=(target or NOBODY).empty_fields)
    _put_below_title(tokens)
    return fill(cut_html(markdown.to_html(tokens), markers), _values(target), blank=_BLANK)


def _wording(written: str, language: str) -> Pieces:
    """What somebody reads of whom only the language is known."""
    template = editions.parse_source(written, file="")  # it was accepted when it was loaded: no error will name a file
    return template.resolve(template.variant({"language": languages.forms(language), "country": (), "union": ()}))


def _values(target: Target | None) -> dict[str, str]:
    return target.values if target else {}


def _put_below_title(tokens: Sequence[Token]) -> None:
    """Let a text's highest headings be h2: the page's title is its h1."""
    headings = [token for token in tokens if token.tag in _HEADINGS]
    shift = 2 - min((_HEADINGS[token.tag] for token in headings), default=2)
    for token in headings:
        token.tag = f"h{min(6, _HEADINGS[token.tag] + shift)}"


# --- addressees -----------------------------------------------------------------------------------------------------


def _addressees(targets: Iterable[Target], language: str) -> tuple[Addressee, ...]:
    order = {code: place for place, (code, _name) in enumerate(countries.all_in(language))}
    listed = []
    for target in targets:
        places = sorted((order.get(code, len(order)), code) for code in target.states)
        names = [countries.name(code, language) for _place, code in places]
        of_countries = format_list(names, locale=languages.locale(language)) if names else ""
        first = places[0][0] if places else len(order) + 1
        listed.append((first, Addressee(of_countries, target.name, target.email, target.address)))
    return tuple(addressee for _first, addressee in sorted(listed, key=lambda item: item[0]))
