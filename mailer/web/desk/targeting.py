"""Targeting: to write down whom people write to in a draft that has targets of its own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import make_response, redirect, render_template, request

from mailer.campaigns import appeals, choosing, kinds, lifecycle
from mailer.campaigns.lifecycle import NoDraft
from mailer.cases import targets
from mailer.cases.targets import Target, Written
from mailer.errors import MailerError
from mailer.locale import countries, country_groups
from mailer.mail.addresses import InvalidAddress
from mailer.organisers import writing
from mailer.store.models import CampaignStatus
from mailer.web.desk import audience_choices, audience_words, losing, named, refusing
from mailer.web.desk.approving import sender
from mailer.web.desk.visit import typed, typed_form, visit
from mailer.web.language import _, current, url
from mailer.web.site import site

_LONGEST_MARK = 40
_FIELDS = re.compile("(?:name|email|address|countries|at|out)-([0-9]{1,3})(?::.*)?")
_EMPTY_ROWS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A target in the form."""

    number: int  # in the names of its fields
    ticked: Sequence[tuple[str, str]] = ()  # code of a country or group, and what it is called
    typed: str = ""  # that names no country
    name: str = ""
    email: str = ""
    address: str = ""
    is_out: bool = False  # it is to be taken out

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it."""
        return not (self.ticked or any(map(str.strip, (self.typed, self.name, self.email, self.address))))

    @property
    def written(self) -> Written:
        """As it is to be saved."""
        unknown = choosing.parts(self.typed, country_groups.country_or_group) if self.typed.strip() else ()
        return Written([*(code for code, _name in self.ticked), *unknown], self.name, self.email, self.address)


def see(slug: str) -> Any:
    """A draft's own targets, to be changed."""
    return _page(slug)


def add_rows(slug: str) -> Any:
    """Show the form with more rows, and save nothing."""
    return _page(slug)


def save(slug: str) -> Any:
    """Save a draft's own targets, unless somebody else has changed them meanwhile."""
    mark, seen = (request.form.get(key, "")[:_LONGEST_MARK] for key in ("mark", "seen"))
    rows = [row for row in _typed_rows() if not row.is_out]
    written = [row.written for row in rows]
    try:
        with site().session() as session:
            campaign = lifecycle.get(session, slug)
            writing.own_targets(session, campaign, written, mark=mark, seen=seen, sender=sender(), who=visit().who)
    except appeals.WrongTargets as refused:
        return _page(slug, _advice(rows, refused.wrong))
    except appeals.KindHasNone:
        return _page(slug, {"form": _("A campaign of this kind has no targets of its own.")})
    except appeals.ChangedMeanwhile:
        words = _("Somebody else has changed this meanwhile. What you typed is in the form, and not saved yet.")
        return _page(slug, {"form": words}, is_late=True)
    except writing.AskedMeanwhile as refused:
        return _page(slug, {"form": refusing.advice(refused)}, is_late=True)
    except lifecycle.UnknownCampaign:
        return losing.give_back(_("This draft was deleted meanwhile."), _in_words(_typed_rows()), 404)
    except NoDraft as refused:
        return losing.give_back(refusing.advice(refused), _in_words(_typed_rows()), 409, slug=slug)
    return redirect(url("desk.targeting.see", slug=slug, saved=1), 303)


def give_back() -> Any:
    """What somebody typed who may not write any more; None where they typed nothing."""
    said = _in_words(_typed_rows())
    return losing.give_back(_("You may not change campaigns any more."), said, 404) if said else None


# --- what a form says -----------------------------------------------------------------------------------------------


def _typed_rows() -> list[Row]:
    """The targets that were typed, in the order of the form."""
    fields = typed_form()
    numbers = sorted({int(found[1]) for found in map(_FIELDS.fullmatch, fields) if found})
    return [row for row in (_typed_row(fields, number) for number in numbers) if not row.is_empty]


