"""Telephone numbers and addresses that everybody could read are warned of, unless they are there to be used."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import readiness
from mailer.store.models import Campaign
from tests.support.factories import add_letter, make_campaign, make_list

OURS = ["Harbour Solidarity <alerts@example.org>", "1 Example Street\nTel. 030 1234567"]


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A public one, to the authorities of Germany."""
    campaign = make_campaign(session, make_list(session), body="Write to the embassy.\n")
    campaign.public, campaign.about = True, "DE"
    return campaign


def found(session: Session, campaign: Campaign) -> list[tuple[str, str]]:
    said = readiness.check(session, campaign, ours=OURS).findings
    return [(each.code, each.where) for each in said if each.code.startswith("unknown-")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Her brother: leila.marun@example.net", "unknown-address"),
        ("[her](mailto:leila%40example.net?subject=x)", "unknown-address"),
        ("**_leila@example.net_**", "unknown-address"),
        ("Ring +49 30 7654321", "unknown-telephone"),
        ("Ring 030 7654321", "unknown-telephone"),
        ("Ring ٠٣٠٧٦٥٤٣٢١", "unknown-telephone"),
        ('{{ name or "+49 30 7654321" }}', "unknown-telephone"),
    ],
)
def test_a_strangers_number_or_address_is_warned_of_with_its_line_and_not_shown(
    session: Session, campaign: Campaign, body: str, code: str
) -> None:
    campaign.texts[0].body = f"Act now.\n\n{body}\n"
    assert found(session, campaign) == [(code, "en.md:7")]
    said = [str(each) for each in readiness.check(session, campaign).findings if each.code == code]
    assert not any("7654321" in each or "leila" in each for each in said)
    campaign.public = False
    assert found(session, campaign) == []
    campaign.forwardable = True  # its kit is for everybody
    assert found(session, campaign) == [(code, "en.md:7")]


@pytest.mark.parametrize("part", ["subject", "preheader"])
def test_so_is_one_in_a_line_above_the_text(session: Session, campaign: Campaign, part: str) -> None:
    setattr(campaign.texts[0], part, "Ring 030 7654321")
    assert found(session, campaign) == [("unknown-telephone", f"en.md, {part}")]


def test_what_is_a_targets_or_ours_may_stand_there(session: Session, campaign: Campaign) -> None:
    campaign.targets = [{"countries": [], "name": "M", "email": "Ministry@example.net", "address": "Tel. 030 7654321"}]
    campaign.texts[
        0
    ].body = "ministry@EXAMPLE.NET, +49 30 7654321, [us](mailto:alerts@example.org), 030/1234567, tel:+49301234567\n"
    assert found(session, campaign) == []


def test_a_letter_goes_to_strangers_whoever_sees_the_campaign(session: Session, campaign: Campaign) -> None:
    add_letter(
        session,
        campaign,
        subjects=["Free them", "Ring 030 7654321"],
        openings=["I know leila@example.net."],
        body="Please.\n\nAsk alerts@example.org, or leila@example.net.\n",
    )
    campaign.public = campaign.forwardable = False
    letter = "letter-embassy.en.md"
    assert found(session, campaign) == [
        ("unknown-telephone", f"{letter}, subjects, number 2"),
        ("unknown-address", f"{letter}, openings, number 1"),
        ("unknown-address", f"{letter}:6"),
    ]
    said = [str(each) for each in readiness.check(session, campaign, ours=OURS).findings]
    assert any("Whoever gets the letter can read it" in each for each in said)
    assert not any("7654321" in each or "leila" in each for each in said)
