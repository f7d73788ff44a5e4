"""What can be chosen for an audience: a field for each key, with what is ticked in it and what may be added."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import segments
from mailer.campaigns.choosing import Wrong
from mailer.campaigns.segments import Segment
from mailer.cases.sayable import Sayable
from mailer.errors import MailerError
from mailer.locale import countries, country_groups, languages
from mailer.people import lists
from mailer.store.models import Campaign, CampaignStatus, MailingList, Union
from mailer.web.desk import contents
from mailer.web.language import _, current

#: campaigns that are offered, the latest first; any other can be typed
_MOST_CAMPAIGNS = 200


@dataclass(frozen=True, slots=True)
class Field:
    """What is chosen of one key."""

    key: str
    label: str
    ticked: Sequence[tuple[str, str]]  # value, and what it is called
    typed: str  # what means nothing
    known: str  # id of the list of what may be added
    is_used: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What may be added to a field, to choose from while typing."""

    id: str
    options: Sequence[tuple[str, str]]  # what stands in the field then, and what else it is called


def fields(session: Session, segment: Segment, wrong: Sequence[Wrong]) -> Mapping[str, Field]:
    """The fields of the form, by their keys.

    :param segment: what is chosen; :param wrong: what was said, too, and means nothing.
    """
    unions = {row.slug: row.name for row in session.execute(select(Union.slug, Union.name))}
    names = {each.slug: each.name for each in lists.all_lists(session)}
    found = {}
    for key in segments.KEYS:
        values: Sequence[str] = getattr(segment, key) or ()
        typed = "; ".join(each.text for each in wrong if each.key == key)
        found[key] = Field(
            key=key,
            label=contents.audience_label(key),
            ticked=[(value, _called(key, value, unions, names)) for value in values],
            typed=typed,
            known=f"known-{_kind(key)}",
            is_used=bool(values or typed),
        )
    return found


def _kind(key: str) -> str:
    for kind in ("countries", "unions", "languages", "lists"):
        if key.endswith(kind):
            return kind
    return "campaigns"


def _called(key: str, value: str, unions: Mapping[str, str], names: Mapping[str, str]) -> str:
    match _kind(key):
        case "countries":
            return value if value.startswith("@") else countries.name(value, current())
        case "languages":
            return languages.name(value)
        case "unions":
            return unions.get(value, value)
        case "lists":
            return names.get(value, value)
    return value


def known(session: Session, campaign: Campaign, mailing_list: MailingList) -> Sequence[Known]:
    """What may be added to the fields."""
    owner_id = mailing_list.owner_id
    unions = session.execute(select(Union.slug, Union.name).order_by(Union.name))
    others = [each for each in lists.all_lists(session) if each.owner_id in (None, owner_id)]
    return [
        places(),
        Known("known-unions", [(row.name, row.slug) for row in unions]),
        Known("known-languages", _languages()),
        Known("known-lists", [(each.name, each.slug) for each in others if each.id != mailing_list.id]),
        Known("known-campaigns", [(slug, "") for slug in _campaigns(session, campaign, owner_id)]),
    ]


def places() -> Known:
    """Countries and groups of them."""
    return Known("known-countries", _places(current()))


@functools.lru_cache(maxsize=16)
def _places(language: str) -> Sequence[tuple[str, str]]:
    groups = [(f"@{group}", _("Group of countries")) for group in country_groups.GROUPS]
    return [*groups, *((name, "") for _code, name in countries.all_in(language))]


@functools.cache
def _languages() -> Sequence[tuple[str, str]]:
    def typed(tag: str) -> str:
        try:
            return languages.name(tag) if languages.parse(languages.name(tag)) == tag else tag
        except MailerError:
            return tag

    return sorted((typed(tag), tag) for tag in languages.SITE_LANGUAGES)


def _campaigns(session: Session, campaign: Campaign, owner_id: int | None) -> Sequence[str]:
    """Those that have gone out, to a list of the same owner."""
    may_be = select(Campaign.slug).join(MailingList, Campaign.list_id == MailingList.id)
    is_own = MailingList.owner_id.is_(None) if owner_id is None else MailingList.owner_id == owner_id
    begun = (Campaign.started_at.is_not(None), Campaign.status != CampaignStatus.STANDING, Campaign.id != campaign.id)
    latest = session.scalars(may_be.where(is_own, *begun).order_by(Campaign.id.desc()).limit(_MOST_CAMPAIGNS))
    may_say = Sayable(campaign.case).may_say
    return [slug for slug in latest if may_say(slug)]
