"""Checking: what stands against sending a campaign, test mails to oneself, and whom it reaches."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, redirect, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from mailer.campaigns import mending
from mailer.campaigns.mending import About
from mailer.campaigns.readiness import Check
from mailer.cases.findings import Code, Finding, Level
from mailer.cases.sayable import Sayable
from mailer.delivery import own_tests
from mailer.errors import ConfigurationError, MailerError
from mailer.locale import countries, languages
from mailer.operations import checks
from mailer.organisers.roles import Permission
from mailer.people import small_numbers
from mailer.reports import refusals
from mailer.reports.refusals import TestMail
from mailer.store.models import Account, Campaign, CampaignStatus, DeliveryState
from mailer.web.desk import finding_words, named, overlooking, refusal_words
from mailer.web.desk.live import with_etag
from mailer.web.desk.recent import renderings
from mailer.web.desk.visit import visit
from mailer.web.language import _, current, url
from mailer.web.site import site

_FILE = re.compile(r"([A-Za-z0-9-]+)\.md\b")
#: likewise of a letter, or of those of a role in no language in particular
_LETTER = re.compile(r"(letter-[a-z]+\.([A-Za-z0-9-]+|\*))\.md")
#: what is found of whom a campaign is for
_OF_AUDIENCE = ("audience-empty", "audience-unknown", "acted-forgotten", "acted-nobody", "acted-still-open")
#: table of a campaign's file → the page on which it is written
_TABLES = {"[[targets]]": "desk.targeting.see", "[petition]": "desk.petitioning.see"}


#: places of one finding that are shown at once
_FIRST = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found, and how it is put right there."""

    where: str
    what: str  # in English
    remedy: str  # likewise
    command: str  # that does it; "" where there is none
    page: str  # of the documentation
    preview: str | None  # address
    settings: str | None  # likewise
    desk: str | None  # likewise, where it is changed at the desk


@dataclass(frozen=True, slots=True)
class Found:
    """The same thing, found in one place or more."""

    is_error: bool
    meaning: str
    places: Sequence[Place]

    @property
    def first(self) -> Sequence[Place]:
        """Places that are shown at once. To fold away a single one would save nothing."""
        return self.places if len(self.places) == _FIRST + 1 else self.places[:_FIRST]

    @property
    def more(self) -> Sequence[Place]:
        """All others."""
        return self.places[len(self.first) :]

    def same(self, name: str) -> Any:
        """What all places have in common; None where they differ."""
        values = {getattr(place, name) for place in self.places}
        return values.pop() if len(values) == 1 else None


@dataclass(frozen=True, slots=True)
class Row:
    """How many people there are of one kind."""

    words: str
    people: int | None  # none: too few to show


def see(slug: str) -> str:
    """What stands against a campaign, the worst first; whom it reaches; and one's own test mails."""
    return _show(slug)


def test(slug: str) -> ResponseReturnValue:
    """Send whoever presses a test mail in each language."""
    settings = site().settings
    try:
        checks.require_usable_server(settings)
        with site().session(read_only=True) as session, renderings().lent(session):
            ready = own_tests.prepare(session, named.campaign(session, slug), settings.mail_sender)
        with site().session() as session:
            campaign = named.campaign(session, slug)
            account = session.get_one(Account, visit().account_id)
            own_tests.order(session, campaign, account, settings.mail_sender, visit().who, ready)
            campaign_id = campaign.id
    except (MailerError, ConfigurationError) as problem:
        return _show(slug, problem=problem), 422
    site().ring(campaign_id)
    return redirect(url("desk.checking.see", slug=slug, sent=1), 303)


def tests(slug: str) -> Response:
    """What has become of one's own test mails: a part of the page that asks for itself."""
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        return with_etag(render_template("desk/checking/tests.html", campaign=campaign, **_tests(session, campaign)))


def _show(slug: str, problem: Exception | None = None) -> str:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        found = overlooking.check(session, campaign, anew=problem is not None)
        return render_template(
            "desk/checking/see.html",
            campaign=campaign,
            name=named.name_of(campaign),
            check=found,
            findings=_grouped(campaign, found.findings),
            tables=_tables(found),
            texts=len(campaign.texts),
            test_problem=problem,
            **_tests(session, campaign),
        )


def _grouped(campaign: Campaign, findings: Sequence[Finding]) -> Sequence[Found]:
    """What was found, each thing once with its places; the worst first."""
    kinds: dict[tuple[Level, Code], list[Place]] = {}
    may_settings = visit().may(Permission.MANAGE_ACCOUNTS)
    for finding in findings:
        mend = mending.of(campaign, finding)
        what = finding.what[:1].upper() + finding.what[1:]
        desk = _at_desk(campaign, finding)
        place = Place(
            where=finding.where,
            what=what,
            remedy=finding.remedy,
            command="" if desk else mend.command,
            page=mend.page,
            preview=_preview(campaign, finding),
            settings=url("desk.installation.see") if mend.about is About.SETTINGS and may_settings else None,
            desk=desk,
        )
        kinds.setdefault((finding.level, finding.code), []).append(place)
    return [Found(level is Level.ERROR, finding_words.meaning(code), kinds[level, code]) for level, code in kinds]


