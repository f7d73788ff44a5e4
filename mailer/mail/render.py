"""Markdown → MJML → HTML, and text from the same Markdown: once per edition."""

import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, select_autoescape
from markdown_it.token import Token
from markupsafe import Markup, escape
from mjml import mjml2html

from mailer.errors import MailerError
from mailer.mail import costly_words, isolation, leftovers, markdown, plain_text
from mailer.mail.html_slots import cut_html
from mailer.mail.markdown import URL_FIELDS
from mailer.mail.markers import Markers, with_context
from mailer.mail.mjml_check import check_fetches_nothing, check_nesting, check_tags, with_places
from mailer.mail.types import Pieces, Rendering, Slot, SlotContext, Warned
from mailer.mail.writing import Letter, Passage, Writing

TEMPLATES = Path(__file__).parents[2] / "templates" / "emails"

#: Gmail cuts a mail off at 102 KB of HTML, its unsubscribe link with it.
HTML_WARNING_BYTES = 90_000
HTML_LIMIT_BYTES = 100_000

#: What inboxes show of a preheader: shorter ones are filled up with the mail's first words, longer ones cut.
PREHEADER_CHARACTERS = range(40, 91)

#: Control characters, lone surrogates and non-characters: MJML is XML, which knows none of them.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

#: what MJML for Python writes as programmers write strings: \u{200c} for an invisible letter, which is read aloud so
_IN_ATTRIBUTE = re.compile(r'(?<==)"[^"<>]*"|(?<=<mj-title>)[^<]*')
_SPELT_OUT = re.compile(r"[^ -\[\]-~]")

#: what stands before a place inside of a link in the text part
_BEGUN_LINK = re.compile(r"<[^<>\s]*\Z")

_PREFERENCES_URL = Slot("preferences_url")
_UNSUBSCRIBE_URL = Slot("unsubscribe_url")


class UnknownTemplate(MailerError):
    """There is no e-mail template "{template}". Write it in templates/emails."""


class BrokenTemplate(MailerError):
    """The e-mail template {template} cannot be rendered: {problem}"""


class HtmlTooLarge(MailerError):
    """The mail's HTML has {size} bytes. Mail programs cut off what is over 102,000. Shorten it to under {limit}."""


@dataclass(frozen=True, slots=True)
class ForwardedBy:
    """Who passes a mail on to people of whom we know nothing: it has no links that are one person's."""

    name: str | None  # None for whoever it may be
    introduction: tuple[str, ...]  # paragraphs of their own words; where there are none, a fixed sentence stands
    join_url: str  # where a reader signs up


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a mail's own words."""

    language: str  # BCP 47
    direction: str  # "ltr" or "rtl"
    organisation: str
    postal_address: str
    gettext: Callable[[str], str]  # translates the mail's fixed words into the language
    heading: str = ""  # of a campaign: what kind of mail it is, such as "Urgent action"
    deadline: Pieces = ()  # a date as people of that language write it
    web_url: str | None = None  # of the web version
    answers_are_read: bool = True  # by somebody
    act_url: Pieces = ()  # of a campaign: where its reader says that they wrote
    sign_url: Pieces = ()  # where they sign its petition
    names_go_to: str = ""  # with whose name in it, as a sentence says it
    forwarded_by: ForwardedBy | None = None  # for a mail that somebody else passes on


def render(
    kind: str,
    *,
    subject: Pieces,
    preheader: Pieces,
    body: Pieces,
    frame: Frame,
    writing: Writing | None = None,
    empty: Collection[str] = (),
    asks: bool = True,
) -> Rendering:
    """Make one edition of a campaign: HTML and text with slots, checked.

    :param kind: name of a pair of files in templates/emails/campaigns, without their suffix.
    :param preheader: what inboxes show behind the subject.
    :param body: CommonMark.
    :param writing: what stands below it, for readers who are to write to others.
    :param empty: fields for which all readers have nothing.
    :param asks: its readers to act by what stands in the body, which so needs something to press.
    :raises MailerError: saying what the text or the template holds that no mail may hold.
    """
    markers = Markers()
    marked = markers.mark(printable(body))
    tokens = markdown.read(marked, markers, empty=empty)
    values: dict[str, object] = {
        "has_heading": any(token.type == "heading_open" and token.tag == "h1" for token in tokens),
    }
    if frame.forwarded_by is None:
        values["preferences_url"] = markers.mark((_PREFERENCES_URL,))
        values["unsubscribe_url"] = markers.mark((_UNSUBSCRIBE_URL,))
    values |= {"act_url": markers.mark(frame.act_url), "sign_url": markers.mark(frame.sign_url)}
    values["writing"] = _shown(writing, markers) if writing else None
    html_body = Markup(markdown.to_html(tokens))  # noqa: S704 - sanitised
    rendering = _print(
        f"campaigns/{kind}",
        frame,
        markers,
        subject=subject,
        preheader=preheader,
        html_values=values | {"body": html_body},
        text_values=values | {"body": plain_text.write(tokens, markers)},
        room=writing.room if writing else 0,
    )
    found = (
        *leftovers.find(marked, markers),
        *costly_words.find(tokens, markers),
        *costly_words.find_in_line(subject),
        *costly_words.find_in_line(preheader),
        *(_link_warnings(tokens) if asks else ()),
    )
    return replace(rendering, warnings=(*found, *rendering.warnings))


