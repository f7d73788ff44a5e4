"""Expecting: whom a campaign would reach, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.campaigns.readiness import Check
from mailer.cases.findings import Level
from mailer.store.models import Campaign
from mailer.web.desk import overlooking
from mailer.web.language import _, ngettext


@dataclass(frozen=True, slots=True)
class Expected:
    """Whom a campaign would reach, and what was found against that."""

    people: int
    sentences: Sequence[str]
    errors: int
    warnings: int


def look(session: Session, campaign: Campaign, *, anew: bool = False) -> Expected:
    """Count whom a campaign would reach, and look for what stands against it.

    :param anew: as for `overlooking.check`.
    """
    found = overlooking.check(session, campaign, anew=anew)
    kinds = {(each.level, each.code) for each in found.findings}  # as many as the check shows
    errors = sum(level is Level.ERROR for level, _code in kinds)
    return Expected(found.audience, list(_sentences(found)), errors, len(kinds) - errors)


def _sentences(found: Check) -> list[str]:
    if not found.audience:
        return [_("Nobody would get it.")]
    known = sum(1 for country in found.by_country if country)
    said = [ngettext("{num} person gets it.", "{num} people get it.", found.audience)]
    if known:
        said.append(ngettext("They live in {num} country.", "They live in {num} countries.", known))
    if unknown := found.by_country.get(None, 0):
        said.append(
            ngettext("Of {num} person the country is not known.", "Of {num} people the country is not known.", unknown)
        )
    said.append(ngettext("They read it in {num} language.", "They read it in {num} languages.", len(found.by_text)))
    if found.has_fallback and (others := sum(found.gaps.without_own_target.values())):
        said.append(
            ngettext(
                "{num} of them writes to the target for everybody else, because their country has none of its own.",
                "{num} of them write to the target for everybody else, because their country has none of its own.",
                others,
            )
        )
    return said
