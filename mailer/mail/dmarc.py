"""DMARC policies: found by walking up the tree of names (RFC 9989 4.10), and what is aligned under one (4.4)."""

from collections.abc import Iterator
from dataclasses import dataclass

from mailer.mail.lookups import Kind, Lookup
from mailer.mail.tags import read_tags

_MOST_LABELS = 8  # names with more are cut to seven labels after the first question


class BrokenPolicy(Exception):
    """What is published is no policy, so receivers act as if there were none; says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the owner of a domain asks of who receives mail in its name."""

    domain: str  # where it is published
    handling: str  # "none", "quarantine" or "reject", for the domain that was asked about
    strict_dkim: bool
    strict_spf: bool
    organisation: str  # the domain at the top of the owner's

    def aligns(self, domain: str, author: str, *, strict: bool) -> bool:
        """Whether a domain that was verified speaks for that of the From address."""
        if strict:
            return domain.lower() == author.lower()
        return f".{domain.lower()}".endswith(f".{self.organisation}")


def find(author: str, look_up: Lookup) -> Policy | None:
    """The policy for mail from a domain; None where there is none.

    :raises BrokenPolicy: there is one that nobody can read.
    :raises LookupFailed: the DNS does not say.
    """
    found: list[tuple[str, dict[str, str]]] = []
    organisation = ""
    for domain in _upwards(author.lower()):
        tags = _published(domain, look_up)
        if tags is None:
            continue
        found.append((domain, tags))
        if tags.get("psd") == "n":
            organisation = domain
            break
        if tags.get("psd") == "y":  # a registry's own: who is registered there is one label below
            organisation = _below(domain, author.lower())
            break
    if not found:
        return None
    domain, tags = found[0]
    return Policy(
        domain=domain,
        handling=_handling(tags, is_below=domain != author.lower()),
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        strict_spf=tags.get("aspf", "r").lower() == "s",
        organisation=organisation or found[-1][0],
    )


def _upwards(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    yield domain
    start = max(1, len(labels) - _MOST_LABELS + 1)
    yield from (".".join(labels[place:]) for place in range(start, len(labels)))


def _below(parent: str, domain: str) -> str:
    return ".".join(domain.split(".")[-len(parent.split(".")) - 1 :])


def _published(domain: str, look_up: Lookup) -> dict[str, str] | None:
    records = [each for each in look_up(f"_dmarc.{domain}", Kind.TXT).records if _is_policy(each)]
    if not records:
        return None
    if len(records) > 1:
        raise BrokenPolicy(f"_dmarc.{domain} has {len(records)} policies, so none of them counts")
    try:
        return dict(read_tags(records[0]))
    except ValueError as problem:
        raise BrokenPolicy(f"the policy at _dmarc.{domain} cannot be read: {problem}") from None


def _is_policy(record: str) -> bool:
    return "".join(record.partition(";")[0].split()) == "v=DMARC1"


def _handling(tags: dict[str, str], *, is_below: bool) -> str:
    """What is asked for; where nothing that can be read is, nothing (RFC 9989 4.7)."""
    asked = (tags.get("sp") if is_below else None) or tags.get("p", "none")
    return asked.lower() if asked.lower() in ("quarantine", "reject") else "none"
