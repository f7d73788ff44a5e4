"""Correspondence: to whom the readers of a campaign's mail write, and what stands in it for that.

An edition has a place for each target of its readers, by role and by the language of the letter: its shape. What stands
in the places is the same for all who live in a country and get the same wording, but for their name. A corrected target
is shown from the next mail on.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns import addressees, letters, segments
from mailer.campaigns.letters import Letters, Place
from mailer.cases import sayable
from mailer.cases.sayable import Sayable, Words
from mailer.cases.targets import Target
from mailer.links import Pages
from mailer.locale import countries, languages, translations, zones
from mailer.mail import writing
from mailer.mail.merge import fill
from mailer.mail.types import LINES, Pieces, Slot, SlotContext
from mailer.mail.writing import Addressed, Passage, Writing
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Campaign, TargetRole


def _(message: str) -> str:
    """Have a heading translated: it is looked up in the reader's language."""
    return message


#: what stands above a target
HEADINGS: Mapping[TargetRole, str] = {
    TargetRole.AUTHORITY: _("Write to the authorities"),
    TargetRole.EMBASSY: _("Write to the embassy"),
    TargetRole.COMPANY: _("Write to the company"),
    TargetRole.REPRESENTATIVE: _("Write to your representative"),
    TargetRole.PRISONER: _("Write to the person in prison"),
    TargetRole.SOLIDARITY: _("Show your solidarity"),
}

#: how many shapes are tried out, besides those that it takes to show each letter
_MOST_TRIED = 12


class Filled(NamedTuple):
    """What stands in the places of an edition."""

    values: Mapping[str, str]  # by field
    signed: tuple[tuple[str, Pieces, Mapping[str, str]], ...]  # with the reader's name in it: a field, and its words

    def signed_by(self, name: str) -> dict[str, str]:
        """The values of those in which a reader's name stands."""
        return {field: fill(pieces, {**values, "name": name}) for field, pieces, values in self.signed}


