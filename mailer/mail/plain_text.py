"""The plain-text part, written from the same Markdown as the HTML."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from mailer.mail import isolation
from mailer.mail.dialect import BARE, TASK
from mailer.mail.markers import Markers
from mailer.mail.types import SlotContext

#: RFC 3676 recommends lines of at most 78 characters; 72 leaves room for the quote marks of replies.
COLUMNS = 72
#: RFC 5322, section 2.1.1
MOST_COLUMNS = 78

_UNDERLINES = {"h1": "=", "h2": "-"}


def write(tokens: Sequence[Token], markers: Markers) -> str:
    """Markdown tokens as plain text in lines of 72 columns; words, slots and URLs are never broken."""
    return "\n".join(_Writer(markers).blocks(SyntaxTreeNode(tokens).children, COLUMNS))


def prose(tokens: Sequence[Token], markers: Markers) -> list[str]:
    """The paragraphs and list items that a text begins with, in plain words: no headings, no marks, nothing struck out,
    no line ends but its author's. What is no prose ends them: a quotation, code, a rule, a table."""
    paragraphs: list[str] = []
    for node in SyntaxTreeNode(tokens).children:
        match node.type:
            case "heading":
                continue
            case "paragraph":
                paragraphs.append(_words(node.children, markers))
            case "bullet_list" | "ordered_list":
                paragraphs.extend(_items(node, markers))
            case _:
                break
    return [re.sub(" {2,}", " ", paragraph).strip() for paragraph in paragraphs]


def _items(node: SyntaxTreeNode, markers: Markers) -> Iterator[str]:
    start = int(node.attrs.get("start", 1))
    for number, item in enumerate(node.children, start):
        label = f"{number}." if node.type == "ordered_list" else "•"
        blocks = (_words(block.children, markers) for block in item.children if block.type == "paragraph")
        words = " ".join(blocks)
        # A font may lack boxes, and messengers have bullets.
        yield f"{label} {words[1:].lstrip() if _is_task(item) else words}"


def _words(nodes: Iterable[SyntaxTreeNode], markers: Markers) -> str:
    return "".join(_word(node, markers) for node in nodes)


def _word(node: SyntaxTreeNode, markers: Markers) -> str:
    match node.type:
        case "text" | "code_inline":
            return node.content
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "s" | "sup":
            return ""
        case "link" if node.markup != BARE:
            return _words_and_url(_words(node.children, markers), str(node.attrs["href"]), markers)
    return _words(node.children, markers)


def _words_and_url(words: str, url: str, markers: Markers) -> str:
    """`words (url)`, or only the one where both say the same; of an e-mail address or a number, only that."""
    scheme, _, rest = url.partition(":")
    if scheme in ("mailto", "tel"):
        shown = rest.partition("?")[0]
        return words if words == shown else f"{words} ({shown})"
    return words if words == url else f"{words} ({markers.mark_again(url, SlotContext.URL)})"


