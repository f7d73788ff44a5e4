"""`mailer doctor`: what is wrong with an installation, or will be, and what to do."""

import json
import sys

import click

from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_option
from mailer.errors import ConfigurationError
from mailer.mail import lookups
from mailer.operations.doctor import diagnosis, outgoing
from mailer.operations.doctor.diagnosis import Diagnosis
from mailer.operations.doctor.findings import Finding, Level
from mailer.operations.doctor.rounds import Checked

_MARKS = {Level.ERROR: "WRONG", Level.WARNING: "warning", Level.UNKNOWN: "not seen"}
_WIDTH = max(map(len, _MARKS.values()))


@click.command()
@json_option
@pass_installation
def doctor(installation: Installation, as_json: bool) -> None:
    """Look at this installation, and say what is wrong and what to do.

    It asks the mail server, the database, Redis and the DNS, all at the same time, and ends within half a minute,
    whatever they do. It sends no mail and changes nothing.

    Exit codes: 0 nothing found, 1 something is wrong or could be better, 3 nothing is, but not all could be looked at.
    """
    found = _look(installation)
    if as_json:
        click.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _show(found)
    if found.exit_code:
        sys.exit(found.exit_code)


def _look(installation: Installation) -> Diagnosis:
    try:
        settings = installation.settings
    except ConfigurationError as problem:
        return diagnosis.of_unusable_settings(problem)
    look_up = lookups.system_lookup(seconds=diagnosis.DNS_SECONDS)
    return diagnosis.examine(settings, lambda: installation.unchecked_engine, look_up, own_address=outgoing.own_address)


def _show(found: Diagnosis) -> None:
    for each in found.checked:
        _show_check(each)
    count = {level: sum(each.level is level for each in found.findings) for level in Level}
    parts = (f"wrong: {count[Level.ERROR]}", f"warnings: {count[Level.WARNING]}", f"not seen: {count[Level.UNKNOWN]}")
    click.echo()
    click.echo(", ".join(parts) + "." if found.findings else "Nothing is wrong, as far as can be seen from here.")
    if found.findings:
        click.echo("What each code means: docs/reference/findings.md.")


def _show_check(checked: Checked) -> None:
    if checked.seen.says:
        click.echo(f"{'well':<{_WIDTH}}  {checked.name}: {typed(checked.seen.says)}")
    for finding in checked.seen.findings:
        _show_finding(checked.name, finding)


def _show_finding(name: str, finding: Finding) -> None:
    is_bad = finding.level is Level.ERROR
    where = f"{finding.where}: " if finding.where != name else ""
    click.secho(
        f"{_MARKS[finding.level]:<{_WIDTH}}  {name}: {where}{typed(finding.what)} [{finding.code}]", bold=is_bad
    )
    click.echo(f"{'':<{_WIDTH}}  → {typed(finding.remedy)}")
