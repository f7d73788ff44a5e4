"""The Markdown of campaign texts: no raw HTML, no pictures, and links that are safe to follow."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mailer.errors import MailerError
from mailer.mail import dialect, writing
from mailer.mail.markers import Markers, written

#: Fields whose value is a URL that we made ourselves: only these may be the whole target of a link.
URL_FIELDS = frozenset(
    {
        *("preferences_url", "unsubscribe_url", "act_url", "sign_url"),
        *("campaign_url", "desk_url", "join_url", "kit_url", "link_url", "results_url", "share_url", "stop_url"),
        *(f"{what}_{number}_url" for what in ("kit", "leave") for number in range(1, 6)),
        *writing.URLS,
    }
)

_ALLOWED_TAGS = {
    *("a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "s", "strong", "sup", "ul"),
    *("table", "tbody", "td", "th", "thead", "tr"),
    *(f"h{level}" for level in range(1, 7)),
}
#: how Markdown aligns a cell → our style sheets' class for it; left is where text begins, whichever way it is written
_CELL_CLASSES = {"text-align:center": "centre", "text-align:right": "end"}
_ALIGNED = set(_CELL_CLASSES.values())
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


def read(text: str, markers: Markers, *, empty: Collection[str] = ()) -> list[Token]:
    """Markdown as tokens, checked.

    :param text: with markers for its slots.
    :param empty: fields for which all readers have nothing; what would be a link to nobody because of them is none.
    :raises ForbiddenLink: a link in it is none that a mail may hold.
    :raises ForbiddenPicture: there is a picture in it.
    :raises ForbiddenHtml: there is HTML in it.
    :raises MisplacedField: a field stands where none can.
    """
    mail_fields = dialect.MAIL_FIELDS - set(empty)
    tokens = dialect.reader().parse(text, {"markers": markers, "mail_fields": mail_fields})
    for token in flattened(tokens):
        _check(token, markers)
        if token.children:
            token.children = list(_without_links_to_nobody(token.children, markers, empty))
    return tokens


def read_unchecked(text: str) -> tuple[list[Token], list[str]]:
    """Markdown as tokens, whatever is in it, with the addresses of its links as they were written, those apart that
    stand bare; and the addresses of all its definitions, used or not: `[label]: address`."""
    read: dict[str, Any] = {}
    tokens = dialect.reader(as_written=True).parse(text, read)
    definitions = [*read.get("references", {}).values(), *read.get("duplicate_refs", [])]
    return tokens, [definition["href"] for definition in definitions]


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


def _without_links_to_nobody(tokens: Sequence[Token], markers: Markers, empty: Collection[str]) -> Iterator[Token]:
    """Tokens of one paragraph, of such a link only its words."""
    is_to_nobody = False
    for token in tokens:
        if token.type == "link_open":
            is_to_nobody = _leads_to_nobody(str(token.attrs.get("href", "")), markers, empty)
        if not (is_to_nobody and token.type in ("link_open", "link_close")):
            yield token


def _leads_to_nobody(url: str, markers: Markers, empty: Collection[str]) -> bool:
    to = url.partition(":")[2].partition("?")[0]
    is_empty = [slot.field in empty and not slot.default for slot in markers.slots_in(to)]
    return bool(is_empty) and all(is_empty) and not markers.pattern.sub("", to)


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


def to_html(tokens: list[Token]) -> str:
    """Tokens as sanitised HTML.

    A paragraph that is nothing but one link gets the class "action": it is shown as a button, unless the link is a bare
    address.
    """
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and _is_action(inline):
            opening.attrSet("class", "action")
        if (style := opening.attrs.get("style")) in _CELL_CLASSES:
            opening.attrSet("class", _CELL_CLASSES[str(style)])
    writer = MarkdownIt("commonmark")
    # MJML for Python drops a line break between two elements, and so the space between their words.
    writer.add_render_rule("softbreak", lambda *_: " ")
    html = str(writer.renderer.render(tokens, writer.options, {}))
    return nh3.clean(
        html,
        tags=_ALLOWED_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        allowed_classes={"p": {"action"}, "li": {dialect.TASK}, "td": _ALIGNED, "th": _ALIGNED},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel=None,
    )


def _is_action(inline: Token) -> bool:
    """Whether an inline token is one link and nothing else."""
    children = [child for child in inline.children or [] if child.type != "text" or child.content.strip()]
    kinds = [child.type for child in children]
    is_one_link = len(kinds) > 2 and kinds[0] == "link_open" and kinds[-1] == "link_close"
    return is_one_link and kinds.count("link_open") == 1 and children[0].markup != dialect.BARE