def wrap(text: str, markers: Markers, columns: int = COLUMNS) -> list[str]:
    """Text in lines of so many columns; its own line ends stay."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        own: list[str] = []
        line, width = "", 0
        for word in paragraph.split(" "):
            word_width = markers.width(word)
            if line and word and width + 1 + word_width > columns:
                own.append(line)
                line, width = word, word_width
            elif word:
                line, width = (f"{line} {word}", width + 1 + word_width) if line else (word, word_width)
        lines += isolation.over_lines([*own, line])
    return lines


_LABEL = re.compile(r"(?:[-–—•*]|\d{1,2}[.)]) ")


def wrap_item(text: str, markers: Markers) -> list[str]:
    """A line that may begin as an item of a list does: what it takes more lines for stands below its words."""
    found = _LABEL.match(text)
    label = found[0] if found else ""
    first, *others = wrap(text.removeprefix(label), markers, COLUMNS - len(label))
    return [label + first, *(" " * len(label) + line for line in others)]


_QUOTED_OR_LISTED = re.compile(r"((?:> ?)*)( *(?:(?:[-☐☑]|\d+\.) )?)")


def folded(line: str) -> str:
    """A line in several if what was filled in made it longer than 78 columns; quoted and indented as it was."""
    if len(line) <= MOST_COLUMNS:
        return line
    found = _QUOTED_OR_LISTED.match(line)
    quoted, label = found.groups() if found else ("", "")
    indent = quoted + " " * len(label)
    lines = textwrap.wrap(
        line.removeprefix(quoted + label),
        COLUMNS,
        initial_indent=quoted + label,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"\n{indent}".join(
        isolation.over_lines([each.removeprefix(indent) if n else each for n, each in enumerate(lines)])
    )


def underline(lines: Sequence[str], mark: str, markers: Markers, columns: int = COLUMNS) -> str:
    """A line of marks as long as the longest of the lines above it; where a slot makes that anybody's guess, as long as
    any line."""
    if any(map(markers.slots_in, lines)):
        return mark * columns
    return mark * min(columns, max(map(markers.width, lines)))


class _Writer:
    def __init__(self, markers: Markers) -> None:
        self._markers = markers

    def blocks(self, nodes: Iterable[SyntaxTreeNode], columns: int) -> list[str]:
        """Lines of several blocks, an empty line between them except behind a line of a tight list."""
        lines: list[str] = []
        after_tight = True
        for node in nodes:
            if not after_tight:
                lines.append("")
            lines.extend(self._block(node, columns))
            after_tight = node.type == "paragraph" and node.hidden
        return lines

    def _block(self, node: SyntaxTreeNode, columns: int) -> list[str]:
        match node.type:
            case "heading":
                return self._heading(node, columns)
            case "bullet_list" | "ordered_list":
                return self._list(node, columns)
            case "blockquote":
                return [f"> {line}".rstrip() for line in self.blocks(node.children, columns - 2)]
            case "code_block" | "fence":
                return [f"    {line}".rstrip() for line in node.content.rstrip("\n").split("\n")]
            case "hr":
                return ["* * *"]
            case "table":
                return self._table(node, columns)
        return wrap(self._inline(node.children), self._markers, columns)

    def _heading(self, node: SyntaxTreeNode, columns: int) -> list[str]:
        lines = wrap(self._inline(node.children), self._markers, columns)
        if mark := _UNDERLINES.get(node.tag):
            lines.append(underline(lines, mark, self._markers, columns))
        return lines

    def _list(self, node: SyntaxTreeNode, columns: int) -> list[str]:
        lines: list[str] = []
        start = int(node.attrs.get("start", 1))
        for number, item in enumerate(node.children, start):
            label = f"{number}. " if node.type == "ordered_list" else "- "
            if lines and not _is_tight(node):
                lines.append("")
            content = self.blocks(item.children, columns - len(label)) or [""]
            if label == "- " and _is_task(item):
                label, content[0] = content[0][:2], content[0][2:]
            indents = [label, *[" " * len(label)] * (len(content) - 1)]
            lines.extend((indent + line).rstrip() for indent, line in zip(indents, content, strict=True))
        return lines

    def _table(self, node: SyntaxTreeNode, columns: int) -> list[str]:
        """In columns where they have room and nobody's own words; else each row as "heading: cell" in lines."""
        head, *rows = [
            [self._inline(cell.children[0].children if cell.children else ()) for cell in row.children]
            for part in node.children
            for row in part.children
        ]
        cells = [head, *rows]
        widths = [max(map(self._markers.width, column)) for column in zip(*cells, strict=True)]
        has_slots = any(self._markers.slots_in(cell) for line in cells for cell in line)
        if sum(widths) + 2 * (len(widths) - 1) <= columns and not has_slots:
            lines = [head, ["-" * width for width in widths], *rows]
            return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return self._rows(head, rows, columns)

    def _rows(self, head: list[str], rows: list[list[str]], columns: int) -> list[str]:
        lines: list[str] = []
        for row in rows:
            lines += [""] if lines else []
            for name, cell in zip(head, row, strict=True):
                if cell:
                    lines += wrap(f"{name}: {cell}" if name else cell, self._markers, columns)
        return lines or wrap("  ".join(head), self._markers, columns)

    def _inline(self, nodes: Iterable[SyntaxTreeNode]) -> str:
        return "".join(map(self._span, nodes))

    def _span(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "text" | "code_inline":
                return node.content
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "strong":
                return f"*{self._inline(node.children)}*"
            case "em":
                return f"_{self._inline(node.children)}_"
            case "s":
                return f"~{self._inline(node.children)}~"
            case "link" if node.markup != BARE:
                return self._link(self._inline(node.children), str(node.attrs["href"]))
        return self._inline(node.children)

    def _link(self, words: str, url: str) -> str:
        """`words <url>`, or only the one where both say the same; an e-mail address without "mailto:"."""
        address = url.removeprefix("mailto:")
        if address != url and "?" not in address:
            return words if words == address else f"{words} <{address}>"
        target = url if self._markers.pattern.fullmatch(url) else self._markers.mark_again(url, SlotContext.URL)
        return f"<{target}>" if words == url else f"{words} <{target}>"


def _is_task(item: SyntaxTreeNode) -> bool:
    return item.attrs.get("class") == TASK


def _is_tight(node: SyntaxTreeNode) -> bool:
    """Whether a list was written without empty lines: the parser hides its items' paragraphs then."""
    return all(block.hidden for item in node.children for block in item.children if block.type == "paragraph")
