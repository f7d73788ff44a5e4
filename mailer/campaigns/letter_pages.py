"""Pages from which people send letters: to whom, as that is known now, and the letter in every form that sends it.

A page is the same for all who write to a target. It knows nothing of its reader but the language, so that no letter on
it says who sends it, or from where.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.campaigns import addressees, case_pages, kinds, letters, publishing, segments
from mailer.campaigns.letters import Letter, Letters, Written
from mailer.campaigns.publishing import Headline, NotPublished, Withdrawn
from mailer.cases.sayable import Sayable, Words
from mailer.cases.targets import Target, Targets
from mailer.errors import MailerError
from mailer.mail import draft, mailto
from mailer.mail.headers import UnusableAddress
from mailer.store.models import Asking, Campaign, CampaignStatus, TargetRole

#: to whom one writes as to a friend, and nobody else reads along
_WRITTEN_TO_ALONE = frozenset({TargetRole.PRISONER, TargetRole.SOLIDARITY})


class NoSuchTarget(MailerError):
    """Campaign "{slug}" asks nobody to write to a target "{target}"."""


class NothingToSend(MailerError):
    """There is no letter to send by e-mail to target "{target}" in campaign "{slug}"."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter as somebody reads it or sends it, and the language that it is in."""

    language: str
    written: Written


@dataclass(frozen=True, slots=True)
class Rules:
    """What not to write."""

    language: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """Which of its wordings a letter has."""

    number: int  # from 0
    of: int  # how many there are


@dataclass(frozen=True, slots=True)
class Mailto:
    """A link that opens the letter in a mail program."""

    address: str
    has_text: bool  # else it is too long, and is copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """To whom to write now, and what."""

    target: Target
    name: str  # of the target, in the reader's language if it has one in that
    url: str  # of the target; "" for one that is no address of the web
    copy_to: Target | None  # who gets a copy
    rules: Rules | None
    letter: Sent | None  # none where it is to be written in one's own words
    reading: Sent | None  # the same letter, for a reader who does not read that one
    wording: Wording | None  # of the letter
    asks: tuple[Words, ...]  # what to write in one's own words
    mailto: Mailto | None  # none without an address

    @property
    def has_draft(self) -> bool:
        """Whether the letter can be had as a file that opens as a new mail."""
        return self.letter is not None and self.mailto is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPage:
    """A campaign's page for those who write to a target."""

    headline: Headline
    is_cancelled: bool
    home: str  # the countries in which nobody should write, as a sentence lists them; "" for none
    writing: Writing | None  # none once nobody is to write any more


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicePage:
    """A campaign's page for those who look for whom to write to."""

    headline: Headline
    is_cancelled: bool
    home: str  # as above
    is_open: bool  # whether people are asked to write
    is_by_country: bool  # whether that depends on where they live
    targets: tuple[tuple[str, str], ...]  # whom they write to: slug and name


def find(session: Session, slug: str) -> Campaign:
    """The public campaign of that slug, if it asks people to write to targets of the book.

    :raises NotPublished: it asks for nothing like that, or as `publishing.find`.
    :raises Withdrawn: as `publishing.find`.
    """
    return _with_targets(publishing.find(session, slug))


def find_unlisted(session: Session, campaign_id: int) -> Campaign:
    """Likewise one that maybe not everyone may read."""
    return _with_targets(publishing.find_unlisted(session, campaign_id))


def _with_targets(campaign: Campaign) -> Campaign:
    if not campaign.ask:
        raise NotPublished(slug=campaign.slug)
    return campaign


def choice(session: Session, campaign: Campaign, *, language: str, chosen: Iterable[str] | None = None) -> ChoicePage:
    """Whom somebody may write to.

    :param language: of the page.
    :param chosen: slugs of those whom they were told to write to; None before they said where they live.
    :raises NoSuchTarget: the campaign does not ask to write to one of them.
    """
    headline = publishing.headline_of(session, campaign, language)
    is_open, targets, by_country = _is_open(campaign, headline), [], False
    if is_open:
        there = addressees.writable(session, campaign)
        by_country = any(target.countries or target.groups for target in there)
        if chosen is not None:
            targets = _pick(campaign, {target.slug: target for target in there}, chosen)
        elif not by_country:
            targets = there.of_roles(_roles(campaign), None)
    return ChoicePage(
        headline=headline,
        is_cancelled=campaign.status is CampaignStatus.CANCELLED,
        home=publishing.home(campaign, language) if is_open else "",
        is_open=is_open,
        is_by_country=by_country,
        targets=tuple((target.slug, target.name_for(language)) for target in targets),
    )


def slugs_for(session: Session, campaign: Campaign, country: str) -> list[str]:
    """Whom people in a country are asked to write to, in the order of the roles: nobody, if they live under the
    authorities that are addressed.

    :param country: ISO 3166-1 alpha-2.
    """
    if country in segments.home_of(campaign):
        return []
    meant = addressees.writable(session, campaign).of_roles(_roles(campaign), country)
    return [target.slug for target in meant]


