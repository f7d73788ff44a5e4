"""A campaign that asks for a role goes out only if somebody has it, and its targets are looked at like its texts."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import addressees, gate, readiness
from mailer.campaigns.readiness import Refused
from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.delivery import control
from mailer.spreadsheets import targets as target_csv
from mailer.store import db
from mailer.store.models import Campaign, HomeRule, TargetRole
from tests.support.cases import make_case
from tests.support.factories import SENDER, WHEN, make_campaign, make_list, make_subscriber

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
    target_book.put(session, replace(target_book.get(session, "embassy"), email="", phone=""))
    assert codes(session, campaign) == ["role-missing"], "there is no way to write to it"
    put(session, "Embassy", about="FR")
    campaign.started_at = db.now(session)
    assert codes(session, campaign) == [], "it is going out: a target that is lost then stops nothing"


def test_nothing_is_sent_while_somebody_has_nobody_to_write_to(session: Session, campaign: Campaign) -> None:
    campaign.home = campaign.unknown_home = HomeRule.INCLUDE
    known = Target(("FR",), "Embassy", "e@example.org", "", slug="embassy", role=EMBASSY, about="BR")
    target_book.put(session, known)
    for country in ("FR", "IE", "BR", None):
        make_subscriber(session, campaign.mailing_list, country=country)

    def missing() -> list[tuple[str, str]]:
        found = readiness.check(session, campaign).findings
        return [(each.level, each.what) for each in found if each.code in ("target-missing", "no-link")]

    what = "people are asked to write to targets, but there is none for "
    assert missing() == [("error", f"{what}Ireland, United Kingdom, people whose country is not known")]
    campaign.targets = [{"countries": ["GB"], "name": "London", "email": "l@example.org", "address": ""}]
    campaign.audience = {"exclude_countries": ["FR"]}
    assert missing() == [("error", f"{what}Ireland, people whose country is not known")]
    with pytest.raises(Refused, match="none for Ireland"):
        control.start(session, campaign, SENDER)
    campaign.started_at = db.now(session)
    assert missing() == [("warning", f"{what}Ireland, people whose country is not known")]
    target_book.put(session, replace(known, countries=()))
    assert missing() == []


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


def warned(session: Session, campaign: Campaign) -> dict[str, str]:
    """What is said of targets that somebody should verify: code → which."""
    found = readiness.check(session, campaign).findings
    return {each.code: each.where for each in found if each.code in ("target-stale", "target-doubtful")}


def test_targets_that_it_asks_for_and_nobody_made_sure_of_are_pointed_out_also_while_it_goes_out(
    session: Session, campaign: Campaign
) -> None:
    put(session, "Embassy")
    target_book.put(session, Target((), "MP", "mp@example.org", "", slug="mp", role=TargetRole.REPRESENTATIVE))
    assert warned(session, campaign) == {"target-stale": "target embassy"}
    target_book.verify(session, "embassy", "Ana")
    assert warned(session, campaign) == {}
    row = target_book.hold(session, "embassy")
    row.doubts = [1, 15]
    assert warned(session, campaign) == {}
    row.doubts, campaign.started_at = [1, 4, 15], db.now(session)
    assert warned(session, campaign) == {"target-doubtful": "target embassy"}
    today = db.now(session).date()
    row.verified_on = today - timedelta(days=target_book.GOOD_FOR)
    assert warned(session, campaign) == {"target-doubtful": "target embassy"}
    row.verified_on = today - timedelta(days=target_book.GOOD_FOR + 1)
    assert warned(session, campaign).keys() == {"target-stale", "target-doubtful"}


def test_of_many_such_targets_the_first_are_named_and_all_are_counted() -> None:
    many = [Target((), "", "", "", slug=f"embassy-{number:02}") for number in range(26)]
    (finding,) = addressees.warnings(many, WHEN.date())
    assert finding.where == "26 targets (embassy-00, embassy-01, embassy-02, embassy-03, embassy-04, …)"
    assert "mailer targets verify SLUG" in finding.remedy
    (finding,) = addressees.warnings(many[:5], WHEN.date())
    assert finding.where.endswith("embassy-04)")


def test_a_target_that_loses_its_last_address_while_a_campaign_goes_out_stops_nothing(
    session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    put(session, "Embassy")
    control.start(session, campaign, SENDER)
    file = tmp_path / "targets.csv"
    file.write_text("slug,email,phone\nembassy,-,-\n")
    report = target_csv.import_file(session, file, update=True)
    assert report.changed == 1
    assert report.warnings == ('line 2: there is no way any more to write to "embassy"',)
    session.flush()
    session.expire_all()
    (target,) = addressees.of(session, campaign).of_roles([EMBASSY], "DE")
    assert (target.slug, target.is_reachable) == ("embassy", False)
    assert readiness.check(session, campaign).is_ready
    control.pause(session, campaign, reason="by hand")
    control.resume(session, campaign, SENDER)
