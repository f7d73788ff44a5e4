"""Campaigns as files: a folder of campaign.toml and one Markdown text per language becomes a draft, with letters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import (
    choosing,
    drafts,
    editions,
    kinds,
    letter_files,
    petitions,
    segments,
    text_files,
    text_versions,
)
from mailer.campaigns.segments import Segment
from mailer.cases import cases, targets
from mailer.errors import MailerError
from mailer.formats import written_files
from mailer.formats.written_files import Complaint
from mailer.locale import countries, languages
from mailer.people import lists
from mailer.store import slugs
from mailer.store.db import add_unique, utcnow
from mailer.store.models import Campaign, CampaignStatus, Case, HomeRule, TargetRole

SETTINGS_FILE = "campaign.toml"
#: keys that every kind may have
_KNOWN_KEYS = frozenset(
    [
        "kind",
        "list",
        "language",
        "latest_start",
        "public",
        "forwardable",
        "fallbacks",
        "audience",
        "case",
        "about",
        "home",
        "unknown_home",
    ]
)


class NoSuchFolder(MailerError):
    """{folder} is not a campaign folder: it has no campaign.toml, or cannot be read. Name the folder that holds it."""


class LoadedElsewhere(MailerError):
    """Somebody else has just loaded a campaign "{slug}" for the first time. Check that it is the same one, and load it
    again."""


class AlreadyStarted(MailerError):
    """Campaign "{slug}" is {status}: its texts and audience are frozen. Copy the folder under a new name to send
    something else. Letters can still be corrected: mailer campaigns correct-letters FOLDER"""


def load(session: Session, folder: Path, *, fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({})) -> Campaign:
    """Make or update the draft of a campaign from its folder, whose name is the slug.

    Everything is read and tried before the draft is touched.

    :param fallbacks: of languages for which the folder names none.
    :raises InvalidFile: with the file and line of what is wrong.
    :raises TextFieldError: likewise, in a text or a letter.
    :raises AlreadyStarted: the campaign is no draft any more.
    :raises LoadedElsewhere: it was made at the same moment.
    :raises lists.UnknownList: a list that is named does not exist yet.
    :raises lists.ListGone: it was deleted a moment ago.
    :raises lifecycle.UnknownCampaign: a campaign that is named does not exist yet.
    :raises directory.UnknownUnion: a union that is named does not exist yet.
    """
    folder = folder.resolve()
    if not written_files.is_file(folder / SETTINGS_FILE):
        raise NoSuchFolder(folder=folder)
    slug = slugs.check(folder.name)
    draft = session.scalar(select(Campaign).where(Campaign.slug == slug).with_for_update())
    if draft is not None and draft.status is not CampaignStatus.DRAFT:
        raise AlreadyStarted(slug=slug, status=draft.status)
    table, problem = written_files.read_toml(folder / SETTINGS_FILE)
    values = _read_settings(session, slug, table, problem)
    values["fallbacks"] = {**fallbacks, **values["fallbacks"]}
    found = letter_files.divide(folder)
    texts = text_files.read(found.texts, values["kind"])
    if values["language"] not in {text.language for text in texts}:
        problem.about("language", f"is the campaign's own, but there is no {values['language']}.md")
    case, terms = values["case"], {key: values[key] for key in ("kind", "ask", "language")}
    letters = letter_files.read(found.letters, never=case.never if case else (), **terms)
    if draft is None:
        draft = drafts.blank(session, slug, **values)
        if not add_unique(session, draft):
            raise LoadedElsewhere(slug=slug)
    for key, value in values.items():
        setattr(draft, key, value)
    draft.texts.clear()
    draft.letters.clear()
    session.flush()
    draft.texts.extend(texts)
    draft.letters.extend(letters)
    session.flush()
    text_files.check_comparisons(session, draft)
    editions.discard(session, draft)
    editions.try_out(session, draft)
    text_versions.follow(session, draft, utcnow())
    return draft


# --- campaign.toml --------------------------------------------------------------------------------------------------


def _read_settings(session: Session, slug: str, table: Mapping[str, Any], problem: Complaint) -> dict[str, Any]:
    """The columns of a campaign, checked."""
    kind = _read_kind(table, problem)
    mailing_list = problem.check("list", lambda: lists.named(session, problem.text(table, "list")))
    language = problem.check("language", lambda: languages.normalise(problem.text(table, "language")))
    case = _read_case(session, table, problem)
    segment = _read_segment(session, slug, table.get("audience", {}), mailing_list.id, problem)
    return {
        "kind": kind,
        "list_id": mailing_list.id,
        "case": case,
        "about": _read_about(table, case, problem),
        "home": _read_home(table, "home", problem),
        "unknown_home": _read_home(table, "unknown_home", problem),
        "language": language,
        "petition": petitions.read(table.get("petition"), language, problem),
        "goal": petitions.read_goal(table, problem),
        "deadline": problem.time(table, "deadline"),
        "latest_start": problem.time(table, "latest_start"),
        "public": problem.flag(table, "public"),
        "forwardable": problem.flag(table, "forwardable"),
        "fallbacks": _read_fallbacks(table.get("fallbacks", {}), problem),
        "audience": segment.to_json(),
        "ask": _read_ask(table, case, problem),
        "targets": [target.to_json() for target in targets.read(table.get("targets", []), "targets", problem)],
    }


def _read_kind(table: Mapping[str, Any], problem: Complaint) -> str:
    """The kind, whose keys all others in the table are."""
    name = problem.text(table, "kind")
    if name not in kinds.KINDS:
        problem.about("kind", f'there is no kind "{name}"; known are {", ".join(kinds.KINDS)}')
    kind = kinds.KINDS[name]
    for key in get_args(kinds.Key):
        if key in table and key not in kind.keys:
            others = " or ".join(f'"{other}"' for other in kinds.having(key))
            problem.about(key, f'a campaign of kind "{name}" has none. Take it out, or write kind = {others}')
    problem.refuse_unknown(table, _KNOWN_KEYS | kind.keys)
    return name


def _read_case(session: Session, table: Mapping[str, Any], problem: Complaint) -> Case | None:
    if "case" not in table:
        return None
    # An empty one is no "none": the gate would be open by mistake.
    slug = problem.text(table, "case")
    return problem.check("case", lambda: cases.get(session, slug))


def _read_about(table: Mapping[str, Any], case: Case | None, problem: Complaint) -> str | None:
    """The country whose authorities are addressed; None where nothing says so."""
    written = problem.optional_text(table, "about")
    if not written:
        return case.country if case else None
    about = problem.check("about", lambda: _country_or_none(written))
    if case and about != case.country:
        problem.about("about", f"the case is about {case.country}; leave about out, or write the same")
    return about


def _country_or_none(written: str) -> str:
    return written if written == segments.NO_COUNTRY else countries.parse(written)


def _read_home(table: Mapping[str, Any], key: str, problem: Complaint) -> HomeRule | None:
    written = problem.optional_text(table, key)
    if not written:
        return None
    try:
        return HomeRule(written)
    except ValueError:
        problem.about(key, f"must be one of: {', '.join(HomeRule)}")


def _read_ask(table: Mapping[str, Any], case: Case | None, problem: Complaint) -> list[str]:
    """The roles of those whom people are asked to write to, in order."""
    written = problem.texts(table, "ask", example='["embassy", "authority"]')
    for role in written:
        if role not in set(TargetRole):
            problem.about("ask", f'there is no role "{role}"; known are {targets.ROLES}')
        if written.count(role) > 1:
            problem.about("ask", f'names "{role}" twice: keep one')
    if TargetRole.PRISONER in written and case is None:
        problem.about("ask", 'a prisoner is written to in one case: write case = "SLUG", or take "prisoner" out')
    return written


def _read_fallbacks(table: object, problem: Complaint) -> dict[str, list[str]]:
    if not isinstance(table, dict) or not all(
        isinstance(others, list) and others and all(isinstance(other, str) for other in others)
        for others in table.values()
    ):
        problem.about("fallbacks", 'must say which languages stand in for which, such as { kk = ["ru", "en"] }')
    return problem.check("fallbacks", lambda: languages.read_fallbacks(table))


def _read_segment(session: Session, slug: str, table: object, list_id: int, problem: Complaint) -> Segment:
    if not isinstance(table, dict):
        problem.about("audience", "must be a table: write [audience]")
    problem.table = "[audience]"
    # One key at a time, so that the line named is the one that is wrong.
    read = {
        key: problem.check(key, lambda: choosing.read_key(session, slug, list_id, key, value))  # noqa: B023  # called at once
        for key, value in table.items()
    }
    problem.table = ""
    return Segment.parse(read)
