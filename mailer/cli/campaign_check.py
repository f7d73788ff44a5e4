"""What an organiser should know of a campaign before it is sent, in words and as JSON. Small numbers are hidden."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from mailer.campaigns import readiness
from mailer.campaigns.readiness import Check, DeadLink
from mailer.cases.findings import Finding, Level
from mailer.cli.hints import typed
from mailer.locale import countries
from mailer.people import small_numbers
from mailer.people.small_numbers import hide_one


def texts(number: int) -> str:
    """In how many languages a campaign is written, in words."""
    return "in 1 language" if number == 1 else f"with texts in {number} languages"


def people(count: int | None) -> str:
    """A number of people in words; None is one that is too small to show."""
    return readiness.in_words(count)


def not_ready(found: Check) -> list[str]:
    """What keeps a campaign from being sent, in sentences."""
    return _in_sentences(found, Level.ERROR)


def to_json(found: Check) -> dict[str, Any]:
    """As `campaigns check --json` prints it, without the slug."""
    return {
        "audience": found.audience,
        "by_text": small_numbers.hide_small(found.by_text),
        "without_text": small_numbers.hide_small(found.without_text),
        "without_target": found.without_target,
        "without_country": hide_one(found.without_country),
        "left_out_territories": small_numbers.hide_small(_in_english(found.left_out)),
        "not_excluded_territories": small_numbers.hide_small(_in_english(found.not_excluded)),
        "has_fallback": found.has_fallback,
        "nobody_to_write_to": sorted(code or "" for code in found.gaps.without_target),
        "empty_fields": {field: hide_one(count) for field, count in sorted(found.gaps.empty_fields.items())},
        "dead_links": [_dead_link_to_json(dead) for dead in found.gaps.dead_links],
        "deadline_passed": found.is_over,
        "warnings": _in_sentences(found, Level.WARNING),
        "findings": [finding.to_json() for finding in found.findings],
        "not_ready": not_ready(found),
    }


def show(found: Check) -> None:
    """Print it."""
    click.echo(f"Audience: {found.audience:,}")
    for language, count in small_numbers.hide_small(found.by_text).items():
        click.echo(f"  text in {language}: {small_numbers.in_words(count)}")
    show_findings(found.findings)


def show_findings(findings: Sequence[Finding]) -> None:
    """Print what stands against a campaign, and what is better known before it is sent."""
    for finding in findings:
        click.secho(line(finding), bold=finding.level is Level.ERROR)


def line(finding: Finding) -> str:
    """A finding as it is printed."""
    return typed(finding.marked)


def warn(findings: Sequence[Finding]) -> None:
    """Say what is to be known of something that is done all the same."""
    for finding in findings:
        click.echo(f"Warning: {typed(str(finding))}", err=True)


def _in_sentences(found: Check, level: Level) -> list[str]:
    return [str(finding) for finding in found.findings if finding.level is level]


def _in_english(by_country: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted((countries.name(code, "en"), people) for code, people in by_country.items()))


def _dead_link_to_json(dead: DeadLink) -> dict[str, Any]:
    return {
        "file": dead.file,
        "line": dead.link.line,
        "link": dead.link.written,
        "countries": sorted(code or "" for code in dead.by_country),
        "people": hide_one(sum(dead.by_country.values())),
    }