def _at_desk(campaign: Campaign, finding: Finding) -> str | None:
    """Where whoever may write changes what a finding is about."""
    if campaign.status is not CampaignStatus.DRAFT or not visit().may(Permission.WRITE):
        return None
    where = finding.where.partition(":")[0].partition(",")[0]
    if (file := _FILE.fullmatch(where) or _LETTER.fullmatch(where)) and not file[1].endswith("*"):
        return url("desk.texts.write", slug=campaign.slug, text=file[1])
    if file:
        return url("desk.texts.browse", slug=campaign.slug)
    if finding.code in _OF_AUDIENCE:
        return url("desk.audience.see", slug=campaign.slug)
    place = finding.where.partition(", ")[2]
    page = _TABLES.get(place)
    if page is None and where == "campaign.toml" and not place.startswith("["):
        page = "desk.outlining.see"
    return url(page, slug=campaign.slug) if page else None


def _preview(campaign: Campaign, finding: Finding) -> str | None:
    """Where one sees the text that a finding is about, unless it holds what must not be seen."""
    if finding.code in ("never", "text-broken") or not visit().may(Permission.PREVIEW):
        return None
    file = _FILE.match(finding.where)
    if file and any(text.language == file[1] for text in campaign.texts):
        return url("desk.previewing.mail", slug=campaign.slug, lang=file[1])
    if finding.where.startswith("letter-"):
        return url("desk.previewing.letter", slug=campaign.slug)
    return None


def _tables(found: Check) -> Sequence[tuple[str, str, Sequence[Row]]]:
    """Caption, first heading and rows of whom a campaign reaches. Small numbers are hidden."""
    by_text = {languages.name(tag): people for tag, people in found.by_text.items()}
    return [
        (_("By the text that they get"), _("Text"), _rows(by_text)),
        (_("By country"), _("Country"), _rows(_named(found.by_country, lambda code: countries.name(code, current())))),
        (_("By the language that they read"), _("Language"), _rows(_named(found.by_language, languages.name))),
    ]


def _named(counts: Mapping[str | None, int], name: Any) -> Mapping[str, int]:
    return {name(key) if key else _("Not known"): people for key, people in counts.items()}


def _rows(counts: Mapping[str, int]) -> Sequence[Row]:
    return [Row(words, people) for words, people in small_numbers.hide_small(counts).items()]


def _tests(session: Session, campaign: Campaign) -> Mapping[str, Any]:
    """The latest test mail in each language."""
    found = refusals.test_mails_to(session, campaign, visit().address) if visit().may(Permission.TEST) else []
    latest: dict[str | None, TestMail] = {}
    for mail in found:
        latest.setdefault(mail.language, mail)
    told = [_told(mail) for mail in latest.values() if _is_sayable(campaign, mail)]
    told.sort(key=lambda each: each.language.casefold())
    return {"test_mails": told, "is_underway": any(mail.state in _UNDERWAY for mail in latest.values())}


_UNDERWAY = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)


def _is_sayable(campaign: Campaign, mail: TestMail) -> bool:
    return Sayable(campaign.case).may_say(mail.smtp_text or "")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a test mail, in words."""

    language: str
    words: str
    tone: str  # of its pill
    sent_at: datetime | None
    why: str  # it was not sent; "" where there is nothing to say
    reply: str  # of the mail server, as it is


def _told(mail: TestMail) -> Told:
    words = {
        DeliveryState.PENDING: (_("Waiting"), "calm"),
        DeliveryState.SENDING: (_("Being sent"), "busy"),
        DeliveryState.SENT: (_("Sent"), "done"),
        DeliveryState.DEFERRED: (_("Refused for now, tried again later"), "held"),
        DeliveryState.FAILED: (_("Refused"), "held"),
        DeliveryState.UNKNOWN: (_("Maybe sent: the server’s answer was not learned"), "held"),
        DeliveryState.SKIPPED: (_("Not sent"), "held"),
    }
    said, tone = words[mail.state]
    is_problem = mail.state not in (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.SENT)
    return Told(
        language=languages.name(mail.language) if mail.language else _("Not known"),
        words=said,
        tone=tone,
        sent_at=mail.settled_at if mail.state is DeliveryState.SENT else None,
        why=refusal_words.why(mail.smtp_code, mail.smtp_text, mail.reason) if is_problem else "",
        reply=" ".join(str(part) for part in (mail.smtp_code, mail.smtp_text) if part) if is_problem else "",
    )
