"""The way of a campaign: its steps stand in order, and none is offered before it can be taken."""

import pytest
from flask import Flask

from mailer.campaigns import lifecycle
from mailer.organisers import approvals
from mailer.store.db import utcnow
from tests.support.desk import words
from tests.web.desk.sendable import SLUG, World, make_world

CAMPAIGN = f"/campaigns/{SLUG}"
SEND = f'href="/desk/campaigns/{SLUG}/send"'
APPROVAL = f'href="/desk/campaigns/{SLUG}/approval"'


@pytest.fixture
def backend() -> str:
    return "sqlite"  # how it stands with whoever approves is tested on both databases where it is found out


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def test_the_steps_of_a_draft_stand_in_the_order_in_which_they_are_taken(world: World) -> None:
    said = words(world.wanda.get(CAMPAIGN))
    steps = ["Check and test", "Preview", "Ask for approval", "Approval Not yet", "Send Not yet"]
    places = [said.index(each) for each in steps]
    assert places == sorted(places)
    assert "Nothing is sent before a second person has said yes." in said


@pytest.mark.parametrize("page", [CAMPAIGN, f"{CAMPAIGN}/check", f"{CAMPAIGN}/preview", f"{CAMPAIGN}/approval"])
def test_nobody_is_led_to_sending_before_it_is_approved(world: World, page: str) -> None:
    for ask in (None, world.ask):
        if ask:
            ask()
        answer = world.petra.get(page)
        assert SEND not in answer.text
        assert "Send not approved yet" in words(answer) or page == CAMPAIGN
    world.approve()
    assert SEND in world.petra.get(page).text


def test_what_is_next_is_a_button_for_whoever_can_do_it(world: World) -> None:
    world.ask()
    assert f'{APPROVAL} class="button">Approval' in world.petra.get(CAMPAIGN).text
    assert f"{APPROVAL}>Approval" in world.wanda.get(CAMPAIGN).text
    world.approve()
    assert f'{SEND} class="button">Send' in world.petra.get(CAMPAIGN).text
    said = world.wanda.get(CAMPAIGN)
    assert SEND not in said.text and "A publisher sends it." in words(said)


def test_what_no_second_person_has_approved_is_not_said_to_be(world: World) -> None:
    with world.session() as session:
        approvals.approve_by_command(session, lifecycle.get(session, SLUG), "night", at=utcnow(), sender=world.sender)
    said = words(world.petra.get(CAMPAIGN))
    assert "It may be sent without a second person, as the log says." in said
    assert "A second person has said yes" not in said
