"""Kinds of campaign: what each may do. A kind's mail is `templates/emails/campaigns/<name>.mjml` and `.txt`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mailer.store.models import Campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is declared of a kind."""

    asks: bool  # people to act: it needs consent and fresh facts, and goes out on an open case only


#: says that people must not write any more, so it goes out whatever stands against asking them to
STOP = "stop"

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "urgent_action": Kind(asks=True),
        "update": Kind(asks=False),
        STOP: Kind(asks=False),
    }
)


def of(campaign: Campaign) -> Kind:
    """What is declared of a campaign's kind."""
    return KINDS[campaign.kind]


def asking() -> list[str]:
    """The kinds that ask people to act."""
    return [name for name, kind in KINDS.items() if kind.asks]
