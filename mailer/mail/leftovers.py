"""Leftovers: signs of Markdown that were not read as such, and would go out as they stand, or take words with them."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markdown_it.token import Token

from mailer.mail import dialect
from mailer.mail.markdown import flattened
from mailer.mail.markers import Markers
from mailer.mail.types import Pieces, Slot, Warned

#: what stands for all that was read as Markdown, for what was written as it should go out (`\*`), and for a slot
_READ = "\ufffc"
_SHOWN = 40  # how many characters of what was found

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

#: likewise where nothing is read as Markdown: a sign of it → what to write
_IN_PLAIN_TEXT = {
    r"!?\[[^\[\]\n]+\]\([^()\s]+[^()\n]*\)": "Write the words, and the address behind them.",
    r"\]\[[^\]\n]*\]|^\[[^\]\n]+\]:(?=\s)|\[\^[^\]\s]+\]": "Write it out where it belongs.",
    r"^[^\S\n]*#{1,6}[^\S\n]+(?=\S)": "A letter has no headings: write a sentence.",
    r"(?<![\w*])(\*{1,3})(?=[^\s*])(?:(?!\n[^\S\n]*\n)[^*])*(?<=[^\s*])\1(?![\w*])": "Leave the stars out.",
    r"(?<![\w/])(__?)(?=[^\s_])(?:(?!\n[^\S\n]*\n)[^_])*(?<=[^\s_])\1(?!\w)": "Leave the underscores out.",
    r"~~(?=[^\s~])[^~]*~~": "Leave out what is struck out.",
    r"(?<!\w)`[^`\n]+`(?!\w)|^```": "Write quotation marks.",
    r"^[^\S\n]*>[^\S\n]*(?=\S)": "Write quotation marks.",
    r"^[^\S\n]*\|.*\|[^\S\n]*$": "Write it in sentences: a table needs more than plain text.",
    r"^[^\S\n]*([-=*])(?:[^\S\n]*\1){2,}[^\S\n]*$": "Leave an empty line instead.",
    r"^[^\S\n]*[-*][^\S\n]\[[ xX]\](?=\s)": "Write a hyphen, and the words.",
    r"</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>|<!--": "Write plain words, without HTML.",
    r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z]{2,}\d*);": "Write the sign itself.",
    r"\\(?=[^\w\s])": "Write the sign without the backslash.",
}
_PLAIN_PATTERNS = [(re.compile(pattern, re.MULTILINE), remedy) for pattern, remedy in _IN_PLAIN_TEXT.items()]


class Sign(NamedTuple):
    """Markdown or HTML in what is neither."""

    line: int  # from 0
    signs: str  # as they are written, without what may go on behind them
    remedy: str


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


def find_in_plain_text(text: str) -> Sign | None:
    """The first Markdown or HTML in lines that are copied as they stand; None where there is none.

    A list is none: its hyphens and numbers are what people write, too.
    """
    found = (
        (hit.start(), hit[0].strip(), remedy)
        for pattern, remedy in _PLAIN_PATTERNS
        for hit in [pattern.search(text)]
        if hit
    )
    start, signs, remedy = min(found, default=(-1, "", ""))
    if start < 0:
        return None
    begin = start + len(text[start:]) - len(text[start:].lstrip())
    signs = " ".join(signs.split())
    return Sign(text.count("\n", 0, begin), signs if len(signs) <= _SHOWN else f"{signs[:_SHOWN]}…", remedy)


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
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
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
