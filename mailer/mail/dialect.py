"""The Markdown that texts are written in: CommonMark, with what most editors show besides.

Tables, struck-out words, footnotes and boxes to tick are read. Footnotes become a numbered list at the end, and boxes
signs, so that whatever shows Markdown shows them. Web and e-mail addresses become links without being written as such.
"""

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, emphasis, strikethrough
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from mailer.mail.markers import Markers
from mailer.mail.types import Slot

#: in Token.markup of a link that its author wrote as nothing but an address
BARE = "linkify"
#: the class of a list item with a box to tick, which takes the place of its bullet
TASK = "task"
#: Where every line of a paragraph would have had room for the next one's first word in so many columns, its author
#: meant the line ends: an address, a closing formula. Editors break lines later than that.
_NARROW_COLUMNS = 50

_BOX = re.compile(r"\[([ xX])\](?=\s)")
#: letters and signs of Chinese and Japanese, which are written without spaces
_HAN = "\u2e80-\u303f\u3040-\u312f\u31a0-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_UNSPACED = re.compile(f"[{_HAN}]")
#: likewise, with Korean, whose particles follow a word without a space
_WIDE = re.compile(f"[{_HAN}\u1100-\u11ff\uac00-\ud7ff]")
#: up to what is no part of an address; brackets would end the words of a link
_WEB = re.compile(rf"//(?=\w)[^\s<>\"\[\]`|\\{_HAN}]+")
_BEHIND = re.compile(r"[.,;:!?'’”»*_~…]+$")
_MAIL = re.compile(r"(?<![\w.+/:@-])[\w.%+'-]*\w@(?:\w[\w-]*\.)+[^\W\d_]{2,}(?![\w@])")


#: fields whose value is an e-mail address
MAIL_FIELDS = frozenset({"target_email"})


def reader(*, as_written: bool = False) -> MarkdownIt:
    """What reads this Markdown. To find bare addresses, `parse` it with `{"markers": …, "mail_fields": …}`.

    :param as_written: leave the addresses of links as they are, without encoding what a URL cannot hold.
    """
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).use(footnote_plugin)
    # By default an unsafe link is shown as text to all its readers; here its author is told.
    made.validateLink = bool  # type: ignore[method-assign,assignment] # the library's own way to set it
    if as_written:
        made.normalizeLink = str  # type: ignore[method-assign,assignment] # likewise
    made.inline.ruler.at("emphasis", _emphasis)
    made.inline.ruler.at("strikethrough", _strikethrough)
    made.inline.ruler.before("escape", "bare_web_address", _bare_web_address)
    for rule in (_number_footnotes, _draw_boxes, _keep_line_ends):
        made.core.ruler.before("text_join", rule.__name__.strip("_"), rule)
    made.core.ruler.push("bare_mail_addresses", _bare_mail_addresses)
    return made


# --- emphasis -------------------------------------------------------------------------------------------------------


def _emphasis(state: StateInline, silent: bool) -> bool:
    return _with_delimiters(state, emphasis.tokenize(state, silent))


def _strikethrough(state: StateInline, silent: bool) -> bool:
    return _with_delimiters(state, strikethrough.tokenize(state, silent))


def _with_delimiters(state: StateInline, is_read: bool) -> bool:
    """Let what was just read begin and end beside letters that stand without spaces; and leave a star in a word alone,
    as in the German "Kolleg*innen"."""
    if not is_read:
        return False
    run = state.src[: state.pos]
    mark = run[-1]
    start = len(run.rstrip(mark))
    before, after = state.src[start - 1 : start] or " ", state.src[state.pos : state.pos + 1] or " "
    width = state.pos - start
    for delimiter in reversed(state.delimiters[-width:]):
        if delimiter.marker != ord(mark) or delimiter.token < len(state.tokens) - width:
            break
        if mark == "*" and width == 1 and _is_letter(before) and _is_letter(after):
            delimiter.open = delimiter.close = False
        elif mark != "_":
            delimiter.open |= bool(_WIDE.match(before)) and not after.isspace()
            delimiter.close |= bool(_WIDE.match(after)) and not before.isspace()
    return True


def _is_letter(char: str) -> bool:
    return char.isalpha() and not _WIDE.match(char)


# --- addresses ------------------------------------------------------------------------------------------------------


def _bare_web_address(state: StateInline, silent: bool) -> bool:
    """A rule for the colon of https://: signs in an address are no emphasis."""
    if silent or state.src[state.pos] != ":" or state.linkLevel or "markers" not in state.env:
        return False
    scheme = re.search(r"(?<![A-Za-z0-9_])https?\Z", state.pending, re.IGNORECASE)
    found = _WEB.match(state.src, state.pos + 1)
    if not scheme or not found:
        return False
    rest = _without_what_is_behind(found[0])
    words = f"{scheme[0]}:{rest}"
    state.pending = state.pending[: scheme.start()]
    link = state.push("link_open", "a", 1)
    link.attrs = {"href": state.md.normalizeLink(words)}
    state.push("text", "", 0).content = words
    close = state.push("link_close", "a", -1)
    link.markup = close.markup = BARE
    link.info = close.info = "auto"
    state.pos += 1 + len(rest)
    return True


