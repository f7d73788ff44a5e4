"""The sign-up form under load: how long it takes, and whether what it accepted is there afterwards."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from mailer.bench.installation import Installation
from mailer.bench.sinks import free_port, wait_for
from mailer.bench.visitors import HOST, Visits, fill_in, post_steadily
from mailer.store.db import session_scope
from mailer.store.models import MailedLink, MailedLinkKind
from mailer.trial.valkey import embedded_valkey

_CHECKOUT = Path(__file__).parents[2]
_PATH = "/"
_BOXES = ("alerts",)
#: sign-ups a second and for how many seconds: as many as should do no harm, four times as many, and as before
STRETCHES = ((50, 20), (200, 10), (50, 10))
_FILL_IN_SECONDS = 3.0
_ACCEPTED = "303"


@dataclass(frozen=True, slots=True)
class Load:
    """What a site answered under load."""

    database: str
    stretches: tuple[Visits, ...]
    accepted: int  # answered as a sign-up that went well
    kept: int  # found in the database afterwards


def measure(measured: Installation, database: str, *, stretches: Sequence[tuple[int, int]] = STRETCHES) -> Load:
    """Run the site as in production, and have people sign up.

    :param stretches: sign-ups a second, and for how many seconds.
    """
    folder = Path(measured.environ["MAILER_DATA_DIR"])
    with embedded_valkey(folder / "site.sock") as redis_url:
        behind_proxy = measured.with_settings(MAILER_REDIS_URL=redis_url, MAILER_TRUSTED_PROXIES="1")
        with _running(behind_proxy) as port:
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
