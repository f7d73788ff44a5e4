"""An invented world to try everything on: supporters, their unions, and an urgent action for them.

No living person and no real campaign is meant; every address is under example.org, example.net or example.com.
"""

import csv
import functools
import random
import shutil
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import accumulate
from itertools import count as count_from
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

LIST_SLUG = "urgent-actions"
LIST_NAME = "Urgent actions"
CAMPAIGN_DIR = Path(__file__).parent / "campaigns" / "veldara-dockers"
#: What the alert is about, and what follows it: a mail that asks to write no more, news, what is closed and withdrawn.
CASE_SLUG = "veldara-six"
STOP_SLUG, NEWS_SLUG, VIGIL_SLUG, LETTER_SLUG = "veldara-stop", "veldara-news", "london-vigil", "grey-quay-letter"
#: A petition about another case, a reminder to those who have not signed it, and how that case ends.
PETITION_CASE_SLUG, PETITION_SLUG, REMINDER_SLUG = "orell-school", "orell-petition", "orell-reminder"
OUTCOME = {
    "ar": "أُفرج عن ناديا أوريل، وستُفتح المدرسة من جديد في الخريف.",
    "en": "Nadia Orell is free, and the school opens again in autumn.",
    "fr": "Nadia Orell est libre, et l’école rouvrira à l’automne.",
}
#: Whom people can write to about Ondoria and about the case.
TARGETS = "targets.csv"
#: The country that stands for Ondoria, whose government the alert addresses.
HOME = "AQ"
#: What the supporters agreed to, in the words they saw.
CONSENT = "Yes, send me urgent actions by e-mail. I can leave at any time with one click."
UNION_CONSENT = (
    "Yes, keep a note of my union, so that I get what concerns its members. I can take this back at any time."
)

HEADER = ("email", "name", "country", "union", "language", "consent_at", "source")

_POPULATION = Path(__file__).with_name("population.toml")
_UNIONS = Path(__file__).with_name("unions.toml")
_LOGOS = Path(__file__).parent / "logos"
_FILES = Path(__file__).parent
_STOP_REASONS = Path(__file__).with_name("stop.toml")
_TODAY = "2000-01-01"  # what stands in files for the day on which they are copied
_HOSTS = ("example.org", "example.net", "example.com", "mail.example.org", "post.example.net", "inbox.example.com")
_SOURCES = ("website", "petition", "street stall", "union congress", "")
_FIRST_CONSENT = datetime(2019, 1, 7, 8, 0, tzinfo=UTC)
_CONSENT_SECONDS = 6 * 365 * 24 * 3600  # the last one is well in the past

#: Letters that do not come apart into an ASCII letter and a mark.
_ASCII_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "ı": "i", "'": "", " ": ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleContact:
    """Who gets a union's mail."""

    name: str
    role: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleUnion:
    """A union that affiliates, or a federation of several."""

    slug: str
    name: str
    country: str | None = None  # ISO 3166-1 alpha-2; none for a federation
    parent: str | None = None  # the federation's slug
    languages: tuple[str, ...] = ()  # the one that most members read first
    members: int | None = None
    is_named: bool = True
    resolution: str | None = None
    contact: SampleContact | None = None  # none for a federation
    introductions: Mapping[str, str] = field(default_factory=dict)  # language → its words above an alert

    @property
    def logo(self) -> Path | None:
        """Its logo, if it has one."""
        file = _LOGOS / f"{self.slug}.png"
        return file if file.exists() else None


@functools.cache
def unions() -> tuple[SampleUnion, ...]:
    """Eight unions in three federations, a federation before its unions."""
    tables = tomllib.loads(_UNIONS.read_text(encoding="utf-8"))["unions"]
    return tuple(map(_union, tables))


def _union(table: dict[str, Any]) -> SampleUnion:
    contact = SampleContact(**table["contact"]) if "contact" in table else None
    return SampleUnion(**{**table, "languages": tuple(table.get("languages", ())), "contact": contact})


def texts(folder: Path = CAMPAIGN_DIR) -> list[Path]:
    """The texts of a campaign or case, one for each language; letters are others."""
    return [path for path in sorted(folder.glob("*.md")) if not path.name.startswith("letter-")]


def copy_files(folder: Path, today: date) -> None:
    """Copy the case, the targets and the campaigns into a folder, as organisers keep theirs: `cases/`, `targets.csv`
    and `campaigns/`.

    All that is known of the case was checked today, and all targets but two.
    """
    for name in ("cases", "campaigns"):
        shutil.copytree(_FILES / name, folder / name)
    shutil.copy(_FILES / TARGETS, folder / TARGETS)
    for path in (*(folder / "cases").glob("*/case.toml"), folder / TARGETS):
        path.write_text(path.read_text("utf-8").replace(_TODAY, today.isoformat()), "utf-8")


def stop_reasons() -> dict[str, str]:
    """Why people are asked to write no more about the case: language → words."""
    return tomllib.loads(_STOP_REASONS.read_text("utf-8"))


