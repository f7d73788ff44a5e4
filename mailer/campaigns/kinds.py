"""Kinds of campaign: what each is called, what it may do, and what its campaign.toml may say.

The mail of a kind is `templates/emails/campaigns/<name>.mjml` and `<name>.txt`; how one is added says
docs/how-to/add-a-kind-of-mail.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mailer.store.models import Campaign

#: keys of campaign.toml that only some kinds have; `files` reads them
Key = Literal["ask", "deadline", "goal", "petition", "targets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is declared of a kind."""

    heading: str  # in English; what its mail is headed by
    asks: bool  # people to act: it needs consent and fresh facts, and goes out on an open case only
    keys: frozenset[Key] = frozenset()  # of campaign.toml, besides those that every kind has


def _(message: str) -> str:
    """Have a heading translated: it is looked up in the reader's language."""
    return message


#: says that people must not write any more, so it goes out whatever stands against asking them to
STOP = "stop"
#: has news of a case, and asks for nothing
UPDATE = "update"

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "urgent_action": Kind(
            heading=_("Urgent action"),
            asks=True,
            keys=frozenset({"ask", "deadline", "goal", "petition", "targets"}),
        ),
        UPDATE: Kind(heading=_("News"), asks=False),
        STOP: Kind(heading=_("Please do not write any more"), asks=False),
    }
)


def of(campaign: Campaign) -> Kind:
    """What is declared of a campaign's kind."""
    return KINDS[campaign.kind]


def asking() -> list[str]:
    """The kinds that ask people to act."""
    return [name for name, kind in KINDS.items() if kind.asks]


def having(key: Key) -> list[str]:
    """The kinds whose campaign.toml may have a key that not all have."""
    return [name for name, kind in KINDS.items() if key in kind.keys]
