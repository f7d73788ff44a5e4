"""Content: all that decides what a campaign sends to whom, part by part, and the one hash of it.

Not in it: when it is sent, and what belongs to people and not to the campaign, which are who is on the list, what they
are called, and the names and branches of their unions.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from mailer.campaigns import addressees, gate, kinds, segments
from mailer.campaigns.correspondence import HEADINGS
from mailer.cases import cases, target_book
from mailer.cases.targets import Target
from mailer.locale import country_groups, translations
from mailer.mail import template_files
from mailer.mail.sender import Sender
from mailer.store.models import (
    Campaign,
    CampaignText,
    Case,
    CaseFact,
    LetterText,
    MailingList,
    StoredTarget,
    TargetRole,
)

#: of what is hashed: to be raised when parts are called something else, so that nothing is the same by chance
VERSION = 1
#: what of a target nobody is shown: who made sure of it, and whether somebody doubts it
_NOT_SENT = frozenset({"verified_on", "verified_by", "source", "doubts"})
#: what of a sender nobody reads in a mail: how it is signed, and who may tell us what became of it
_NOT_READ = frozenset({"signer", "providers"})
#: what `hold` has read anew
_READ = (CampaignText, LetterText, MailingList, Case, CaseFact, StoredTarget)


@dataclass(frozen=True, slots=True)
class Content:
    """What a campaign would send, and to whom."""

    parts: Mapping[str, Any]  # what it is, as an organiser calls it → what JSON can hold
    hash: str  # SHA-256 over its canonical JSON, in hexadecimal: keys sorted, no spaces, UTF-8

    @classmethod
    def made_of(cls, parts: Mapping[str, Any]) -> "Content":
        """A content, with its hash."""
        return cls(parts, _digest({"version": VERSION, "parts": parts}))


def of(session: Session, campaign: Campaign, sender: Sender) -> Content:
    """The content of a campaign as it is now. It takes a few milliseconds, and some more where targets are many.

    :param sender: who its mails come from, and where their links lead.
    """
    return Content.made_of(dict(_parts(session, campaign, sender)))


def hold(session: Session, campaign: Campaign) -> None:
    """Have nobody change the content of a campaign until the transaction ends, and see it as it is now, whatever this
    session has read before. Consent alone can still be withdrawn: see `gate.decided`.

    Locks case, list, campaign and targets, in this order; whoever locks several of them does it in the same one.
    """
    session.flush()
    gate.hold(session, campaign)
    held = {"read": True}
    session.get(MailingList, campaign.list_id, with_for_update=held, populate_existing=True)
    session.get_one(Campaign, campaign.id, with_for_update=True, populate_existing=True)
    target_book.hold_all(session)
    # What was read before the locks may have been changed since.
    for known in list(session.identity_map.values()):
        if isinstance(known, _READ):
            session.expire(known)
    session.expire(campaign, ["texts", "letters", "mailing_list", "case"])


# --- what it is made of ---------------------------------------------------------------------------------------------


def _parts(session: Session, campaign: Campaign, sender: Sender) -> Iterator[tuple[str, Any]]:
    for text in campaign.texts:
        for part in ("subject", "preheader", "body"):
            yield f"text {text.language}: {part}", getattr(text, part)
    for letter in campaign.letters:
        written = ("subjects", "openings", "closings", "rules", "body")
        yield f"letter {letter.role}.{letter.language}", {part: getattr(letter, part) for part in written}
    yield "audience", _sorted(campaign.audience)
    if groups := _groups(campaign.audience):
        yield "groups of countries in the audience", groups
    yield "home rules", {"about": campaign.about, "home": campaign.home, "unknown_home": campaign.unknown_home}
    if home := segments.home_of(campaign):
        yield "home", sorted(home)
    mailing_list = campaign.mailing_list
    yield "list", {"slug": mailing_list.slug, "name": mailing_list.name, "names": mailing_list.names}
    yield "roles written to", list(campaign.ask)
    for number, target in enumerate(campaign.targets, start=1):
        yield f"target {number} of campaign.toml", target
    for each in addressees.writable(session, campaign):
        yield f"target {each.slug}", _shown(each)
    # What was approved before there were any still holds.
    if campaign.petition is not None:
        yield "petition", campaign.petition
    if campaign.goal is not None:
        yield "goal", campaign.goal
    yield "deadline", _time(campaign.deadline)
    yield "latest start", _time(campaign.latest_start)
    yield "public", campaign.public
    yield "forwardable", campaign.forwardable
    yield "languages", {"own": campaign.language, "fallbacks": campaign.fallbacks}
    yield "sender", _sent_by(sender)
    yield "name", campaign.slug  # in links
    yield from _templates(campaign)
    if campaign.case is not None:
        yield from _of_case(campaign.case)


def _templates(campaign: Campaign) -> Iterator[tuple[str, Any]]:
    """The kind, its template, and what that says in each language."""
    made_from = template_files.of_kind(campaign.kind)
    yield "kind and templates", {"kind": campaign.kind, "templates": made_from.digest}
    said = [kinds.of(campaign).heading, *(HEADINGS[TargetRole(role)] for role in campaign.ask), *made_from.messages]
    for text in campaign.texts:
        translate = translations.gettext_for(text.language)
        yield f"words around text {text.language}", _digest([translate(words) for words in said])


def _of_case(case: Case) -> Iterator[tuple[str, Any]]:
    consent = cases.consent_of(case)
    yield "case", {"slug": case.slug, "country": case.country}
    yield "case: asks", case.asks
    yield "case: copies to", case.copy_to
    yield "case: consent", consent.to_json() if consent else None
    for number, fact in enumerate(case.facts, start=1):  # whether it still holds is asked at each start
        yield f"case: fact {number}", {"text": fact.text, "source": fact.source, "certainty": fact.certainty}
    yield "case: words that must not appear", _digest(sorted(case.never))  # which nothing shows


def _sent_by(sender: Sender) -> dict[str, Any]:
    """Who sends, as far as mails show it. That answers are read stands for itself, as it did before anything could say
    otherwise: what was approved then still holds.
    """
    shown = {each.name: getattr(sender, each.name) for each in fields(sender) if each.name not in _NOT_READ}
    if sender.answers_are_read:
        del shown["answers_are_read"]
    return shown


def _shown(target: Target) -> dict[str, Any]:
    return {key: value for key, value in target.to_json().items() if key not in _NOT_SENT}


def _groups(audience: Mapping[str, Any]) -> dict[str, list[str]]:
    """The places in each group of countries that an audience names: another version of this program may know others."""
    named = {code for key in ("countries", "exclude_countries") for code in audience.get(key, ())}
    return {code: sorted(country_groups.expand([code])) for code in sorted(named) if code.startswith("@")}


def _sorted(audience: Mapping[str, Any]) -> dict[str, Any]:
    """Who is meant, however it is written: values are ORed."""
    return {key: sorted(set(values)) for key, values in sorted(audience.items())}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


# --- what has changed -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """A part that is not what it was. None stands for a part that is not, or was not, there."""

    part: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What is not the same in two contents, in the order of their parts."""
    names = dict.fromkeys((*after, *before))

    def is_same(name: str) -> bool:  # as the hash sees it, to which 1 is not true
        return name in before and name in after and _canonical(before[name]) == _canonical(after[name])

    return [Difference(name, before.get(name), after.get(name)) for name in names if not is_same(name)]


def in_words(found: Iterable[Difference], *, most: int = 3) -> str:
    """The names of parts that differ, the first few of them."""
    named = [each.part for each in found]
    more = len(named) - most
    return ", ".join([*named[:most], *([f"{more} more"] if more > 0 else [])])


# --- as it is kept --------------------------------------------------------------------------------------------------


def packed(content: Content) -> bytes:
    """As it is stored: what a whole parliament is written may take a megabyte."""
    return zlib.compress(json.dumps(content.parts, ensure_ascii=False).encode())


def unpacked(stored: bytes) -> Content:
    """What `packed` stored."""
    return Content.made_of(json.loads(zlib.decompress(stored)))