def render_notice(
    kind: str, *, subject: Pieces, preheader: Pieces, fields: Mapping[str, Pieces], frame: Frame
) -> Rendering:
    """Make the mail of a system notice, all of whose words stand in its template: HTML and text with slots, checked.

    :param kind: name of a pair of files in templates/emails/notices, without their suffix.
    :param fields: what the template asks for by name; an empty one is not shown.
    :raises MailerError: saying what the template holds that no mail may hold.
    """
    markers = Markers()
    values = {name: markers.mark(printable(pieces)) for name, pieces in fields.items()}
    return _print(
        f"notices/{kind}", frame, markers, subject=subject, preheader=preheader, html_values=values, text_values=values
    )


def _print(
    template: str,
    frame: Frame,
    markers: Markers,
    *,
    subject: Pieces,
    preheader: Pieces,
    html_values: Mapping[str, object],
    text_values: Mapping[str, object],
    room: int = 0,
) -> Rendering:
    """Fill both files of a template.

    :param room: bytes of HTML that what fills the slots takes at most, as far as that counts.
    """
    subject, preheader = _one_line(subject), _one_line(preheader)
    values = {
        "frame": frame,
        "direction": isolation.direction,
        "wrap": lambda text: "\n".join(plain_text.wrap(str(text), markers)),
        "title": lambda text: _underlined(str(text), "=", markers),
        "heading": lambda text: _underlined(str(text), "-", markers),
        "turned": lambda line, direction: _turned(str(line), direction, frame, markers),
        "start": "left" if frame.direction == "ltr" else "right",
        "end": "right" if frame.direction == "ltr" else "left",
        "deadline": markers.mark(frame.deadline),
        "subject": markers.mark(subject),
        "preheader": markers.mark(preheader),
    }
    in_html, in_text = _html_isolator(markers), _text_isolator(frame, markers)
    html_values = {**html_values, "isolated": in_html, "_": _html_translator(frame, in_html)}
    text_values = {**text_values, "isolated": in_text, "_": _translator(frame, in_text)}
    html, size = _to_html(_fill(f"{template}.mjml", {**values, **html_values}), template, room)
    text = re.sub(r"\n{3,}", "\n\n", _fill(f"{template}.txt", {**values, **text_values})).strip("\n") + "\n"
    return Rendering(
        language=frame.language,
        subject=with_context(subject, SlotContext.HEADER),
        html=cut_html(html, markers),
        text=markers.cut(text, _place_in_text(text, frame, markers)),
        warnings=(*_preheader_warnings(preheader), *_size_warnings(size, has_letters=bool(room))),
    )


def _shown(writing: Writing, markers: Markers) -> Mapping[str, object]:
    """As templates print it: with markers for its slots, and the words of each language in lines."""

    def passage(words: Passage | None) -> Mapping[str, object] | None:
        if words is None:
            return None
        marked = [markers.mark(printable(pieces)) for pieces in words.paragraphs]
        return {
            "language": words.language,
            "direction": words.direction,
            "paragraphs": [each.split("\n") for each in marked],
        }

    def letter(shown: Letter | None) -> Mapping[str, object] | None:
        return {"subject": markers.mark(printable(shown.subject)), "words": passage(shown.words)} if shown else None

    addressed = [
        {
            "heading": each.heading,
            "name": markers.mark(each.name),
            "details": markers.mark(each.details),
            "rules": passage(each.rules),
            "letter": letter(each.letter),
            "reading": letter(each.reading),
            "same_as": markers.mark(each.same_as),
            "points": markers.mark(each.points),
            "url": markers.mark(each.url),
        }
        for each in writing.addressed
    ]
    return {"asks": passage(writing.asks), "addressed": addressed, "more_url": markers.mark(writing.more_url)}


def _underlined(text: str, mark: str, markers: Markers) -> str:
    lines = plain_text.wrap(text, markers)
    return "\n".join([*lines, plain_text.underline(lines, mark, markers)])


def _turned(line: str, direction: str, frame: Frame, markers: Markers) -> str:
    """A line of a text part in lines of 72 columns, though it may run the other way."""
    lines = plain_text.wrap_item(line, markers)
    return "\n".join(lines if direction == frame.direction else [isolation.turned(each, direction) for each in lines])


def printable(pieces: Pieces) -> Pieces:
    """Pieces without the characters that no mail can show."""
    return tuple(_NOT_IN_XML.sub("", piece) if isinstance(piece, str) else piece for piece in pieces)


