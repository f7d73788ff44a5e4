"""A DNS for tests: it has what they put into it, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mailer.mail.lookups import NOTHING, Answer, Kind, LookupFailed

#: nobody answers a question about a name
SILENCE = "no resolver answers in time"
#: the resolvers cannot say
SERVFAIL = "the resolvers cannot say (SERVFAIL)"


@dataclass
class Dns:
    """Call it as a lookup. Records stand under (name, kind); a text instead of a list of records fails with it."""

    records: Mapping[tuple[str, str], Sequence[str] | str]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, name: str, kind: Kind) -> Answer:
        self.asked.append((name, kind.value))
        found = self.records.get((name, kind.value))
        if isinstance(found, str):
            raise LookupFailed(name, kind, found)
        if found is None:
            is_there = any(each == name or each.endswith(f".{name}") for each, _ in self.records)
            return Answer() if is_there else NOTHING
        return Answer(tuple(found))
