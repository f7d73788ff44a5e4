"""What mjml-python lets pass: tags that do not exist, and things that a mail would fetch."""

import re

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
_PART = re.compile(r"<!--.*?-->|<(?P<end>/?)(?P<tag>mj[\w-]*)(?:[^>\"]|\"[^\"]*\")*?(?P<empty>/?)>", re.DOTALL)
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
    """The template {template} has {what} in <{parent}>, where it would be lost. Put it into {place}."""


class FetchesSomething(MailerError):
    """The template {template} makes a mail that fetches something when it is read: "{what}". Take that out: mails must
    not tell us who reads them."""


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


def check_nesting(mjml: str, *, template: str) -> None:
    """Refuse tags and words that stand where MJML does not look for them.

    :param mjml: a whole mail, filled in.
    :raises MisplacedMjml: naming what it found.
    """
    above: list[str] = []
    end = 0
    for part in _PART.finditer(mjml):
        parent = above[-1] if above else ""
        if parent and parent not in _HOLDS_WORDS and (words := mjml[end : part.start()].strip()):
            place = "<mj-text>, or <mj-raw>"
            raise MisplacedMjml(template=template, what=f'"{words[:40]}"', parent=parent, place=place)
        end = part.end()
        tag = part["tag"]
        if tag is None:  # a comment
            continue
        if part["end"]:
            above = above[:-1]
            continue
        if tag in _PARENTS and parent not in (*_PARENTS[tag], "mj-attributes"):
            place = f"<{'> or <'.join(_PARENTS[tag])}>"
            raise MisplacedMjml(template=template, what=f"<{tag}>", parent=parent or "nothing", place=place)
        if not part["empty"]:
            above.append(tag)


def check_fetches_nothing(html: str, *, template: str) -> None:
    """Refuse a mail with pictures, fonts, style sheets or scripts from elsewhere, or forms.

    :raises FetchesSomething: naming what it found.
    """
    in_tags = "".join(_STYLE_OR_TAG.findall(_ATTRIBUTES_OF_TEXT.sub("", html)))
    if found := _FETCHING.search(in_tags):
        raise FetchesSomething(template=template, what=in_tags[found.start() : found.start() + 40])