def page(session: Session, campaign: Campaign, slug: str, *, number: int, language: str, shown_in: str) -> LetterPage:
    """The page for those who write to a target.

    :param slug: of the target; which one it is does not matter once nobody is to write any more.
    :param number: of the wording: from 0, those beyond what there is begin again.
    :param language: of the reader, for what they read of letters and cases.
    :param shown_in: the language of what stands around these.
    :raises NoSuchTarget: the campaign does not ask to write to that.
    :raises Withdrawn: a word that must not appear stands in what is known of the target.
    """
    headline = publishing.headline_of(session, campaign, language)
    is_open = _is_open(campaign, headline)
    return LetterPage(
        headline=headline,
        is_cancelled=campaign.status is CampaignStatus.CANCELLED,
        home=publishing.home(campaign, shown_in) if is_open else "",
        writing=_writing(session, campaign, slug, number, language, shown_in) if is_open else None,
    )


def draft_of(session: Session, campaign: Campaign, slug: str, *, number: int) -> bytes:
    """The letter to a target as a mail that opens unsent.

    :param number: as for `page`.
    :raises NothingToSend: nobody is to write any more, or not like that.
    :raises NoSuchTarget: as for `page`.
    :raises Withdrawn: as for `page`.
    """
    own = campaign.language
    writing = page(session, campaign, slug, number=number, language=own, shown_in=own).writing
    if writing is None or writing.letter is None or writing.mailto is None:
        raise NothingToSend(slug=campaign.slug, target=slug)
    return draft.letter(
        to=writing.target.email,
        cc=writing.copy_to.email if writing.copy_to else "",
        subject=writing.letter.written.subject,
        text=writing.letter.written.text,
        language=writing.letter.language,
    )


def _is_open(campaign: Campaign, headline: Headline) -> bool:
    is_asked = kinds.of(campaign).asks and headline.told.asking is Asking.OPEN
    return is_asked and campaign.status is not CampaignStatus.CANCELLED and not headline.is_over


def _roles(campaign: Campaign) -> list[TargetRole]:
    return list(map(TargetRole, campaign.ask))


def _pick(campaign: Campaign, there: dict[str, Target], chosen: Iterable[str]) -> list[Target]:
    try:
        return [there[slug] for slug in dict.fromkeys(chosen)]
    except KeyError as missing:
        raise NoSuchTarget(slug=campaign.slug, target=missing.args[0]) from None


def _writing(session: Session, campaign: Campaign, slug: str, number: int, language: str, shown_in: str) -> Writing:
    target = addressees.find(session, campaign, slug)
    if target is None or target.role is None:
        raise NoSuchTarget(slug=campaign.slug, target=slug)
    may = Sayable(campaign.case)
    if not may.may_say(*target.words):
        raise Withdrawn(slug=campaign.slug)
    there = Letters(campaign)
    place = there.place(target)
    letter = there.get(place.role, place.language) if place.language else None
    sent = _sent(letter, target, number)
    copy_to = _copy_to(campaign, target, may)
    rules = there.rules(place.role, language)
    asks = case_pages.asks(campaign.case, may, language) if campaign.case and letter is None else ()
    return Writing(
        target=target,
        name=target.name_for(shown_in),
        url=target.url if target.url.startswith(("https://", "http://")) else "",
        copy_to=copy_to,
        rules=Rules(rules[0], tuple(letters.paragraphs(rules[1]))) if rules else None,
        letter=sent,
        reading=_sent(there.reading(place, language), target, number),
        wording=Wording(number % letter.wordings, letter.wordings) if letter else None,
        asks=tuple(asks),
        mailto=_mailto(target, copy_to, sent),
    )


def _sent(letter: Letter | None, target: Target, number: int) -> Sent | None:
    return Sent(letter.language, letter.written(number, letter.values_for(target))) if letter else None


def _copy_to(campaign: Campaign, target: Target, may: Sayable) -> Target | None:
    """Who gets a copy of what people in the target's country write, else of what everybody writes."""
    if campaign.case is None or not campaign.case.copy_to or target.role in _WRITTEN_TO_ALONE:
        return None
    country = target.countries[0] if len(target.countries) == 1 and not target.groups else None
    found = Targets.stored(campaign.case.copy_to).for_country(country)
    is_target = found is not None and bool(found.email) and found.email == target.email
    return found if found and not is_target and may.may_say(*found.words) else None


def _mailto(target: Target, copy_to: Target | None, sent: Sent | None) -> Mailto | None:
    if not target.email:
        return None
    cc, letter = copy_to.email if copy_to else "", sent.written if sent else Written("", "")
    try:
        return Mailto(*mailto.fitting(target.email, cc=cc, subject=letter.subject, body=letter.text))
    except UnusableAddress:  # an address that no mail program takes either
        return None
