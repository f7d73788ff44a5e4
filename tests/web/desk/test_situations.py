"""How campaigns stand with whoever approves is found out once for those who look within moments, and anew once anybody
has done anything."""

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from mailer.mail.sender import Sender
from mailer.organisers import approvals
from mailer.organisers.approvals import Standing
from mailer.store.models import Campaign
from tests.support.desk import words
from tests.web.desk.sendable import SLUG, World, make_world


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is kept is kept in the process


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def test_lists_look_once_and_see_at_once_what_somebody_did(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = list[str]()
    standing = approvals.standing

    def count(session: Session, campaign: Campaign, sender: Sender) -> Standing:
        looked.append(campaign.slug)
        return standing(session, campaign, sender)

    monkeypatch.setattr(approvals, "standing", count)
    assert world.wanda.press(f"/campaigns/{SLUG}/approval/ask").status_code == 303
    looked.clear()
    for _ in range(2):
        assert f"{SLUG} Draft Waiting for approval" in words(world.petra.get("/campaigns"))
    assert len(looked) == 1
    approval = f"/campaigns/{SLUG}/approval"
    assert world.petra.press(f"{approval}/approve", content=world.hash()).status_code == 303
    assert f"{SLUG} Draft Approved" in words(world.petra.get("/campaigns"))


def test_nobody_else_is_told_how_they_stand(app: Flask, world: World) -> None:
    world.ask()
    assert "Waiting for approval" in words(world.olga.get("/"))
    assert "Waiting for approval" not in words(world.wanda.get("/")).partition("Drafts")[0], "they cannot approve"