class Correspondence:
    """What the mails of one campaign have their readers write. Holds no session: what it needs is read when it is
    made."""

    def __init__(self, session: Session, campaign: Campaign, base_url: str) -> None:
        self._roles = [TargetRole(role) for role in campaign.ask]
        self._targets = addressees.writable(session, campaign)
        self._letters = Letters(campaign)
        self._home = segments.home_of(campaign)
        self._fallbacks = campaign.fallbacks
        self._case_asks = _sayable_asks(campaign)
        self._base_url = base_url
        self._slug, self._salt = campaign.slug, campaign.salt
        self._token = None
        if campaign.ask and not campaign.public:
            self._token = links.sign(keyring_of(session), links.Link.LETTER, campaign.id)
        self._shapes: dict[str | None, str] = {}
        self._states: dict[str | None, str] = {}
        self._longest: dict[tuple[TargetRole, str], int] = {}
        self._cycles: dict[tuple[str, str], int] = {}

    def of(self, country: str | None) -> list[Target]:
        """To whom people in a country write, by the mail. Nobody at home is asked to."""
        return [] if country in self._home else self._targets.of_roles(self._roles, country)

    @property
    def has_targets(self) -> bool:
        """Whether there is anybody to write to, for whomever."""
        return any(True for _target in self._targets)

    def state(self, country: str | None) -> str:
        """A digest of all that is shown to people in a country: another one as soon as any of it is corrected."""
        state = self._states.get(country)
        if state is None:
            # None of this is shown: who made sure of a target, and whether somebody doubts it.
            targets = [
                replace(target, verified_on=None, verified_by="", source="", doubts=0) for target in self.of(country)
            ]
            said = repr((targets, list(self._letters), self._case_asks)) if targets else ""
            state = self._states[country] = blake2b(said.encode(), key=self._salt, digest_size=16).hexdigest()
        return state

    # --- what chooses an edition ------------------------------------------------------------------------------------

    def shape(self, country: str | None) -> str:
        """What an edition shows to readers in a country, as `letters.shape_of` writes it; one place more than it has
        room for says that there are more."""
        shape = self._shapes.get(country)
        if shape is None:
            places = map(self._letters.place, self.of(country)[: writing.MOST + 1])
            shape = self._shapes[country] = letters.shape_of(list(places))
        return shape

    def shapes(self) -> list[str]:
        """The longest ones that targets and letters give, and those that it takes to show each letter once."""
        places = {None, *(state for target in self._targets for state in target.states)}
        found = sorted({self.shape(place) for place in places}, key=lambda shape: (-len(shape.split()), shape))
        shown: set[str] = set()
        chosen = []
        for number, shape in enumerate(found):
            if number < _MOST_TRIED or not shown.issuperset(shape.split()):
                chosen.append(shape)
                shown.update(shape.split())
        return chosen

    # --- the edition ------------------------------------------------------------------------------------------------

    def writing(self, shape: str, language: str) -> Writing | None:
        """What an edition shows, with slots for what differs from reader to reader.

        :param language: of the edition.
        """
        places = letters.places_of(shape)
        if not places:
            return None
        shown = places[: writing.MOST]
        asks = self._asks_for([language])
        return Writing(
            asks=_passage(asks.language, asks.text.split("\n")) if asks else None,
            addressed=tuple(self._addressed(number, place, shown, language) for number, place in enumerate(shown)),
            more_url=(Slot("to_more_url"),) if len(places) > len(shown) else (),
            room=self._room(shown, language),
        )

    def _addressed(self, number: int, place: Place, places: list[Place], language: str) -> Addressed:
        first_of_role = next(other for other, each in enumerate(places) if each.role is place.role)
        rules = self._letters.rules(place.role, language) if number == first_of_role else None
        above = places.index(place) if place.language is not None and place in places[:number] else None
        shown = list(self._shown(number, place, language)) if above is None else []
        lines = _lines(languages.direction(language), languages.direction(language))
        field = f"to_{number + 1}"
        wants_points = place.own_words and self._case_asks
        return Addressed(
            heading=translations.gettext_for(language)(HEADINGS[place.role]),
            name=(Slot(f"{field}_name"),),
            details=(Slot(f"{field}_details", "", lines),),
            rules=_passage(rules[0], letters.paragraphs(rules[1])) if rules else None,
            letter=_letter(*shown[0], around=language) if shown else None,
            reading=_letter(*shown[1], around=language) if len(shown) > 1 else None,
            same_as=() if above is None else (Slot(f"to_{above + 1}_name"),),
            points=(Slot(f"{field}_points", "", lines),) if wants_points else (),
            url=(Slot(f"{field}_url"),),
        )

    def _shown(self, number: int, place: Place, language: str) -> Iterator[tuple[str, letters.Letter]]:
        """The letter of a place, and the one to read beside it, each with what its fields begin with."""
        if place.language is not None:
            yield f"letter_{number + 1}_", self._letters.get(place.role, place.language)
            if reading := self._letters.reading(place, language):
                yield f"read_{number + 1}_", reading

    def _places(self, shape: str, language: str) -> Iterator[tuple[int, list[tuple[str, letters.Letter]]]]:
        """The number of each place that an edition shows, and its letters, if they stand there."""
        places = letters.places_of(shape)[: writing.MOST]
        for number, place in enumerate(places):
            is_above = place in places[:number]
            yield number, [] if is_above else list(self._shown(number, place, language))

    def _asks_for(self, tags: Iterable[str]) -> Words | None:
        """What to ask for, in the first language of several in which it is said; None where nothing may be."""
        if not self._case_asks:
            return None
        nearest = (languages.nearest(tag, self._case_asks, self._fallbacks) for tag in tags)
        tag = next(filter(None, nearest), None) or sayable.nearest("en", self._case_asks)
        return Words(tag, self._case_asks[tag])

    def _room(self, places: list[Place], language: str) -> int:
        """The most that what differs takes in HTML."""
        most = 0
        for number, place in enumerate(places):
            most += self._longest_of(place.role, language)
            for _prefix, letter in [] if place in places[:number] else self._shown(number, place, language):
                for choices in (letter.subjects, letter.openings, letter.closings):
                    most += max((_size({"": fill(choice, {})}) for choice in choices), default=0)
        return most

    def _longest_of(self, role: TargetRole, language: str) -> int:
        """The most that a target of a role takes. All editions of a language ask for it, and there may be hundreds."""
        known = self._longest.get((role, language))
        if known is None:
            of_role = [target for target in self._targets if target.role is role]
            known = max((_size(self._of_target(target, language)) for target in of_role), default=0)
            self._longest[role, language] = known
        return known

    # --- what stands in it ------------------------------------------------------------------------------------------

    def wording(self, shape: str, language: str, number: int) -> int:
        """The least number that gives the same wording of all letters of an edition.

        :param number: as `letters.number_for` makes it.
        """
        cycle = self._cycles.get((shape, language))
        if cycle is None:
            shown = [letter for _place, found in self._places(shape, language) for _prefix, letter in found]
            cycle = self._cycles[shape, language] = math.lcm(*(letter.wordings for letter in shown))
        return number % cycle

    def filled(
        self, shape: str, language: str, country: str | None, number: int, *, lives_there: bool = True
    ) -> Filled:
        """What stands in the places of an edition for a reader.

        :param shape: as `shape` has it for that country.
        :param number: of the wording.
        :param lives_there: whether that country is known to be the reader's own, so that their letter may say so.
        """
        values: dict[str, str] = {"to_more_url": self._url(language, None)}
        signed: list[tuple[str, Pieces, Mapping[str, str]]] = []
        targets = self.of(country)
        for place, shown in self._places(shape, language):
            target = targets[place]
            prefix = f"to_{place + 1}_"
            values |= {f"{prefix}{field}": value for field, value in self._of_target(target, language).items()}
            values[f"{prefix}url"] = self._url(language, target.slug)
            for prefix, letter in shown:
                of_country = countries.name(country, letter.language) if country and lives_there else None
                known = letter.values_for(target, country=of_country)
                values |= {f"{prefix}{field}": value for field, value in known.items()}
                chosen = letter.wording(number)
                parts = (("subject", chosen.subject), ("opening", chosen.opening), ("closing", chosen.closing))
                for field, pieces in parts:
                    if any(isinstance(piece, Slot) and piece.field == "name" for piece in pieces):
                        signed.append((f"{prefix}{field}", pieces, known))
                    values[f"{prefix}{field}"] = fill(pieces, known)
        return Filled({field: value for field, value in values.items() if value}, tuple(signed))

    def _of_target(self, target: Target, language: str) -> dict[str, str]:
        """What is shown of a target to a reader of a language."""
        name = target.name_for(language, self._fallbacks)
        asks = self._asks_for((*target.languages, language)) if target.own_words else None
        points = "\n".join(f"• {ask}" for ask in asks.text.split("\n")) if asks else ""
        return {"name": name, "details": details(target, language, name), "points": points}

    def texts(
        self, shape: str, language: str, country: str | None, number: int
    ) -> Iterator[tuple[TargetRole, str, str]]:
        """The letters that an edition shows, each as a text that is still to be signed: role, language, words.

        :param number: as for `filled`.
        """
        targets = self.of(country)
        for place, shown in self._places(shape, language):
            for _prefix, letter in shown[:1]:
                target = targets[place]
                written = letter.written(number, letter.values_for(target))
                name = target.name_for(language, self._fallbacks)
                blocks = (name, details(target, language, name), written.subject, written.text)
                yield letter.role, letter.language, "\n\n".join(filter(None, blocks)) + "\n"

    def _url(self, language: str, target: str | None) -> str:
        pages = Pages(self._base_url, language)
        return pages.unlisted_letter(self._token, target) if self._token else pages.letter(self._slug, target)


