"""Signatures: the names of those who want theirs shown below a petition or handed over with it, and nobody else's.

Who lives where the authorities are has no row here. It is asked once more whenever a name is told: a case may have
been corrected since, or have been told of a word that must not appear, and people move.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Select, and_, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from mailer.campaigns import petitions, publishing, segments
from mailer.campaigns.petitions import Petition
from mailer.cases.sayable import Sayable, Words
from mailer.errors import MailerError
from mailer.locale import countries
from mailer.people import consents, suppression
from mailer.people.small_numbers import hide_one, hide_small
from mailer.store.models import Act, ActKind, Campaign, ConsentPurpose, Signature, Subscriber

#: how many names a page shows
PER_PAGE = 200
#: of an act's id, what is typed to name a signature: hexadecimal digits, as safe on a command line as can be
_CODE_LENGTH = 12


class NoPetition(MailerError):
    """Campaign "{slug}" has no petition. One needs [petition] in its campaign.toml."""


class NoSuchSignature(MailerError):
    """No signature of campaign "{slug}" has the code {code}. See them with: mailer campaigns signatures list {slug}"""


@dataclass(frozen=True, slots=True)
class Name:
    """What is shown or handed over of somebody who signed. Not where they live: few may have signed there."""

    name: str
    place: str | None  # their town, or what they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A signature, for an organiser."""

    code: str
    name: str
    place: str | None
    country: str | None
    is_shown: bool
    is_handed_over: bool
    is_hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """What is handed over with a petition; nothing in it points to somebody who is not named."""

    title: str
    language: str
    to: Words
    total: int | None  # how many signed; None if so few that it is not told
    by_country: Sequence[tuple[str, int | None]]  # name in that language and number; "" for all other countries
    names: Sequence[Name]  # by the alphabet


def petition_of(campaign: Campaign) -> Petition:
    """What a campaign has people sign.

    :raises NoPetition: there is nothing.
    """
    found = petitions.of(campaign)
    if found is None:
        raise NoPetition(slug=campaign.slug)
    return found


def add(
    session: Session,
    act: Act,
    name: Name,
    *,
    shown_words: str | None,
    handed_over_words: str | None,
    language: str,
    method: str,
    asked_at: date | None = None,
) -> None:
    """Keep the name of somebody who signed, and that they agreed to what is done with it. Whether they may be named at
    all is for whoever calls this to ask.

    :param act: theirs, just counted.
    :param shown_words: that they agreed to if it is to be shown; the next likewise if it is to be handed over.
    :param language: of these words; the rest as for `acts.add`.
    """
    agreed = {ConsentPurpose.SHOWN: shown_words, ConsentPurpose.HANDED_OVER: handed_over_words}
    if act.subscriber_id is None or not any(agreed.values()):
        raise ValueError("a name is kept of somebody who is known, and agreed to something")
    session.add(
        Signature(
            act_id=act.id,
            subscriber_id=act.subscriber_id,
            name=name.name,
            place=name.place,
            is_shown=shown_words is not None,
            is_handed_over=handed_over_words is not None,
        )
    )
    session.flush()
    for purpose, words in agreed.items():
        if words is not None:
            consents.agree(
                session,
                act.subscriber_id,
                purpose,
                words,
                language=language,
                method=method,
                asked_at=asked_at,
                campaign_id=act.campaign_id,
            )


# --- on the page ----------------------------------------------------------------------------------------------------


def shown(session: Session, campaign: Campaign, *, page: int = 1) -> tuple[list[Name], bool]:
    """Names for everybody's eyes. Which page one is on is drawn, so that it does not tell when somebody signed; on it
    they stand by the alphabet.

    :param page: from 1.
    :returns: at most `PER_PAGE` of them, and whether there are more.
    """
    some = _named(campaign, Signature.is_shown).order_by(Signature.act_id)
    found = session.scalars(some.offset((page - 1) * PER_PAGE).limit(PER_PAGE + 1)).all()
    return _sorted(_sayable(campaign, found[:PER_PAGE])), len(found) > PER_PAGE


def _named(campaign: Campaign, wanted: InstrumentedAttribute[bool]) -> Select[Signature]:
    """The signatures of a campaign that may leave the house.

    :param wanted: the column that says whether their owners want that.
    """
    return (
        select(Signature)
        .join(Act, Act.id == Signature.act_id)
        .join(Subscriber, Subscriber.id == Signature.subscriber_id)
        .where(Act.campaign_id == campaign.id, Act.kind == ActKind.SIGNED, ~Signature.is_hidden, wanted)
        .where(_may_be_named(campaign))
    )


