"""What decides a campaign's mails, in words: each part of its content, as it is and as it was."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel.lists import format_list

from mailer.campaigns.kinds import KINDS
from mailer.campaigns.segments import NO_COUNTRY
from mailer.locale import countries, languages
from mailer.organisers.content import Difference
from mailer.store.models import HomeRule
from mailer.web import language
from mailer.web.desk import differing, times
from mailer.web.desk.differing import Piece
from mailer.web.language import _

_FINGERPRINT = 16  # hexadecimal digits of it that are shown


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is said, with what it is."""

    label: str
    words: str  # "" for nothing
    language: str | None = None  # that the words are in, where it is known
    is_text: bool = False  # long, and in Markdown
    each: Sequence[str] = ()  # of several wordings, which `words` has one below the other


@dataclass(frozen=True, slots=True)
class Change:
    """What was said, and is not any more, or the other way round."""

    title: str  # of the part
    label: str
    pieces: Sequence[Piece]
    language: str | None


def changes(found: Iterable[Difference]) -> list[Change]:
    """What has changed, line by line; lines that are as they were are left out."""
    shown = []
    for each in found:
        where = place(each.part)
        before, after = _by_label(where, each.before), _by_label(where, each.after)
        for label in dict.fromkeys((*before, *after)):
            was, now = before.get(label), after.get(label)
            if was is None or now is None or was.words != now.words:
                pieces = differing.near(differing.pieces(was.words if was else "", now.words if now else ""))
                shown.append(Change(where.title, label, pieces, (now or was or Line("", "")).language))
    return shown


def _by_label(where: "Place", value: Any) -> dict[str, Line]:
    return {line.label: line for line in where.lines(value)} if value is not None else {}


# --- where each part stands, and how it is put ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part of a content stands on a page, and what is said there."""

    key: str  # of all that belongs together
    title: str
    lines: Callable[[Any], list[Line]]
    language: str | None = None  # that it is all in


def place(name: str) -> Place:
    """Where a part of a content stands. One that nobody has thought of stands among the others, as it is."""
    known = _known_places().get(name)
    if known is not None:
        return known
    kind, _space, rest = name.partition(" ")
    match kind:
        case "text":
            tag, _colon, which = rest.partition(": ")
            return _text(tag, lambda value: [Line(_of_text(which), value, tag, is_text=which == "body")])
        case "words" if rest.startswith("around text "):
            tag = rest.removeprefix("around text ")
            return _text(tag, lambda value: [Line(_("What stands around it"), _fingerprint(value))])
        case "letter":
            role, _dot, tag = rest.partition(".")
            title = _("Letter to {role}: {language}", role=role_name(role), language=languages.name(tag))
            return Place(f"letter {rest}", title, lambda value: _of_letter(value, tag), tag)
        case "target":
            title = _("Whom people write to")
            return Place("targets", title, lambda value: [Line(_target_name(rest, value), _target(value))])
        case "case:" if rest.startswith("fact "):
            number = rest.removeprefix("fact ")
            return _case(lambda value: [Line(_("Fact {number}", number=number), _flat(value))])
    return Place("other", _("Everything else"), lambda value: [Line(name, _flat(value))])


def _text(tag: str, lines: Callable[[Any], list[Line]]) -> Place:
    return Place(f"text {tag}", _("Text: {language}", language=languages.name(tag)), lines, tag)


def _case(lines: Callable[[Any], list[Line]]) -> Place:
    return Place("case", _("The case"), lines)


def _known_places() -> Mapping[str, Place]:
    audience, times_of, sender = _("Who gets it"), _("Times"), _("How it is sent")

    def one(key: str, title: str, label: str, put: Callable[[Any], str]) -> Place:
        return Place(key, title, lambda value: [Line(label, put(value))])

    return {
        "audience": Place("audience", audience, of_audience),
        "groups of countries in the audience": Place("audience", audience, _groups),
        "home rules": Place("audience", audience, _home_rules),
        "home": one("audience", audience, _("At home means"), _country_names),
        "list": Place("audience", audience, _list),
        "roles written to": one("targets", _("Whom people write to"), _("Roles"), _roles),
        "deadline": one("time", times_of, _("Deadline"), _moment),
        "latest start": one("time", times_of, _("Starts by itself until"), _moment),
        "public": one("sender", sender, _("Everybody can read it on the site"), _yes_or_no),
        "forwardable": one("sender", sender, _("Unions get it to forward"), _yes_or_no),
        "languages": Place("sender", sender, _own_language),
        "sender": Place("sender", sender, _sender),
        "name": one("sender", sender, _("Name in links"), str),
        "kind and templates": Place("sender", sender, _kind),
        "case": _case(_which_case),
        "case: asks": _case(_asks),
        "case: copies to": _case(lambda value: [Line(_("Copies go to"), "\n\n".join(map(_target, value)))]),
        "case: consent": _case(lambda value: [Line(_("Consent"), _flat(value))]),
        "case: words that must not appear": _case(
            lambda value: [Line(_("Words that must not appear"), _fingerprint(value))]
        ),
    }


