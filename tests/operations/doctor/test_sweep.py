"""That no worker sweeps is seen by what is overdue."""

from datetime import timedelta

from sqlalchemy.orm import Session

from mailer.operations.doctor import sweep
from mailer.store import db
from mailer.store.models import Campaign, CampaignStatus, Claim
from tests.support import factories


def codes(session: Session) -> list[str]:
    return [finding.code for finding in sweep.look(session).findings]


def campaign(session: Session) -> Campaign:
    made = factories.make_campaign(session, factories.make_list(session))
    session.flush()
    return made


def test_a_campaign_whose_time_came_long_ago_has_been_missed(session: Session) -> None:
    scheduled = campaign(session)
    scheduled.status = CampaignStatus.SCHEDULED
    for minutes, found in ((-60, []), (1, []), (10, ["sweep-missing"])):
        scheduled.scheduled_at = db.now(session) - timedelta(minutes=minutes)
        session.flush()
        assert codes(session) == found


def test_a_claim_that_ran_out_long_ago_is_missed_unless_somebody_vouches_for_it(session: Session) -> None:
    now = db.now(session)
    claim = Claim(campaign_id=campaign(session).id, worker="w", journal="j", expires_at=now - timedelta(minutes=10))
    session.add(claim)
    session.flush()
    assert codes(session) == ["sweep-missing"]
    claim.stalled_until = now + timedelta(minutes=1)
    session.flush()
    assert codes(session) == []