def _without_what_is_behind(address: str) -> str:
    """Without the full stop, or the bracket that was opened before it."""
    while True:
        shorter = _BEHIND.sub("", address)
        if shorter.endswith(")") and shorter.count(")") > shorter.count("("):
            shorter = shorter[:-1]
        if shorter == address:
            return address
        address = shorter


def _bare_mail_addresses(state: StateCore) -> None:
    markers, mail_fields = state.env.get("markers"), state.env.get("mail_fields", ())
    for block in state.tokens:
        if markers is None or block.type != "inline":
            continue
        children: list[Token] = []
        in_link = 0
        for child in block.children or []:
            in_link += child.nesting if child.type in ("link_open", "link_close") else 0
            children += [child] if in_link or child.type != "text" else _with_mail_links(child, markers, mail_fields)
        block.children = children


def _with_mail_links(text: Token, markers: Markers, mail_fields: Collection[str]) -> Iterator[Token]:
    """A text, cut where e-mail addresses are, or fields that print one."""
    written, end = text.content, 0
    places = sorted((*_MAIL.finditer(written), *markers.pattern.finditer(written)), key=lambda found: found.start())
    for found in places:
        is_address = "@" in found[0] or _prints_address(markers.slot(found), mail_fields)
        if found.start() < end or not is_address:
            continue
        yield _text(written[end : found.start()], text.level)
        yield Token("link_open", "a", 1, {"href": f"mailto:{found[0]}"}, markup=BARE, info="auto", level=text.level)
        yield _text(found[0], text.level + 1)
        yield Token("link_close", "a", -1, markup=BARE, info="auto", level=text.level)
        end = found.end()
    yield _text(written[end:], text.level)


def _prints_address(slot: Slot, mail_fields: Collection[str]) -> bool:
    return slot.field in mail_fields and (not slot.default or _MAIL.fullmatch(slot.default) is not None)


def _text(content: str, level: int) -> Token:
    return Token("text", "", 0, content=content, level=level)


# --- footnotes, boxes, line ends ------------------------------------------------------------------------------------


def _number_footnotes(state: StateCore) -> None:
    """Footnotes as a list behind a rule, and "[1]" where they are referred to."""
    renamed = {"footnote_block": ("ordered_list", "ol"), "footnote": ("list_item", "li")}
    tokens = []
    for token in state.tokens:
        if token.type == "footnote_anchor":  # a link back, of which a mail has no use
            continue
        kind, _, end = token.type.rpartition("_")
        if token.type == "footnote_block_open":
            tokens.append(Token("hr", "hr", 0, block=True, markup="---"))
        if kind in renamed:
            name, tag = renamed[kind]
            token = Token(f"{name}_{end}", tag, token.nesting, block=True)
        if token.children:
            token.children = [part for child in token.children for part in _numbered(child)]
        tokens.append(token)
    state.tokens = tokens


def _numbered(token: Token) -> list[Token]:
    if token.type != "footnote_ref":
        return [token]
    number = _text(f"[{token.meta['id'] + 1}]", token.level + 1)
    return [Token("sup_open", "sup", 1), number, Token("sup_close", "sup", -1)]


def _draw_boxes(state: StateCore) -> None:
    """`- [ ]` and `- [x]` as list items whose first sign is a box."""
    for item, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open" or not inline.children:
            continue
        first = inline.children[0]
        if first.type == "text" and (box := _BOX.match(first.content)):
            first.content = ("☐" if box[1] == " " else "☑") + first.content[box.end() :]
            item.attrSet("class", TASK)


def _keep_line_ends(state: StateCore) -> None:
    """Line ends that were meant stay; the others are spaces, or nothing between letters that stand without spaces."""
    for paragraph, inline in pairwise(state.tokens):
        if inline.type != "inline" or not inline.children:
            continue
        is_narrow = paragraph.type == "paragraph_open" and not paragraph.hidden and _is_narrow(inline.content, state)
        children = inline.children
        for number, child in enumerate(children):
            if child.type != "softbreak":
                continue
            if is_narrow:
                child.type, child.tag = "hardbreak", "br"
            elif _is_unspaced(children[number - 1 : number + 2 : 2]):
                children[number] = _text("", child.level)


def _is_narrow(written: str, state: StateCore) -> bool:
    markers = state.env.get("markers")
    shown = markers.shown(written) if markers else written
    return all(
        _columns(line) + 1 + _columns(following.split()[0]) <= _NARROW_COLUMNS
        for line, following in pairwise(shown.split("\n"))
        if following.strip()
    )


def _columns(text: str) -> int:
    return len(text) + len(_WIDE.findall(text))


def _is_unspaced(neighbours: list[Token]) -> bool:
    """Whether a line ended, and the next one began, with a letter that stands without spaces."""
    if len(neighbours) < 2 or not all(each.type == "text" and each.content for each in neighbours):
        return False
    before, after = neighbours
    return bool(_UNSPACED.match(before.content[-1]) and _UNSPACED.match(after.content))