def legible(tag: str) -> int:
    """How soon something in a language is shown: what whoever looks reads comes first, then English."""
    read = _read()
    base = tag.partition("-")[0]
    return read.index(base) if base in read else len(read)


def is_legible(tag: str) -> bool:
    """Whether whoever looks reads a language, or it is English."""
    return legible(tag) < len(_read())


def _read() -> list[str]:
    return list(dict.fromkeys((language.current().partition("-")[0], "en")))


# --- texts and letters ------------------------------------------------------------------------------------------------


def _of_text(which: str) -> str:
    return {"subject": _("Subject"), "preheader": _("Preview line"), "body": _("Text")}.get(which, which)


def _of_letter(value: Mapping[str, Any], tag: str) -> list[Line]:
    labels = {
        "subjects": _("Subjects"),
        "openings": _("First sentences"),
        "closings": _("Last sentences"),
        "rules": _("What not to write"),
        "body": _("Letter"),
    }
    return [_of_part(labels.get(part, part), said, tag) for part, said in value.items() if said]


def _of_part(label: str, said: str | Sequence[str], tag: str) -> Line:
    if isinstance(said, str):
        return Line(label, said, tag, is_text=True)
    return Line(label, "\n".join(said), tag, each=said)


def _fingerprint(value: str) -> str:
    """Of what is not shown, so that it can be seen that it has changed."""
    return _("Fingerprint {digits}", digits=value[:_FINGERPRINT])


# --- who gets it ------------------------------------------------------------------------------------------------------


def of_audience(value: Mapping[str, Sequence[str]]) -> list[Line]:
    """Whom a campaign is for, in words."""
    if not value:
        return [Line(_("Chosen"), _("Everybody on the list"))]
    return [Line(audience_label(key), _choice(key, chosen)) for key, chosen in value.items()]


def audience_label(key: str) -> str:
    """What a key of an audience is called."""
    labels = {
        "countries": _("Only in"),
        "exclude_countries": _("Not in"),
        "unions": _("Only of these unions"),
        "exclude_unions": _("Not of these unions"),
        "languages": _("Only readers of"),
        "exclude_languages": _("Not readers of"),
        "lists": _("Only who is also on these lists"),
        "exclude_lists": _("Nobody who is on these lists"),
        "got": _("Only who got these campaigns"),
        "not_got": _("Nobody who got these campaigns"),
        "acted": _("Only who wrote or signed for these campaigns"),
        "not_acted": _("Nobody who wrote or signed for these campaigns, also after it starts"),
    }
    return labels.get(key, key)


def _choice(key: str, chosen: Sequence[str]) -> str:
    if key.endswith("countries"):
        return _country_names(chosen)
    return _enumerated([languages.name(tag) for tag in chosen] if key.endswith("languages") else chosen)


def _groups(value: Mapping[str, Sequence[str]]) -> list[Line]:
    return [Line(group, _country_names(members)) for group, members in value.items()]


def _home_rules(value: Mapping[str, str | None]) -> list[Line]:
    about = value["about"]
    if about in (None, NO_COUNTRY):
        return [Line(_("Addresses the authorities of"), _("No country"))]
    return [
        Line(_("Addresses the authorities of"), countries.name(str(about), language.current())),
        Line(_("People who live there"), home_rule(value["home"])),
        Line(_("People whose country is not known"), home_rule(value["unknown_home"])),
    ]


def home_rule(rule: str | None) -> str:
    """What readers at home get, or those who may be."""
    match rule:
        case HomeRule.INCLUDE:
            return _("get it")
        case HomeRule.EXCLUDE:
            return _("do not get it")
    return _("Nobody has decided, so they do not get it")


def _list(value: Mapping[str, Any]) -> list[Line]:
    named = [f"{languages.name(tag)}: {name}" for tag, name in (value["names"] or {}).items()]
    return [Line(_("List"), "\n".join([f"{value['name']} ({value['slug']})", *named]))]


def _country_names(codes: Iterable[str]) -> str:
    shown = [code if code.startswith("@") else countries.name(code, language.current()) for code in codes]
    return _enumerated(shown)


def _enumerated(names: Iterable[str]) -> str:
    return str(format_list(list(names), style="unit", locale=languages.locale(language.current())))


# --- whom people write to ---------------------------------------------------------------------------------------------


def role_name(role: str) -> str:
    """What a role of targets is called at the desk."""
    named = {
        "authority": _("authorities"),
        "embassy": _("embassies"),
        "company": _("companies"),
        "representative": _("representatives"),
        "prisoner": _("prisoners"),
        "solidarity": _("those on our side"),
    }
    return named.get(role, role)


def _roles(value: Sequence[str]) -> str:
    return _enumerated(map(role_name, value)) if value else _("None")


