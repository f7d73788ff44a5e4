"""Standstill: everything is paused at once, whoever does something else with it at the same moment."""

import logging
from collections.abc import Sequence
from functools import partial

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import Move
from mailer.delivery.stopping import Note, OnRetry, insist, unnoted, warn
from mailer.store.db import Sessions
from mailer.store.models import Campaign, CampaignStatus

log = logging.getLogger(__name__)

_S = CampaignStatus
#: what goes out, or may in a moment: somebody may be starting a draft, resuming what is paused, or sending again
_MAY_GO_OUT = select(Campaign.id).where(Campaign.status.not_in([_S.CANCELLED, _S.STANDING]))


def pause_everything(
    sessions: Sessions, *, reason: str, account_id: int | None = None, note: Note = unnoted, on_retry: OnRetry = warn
) -> Sequence[str]:
    """Pause everything that is under way or scheduled, and what is being started at this moment.

    What nobody holds is paused first, and that is committed: what is under way waits for nothing. Then each of the
    others, once whoever starts or changes it lets go.

    :param reason: that an organiser is shown; kept in clear.
    :param account_id: who does it, if somebody at the desk.
    :param on_retry: as for `insist`.
    :returns: the slugs of what was paused.
    :raises DatabaseUnavailable: as for `insist`.
    """

    def pause(session: Session, *which: ColumnElement[bool]) -> list[str]:
        paused = lifecycle.move_all(
            session, Move.PAUSE, *which, **lifecycle.held(session, reason, account_id=account_id)
        )
        note(session, paused)
        return paused

    def pause_free(session: Session) -> tuple[list[str], list[int]]:
        all_ids = session.scalars(_MAY_GO_OUT).all()
        free = session.scalars(_MAY_GO_OUT.with_for_update(key_share=True, skip_locked=True)).all()
        return pause(session, Campaign.id.in_(free)), sorted(set(all_ids) - set(free))

    def pause_once_free(session: Session, campaign_id: int) -> list[str]:
        session.scalar(select(Campaign.id).where(Campaign.id == campaign_id).with_for_update(key_share=True))
        return pause(session, Campaign.id == campaign_id)

    paused, held = insist(sessions, pause_free, on_retry=on_retry)
    for campaign_id in held:
        paused += insist(sessions, partial(pause_once_free, campaign_id=campaign_id), on_retry=on_retry)
    log.info("everything paused", extra={"paused": len(paused)})
    return sorted(paused)
