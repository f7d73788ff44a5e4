"""Template files: which ones the mails of a kind of campaign are made from, and what these say in every mail."""

import functools
import hashlib
import re
from dataclasses import dataclass

from mailer.mail.render import TEMPLATES, UnknownTemplate

_REFERENCE = re.compile(r"""\{%-?\s*(?:extends|include|import|from)\s+["']([^"']+)["']""")
_MESSAGE = re.compile(r"""\b_\(\s*"((?:[^"\\]|\\.)*)\"""")


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What the mails of a kind are made from, as it stands in the files now."""

    digest: str  # SHA-256 of the files: another one as soon as one of them is changed
    messages: tuple[str, ...]  # the sentences of theirs that are translated


def of_kind(kind: str) -> MadeFrom:
    """The files of a kind of campaign, with all that they extend and include.

    Read anew each time, which takes under a millisecond: whoever puts other files there starts no program again.

    :param kind: as for `render.render`.
    :raises UnknownTemplate: there is no such file.
    """
    waiting, found = [f"campaigns/{kind}.mjml", f"campaigns/{kind}.txt"], dict[str, bytes]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = (TEMPLATES / name).read_bytes()
        except OSError:
            raise UnknownTemplate(template=name) from None
        waiting += _read(found[name])[0]
    digest, messages = hashlib.sha256(), set[str]()
    for name in sorted(found):
        digest.update(f"{name}\0{len(found[name])}\0".encode() + found[name])
        messages.update(_read(found[name])[1])
    return MadeFrom(digest.hexdigest(), tuple(sorted(messages)))


@functools.lru_cache(maxsize=64)
def _read(file: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files that one names, and its sentences."""
    source = file.decode(errors="replace")
    return tuple(_REFERENCE.findall(source)), tuple(_MESSAGE.findall(source))
