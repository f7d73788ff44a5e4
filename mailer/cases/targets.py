"""Targets: whom people write to, by role and by country.

Those that a file of a campaign or a case has are its own, and stored with it. Those of `target_book` have a slug and a
role; any campaign that asks for the role may have people write to them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mailer.errors import MailerError
from mailer.locale import countries, country_groups, languages
from mailer.mail import addresses
from mailer.store.models import TargetRole

if TYPE_CHECKING:  # workers read no files
    from mailer.formats.written_files import Complaint

_KEYS = frozenset(["countries", "name", "email", "address"])
#: every role, for messages; many call the first by other names
ROLES = ", ".join(f"{role} (a court, a ministry)" if role is TargetRole.AUTHORITY else role for role in TargetRole)
_THE_REST = ""  # what a target without countries is for


@dataclass(frozen=True, slots=True)
class Target:
    """Whom supporters are asked to write to. One without countries and groups is for everyone who has no other."""

    countries: tuple[str, ...]
    name: str
    email: str
    address: str  # in the script of the place
    groups: tuple[str, ...] = ()  # of countries, such as "@EU"
    # What only those of the book have.
    slug: str = ""
    role: TargetRole | None = None
    case: str | None = None  # slug of the only one that it is for
    about: str | None = None  # whose authorities it is or speaks for, where no case says so
    names: Mapping[str, str] = field(default_factory=dict, hash=False)  # language → what it is called in it
    salutations: Mapping[str, str] = field(default_factory=dict, hash=False)  # language → how a letter begins
    languages: tuple[str, ...] = ()  # that it reads, the best first
    url: str = ""  # of a form, or of a page on which people look up theirs
    phone: str = ""
    phone_hours: str = ""
    phone_zone: str = ""  # of these hours: IANA, "Europe/London"
    address_latin: str = ""  # the same address in Latin letters, where these are others
    own_words: bool = False  # it refuses letters that are copies
    verified_on: date | None = None  # the last day on which somebody made sure of all this
    verified_by: str = ""
    source: str = ""  # where it is from
    doubts: int = 0  # from how many networks it was reported since then that this is not right

    def to_json(self) -> dict[str, Any]:
        """As stored with a campaign or a case."""
        always = {"countries": list(self.countries), "name": self.name, "email": self.email, "address": self.address}
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return always | {key: _plain(value) for key, value in values.items() if value and key not in always}

    @property
    def values(self) -> dict[str, str]:
        """What a text prints of it, by field."""
        return {"target_name": self.name, "target_email": self.email, "target_address": self.address}

    def name_for(self, language: str | None, fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({})) -> str:
        """What it is called in a language, or in one that this is a form of or falls back to; else its name.

        :param fallbacks: as `languages.nearest` takes them.
        """
        nearest = languages.nearest(language, self.names, fallbacks)
        return self.names[nearest] if nearest else self.name

    @property
    def empty_fields(self) -> frozenset[str]:
        """The fields for which there is nothing to print of it."""
        return frozenset(field for field, value in self.values.items() if not value)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Target":
        """As stored."""
        return cls(**{key: _READ.get(key, _as_it_is)(value) for key, value in data.items()})

    @property
    def states(self) -> frozenset[str]:
        """The countries that it is for: each that is named, and the members of its groups."""
        return frozenset(self.countries).union(*(country_groups.get(group).states for group in self.groups))

    @property
    def is_reachable(self) -> bool:
        """Whether there is a way to write to it."""
        return bool(self.email or self.url or self.phone or self.address or self.address_latin)

    @property
    def words(self) -> list[str]:
        """All that somebody wrote of it, but who checked it and where it is from."""
        named = [self.slug, self.name, *self.names.values(), *self.salutations.values()]
        ways = [self.email, self.url, self.phone, self.phone_hours, self.address, self.address_latin]
        return [each for each in (*named, *ways) if each]


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, date):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def _as_it_is(value: Any) -> Any:
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("countries", "groups", "languages"), tuple),
    "role": TargetRole,
    "verified_on": date.fromisoformat,
}

#: whom people write to who have no target
NOBODY = Target(countries=(), name="", email="", address="")


class _Places:
    """Targets by where the people live who write to them."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_country: defaultdict[str, list[Target]] = defaultdict(list)
        self._by_group: defaultdict[str, list[Target]] = defaultdict(list)  # place of a group → targets
        self.everyones: list[Target] = []
        for target in targets:
            if not target.countries and not target.groups:
                self.everyones.append(target)
            for country in target.countries:
                self._by_country[country].append(target)
            for place in country_groups.expand(target.groups):
                self._by_group[place].append(target)

    def nearest(self, country: str) -> Iterator[list[Target]]:
        """Those that are for a country, from those that name it to those that name a group which it is in."""
        place, state = countries.PARTS.get(country, country), country_groups.state_of(country)
        yield self._by_country.get(place, [])
        yield self._by_country.get(state, [])
        yield self._by_group.get(place, [])


