"""Slots on their way through Markdown, MJML and HTML: letters that nothing changes and nobody types."""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace

from mailer.mail.types import Pieces, Slot, SlotContext, join_pieces


class Markers:
    """Stands in for the slots of one rendering.

    A marker is lower-case letters and digits only: Markdown, MJML, an HTML parser and URL normalisation all
    leave it as it is, and the random part keeps a text from holding one by itself.
    """

    def __init__(self) -> None:
        self._nonce = secrets.token_hex(8)
        self._slots: list[Slot] = []
        self.pattern = re.compile(rf"slot{self._nonce}n(\d+)e")

    def mark(self, pieces: Pieces) -> str:
        """The pieces as one string, with a marker for each slot."""
        return "".join(piece if isinstance(piece, str) else self._marker(piece) for piece in pieces)

    def mark_again(self, text: str, context: SlotContext) -> str:
        """A marked text whose slots stand for themselves in another kind of place."""
        return self.pattern.sub(lambda match: self._marker(replace(self.slot(match), context=context)), text)

    def _marker(self, slot: Slot) -> str:
        if slot not in self._slots:
            self._slots.append(slot)
        return f"slot{self._nonce}n{self._slots.index(slot)}e"

    def slot(self, match: re.Match[str]) -> Slot:
        """The slot that a match of `pattern` stands for."""
        return self._slots[int(match[1])]

    def slots_in(self, text: str) -> list[Slot]:
        """The slots marked in a text, in order."""
        return [self.slot(match) for match in self.pattern.finditer(text)]

    def cut(self, text: str, place: Callable[[re.Match[str]], SlotContext] | None = None) -> Pieces:
        """A marked text as pieces.

        :param place: tells a slot's context from where its marker stands; without it, the slots keep theirs.
        """
        pieces: list[str | Slot] = []
        end = 0
        for match in self.pattern.finditer(text):
            slot = self.slot(match)
            pieces += (text[end : match.start()], replace(slot, context=place(match)) if place else slot)
            end = match.end()
        return join_pieces((*pieces, text[end:]))

    def shown(self, text: str) -> str:
        """A marked text as its author wrote it, for error messages."""
        return self.pattern.sub(lambda match: written(self.slot(match)), text)

    def width(self, text: str) -> int:
        """About how many columns a marked text takes once it is filled in."""
        return len(self.pattern.sub(lambda match: self.slot(match).default or "x" * 12, text))


def written(slot: Slot) -> str:
    """A slot as it stands in a campaign text."""
    return f'{{{{ {slot.field} or "{slot.default}" }}}}' if slot.default else f"{{{{ {slot.field} }}}}"


def with_context(pieces: Iterable[str | Slot], context: SlotContext) -> Pieces:
    """Pieces whose slots all stand in the same kind of place."""
    return join_pieces(piece if isinstance(piece, str) else replace(piece, context=context) for piece in pieces)
