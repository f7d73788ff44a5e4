"""Mending: where a finding is put right, and how."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mailer.cases.findings import Code, Finding
from mailer.cases.sayable import Sayable
from mailer.store.models import Campaign, CampaignStatus


class About(enum.StrEnum):
    """What has to be changed."""

    CAMPAIGN = "campaign"  # its folder
    CASE = "case"  # its folder, or what was decided
    TARGETS = "targets"  # the book of them
    LIST = "list"
    SETTINGS = "settings"  # of the installation


@dataclass(frozen=True, slots=True)
class Mending:
    """How a finding is put right."""

    about: About
    command: str  # that does it, or that takes what was changed in files; "" where there is none
    page: str  # of the documentation: its path in the repository


@dataclass(frozen=True, slots=True)
class _Way:
    """Likewise, for every campaign."""

    about: About
    command: str  # with {campaign} and {case} for their slugs
    page: str


_LOAD = "mailer campaigns load {campaign}"
_FILES = _Way(About.CAMPAIGN, _LOAD, "docs/reference/campaign-files.md")
_LETTERS = _Way(About.CAMPAIGN, _LOAD, "docs/reference/letter-files.md")
_CORRECTED = "mailer campaigns correct-letters {campaign}"
_ASKING = _Way(About.CAMPAIGN, "mailer campaigns reopen {campaign}", "docs/how-to/control-a-campaign.md")
_CASE_FILE = _Way(About.CASE, "mailer cases load {case}", "docs/reference/case-files.md")
_CASE_OPEN = _Way(About.CASE, "mailer cases reopen {case}", "docs/how-to/control-a-campaign.md")
_CONSENT = _Way(About.CASE, "mailer cases consent {case}", "docs/reference/case-files.md")
_BOOK = _Way(About.TARGETS, "mailer targets import FILE.csv", "docs/reference/target-files.md")
_VERIFY = _Way(About.TARGETS, "mailer targets verify SLUG --by NAME", "docs/reference/target-files.md")
_SETTING = _Way(About.SETTINGS, "", "docs/reference/settings.md")

_WAYS: Mapping[Code, _Way] = MappingProxyType(
    {
        "about-missing": _FILES,
        "about-outdated": _FILES,
        "acted-forgotten": _FILES,
        "acted-nobody": _FILES,
        "acted-still-open": _FILES,
        "asks-missing": _CASE_FILE,
        "audience-empty": _FILES,
        "audience-unknown": _FILES,
        "campaign-closed": _ASKING,
        "campaign-stopped": _ASKING,
        "campaign-withdrawn": _Way(About.CAMPAIGN, "mailer campaigns load FOLDER", "docs/reference/campaign-files.md"),
        "case-closed": _CASE_OPEN,
        "case-stopped": _CASE_OPEN,
        "case-unseen": _Way(About.CASE, "", "docs/reference/case-files.md"),
        "consent-missing": _CONSENT,
        "consent-past": _CONSENT,
        "dead-link": _FILES,
        "deadline-near": _FILES,
        "deadline-passed": _FILES,
        "empty-field": _FILES,
        "fact-stale": _CASE_FILE,
        "got-going-out": _FILES,
        "got-not-begun": _FILES,
        "home-same-words": _FILES,
        "home-undecided": _FILES,
        "home-unknown": _FILES,
        "latest-start-passed": _FILES,
        "letter-missing": _LETTERS,
        "letter-unread": _LETTERS,
        "link-key-missing": _SETTING,
        "machine-name": _SETTING,
        "mail-long": _FILES,
        "markdown-left": _FILES,
        "never": _FILES,
        "never-in-history": _CASE_FILE,
        "no-link": _FILES,
        "no-organisers": _SETTING,
        "preheader-length": _FILES,
        "role-missing": _BOOK,
        "setting-wrong": _SETTING,
        "spam-words": _FILES,
        "target-doubtful": _VERIFY,
        "target-missing": _BOOK,
        "target-not-own": _FILES,
        "target-stale": _VERIFY,
        "territories-left-out": _FILES,
        "territories-not-excluded": _FILES,
        "text-broken": _FILES,
        "text-missing": _FILES,
        "text-unfinished": _FILES,
        "translation-outdated": _FILES,
        "unknown-address": _FILES,
        "unknown-telephone": _FILES,
        "unseen": _FILES,
        "wordings-few": _LETTERS,
    }
)

#: where a word was found that must not appear → how it is taken out, if not from the campaign's texts
_PLACES: Mapping[str, _Way] = MappingProxyType(
    {
        "target ": _Way(About.TARGETS, "mailer targets import FILE.csv --update", "docs/reference/target-files.md"),
        "letter-": _LETTERS,
        "the name of the list": _Way(About.LIST, "mailer lists change SLUG --name NAME", "docs/reference/commands.md"),
    }
)


def of(campaign: Campaign, finding: Finding) -> Mending:
    """How a finding of a campaign is put right. What is named holds no word that must not appear."""
    way = _WAYS[finding.code]
    if finding.code == "never":
        way = next((way for place, way in _PLACES.items() if finding.where.startswith(place)), way)
    command = way.command
    if command == _LOAD and campaign.status is not CampaignStatus.DRAFT:  # it says what it says
        command = _CORRECTED if way is _LETTERS else ""
    slugs = {"campaign": campaign.slug, "case": campaign.case.slug if campaign.case else ""}
    may = Sayable(campaign.case)
    named = {name: slug if slug and may.may_say(slug) else "SLUG" for name, slug in slugs.items()}
    return Mending(way.about, command.format(**named), way.page)
