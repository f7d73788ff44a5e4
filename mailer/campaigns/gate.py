"""The gate: what a case says against sending a campaign. Nothing goes out while an error stands.

`delivery.control` asks it at every start and resumption, also of a scheduled campaign.
"""

import enum
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from mailer.cases import cases
from mailer.cases.never import Never
from mailer.errors import MailerError
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus, Case, CaseStatus

#: less than this before its deadline, few people can act on an alert
_SHORT = timedelta(hours=48)


class Level(enum.StrEnum):
    """Whether a finding keeps a campaign from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an organiser has to know before a campaign is sent."""

    level: Level
    code: str  # for programs: "consent-missing"
    where: str  # a file with its line, or what it is about
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"

    def to_json(self) -> dict[str, str]:
        """As `campaigns check --json` prints it."""
        return {**asdict(self), "level": self.level.value}


class Refused(MailerError):
    """Campaign "{slug}" cannot be sent. {findings}"""


def findings(session: Session, campaign: Campaign) -> list[Finding]:
    """What stands against a campaign, the worst first."""
    found = [*_of_case(session, campaign), *_of_time(session, campaign)]
    return sorted(found, key=lambda finding: finding.level is not Level.ERROR)


def require(session: Session, campaign: Campaign) -> None:
    """Refuse a campaign against which an error stands.

    :raises Refused: naming each.
    """
    errors = [finding for finding in findings(session, campaign) if finding.level is Level.ERROR]
    if errors:
        raise Refused(slug=campaign.slug, findings=" ".join(map(str, errors)))


def _of_case(session: Session, campaign: Campaign) -> Iterator[Finding]:
    if campaign.case_id is None:
        return
    case = campaign.case
    if case is None:  # this session is limited to a union's own, and cases are the organisers'
        what, remedy = "its case cannot be seen from here", "Ask the organisers to send it."
        yield Finding(Level.ERROR, "case-unseen", "campaign.toml, case", what, remedy)
        return
    where, today = f"case {case.slug}", db.now(session).date()
    if case.status is not CaseStatus.OPEN:
        remedy = {
            CaseStatus.STOPPED: f"Once people may write again: mailer cases reopen {case.slug}",
            CaseStatus.CLOSED: "Nobody is asked to act on a closed case.",
        }[case.status]
        yield Finding(Level.ERROR, f"case-{case.status}", where, f"the case is {case.status}", remedy)
    consent = cases.consent_of(case)
    record = f"Ask, and record the answer: mailer cases consent {case.slug} --by WHO --on DAY"
    if consent is None:
        yield Finding(Level.ERROR, "consent-missing", where, "nobody has agreed that we speak of it", record)
    elif not consent.covers(today):
        yield Finding(Level.ERROR, "consent-past", where, f"the consent ended on {consent.until}", record)
    for number, fact in enumerate(case.facts, start=1):
        if fact in cases.stale(case, today):
            what = f"fact {number} was last checked on {fact.checked_on}, and is good for {fact.good_for} days"
            remedy = "Check it, write the day into checked_on in case.toml, and load the case again."
            yield Finding(Level.ERROR, "fact-stale", where, what, remedy)
    yield from _never(campaign, case)


def _never(campaign: Campaign, case: Case) -> Iterator[Finding]:
    never = Never(case.never)
    for text in campaign.texts:
        file = f"{text.language}.md"
        places = [
            *(f"{file}, {part}" for part in ("subject", "preheader") if any(never.find(file, getattr(text, part)))),
            *(f"{file}:{place.line}" for place in never.find(file, text.body, first_line=text.body_line)),
        ]
        for place in places:
            yield _must_not(campaign, place)
    for target in campaign.targets:
        if any(never.find("", "\n".join((target["name"], target["email"], target["address"])))):
            yield _must_not(campaign, "campaign.toml, [[targets]]")
    if any(never.find("", campaign.slug)):
        yield _must_not(campaign, "the name of the campaign's folder")


def _must_not(campaign: Campaign, where: str) -> Finding:
    # Never the word: a finding may stand on a screen that others see, and in a log.
    what = "a word stands here that must not appear, as the case's `never` says"
    is_draft = campaign.status is CampaignStatus.DRAFT
    remedy = "Take it out, and load the campaign again." if is_draft else "Cancel it, and send one without that word."
    return Finding(Level.ERROR, "never", where, what, remedy)


def _of_time(session: Session, campaign: Campaign) -> Iterator[Finding]:
    now = db.now(session)
    if campaign.deadline is not None and timedelta(0) < campaign.deadline - now < _SHORT:
        what = "the deadline is less than 48 hours away, and many read their mail later"
        yield Finding(
            Level.WARNING, "deadline-near", "campaign.toml, deadline", what, "Give people more time if you can."
        )