def write_supporters(path: Path, count: int = 1200, *, at_home: int = 0, seed: int = 1) -> None:
    """Write invented supporters as a CSV that can be imported, and four rows at its end that have something wrong.

    The same counts and seed always give the same file. Constant memory, 100,000 rows a second.

    :param count: how many supporters, each with an address of their own; at least 1.
    :param at_home: how many more, who live under the government that the alert addresses.
    """
    supporters = _Supporters(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        first = supporters.next_row()
        writer.writerow(first)
        writer.writerows(supporters.next_row() for _ in range(count - 1))
        writer.writerows(supporters.next_row_at_home() for _ in range(at_home))
        writer.writerows(_flawed_rows(known_address=first[0]))


def _flawed_rows(*, known_address: str) -> Iterator[tuple[str, ...]]:
    """What real lists hold: an address that is none, a country and a union that do not exist, a person twice."""
    consent = ("2024-05-01T09:30:00+00:00", "street stall")
    yield ("marta.at.example.org", "Marta", "IT", "", "it", *consent)
    yield ("gil.ferris@example.net", "Gil Ferris", "Atlantis", "", "en", *consent)
    yield ("ines.vidal@example.com", "Inés Vidal", "ES", "Guild of Lighthouse Keepers", "es", *consent)
    yield (known_address, "", "", "", "", *consent)


# --- people ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Choice(Generic[T]):
    """Values to draw from, some more often than others."""

    values: Sequence[T]
    cumulative_weights: Sequence[int]

    @classmethod
    def of(cls, weighted: Iterable[tuple[T, int]]) -> "_Choice[T]":
        values, weights = zip(*weighted, strict=True)
        return cls(values, tuple(accumulate(weights)))

    def draw(self, rng: random.Random) -> T:
        return rng.choices(self.values, cum_weights=self.cumulative_weights)[0]


@dataclass(frozen=True, slots=True)
class _Name:
    """A given name or surname, and how it stands in an address."""

    text: str
    ascii: str

    @classmethod
    def parse(cls, entry: str) -> "_Name":
        """Read `name` or, where it is not in Latin letters, `name=romanised`."""
        text, _, romanised = entry.partition("=")
        decomposed = unicodedata.normalize("NFKD", (romanised or text).translate(_ASCII_LETTERS))
        return cls(text, decomposed.encode("ascii", "ignore").decode().lower())


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of people who share a language or a script."""

    given: Sequence[_Name]
    surnames: Sequence[_Name]
    surname_first: bool = False
    mail_host: str = ""  # for addresses in their own script

    @classmethod
    def parse(cls, table: dict[str, Any]) -> "_Names":
        return cls(
            given=[_Name.parse(entry) for entry in table["given"]],
            surnames=[_Name.parse(entry) for entry in table["surnames"]],
            surname_first=table.get("surname_first", False),
            mail_host=table.get("mail_host", ""),
        )

    def full(self, given: _Name, surname: _Name) -> str:
        return f"{surname.text}{given.text}" if self.surname_first else f"{given.text} {surname.text}"


@dataclass(frozen=True, slots=True)
class _Country:
    """Where supporters live, and what they speak there."""

    code: str
    name: str
    people: _Choice[tuple[str, _Names]]  # language and names
    unions: _Choice[SampleUnion]


class _Supporters:
    """Draws one supporter after the other."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - the same people each time is what is wanted
        self._numbers = count_from(1)
        population = tomllib.loads(_POPULATION.read_text(encoding="utf-8"))
        names = {key: _Names.parse(table) for key, table in population["names"].items()}
        self._countries = _Choice.of((_country(table, names), table["weight"]) for table in population["countries"])
        self._home = _country(population["home"], names)

    def next_row(self) -> tuple[str, ...]:
        """The cells of the next supporter, in the order of `HEADER`."""
        country = self._countries.draw(self._rng)
        return self._row(country, partial(self._country, country))

    def next_row_at_home(self) -> tuple[str, ...]:
        """Likewise of one who lives under the government that the alert addresses."""
        return self._row(self._home, lambda: self._home.code)

    def _row(self, country: _Country, written: Callable[[], str]) -> tuple[str, ...]:
        rng = self._rng
        language, names = country.people.draw(rng)
        given, surname = rng.choice(names.given), rng.choice(names.surnames)
        consent_at = _FIRST_CONSENT + timedelta(seconds=rng.randrange(_CONSENT_SECONDS))
        return (
            self._address(names, given, surname),
            self._name(names, given, surname),
            written(),
            self._union(country),
            language,
            consent_at.isoformat(),
            rng.choice(_SOURCES),
        )

    def _address(self, names: _Names, given: _Name, surname: _Name) -> str:
        number = next(self._numbers)  # makes it theirs alone
        if names.mail_host and self._rng.random() < 0.05:
            return f"{given.text}{number}@{names.mail_host}"
        return f"{given.ascii}.{surname.ascii}{number}@{self._rng.choice(_HOSTS)}"

    def _name(self, names: _Names, given: _Name, surname: _Name) -> str:
        """How they wish to be addressed: mostly in full, some by given name, some did not say."""
        mood = self._rng.random()
        if mood < 0.05:
            return ""
        return given.text if mood < 0.25 else names.full(given, surname)

    def _country(self, country: _Country) -> str:
        """As lists have it: mostly the code, sometimes the name, rarely nothing."""
        mood = self._rng.random()
        if mood < 0.02:
            return ""
        return country.name if mood < 0.2 else country.code

    def _union(self, country: _Country) -> str:
        """Three in five have one, written as slug or as name; as name where the slug is random."""
        mood = self._rng.random()
        if mood >= 0.6:
            return ""
        union = country.unions.draw(self._rng)
        return union.name if mood < 0.15 or not union.is_named else union.slug


def _country(table: dict[str, Any], names: dict[str, _Names]) -> _Country:
    """A country; where no union is at home, people belong to a federation directly, or to a union abroad."""
    near = [union for union in unions() if union.country == table["code"]] or [
        union for union in unions() if union.country is None
    ]
    return _Country(
        code=table["code"],
        name=table["name"],
        people=_Choice.of(((language, names[key]), weight) for language, key, weight in table["people"]),
        unions=_Choice.of([*((union, 1) for union in unions()), *((union, 60) for union in near)]),
    )
