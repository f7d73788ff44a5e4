"""Audiences: a segment is data, compiled to one SELECT of who may be mailed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, case, exists, func, null, or_, select
from sqlalchemy.orm import Session, aliased

from mailer.campaigns import acts, lifecycle
from mailer.errors import MailerError
from mailer.locale import country_groups, languages
from mailer.people import lists
from mailer.store import scope
from mailer.store.db import prefers_groups
from mailer.store.models import GOT, Campaign, Delivery, HomeRule, MailingList, Purpose, Subscription
from mailer.unions import directory

#: what stands in `about` where a campaign addresses no state's authorities
NO_COUNTRY = "none"
#: the keys of an audience that hold slugs of campaigns: by who got them
GOT_KEYS = ("got", "not_got")
#: by who acted on them
ACTED_KEYS = ("acted", "not_acted")
CAMPAIGN_KEYS = (*GOT_KEYS, *ACTED_KEYS)


class InvalidSegment(MailerError):
    """{problem}"""


class ForeignList(MailerError):
    """The list "{slug}" belongs to a union, and only that union may use it. This campaign goes to a list that is not
    theirs. Here, name lists of the union that owns this campaign's list, or lists that belong to no union."""


class ForeignCampaign(MailerError):
    """Campaign "{slug}" goes to a list of somebody else, and only they may know who got it, or acted on it. Here, name
    campaigns to lists of the union that owns this campaign's list, or of none if it belongs to none."""


class ForeignUnion(MailerError):
    """No other union may know who belongs to "{slug}". Name your own union here, or one below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Who of a list is meant. Keys are ANDed, values ORed; None means all.

    Countries are ISO 3166-1 alpha-2 codes or groups such as "@EU", unions, lists and campaigns are slugs, languages are
    BCP 47 tags. A union includes its descendants; a language includes its forms, as a text does ("fr" has "fr-CA" too).
    A person without a country (or union, or language) matches no include and no exclude.
    """

    countries: tuple[str, ...] | None = None
    exclude_countries: tuple[str, ...] | None = None
    unions: tuple[str, ...] | None = None
    exclude_unions: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    exclude_languages: tuple[str, ...] | None = None
    lists: tuple[str, ...] | None = None  # also on one of these lists
    exclude_lists: tuple[str, ...] | None = None  # on none of these lists
    got: tuple[str, ...] | None = None  # was sent one of these campaigns, or may have been
    not_got: tuple[str, ...] | None = None  # was sent none of them, as far as is known
    acted: tuple[str, ...] | None = None  # wrote or signed for one of these campaigns
    not_acted: tuple[str, ...] | None = None  # for none of them, as far as is known
    only_known_country: bool = False  # without those who did not say theirs; no file says this

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> "Segment":
        """Read a segment from plain data.

        :raises InvalidSegment: an unknown key, a value that is not a list of texts, or an empty list.
        :raises countries.UnknownCountry: a value names no country.
        :raises country_groups.UnknownCountryGroup: a value names no group of countries.
        :raises languages.InvalidLanguage: a value names no language.
        """
        for key in table:
            if key not in KEYS:
                raise InvalidSegment(problem=f'unknown audience key "{key}"; known keys: {", ".join(sorted(KEYS))}')
        values: dict[str, Any] = {key: _values(key, value) for key, value in table.items()}
        return cls(**values)

    def to_json(self) -> dict[str, list[str]]:
        """The keys that are set, as `parse` reads them."""
        return {key: list(value) for key in KEYS if (value := getattr(self, key)) is not None}


#: what a file may say
KEYS = tuple(field.name for field in fields(Segment) if field.name != "only_known_country")


