"""The installation: which settings are set and what could be better, for admins. Nothing secret is shown."""

from collections.abc import Callable, Sequence
from datetime import date

from flask import render_template
from flask_babel import format_date

from mailer.operations.doctor import glance
from mailer.people.unread import Unread
from mailer.reports import unread
from mailer.settings import KEY_VARIABLES, Settings
from mailer.store.db import utctoday
from mailer.web.desk import finding_words, terms
from mailer.web.language import _
from mailer.web.site import site

#: harmless settings: variable, what it decides, and its value. No other value is shown, however harmless it looks.
_SHOWN: Sequence[tuple[str, Callable[[], str], Callable[[Settings], object]]] = (
    ("MAILER_ORGANISATION", lambda: _("Who the mails and pages are from"), lambda one: one.organisation),
    ("MAILER_SENDER", lambda: _("The sender of mails"), lambda one: one.sender),
    ("MAILER_BASE_URL", lambda: _("What links in mails begin with"), lambda one: one.base_url),
    ("MAILER_TIME_ZONE", lambda: _("The zone of times in mails to organisers"), lambda one: one.time_zone),
    ("MAILER_SMTP_RATE", lambda: _("Most mails a second"), lambda one: one.smtp_rate or _("no limit")),
    ("MAILER_SMTP_CONNECTIONS", lambda: _("Connections of each worker"), lambda one: one.smtp_connections),
)


def see() -> str:
    """What is set, the keys by their names, and what could be better set."""
    settings = site().settings
    keys = settings.keyring
    shown = [(variable, words(), value(settings)) for variable, words, value in _SHOWN]
    others = settings.given - {variable for variable, _words, _value in _SHOWN} - set(KEY_VARIABLES)
    with site().session(read_only=True) as session:
        months = unread.count(session, today=utctoday())
    return render_template(
        "desk/installation/see.html",
        shown=shown,
        others=sorted(each for each in others if each.startswith("MAILER_")),
        secret_keys=[key.id for key in keys.secret_keys],
        link_keys=[key.id for key in keys.link_keys],
        findings=glance.take(settings),
        meaning=finding_words.meaning,
        months=[format_date(date.fromisoformat(f"{each.month}-01"), "LLL y") for each in months],
        unread=[(terms.unread(why), [each.numbers[why] for each in months]) for why in Unread],
    )