def _target_name(which: str, value: Mapping[str, Any]) -> str:
    return f"{value.get('name', '')} ({which})"


def _target(value: Mapping[str, Any]) -> str:
    """One line for each thing that is known of a target."""
    places = {key: value[key] for key in ("countries", "groups", "about") if value.get(key)}
    for key in ("countries", "groups"):
        if places.get(key):
            places[key] = _country_names(places[key])
    if not places.get("countries") and not places.get("groups"):
        places["countries"] = _everybody_else()
    if places.get("about"):
        places["about"] = countries.name(places["about"], language.current())
    return of_target(dict(value) | places)


def places_of(target: Mapping[str, Any]) -> str:
    """Whose people write to a target, and for which country it speaks."""
    named = [*(target.get("countries") or ()), *(target.get("groups") or ())]
    shown = _country_names(named) if named else _everybody_else()
    if about := target.get("about"):
        return f"{shown}\n{_key('about')}: {countries.name(about, language.current())}"
    return shown


def of_target(value: Mapping[str, Any]) -> str:
    """Some of what is known of a target, a line for each thing."""
    shown = dict(value)
    if shown.get("role"):
        shown["role"] = role_name(shown["role"])
    if shown.get("languages"):
        shown["languages"] = _enumerated(map(languages.name, shown["languages"]))
    return _flat(shown)


def _everybody_else() -> str:
    return _("everybody who has no other")


# --- the rest ---------------------------------------------------------------------------------------------------------


def _moment(value: str | None) -> str:
    return times.in_words(datetime.fromisoformat(value)) if value else _("None")


def _yes_or_no(value: bool) -> str:
    return _("Yes") if value else _("No")


def _own_language(value: Mapping[str, Any]) -> list[Line]:
    lines = [Line(_("Who reads another language gets"), languages.name(value["own"]))]
    for tag, instead in value["fallbacks"].items():
        label = _("Who reads {language} gets", language=languages.name(tag))
        lines.append(Line(label, _enumerated(map(languages.name, instead))))
    return lines


def _sender(value: Mapping[str, Any]) -> list[Line]:
    labels = {
        "organisation": _("Organisation"),
        "mailbox": _("Sender"),
        "postal_address": _("Postal address"),
        "base_url": _("Links lead to"),
        "reply_to": _("Answers go to"),
        "bounce_address": _("What comes back goes to"),
        "unsubscribe_address": _("Leaving by mail"),
        "answers_are_read": _("Somebody reads answers"),
    }
    shown = {**value, "answers_are_read": value.get("answers_are_read", True)}  # which stands for itself
    return [Line(labels.get(key, key), _flat(said)) for key, said in shown.items() if said is not None]


def _kind(value: Mapping[str, Any]) -> list[Line]:
    kind = KINDS.get(value["kind"])
    return [
        Line(_("Kind"), _(kind.heading) if kind else value["kind"]),
        Line(_("Its templates"), _fingerprint(value["templates"])),
    ]


def _which_case(value: Mapping[str, str]) -> list[Line]:
    return [Line(_("Case"), f"{value['slug']} ({countries.name(value['country'], language.current())})")]


def _asks(value: Mapping[str, Sequence[str]]) -> list[Line]:
    return [
        Line(_("What it asks for: {language}", language=languages.name(tag)), "\n".join(said), tag, each=said)
        for tag, said in sorted(value.items(), key=lambda item: legible(item[0]))
    ]


def _flat(value: Any, indent: str = "") -> str:
    """What JSON can hold, a line for each thing that it says."""
    if value is None:
        return _("None")
    if isinstance(value, bool):
        return _yes_or_no(value)
    if isinstance(value, Mapping):
        filled = {_key(key): said for key, said in value.items() if said not in (None, "", [], {})}
        return "\n".join(f"{indent}{key}: {_flat(said, indent + '  ').lstrip()}" for key, said in filled.items())
    if isinstance(value, list):
        return "\n".join(f"{indent}{_flat(said, indent)}" for said in value)
    return str(value)


def _key(key: str) -> str:
    known = {
        "countries": _("For"),
        "groups": _("For the countries of"),
        "name": _("Name"),
        "names": _("Other names"),
        "email": _("E-mail"),
        "address": _("Address"),
        "address_latin": _("Address in Latin letters"),
        "slug": _("Short name"),
        "role": _("Role"),
        "case": _("Only for the case"),
        "about": _("Speaks for"),
        "salutations": _("Salutations"),
        "languages": _("Reads"),
        "url": _("Page"),
        "phone": _("Telephone"),
        "phone_hours": _("Hours"),
        "phone_zone": _("Time zone of these hours"),
        "own_words": _("Wants letters in one's own words"),
        "text": _("Text"),
        "source": _("Source"),
        "certainty": _("How sure it is"),
        "given": _("Given"),
        "by": _("By"),
        "on": _("On"),
        "said_on": _("Said on"),
        "until": _("Until"),
    }
    return known.get(key, key)
