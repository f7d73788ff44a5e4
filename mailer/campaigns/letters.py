"""Letters: what supporters write to a campaign's targets, in a language that these read.

Each language of a role has one letter, whose subject, opening and closing vary from supporter to supporter. A mail, a
page and a kit show the same letter: a mail to the person whom it is for, the others to somebody of whom nothing is
known, so no letter of theirs says where its sender lives.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from mailer.campaigns.text_names import TextName
from mailer.cases.targets import Target
from mailer.locale import languages
from mailer.mail import fields
from mailer.mail.merge import fill
from mailer.mail.types import Pieces
from mailer.store.models import Campaign, LetterText, TargetRole

#: what a letter may print; all but the target's name need a default
FIELDS = ("salutation", "target_name", "name", "country")

_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
#: a line that stays one: it begins as one of a list does, or is the name of who signs
_OWN_LINE = re.compile(r"[-–—•*]\s|\d{1,2}[.)]\s|\{\{\s*name\b[^{}]*\}\}$")
_BREAK = "\\"  # at the end of a line: the next one stays one, as in Markdown


@dataclass(frozen=True, slots=True)
class Wording:
    """One of the ways in which a letter may begin and end."""

    subject: Pieces
    opening: Pieces  # a paragraph; () for none
    closing: Pieces  # likewise


@dataclass(frozen=True, slots=True)
class Written:
    """A letter that is ready to be sent. Lines end in "\\n", paragraphs in an empty line."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Letter:
    """The letter to the targets of a role, in one language."""

    role: TargetRole
    language: str
    subjects: tuple[Pieces, ...]  # at least one
    openings: tuple[Pieces, ...]
    closings: tuple[Pieces, ...]
    rules: str  # what not to write, for those who write; paragraphs at empty lines; "" for none
    body: tuple[Pieces, ...]  # paragraphs

    @classmethod
    def of(cls, stored: LetterText) -> "Letter":
        """Read a stored letter. What `files` accepted is accepted here."""
        read = functools.partial(_read, file=TextName(stored.language, stored.role).file)
        return cls(
            stored.role,
            stored.language,
            tuple(map(read, stored.subjects)),
            tuple(map(read, stored.openings)),
            tuple(map(read, stored.closings)),
            stored.rules,
            tuple(map(read, paragraphs(stored.body))),
        )

    @property
    def wordings(self) -> int:
        """In how many ways it can be worded."""
        return len(self.subjects) * max(1, len(self.openings)) * max(1, len(self.closings))

    def wording(self, number: int) -> Wording:
        """One way to word it.

        :param number: from 0; those beyond `wordings` begin again.
        """
        number, subject = divmod(number, len(self.subjects))
        number, opening = divmod(number, max(1, len(self.openings)))
        closing = number % max(1, len(self.closings))
        return Wording(self.subjects[subject], _at(self.openings, opening), _at(self.closings, closing))

    def sample_numbers(self) -> Iterator[int]:
        """The numbers of wordings that between them show all that it may begin and end with."""
        subjects, openings, closings = len(self.subjects), max(1, len(self.openings)), max(1, len(self.closings))
        for number in range(max(subjects, openings, closings)):
            yield number % subjects + subjects * (number % openings + openings * (number % closings))

    def assembled(self, opening: Pieces, closing: Pieces) -> tuple[Pieces, ...]:
        """Its paragraphs, with an opening behind the salutation and a closing before the name that signs it."""
        paragraphs = list(self.body)
        begin = 1 if _prints(paragraphs[0], "salutation") else 0
        end = len(paragraphs) - 1 if len(paragraphs) > begin and _prints(paragraphs[-1], "name") else len(paragraphs)
        found = (*paragraphs[:begin], opening, *paragraphs[begin:end], closing, *paragraphs[end:])
        return tuple(filter(None, found))

    def written(self, number: int, values: Mapping[str, str]) -> Written:
        """The letter as somebody sends it.

        :param number: as for `wording`.
        :param values: of its fields, as `values_for`; a missing or empty one: its default.
        """
        wording = self.wording(number)
        text = "\n\n".join(fill(each, values) for each in self.assembled(wording.opening, wording.closing))
        return Written(" ".join(fill(wording.subject, values).split()), text)

    def values_for(self, target: Target, *, name: str | None = None, country: str | None = None) -> dict[str, str]:
        """What its fields are, in its language.

        :param name: of the sender, as for `country`; None where nobody knows who it is.
        :param country: where the sender lives, by its name in the letter's language; never the target's.
        """
        salutation = languages.nearest(self.language, target.salutations)
        return {
            "salutation": target.salutations[salutation] if salutation else "",
            "target_name": target.name_for(self.language),
            "name": name or "",
            "country": country or "",
        }


# Its page reads all letters of a campaign to choose one, and a link in a hundred thousand mails is followed by many.
@functools.lru_cache(maxsize=4096)
def _read(text: str, file: str) -> Pieces:
    return parse(text, file=file).resolve("")


def _at(choices: Sequence[Pieces], number: int) -> Pieces:
    return choices[number] if choices else ()


def _prints(pieces: Pieces, field: str) -> bool:
    return any(not isinstance(piece, str) and piece.field == field for piece in pieces)


class Part(NamedTuple):
    """Words of a letter, and where they stand."""

    where: str  # the file, and what of it
    line: int  # on which they begin; 0 where only `where` is known
    words: str

    def at(self, line: int) -> str:
        """Where one of its lines stands.

        :param line: from 0.
        """
        return f"{self.where}:{self.line + line}" if self.line else self.where


