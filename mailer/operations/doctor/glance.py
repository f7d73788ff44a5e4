"""A glance: what is wrong with an installation as far as its settings and the disk tell, without asking any server."""

from pathlib import Path

from sqlalchemy import make_url

from mailer.operations import checks
from mailer.operations.doctor import findings, machine
from mailer.operations.doctor.findings import Finding, Level
from mailer.settings import Settings


def take(settings: Settings) -> list[Finding]:
    """Find what a page can show while somebody waits for it; the worst first. The rest takes `diagnosis.examine`."""
    url = make_url(settings.database_url)
    file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    found = [
        *map(findings.from_settings, checks.of_settings(settings)),
        *machine.look_at_keys(settings.advice_on_keys).findings,
        *machine.look_at_disk(settings.data_dir, file).findings,
    ]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))
