"""Housekeeping: what has to go, or to begin again, when its time has come, though nobody asks for it."""

from sqlalchemy import Engine

from mailer.campaigns import acts, signatures, text_versions
from mailer.cases import target_reports
from mailer.delivery import forgetting
from mailer.kits import announcements, making, pages
from mailer.organisers import account_mails, attempts, browsers, desk_sessions, invitations
from mailer.people import failed_notices, mailed_links, notices, replies, returned, subscribers, tallies, unread
from mailer.reports import figures
from mailer.spreadsheets import uploads
from mailer.store import audit
from mailer.store.db import empty_log, session_scope

_AT_ONCE = 5_000


def tidy(engine: Engine) -> None:
    """Forget what has run out, send again to those whose pause is over, chain the audit log, and keep the figures of
    campaigns. May be called as often as one likes.

    Each in a transaction of its own, so that who signs up at that moment waits for none of it long. What was deleted
    until then, also by others, can afterwards be read in no file of the database; where that is busy, next time.

    :raises DatabaseUnavailable: what was done before stays done.
    """
    for task in (
        mailed_links.forget_expired,
        replies.forget,
        notices.forget_settled,
        failed_notices.forget_whom,
        returned.forget_old,
        tallies.forget_old,
        unread.forget,
        subscribers.end_pauses,
        pages.forget_old,
        making.drop_names,
        announcements.forget_hours,
        target_reports.forget_old,
        text_versions.forget,
        desk_sessions.forget_ended,
        attempts.forget_old,
        account_mails.forget_old,
        browsers.forget_old,
        invitations.forget_old,
        uploads.forget_old,
        audit.chain,
    ):
        with session_scope(engine) as session:
            task(session)
    figures.keep(engine)  # while it is still known at which hour what went out
    _forget_who_acted(engine)
    _drop_names_at_home(engine)
    forgetting.forget_order(engine)
    empty_log(engine)


def _forget_who_acted(engine: Engine) -> None:
    """Take people out of what was done for campaigns whose time to know it is over; the numbers stay."""
    with session_scope(engine, read_only=True) as session:
        due = acts.to_forget(session)
    for campaign_id in due:
        is_left = True
        while is_left:  # a few at a time: nobody who acts on another campaign waits long
            with session_scope(engine) as session:
                is_left = acts.forget_who(session, campaign_id, most=_AT_ONCE) == _AT_ONCE
    if due:
        _drop_who_is_known_for_nothing(engine)


def _drop_who_is_known_for_nothing(engine: Engine) -> None:
    """Delete people who only signed, once that is forgotten."""
    with session_scope(engine, read_only=True) as session:
        people = subscribers.known_for_nothing(session)
    for start in range(0, len(people), _AT_ONCE):
        with session_scope(engine) as session:
            subscribers.drop(session, people[start : start + _AT_ONCE])


def _drop_names_at_home(engine: Engine) -> None:
    """Delete the names of those who signed and live where the authorities are since they moved, or a case was
    corrected."""
    with session_scope(engine, read_only=True) as session:
        at_home = signatures.at_home(session)
    for start in range(0, len(at_home), _AT_ONCE):
        with session_scope(engine) as session:
            signatures.drop(session, at_home[start : start + _AT_ONCE])
