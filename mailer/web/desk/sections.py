"""Sections: all that a content says, as the page of an approval arranges it. What is long folds; what whoever looks can
read stands first, and open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailer.locale import languages
from mailer.store.models import Campaign, CampaignStatus
from mailer.web.desk import contents, times
from mailer.web.desk.contents import Line, Place
from mailer.web.language import _

_ORDER = ("text", "audience", "targets", "letter", "case", "time", "sender", "other")
_TARGET = "target "  # what the names of such parts begin with
_IN_COLUMNS = frozenset({"name", "slug", "role", "countries", "groups", "about", "email", "address", "address_latin"})


@dataclass(frozen=True, slots=True)
class Row:
    """A target."""

    name: str
    which: str  # its slug, or its place in campaign.toml
    places: str  # whose people write to it
    email: str
    address: str
    more: str  # all else that is known of it


@dataclass(slots=True)
class Part:
    """What belongs together."""

    key: str
    title: str
    name: str  # likewise, in a list of its kind
    language: str | None = None  # that it is in
    about: str = ""  # to whom a letter goes
    lines: list[Line] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    is_open: bool = False

    @property
    def id(self) -> str:
        """By which a link on the page finds it."""
        return "part-" + "".join(sign if sign.isalnum() else "-" for sign in self.key)

    @property
    def lead(self) -> Line | None:
        """What tells it from others of its kind, where that stands in its first line."""
        return self.lines[0] if self.lines and self.language else None

    @property
    def folds(self) -> bool:
        """Whether it is long, and one of several."""
        return bool(self.rows) or self.language is not None


@dataclass(frozen=True, slots=True)
class Group:
    """Parts of a kind."""

    key: str
    title: str
    parts: Sequence[Part]

    @property
    def id(self) -> str:
        """By which a link on the page finds it."""
        return f"all-{self.key}"


def groups(said: Mapping[str, Any]) -> list[Group]:
    """All that a content says.

    :param said: as `content.Content.parts`.
    """
    found: dict[str, Part] = {}
    for name, value in said.items():
        if name.startswith(_TARGET):
            role = value.get("role") or ""
            part = found.setdefault(f"targets {role}", Part(f"targets {role}", "", ""))
            part.rows.append(_row(name.removeprefix(_TARGET), value))
            part.title = part.name = _of_targets(role, len(part.rows))
            continue
        place = contents.place(name)
        part = found.setdefault(place.key, _part(place))
        part.lines += place.lines(value)
    own = str(said["languages"]["own"]) if "languages" in said else ""
    return [
        Group(kind, _title(kind), _arranged([part for key, part in found.items() if _kind(key) == kind], own))
        for kind in sorted({_kind(key) for key in found}, key=_ORDER.index)
    ]


def in_short(said: Mapping[str, Any], campaign: Campaign, *, is_approval_needed: bool) -> list[Line]:
    """The few things that are easiest to get wrong.

    :param said: as `content.Content.parts`.
    :param is_approval_needed: before it goes out, or on.
    """
    when = _when(campaign, is_approval_needed=is_approval_needed)
    return [
        Line(_("List"), said["list"]["name"]),
        Line(_("Sender"), said["sender"]["mailbox"]),
        *([Line(_("When"), when)] if when else []),
        *([Line(_("Deadline"), times.in_words(campaign.deadline))] if campaign.deadline else []),
    ]


def _when(campaign: Campaign, *, is_approval_needed: bool) -> str:
    """When a campaign goes out, or on; nothing where it does already, or did, or never will."""
    if campaign.status is CampaignStatus.SCHEDULED and campaign.scheduled_at is not None:
        return _("It goes out on {time}", time=times.in_words(campaign.scheduled_at))
    if campaign.status is CampaignStatus.DRAFT:
        return _("When somebody sends it, once it is approved")
    if campaign.status is CampaignStatus.PAUSED:
        approved = _("When somebody resumes it, once it is approved")
        return approved if is_approval_needed else _("When somebody resumes it")
    return ""


def _part(place: Place) -> Part:
    name = languages.name(place.language) if place.language else place.title
    role = place.key.removeprefix("letter ").partition(".")[0] if _kind(place.key) == "letter" else ""
    return Part(place.key, place.title, name, place.language, contents.role_name(role))


def _kind(key: str) -> str:
    return key.partition(" ")[0]


def _title(kind: str) -> str:
    return {
        "text": _("Texts"),
        "audience": _("Who gets it"),
        "targets": _("Whom people write to"),
        "letter": _("Letters"),
        "case": _("The case"),
        "time": _("Times"),
        "sender": _("How it is sent"),
        "other": _("Everything else"),
    }[kind]


def _arranged(parts: list[Part], own: str) -> list[Part]:
    """Parts of a kind, letters to the same together, and those first that whoever looks can read, which are open: one
    letter to each, and also the English text. Where there is none, that in the campaign's own language is.
    """
    about = list(dict.fromkeys(part.about for part in parts))
    arranged = sorted(parts, key=lambda part: (about.index(part.about), contents.legible(part.language or "")))
    for who in about:
        these = [part for part in arranged if part.about == who and part.language]
        read = [part for part in these if contents.is_legible(part.language or "")]
        for part in (read[:1] if who else read) or [part for part in these if part.language == own]:
            part.is_open = True
    return arranged


# --- targets ----------------------------------------------------------------------------------------------------------


def _of_targets(role: str, number: int) -> str:
    name = contents.role_name(role) if role else _("Of this campaign alone")
    return _("{role}: {number}", role=name[:1].upper() + name[1:], number=number)


def _row(which: str, value: Mapping[str, Any]) -> Row:
    more = {key: said for key, said in value.items() if key not in _IN_COLUMNS}
    return Row(
        name=str(value.get("name", "")),
        which=which,
        places=contents.places_of(value),
        email=str(value.get("email", "")),
        address="\n".join(filter(None, (value.get("address"), value.get("address_latin")))),
        more=contents.of_target(more),
    )
