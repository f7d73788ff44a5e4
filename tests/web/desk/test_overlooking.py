"""What stands against a campaign is looked up once for those who look within moments, and anew for what changed."""

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from mailer.campaigns.readiness import Check
from mailer.operations import checks
from mailer.settings import Settings
from mailer.store.models import Campaign
from tests.support.desk import words
from tests.web.desk.sendable import SLUG, World, make_world

CHECK, APPROVAL, SEND = (f"/campaigns/{SLUG}/{page}" for page in ("check", "approval", "send"))


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is kept is kept in the process


@pytest.fixture
def world(app: Flask) -> World:
    world = make_world(app, people=3)
    world.approve()
    return world


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    looked: list[str] = []
    check = checks.check

    def count(session: Session, campaign: Campaign, settings: Settings) -> Check:
        looked.append(campaign.slug)
        return check(session, campaign, settings)

    monkeypatch.setattr(checks, "check", count)
    return looked


def test_page_after_page_looks_once_and_once_more_when_the_campaign_has_changed(
    world: World, looked: list[str]
) -> None:
    for page in (CHECK, APPROVAL, SEND, CHECK):
        assert world.petra.get(page).status_code == 200
    assert len(looked) == 1
    with world.session() as session:
        campaign = session.query(Campaign).filter_by(slug=SLUG).one()
        campaign.texts[0].subject = "Quite another one"
    world.petra.get(CHECK)
    assert len(looked) == 2


def test_nobody_is_shown_what_was_found_for_somebody_who_may_do_something_else(world: World, looked: list[str]) -> None:
    world.petra.get(CHECK)
    world.wanda.get(CHECK)
    assert len(looked) == 2


def test_a_press_counts_for_itself_and_the_page_that_refuses_it_says_the_new_number(world: World) -> None:
    assert "It is 3." in words(world.petra.get(SEND))
    world.join(1)
    refused = world.petra.press(SEND, people="3", expected="3", undone="0", when="now", at="")
    assert refused.status_code == 422
    assert "It is 4." in words(refused) and "It is 4." in words(world.petra.get(SEND))
