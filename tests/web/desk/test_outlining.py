"""What a draft is about is chosen at the desk: what does not go together is told, and nobody is overwritten."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from flask import Flask

from mailer.campaigns import lifecycle
from mailer.campaigns.outlines import Outline
from mailer.store.models import Campaign, CampaignStatus, HomeRule
from tests.support.cases import make_case
from tests.support.desk import words
from tests.support.factories import WHEN, add_letter
from tests.web.desk.sendable import SLUG, World, make_world

PAGE = f"/campaigns/{SLUG}/outline"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # a form and its columns: which database keeps them makes no difference


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def form(world: World) -> dict[str, str]:
    """What the page's form says, when nothing is changed on it."""
    page = world.wanda.get(PAGE).text
    hidden = re.findall(r'<input type="hidden" name="(mark|seen)" value="([^"]*)"', page)
    selects = re.findall(r'<select id="([\w-]+)".*?</select>', page, re.DOTALL)
    chosen = {
        name: re.search(rf'<select id="{name}".*?<option value="([^"]*)" selected', page, re.DOTALL) for name in selects
    }
    return {
        **{name: unescape(value) for name, value in hidden},
        **{name: found[1] if found else "" for name, found in chosen.items()},
        "deadline": "",
        "latest_start": "",
        "goal": "",
    }


def outline(world: World) -> Outline:
    with world.session() as session:
        return Outline.of(lifecycle.get(session, SLUG))


def test_all_that_is_chosen_is_saved_and_stands_in_the_form_again(world: World) -> None:
    with world.session() as session:
        make_case(session, country="BR")
    chosen = {
        "case": "leila",
        "about": "",
        "home": "exclude",
        "unknown_home": "include",
        "ask-1": "embassy",
        "ask-2": "authority",
        "deadline": "2035-12-15T18:00",
        "goal": "5,000",
        "public": "yes",
    }
    answer = world.wanda.press(PAGE, **(form(world) | chosen))
    assert answer.status_code == 303
    assert outline(world) == Outline(
        kind="urgent_action",
        case=chosen["case"],
        about="BR",
        home=HomeRule.EXCLUDE,
        unknown_home=HomeRule.INCLUDE,
        ask=("embassy", "authority"),
        deadline=datetime(2035, 12, 15, 18, tzinfo=UTC),
        goal=5000,
        public=True,
    )
    again = form(world)
    assert (again["ask-1"], again["ask-2"], again["ask-3"], again["about"]) == ("embassy", "authority", "", "BR")
    assert 'value="2035-12-15T18:00"' in world.wanda.get(PAGE).text
    assert world.log() == [("campaigns.write", world.wanda.account_id, SLUG)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ask-1": "prisoner"}, "A prisoner is written to in one case"),
        ({"goal": "3"}, "Write a whole number from 10 on"),
        ({"goal": "many"}, "Write a whole number from 10 on"),
        ({"deadline": "soon"}, "Choose a day and a time."),
        ({"case": "gone"}, "This case is not there any more."),
    ],
)
def test_what_does_not_go_together_is_told_and_nothing_is_saved(
    world: World, change: dict[str, str], said: str
) -> None:
    before = outline(world)
    answer = world.wanda.press(PAGE, **(form(world) | {"home": "exclude"} | change))
    assert answer.status_code == 422 and said in words(answer)
    assert '<option value="exclude" selected' in answer.text, "what was chosen stays"
    assert outline(world) == before


def test_a_case_decides_whose_authorities_are_addressed(world: World) -> None:
    with world.session() as session:
        make_case(session, country="BR")
    answer = world.wanda.press(PAGE, **(form(world) | {"case": "leila", "about": "FR"}))
    assert answer.status_code == 422 and "The case is about another country." in words(answer)


@pytest.mark.parametrize("what", ["letters", "targets", "text"])
def test_what_another_kind_cannot_have_keeps_the_kind(world: World, what: str) -> None:
    def write(campaign: Campaign) -> None:
        if what == "letters":
            campaign.ask = ["embassy"]
        elif what == "targets":
            campaign.targets = [{"countries": [], "name": "Embassy", "email": "", "address": ""}]
        else:
            campaign.texts[0].body = "Write to {{ target_name }}.\n"

    world.change(write)
    if what == "letters":
        with world.session() as session:
            add_letter(session, lifecycle.get(session, SLUG))
    answer = world.wanda.press(PAGE, **(form(world) | {"kind": "update"}))
    assert answer.status_code == 422 and "A campaign of this kind cannot have" in words(answer)
    assert outline(world).kind == "urgent_action"


def test_a_role_to_which_there_is_a_letter_is_not_left_out(world: World) -> None:
    world.change(lambda campaign: setattr(campaign, "ask", ["embassy"]))
    with world.session() as session:
        add_letter(session, lifecycle.get(session, SLUG))
    answer = world.wanda.press(PAGE, **(form(world) | {"ask-1": "authority"}))
    assert answer.status_code == 422 and "There is a letter to a role that you left out: embassies" in words(answer)


def test_of_two_who_choose_the_second_is_shown_what_the_first_saved(world: World) -> None:
    late = form(world)
    world.wanda.press(PAGE, **(late | {"home": "exclude"}))
    answer = world.wanda.press(PAGE, **(late | {"home": "include"}))
    assert answer.status_code == 409 and "Somebody else has changed this meanwhile." in words(answer)
    assert "People who live there do not get it" in words(answer) and outline(world).home == HomeRule.EXCLUDE
    again: dict[str, Any] = (
        late | {"home": "include"} | dict(re.findall(r'name="(mark|seen)" value="([^"]*)"', answer.text))
    )
    assert world.wanda.press(PAGE, **again).status_code == 303 and outline(world).home == HomeRule.INCLUDE


def test_a_deadline_that_nobody_touched_keeps_its_seconds(world: World) -> None:
    end_of_day = datetime(2035, 12, 15, 23, 59, 59, tzinfo=UTC)
    world.change(lambda campaign: setattr(campaign, "deadline", end_of_day))
    assert world.wanda.press(PAGE, **(form(world) | {"deadline": "2035-12-15T23:59"})).status_code == 303
    assert outline(world).deadline == end_of_day


def test_what_is_no_draft_stays_as_it_is_and_one_that_waits_for_approval_is_not_changed_unseen(world: World) -> None:
    late = form(world) | {"home": "exclude"}
    world.ask()
    answer = world.wanda.press(PAGE, **late)
    assert answer.status_code == 409 and "Approval was asked for" in words(answer) and outline(world).home is None
    world.change(lambda campaign: setattr(campaign, "status", CampaignStatus.SCHEDULED))
    assert world.wanda.press(PAGE, **late).status_code == 409 and outline(world).home is None


def test_the_check_leads_to_what_a_finding_of_the_outline_is_about(world: World) -> None:
    with world.session() as session:
        lifecycle.get(session, SLUG).deadline = WHEN
    link = f'href="/desk{PAGE}" aria-label="Change it here: campaign.toml, deadline"'
    assert link in world.wanda.get(f"/campaigns/{SLUG}/check").text
