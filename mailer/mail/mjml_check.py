"""What mjml-python lets pass: tags that do not exist, and things that a mail would fetch."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mailer.errors import MailerError

_PADDING = ("padding", "padding-top", "padding-right", "padding-bottom", "padding-left")
_BORDER = ("border", "border-top", "border-right", "border-bottom", "border-left", "border-radius")
_FONT = ("color", "font-family", "font-size", "font-style", "font-weight", "letter-spacing", "line-height")
_BLOCK = ("align", "container-background-color", *_PADDING)

#: Each tag and its attributes (MJML 4's documentation), besides those of all. mj-image, mj-social, mj-carousel, mj-hero
#: and mj-font would fetch something: no mail of ours does. What mj-preview makes looks to spam filters like hidden
#: words; the layout has its own.
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "mj-attributes": (),
    "mj-body": ("background-color", "width"),
    "mj-breakpoint": ("width",),
    "mj-button": (
        *(*_BLOCK, *_BORDER, *_FONT, "background-color", "height", "href", "inner-padding", "name", "rel", "target"),
        *("text-align", "text-decoration", "text-transform", "title", "vertical-align", "width"),
    ),
    "mj-column": (
        *(*_PADDING, *_BORDER, "background-color", "direction", "vertical-align", "width"),
        *("inner-background-color", *(f"inner-{border}" for border in _BORDER)),
    ),
    "mj-divider": (*_BLOCK, "border-color", "border-style", "border-width", "width"),
    "mj-group": ("background-color", "direction", "vertical-align", "width"),
    "mj-head": (),
    "mj-raw": ("position",),
    "mj-section": (*_PADDING, *_BORDER, "background-color", "direction", "full-width", "text-align"),
    "mj-spacer": (*_BLOCK, "height"),
    "mj-style": ("inline",),
    "mj-table": (*_BLOCK, *_FONT, "border", "cellpadding", "cellspacing", "role", "table-layout", "width"),
    "mj-text": (*_BLOCK, *_FONT, "height", "text-decoration", "text-transform"),
    "mj-title": (),
    "mj-wrapper": (*_PADDING, *_BORDER, "background-color", "direction", "full-width", "gap", "text-align"),
    "mjml": ("dir", "lang", "owa"),
}
_OF_ALL = ("css-class", "mj-class")
#: sets attributes for others, and so has theirs
_DEFAULTS = {"mj-all": (), "mj-class": ("name",)}
KNOWN_TAGS = frozenset({*_ATTRIBUTES, *_DEFAULTS})
_EVERY_ATTRIBUTE = tuple({attribute for attributes in _ATTRIBUTES.values() for attribute in attributes})

_CONTENT = ("mj-button", "mj-divider", "mj-spacer", "mj-table", "mj-text")
#: each tag → what it may stand in; within mj-attributes all may
_PARENTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("mj-head", "mj-body"), ("mjml",)),
    **dict.fromkeys(("mj-attributes", "mj-breakpoint", "mj-style", "mj-title"), ("mj-head",)),
    "mj-raw": ("mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-column"),
    "mj-wrapper": ("mj-body",),
    "mj-section": ("mj-body", "mj-wrapper"),
    "mj-group": ("mj-section",),
    "mj-column": ("mj-section", "mj-group"),
    **dict.fromkeys(_CONTENT, ("mj-column",)),
}
#: what holds words and HTML; elsewhere they are lost, or shown where nobody put them
_HOLDS_WORDS = frozenset({"mj-button", "mj-raw", "mj-style", "mj-table", "mj-text", "mj-title"})

_TAG = re.compile(r"</?(mj[\w-]*)((?:[^>\"]|\"[^\"]*\")*)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'([\w:-]+)\s*=\s*"[^"]*"')
_PLACE = re.compile(r"<!--at (?P<file>[^:>]+):(?P<line>\d+)-->")
_PART = re.compile(
    rf"{_PLACE.pattern}|<!--.*?-->|<(?P<end>/?)(?P<tag>mj[\w-]*)(?:[^>\"]|\"[^\"]*\")*?(?P<empty>/?)>", re.DOTALL
)
_COMMENT_OR_TAG = re.compile(r"<!--.*?-->|</?mj[\w-]*", re.DOTALL)
_FETCHING = re.compile(
    r"<(?:img|link|script|iframe|object|embed|video|audio|base|form)\b|\burl\(|@import|\s(?:src|srcset|background)=",
    re.IGNORECASE,
)
_STYLE_OR_TAG = re.compile(r"<style\b.*?</style>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_ATTRIBUTES_OF_TEXT = re.compile(r'\s(?:href|title|aria-label)="[^"]*"')


class UnknownMjmlTag(MailerError):
    """{file}:{line}: there is no MJML tag <{tag}> for our mails. Known: {known}."""


class UnknownMjmlAttribute(MailerError):
    """{file}:{line}: <{tag}> has no attribute "{attribute}". Known: {known}."""


class MisplacedMjml(MailerError):
    """{file}:{line}: {what} in <{parent}> would be lost. Put it into {tags}."""


class UnpairedMjml(MailerError):
    """{file}:{line}: {problem}"""


class FetchesSomething(MailerError):
    """The template {template} makes a mail that fetches something when it is read: "{what}". Take that out: mails must
    not tell us who reads them."""


class _Place(NamedTuple):
    file: str
    line: int


def check_tags(source: str, *, file: str) -> None:
    """Refuse MJML tags and attributes that do not exist or that fetch something.

    :param source: a template as it stands in its file.
    :raises UnknownMjmlTag: with file and line.
    :raises UnknownMjmlAttribute: likewise.
    """
    for match in _TAG.finditer(source):
        tag, line = match[1], source.count("\n", 0, match.start()) + 1
        if tag not in KNOWN_TAGS:
            raise UnknownMjmlTag(file=file, line=line, tag=tag, known=", ".join(sorted(KNOWN_TAGS)))
        known = {*_OF_ALL, *(_ATTRIBUTES[tag] if tag in _ATTRIBUTES else (*_DEFAULTS[tag], *_EVERY_ATTRIBUTE))}
        for attribute in _ATTRIBUTE.findall(match[2]):
            if attribute not in known:
                raise UnknownMjmlAttribute(
                    file=file, line=line, tag=tag, attribute=attribute, known=", ".join(sorted(known))
                )


def with_places(source: str, *, file: str) -> str:
    """A template in which each tag says where it stands, by a comment before it, for `check_nesting`."""

    def placed(found: re.Match[str]) -> str:
        if found[0].startswith("<!--"):
            return found[0]
        return f"<!--at {file}:{source.count(chr(10), 0, found.start()) + 1}-->{found[0]}"

    return _COMMENT_OR_TAG.sub(placed, source)


def check_nesting(mjml: str) -> str:
    """Refuse tags and words that stand where MJML does not look for them, and tags that are not closed.

    :param mjml: a whole mail, filled in, of templates `with_places`.
    :returns: it without the places.
    :raises MisplacedMjml: with file and line.
    :raises UnpairedMjml: likewise.
    """
    place = _Place("", 1)
    above: list[tuple[str, _Place]] = []
    end = place_end = 0
    for part in _PART.finditer(mjml):
        parent = above[-1][0] if above else ""
        if parent and parent not in _HOLDS_WORDS and (words := mjml[end : part.start()].strip()):
            line = place.line + mjml.count("\n", place_end, mjml.index(words, end))
            raise _misplaced(f'"{words[:40]}"', parent, ("mj-text", "mj-raw"), _Place(place.file, line))
        end = part.end()
        if part["file"]:
            place, place_end = _Place(part["file"], int(part["line"])), end
        elif part["tag"] and part["end"]:
            _check_pair(part["tag"], above, place)
            above.pop()
        elif tag := part["tag"]:
            if tag in _PARENTS and parent not in (*_PARENTS[tag], "mj-attributes"):
                raise _misplaced(f"<{tag}>", parent or "nothing", _PARENTS[tag], place)
            if not part["empty"]:
                above.append((tag, place))
    if above:
        tag, opened = above[-1]
        problem = f"<{tag}> is never closed. Write </{tag}> behind what is in it."
        raise UnpairedMjml(file=opened.file, line=opened.line, problem=problem)
    return _PLACE.sub("", mjml)


def _misplaced(what: str, parent: str, into: Sequence[str], place: _Place) -> MisplacedMjml:
    tags = f"<{'> or <'.join(into)}>"
    return MisplacedMjml(file=place.file, line=place.line, what=what, parent=parent, tags=tags)


def _check_pair(tag: str, above: Sequence[tuple[str, _Place]], place: _Place) -> None:
    if not above:
        raise UnpairedMjml(file=place.file, line=place.line, problem=f"</{tag}> closes nothing. Take it out.")
    opened, place = above[-1]
    if opened != tag:
        problem = f"<{opened}> is not closed before </{tag}>. Write </{opened}> before it."
        raise UnpairedMjml(file=place.file, line=place.line, problem=problem)


def check_fetches_nothing(html: str, *, template: str) -> None:
    """Refuse a mail with pictures, fonts, style sheets or scripts from elsewhere, or forms.

    :raises FetchesSomething: naming what it found.
    """
    in_tags = "".join(_STYLE_OR_TAG.findall(_ATTRIBUTES_OF_TEXT.sub("", html)))
    if found := _FETCHING.search(in_tags):
        raise FetchesSomething(template=template, what=in_tags[found.start() : found.start() + 40])
