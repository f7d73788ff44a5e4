"""`mailer targets`: whom people write to, and how long ago somebody made sure of it."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click

from mailer.cases import target_book, target_reports
from mailer.cases.targets import Target
from mailer.cli import imports
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import (
    dress,
    dress_options,
    dry_run_option,
    json_lines_option,
    json_option,
    output_option,
    slug_argument,
    update_option,
)
from mailer.spreadsheets import targets as target_csv
from mailer.store import db
from mailer.store.models import TargetReportKind, TargetRole

#: what each kind of report says, for a count
_SAID = {
    TargetReportKind.CAME_BACK: "letter came back",
    TargetReportKind.WANTS_POST: "asked for a postal address",
    TargetReportKind.MOVED: "moved",
}
Reports = Mapping[date, Mapping[TargetReportKind, int]]


@click.group()
def targets() -> None:
    """Bring in and show whom people write to, and keep who made sure of them when."""


@targets.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@update_option
@dry_run_option
@json_option
@pass_installation
def import_(installation: Installation, file: Path, update: bool, dry_run: bool, as_json: bool) -> None:
    """Add the targets in a CSV file. If one line is wrong, none is added.

    The file is UTF-8, separated by comma, semicolon or tab, and its first line names the columns: slug, and any of
    role, case, about, countries, name, languages, email, url, phone, phone_hours, phone_zone, address, address_latin,
    own_words, verified_on, verified_by, source; and name:TAG and salutation:TAG for each language.
    """
    with installation.session() as session:
        report = target_csv.import_file(session, file, update=update, dry_run=dry_run)
    imports.print_whole(report, dry_run=dry_run, as_json=as_json)


@targets.command()
@output_option
@dress_options
@pass_installation
def export(installation: Installation, output: Path, excel: bool, separator: str) -> None:
    """Write all targets to a CSV file that `import` can read."""
    with installation.session(read_only=True) as session:
        exported = target_csv.export(session, output, dress=dress(excel=excel, separator=separator))
    click.echo(f"Wrote {'1 target' if exported == 1 else f'{exported:,} targets'} to {output}.")


@targets.command("list")
@click.option("--stale", metavar="DAYS", type=click.IntRange(min=0), help="Only those not verified for so many days.")
@click.option("--doubtful", is_flag=True, help="Only those that people from three networks reported since.")
@click.option("--role", type=click.Choice([role.value for role in TargetRole]), help="Only those with this role.")
@json_lines_option
@pass_installation
def list_(installation: Installation, stale: int | None, doubtful: bool, role: str | None, as_json: bool) -> None:
    """Show all targets by their slugs, with the day on which each was last verified, and which are doubtful."""
    with installation.session(read_only=True) as session:
        everything, today = target_book.all_targets(session), db.now(session).date()
    if not everything and not as_json:
        click.echo(typed("There is no target yet. Bring some in with: mailer targets import FILE"))
    any_shown = False
    for target in everything:
        is_shown = (
            (role is None or target.role == role)
            and (stale is None or target_book.is_stale(target, today, stale))
            and (target_book.is_doubtful(target) or not doubtful)
        )
        any_shown |= is_shown
        if is_shown and as_json:
            click.echo(json.dumps(_summary(target, today), ensure_ascii=False))
        elif is_shown:
            click.echo(line(target))
    if everything and not any_shown:
        click.echo("There are targets, but none of that kind.", err=True)


def line(target: Target) -> str:
    """A target as `list` shows it."""
    where = " ".join((*target.countries, *target.groups)) or "everyone"
    verified = target.verified_on or "NEVER VERIFIED"
    doubts = "DOUBTFUL" if target_book.is_doubtful(target) else ""
    return f"{target.slug:<32}  {target.role:<14}  {verified!s:<14}  {doubts:<8}  {where}"


@targets.command()
@slug_argument
@json_option
@pass_installation
def show(installation: Installation, slug: str, as_json: bool) -> None:
    """Show all that is known of a target. For organisers' eyes only."""
    with installation.session(read_only=True) as session:
        target, today = target_book.get(session, slug), db.now(session).date()
        reports = target_reports.by_month(session, slug)
    if as_json:
        click.echo(json.dumps(_to_json(target, today, reports), ensure_ascii=False))
        return
    click.secho(f"{target.slug}: {target.name}", bold=True)
    for label, value in _lines(target):
        if value:
            click.echo(f"{label}: {value}")
    for month, numbers in reports.items():
        counted = ", ".join(f"{number:,} × {_SAID[kind]}" for kind, number in numbers.items())
        click.echo(f"Reported in {month:%Y-%m}: {counted}")
    if wrong := _what_is_wrong(target, today):
        click.secho(typed(f"{wrong}. Check it, then: mailer targets verify {slug} --by NAME"), bold=True)


