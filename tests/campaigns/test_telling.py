"""What readers are told of a campaign on which nobody is to act any more."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import telling
from mailer.cases.sayable import Words
from mailer.store.models import Asking, Campaign, CampaignStatus, Case, CaseEventKind
from tests.support.cases import REASON, decide, make_case
from tests.support.factories import make_campaign, make_list

STOPPED, REOPENED, CLOSED = CaseEventKind.STOPPED, CaseEventKind.REOPENED, CaseEventKind.CLOSED


@pytest.fixture
def case(session: Session) -> Case:
    return make_case(session, never=["Amal Odeh"])


@pytest.fixture
def campaign(session: Session, case: Case) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.case = case
    session.commit()
    return campaign


def test_a_stop_of_the_case_or_of_the_campaign_is_told_with_its_reason_and_its_moment(
    session: Session, campaign: Campaign, case: Case
) -> None:
    assert telling.of(session, campaign, "fr") == telling.Told(Asking.OPEN)
    stop = decide(session, case, STOPPED, REASON)
    assert telling.of(session, campaign, "fr") == telling.Told(
        Asking.STOPPED, stop.created_at, Words("fr", REASON["fr"])
    )
    reopened = decide(session, case, REOPENED)
    assert telling.of(session, campaign, "fr") == telling.Told(Asking.OPEN, reopened.created_at)
    own = decide(session, campaign, STOPPED, {"en": "This one alone."})
    assert telling.of(session, campaign, "fr") == telling.Told(
        Asking.STOPPED, own.created_at, Words("en", "This one alone.")
    )


def test_a_reason_that_holds_what_must_not_appear_is_not_told(session: Session, campaign: Campaign, case: Case) -> None:
    decide(session, case, STOPPED, {"en": "Amal-Odeh was seen.", "fr": "Elle a été vue."})
    for language in ("en", "fr"):
        told = telling.of(session, campaign, language)
        assert (told.asking, told.words) == (Asking.STOPPED, None)


def test_how_a_case_ended_is_told_of_its_campaigns(session: Session, campaign: Campaign, case: Case) -> None:
    case.outcome = {"en": "She is free.", "fr": "Elle est libre."}
    closed = decide(session, case, CLOSED)
    assert telling.of(session, campaign, "fr") == telling.Told(
        Asking.CLOSED, closed.created_at, Words("fr", "Elle est libre.")
    )


def test_news_of_a_case_stays_as_it_is_whatever_the_case_does(session: Session, campaign: Campaign, case: Case) -> None:
    campaign.kind = "update"
    decide(session, case, STOPPED, REASON)
    assert telling.of(session, campaign, "en") == telling.Told(Asking.OPEN)


def test_another_campaigns_stop_says_nothing_of_this_one(session: Session, campaign: Campaign, case: Case) -> None:
    other = make_campaign(session, campaign.mailing_list, slug="another")
    other.case = case
    decide(session, other, STOPPED, REASON)
    told = telling.of_all(session, [campaign, other], "en")
    assert told[campaign.id] == telling.Told(Asking.OPEN)
    assert told[other.id].words == Words("en", REASON["en"])
