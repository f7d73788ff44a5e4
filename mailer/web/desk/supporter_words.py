"""What is stored about a supporter, in words: section by section, as `disclosure` found it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mailer.errors import MailerError
from mailer.locale import countries, languages
from mailer.people import suppression
from mailer.selfservice import on_behalf, preferences
from mailer.store.models import ActKind, DeliveryState, SuppressionReason
from mailer.web import language
from mailer.web.desk import refusing, terms, times
from mailer.web.language import _

#: of a kind that grows with each campaign, so many are shown, the latest first; the file has all
_MOST_SHOWN = 30

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is stored: what it is, and what else is known of it."""

    headline: str
    facts: Sequence[tuple[str, Any]]  # what it is called, and what it says


@dataclass(frozen=True, slots=True)
class Section:
    """Things of a kind."""

    key: str
    title: str
    items: Sequence[Item]
    more: int  # that are not shown


def sections(held: Mapping[str, Any]) -> list[Section]:
    """What is stored besides what the page's forms show; kinds of which there is nothing are left out.

    :param held: as `disclosure.about` found it.
    """
    found = []
    for key, (title, write) in _SECTIONS.items():
        of_kind = held.get(key) or []
        things = [of_kind] if isinstance(of_kind, Mapping) else list(reversed(of_kind))
        items = [write(thing) for thing in things[:_MOST_SHOWN]]
        if items:
            found.append(Section(key, title(), items, max(0, len(things) - _MOST_SHOWN)))
    return found


def _item(headline: str, *facts: tuple[str, Any]) -> Item:
    return Item(headline, [(name, value) for name, value in facts if value not in (None, "", [], {})])


def _consent(facts: Facts) -> Item:
    given = facts["action"] == "given"
    return _item(
        _purpose(facts["purpose"]),
        (_("What happened"), _("Agreed") if given else _("Withdrew it")),
        (_("List"), facts["list"]),
        (_("Campaign"), facts["campaign"]),
        (_("In these words"), facts["text"]),
        (_("How it reached us"), facts["method"]),
        (_("Where it was collected"), facts["source"]),
        (_("Confirmed"), _when(facts["confirmed_at"])),
        (_("Written down"), _when(facts["recorded_at"])),
    )


def _purpose(purpose: str) -> str:
    known = {
        "alerts": _("Mail from a list"),
        "union": _("That we store their union"),
        "contact": _("Mail on behalf of their union"),
        "acted": _("That we keep what they did for a campaign"),
        "signed": _("That we keep their signature"),
        "shown": _("Their name below a petition"),
        "handed_over": _("Their name in what is handed over"),
    }
    return known.get(purpose, purpose)


def _message(facts: Facts) -> Item:
    return _item(
        facts["campaign"] or _system_mail(facts["purpose"]),
        (_("State"), terms.state(DeliveryState(facts["state"]))),
        (_("Since"), _when(facts["settled_at"])),
        (_("Reason"), facts["reason"]),
        (_("What their mail server said"), " ".join(filter(None, (_text(facts["smtp_code"]), facts["smtp_text"])))),
        (_("Attempts"), facts["attempts"] if (facts["attempts"] or 0) > 1 else None),
    )


def _system_mail(purpose: str) -> str:
    return _("A test mail") if purpose == "test" else _("A mail that they asked for, or that tells them of a change")


def _returned(facts: Facts) -> Item:
    return _item(
        facts["campaign"] or _("A mail that they asked for, or that tells them of a change"),
        (_("What came back"), " ".join(filter(None, (facts["kind"], facts["category"], facts["status"])))),
        (_("Day"), _when(facts["day"])),
        (_("What it led to"), facts["effect"]),
    )


def _act(facts: Facts) -> Item:
    return _item(
        facts["campaign"],
        (_("What they did"), terms.did(ActKind(facts["kind"]))),
        (_("Day"), _when(facts["day"])),
        (_("Name that they signed with"), facts["name"]),
        (_("Place that they signed with"), facts["place"]),
        (_("Shown below the petition"), _yes(facts["is_shown"])),
        (_("Handed over with it"), _yes(facts["is_handed_over"])),
    )


def _contact(facts: Facts) -> Item:
    return _item(facts["union"], (_("Role"), facts["role"]), (_("Since"), _when(facts["since"])))


def _application(facts: Facts) -> Item:
    return _item(
        facts["union"],
        (_("Role"), facts["role"]),
        (_("Confirmed"), _when(facts["confirmed_at"])),
        (_("Country"), _country(facts["country"])),
    )


def _request(facts: Facts) -> Item:
    return _item(
        _asked(facts["kind"]),
        (_("Asked on"), _when(facts["asked_at"])),
        (_("Works until"), _when(facts["ends_at"])),
        (_("Used"), _when(facts["used_at"])),
    )


