"""Where slots stand in finished HTML, and so how what fills them must be escaped."""

import re
from bisect import bisect_right

from mailer.errors import MailerError
from mailer.mail.markdown import URL_FIELDS
from mailer.mail.markers import Markers, written
from mailer.mail.types import LINES, Pieces, SlotContext

# MJML writes well-formed HTML with quoted attributes, so that this tells its parts apart.
_PART = re.compile(
    r"(?P<comment><!--.*?-->)|(?P<style><style\b.*?</style>)|(?P<tag><[a-zA-Z/!](?:[^\"'>]|\"[^\"]*\"|'[^']*')*>)"
    r"|(?P<text>[^<]+)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"([\w:-]+)=\"([^\"]*)\"")
_TEXT_ATTRIBUTES = frozenset({"title", "aria-label"})


class UnsafePlace(MailerError):
    """{field} is in {place} of the mail's HTML, where a person's data is not safe. Put it in the text."""


def cut_html(html: str, markers: Markers) -> Pieces:
    """Marked HTML as pieces, each slot with the context of its place.

    :raises UnsafePlace: for a slot in a style, a comment, the name of something or an attribute with a meaning.
    """
    parts = list(_PART.finditer(html))
    starts = [part.start() for part in parts]

    def place(marker: re.Match[str]) -> SlotContext:
        number = bisect_right(starts, marker.start()) - 1
        part = parts[number]
        if part.lastgroup == "text" and marker.end() <= part.end():
            if number > 0 and parts[number - 1][0].lower().startswith("<title"):
                return SlotContext.HTML
            return SlotContext.HTML_LINES if markers.slot(marker).context in LINES else SlotContext.HTML_WORDS
        if part.lastgroup == "tag" and (context := _in_attribute(part, marker, markers)):
            return context
        raise UnsafePlace(field=written(markers.slot(marker)), place=f"a {part.lastgroup}")

    return markers.cut(html, place)


def _in_attribute(tag: re.Match[str], marker: re.Match[str], markers: Markers) -> SlotContext | None:
    for attribute in _ATTRIBUTE.finditer(tag[0]):
        start, end = (tag.start() + position for position in attribute.span(2))
        if not start <= marker.start() < end:
            continue
        if attribute[1] in _TEXT_ATTRIBUTES:
            return SlotContext.HTML
        if attribute[1] == "href":
            whole = attribute[2] == marker[0]
            if whole:
                return SlotContext.HTML if markers.slot(marker).field in URL_FIELDS else None
            return SlotContext.URL if marker.start() > start else None
    return None
