"""Fields of texts and letters: what they are called, how one fills them in, and what is wrong with what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from mailer.campaigns.text_names import TextName
from mailer.campaigns.written import AnyWritten, Fault, kind_of
from mailer.locale import languages
from mailer.web.desk import contents, differing
from mailer.web.desk.differing import Piece
from mailer.web.language import _


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form of a text."""

    name: str
    label: str
    hint: str
    value: str
    rows: int  # 0 for one line
    longest: int  # characters
    has_markdown: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text, and how it differs from another."""

    label: str
    pieces: Sequence[Piece]


def title(name: TextName) -> str:
    """What a text is called."""
    language = languages.name(name.language)
    if name.role is None:
        return language
    return _("Letter to {role}: {language}", role=contents.role_name(name.role), language=language)


def every(name: TextName, written: AnyWritten) -> list[Field]:
    """The fields of a text, in order."""
    labels, hints = _labels(), _hints(name)
    return [
        Field(
            name=field,
            label=labels[field],
            hint=hints[field],
            value=value,
            rows=_ROWS[field] if name.role or field == "body" else 0,
            longest=kind_of(name).LONGEST[field],
            has_markdown=not name.role and field == "body",
        )
        for field, value in written.typed.items()
    ]


_ROWS: Mapping[str, int] = {"subjects": 4, "openings": 8, "body": 22, "closings": 8, "rules": 5}


def _labels() -> Mapping[str, str]:
    return {
        "subject": _("Subject"),
        "preheader": _("Preview line"),
        "body": _("Text"),
        "subjects": _("Subjects"),
        "openings": _("Openings"),
        "closings": _("Closings"),
        "rules": _("What not to write"),
    }


def _hints(name: TextName) -> Mapping[str, str]:
    choice = _("An empty line begins the next one. Each person gets one of them. You can leave it empty.")
    body = _("In Markdown: an empty line begins a paragraph. Below stands how to write the rest.")
    if name.role:
        body = _(
            "Plain text: an empty line begins a paragraph. Begin with the salutation and end with the sender’s name: "
            "both stand under “Fields”. The opening comes after the salutation, the closing before the name. "
            "Lines of a paragraph are joined: end one with \\ to keep it."
        )
    return {
        "subject": "",
        "preheader": _("Inboxes show it beside the subject. One sentence that says what the reader can do."),
        "body": body,
        "subjects": _("One a line. Each person gets one of them, so that not all letters look the same."),
        "openings": choice,
        "closings": choice,
        "rules": _("Advice for those who write, such as not to insult anybody. It is no part of the letter."),
    }


def parts(written: AnyWritten) -> list[tuple[str, str]]:
    """What each part of a text is called, and says."""
    labels = _labels()
    return [(labels[field], words) for field, words in written.typed.items()]


def differences(before: AnyWritten, after: AnyWritten) -> list[Part]:
    """The parts of a text that differ in two versions of it."""
    pairs = zip(parts(before), parts(after), strict=True)
    found = [(label, differing.pieces(was, now)) for (label, was), (_label, now) in pairs if was != now]
    return [Part(label, differing.near(pieces)) for label, pieces in found]


def problems(written: AnyWritten, faults: Sequence[Fault]) -> dict[str, Markup]:
    """Field → what keeps a text from going out, as HTML: a part of it may be in another language than the page."""
    empty = {
        "subject": _("There is no subject yet."),
        "subjects": _("There is no subject yet."),
        "preheader": _("There is no preview line yet."),
        "body": _("There is no text yet."),
    }
    found: dict[str, Markup] = {}
    for fault in faults:
        place = fault.part if fault.part in written.typed else "body"
        if place not in found:
            is_empty = fault.part in empty and not written.typed[fault.part]
            found[place] = escape(empty[fault.part] if is_empty else _problem(fault))
    return found


def _problem(fault: Fault) -> str:
    if fault.part == "role":
        return _("The campaign does not ask people to write to them: choose them under “What it is about”.")
    if fault.part == "source":
        return _("The letter in the campaign’s own language cannot go out yet. Finish that one first.")
    said = _in_english(fault.problem)
    if fault.part == "body":
        return _("Line {line}: {problem}", line=fault.place, problem=said)
    if fault.part in ("subjects", "openings", "closings") and fault.place:
        return _("Number {number}: {problem}", number=fault.place, problem=said)
    return said


def _in_english(words: str) -> Markup:
    """What the program says in one language only, as a page in any other has it."""
    return Markup('<span lang="en" dir="ltr">{}</span>').format(words)