def details(target: Target, language: str, name: str) -> str:
    """Where a target is reached: its address as it is written there, and in Latin letters, then all other ways. No line
    has a label, so that each runs its own way.

    :param language: of the reader.
    :param name: by which they know it: another one that it has stands above its address.
    """
    local = target.name_for(next(iter(target.languages), None))
    blocks = [
        [local if local != name else "", target.address],
        [target.address_latin],
        [target.email, target.url, target.phone, _hours(target, language)],
    ]
    return "\n\n".join(filter(None, ("\n".join(filter(None, lines)) for lines in blocks)))


def _hours(target: Target, language: str) -> str:
    if not target.phone_hours:
        return ""
    zone = zones.name_of(target.phone_zone, utcnow(), languages.locale(language))
    return f"{target.phone_hours} ({zone})"


def _sayable_asks(campaign: Campaign) -> dict[str, str]:
    """What the case asks for, by language, a line each; nothing if something must not appear in it."""
    case = campaign.case
    asks = {tag: "\n".join(" ".join(ask.split()) for ask in said) for tag, said in case.asks.items()} if case else {}
    return asks if Sayable(case).may_say(*asks.values()) else {}


def _passage(language: str, paragraphs: Iterable[str]) -> Passage:
    return Passage(language, languages.direction(language), tuple((paragraph,) for paragraph in paragraphs))


def _letter(prefix: str, letter: letters.Letter, *, around: str) -> writing.Letter:
    """A letter with slots for what is a reader's own, a target's, or one of several wordings.

    :param prefix: what the names of its fields begin with.
    :param around: the language of the mail that it stands in.
    """
    runs = languages.direction(letter.language)
    words, lines = _words(runs, languages.direction(around)), _lines(runs, languages.direction(around))
    first = letter.wording(0)
    opening = (Slot("opening", fill(first.opening, {}), lines),) if first.opening else ()
    closing = (Slot("closing", fill(first.closing, {}), lines),) if first.closing else ()

    def placed(piece: str | Slot) -> str | Slot:
        if isinstance(piece, str):
            return piece
        field = piece.field if piece.field == "name" else f"{prefix}{piece.field}"
        return Slot(field, piece.default, piece.context if piece.context in LINES else words)

    paragraphs = tuple(tuple(map(placed, each)) for each in letter.assembled(opening, closing))
    subject = Slot(f"{prefix}subject", fill(first.subject, {}), words)
    return writing.Letter((subject,), Passage(letter.language, runs, paragraphs))


def _words(*directions: str) -> SlotContext:
    """How a value is set apart where words run one way within others. A mail program takes what runs from left to right
    in a text for that by itself, and nothing else."""
    return SlotContext.LTR_WORDS if set(directions) == {"ltr"} else SlotContext.RTL_WORDS


def _lines(*directions: str) -> SlotContext:
    """Likewise, of a value that has several lines."""
    return SlotContext.LTR_LINES if set(directions) == {"ltr"} else SlotContext.RTL_LINES


def _size(values: Mapping[str, str]) -> int:
    return sum(len(fill((Slot("", value, SlotContext.HTML_LINES),), {}).encode()) for value in values.values())