class Targets:
    """Targets to be asked by country, and those of the book by role too.

    A territory's is the one that names it, else the one that names its state, whose embassies act for it; else that of
    a group which it is in.
    """

    def __init__(self, targets: Iterable[Target]) -> None:
        self._everything = everything = tuple(targets)
        self._all = _Places(everything)
        self._roles: dict[TargetRole, tuple[_Places, _Places]] = {}  # those of a case, and the others
        for role in dict.fromkeys(target.role for target in everything if target.role):
            own, others = (
                [each for each in everything if each.role is role and (each.case is not None) is is_own]
                for is_own in (True, False)
            )
            self._roles[role] = _Places(own), _Places(others)

    @classmethod
    def stored(cls, rows: Iterable[Mapping[str, Any]]) -> "Targets":
        """Targets as they are stored with a campaign."""
        return cls(map(Target.from_json, rows))

    def __iter__(self) -> Iterator[Target]:
        return iter(self._everything)

    @property
    def fallback(self) -> Target | None:
        """The target of everyone who has no other."""
        return next(iter(self._all.everyones), None)

    def has_own(self, country: str) -> bool:
        """Whether people in a country have another target than everyone else."""
        return self._own(country) is not None

    def for_country(self, country: str | None) -> Target | None:
        """The target for people in a country, else the fallback, else None."""
        return (self._own(country) if country else None) or self.fallback

    def of_roles(self, roles: Iterable[TargetRole], country: str | None) -> list[Target]:
        """Whom people in a country write to, role by role: of each role all that are equally near to them.

        Where some are for one case only and others for all, those of the case are meant.
        """
        return [target for role in roles for target in self._of_role(role, country)]

    def _of_role(self, role: TargetRole, country: str | None) -> Sequence[Target]:
        if role not in self._roles:
            return []
        own, others = self._roles[role]
        near = zip(own.nearest(country), others.nearest(country), strict=True) if country else ()
        return next((each for each in chain(*near, (own.everyones, others.everyones)) if each), [])

    def _own(self, country: str) -> Target | None:
        return next((near[0] for near in self._all.nearest(country) if near), None)


# --- written down ---------------------------------------------------------------------------------------------------


class Nameless(MailerError):
    """is missing or empty"""


class SeveralFor(MailerError):
    """two {key} are for {place}"""


class SeveralForTheRest(MailerError):
    """two {key} have no countries, but only one can be for everyone else: give the other one its countries, such as
    countries = ["GB"]"""


@dataclass(frozen=True, slots=True)
class Written:
    """A target as somebody writes it down."""

    countries: Sequence[str]  # and groups, by their codes or names
    name: str
    email: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a target that somebody wrote down."""

    nth: int  # which, from 1
    field: str
    text: str  # what of it, where it is not all
    why: MailerError


def understand(written: Sequence[Written], key: str = "targets") -> tuple[list[Target], list[Wrong]]:
    """The targets that somebody writes down, wherever they do, and what is wrong with them.

    :param key: what they are called there.
    """
    targets: list[Target] = []
    wrong: list[Wrong] = []
    seen: set[str] = set()
    for nth, each in enumerate(written, start=1):
        found, problems = _understand_one(nth, each)
        has_places = any(code.strip() for code in each.countries)
        for code in sorted(found.states) or ([] if has_places else [_THE_REST]):
            if code in seen:
                several = SeveralFor(key=key, place=code) if code != _THE_REST else SeveralForTheRest(key=key)
                problems.append(Wrong(nth, "countries", code, several))
            seen.add(code)
        targets.append(found)
        wrong += problems
    return targets, wrong


def _understand_one(nth: int, written: Written) -> tuple[Target, list[Wrong]]:
    wrong: list[Wrong] = []
    places: set[str] = set()
    for text in written.countries:
        try:
            places.add(country_groups.country_or_group(text))
        except MailerError as why:
            wrong.append(Wrong(nth, "countries", text, why))
    if not written.name.strip():
        wrong.append(Wrong(nth, "name", "", Nameless()))
    email = written.email.strip()  # some embassies have none
    try:
        email = addresses.parse(email).text if email else ""
    except MailerError as why:
        wrong.append(Wrong(nth, "email", email, why))
    target = Target(
        countries=tuple(sorted(code for code in places if not code.startswith("@"))),
        name=written.name.strip(),
        email=email,
        address=written.address.strip(),
        groups=tuple(sorted(code for code in places if code.startswith("@"))),
    )
    return target, wrong


def read(tables: object, key: str, problem: "Complaint") -> list[Target]:
    """Targets as they are written in a TOML file.

    :param tables: what stands there under `[[key]]`.
    :raises InvalidFile: something is wrong with them.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem.about(key, f"must be tables: write [[{key}]] above each")
    problem.table = f"[[{key}]]"
    written: list[Written] = []
    for number, table in enumerate(tables, start=1):
        problem.nth = number
        problem.refuse_unknown(table, _KEYS)
        places = problem.texts(table, "countries", example='["GB"]')
        written.append(Written(places, *(problem.optional_text(table, each) for each in ("name", "email", "address"))))
    found, wrong = understand(written, key)
    for each in wrong:
        problem.nth = each.nth
        problem.about(each.field, each.why)
    problem.table, problem.nth = "", 1
    return found
