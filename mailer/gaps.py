"""Gaps: what a campaign's texts print, and some of its audience have nothing for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer import campaigns, countries, editions, segments
from mailer.campaigns import Target, Targets
from mailer.errors import MailerError
from mailer.models import Campaign, Subscriber, Subscription

#: fields that print a part of the target
_TARGET_FIELDS = frozenset(["target_name", "target_email", "target_address"])
_MOST_NAMED = 12


class NobodyToWriteTo(MailerError):
    """Campaign "{slug}" asks people to write to a target, but there is none for {whom}. In campaign.toml, add
    [[targets]] for them, or one without countries for everyone else. Then load it again."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Where readers would find nothing, since no default stands there either."""

    without_target: Mapping[str | None, int]  # country, None if not known → people asked to write to nobody
    empty_fields: Mapping[str, int]  # field → people who have no value for it, those without a target excepted


def find(session: Session, campaign: Campaign) -> Gaps:
    """Look through everyone's edition for fields that it prints without a default, and they have nothing for."""
    press = editions.Press(session, campaign, editions.TRIAL_SENDER)
    targets = Targets.of(campaign)
    without_target: Counter[str | None] = Counter()
    empty: Counter[str] = Counter()
    tally = segments.tally(session, campaign.list_id, campaigns.segment_of(campaign))
    prints_names = False
    for language, country, union_id, people in session.execute(
        select(tally.c.language, tally.c.country, tally.c.union_id, tally.c.people)
    ):
        printed = press.bare_fields(press.choose((language, country, union_id)))
        target = targets.for_country(country)
        if target is None and printed & _TARGET_FIELDS:
            without_target[country] += people
        for field in printed & _empty_fields(country, union_id, target):
            empty[field] += people
        prints_names |= "name" in printed
    if prints_names and (nameless := _count_nameless(session, campaign, press)):
        empty["name"] = nameless
    return Gaps(without_target, empty)


def _empty_fields(country: str | None, union_id: int | None, target: Target | None) -> frozenset[str]:
    values: dict[str, object] = {"country": country, "union": union_id}
    if target is not None:
        values |= target.values
    return frozenset(field for field, value in values.items() if not value)


def _count_nameless(session: Session, campaign: Campaign, press: editions.Press) -> int:
    """How many read a text that prints their name, and have told none."""
    readers = (Subscription.language, Subscription.country, Subscription.union_id)
    nameless = (
        segments.audience(session, campaign.list_id, campaigns.segment_of(campaign))
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscriber.name.is_(None))
        .add_columns(*readers, func.count())
        .group_by(*readers)
    )
    return sum(
        people for *reader, people in session.execute(nameless) if "name" in press.bare_fields(press.choose((*reader,)))
    )


def require_targets(session: Session, campaign: Campaign) -> None:
    """Refuse a campaign that would ask some of its audience to write to nobody.

    :raises NobodyToWriteTo: naming their countries.
    """
    missing = find(session, campaign).without_target
    if missing:
        raise NobodyToWriteTo(slug=campaign.slug, whom=name_countries(missing))


def name_countries(codes: Mapping[str | None, int]) -> str:
    """Countries by their English names, the first dozen of them, and people who did not say theirs."""
    names = sorted(countries.name(code, "en") for code in codes if code)
    more = len(names) - _MOST_NAMED
    named = [*names[:_MOST_NAMED], *([f"{more} more countries"] if more > 0 else [])]
    if None in codes:
        named.append("people whose country is not known")
    return ", ".join(named)