@targets.command()
@click.argument("slugs", metavar="SLUG...", nargs=-1, required=True)
@click.option("--by", metavar="NAME", required=True, help="Who made sure of it, in words that organisers understand.")
@pass_installation
def verify(installation: Installation, slugs: tuple[str, ...], by: str) -> None:
    """Keep that somebody made sure today of all that is known of a target, or of several. What was reported before is
    counted no more."""
    if not by.strip():
        raise click.UsageError('Say who made sure of it: --by "Ana"')
    with installation.session() as session:
        for slug in slugs:
            target_book.verify(session, slug, by.strip())
    for slug in slugs:
        click.echo(f'Target "{slug}": verified today.')


def _lines(target: Target) -> list[tuple[str, Any]]:
    """What is shown of a target, beside its name."""
    hours = f" ({target.phone_hours}, {target.phone_zone})" if target.phone_hours else ""
    return [
        ("Role", target.role),
        ("Case", target.case),
        ("About", target.about),
        ("For people in", " ".join((*target.countries, *target.groups)) or "all countries"),
        *((f"Name in {tag}", words) for tag, words in target.names.items()),
        *((f"Salutation in {tag}", words) for tag, words in target.salutations.items()),
        ("Reads", " ".join(target.languages)),
        ("E-mail", target.email),
        ("Page", target.url),
        ("Telephone", f"{target.phone}{hours}" if target.phone else ""),
        ("Address", _indented(target.address)),
        ("Address in Latin letters", _indented(target.address_latin)),
        ("Letters", "in one's own words only" if target.own_words else ""),
        ("Verified", target.verified_on),
        ("Verified by", target.verified_by),
        ("Source", target.source),
    ]


def _what_is_wrong(target: Target, today: date) -> str:
    """Why somebody should make sure of a target; "" for no reason."""
    if target_book.is_doubtful(target):
        return f"DOUBTFUL: reported from {target_book.DOUBTED_BY} networks or more since it was verified"
    if target_book.is_stale(target, today):
        return f"STALE: not verified for {target_book.GOOD_FOR} days" if target.verified_on else "STALE: never verified"
    return ""


def _indented(text: str) -> str:
    return "".join(f"\n  {line}" for line in text.splitlines())


def _summary(target: Target, today: date) -> dict[str, Any]:
    return {
        "slug": target.slug,
        "role": target.role,
        "case": target.case,
        "about": target.about,
        "countries": [*target.countries, *target.groups],
        "name": target.name,
        "languages": list(target.languages),
        "verified_on": target.verified_on.isoformat() if target.verified_on else None,
        "stale": target_book.is_stale(target, today),
        "doubtful": target_book.is_doubtful(target),
    }


def _to_json(target: Target, today: date, reports: Reports) -> dict[str, Any]:
    return _summary(target, today) | {
        "names": dict(target.names),
        "salutations": dict(target.salutations),
        "email": target.email,
        "url": target.url,
        "phone": target.phone,
        "phone_hours": target.phone_hours,
        "phone_zone": target.phone_zone,
        "address": target.address,
        "address_latin": target.address_latin,
        "own_words": target.own_words,
        "verified_by": target.verified_by,
        "source": target.source,
        "reports": [
            {"month": f"{month:%Y-%m}"} | {kind: numbers.get(kind, 0) for kind in TargetReportKind}
            for month, numbers in reports.items()
        ],
    }