def parts(stored: LetterText) -> Iterator[Part]:
    """All that its author wrote in a letter."""
    file = TextName(stored.language, stored.role).file
    for key in ("subjects", "openings", "closings"):
        for number, words in enumerate(getattr(stored, key), start=1):
            yield Part(f"{file}, {key}, number {number}", 0, words)
    yield Part(f"{file}, rules", 0, stored.rules)
    yield Part(file, stored.body_line, stored.body)


def parse(text: str, *, file: str, first_line: int = 1) -> fields.Template:
    """Read a part of a letter.

    :raises fields.TextFieldError: it has another field, or a condition, with file and line.
    """
    return fields.parse(text, file=file, first_line=first_line, fields=FIELDS, conditions=())


def paragraphs(body: str) -> list[str]:
    """The paragraphs of a letter, each with its lines made one, but for those of a list, those after a backslash,
    and one that is the name alone."""
    return ["\n".join(_lines(part)) for part in _PARAGRAPHS.split(body.strip("\n")) if part.strip()]


def _lines(paragraph: str) -> Iterator[str]:
    line = ""
    for written in map(str.strip, paragraph.split("\n")):
        if line.endswith(_BREAK):
            yield line.removesuffix(_BREAK).rstrip()
            line = written
        elif line and _OWN_LINE.match(written):
            yield line
            line = written
        else:
            line = f"{line} {written}".strip()
    yield line.removesuffix(_BREAK).rstrip()


def number_for(campaign: Campaign, subscriber_id: int) -> int:
    """Which wording a supporter gets: of a campaign always the same one, and none that tells who they are."""
    return int.from_bytes(blake2b(subscriber_id.to_bytes(8, "big"), key=campaign.salt, digest_size=4).digest(), "big")


# --- which letter ---------------------------------------------------------------------------------------------------

#: what stands in a shape for the language of a letter, where a target wants no copies, and where there is none
_OWN_WORDS, _NONE = "own", "-"


class Place(NamedTuple):
    """What an edition shows for a target, whoever that is."""

    role: TargetRole
    language: str | None  # of the letter; None where there is none
    own_words: bool  # it refuses copies: what to ask for stands there instead

    def __str__(self) -> str:
        return f"{self.role}:{_OWN_WORDS if self.own_words else self.language or _NONE}"

    @classmethod
    def parse(cls, written: str) -> "Place":
        """As `str` writes it."""
        role, _, language = written.partition(":")
        own_words = language == _OWN_WORDS
        return cls(TargetRole(role), None if own_words or language == _NONE else language, own_words)


def shape_of(places: Sequence[Place]) -> str:
    """What an edition shows for its readers' targets, as `EditionKey` and the table of editions have it."""
    return " ".join(map(str, places))


def places_of(shape: str) -> list[Place]:
    """What `shape_of` wrote."""
    return list(map(Place.parse, shape.split()))


class Letters:
    """A campaign's letters, to be chosen by target and reader. Holds no session."""

    def __init__(self, campaign: Campaign) -> None:
        self._own = campaign.language
        self._fallbacks = campaign.fallbacks
        self._by_role: dict[TargetRole, dict[str, Letter]] = {}
        for stored in campaign.letters:
            self._by_role.setdefault(stored.role, {})[stored.language] = Letter.of(stored)

    def __iter__(self) -> Iterator[Letter]:
        return (letter for letters in self._by_role.values() for letter in letters.values())

    def of_role(self, role: TargetRole) -> Mapping[str, Letter]:
        """The letters to the targets of a role, by language; one in the campaign's own language, if there are any."""
        return self._by_role.get(role, {})

    def get(self, role: TargetRole, language: str) -> Letter:
        """The letter of a role in a language in which there is one."""
        return self._by_role[role][language]

    def place(self, target: Target) -> Place:
        """What to show for a target of the book: a letter in the first language that it reads and there is one in, else
        in the campaign's own."""
        role = target.role
        if role is None:
            raise ValueError("a target of a file has no role, so nobody wrote a letter to it")
        if target.own_words:
            return Place(role, None, own_words=True)
        there = self.of_role(role)
        nearest = (languages.nearest(language, there) for language in target.languages)
        return Place(role, next(filter(None, nearest), self._own if there else None), own_words=False)

    def is_in_language_of(self, target: Target) -> bool:
        """Whether the letter to a target is in a language that it reads; also if nobody knows what it reads."""
        there = self.of_role(target.role) if target.role else {}
        return not target.languages or any(languages.nearest(language, there) for language in target.languages)

    def reading(self, place: Place, language: str) -> Letter | None:
        """The letter that somebody can read of whom only the language is known, beside the one that they send; None
        where they read that one, or there is none for them.

        :param language: BCP 47.
        """
        there = self.of_role(place.role)
        if place.language is None or place.language in languages.forms(language):
            return None
        nearest = languages.nearest(language, there, self._fallbacks)
        return there[nearest] if nearest and nearest != place.language else None

    def rules(self, role: TargetRole, language: str) -> tuple[str, str] | None:
        """What not to write to the targets of a role, and the language that it is said in: the nearest to the
        reader's, else the campaign's own, else any; None where nothing is said."""
        said = {tag: letter.rules for tag, letter in self.of_role(role).items() if letter.rules}
        if not said:
            return None
        tag = languages.nearest(language, said, self._fallbacks) or (self._own if self._own in said else min(said))
        return tag, said[tag]
