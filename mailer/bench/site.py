"""The site under load: how long the sign-up form takes, and whether what it accepted is there afterwards; and how long
the page of a letter takes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select

from mailer.bench.installation import Installation
from mailer.bench.sinks import free_port, wait_for
from mailer.bench.visitors import HOST, Visits, fill_in, get_steadily, post_steadily
from mailer.campaigns import addressees
from mailer.campaigns import files as campaign_files
from mailer.cases import files as case_files
from mailer.links import Pages
from mailer.locale.languages import SITE_LANGUAGES
from mailer.spreadsheets import targets
from mailer.store.db import session_scope, utcnow
from mailer.store.models import CampaignStatus, MailedLink, MailedLinkKind
from mailer.trial import sample
from mailer.trial.valkey import embedded_valkey
from mailer.unions import directory

_CHECKOUT = Path(__file__).parents[2]
_PATH = "/"
_BOXES = ("alerts",)
#: sign-ups a second and for how many seconds: as many as should do no harm, four times as many, and as before
STRETCHES = ((50, 20), (200, 10), (50, 10))
#: pages with letters a second and for how many seconds
LETTERS_STRETCH = (50, 20)
_FILL_IN_SECONDS = 3.0
_ACCEPTED = "303"


@dataclass(frozen=True, slots=True)
class Load:
    """What a site answered under load."""

    database: str
    stretches: tuple[Visits, ...]
    accepted: int  # answered as a sign-up that went well
    kept: int  # found in the database afterwards


@dataclass(frozen=True, slots=True)
class Letters:
    """How the page of a letter was shown."""

    database: str
    visits: Visits


def measure(measured: Installation, database: str, *, stretches: Sequence[tuple[int, int]] = STRETCHES) -> Load:
    """Run the site as in production, and have people sign up.

    :param stretches: sign-ups a second, and for how many seconds.
    """
    with served(measured) as port:
        form = fill_in(port, _PATH, boxes=_BOXES)
        time.sleep(_FILL_IN_SECONDS)
        before = _count(measured)
        visits, visitors = [], 0
        for rate, seconds in stretches:
            forms = [form | _answers(visitors + n) for n in range(rate * seconds)]
            visits.append(post_steadily(port, _PATH, forms, rate=rate, first_visitor=visitors))
            visitors += len(forms)
        accepted = sum(each.answers.get(_ACCEPTED, 0) for each in visits)
        return Load(database, tuple(visits), accepted, _count(measured) - before)


def measure_letters(measured: Installation, database: str, *, stretch: tuple[int, int] = LETTERS_STRETCH) -> Letters:
    """Run the site likewise, and have people open the letters to the targets of the sample's alert, in all languages.

    :param stretch: pages a second, and for how many seconds.
    """
    rate, seconds = stretch
    pages = [urlsplit(address).path for address in _letter_pages(measured)]
    with served(measured) as port:
        get_steadily(port, pages[:rate], rate=rate)  # until each process has read what it keeps
        paths = list(islice(cycle(pages), rate * seconds))
        return Letters(database, get_steadily(port, paths, rate=rate))


def _letter_pages(measured: Installation) -> list[str]:
    """Load the sample's alert as one that has been sent; the addresses of its letters."""
    folder = Path(measured.environ["MAILER_DATA_DIR"]) / "sample"
    with measured.engine() as engine, session_scope(engine) as session:
        for union in sample.unions():
            directory.add(session, union.slug, union.name, country=union.country, parent_slug=union.parent)
        sample.copy_files(folder, utcnow().date())
        case_files.load(session, folder / "cases" / sample.CASE_SLUG)
        targets.import_file(session, folder / sample.TARGETS)
        campaign = campaign_files.load(session, folder / "campaigns" / sample.CAMPAIGN_DIR.name)
        campaign.public, campaign.status, campaign.started_at = True, CampaignStatus.SENT, utcnow()
        slugs = [target.slug for target in addressees.writable(session, campaign)]
        languages = [Pages(measured.settings.base_url, language) for language in SITE_LANGUAGES]
        return [pages.letter(campaign.slug, slug) for slug in slugs for pages in languages]


@contextmanager
def served(measured: Installation) -> Iterator[int]:
    """The site as in production, behind a proxy; yields its port."""
    folder = Path(measured.environ["MAILER_DATA_DIR"])
    with (
        embedded_valkey(folder / "site.sock") as redis_url,
        _running(measured.with_settings(MAILER_REDIS_URL=redis_url, MAILER_TRUSTED_PROXIES="1")) as port,
    ):
        yield port


def _answers(visitor: int) -> dict[str, str]:
    """What a visitor fills in."""
    return {"email": f"visitor{visitor}@example.org", "name": f"Visitor {visitor}", "country": "GB"}


def _count(measured: Installation) -> int:
    with measured.engine() as engine, session_scope(engine, read_only=True) as session:
        sign_ups = select(func.count()).select_from(MailedLink).where(MailedLink.kind == MailedLinkKind.SIGN_UP)
        return session.scalar(sign_ups) or 0


@contextmanager
def _running(measured: Installation) -> Iterator[int]:
    """The site's own server, as the Procfile starts it; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:{port}", "wsgi:app"]
    with subprocess.Popen(command, env={**os.environ, **measured.environ}, cwd=_CHECKOUT) as process:  # noqa: S603 - ours
        try:
            wait_for(port, command)
            yield port
        finally:
            process.terminate()
