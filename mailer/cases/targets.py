"""Targets: whom people write to, by country."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailer.locale import countries, country_groups
from mailer.mail import addresses

if TYPE_CHECKING:  # workers read no files
    from mailer.formats.written_files import Complaint

_KEYS = frozenset(["countries", "name", "email", "address"])
_THE_REST = ""  # what a target without countries is for


@dataclass(frozen=True, slots=True)
class Target:
    """Whom supporters are asked to write to. One without countries and groups is for everyone who has no other."""

    countries: tuple[str, ...]
    name: str
    email: str
    address: str
    groups: tuple[str, ...] = ()  # of countries, such as "@EU"

    def to_json(self) -> dict[str, Any]:
        """As stored with the campaign."""
        own = {"countries": list(self.countries), "name": self.name, "email": self.email, "address": self.address}
        return own | ({"groups": list(self.groups)} if self.groups else {})

    @property
    def values(self) -> dict[str, str]:
        """What a text prints of it, by field."""
        return {"target_name": self.name, "target_email": self.email, "target_address": self.address}

    @property
    def empty_fields(self) -> frozenset[str]:
        """The fields for which there is nothing to print of it."""
        return frozenset(field for field, value in self.values.items() if not value)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Target":
        """As stored with the campaign."""
        named, groups = tuple(data["countries"]), tuple(data.get("groups", ()))
        return cls(named, data["name"], data["email"], data["address"], groups)

    @property
    def states(self) -> frozenset[str]:
        """The countries that it is for: each that is named, and the members of its groups."""
        return frozenset(self.countries).union(*(country_groups.get(group).states for group in self.groups))


#: whom people write to who have no target
NOBODY = Target(countries=(), name="", email="", address="")


class Targets:
    """A campaign's targets, to be asked by country.

    A territory's is the one that names it, else the one that names its state, whose embassies act for it; else that of
    a group which it is in.
    """

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_country: dict[str, Target] = {}
        self._by_group: dict[str, Target] = {}  # place of a group → target
        self.fallback: Target | None = None
        for target in targets:
            if not target.countries and not target.groups:
                self.fallback = target
            for country in target.countries:
                self._by_country[country] = target
            for place in country_groups.expand(target.groups):
                self._by_group[place] = target

    @classmethod
    def stored(cls, rows: Iterable[Mapping[str, Any]]) -> "Targets":
        """Targets as they are stored with a campaign."""
        return cls(map(Target.from_json, rows))

    def has_own(self, country: str) -> bool:
        """Whether people in a country have another target than everyone else."""
        return self._own(country) is not None

    def for_country(self, country: str | None) -> Target | None:
        """The target for people in a country, else the fallback, else None."""
        return (self._own(country) if country else None) or self.fallback

    def _own(self, country: str) -> Target | None:
        place, state = countries.PARTS.get(country, country), country_groups.state_of(country)
        return self._by_country.get(place) or self._by_country.get(state) or self._by_group.get(place)


def read(tables: object, key: str, problem: "Complaint") -> list[Target]:
    """Targets as they are written in a TOML file.

    :param tables: what stands there under `[[key]]`.
    :raises InvalidFile: something is wrong with them.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem.about(key, f"must be tables: write [[{key}]] above each")
    targets: list[Target] = []
    seen: set[str] = set()
    problem.table = f"[[{key}]]"
    for number, table in enumerate(tables, start=1):
        problem.nth = number
        target = _read_one(table, problem)
        for code in sorted(target.states) or [_THE_REST]:
            if code in seen:
                problem.about("countries", _twice(key, code))
            seen.add(code)
        targets.append(target)
    problem.table, problem.nth = "", 1
    return targets


def _read_one(table: Mapping[str, Any], problem: "Complaint") -> Target:
    problem.refuse_unknown(table, _KEYS)
    codes = problem.texts(table, "countries", example='["GB"]')
    named = problem.check("countries", lambda: [country_groups.country_or_group(code) for code in codes])
    return Target(
        countries=tuple(sorted({code for code in named if not code.startswith("@")})),
        name=problem.text(table, "name"),
        email=_read_address(table, problem),
        address=problem.optional_text(table, "address"),
        groups=tuple(sorted({code for code in named if code.startswith("@")})),
    )


def _read_address(table: Mapping[str, Any], problem: "Complaint") -> str:
    """A target's e-mail address, or "": some embassies have none."""
    written = problem.optional_text(table, "email")
    return problem.check("email", lambda: addresses.parse(written).text) if written else ""


def _twice(key: str, code: str) -> str:
    if code != _THE_REST:
        return f"two {key} are for {code}"
    return (
        f"two {key} have no countries, but only one can be for everyone else: "
        'give the other one its countries, such as countries = ["GB"]'
    )
