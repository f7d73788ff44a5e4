"""Petitions: whom a campaign hands its readers' names to, and how many are to act."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailer.campaigns import segments
from mailer.cases.sayable import Words, nearest
from mailer.errors import MailerError
from mailer.formats.written_files import Complaint
from mailer.locale import languages
from mailer.store.models import Campaign

MOST = 200  # letters of whoever gets the names
GOALS = range(10, 100_000_001)  # fewer than are shown would tell how few there are
_KEYS = ("to",)


class NobodyNamed(MailerError):
    """must say who gets the names, such as "the Embassy of Ondoria", or {{ en = "…", fr = "…" }}"""


class NotInOwnLanguage(MailerError):
    """is missing in {language}, the campaign's own language"""


class LongAddressee(MailerError):
    """may have {most} letters: name them, and say the rest in the text"""


class LanguageTwice(MailerError):
    """is written twice in {language}: keep one"""


class WrongPetition(MailerError):
    """Nobody can sign a petition like that: {languages}."""

    def __init__(self, wrong: Sequence["Wrong"]) -> None:
        super().__init__(languages=", ".join(each.language for each in wrong))
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with what is written in a language."""

    language: str  # as it is written
    why: MailerError


@dataclass(frozen=True, slots=True)
class Petition:
    """What is signed is the campaign's own text; this is who gets it."""

    to: Mapping[str, str]  # language → who gets the names, as a sentence says it: "the Embassy of Ondoria in London"

    def addressee(self, language: str, fallbacks: Mapping[str, Sequence[str]]) -> Words:
        """Who gets the names, for a reader of a language.

        :param fallbacks: as `languages.nearest` takes them.
        """
        tag = nearest(language, self.to, fallbacks)
        return Words(tag, self.to[tag])

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"to": dict(self.to)}


def of(campaign: Campaign) -> Petition | None:
    """A campaign's petition; None where there is nothing to sign."""
    return Petition(campaign.petition["to"]) if campaign.petition else None


def may_be_named(campaign: Campaign, country: str | None) -> bool:
    """Whether the name of somebody who signs may be shown or handed over: not of who lives where the authorities are,
    and of nobody whose country we do not know.

    :param country: in which they live, ISO 3166-1 alpha-2.
    """
    return country is not None and country not in segments.home_of(campaign)


def understand(written: Sequence[tuple[str, str]], language: str) -> Petition:
    """The petition that somebody writes, wherever they do.

    :param written: language and who gets the names, as they say them.
    :param language: the campaign's own.
    :raises WrongPetition: nobody could sign it like that.
    """
    to: dict[str, str] = {}
    wrong: list[Wrong] = []
    for said, words in written:
        try:
            tag = languages.normalise(said)
            to[tag] = _addressee(words, is_new=tag not in to, tag=tag)
        except MailerError as why:
            wrong.append(Wrong(said, why))
    if language not in to and all(each.language != language for each in wrong):
        wrong.append(Wrong(language, NotInOwnLanguage(language=language)))
    if wrong:
        raise WrongPetition(wrong)
    return Petition(to)


def _addressee(written: str, *, is_new: bool, tag: str) -> str:
    words = " ".join(written.split())
    if not words:
        raise NobodyNamed
    if not is_new:
        raise LanguageTwice(language=tag)
    if len(words) > MOST:
        raise LongAddressee(most=MOST)
    return words


def read(table: object, language: str, problem: Complaint) -> dict[str, Any] | None:
    """What `[petition]` of a campaign.toml says, as it is stored; None where there is none.

    :param language: the campaign's own, in which a text without a language is.
    :raises InvalidFile: with the line of what is wrong.
    """
    if table is None:
        return None
    if not isinstance(table, dict):
        problem.about("petition", 'must be a table: write [petition], and below it to = "who gets the names"')
    problem.table = "[petition]"
    problem.refuse_unknown(table, _KEYS)
    written = table.get("to")
    if isinstance(written, str):
        written = {language: written}
    if not isinstance(written, dict) or not all(isinstance(each, str) for each in written.values()):
        problem.about("to", NobodyNamed())
    try:
        petition = understand(list(written.items()), language)
    except WrongPetition as refused:
        problem.about("to", refused.wrong[0].why)
    problem.table = ""
    return petition.to_json()


def read_goal(table: Mapping[str, Any], problem: Complaint) -> int | None:
    """How many are to act, as `goal` of a campaign.toml says.

    :raises InvalidFile: it is no such number.
    """
    goal = table.get("goal")
    if goal is None:
        return None
    if not isinstance(goal, int) or isinstance(goal, bool) or goal not in GOALS:
        problem.about("goal", f"must be a whole number from {GOALS.start} on, without quotes")
    return goal
