"""What is true of a campaign now is found out in one way, for one of them and for many."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.organisers import approvals, content, whereabouts
from mailer.organisers.approvals import State
from mailer.organisers.whereabouts import Acting, Whereabouts
from mailer.store import db
from mailer.store.models import Asking, Campaign, CampaignStatus, CaseStatus, Role
from tests.support.accounts import make_account, make_publisher
from tests.support.cases import make_case
from tests.support.factories import SENDER, make_campaign, make_list

S = CampaignStatus


@pytest.mark.parametrize(
    ("own", "of_case", "kind", "found", "is_by_case"),
    [
        (Asking.OPEN, CaseStatus.OPEN, "urgent_action", Asking.OPEN, False),
        (Asking.STOPPED, CaseStatus.OPEN, "urgent_action", Asking.STOPPED, False),
        (Asking.OPEN, CaseStatus.STOPPED, "urgent_action", Asking.STOPPED, True),
        (Asking.CLOSED, CaseStatus.STOPPED, "urgent_action", Asking.STOPPED, True),
        (Asking.STOPPED, CaseStatus.CLOSED, "urgent_action", Asking.STOPPED, False),
        (Asking.OPEN, CaseStatus.CLOSED, "urgent_action", Asking.CLOSED, True),
        (Asking.WITHDRAWN, CaseStatus.STOPPED, "urgent_action", Asking.WITHDRAWN, False),
        (Asking.OPEN, CaseStatus.STOPPED, "stop", Asking.OPEN, False),
    ],
)
def test_what_has_ended_is_said_of_the_campaign_or_of_its_case_whichever_counts(
    session: Session, own: Asking, of_case: CaseStatus, kind: str, found: Asking, is_by_case: bool
) -> None:
    case = make_case(session)
    case.status = of_case
    campaign = make_campaign(session, make_list(session), status=S.SENT)
    campaign.asking, campaign.kind, campaign.case = own, kind, case
    session.flush()
    one = whereabouts.of(campaign)
    assert one == Whereabouts(S.SENT, found, is_by_case, None)
    assert whereabouts.of_several(session, [campaign.id], {}) == {campaign.id: one}
    assert one.ended_well == (found in (Asking.OPEN, Asking.CLOSED))


def test_how_it_stands_with_whoever_approves_is_said_of_what_was_asked_for_and_is_still_to_go(session: Session) -> None:
    people = make_list(session)
    writer = make_account(session, "wanda@example.org", Role.WRITER)
    petra = make_publisher(session, "petra")
    campaigns = {
        slug: make_campaign(session, people, slug=slug) for slug in ("new", "asked", "approved", "lapsed", "sent")
    }
    for each in list(campaigns.values())[1:]:
        approvals.ask(session, each, writer, None, at=db.now(session), sender=SENDER)
    for each in list(campaigns.values())[2:]:
        shown = content.of(session, each, SENDER).hash
        approvals.approve(session, each, petra, shown, None, at=db.now(session), sender=SENDER)
    campaigns["lapsed"].texts[0].subject = "Another one"
    campaigns["sent"].status, campaigns["sent"].started_at = S.SENT, db.now(session)
    session.flush()
    ids = [each.id for each in campaigns.values()]
    found = whereabouts.of_several(session, ids, whereabouts.approvals_of(session, ids, SENDER))
    assert {slug: found[each.id].approval for slug, each in campaigns.items()} == {
        "new": None,
        "asked": State.WAITING,
        "approved": State.APPROVED,
        "lapsed": State.LAPSED,
        "sent": None,
    }
    assert {each.approval for each in whereabouts.of_several(session, ids, {}).values()} == {None}


def campaign_of(session: Session, **columns: object) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=S.SENT)
    campaign.started_at = db.now(session) - timedelta(days=2)
    for name, value in columns.items():
        setattr(campaign, name, value)
    session.flush()
    return campaign


@pytest.mark.parametrize(("days", "is_over"), [(2, False), (-1, True)])
def test_people_can_act_until_the_deadline_also_once_all_mails_are_out(
    session: Session, days: int, is_over: bool
) -> None:
    deadline = db.now(session) + timedelta(days=days)
    campaign = campaign_of(session, deadline=deadline)
    assert whereabouts.acting(session, campaign) == Acting(deadline, is_over)


def test_without_a_deadline_they_can_for_thirty_days(session: Session) -> None:
    campaign = campaign_of(session)
    assert campaign.started_at is not None
    assert whereabouts.acting(session, campaign) == Acting(campaign.started_at + timedelta(days=30), is_over=False)


@pytest.mark.parametrize("columns", [{"kind": "update"}, {"asking": Asking.STOPPED}])
def test_nobody_can_act_on_what_asks_nothing_or_asks_no_more(session: Session, columns: dict[str, object]) -> None:
    assert whereabouts.acting(session, campaign_of(session, **columns)) is None