def _typed_row(fields: Mapping[str, str], number: int) -> Row:
    ticks = [name.partition(":")[2] for name in fields if name.startswith(f"at-{number}:")]
    said = fields.get(f"countries-{number}", "")
    parts = choosing.parts(said, country_groups.country_or_group) if said.strip() else ()
    codes, unknown = _understand([*ticks, *parts])
    return Row(
        number,
        ticked=_named(codes),
        typed="; ".join(unknown),
        name=fields.get(f"name-{number}", ""),
        email=fields.get(f"email-{number}", ""),
        address=fields.get(f"address-{number}", "").replace("\r\n", "\n"),
        is_out=f"out-{number}" in fields,
    )


def _understand(texts: Iterable[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The codes that are meant, each once, and what means nothing."""
    codes: dict[str, None] = {}
    unknown: list[str] = []
    for text in texts:
        try:
            codes[country_groups.country_or_group(text)] = None
        except MailerError:
            unknown.append(text)
    return list(codes), unknown


def _named(codes: Iterable[str]) -> Sequence[tuple[str, str]]:
    return [(code, code if code.startswith("@") else countries.name(code, current())) for code in codes]


def _advice(rows: Sequence[Row], wrong: Iterable[targets.Wrong]) -> Mapping[str, str]:
    """Field → what is wrong in it, and what to do."""
    places = {row.number: place for place, row in enumerate(_typed_rows(), start=1)}
    said: dict[str, list[str]] = {}
    for each in wrong:
        number = rows[each.nth - 1].number
        said.setdefault(f"{each.field}-{number}", [_("Target {number}:", number=places[number])]).append(_words(each))
    return {field: " ".join(words) for field, words in said.items()}


def _words(wrong: targets.Wrong) -> str:
    if isinstance(wrong.why, targets.Nameless):
        return _("Write its name.")
    if isinstance(wrong.why, targets.SeveralFor):
        country = _named([wrong.text])[0][1]
        return _("Two targets are for {country}. Take it out of one of them.", country=country)
    if isinstance(wrong.why, targets.SeveralForTheRest):
        return _(
            "Two targets have no countries, but only one can be for everyone else. Give one of them its countries."
        )
    if isinstance(wrong.why, InvalidAddress):
        return _("This is no e-mail address. Look it over.")
    return audience_words.of([choosing.Wrong(wrong.field, wrong.text, wrong.why)])[wrong.field]


# --- the page -------------------------------------------------------------------------------------------------------


def _page(slug: str, problems: Mapping[str, str] | None = None, *, is_late: bool = False) -> Any:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        now = [_stored(number, target) for number, target in enumerate(appeals.own_targets(campaign), start=1)]
        keys = kinds.of(campaign).keys
        rows = _typed_rows() if typed("mark") else now
        last = max((row.number for row in rows), default=0)
        empty = _EMPTY_ROWS if "targets" in keys else 0
        page = render_template(
            "desk/targeting/see.html",
            campaign=campaign,
            name=named.name_of(campaign),
            is_draft=campaign.status is CampaignStatus.DRAFT,
            keys=keys,
            rows=[*rows, *(Row(last + number) for number in range(1, empty + 1))],
            filled=len(rows),
            saved=_in_words(now),
            known=audience_choices.places(),
            mark=appeals.targets_mark(campaign),
            seen=writing.standing(session, campaign, sender()),
            is_late=is_late,
            problems=problems or {},
        )
    return make_response(page, 409 if is_late else 422 if problems else 200)


def _stored(number: int, target: Target) -> Row:
    places = _named([*target.countries, *target.groups])
    return Row(number, places, name=target.name, email=target.email, address=target.address)


def _in_words(rows: Iterable[Row]) -> Sequence[tuple[str, str]]:
    """Whom each is for, and what is written of it."""
    said = []
    for row in rows:
        places = ", ".join(filter(None, [*(name for _code, name in row.ticked), row.typed]))
        said.append((places or _("Everyone else"), "\n".join(filter(None, (row.name, row.email, row.address)))))
    return said
