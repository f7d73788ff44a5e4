"""Groups of countries, and territories: to which state one belongs, and in which group it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from mailer.errors import MailerError
from mailer.locale import countries


class UnknownCountryGroup(MailerError):
    """There is no country group "{text}". Known groups: {known}."""


def _to_states(territories: Mapping[str, str]) -> dict[str, str]:
    return {code: state for state, codes in territories.items() for code in codes.split()}


#: What ISO 3166-1 lists and the United Nations do not count among states → the state that acts for it abroad (ISO
#: 3166-1, "Independent: No", with its remarks; for the Cook Islands and Niue, in free association, New Zealand). Not in
#: it, since no one state's embassies are theirs: Hong Kong, Macao, Taiwan, Kosovo, Palestine, Western Sahara.
STATE_OF: Mapping[str, str] = _to_states(
    {
        "AU": "CC CX HM NF",
        "DK": "FO GL",
        "FI": "AX",
        "FR": "BL GF GP MF MQ NC PF PM RE TF WF YT",
        "GB": "AI BM FK GG GI GS IM IO JE KY MS PN SH TC VG",
        "NL": "AW BQ CW SX",
        "NO": "BV SJ",
        "NZ": "CK NU TK",
        "US": "AS GU MP PR UM VI",
    }
)


@dataclass(frozen=True, slots=True)
class Group:
    """States, and those of their territories that are in it with them."""

    states: frozenset[str]
    territories: frozenset[str]

    @property
    def everywhere(self) -> frozenset[str]:
        """All places that are in it."""
        return self.states | self.territories


def _group(states: str, territories: str) -> Group:
    return Group(frozenset(states.split()), frozenset(territories.split()))


_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
#: In the EU: the outermost regions (TFEU, articles 349 and 355(1); Mayotte by decision 2012/419/EU) and Åland (article
#: 355(4), and protocol 2 to the accession of 1994). Outside it: Greenland, New Caledonia, French Polynesia, Saint
#: Pierre and Miquelon, Saint Barthélemy (decision 2010/718/EU), Wallis and Futuna, the French Southern
#: Territories, Aruba, Curaçao, Sint Maarten and the Caribbean Netherlands (annex II), and the Faroe Islands (article
#: 355(5)(a)). The Canary Islands, Ceuta, Melilla, Madeira and the Azores are Spain and Portugal here.
_IN_EU = "AX GF GP MF MQ RE YT"

#: Country groups that an audience may name, as of November 2026.
GROUPS: Mapping[str, Group] = {
    # European Union: 27 members since 2020-02-01
    "EU": _group(_EU, _IN_EU),
    # European Economic Area: 30 members since 2020-02-01. It has the territories that the EU's treaties have (EEA
    # Agreement, article 126), and not Svalbard (protocol 40).
    "EEA": _group(f"{_EU} IS LI NO", _IN_EU),
    # European Free Trade Association: since 1995-01-01. Of Svalbard it has the trade in goods alone (annex U).
    "EFTA": _group("CH IS LI NO", ""),
    # Since 2014-03-24. No treaty says who belongs to it: it is governments that meet, each with all that it governs.
    "G7": _group(
        "CA DE FR GB IT JP US",
        " ".join(territory for territory, state in STATE_OF.items() if state in ("FR", "GB", "US")),
    ),
    # The Nordic Council: its sovereign members, and the territories that send members to it (Helsinki Treaty, article
    # 47); Svalbard is a part of Norway (Svalbard Act of 1925, section 1).
    "NORDIC": _group("DK FI IS NO SE", "AX FO GL SJ"),
}


def get(name: str) -> Group:
    """The group of a name.

    :param name: "@" and a key of GROUPS, such as "@EU".
    :raises UnknownCountryGroup: there is no such group.
    """
    group = GROUPS.get(name.removeprefix("@").upper()) if name.startswith("@") else None
    if group is None:
        raise UnknownCountryGroup(text=name, known=", ".join(f"@{known}" for known in GROUPS))
    return group


def country_or_group(text: str) -> str:
    """A country as its code, a group as it is called.

    :raises countries.UnknownCountry: it names no country.
    :raises UnknownCountryGroup: it names no group of countries.
    """
    if text.startswith("@"):
        get(text)
        return text.upper()
    return countries.parse(text)


def expand(values: Iterable[str]) -> frozenset[str]:
    """The places that codes and groups mean.

    :param values: ISO 3166-1 alpha-2 codes, and groups as `get` reads them.
    :raises UnknownCountryGroup: there is no such group.
    """
    named = list(values)
    codes = {value for value in named if not value.startswith("@")}
    return frozenset(codes).union(*(get(value).everywhere for value in named if value.startswith("@")))


def left_out(values: Iterable[str]) -> frozenset[str]:
    """The territories of states that are named, or are in groups that are, which the values do not mean.

    :param values: as for `expand`.
    """
    named = list(values)
    states = frozenset().union(*(get(value).states if value.startswith("@") else {value} for value in named))
    return frozenset(code for code, state in STATE_OF.items() if state in states) - expand(named)


#: places where somebody may come before a state's courts, though the state's embassies are not theirs
_ALSO_GOVERNED = _to_states({"CN": "HK MO", "IL": "PS", "MA": "EH"})


@cache
def governed_by(state: str) -> frozenset[str]:
    """A state, its territories, and other places where its authorities have a hold on people.

    :param state: ISO 3166-1 alpha-2 code.
    """
    places = {**STATE_OF, **_ALSO_GOVERNED}
    return frozenset([state, *(code for code, whose in places.items() if whose == state)])


def state_of(code: str) -> str:
    """The state whose embassies are those of a place; itself, unless it is a territory or a part of a country."""
    country = countries.PARTS.get(code, code)
    return STATE_OF.get(country, country)
