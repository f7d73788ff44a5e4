"""Everything at once: a press on every page pauses all that goes out. Nothing may stand in its way."""

from collections.abc import Sequence
from typing import Any

from flask import redirect, render_template
from sqlalchemy.orm import Session

from mailer.delivery import standstill
from mailer.errors import ServiceUnavailable
from mailer.organisers import accounts, whereabouts
from mailer.organisers.roles import Permission
from mailer.reports import attention
from mailer.web.desk.recent import recent
from mailer.web.desk.visit import record, visit, visitor
from mailer.web.language import url
from mailer.web.site import site

#: kept in clear: who said so, and when, stands beside it
_REASON = "everything was paused"


def number_under_way() -> int | None:
    """How many campaigns the press on every page would pause, for whoever may press it; None if that cannot be learned:
    the press is there all the same."""

    def count() -> int:
        with site().session(read_only=True) as session:
            return attention.under_way(session)

    try:
        return int(recent("under way").get("all", count))
    except ServiceUnavailable:
        return None


def is_offered() -> bool:
    """Whether the press stands on this page."""
    who = visitor()
    return who is not None and who.may(Permission.PAUSE)


def pause_everything() -> Any:
    """Pause everything that is under way or scheduled."""

    def note(session: Session, slugs: Sequence[str]) -> None:
        for slug in slugs:
            record(session, "campaigns.pause", slug, details={"all": True})

    standstill.pause_everything(site().session, reason=_REASON, account_id=visit().account_id, note=note)
    return redirect(url("desk.stopping.see"), 303)


def see() -> str:
    """What is paused, and how it goes on; and what goes out still, or again."""
    with site().session(read_only=True) as session:
        moving = attention.moving_campaigns(session)
        paused = [each for each in moving if each.status == "paused"]
        where = whereabouts.of_several(session, [each.id for each in moving], {})  # a stop waits for no approval
        names = accounts.names(session, {each.account_id for each in paused if each.account_id is not None})
    going = [each for each in moving if each.status != "paused"]
    return render_template("desk/stopping/see.html", paused=paused[::-1], going=going, names=names, where=where)
