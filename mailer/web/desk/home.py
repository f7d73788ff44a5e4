"""Home: what needs me now."""

from datetime import timedelta

from flask import render_template

from mailer.campaigns import listing
from mailer.organisers import accounts, requests
from mailer.organisers.roles import Permission
from mailer.people import small_numbers
from mailer.reports import attention, days
from mailer.store.db import utctoday
from mailer.store.models import CampaignStatus
from mailer.web.desk import situations
from mailer.web.desk.visit import visit
from mailer.web.site import site

_WEEK = timedelta(days=6)  # before today
_MOST_DRAFTS = 5  # the newest


def see() -> str:
    """What needs whoever looks, as far as they may see it."""
    may = visit().may
    sees_all, sees_totals = may(Permission.SEE_CAMPAIGNS), may(Permission.SEE_TOTALS)
    with site().session(read_only=True) as session:
        looked = attention.look(session) if sees_totals else None
        week = days.sign_ups(session, utctoday() - _WEEK) if sees_totals else None
        paused = looked.paused if looked and sees_all else []
        names = accounts.names(session, {each.account_id for each in paused if each.account_id is not None})
        drafts = listing.page(session, status=CampaignStatus.DRAFT, most=_MOST_DRAFTS) if _writes_or_sends() else None
        shown = [*looked.going_out, *looked.scheduled, *looked.paused] if looked else []
        ids = [*(each.id for each in shown), *(each.id for each in (drafts.campaigns if drafts else ()))]
        where = situations.of(session, ids)
        is_new = not listing.by_status(session)
        to_approve = listing.slugs(session, situations.waiting(session) if may(Permission.APPROVE) else ())
        returned = requests.sent_back_to(session, visit().account_id) if may(Permission.ASK_APPROVAL) else []
    confirmed = week and (week.confirmed if sees_all else small_numbers.hide_one(week.confirmed))
    return render_template(
        "desk/home/see.html",
        looked=looked,
        is_new=is_new,
        names=names,
        to_approve=to_approve,
        drafts=drafts,
        where=where,
        returned=returned,
        sees_all=sees_all,
        confirmed=confirmed,
        most_counted=attention.MOST_COUNTED,
    )


def _writes_or_sends() -> bool:
    return visit().may(Permission.WRITE) or visit().may(Permission.SEND)