def _one_line(pieces: Pieces) -> Pieces:
    return tuple(re.sub(r"\s+", " ", piece) if isinstance(piece, str) else piece for piece in printable(pieces))


def _place_in_text(text: str, frame: Frame, markers: Markers) -> Callable[[re.Match[str]], SlotContext]:
    """Tells where a slot of the text part stands: among words, or in a link, `<https://…>`."""
    words = SlotContext.LTR_WORDS if frame.direction == "ltr" else SlotContext.RTL_WORDS

    def place(marker: re.Match[str]) -> SlotContext:
        slot = markers.slot(marker)
        is_word = slot.context is SlotContext.TEXT and slot.field not in URL_FIELDS and not _is_command(slot.field)
        return slot.context if not is_word or _BEGUN_LINK.search(text, 0, marker.start()) else words

    return place


def _is_command(field: str) -> bool:
    """Whether a field holds what is copied into a shell, where an invisible sign would be part of it."""
    return field.endswith("_command")


def _html_isolator(markers: Markers) -> Callable[[str], Markup]:
    """What sets a value apart from the words around it; a slot, `merge` sets apart once it is filled."""

    def isolate(value: str) -> Markup:
        return escape(value) if markers.slots_in(value) else Markup(isolation.in_html(value))  # noqa: S704 - escaped

    return isolate


def _text_isolator(frame: Frame, markers: Markers) -> Callable[[str], str]:
    """Likewise in the text part."""

    def isolate(value: str) -> str:
        return value if markers.pattern.fullmatch(value) else isolation.in_text(value, frame.direction)

    return isolate


def _translator(frame: Frame, isolate: Callable[[str], str]) -> Callable[..., str]:
    """Translates a sentence, and sets apart what it prints."""

    def translate(message: str, **values: str) -> str:
        return frame.gettext(message).format_map({name: isolate(value) for name, value in values.items()})

    return translate


def _html_translator(frame: Frame, isolate: Callable[[str], Markup]) -> Callable[..., Markup]:
    """Likewise, as HTML."""

    def translate(message: str, **values: str) -> Markup:
        return escape(frame.gettext(message)).format(**{name: isolate(value) for name, value in values.items()})

    return translate


class _CheckingLoader(FileSystemLoader):
    """Refuses MJML files with unknown tags as they are read, and notes where the others stand."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, is_fresh = super().get_source(environment, template)
        if template.endswith(".mjml"):
            check_tags(source, file=template)
            source = with_places(source, file=template)
        return source, path, is_fresh


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=_CheckingLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("mjml",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _fill(name: str, values: dict[str, object]) -> str:
    try:
        return _environment().get_template(name).render(values)
    except TemplateNotFound as missing:
        raise UnknownTemplate(template=missing.name) from None
    except TemplateError as problem:
        raise BrokenTemplate(template=name, problem=problem) from None


def _to_html(mjml: str, template: str, room: int) -> tuple[str, int]:
    """The HTML of some MJML, and its size when it is filled in."""
    placeless = check_nesting(mjml)
    try:
        html: str = mjml2html(_with_numbers(placeless))
    except ValueError as problem:
        raise BrokenTemplate(template=template, problem=problem) from None
    check_fetches_nothing(html, template=template)
    size = len(html.encode()) + room
    if size >= HTML_LIMIT_BYTES:
        raise HtmlTooLarge(size=f"{size:,}", limit=f"{HTML_LIMIT_BYTES:,}")
    return html, size


def _with_numbers(mjml: str) -> str:
    """In attributes and in the title, of which one is made, all but ASCII as numbers: those are left as they are."""

    def numbered(found: re.Match[str]) -> str:
        return _SPELT_OUT.sub(lambda letter: f"&#{ord(letter[0])};", found[0])

    return _IN_ATTRIBUTE.sub(numbered, mjml)


def _link_warnings(tokens: Sequence[Token]) -> list[Warned]:
    if any(token.type == "link_open" for token in markdown.flattened(tokens)):
        return []
    remedy = (
        "Write a link in a paragraph of its own, which becomes a button: "
        "[Write to the embassy](mailto:{{ target_email }})."
    )
    return [Warned("no-link", "there is nothing to press", remedy)]


def _size_warnings(size: int, *, has_letters: bool) -> list[Warned]:
    if size < HTML_WARNING_BYTES:
        return []
    what = f"the mail's HTML has {size:,} bytes, and from {HTML_LIMIT_BYTES:,} on it is refused"
    return [Warned("mail-long", what, "Shorten the text or its letters." if has_letters else "Shorten the text.")]


def _preheader_warnings(preheader: Pieces) -> list[Warned]:
    length = sum(len(piece) if isinstance(piece, str) else len(piece.default) or 10 for piece in preheader)
    if length in PREHEADER_CHARACTERS:
        return []
    best = f"{PREHEADER_CHARACTERS[0]} to {PREHEADER_CHARACTERS[-1]} characters work best."
    return [Warned("preheader-length", f"the preheader has {length} characters", best)]
