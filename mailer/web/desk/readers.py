"""Whose mail is looked at: the three choices above each preview, and the reader that they lead to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns.editions import Reader
from mailer.campaigns.readership import Chosen, Readerships, Trait
from mailer.locale import countries, languages
from mailer.store.models import Campaign, Union
from mailer.web.desk import named
from mailer.web.language import _, current

#: what stands in an address for what is not known of a reader
_UNKNOWN = "-"
#: above so many unions, one is found by typing
_MOST_LISTED = 60
#: what is chosen → its field. Not "language": that is the page's own
_FIELDS: Mapping[Trait, str] = {"language": "lang", "country": "country", "union_id": "union"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be chosen of one thing about readers."""

    name: str  # of the field
    label: str
    groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]  # what they have in common; value and words of each
    chosen: str  # value
    is_typed: bool  # there are too many to list


@dataclass(frozen=True, slots=True)
class Looked:
    """A campaign, and whose mail is looked at."""

    campaign: Campaign
    reader: Reader
    choices: Sequence[Choice]
    missed: Sequence[str]  # labels of what no reader has together with the rest
    address: Mapping[str, str]  # of documents for the same reader

    @property
    def union(self) -> str | None:
        """The slug of the reader's union."""
        return self.address["union"] if self.reader.union_id is not None else None


def look(session: Session, slug: str, readerships: Readerships) -> Looked:
    """Whose mail an address asks for; that of a reader that there is. Where it asks for nobody, one who reads what
    whoever looks reads. 404 if there is no such campaign.

    :param readerships: those looked at lately.
    """
    campaign = named.campaign(session, slug)
    unions = {row.id: row for row in session.execute(select(Union.id, Union.slug, Union.name))}
    readership = readerships.of(session, campaign)
    chosen = readership.choose(_wanted(unions) or {"language": _first_language(campaign)})
    labels: Mapping[Trait, str] = {"language": _("Language"), "country": _("Country"), "union_id": _("Union")}
    choices = [_choice(trait, label, chosen, unions) for trait, label in labels.items()]
    return Looked(
        campaign=campaign,
        reader=chosen.reader,
        choices=choices,
        missed=[labels[trait] for trait in labels if trait in chosen.missed],
        address={"slug": slug, **{choice.name: choice.chosen for choice in choices}},
    )


def _first_language(campaign: Campaign) -> str:
    """That of whoever looks, where the campaign has a text in it; else the campaign's own."""
    texts = [text.language for text in campaign.texts]
    return languages.nearest(current(), texts) or campaign.language


def _wanted(unions: Mapping[int, Any]) -> Mapping[Trait, str | int | None]:
    wanted: dict[Trait, str | int | None] = {}
    for trait, name in _FIELDS.items():
        value = request.args.get(name, "").strip()
        if value == _UNKNOWN:
            wanted[trait] = None
        elif value and trait == "union_id":
            wanted[trait] = next((id_ for id_, each in unions.items() if value in (each.slug, each.name)), -1)
        elif value:
            wanted[trait] = value
    return wanted


def _choice(trait: Trait, label: str, chosen: Chosen, unions: Mapping[int, Any]) -> Choice:
    def shown(values: Iterable[str | int | None]) -> Sequence[tuple[str, str]]:
        found = [(_value(trait, value, unions), _words(trait, value, unions)) for value in values]
        return sorted(found, key=lambda each: (each[0] == _UNKNOWN, each[1].casefold()))

    fitting, others = shown(chosen.fitting[trait]), shown(chosen.others[trait])
    return Choice(
        name=_FIELDS[trait],
        label=label,
        groups=[(_("Of such readers"), fitting), (_("Only of others"), others)] if others else [("", fitting)],
        chosen=_value(trait, getattr(chosen.reader, trait), unions),
        is_typed=trait == "union_id" and len(fitting) + len(others) > _MOST_LISTED,
    )


def _value(trait: Trait, value: str | int | None, unions: Mapping[int, Any]) -> str:
    if value is None:
        return _UNKNOWN
    return str(unions[int(value)].slug) if trait == "union_id" else str(value)


def _words(trait: Trait, value: str | int | None, unions: Mapping[int, Any]) -> str:
    if value is None:
        return _("None, or not known") if trait == "union_id" else _("Not known")
    if trait == "union_id":
        return str(unions[int(value)].name)
    return countries.name(str(value), current()) if trait == "country" else languages.name(str(value))
