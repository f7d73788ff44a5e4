"""Webhooks: what proves who posts, and when something was posted last."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, func, select

from mailer.errors import ConfigurationError, MailerError
from mailer.mail.webhooks.types import Provider
from mailer.operations import checks
from mailer.operations.doctor import findings
from mailer.operations.doctor.findings import Finding, Level
from mailer.operations.doctor.rounds import Seen
from mailer.people import returned
from mailer.settings.hooks import HookSettings
from mailer.store.db import session_scope
from mailer.store.models import MailEvent


def look(settings: HookSettings, engine: Engine, *, bounce_address: str | None) -> Seen:
    """Find out whether the providers that are set can be heard, and when each was heard last.

    Only what tells something of a mail of ours is kept, for some weeks. So silence is no finding: perhaps nothing came
    back.
    """
    found = tuple(_of_settings(settings, bounce_address))
    last = _last(engine)
    if last is None:
        return Seen(findings=found)
    days = f"in {returned.KEPT.days} days"
    heard = (f"{each} {last[each]}" if each in last else f"{each}: none {days}" for each in settings.providers)
    return Seen(f"last event that was kept: {', '.join(heard)}", found)


def _of_settings(settings: HookSettings, bounce_address: str | None) -> Iterator[Finding]:
    reads: list[Callable[[], Sequence[str]]] = [lambda: settings.secrets]
    reads += [partial(settings.told, provider) for provider in settings.providers]
    for read in reads:
        try:
            read()
        except ConfigurationError as problem:
            yield findings.from_settings(checks.wrong_setting(problem))
    if Provider.SES in settings.providers and "{token}" not in (bounce_address or ""):
        what = "Amazon SES tells the envelope sender of a mail, and ours does not say which mail it is"
        remedy = "Put {token} into it, such as bounce+{token}@example.org, and restart the workers."
        yield Finding(Level.WARNING, "hooks-unmatched", "MAILER_BOUNCE_ADDRESS", what, remedy)


def _last(engine: Engine) -> dict[str, date] | None:
    """The day of the last event of each source; None if the database cannot be asked, which its own check says."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():  # to open it would make it
        return None
    try:
        with session_scope(engine, read_only=True) as session:
            last = select(MailEvent.source, func.max(MailEvent.day)).group_by(MailEvent.source)
            return dict(list(session.execute(last)))
    except MailerError:
        return None
