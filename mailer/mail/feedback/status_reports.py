"""Status reports (RFC 3464, RFC 6533) → what became of each recipient, also where servers write them freely."""

import re
from collections.abc import Iterator
from dataclasses import replace

from mailer.mail.feedback.meanings import judge, status_in
from mailer.mail.feedback.types import Fate

_FIELD = re.compile(r"([A-Za-z][\w-]{1,60})[ \t]*:(.*)")
_NAMES_RECIPIENT = ("final-recipient", "original-recipient")
_OF_RECIPIENT = (*_NAMES_RECIPIENT, "action", "status", "diagnostic-code")
_MOST_RECIPIENTS = 50
_LONGEST = 4_000  # characters of a value

_ADDRESS = re.compile(r"[^\s<>@\"',;:()\[\]]{1,200}@[^\s<>@,;:\"'()\[\]]{1,255}")
_TYPE = re.compile(r"\s*[\w./-]{0,30}\s*;")
_COMMENT = re.compile(r"\(([^()]{0,300})\)")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
#: what Exchange writes in the place of an address: a name of its directory
_DIRECTORY_NAME = re.compile(r"\bimceaex-", re.IGNORECASE)
_ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded")

Group = dict[str, str]


def read(text: str, notice: str = "") -> list[Fate]:
    """The fates in a status report.

    :param text: the fields, of the report's own part or as they stand in a text.
    :param notice: what the message says besides, for where the fields do not say why.
    """
    return [_fate(group, notice) for group in _groups(text)][:_MOST_RECIPIENTS]


def stands_in(text: str) -> bool:
    """Whether a text has the fields of a status report in it."""
    names = {match[1].lower() for line in text.split("\n") if (match := _FIELD.match(line))}
    return bool(names.intersection(_NAMES_RECIPIENT)) and bool(names & {"action", "status", "diagnostic-code"})


def _groups(text: str) -> Iterator[Group]:
    """The fields of each recipient: blocks may be empty, missing, or torn apart."""
    group: Group = {}
    for block in _blocks(text):
        names_one = any(name in group for name in _NAMES_RECIPIENT)
        is_another = any(name in block for name in _NAMES_RECIPIENT) or any(
            name in group for name in block if name in _OF_RECIPIENT
        )
        if group and names_one and is_another:
            yield group
            group = {}
        group |= {name: value for name, value in block.items() if name not in group or name in _OF_RECIPIENT}
    if any(name in group for name in _OF_RECIPIENT):
        yield group


def _blocks(text: str) -> Iterator[Group]:
    block: Group = {}
    last = ""
    for line in [*text.split("\n"), ""]:
        found = _FIELD.match(line)
        if not line.strip():
            if any(name in _OF_RECIPIENT for name in block):
                yield block
            block, last = {}, ""
        elif line[0] in " \t" or (found is None and last == "diagnostic-code"):
            if last and len(block[last]) < _LONGEST:
                block[last] += "\n" + line.strip()
        elif found:
            name = found[1].lower()
            if name in block and name in ("final-recipient", "action", "original-recipient"):
                yield block
                block = {}
            last = name
            block[name] = found[2].strip()[:_LONGEST]


def _fate(group: Group, notice: str) -> Fate:
    original, final = (_address(group.get(name, "")) for name in ("original-recipient", "final-recipient"))
    if final and _DIRECTORY_NAME.search(final) and original:
        final = None
    address = original or final or _address(group.get("x-actual-recipient", "")) or ""
    given = group.get("status", "")
    words = "\n".join(
        _TYPE.sub("", value, count=1) if name == "diagnostic-code" else value
        for name in ("diagnostic-code", "x-supplementary-info", "x-notes", "x-mail-reason")
        if (value := group.get(name, ""))
    )
    comment = " ".join(_COMMENT.findall(given))
    meaning = judge(words, status=status_in(given), notice=f"{comment}\n{notice}" if comment else notice)
    if meaning.status is None and given[:1] in ("4", "5"):
        meaning = replace(meaning, status=status_in(given + ".0") or status_in(given))
    action = group.get("action", "").strip().lower()
    return Fate(
        address=address,
        original=original,
        final=final if original and final and not same(original, final) else None,
        action=next((known for known in _ACTIONS if action.startswith(known)), action[:40] or None),
        meaning=meaning,
    )


def _address(value: str) -> str | None:
    """The address in a field, whatever its type; a name without a domain if there is nothing better."""
    bare = _COMMENT.sub(" ", value) if "@" in _COMMENT.sub(" ", value) else value
    rest = _TYPE.sub("", bare, count=1)
    found = _ADDRESS.search(rest)
    if found:
        return found[0].strip(".")
    name = rest.strip().strip("<>\"'").strip()
    return name[:320] if name and " " not in name else None


def same(one: str, other: str) -> bool:
    """Whether two addresses are the same, apart from case and how they are quoted (RFC 3461, xtext)."""
    return _folded(one) == _folded(other)


def _folded(address: str) -> str:
    return _XTEXT.sub(lambda found: chr(int(found[1], 16)), address).strip("<>\"' ").casefold()
