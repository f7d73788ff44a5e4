"""What somebody wrote: a text of mails, or a letter, as it stands in the fields of a form, in a file, and stored."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from mailer.campaigns.text_names import TextName
from mailer.errors import MailerError
from mailer.formats import written_files
from mailer.store.models import CampaignText, LetterText

#: characters of what is one line, and of what is more: more than any mail has room for
LONGEST_LINE = 1_000
LONGEST_BODY = 50_000
#: likewise of a part of a letter: what nobody reads to its end
LONGEST_LETTER = 20_000
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something cannot go out as it is written."""

    part: str  # a field of it
    place: int  # of that part, from 1: the line, or of a letter's subjects, openings and closings which of them
    problem: str  # in English
    error: MailerError = field(repr=False, compare=False)  # as loading its file would say it


@dataclass(frozen=True, slots=True)
class _Fields(ABC):
    """What both have in common."""

    LONGEST: ClassVar[Mapping[str, int]]  # field → characters, in the order of a form
    KEEPS_EMPTY: ClassVar[bool]  # whether a file names what nothing is written in, too

    @property
    @abstractmethod
    def typed(self) -> dict[str, str]:
        """Field → what stands in it."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written in any field."""
        return not any(self.typed.values())

    @property
    def is_too_long(self) -> bool:
        """Whether nobody could store or read it."""
        return any(len(words.rstrip("\n")) > self.LONGEST[name] for name, words in self.typed.items())

    @property
    def front(self) -> dict[str, Any]:
        """What stands above the body in its file."""
        return {name: each for name, each in self.to_json().items() if name != "body" and (each or self.KEEPS_EMPTY)}

    @property
    def file(self) -> str:
        """As it stands in a campaign's folder."""
        return written_files.article_text(self.front, self.to_json()["body"])

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: list(each) if isinstance(each, tuple) else each for name, each in values.items()}


@dataclass(frozen=True, slots=True)
class Written(_Fields):
    """What mails say in one language."""

    LONGEST: ClassVar[Mapping[str, int]] = {"subject": LONGEST_LINE, "preheader": LONGEST_LINE, "body": LONGEST_BODY}
    KEEPS_EMPTY: ClassVar[bool] = True

    subject: str = ""
    preheader: str = ""
    body: str = ""

    @classmethod
    def of(cls, subject: str, preheader: str, body: str) -> Self:
        """As it was typed, without what nobody sees."""
        return cls(" ".join(subject.split()), " ".join(preheader.split()), _body(body))

    @classmethod
    def of_typed(cls, typed: Mapping[str, str]) -> Self:
        """From the fields of a form."""
        return cls.of(**typed)

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> Self:
        """From what `to_json` gave."""
        return cls(**stored)

    @property
    def typed(self) -> dict[str, str]:
        """Field → what stands in it."""
        return self.to_json()


@dataclass(frozen=True, slots=True)
class WrittenLetter(_Fields):
    """What people write to those of one role, in one language."""

    LONGEST: ClassVar[Mapping[str, int]] = {
        "subjects": LONGEST_LETTER // 2,
        "openings": LONGEST_LETTER,
        "body": LONGEST_LETTER,
        "closings": LONGEST_LETTER,
        "rules": LONGEST_LETTER,
    }
    KEEPS_EMPTY: ClassVar[bool] = False

    subjects: tuple[str, ...] = ()  # of these and the next two, each person gets one
    openings: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    rules: str = ""
    body: str = ""

    @classmethod
    def of_typed(cls, typed: Mapping[str, str]) -> Self:
        """From the fields of a form: a subject a line, openings and closings between empty lines."""
        lines = {name: _lines(words) for name, words in typed.items()}
        return cls(
            subjects=tuple(" ".join(each.split()) for each in lines["subjects"].split("\n") if each.strip()),
            openings=_paragraphs(lines["openings"]),
            closings=_paragraphs(lines["closings"]),
            rules=lines["rules"].strip(),
            body=_body(typed["body"]),
        )

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> Self:
        """From what `to_json` gave."""
        values: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in stored.items()
        }
        return cls(**values)

    @property
    def typed(self) -> dict[str, str]:
        """Field → what stands in it."""
        return {
            "subjects": "\n".join(self.subjects),
            "openings": "\n\n".join(self.openings),
            "body": self.body,
            "closings": "\n\n".join(self.closings),
            "rules": self.rules,
        }


AnyWritten = Written | WrittenLetter


def kind_of(name: TextName) -> type[Written] | type[WrittenLetter]:
    """What something of that name is."""
    return WrittenLetter if name.role else Written


def of_campaign(stored: CampaignText | LetterText) -> AnyWritten:
    """What a campaign says."""
    if isinstance(stored, CampaignText):
        return Written.of(stored.subject, stored.preheader, stored.body)
    return WrittenLetter(
        subjects=tuple(stored.subjects),
        openings=tuple(map(_with_breaks, stored.openings)),
        closings=tuple(map(_with_breaks, stored.closings)),
        rules=stored.rules,
        body=_body(stored.body),
    )


def _with_breaks(paragraph: str) -> str:
    """A paragraph that was read, as it has to be written to be read like that again: only its breaks were meant."""
    return paragraph.replace("\n", "\\\n")


def name_of(stored: CampaignText | LetterText) -> TextName:
    """Which of a campaign's it is."""
    return TextName(stored.language, stored.role if isinstance(stored, LetterText) else None)


def _lines(words: str) -> str:
    return words.replace("\r\n", "\n").replace("\r", "\n")


def _body(words: str) -> str:
    kept = _lines(words).rstrip()
    return f"{kept}\n" if kept else ""


def _paragraphs(words: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in _EMPTY_LINES.split(words) if each.strip())
