"""Leftovers: signs of Markdown that were not read as such, and would go out as they stand, or take words with them."""

import re
from collections.abc import Iterator, Sequence

from markdown_it.token import Token

from mailer.mail import dialect
from mailer.mail.markdown import flattened
from mailer.mail.markers import Markers
from mailer.mail.types import Pieces, Slot, Warned

#: what stands for all that was read as Markdown, for what was written as it should go out (`\*`), and for a slot
_READ = "\ufffc"

#: What its author meant, as a pattern → what to do. The first that fits is what is said of these signs.
_SIGNS = {
    r"\[\^[^\]\s]+\](?!:)": "This footnote has no text. Write it on a line of its own: [^1]: …",
    r"\]\s?\((?=\s*<?(?:https?:|mailto:|tel:|www\.))|\]\(": "This link is not closed, has a space in it, or has one "
    "before its address. Write [words](https://example.org).",
    r"(?<!\!)\]\[[^\]]*\]": "This link has no address. Write [words](https://example.org).",
    r"(?m)^\[[^\]]+\]:(?=\s)": "This address of a link cannot be read. Write [words](https://example.org).",
    r"(?m)^\s*\|.*\|\s*$|^[\s|:-]*-{3,}\s*\|[\s|:-]*$": "This is no table yet. Write an empty line "
    "before it, and a line such as |---|---|, with as many cells as the headings have, below them.",
    r"(?m)^\s*\[[ xX]\](?=\s)": "A box to tick begins with a hyphen: - [ ] Write to the minister.",
    r"(?m)^#{2,6}(?=\w)|^#(?=\w+(?:[^\S\n]+[^#\s]+)+$)": "If this is a heading, write a space behind the #. If it is "
    "not, write \\#.",
    r"(?m)^\s*[•‣▪●◦](?=\s*\S.*\n\s*[•‣▪●◦])": "Begin the items of a list with a hyphen: these run together.",
    r"~~": "Words that are struck out stand between ~~ and ~~, without a space inside.",
    r"(?<!\*)\*\*(?!\*)|(?<=\w)\*{3}|\*{3}(?=\w)|(?<![_\w])__(?=[^\W_])|(?<=[^\W_])__(?![_\w])": "Bold "
    "words stand between ** and **, in one paragraph, without a space inside.",
    r"(?<![\w*])\*(?=\w)[^*\n]*\s\*(?!\*)|(?<![\w*])\*(?=\s\w)[^*\n]*\w\*(?![\w*])": "Emphasised words "
    "stand between * and *, without a space inside.",
    r"```|~~~": "Code stands between lines of nothing but ```.",
    r"==(?=\w)[^=\n]*\w==": "Nothing can be highlighted. Write **bold**.",
    r"(?<!\S):[a-z][a-z0-9_+-]*[a-z]:(?!\S)": "Write the sign itself, not its name.",
    r"\[![A-Z]+\]": "There are no boxes such as [!NOTE]. Write **Note:**.",
    r"\{[.#:][\w-][^}\n]*\}": "Texts have no classes and no ids.",
}
_PATTERNS = [(re.compile(pattern), remedy) for pattern, remedy in _SIGNS.items()]
#: signs that a line that is no Markdown holds only by mistake
_PAIRS = re.compile(r"(?<![\w*])(\*\*\*?|__|~~)(?![\s*]).+?(?<![\s*])\1(?![\w*])|\[[^\]]+\]\([^)\s]+\)")


def find(text: str, markers: Markers) -> Iterator[Warned]:
    """What of a text its readers would see as signs, or not see at all.

    :param text: Markdown, with markers for its slots.
    """
    reader = dialect.reader(as_written=True).disable("text_join")  # so that `\\*` is still known for what it is
    read: dict[str, object] = {}
    tokens = list(flattened(reader.parse(text, read)))
    for token in tokens:
        if token.type == "inline":
            yield from _in_words(_words(token, markers))
    yield from _unused(tokens, read)


def find_in_line(line: Pieces) -> str:
    """The first Markdown in what is none, a subject or a preheader; "" where there is none."""
    found = _PAIRS.search("".join(_READ if isinstance(piece, Slot) else piece for piece in line))
    return found[0] if found else ""


def _words(inline: Token, markers: Markers) -> str:
    words, in_address = "", False
    for child in inline.children or []:
        if child.info == "auto":
            in_address = child.nesting == 1
        is_text = child.type == "text" and not in_address
        words += child.content if is_text else "\n" if "break" in child.type else _READ
    return markers.pattern.sub(_READ, words)


def _in_words(words: str) -> Iterator[Warned]:
    taken: list[range] = []
    for pattern, remedy in _PATTERNS:
        for found in pattern.finditer(words):
            if not any(found.start() in place for place in taken):
                taken.append(range(found.start(), found.end() + 1))
                yield _warned(words, found, remedy)
                break  # one of a kind is enough for a paragraph


def _warned(words: str, found: re.Match[str], remedy: str) -> Warned:
    """:returns: the signs with what stands around them, by which they are found in the file."""
    begin = re.search(rf"[^\s{_READ}]*\Z", words[: found.start()])
    end = re.match(rf"[^\s{_READ}]*", words[found.end() :])
    signs = f"{begin[0] if begin else ''}{found[0]}{end[0] if end else ''}".strip()
    shown = re.sub(rf"\s*[{_READ}\n]\s*", " … ", signs)
    shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
    about = max(re.split(f"[{_READ}\n]", signs), key=len)
    return Warned("markdown-left", f"{shown} goes out as it stands", remedy, about)


def _unused(tokens: Sequence[Token], read: dict[str, object]) -> Iterator[Warned]:
    """Notes and addresses that nothing refers to: nobody would read them."""
    footnotes = read.get("footnotes")
    if isinstance(footnotes, dict):
        for label, number in footnotes.get("refs", {}).items():
            if number < 0:
                name = f"[^{label.removeprefix(':')}]"
                what = f"nobody sees the footnote {name}: nothing refers to it"
                yield Warned("unseen", what, f"Refer to it with {name}, or take it out.", f"{name}:")
    references = read.get("references")
    linked = {token.attrs.get("href") for token in tokens if token.type == "link_open"}
    for reference in references.values() if isinstance(references, dict) else ():
        if reference["href"] not in linked:
            about = f"]: {reference['href']}"
            what = f"nobody sees the line with {about}: no link refers to it"
            yield Warned("unseen", what, "If it is text, write \\[. If not, take it out.", about)
