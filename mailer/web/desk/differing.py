"""What differs between two wordings, word by word."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

#: words, each with the space behind it
_WORDS = re.compile(r"\w+\s*|[^\w\s]+\s*|\s+")
_LINES = re.compile(r"[^\n]*\n|[^\n]+\Z")
#: words that are compared one by one; of more, lines are: the time grows with the square
_MOST_WORDS = 1_000
#: lines that are compared one by one, of what is left between the first and the last that differ; of more, none are
_MOST_LINES = 1_000
#: characters that are shown before and after a change
_AROUND = 300


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words, and whether both wordings have them."""

    words: str
    of: Literal["both", "before", "after", "neither"]  # neither: something that both have was left out


def pieces(before: str, after: str) -> list[Piece]:
    """Both wordings as one, in order: what only the earlier one has stands before what is there instead."""
    return _joined(_compare(before, after))


def near(found: Iterable[Piece]) -> list[Piece]:
    """What has changed, with the words around it; of what is the same for long only that much is left."""
    whole = list(found)
    shown: list[Piece] = []
    for number, each in enumerate(whole):
        if each.of != "both" or len(each.words) <= 2 * _AROUND:
            shown.append(each)
            continue
        before = re.sub(r"(?<=\s)\S+\Z", "", each.words[:_AROUND]) if number > 0 else ""
        after = re.sub(r"\A\S+(?=\s)", "", each.words[-_AROUND:]) if number < len(whole) - 1 else ""
        shown += (Piece(before, "both"), Piece("", "neither"), Piece(after, "both"))
    return [each for each in shown if each.words or each.of == "neither"]


def _compare(before: str, after: str) -> Iterator[Piece]:
    for old, new in _opcodes(_LINES.findall(before), _LINES.findall(after)):
        if old == new:
            yield Piece("".join(new), "both")
            continue
        words = _WORDS.findall("".join(old)), _WORDS.findall("".join(new))
        if max(map(len, words)) > _MOST_WORDS:
            words = old, new
        for was, now in _opcodes(*words):
            if was == now:
                yield Piece("".join(now), "both")
            else:
                yield Piece("".join(was), "before")
                yield Piece("".join(now), "after")


def _opcodes(before: list[str], after: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """What stands where, in order; each pair the same, or one instead of the other."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    head, old, new = before[:start], before[start : len(before) - end], after[start : len(after) - end]
    yield head, head
    if max(len(old), len(new)) > _MOST_LINES:
        yield old, new
    else:
        for _tag, was, was_end, now, now_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            yield old[was:was_end], new[now:now_end]
    tail = before[len(before) - end :]
    yield tail, tail


def _common(before: list[str], after: list[str]) -> int:
    """How many are the same from the start."""
    alike = zip(before, after, strict=False)
    return next((number for number, (was, now) in enumerate(alike) if was != now), min(len(before), len(after)))


def _joined(found: Iterable[Piece]) -> list[Piece]:
    """Without empty pieces, and what has changed in one place as two pieces at most."""
    joined: list[Piece] = []
    before = after = both = ""
    for each in found:
        if each.of == "both":
            if before or after:
                joined += (Piece(before, "before"), Piece(after, "after"))
                before = after = ""
            both += each.words
            continue
        if both:
            joined.append(Piece(both, "both"))
            both = ""
        before, after = (before + each.words, after) if each.of == "before" else (before, after + each.words)
    joined += (Piece(both, "both"), Piece(before, "before"), Piece(after, "after"))
    return [each for each in joined if each.words]
