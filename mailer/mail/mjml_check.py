"""What mjml-python lets pass: tags that do not exist, and things that a mail would fetch."""

import re

from mailer.errors import MailerError

#: mj-image, mj-social, mj-carousel, mj-hero and mj-font would fetch something: no mail of ours does. What mj-preview
#: makes looks to spam filters like hidden words; the layout has its own.
KNOWN_TAGS = frozenset(
    {
        "mj-all", "mj-attributes", "mj-body", "mj-breakpoint", "mj-button", "mj-class", "mj-column", "mj-divider",
        "mj-group", "mj-head", "mj-raw", "mj-section", "mj-spacer", "mj-style", "mj-table", "mj-text",
        "mj-title", "mj-wrapper", "mjml",
    }
)  # fmt: skip

_TAG = re.compile(r"</?(mj[\w-]*)", re.IGNORECASE)
_FETCHING = re.compile(
    r"<(?:img|link|script|iframe|object|embed|video|audio|base|form)\b|\burl\(|@import|\s(?:src|srcset|background)=",
    re.IGNORECASE,
)
_STYLE_OR_TAG = re.compile(r"<style\b.*?</style>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_ATTRIBUTES_OF_TEXT = re.compile(r'\s(?:href|title|aria-label)="[^"]*"')


class UnknownMjmlTag(MailerError):
    """{file}:{line}: there is no MJML tag <{tag}> for our mails. Known: {known}."""


class FetchesSomething(MailerError):
    """The template {template} makes a mail that fetches something when it is read: "{what}". Take that out: mails must
    not tell us who reads them."""


def check_tags(source: str, *, file: str) -> None:
    """Refuse MJML tags that do not exist or that fetch something.

    :param source: a template as it stands in its file.
    :raises UnknownMjmlTag: with file and line.
    """
    for match in _TAG.finditer(source):
        if match[1].lower() not in KNOWN_TAGS:
            line = source.count("\n", 0, match.start()) + 1
            raise UnknownMjmlTag(file=file, line=line, tag=match[1], known=", ".join(sorted(KNOWN_TAGS)))


def check_fetches_nothing(html: str, *, template: str) -> None:
    """Refuse a mail with pictures, fonts, style sheets or scripts from elsewhere, or forms.

    :raises FetchesSomething: naming what it found.
    """
    in_tags = "".join(_STYLE_OR_TAG.findall(_ATTRIBUTES_OF_TEXT.sub("", html)))
    if found := _FETCHING.search(in_tags):
        raise FetchesSomething(template=template, what=in_tags[found.start() : found.start() + 40])