def _may_be_named(campaign: Campaign) -> ColumnElement[bool]:
    """The condition that somebody who signed lives elsewhere than where the authorities are: as they said then, and as
    they say now."""
    home = segments.home_of(campaign)
    countries_told = (Act.country, Subscriber.country)
    return and_(*(country.is_not(None) & country.not_in(home) for country in countries_told))


def _sayable(campaign: Campaign, found: Collection[Signature]) -> Iterator[Name]:
    sayable = Sayable(campaign.case)
    for each in found:
        if sayable.may_say(each.name, each.place or ""):
            yield Name(each.name, each.place)


def _sorted(names: Iterator[Name]) -> list[Name]:
    return sorted(names, key=lambda each: (each.name.casefold(), each.name, each.place or ""))


def at_home(session: Session) -> list[bytes]:
    """The acts of those with a name here who live where the authorities are by now, or name no country any more."""
    found: list[bytes] = []
    for campaign in session.scalars(select(Campaign).where(Campaign.petition.is_not(None))).all():
        named = (
            select(Signature.act_id)
            .join(Act, Act.id == Signature.act_id)
            .join(Subscriber, Subscriber.id == Signature.subscriber_id)
            .where(Act.campaign_id == campaign.id, ~_may_be_named(campaign))
        )
        found += session.scalars(named)
    return found


def drop(session: Session, act_ids: Collection[bytes]) -> None:
    """Delete names. Who signed goes on counting.

    :param act_ids: of the signatures, a few thousand at most.
    """
    suppression.lock_shared(session)  # an erasure may be deleting some of them, in another order
    session.execute(delete(Signature).where(Signature.act_id.in_(act_ids)))


# --- by an organiser ------------------------------------------------------------------------------------------------


def listed(session: Session, campaign: Campaign) -> list[Listed]:
    """All signatures with a name, also those that are hidden, by the alphabet; nobody who lives at home by now."""
    rows = session.execute(
        select(Signature, Act.country)
        .join(Act, Act.id == Signature.act_id)
        .join(Subscriber, Subscriber.id == Signature.subscriber_id)
        .where(Act.campaign_id == campaign.id, _may_be_named(campaign))
    )
    found = [
        Listed(
            code=signature.act_id.hex()[:_CODE_LENGTH],
            name=signature.name,
            place=signature.place,
            country=country,
            is_shown=signature.is_shown,
            is_handed_over=signature.is_handed_over,
            is_hidden=signature.is_hidden,
        )
        for signature, country in rows
    ]
    return sorted(found, key=lambda each: (each.name.casefold(), each.code))


def hide(session: Session, campaign: Campaign, codes: Collection[str], *, is_hidden: bool = True) -> None:
    """Have names not be shown nor handed over, or let them be again. Who signed goes on counting.

    :param codes: as `listed` gives them.
    :raises NoSuchSignature: one is none of the campaign's; nothing was changed.
    """
    theirs = select(Signature).join(Act, Act.id == Signature.act_id).where(Act.campaign_id == campaign.id)
    by_code = {each.act_id.hex()[:_CODE_LENGTH]: each for each in session.scalars(theirs)}
    for code in codes:
        if code.lower() not in by_code:
            raise NoSuchSignature(slug=campaign.slug, code=code)
    for code in codes:
        by_code[code.lower()].is_hidden = is_hidden
    session.flush()


def hand_over(session: Session, campaign: Campaign, *, language: str) -> HandOver:
    """What is handed over with a petition.

    Who lives where the authorities are, and who named no country, are one number with other places: it says of nobody
    that they signed at home.

    :param language: of the page that says it; the campaign's own where there is no text in it.
    :raises NoPetition: there is none.
    """
    petition = petition_of(campaign)
    signed = (Act.campaign_id == campaign.id, Act.kind == ActKind.SIGNED)
    grouped = session.execute(select(Act.country, func.count()).where(*signed).group_by(Act.country)).all()
    home = segments.home_of(campaign)
    counts: Counter[str] = Counter()
    for country, number in grouped:
        counts["" if country is None or country in home else country] += number
    total = sum(counts.values())
    named = session.scalars(_named(campaign, Signature.is_handed_over))
    return HandOver(
        title=publishing.title(campaign, language),
        language=language,
        to=petition.addressee(language, campaign.fallbacks),
        total=hide_one(total),
        by_country=_by_country(counts, language) if hide_one(total) else (),
        names=_sorted(_sayable(campaign, named.all())),
    )


def _by_country(counts: Mapping[str, int], language: str) -> list[tuple[str, int | None]]:
    told = hide_small(counts)
    elsewhere = [("", told.pop(""))] if "" in told else []
    return [(countries.name(code, language), number) for code, number in told.items()] + elsewhere