def _asked(kind: str) -> str:
    known = {
        "sign-up": _("To be on a list"),
        "manage": _("To see and change their details"),
        "address": _("To move to another address"),
        "undo": _("To take a leaving back"),
        "resume": _("To end a pause"),
        "moved": _("To stop a move to another address"),
        "contact": _("To be a union’s contact"),
        "sign": _("To sign a petition"),
        "take-back": _("To take back what they did for a campaign"),
    }
    return known.get(kind, kind)


def _answer(facts: Facts) -> Item:
    return _item(
        _("An answer to our mail"), (_("Day"), _when(facts["day"])), (_("Kept until"), _when(facts["kept_until"]))
    )


def _unread(facts: Facts) -> Item:
    return _item(
        _("A message that nobody could read"),
        (_("Day"), _when(facts["day"])),
        (_("Kept until"), _when(facts["kept_until"])),
    )


def _lift(facts: Facts) -> Item:
    return _item(_("A block that was lifted"), (_("Month"), facts["month"]), (_("Why"), facts["why"]))


_SECTIONS: Mapping[str, tuple[Callable[[], str], Callable[[Facts], Item]]] = {
    "consent": (lambda: _("What they agreed to"), _consent),
    "messages": (lambda: _("Mails to them"), _message),
    "returned": (lambda: _("What came back"), _returned),
    "acts": (lambda: _("What they did for campaigns"), _act),
    "contact": (lambda: _("Unions whose contact they are"), _contact),
    "applications": (lambda: _("Applications of unions"), _application),
    "requests": (lambda: _("Links that they were mailed"), _request),
    "answers": (lambda: _("What they wrote to us"), _answer),
    "unread": (lambda: _("What could not be read"), _unread),
    "lifted": (lambda: _("Blocks that were lifted"), _lift),
}


def _when(told: str | None) -> Any:
    """A day or a moment, as a reader of the desk has it."""
    if not told:
        return None
    if "T" not in told:
        return times.day(date.fromisoformat(told))
    moment = datetime.fromisoformat(told)
    is_day = moment.time() == datetime.min.time()
    return times.day(moment.date()) if is_day else times.written(moment)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _yes(told: bool) -> str | None:
    return _("yes") if told else None


def _country(code: str | None) -> str | None:
    return countries.name(code, language.current()) if code else None


def language_name(tag: str | None) -> str | None:
    """What a language is called, if one is known."""
    return languages.name(tag) if tag else None


# --- what stands in the way -------------------------------------------------------------------------------------------


def blocked(reason: SuppressionReason | None) -> str | None:
    """Why an address gets no mail from any list."""
    return (
        {
            SuppressionReason.ERASED: _("Whoever had this address had their data erased. No import brings it back."),
            SuppressionReason.BOUNCED: _("Mail to this address came back, so it gets no mail from any list."),
            SuppressionReason.COMPLAINED: _("Our mail was reported as spam there, so it gets none any more."),
            SuppressionReason.REPORTED: _("Our mail was reported as spam there, so it gets none any more."),
            SuppressionReason.LEFT: _("Its owner left all lists at once, so it gets no mail from any."),
        }[reason]
        if reason
        else None
    )


def unknown(reason: SuppressionReason | None) -> str:
    """That nobody has an address; and why nobody may."""
    words = _("Nobody here has this address. Look it over, or ask whether they use another.")
    return f"{words} {blocked(reason)}" if reason else words


def separators() -> list[tuple[str, str]]:
    """What may part the columns of a file."""
    return [("comma", _("Comma")), ("semicolon", _("Semicolon, as Excel expects in much of Europe")), ("tab", _("Tab"))]


_REFUSALS: Mapping[type[MailerError], tuple[str, Callable[[], str]]] = {
    preferences.NameTooLong: (
        "name",
        lambda: _("This name is too long. It may have at most {most} characters.", most=200),
    ),
    preferences.UnrecognisedUnion: (
        "union",
        lambda: _("We know no union of that name, or several. Write its full name, or leave this empty."),
    ),
    on_behalf.NoUnionWords: (
        "union-words",
        lambda: _("Say with which words they agreed that we store their union. It is stored only where they did."),
    ),
    on_behalf.ChangedMeanwhile: (
        "form",
        lambda: _(
            "They or somebody else have changed these details since you opened the page. See what is stored now, and "
            "save again what should stay."
        ),
    ),
    on_behalf.NoWords: ("consent", lambda: _("Say with which words they asked for this mail.")),
    on_behalf.OnAllOfThem: ("form", lambda: _("They are on this list already.")),
    suppression.Complained: (
        "form",
        lambda: _("Our mail was reported as spam at this address. Nobody can put it on a list again."),
    ),
}


def refusal(refused: MailerError) -> dict[str, str]:
    """Why something about a supporter is not done: field → what to do."""
    if known := _REFUSALS.get(type(refused)):
        return {known[0]: known[1]()}
    return refusing.at_field(refused)
