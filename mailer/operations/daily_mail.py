"""The daily mail: once each morning organisers hear in counts what happened, if anything did."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from babel.numbers import format_decimal

from mailer.locale import languages, translations
from mailer.people import organisers, small_numbers
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import Organisers
from mailer.reports import days
from mailer.reports.days import Happened
from mailer.store import db
from mailer.store.db import Sessions
from mailer.store.models import DailyMail

#: the hour by the organisers' clock; no zone leaves it out, or has it twice, when clocks change
MORNING = time(7)
_ONLY_ROW = 1


def owe(sessions: Sessions, to: Organisers) -> None:
    """Owe organisers the mail of this morning, unless somebody has. May be called as often as one likes.

    It is about all whole days since the one before. So after some days on which nothing ran there is one mail. The
    first morning says nothing: it is not known since when.
    """
    if not to.addresses:
        return
    with sessions(read_only=True) as session:  # counting takes a while, and on SQLite nobody else could write
        until = _told_by(db.now(session), to.zone)
        known = session.get(DailyMail, _ONLY_ROW)
        if until is None or (known is not None and known.told_until >= until):
            return
        happened = days.look(session, known.told_until if known else until, until)
    with sessions() as session:
        if known is None:
            db.insert_unless_there(session, DailyMail(id=_ONLY_ROW, told_until=until, complaints=happened.complaints))
            return
        row = session.get_one(DailyMail, _ONLY_ROW, with_for_update=True, populate_existing=True)
        if row.told_until != known.told_until:
            return  # another worker was faster
        words = _words(happened, max(0, happened.complaints - row.complaints), to.language)
        row.told_until, row.complaints = until, happened.complaints
        if words:
            which = _which_days(known.told_until, until - timedelta(days=1), to.language)
            organisers.tell(session, to, Notice(NoticeKind.DAILY, words=words | which))


def _told_by(now: datetime, zone: tzinfo) -> date | None:
    """The first day, in UTC, that is not over when the mail of today is due; None before that."""
    local = now.astimezone(zone)
    morning = datetime.combine(local.date(), MORNING, zone).astimezone(UTC)
    return morning.date() if now >= morning else None


def _words(happened: Happened, complained: int, language: str) -> dict[str, str]:
    """What the mail prints; nothing where nothing happened and nothing waits. Small numbers of people are hidden, since
    a mail goes a long way."""
    locale = languages.locale(language)
    people = {
        "asked": happened.asked,
        "confirmed": happened.confirmed,
        "left": happened.left,
        "sent": happened.sent,
        "refused": happened.refused,
        "complained": complained,
    }
    hidden = translations.gettext_for(language)("under 10")
    words = {
        name: hidden if small_numbers.hide_one(count) is None else format_decimal(count, locale=locale)
        for name, count in people.items()
        if count
    }
    if happened.applications:
        words["applications"] = format_decimal(happened.applications, locale=locale)
        words["applications_command"] = "mailer unions applications"
    if happened.paused:
        words["paused"] = format_decimal(happened.paused, locale=locale)
        words["paused_command"] = "mailer campaigns list"
    return words


def _which_days(first: date, last: date, language: str) -> dict[str, str]:
    if first == last:
        return {"day": languages.day(first, language)}
    return {"since": languages.day(first, language), "until": languages.day(last, language)}
