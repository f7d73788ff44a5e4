"""Rules by which words of mail servers are understood. They stand in `wording/`, a file for each language."""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mailer.mail.feedback.types import Category

#: In which order rules are tried: what is about us before what is about the address, which mentions it as well.
_ORDER = (
    Category.US,
    Category.AUTH,
    Category.RATE,
    Category.RELAY,
    Category.SIZE,
    Category.FULL,
    Category.POLICY,
    Category.CONTENT,
    Category.UNDETERMINED,
    Category.NO_DOMAIN,
    Category.DISABLED,
    Category.NO_MAILBOX,
    Category.TEMPORARY,
)
_SIGNS = tomllib.loads(Path(__file__).with_name("signs.toml").read_text(encoding="utf-8"))
_FOLDER = Path(__file__).with_name("wording")
_FIRST = "en"  # the language of most servers
_GAP = r"[^.;!?]{0,60}?"  # within a sentence
_NAME = re.compile(r"<([a-z]+)>")
_LISTS = ("absence", "returned", "rule")


@dataclass(frozen=True)
class Rule:
    """Words that mean something, in the form that `meanings.plain` makes: lower case, ¤ for an address.

    Each has an example of our own wording, which a test reads.
    """

    category: Category
    words: str  # a pattern, searched for
    example: str
    unless: str = ""  # other words that take the meaning away
    status: str = ""  # an enhanced status code (RFC 3463) must be there that fits
    is_weak: bool = False  # an enhanced status code that says something else counts for more
    needs_code: bool = False  # only a server that answers means this, and no notice in its own words
    is_latin: bool = True  # of a language that may be written in ASCII

    def fits(self, text: str, status: str) -> bool:
        """Whether a text says this.

        :param status: enhanced status code, "" without one.
        """
        if self.status and not re.match(self.status, status):
            return False
        return self._words.search(text) is not None and not (self.unless and self._others.search(text))

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return re.compile(self.words)

    @cached_property
    def _others(self) -> re.Pattern[str]:
        return re.compile(self.unless)


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said in one language."""

    rules: tuple[Rule, ...]
    absence: tuple[str, ...]  # patterns: how the subject of an absence note begins
    returned: tuple[str, ...]  # patterns: what stands in the subject of a bounce


def sign(name: str) -> str:
    """The pattern of that name in `signs.toml`."""
    return "(?:" + "|".join(_SIGNS[name]) + ")"


def _read(file: Path) -> Wording:
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    is_never_ascii = table.pop("is_never_ascii", False)
    named = {name: "(?:" + "|".join(words) + ")" for name, words in table.items() if name not in _LISTS}
    named["gap"] = _GAP
    rules = (_rule(row, named, is_latin=not is_never_ascii) for row in table.get("rule", ()))
    return Wording(tuple(rules), tuple(table.get("absence", ())), tuple(table.get("returned", ())))


def _rule(row: dict[str, Any], named: dict[str, str], *, is_latin: bool) -> Rule:
    def pattern(name: str) -> str:
        return _NAME.sub(lambda found: named.get(found[1], found[0]), "|".join(row.get(name, ())))

    return Rule(
        Category(row["category"]),
        pattern("words"),
        row["example"],
        unless=pattern("unless"),
        status=row.get("status", ""),
        is_weak=row.get("is_weak", False),
        needs_code=row.get("needs_code", False),
        is_latin=is_latin,
    )


WORDINGS = tuple(_read(file) for file in sorted(_FOLDER.glob("*.toml"), key=lambda file: (file.stem != _FIRST, file)))
#: in the order in which they are tried
RULES = tuple(
    sorted(
        (rule for wording in WORDINGS for rule in wording.rules),
        key=lambda rule: (not rule.status, rule.is_weak, _ORDER.index(rule.category)),
    )
)
