"""Checking a campaign, and the settings that it would be sent with."""

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from mailer.campaigns import readiness
from mailer.campaigns.readiness import Check
from mailer.cases.findings import Code, Finding, Level
from mailer.errors import ConfigurationError
from mailer.settings import Advice, Settings
from mailer.store.models import Campaign


def check(session: Session, campaign: Campaign, settings: Settings) -> Check:
    """Find what stands against sending a campaign, the settings included; the worst first."""
    found = readiness.check(session, campaign, ours=_ours(settings))
    said = (*found.findings, *of_settings(settings))
    return replace(found, findings=tuple(sorted(said, key=lambda finding: finding.level is not Level.ERROR)))


def require_usable_server(settings: Settings) -> None:
    """Refuse here what a worker with the same settings would refuse; where no server is set, only workers know it.

    :raises ConfigurationError: the mail server and the base URL do not go together.
    """
    if settings.configured_smtp is not None:
        _ = settings.smtp


def _ours(settings: Settings) -> list[str]:
    """Where our own telephone numbers and e-mail addresses stand."""
    written = (
        settings.sender,
        settings.reply_to,
        settings.postal_address,
        settings.unsubscribe_address,
        settings.privacy_contact,
        settings.security_contact,
    )
    return [each for each in written if each]


def of_settings(settings: Settings) -> Iterator[Finding]:
    """Find what is wrong with the settings for sending, or could be better."""
    try:
        _ = settings.mail_sender
        require_usable_server(settings)
    except ConfigurationError as problem:
        yield wrong_setting(problem)
    if advice := settings.advice_on_helo:
        yield _advised("machine-name", advice)
    if advice := settings.advice_on_organisers:
        yield _advised("no-organisers", advice)


def wrong_setting(problem: ConfigurationError) -> Finding:
    """A setting that is missing or wrong, as a finding."""
    where, what = problem.variable or "settings", problem.problem or str(problem)
    remedy = f"Example: {where}={problem.example}." if problem.example else "See docs/reference/settings.md."
    return Finding(Level.ERROR, "setting-wrong", where, what, remedy)


def _advised(code: Code, advice: Advice) -> Finding:
    return Finding(Level.WARNING, code, advice.variable, advice.problem, advice.remedy)
