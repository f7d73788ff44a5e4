"""Asking: whether people are asked to act, as the program and the database have it."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import asking, deadlines, kinds
from mailer.store import scope
from mailer.store.models import Asking, Campaign, CaseStatus
from tests.support.factories import make_campaign, make_case, make_list, make_union


@pytest.mark.parametrize("kind", list(kinds.KINDS))
@pytest.mark.parametrize("status", [None, *CaseStatus])
def test_program_and_database_agree_on_whether_people_are_asked_to_act(
    session: Session, kind: str, status: CaseStatus | None
) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.kind = kind
    if status is not None:
        campaign.case = make_case(session)
        campaign.case.status = status
    for decided in Asking:
        campaign.asking = decided
        session.flush()
        require_agreement(session, campaign)


@pytest.mark.parametrize("kind", list(kinds.KINDS))
def test_whoever_may_not_see_a_case_takes_no_campaign_about_it_for_open(session: Session, kind: str) -> None:
    union, campaign = make_union(session, "dockers"), make_campaign(session, make_list(session))
    campaign.mailing_list.owner_id, campaign.kind = union.id, kind
    campaign.case = make_case(session)
    campaign.case.status = CaseStatus.STOPPED
    session.commit()
    with Session(session.get_bind()) as limited:
        scope.limit(limited, union.id)
        found = limited.get_one(Campaign, campaign.id)
        assert asking.of(found) is (Asking.CLOSED if kinds.of(found).asks else Asking.OPEN)
        require_agreement(limited, found)


def require_agreement(session: Session, campaign: Campaign) -> None:
    is_open = asking.of(campaign) is Asking.OPEN
    for condition, holds in (
        (asking.is_open(), is_open and kinds.of(campaign).asks),
        (asking.has_ended(), not is_open),
        (deadlines.still_holds(session), is_open),
    ):
        assert (session.scalar(select(Campaign.id).where(condition)) is not None) is holds


@pytest.mark.parametrize(
    ("decided", "status", "found"),
    [
        (Asking.OPEN, CaseStatus.OPEN, Asking.OPEN),
        (Asking.OPEN, CaseStatus.STOPPED, Asking.STOPPED),
        (Asking.OPEN, CaseStatus.CLOSED, Asking.CLOSED),
        (Asking.CLOSED, CaseStatus.STOPPED, Asking.STOPPED),
        (Asking.STOPPED, CaseStatus.CLOSED, Asking.STOPPED),
        (Asking.WITHDRAWN, CaseStatus.STOPPED, Asking.WITHDRAWN),
    ],
)
def test_of_what_is_decided_of_a_campaign_and_of_its_case_the_stronger_counts(
    session: Session, decided: Asking, status: CaseStatus, found: Asking
) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.case, campaign.asking = make_case(session), decided
    campaign.case.status = status
    session.flush()
    assert asking.of(campaign) is found


@pytest.mark.parametrize(
    ("decided", "status", "way_back"),
    [
        (Asking.STOPPED, CaseStatus.STOPPED, "mailer campaigns reopen free-the-five"),
        (Asking.OPEN, CaseStatus.STOPPED, "mailer cases reopen leila"),
        (Asking.WITHDRAWN, CaseStatus.OPEN, "under another name"),
    ],
)
def test_the_way_back_begins_with_what_was_decided_of_the_campaign(
    session: Session, decided: Asking, status: CaseStatus, way_back: str
) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.case, campaign.asking = make_case(session), decided
    campaign.case.status = status
    session.flush()
    assert asking.way_back(campaign).endswith(f"{way_back}{'.' if decided is Asking.WITHDRAWN else ''}")
