"""The gate: what a case says against sending a campaign, at each moment at which it could go out."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import gate
from mailer.campaigns.gate import Level, Refused
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.delivery import control
from mailer.store import db, scope
from mailer.store.models import Campaign, CampaignStatus, Case, CaseFact, CaseStatus, Certainty
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber, make_union


@pytest.fixture
def case(session: Session) -> Case:
    """A case of which we may speak."""
    case = cases.find_or_make(
        session,
        "leila",
        country="BR",
        public=True,
        persons=[],
        asks={},
        copy_to=[],
        contact=[],
        outcome={},
        never=["Amal Odeh"],
        notes=None,
    )
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    case.facts.append(fact(today(session)))
    return case


@pytest.fixture
def campaign(session: Session, case: Case) -> Campaign:
    """A draft about it, and somebody to send it to."""
    urgent = make_list(session)
    make_subscriber(session, urgent)
    campaign = make_campaign(session, urgent)
    campaign.case = case
    session.flush()
    return campaign


def today(session: Session) -> date:
    return db.now(session).date()


def fact(checked_on: date, good_for: int = 30) -> CaseFact:
    return CaseFact(
        text="She is held at the port.",
        source="her lawyer",
        certainty=Certainty.KNOWN,
        checked_on=checked_on,
        good_for=good_for,
    )


def codes(session: Session, campaign: Campaign) -> list[str]:
    return [finding.code for finding in gate.findings(session, campaign)]


def start(session: Session, campaign: Campaign) -> None:
    control.start(session, campaign, SENDER)


def schedule(session: Session, campaign: Campaign) -> None:
    control.schedule(session, campaign, db.now(session) + timedelta(hours=1))


def resume(session: Session, campaign: Campaign) -> None:
    campaign.status = CampaignStatus.PAUSED
    control.resume(session, campaign, SENDER)


def test_a_campaign_about_a_case_of_which_we_may_speak_goes_out(session: Session, campaign: Campaign) -> None:
    assert codes(session, campaign) == []
    start(session, campaign)
    assert campaign.status is CampaignStatus.SENDING


@pytest.mark.parametrize("move", [start, schedule, resume])
def test_nothing_goes_out_without_consent_until_it_is_recorded(
    session: Session, campaign: Campaign, case: Case, move: Callable[[Session, Campaign], None]
) -> None:
    cases.withdraw_consent(session, case, "the family is afraid")
    session.commit()
    with pytest.raises(Refused, match=r"nobody has agreed that we speak of it\. Ask, and record the answer"):
        move(session, campaign)
    session.rollback()
    assert codes(session, campaign) == ["consent-missing"]
    cases.record_consent(session, case, Consent(ConsentBy.LAWYER, today(session)))
    move(session, campaign)
    assert campaign.status in (CampaignStatus.SENDING, CampaignStatus.SCHEDULED)


def test_consent_holds_through_its_last_day(session: Session, campaign: Campaign, case: Case) -> None:
    for days, found in ((0, []), (-1, ["consent-past"])):
        until = today(session) + timedelta(days=days)
        cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5), until))
        assert codes(session, campaign) == found


def test_a_fact_is_good_for_its_days_and_no_longer(session: Session, campaign: Campaign, case: Case) -> None:
    case.facts[0].checked_on = today(session) - timedelta(days=30)
    assert codes(session, campaign) == []
    case.facts.append(fact(today(session) - timedelta(days=8), good_for=7))
    assert codes(session, campaign) == ["fact-stale"]
    [finding] = gate.findings(session, campaign)
    assert "fact 2 was last checked on" in finding.what
    assert "port" not in str(finding)


@pytest.mark.parametrize("status", [CaseStatus.STOPPED, CaseStatus.CLOSED])
def test_nothing_goes_out_on_a_case_that_is_not_open(
    session: Session, campaign: Campaign, case: Case, status: CaseStatus
) -> None:
    case.status = status
    with pytest.raises(Refused, match=f"case leila: the case is {status}"):
        start(session, campaign)


@pytest.mark.parametrize(
    ("part", "text", "where"),
    [
        ("subject", "Free Amal Odeh's friend", "en.md, subject"),
        ("preheader", "AMAL  ODEH saw it", "en.md, preheader"),
        ("body", "Dear all,\n\nAm**al** Odeh saw it.\n", "en.md:7"),
    ],
)
def test_a_word_that_must_not_appear_is_found_in_each_part_of_a_text_and_never_shown(
    session: Session, campaign: Campaign, part: str, text: str, where: str
) -> None:
    [written] = campaign.texts
    was = getattr(written, part)
    setattr(written, part, text)
    written.body_line = 5
    [finding] = gate.findings(session, campaign)
    assert (finding.code, finding.where) == ("never", where)
    with pytest.raises(Refused) as refused:
        start(session, campaign)
    assert "amal" not in str(refused.value).lower() and "odeh" not in str(refused.value).lower()
    setattr(written, part, was)
    assert codes(session, campaign) == []


def test_a_word_that_must_not_appear_is_found_in_a_target_and_in_the_slug(session: Session, campaign: Campaign) -> None:
    campaign.targets = [{"countries": [], "name": "Amal Odeh", "email": "", "address": ""}]
    campaign.slug = "free-amal-odeh"
    wheres = [finding.where for finding in gate.findings(session, campaign)]
    assert wheres == ["campaign.toml, [[targets]]", "the name of the campaign's folder"]


def test_a_deadline_within_48_hours_is_only_warned_of(session: Session, campaign: Campaign) -> None:
    campaign.deadline = db.now(session) + timedelta(hours=47)
    [finding] = gate.findings(session, campaign)
    assert (finding.level, finding.code) == (Level.WARNING, "deadline-near")
    gate.require(session, campaign)


def test_a_campaign_without_a_case_is_left_alone(session: Session, campaign: Campaign, case: Case) -> None:
    cases.withdraw_consent(session, case, "why")
    campaign.case = None
    session.flush()
    assert codes(session, campaign) == []


def test_a_session_that_sees_no_case_sends_nothing_about_one(session: Session, campaign: Campaign) -> None:
    owner = make_union(session, "dockers")
    campaign.mailing_list.owner_id = owner.id
    session.commit()
    with Session(session.get_bind()) as limited:
        scope.limit(limited, owner.id)
        assert codes(limited, limited.get_one(Campaign, campaign.id)) == ["case-unseen"]
