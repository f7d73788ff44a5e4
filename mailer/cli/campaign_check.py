"""What an organiser should know of a campaign before it is sent, in words and as JSON. Small numbers are hidden."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from mailer.campaigns import readiness
from mailer.campaigns.readiness import Check, DeadLink
from mailer.cases.findings import Level
from mailer.locale import countries
from mailer.reports import small_numbers

OVERDUE = "its deadline has passed, so sending it will be refused. Change deadline in campaign.toml."
#: a default that fits most texts, to suggest for a field that stays empty
_DEFAULTS = {
    "name": "supporter",
    "country": "your country",
    "union": "your union",
    "target_email": "no e-mail address",
    "target_address": "no postal address",
}
#: whether a link is to an e-mail address → what else it needs, and an example
_REACHED_BY = {True: ("e-mail address", "us@example.org"), False: ("telephone number", "+44 1632 960001")}


def texts(number: int) -> str:
    """In how many languages a campaign is written, in words."""
    return "in 1 language" if number == 1 else f"with texts in {number} languages"


def to_json(found: Check) -> dict[str, Any]:
    """As `campaigns check --json` prints it, without the slug."""
    return {
        "audience": found.audience,
        "by_text": small_numbers.hide_small(found.by_text),
        "without_text": small_numbers.hide_small(found.without_text),
        "without_target": found.without_target,
        "without_country": _hide_small(found.without_country),
        "left_out_territories": small_numbers.hide_small(_in_english(found.left_out)),
        "not_excluded_territories": small_numbers.hide_small(_in_english(found.not_excluded)),
        "has_fallback": found.has_fallback,
        "nobody_to_write_to": sorted(code or "" for code in found.gaps.without_target),
        "empty_fields": _empty_fields(found),
        "dead_links": [_dead_link_to_json(dead) for dead in found.gaps.dead_links],
        "deadline_passed": found.is_over,
        "warnings": found.warnings,
        "findings": [finding.to_json() for finding in found.findings],
    }


def show(found: Check) -> None:
    """Print it, without what keeps the campaign from being sent."""
    click.echo(f"Audience: {found.audience:,}")
    for language, count in small_numbers.hide_small(found.by_text).items():
        click.echo(f"  text in {language}: {_shown(count)}")
    for language, count in small_numbers.hide_small(found.without_text).items():
        click.echo(f"  no text in {language}: {people(count)} get it in the campaign's own language")
    if found.left_out:
        click.echo(f"Not in `countries`, though their state is: {_by_place(found.left_out)}.")
        click.echo(f"  They do not get it. If they should, add to `countries`: {_codes(found.left_out)}")
    if found.not_excluded:
        click.echo(f"Not in `exclude_countries`, though their state is: {_by_place(found.not_excluded)}.")
        click.echo(f"  They get it. If they should not, add to `exclude_countries`: {_codes(found.not_excluded)}")
    if found.without_target or found.without_country:
        get = "the fallback target" if found.has_fallback else "NO target, since there is no fallback"
        click.echo(f"People without a target of their own, who get {get}:")
        if found.without_target:
            click.echo("  " + ", ".join(found.without_target))
        if found.without_country:
            click.echo(f"  people whose country is not known: {_shown(_hide_small(found.without_country))}")
    worries = [str(finding) for finding in found.findings if finding.level is Level.WARNING]
    for warning in (*worries, *found.warnings, *_dead_link_warnings(found), *_empty_field_warnings(found)):
        click.echo(f"Warning: {warning}")


def show_obstacles(reasons: Iterable[str]) -> None:
    """Print what keeps a campaign from being sent."""
    for reason in reasons:
        click.secho(f"NOT READY: {reason}", bold=True)


def _by_place(counts: Mapping[str, int]) -> str:
    shown = small_numbers.hide_small(_in_english(counts))
    return ", ".join(f"{place} ({people(count)})" for place, count in shown.items())


def _in_english(by_country: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted((countries.name(code, "en"), people) for code, people in by_country.items()))


def _codes(places: Iterable[str]) -> str:
    """As they are written in campaign.toml."""
    return ", ".join(f'"{code}"' for code in sorted(places))


def people(count: int | None) -> str:
    """A number of people in words; None is one that is too small to show."""
    return "1 person" if count == 1 else f"{_shown(count)} people"


def _dead_link_to_json(dead: DeadLink) -> dict[str, Any]:
    return {
        "file": dead.file,
        "line": dead.link.line,
        "link": dead.link.written,
        "countries": sorted(code or "" for code in dead.by_country),
        "people": _hide_small(sum(dead.by_country.values())),
    }


def _dead_link_warnings(found: Check) -> Iterator[str]:
    for dead in found.gaps.dead_links:
        what, default = _REACHED_BY[dead.link.is_mail]
        filled = f'{{{{ {dead.link.field} or "{default}" }}}}'
        yield (
            f"{dead.file}:{dead.link.line}: {dead.link.written} leads nowhere for "
            f"{people(_hide_small(sum(dead.by_country.values())))}, whose target has no {what}: "
            f"{readiness.name_countries(dead.by_country)}. Give the target one in campaign.toml, or the link a default "
            f"that is one: {filled}. Or put {{% if country … %}} around it."
        )


def _empty_field_warnings(found: Check) -> Iterator[str]:
    in_links = {dead.link.field for dead in found.gaps.dead_links}  # of which there is a better thing to say
    for field, count in _empty_fields(found).items():
        if field in in_links:
            continue
        filled = f'{{{{ {field} or "{_DEFAULTS.get(field, "…")}" }}}}'
        yield f"{{{{ {field} }}}} is empty for {people(count)}. Give a default: {filled}"


def obstacles(found: Check) -> Iterator[str]:
    """What keeps a campaign from being sent, in sentences."""
    if found.gaps.without_target:
        whom = readiness.name_countries(found.gaps.without_target)
        yield (
            f"the texts ask people to write to a target, but there is none for {whom}. Add [[targets]] for them, or "
            "one without countries for everyone else. Until then, `send` is refused."
        )
    yield from (str(finding) for finding in found.findings if finding.level is Level.ERROR)
    if found.is_over:
        yield OVERDUE
    if not found.audience:
        yield "nobody would get it. Check [audience] and the list."


def _empty_fields(found: Check) -> dict[str, int | None]:
    return {field: _hide_small(count) for field, count in sorted(found.gaps.empty_fields.items())}


def _hide_small(count: int) -> int | None:
    return small_numbers.hide_small({"": count})[""]


def _shown(count: int | None) -> str:
    return "under 10" if count is None else f"{count:,}"
