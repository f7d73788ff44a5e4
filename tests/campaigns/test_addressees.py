"""A campaign that asks for a role goes out only if somebody has it, and its targets are looked at like its texts."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import gate, readiness
from mailer.campaigns.readiness import Refused
from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.delivery import control
from mailer.store import db
from mailer.store.models import Campaign, TargetRole
from tests.support.cases import make_case
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber

EMBASSY = TargetRole.EMBASSY


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A draft about a case, with somebody to send it to, that asks for the embassy."""
    urgent = make_list(session)
    make_subscriber(session, urgent)
    campaign = make_campaign(session, urgent, body="Write. Ring +44 1632 960960.\n")
    campaign.case, campaign.about, campaign.ask = make_case(session), "BR", ["embassy"]
    session.flush()
    return campaign


def put(session: Session, name: str, about: str = "BR") -> None:
    known = Target((), name, "e@example.org", "", slug="embassy", role=EMBASSY, about=about, phone="+44 1632 960960")
    target_book.put(session, known)


def codes(session: Session, campaign: Campaign) -> list[str]:
    return [each.code for each in readiness.findings(session, campaign) if each.code in ("role-missing", "never")]


def test_nothing_is_sent_while_nobody_has_a_role_that_it_asks_for(session: Session, campaign: Campaign) -> None:
    put(session, "Embassy", about="FR")
    assert codes(session, campaign) == ["role-missing"]
    with pytest.raises(Refused, match="target of role embassy, and there is none"):
        control.start(session, campaign, SENDER)
    put(session, "Embassy")
    assert codes(session, campaign) == []
    put(session, "Embassy", about="FR")
    campaign.started_at = db.now(session)
    assert codes(session, campaign) == [], "it is going out: a target that is lost then stops nothing"


def test_a_word_that_must_not_appear_is_found_in_a_target_that_it_asks_for(
    session: Session, campaign: Campaign
) -> None:
    assert campaign.case
    put(session, "Embassy, for Amal Odeh")
    campaign.case.never = ["Amal Odeh"]
    assert [finding.where for finding in gate.findings(session, campaign)] == ["target embassy"]
    campaign.ask = []
    assert list(gate.findings(session, campaign)) == []


def test_the_number_of_a_target_is_no_strangers(session: Session, campaign: Campaign) -> None:
    def warned() -> bool:
        return "unknown-telephone" in [each.code for each in readiness.check(session, campaign).findings]

    campaign.public = True
    assert warned()
    put(session, "Embassy")
    assert not warned()