def _values(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InvalidSegment(problem=f'audience key "{key}" must be a list of texts, such as ["GB", "@EU"]')
    if not value:
        raise InvalidSegment(problem=f'audience key "{key}" is an empty list; leave it out to mean everyone')
    if key.endswith("countries"):
        return tuple(country_groups.country_or_group(item) for item in value)
    if key.endswith("languages"):
        return tuple(languages.normalise(item) for item in value)
    return tuple(value)


def audience(session: Session, list_id: int, segment: Segment) -> Select[Any]:
    """The subscriptions of a list that a segment means and that may be mailed, as a SELECT to add columns to.

    It reads the index ix_audience and nothing else, unless other lists or campaigns are named.

    :raises directory.UnknownUnion: a value names no union.
    :raises lists.UnknownList: a value names no list.
    :raises country_groups.UnknownCountryGroup: a value names no group of countries.
    :raises lifecycle.UnknownCampaign: a value names no campaign.
    :raises ForeignList: a list that is named belongs to another union.
    :raises ForeignCampaign: a campaign that is named goes to a list of another owner.
    :raises ForeignUnion: a union that is named is neither the owner of this list nor below it.
    """
    return _people(session, list_id, segment).where(*_conditions(session, list_id, segment, Subscription))


def tally(session: Session, list_id: int, segment: Segment) -> Subquery:
    """How many people of an audience there are of each country, union and language, as a table to select from.

    Asked of groups, conditions cost next to nothing: the index is in the order of the groups, and a million people
    make some ten thousand of them.

    :returns: columns country, union_id, language and people. No union stands there that this session must not tell of,
        see `scope.told_unions`.
    :raises directory.UnknownUnion: as `audience`.
    :raises lists.UnknownList: as `audience`.
    :raises country_groups.UnknownCountryGroup: as `audience`.
    :raises lifecycle.UnknownCampaign: as `audience`.
    :raises ForeignList: as `audience`.
    :raises ForeignCampaign: as `audience`.
    :raises ForeignUnion: as `audience`.
    """
    kinds = (Subscription.country, Subscription.union_id, Subscription.language)
    people = _people(session, list_id, segment).add_columns(*kinds, func.count().label("people"))
    # MATERIALIZED, or SQLite asks the conditions of every row after all.
    groups = people.group_by(*kinds).cte("groups").prefix_with("MATERIALIZED", dialect="sqlite")
    told = scope.told_unions(session)
    union_id = groups.c.union_id
    if told is not None:
        union_id = case((union_id.in_(sorted(told)), union_id), else_=null()).label("union_id")
    shown = select(groups.c.country, union_id, groups.c.language, groups.c.people)
    return shown.where(*_conditions(session, list_id, segment, groups.c)).subquery("tally")


def count(session: Session, list_id: int, segment: Segment) -> int:
    """How many people `audience` selects, within 200 ms for a million of them unless lists or campaigns are named."""
    asks_of_rows = segment != Segment(countries=segment.countries)
    if asks_of_rows and prefers_groups(session):
        return session.scalar(select(func.sum(tally(session, list_id, segment).c.people))) or 0
    return session.scalar(audience(session, list_id, segment).add_columns(func.count())) or 0


def count_few(session: Session, list_id: int, segment: Segment, *, most: int) -> int | None:
    """Likewise; None, and soon, where more people than that are on the list.

    :param most: people on the list who are counted.
    """
    some = (
        select(Subscription.list_id).where(Subscription.list_id == list_id).limit(most + 1).subquery()
    )  # of the index
    if (session.scalar(select(func.count()).select_from(some)) or 0) > most:
        return None
    return count(session, list_id, segment)


class Group(NamedTuple):
    """People whom a campaign cannot tell apart."""

    language: str | None
    country: str | None
    union_id: int | None
    people: int


def groups(session: Session, list_id: int, segment: Segment) -> list[Group]:
    """What `tally` finds, for whoever needs it more than once.

    :raises directory.UnknownUnion: as `audience`.
    :raises lists.UnknownList: as `audience`.
    :raises lifecycle.UnknownCampaign: as `audience`.
    :raises ForeignList: as `audience`.
    :raises ForeignCampaign: as `audience`.
    :raises ForeignUnion: as `audience`.
    """
    found = tally(session, list_id, segment).c
    rows = session.execute(select(found.language, found.country, found.union_id, found.people))
    return [Group(*row) for row in rows]


def left_out(session: Session, list_id: int, segment: Segment) -> dict[str, int]:
    """Whom a segment would mean if its countries, and those in its groups, had all that they govern: place → people."""
    places = country_groups.left_out(segment.countries or ())
    if not places:
        return {}
    there = tally(session, list_id, replace(segment, countries=tuple(sorted(places))))
    of_place = select(there.c.country, func.sum(there.c.people)).group_by(there.c.country)
    return {place: int(people) for place, people in session.execute(of_place)}


def _people(session: Session, list_id: int, segment: Segment) -> Select[Any]:
    """Who of a list may be mailed, as far as countries, other lists and other campaigns tell."""
    people = select().select_from(Subscription).where(Subscription.list_id == list_id, Subscription.mailable.is_(True))
    if segment.countries is not None:
        # The index is entered by country, so this one makes rows fewer before they are looked at.
        people = people.where(Subscription.country.in_(sorted(country_groups.expand(segment.countries))))
    if segment.lists is not None:
        people = people.where(_also_on(session, list_id, segment.lists))
    if segment.exclude_lists is not None:
        people = people.where(~_also_on(session, list_id, segment.exclude_lists))
    if segment.got is not None:
        people = people.where(_was_sent(session, list_id, segment.got))
    if segment.not_got is not None:
        people = people.where(~_was_sent(session, list_id, segment.not_got))
    if segment.acted is not None:
        people = people.where(_has_acted(session, list_id, segment.acted))
    if segment.not_acted is not None:
        people = people.where(~_has_acted(session, list_id, segment.not_acted))
    return people


def _conditions(session: Session, list_id: int, segment: Segment, columns: Any) -> list[ColumnElement[bool]]:
    """What a segment asks of country, union and language beyond `_people`.

    :param columns: what has `country`, `union_id` and `language`.
    """
    conditions: list[ColumnElement[bool]] = []
    if segment.only_known_country:
        conditions.append(columns.country.is_not(None))
    if segment.exclude_countries is not None:
        conditions.append(_not_in(columns.country, sorted(country_groups.expand(segment.exclude_countries))))
    if segment.unions is not None:
        conditions.append(columns.union_id.in_(_union_ids(session, segment.unions)))
    if segment.exclude_unions is not None:
        conditions.append(_not_in(columns.union_id, _union_ids(session, segment.exclude_unions)))
    if segment.languages is not None or segment.exclude_languages is not None:
        spoken = _spoken(session, list_id)
        if segment.languages is not None:
            conditions.append(columns.language.in_(_forms_of(segment.languages, spoken)))
        if segment.exclude_languages is not None:
            conditions.append(_not_in(columns.language, _forms_of(segment.exclude_languages, spoken)))
    return conditions


def are_read(segment: Segment, spoken: Iterable[str | None]) -> set[str | None]:
    """Those languages, of some, whose readers a segment means, whatever else it asks of them. None is: not known."""
    tags = {tag for tag in spoken if tag is not None}
    meant: set[str | None] = {None, *tags}
    if segment.languages is not None:
        meant &= {*_forms_of(segment.languages, tags)}
    if segment.exclude_languages is not None:
        meant -= {*_forms_of(segment.exclude_languages, tags)}
    return meant


def _spoken(session: Session, list_id: int) -> list[str]:
    """The languages of people on a list."""
    spoken = session.scalars(select(Subscription.language).where(Subscription.list_id == list_id).distinct())
    return [tag for tag in spoken if tag is not None]


def _forms_of(wanted: Iterable[str], spoken: Iterable[str]) -> list[str]:
    """Those languages that are, or are forms of, some that are wanted."""
    return sorted(tag for tag in spoken if not set(wanted).isdisjoint(languages.forms(tag)))


def _not_in(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    # NULL NOT IN (…) is not true, and would drop everyone who did not say.
    return or_(column.is_(None), column.not_in(list(values)))


def _union_ids(session: Session, slugs: Iterable[str]) -> list[int]:
    told = scope.told_unions(session)
    ids: set[int] = set()
    for slug in slugs:
        within = directory.descendants(session, [slug])
        if told is not None and not within <= told:
            raise ForeignUnion(slug=slug)
        ids |= within
    return sorted(ids)


def _also_on(session: Session, list_id: int, slugs: Iterable[str]) -> ColumnElement[bool]:
    other = aliased(Subscription)
    theirs = (other.list_id.in_(_list_ids(session, list_id, slugs)), other.mailable.is_(True))
    if prefers_groups(session):
        # To look each person up costs SQLite 3 s for a million of them. In order, so that it need not sort the others
        # as they come: that makes it three times as quick for 250,000 of them, and no slower for a million.
        on_them = select(other.subscriber_id).where(*theirs).order_by(other.subscriber_id)
        return Subscription.subscriber_id.in_(on_them)
    return exists().where(other.subscriber_id == Subscription.subscriber_id, *theirs)


def _list_ids(session: Session, list_id: int, slugs: Iterable[str]) -> list[int]:
    """Ids of lists that may choose an audience of a list: such as belong to no union, or to the same one."""
    owner_id = _owner_of(session, list_id)
    named = [lists.get(session, slug) for slug in slugs]
    for each in named:
        if each.owner_id not in (None, owner_id):
            raise ForeignList(slug=each.slug)
    return [each.id for each in named]


def _was_sent(session: Session, list_id: int, slugs: Iterable[str]) -> ColumnElement[bool]:
    sent = (
        Delivery.campaign_id.in_(_campaign_ids(session, list_id, slugs)),
        Delivery.purpose == Purpose.CAMPAIGN,
        Delivery.state.in_(GOT),
    )
    if prefers_groups(session):
        # As above: a million of them in 2 s instead of 4.5.
        return Subscription.subscriber_id.in_(
            select(Delivery.subscriber_id).where(*sent, Delivery.subscriber_id.is_not(None))
        )
    return exists().where(Delivery.subscriber_id == Subscription.subscriber_id, *sent)


def _has_acted(session: Session, list_id: int, slugs: Iterable[str]) -> ColumnElement[bool]:
    return acts.by_one_of(session, _campaign_ids(session, list_id, slugs), Subscription.subscriber_id)


def _campaign_ids(session: Session, list_id: int, slugs: Iterable[str]) -> list[int]:
    """Ids of campaigns that may choose an audience of a list: those to lists of the same owner."""
    owner_id = _owner_of(session, list_id)
    named = [lifecycle.get(session, slug) for slug in slugs]
    for each in named:
        if each.mailing_list.owner_id != owner_id:
            raise ForeignCampaign(slug=each.slug)
    return [each.id for each in named]


def _owner_of(session: Session, list_id: int) -> int | None:
    return session.scalar(select(MailingList.owner_id).where(MailingList.id == list_id))


def choosing(session: Session, campaign: Campaign, keys: Iterable[str]) -> Sequence[Campaign]:
    """The campaigns that choose the audience of one, by some keys."""
    slugs = {slug for key in keys for slug in campaign.audience.get(key, ())}
    return [lifecycle.get(session, slug) for slug in sorted(slugs)]


def chosen_by(session: Session, slug: str) -> Sequence[str]:
    """The slugs of campaigns whose audience is chosen by who got this one, or acted on it."""
    return [
        each.slug
        for each in lifecycle.all_campaigns(session)
        if any(slug in each.audience.get(key, ()) for key in CAMPAIGN_KEYS)
    ]


def segment_of(campaign: Campaign) -> Segment:
    """Whom a campaign is for: as it is written, without readers at home who are not to get it."""
    return without_home(campaign, as_written(campaign))


def without_home(campaign: Campaign, written: Segment) -> Segment:
    """A segment without readers at home who are not to get a campaign.

    Those for whom nobody has decided yet are left out, too.
    """
    at_home = home_of(campaign)
    if not at_home:
        return written
    excluded = written.exclude_countries or ()
    if campaign.home is not HomeRule.INCLUDE:
        excluded = (*excluded, *sorted(at_home))
    return replace(
        written,
        exclude_countries=excluded or None,
        only_known_country=campaign.unknown_home is not HomeRule.INCLUDE,
    )


def as_written(campaign: Campaign) -> Segment:
    """What `[audience]` says, readers at home among them."""
    return Segment.parse(campaign.audience)


def home_of(campaign: Campaign) -> frozenset[str]:
    """The country whose authorities a campaign addresses, and its territories; empty where it addresses no state's."""
    own = home(campaign.about)
    # Of a case that was corrected since the campaign was loaded, both: `gate` has it loaded again.
    return own | home(campaign.case.country) if own and campaign.case else own


def home(about: str | None) -> frozenset[str]:
    """Likewise, of what stands in `about`."""
    if about is None or about == NO_COUNTRY:
        return frozenset()
    return country_groups.governed_by(country_groups.state_of(about))
