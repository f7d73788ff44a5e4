"""The Markdown of campaign texts: CommonMark without raw HTML and pictures, and links that are safe to follow."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mailer.errors import MailerError
from mailer.mail.markers import Markers, written

#: Fields whose value is a URL that we made ourselves: only these may be the whole target of a link.
URL_FIELDS = frozenset(
    {
        *("preferences_url", "unsubscribe_url"),
        *("campaign_url", "join_url", "kit_url", "link_url", "results_url", "share_url", "stop_url"),
        *(f"kit_{number}_url" for number in range(1, 6)),
    }
)

_ALLOWED_TAGS = {"a", "bdi", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"} | {
    f"h{level}" for level in range(1, 7)
}
_BETWEEN_TAGS = re.compile(r">[^<]+<")
_SCHEME = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)
_WEB_HOST = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_REMEDY_FOR_HOST = "Write the host yourself."


class ForbiddenLink(MailerError):
    """The link to "{url}" is refused. Links start with https:, http:, mailto: or tel:."""


class MisplacedField(MailerError):
    """{field} cannot be in {place}. {remedy}"""


class ForbiddenPicture(MailerError):
    """The picture "{url}" is refused: fetching it would tell who reads the mail. Describe it or link to it."""


class ForbiddenHtml(MailerError):
    """The HTML "{html}" is refused. Write Markdown: **bold**, *emphasis*, [words](https://example.org)."""


def read(text: str, markers: Markers) -> list[Token]:
    """Markdown as tokens, checked.

    :param text: CommonMark, with markers for its slots.
    :raises ForbiddenLink: a link in it is none that a mail may hold.
    :raises ForbiddenPicture: there is a picture in it.
    :raises ForbiddenHtml: there is HTML in it.
    :raises MisplacedField: a field stands where none can.
    """
    tokens = _reader().parse(text)
    for token in flattened(tokens):
        _check(token, markers)
    return tokens


def read_unchecked(text: str) -> tuple[list[Token], list[str]]:
    """Markdown as tokens, whatever is in it, with the addresses of its links as they were written; and those of all
    its definitions, used or not: `[label]: address`."""
    reader = _reader()
    reader.normalizeLink = _as_written  # type: ignore[method-assign] # likewise
    read: dict[str, Any] = {}
    tokens = reader.parse(text, read)
    definitions = [*read.get("references", {}).values(), *read.get("duplicate_refs", [])]
    return tokens, [definition["href"] for definition in definitions]


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": True})
    # By default an unsafe link is shown as text to all its readers; here its author is told.
    reader.validateLink = _accept  # type: ignore[method-assign] # the library's own way to set it
    return reader


def _as_written(url: str) -> str:
    return url


def _accept(url: str) -> bool:
    return bool(url)


def flattened(tokens: Sequence[Token]) -> Iterator[Token]:
    """Tokens with those in them, in order."""
    for token in tokens:
        yield token
        yield from flattened(token.children or [])


def _check(token: Token, markers: Markers) -> None:
    if token.type in ("html_block", "html_inline"):
        raise ForbiddenHtml(html=markers.shown(token.content.strip()[:60]))
    if token.type == "image":
        raise ForbiddenPicture(url=markers.shown(str(token.attrs.get("src", ""))))
    if token.type == "link_open":
        _check_link(str(token.attrs.get("href", "")), markers)


def _check_link(url: str, markers: Markers) -> None:
    slots = markers.slots_in(url)
    if len(slots) == 1 and markers.pattern.fullmatch(url) and slots[0].field in URL_FIELDS:
        return
    if not (scheme := _SCHEME.match(url)):
        if slots and (first := markers.pattern.search(url)) and ":" not in url[: first.start()]:
            raise MisplacedField(
                field=written(slots[0]),
                place="the start of a link",
                remedy="Write the start of the link yourself: [e-mail](mailto:{{ target_email }}).",
            )
        raise ForbiddenLink(url=markers.shown(url))
    if scheme[1].lower().startswith("http"):
        _check_host(url, markers)


def _check_host(url: str, markers: Markers) -> None:
    if not (host := _WEB_HOST.match(url)):
        raise ForbiddenLink(url=markers.shown(url))
    # A value right behind the host could make it another one: example.org{{ name }} with ".example.net".
    if slots := markers.slots_in(host[0]):
        raise MisplacedField(field=written(slots[0]), place="the host of a link", remedy=_REMEDY_FOR_HOST)


def to_html(tokens: list[Token], markers: Markers) -> str:
    """Tokens as sanitised HTML.

    Slots in its text stand in `<bdi>`, so that a name in one script leaves a sentence in another in order.
    A paragraph that is nothing but one link gets the class "action": it is shown as a button.
    """
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and _is_action(inline):
            opening.attrSet("class", "action")
    writer = MarkdownIt("commonmark")
    html = str(writer.renderer.render(tokens, writer.options, {}))
    html = _BETWEEN_TAGS.sub(lambda text: markers.pattern.sub(r"<bdi>\g<0></bdi>", text[0]), html)
    return nh3.clean(
        html,
        tags=_ALLOWED_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        allowed_classes={"p": {"action"}},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel=None,
    )


def _is_action(inline: Token) -> bool:
    """Whether an inline token is one link and nothing else."""
    children = [child for child in inline.children or [] if child.type != "text" or child.content.strip()]
    kinds = [child.type for child in children]
    return len(kinds) > 2 and kinds[0] == "link_open" and kinds[-1] == "link_close" and kinds.count("link_open") == 1
