"""Publishing: campaigns as pages for everyone, read by nobody in particular.

A page knows nothing of its reader but the language: no name, no country, no union. Where a mail would name the target
for the reader's country, a page names the one for everyone else, and lists all of them.
"""

import functools
import itertools
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

from mailer.campaigns import (
    addressees,
    asking,
    deadlines,
    editions,
    kinds,
    letters,
    petitions,
    segments,
    tallies,
    telling,
)
from mailer.campaigns.tallies import Tally
from mailer.campaigns.telling import Told
from mailer.cases import cases
from mailer.cases.sayable import Sayable
from mailer.cases.targets import NOBODY, Target, Targets
from mailer.errors import MailerError
from mailer.locale import countries, country_groups, languages
from mailer.mail import markdown
from mailer.mail.html_slots import cut_html
from mailer.mail.markers import Markers
from mailer.mail.merge import fill
from mailer.mail.types import Pieces
from mailer.store import db
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignStatus,
    CampaignText,
    CaseEvent,
    CaseEventKind,
    HomeRule,
    TargetRole,
)

PER_PAGE = 20  # campaigns of the archive

#: what stands where a mail has something personal, and its author gave no default
_BLANK = "…"
#: XML 1.0, 2.2: what no feed may hold
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
#: in our own HTML: what is pressed to act, and a link to write to somebody
_BUTTON = re.compile(r'<p class="action">.*?</p>\n?', re.DOTALL)
_TO_WRITE = re.compile(r'<a href="mailto:[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
#: how many countries a sentence names one by one
_FEW = 3
#: how many campaigns that were taken down the feed speaks of, the latest ones
_MOST_WITHDRAWN = 100


class NotPublished(MailerError):
    """There is no page for campaign "{slug}": it does not exist, is not public, or has not started."""


class Withdrawn(MailerError):
    """Campaign "{slug}" was taken down, or a word stands in it that must not appear."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A campaign as a list of them shows it."""

    slug: str
    id: uuid.UUID  # stays, wherever the site moves
    language: str  # of title and summary
    title: str  # one line
    summary: str  # one line
    since: datetime  # when it began
    deadline: datetime | None  # none where nobody is asked to act
    over_since: datetime | None  # when it became too late to act; none where it did not
    told: Told  # whether people are asked to act, or why not
    kind: str | None  # what its mail is headed by, in English; None for a kind that asks people to act
    is_stop: bool  # whether it says that nobody should write any more

    @property
    def is_over(self) -> bool:
        """Whether it is too late to act."""
        return self.over_since is not None

    @property
    def updated(self) -> datetime:
        """When what readers are told of it last changed."""
        return max(self.since, self.told.changed_at or self.since, self.over_since or self.since)


@dataclass(frozen=True, slots=True)
class TakenDown:
    """What is left of a campaign that was withdrawn, for those who keep copies."""

    id: uuid.UUID  # as `Headline.id`
    when: datetime


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
    html: str  # sanitised; its highest headings are h2; "" if nobody is to read it any more
    is_cancelled: bool
    addressees: tuple[Addressee, ...]  # by country; the one for everyone else comes last
    home: str  # the countries in which nobody should act on it, as a sentence lists them; "" for none
    tallies: tuple[Tally, ...]  # how many acted
    case_slug: str | None  # of its case, if that has a page of its own

    @property
    def is_current(self) -> bool:
        """Whether it holds as it was written: nobody ended it, and it is not too late."""
        return self.headline.told.asking is Asking.OPEN and not (self.is_cancelled or self.headline.is_over)


def archive(session: Session, language: str, *, page: int = 1) -> tuple[list[Headline], bool]:
    """Public campaigns that have been sent or are being sent, and those on which nobody is to act any more; the newest
    first.

    :param language: of the reader; a campaign that has no text in it comes in its own.
    :param page: from 1.
    :returns: at most PER_PAGE of them, and whether there are older ones.
    """
    found = session.scalars(_newest().offset((page - 1) * PER_PAGE).limit(PER_PAGE + 1)).all()
    return _headlines(session, _sayable(session, found[:PER_PAGE]), language), len(found) > PER_PAGE


def about(session: Session, case_id: int, language: str) -> list[Headline]:
    """Those about a case, the newest first."""
    found = session.scalars(_newest().where(Campaign.case_id == case_id))
    return _headlines(session, _sayable(session, found), language)


def readable(session: Session, case_id: int) -> Sequence[str]:
    """The slugs of those about a case that can be read, on a page or in kits, whatever is told of them."""
    anywhere = or_(Campaign.public, Campaign.forwardable)
    about_it = (Campaign.case_id == case_id, anywhere, or_(_is_out(), _was_out()), Campaign.asking != Asking.WITHDRAWN)
    return session.scalars(select(Campaign.slug).where(*about_it).order_by(Campaign.slug)).all()


def withdrawn(session: Session) -> list[TakenDown]:
    """Public campaigns that were taken down, the latest first."""
    when = func.coalesce(func.max(CaseEvent.created_at), Campaign.started_at)
    is_about_it = and_(CaseEvent.campaign_id == Campaign.id, CaseEvent.kind == CaseEventKind.WITHDRAWN)
    taken_down = (
        select(Campaign.salt, Campaign.slug, when)
        .outerjoin(CaseEvent, is_about_it)
        .where(Campaign.public, Campaign.started_at.is_not(None), Campaign.asking == Asking.WITHDRAWN)
        .group_by(Campaign.id)
        .order_by(when.desc(), Campaign.id.desc())
        .limit(_MOST_WITHDRAWN)
    )
    return [TakenDown(_identity(salt, slug), moment) for salt, slug, moment in session.execute(taken_down)]


def current(session: Session, language: str, country: str | None) -> Headline | None:
    """The newest public campaign on which somebody can still act, and may be asked to; None where there is none.

    :param language: of the reader, as for `archive`.
    :param country: in which they live; nobody is asked to act on what addresses the authorities there.
    """
    campaign = _to_act_on(session, country)
    return None if campaign is None else headline_of(session, campaign, language)


def current_for(session: Session, language: str, country: str | None) -> tuple[Headline, Target | None] | None:
    """Likewise, with a title that names whom they write to, who comes with it."""
    campaign = _to_act_on(session, country)
    if campaign is None:
        return None
    target = Targets.stored(campaign.targets).for_country(country) or _first_asked(session, campaign, language, country)
    text = _text(campaign, language)
    return replace(headline_of(session, campaign, language), title=_line(text.subject, language, target)), target


def _first_asked(session: Session, campaign: Campaign, language: str, country: str | None) -> Target | None:
    """The first to whom people in a country write of those with the roles that a campaign asks for."""
    targets = addressees.writable(session, campaign).of_roles(map(TargetRole, campaign.ask), country)
    return replace(targets[0], name=targets[0].name_for(language, campaign.fallbacks)) if targets else None


def _to_act_on(session: Session, country: str | None) -> Campaign | None:
    with_time = _newest().where(asking.is_open(), Campaign.deadline >= db.now(session))
    may_be = (each for each in session.scalars(with_time) if _may_be_asked(each, country))
    return next((each for each in may_be if is_sayable(session, each)), None)


def _may_be_asked(campaign: Campaign, country: str | None) -> bool:
    """Whether somebody who lives in a country, or did not say in which, may be asked to act on a campaign."""
    home = segments.home_of(campaign)
    if country is None:
        return not home or campaign.unknown_home is HomeRule.INCLUDE
    return country not in home


def find(session: Session, slug: str) -> Campaign:
    """The campaign that everyone may read under that slug.

    One that was paused after it began stays where mails link to it, and so does one that was cancelled.

    :raises NotPublished: it is not public, it has not begun, or there is none.
    :raises Withdrawn: it was taken down, or holds a word that must not appear.
    """
    campaign = session.scalar(select(Campaign).where(Campaign.slug == slug, Campaign.public, _has_begun()))
    return _not_withdrawn(session, campaign, slug)


def find_unlisted(session: Session, campaign_id: int) -> Campaign:
    """Likewise one that maybe not everyone may read, for somebody who has an address that nobody can guess.

    :raises NotPublished: it has not begun, or there is none.
    :raises Withdrawn: as for `find`.
    """
    campaign = session.scalar(select(Campaign).where(Campaign.id == campaign_id, _has_begun()))
    return _not_withdrawn(session, campaign, str(campaign_id))


def of_mail(session: Session, campaign_id: int) -> Campaign:
    """Likewise for somebody who has a mail of it, maybe a test.

    :raises Withdrawn: as for `find`.
    """
    return _not_withdrawn(session, session.get(Campaign, campaign_id), str(campaign_id))


def _not_withdrawn(session: Session, campaign: Campaign | None, slug: str) -> Campaign:
    if campaign is None:
        raise NotPublished(slug=slug)
    if asking.of(campaign) is Asking.WITHDRAWN or not is_sayable(session, campaign):
        raise Withdrawn(slug=campaign.slug)
    return campaign


def is_sayable(session: Session, campaign: Campaign) -> bool:
    """Whether nothing stands in a campaign that must not appear. It was looked at before it went out, but its case may
    have been told of a word since."""
    if campaign.case is None or not campaign.case.never:
        return True
    # A list of campaigns has no bodies.
    columns = select(CampaignText.subject, CampaignText.preheader, CampaignText.body)
    texts = session.execute(columns.where(CampaignText.campaign_id == campaign.id).order_by(CampaignText.id))
    targets = ((target["name"], target["email"], target["address"]) for target in campaign.targets)
    written = itertools.chain.from_iterable((*texts, *targets))
    in_letters = (part.words for letter in campaign.letters for part in letters.parts(letter)) if campaign.ask else ()
    petition = petitions.of(campaign)
    to = petition.to.values() if petition else ()
    return Sayable(campaign.case).may_say(campaign.slug, *written, *in_letters, *to)


def _sayable(session: Session, campaigns: Iterable[Campaign]) -> list[Campaign]:
    return [campaign for campaign in campaigns if is_sayable(session, campaign)]


def page(session: Session, campaign: Campaign, *, language: str, shown_in: str) -> CampaignPage:
    """A campaign's page.

    :param language: of the reader; where there is no text in it, they get the campaign's own.
    :param shown_in: the language of what stands around the text, and so of the names of countries.
    """
    headline = headline_of(session, campaign, language)
    case, today = campaign.case, db.now(session).date()
    is_cancelled = campaign.status is CampaignStatus.CANCELLED
    is_open = headline.told.asking is Asking.OPEN and not is_cancelled and not headline.is_over
    asks = is_open and kinds.of(campaign).asks
    html = ""
    if headline.told.asking is not Asking.STOPPED:  # what it says is to write
        html = _html(_text(campaign, language).body, language, Targets.stored(campaign.targets).fallback)
    return CampaignPage(
        headline=headline,
        html=html if is_open else _without_calls(html),
        is_cancelled=is_cancelled,
        addressees=_addressees(map(Target.from_json, campaign.targets), shown_in) if asks else (),
        home=home(campaign, shown_in) if asks else "",
        tallies=tallies.of(session, campaign),
        case_slug=case.slug if case is not None and cases.has_page(case, today) else None,
    )


def _without_calls(html: str) -> str:
    """A text with nothing in it to press by which one would act."""
    return _TO_WRITE.sub(r"\1", _BUTTON.sub("", html))


def home(campaign: Campaign, language: str) -> str:
    """Where readers live who should not act on what a page says, as a sentence lists it, also if a mail has words of
    their own for them: here are those for others. "" for nowhere.

    :param language: of the names of countries.
    """
    there = segments.home_of(campaign)
    if not there:
        return ""
    state = country_groups.state_of(str(campaign.about))
    places = [state, *sorted(there - {state})] if len(there) <= _FEW else [state]
    return str(format_list([countries.name(code, language) for code in places], locale=languages.locale(language)))


def title(campaign: Campaign, language: str) -> str:
    """What a campaign is called, in one line, for somebody of whom only the language is known."""
    return _line(_text(campaign, language).subject, language, Targets.stored(campaign.targets).fallback)


def _newest() -> Select[Campaign]:
    lines = selectinload(Campaign.texts).load_only(CampaignText.language, CampaignText.subject, CampaignText.preheader)
    begun = func.coalesce(Campaign.started_at, Campaign.created_at)
    is_listed = or_(_is_out(), and_(_was_out(), asking.has_ended()))
    return (
        select(Campaign)
        .where(Campaign.public, is_listed, Campaign.asking != Asking.WITHDRAWN)
        .options(lines, selectinload(Campaign.case))
        .order_by(begun.desc(), Campaign.id.desc())
    )


def _has_begun() -> ColumnElement[bool]:
    return or_(_is_out(), _was_out())


def _is_out() -> ColumnElement[bool]:
    return Campaign.status.in_(deadlines.OUT)


def _was_out() -> ColumnElement[bool]:
    interrupted = [CampaignStatus.PAUSED, CampaignStatus.CANCELLED]
    return and_(Campaign.started_at.is_not(None), Campaign.status.in_(interrupted))


def _text(campaign: Campaign, language: str) -> CampaignText:
    """The text that `editions.Texts` would choose, without reading all of them."""
    texts = {text.language: text for text in campaign.texts}
    return texts[languages.nearest(language, texts, campaign.fallbacks) or campaign.language]


def headline_of(session: Session, campaign: Campaign, language: str) -> Headline:
    """A campaign as a list shows it.

    :param language: of the reader, as for `archive`.
    """
    [headline] = _headlines(session, [campaign], language)
    return headline


def _headlines(session: Session, campaigns: Sequence[Campaign], language: str) -> list[Headline]:
    now, told = db.now(session), telling.of_all(session, campaigns, language)
    return [_headline(campaign, language, now, told[campaign.id]) for campaign in campaigns]


def _headline(campaign: Campaign, language: str, now: datetime, told: Told) -> Headline:
    text, kind = _text(campaign, language), kinds.of(campaign)
    fallback = Targets.stored(campaign.targets).fallback
    asks = kind.asks and told.asking is Asking.OPEN
    return Headline(
        slug=campaign.slug,
        id=_identity(campaign.salt, campaign.slug),
        language=text.language,
        title=_line(text.subject, language, fallback),
        summary=_line(text.preheader, language, fallback),
        since=campaign.started_at or campaign.created_at,
        deadline=campaign.deadline if asks else None,
        over_since=deadlines.until(campaign) if kind.asks and deadlines.is_over(campaign, now) else None,
        told=told,
        kind=None if kind.asks else kind.heading,
        is_stop=campaign.kind == kinds.STOP,
    )


def _identity(salt: bytes, slug: str) -> uuid.UUID:
    """Of the salt too, since other installations may have a campaign of that name; hashed, since it is a secret."""
    return uuid.UUID(bytes=sha256(salt + slug.encode()).digest()[:16], version=4)


# --- words ----------------------------------------------------------------------------------------------------------


# A link in a hundred thousand mails is followed by many at once; and nothing in a page is anybody's. To read a template
# takes longer than to look for its text.
@functools.lru_cache(maxsize=512)
def _line(written: str, language: str, target: Target | None) -> str:
    """A subject or a preheader as one line of plain text."""
    return one_line(fill(_wording(written, language), _values(target)))


def one_line(words: str) -> str:
    """Words as one line that any document can hold."""
    return " ".join(_NOT_IN_XML.sub("", words).split())


@functools.lru_cache(maxsize=64)  # as above
def _html(written: str, language: str, target: Target | None) -> str:
    """A body as sanitised HTML."""
    markers = Markers()
    marked = _NOT_IN_XML.sub("", markers.mark(_wording(written, language)))
    tokens = markdown.read(marked, markers, empty=(target or NOBODY).empty_fields)
    put_below_title(tokens)
    return fill(cut_html(markdown.to_html(tokens), markers), _values(target), blank=_BLANK)


def _wording(written: str, language: str) -> Pieces:
    """What somebody reads of whom only the language is known."""
    template = editions.parse_source(written, file="")  # it was accepted when it was loaded: no error will name a file
    return template.resolve(template.variant({"language": languages.forms(language), "country": (), "union": ()}))


def _values(target: Target | None) -> dict[str, str]:
    return target.values if target else {}


def put_below_title(tokens: Sequence[Token]) -> None:
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
