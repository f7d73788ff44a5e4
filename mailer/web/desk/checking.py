"""Checking: what stands against sending a campaign, whom it reaches, and test mails to oneself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, redirect, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from mailer.campaigns import mending
from mailer.campaigns.readiness import Check
from mailer.cases.findings import Finding, Level
from mailer.cases.sayable import Sayable
from mailer.delivery import own_tests
from mailer.errors import ConfigurationError, MailerError
from mailer.locale import countries, languages
from mailer.operations import checks
from mailer.organisers.roles import Permission
from mailer.people import small_numbers
from mailer.reports import refusals
from mailer.reports.refusals import TestMail
from mailer.store.models import Account, Campaign, DeliveryState
from mailer.web.desk import finding_words, named, overlooking
from mailer.web.desk.live import with_etag
from mailer.web.desk.recent import renderings
from mailer.web.desk.visit import visit
from mailer.web.language import _, current, url
from mailer.web.site import site

_FILE = re.compile(r"([A-Za-z0-9-]+)\.md\b")


@dataclass(frozen=True, slots=True)
class Mended:
    """Where a finding is put right, and where one sees what it is about."""

    command: str
    page: str  # of the documentation
    preview: str | None  # address


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
            errors=sum(finding.level is Level.ERROR for finding in found.findings),
            findings=[(finding, where_mended(campaign, finding)) for finding in found.findings],
            meaning=finding_words.meaning,
            tables=_tables(found),
            texts=len(campaign.texts),
            test_problem=problem,
            **_tests(session, campaign),
        )


def where_mended(campaign: Campaign, finding: Finding) -> Mended:
    """Where a finding of a campaign is put right: in this part of the desk, in files and by commands."""
    mend = mending.of(campaign, finding)
    return Mended(mend.command, mend.page, _preview(campaign, finding))


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
    found = refusals.test_mails_to(session, campaign, visit().address) if visit().may(Permission.TEST) else []
    told = [(mail, _told(mail)) for mail in found if _is_sayable(campaign, mail)]
    return {"test_mails": told, "is_underway": any(mail.state in _UNDERWAY for mail in found)}


_UNDERWAY = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)


def _is_sayable(campaign: Campaign, mail: TestMail) -> bool:
    return Sayable(campaign.case).may_say(mail.smtp_text or "")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a test mail, in words."""

    language: str
    words: str
    tone: str  # of its pill
    answer: str  # of the mail server, where it is worth reading


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
    answer = " ".join(str(part) for part in (mail.smtp_code, mail.smtp_text, mail.reason) if part) if is_problem else ""
    return Told(languages.name(mail.language) if mail.language else "", said, tone, answer)
