"""A campaign's own targets are written at the desk: rows are added, changed and taken out, and nothing is lost."""

import re
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import delete

from mailer.organisers.approvals import State
from mailer.store.models import AccountRole, Campaign, CampaignStatus
from tests.support.desk import words
from tests.web.desk.sendable import SLUG, World, make_world

PAGE = f"/campaigns/{SLUG}/outline/targets"
MORE = f"{PAGE}/rows"
EMBASSY = {
    "name-1": "Embassy",
    "countries-1": "United Kingdom, @eu",
    "email-1": "embassy@EXAMPLE.org",
    "address-1": "1 High St\r\nLondon",
}
MINISTRY = {"name-2": "Ministry"}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # a form and its column: which database keeps it makes no difference


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def fields(page: str) -> dict[str, str]:
    """What a page's form says, when nothing is changed on it."""
    hidden = re.findall(r'<input type="hidden" name="(mark|seen)" value="([^"]*)"', page)
    areas = re.findall(r'<textarea id="([\w-]+)"[^>]*>\n?([^<]*)</textarea>', page)
    inputs = re.findall(r'<input id="([\w-]+)" name="[^"]*" type="text"[^>]*? value="([^"]*)"', page)
    ticked = re.findall(r'type="checkbox" name="(at-[^"]+)" value="(yes)" checked', page)
    return {name: unescape(value) for name, value in [*hidden, *areas, *inputs, *ticked]}


def form(world: World) -> dict[str, str]:
    return fields(world.wanda.get(PAGE).text)


def names(world: World) -> list[str]:
    return [target["name"] for target in world.campaign().targets]


def test_targets_are_added_changed_and_taken_out(world: World) -> None:
    assert world.wanda.press(PAGE, **(form(world) | EMBASSY | MINISTRY)).status_code == 303
    assert world.campaign().targets == [
        {
            "countries": ["GB"],
            "groups": ["@EU"],
            "name": "Embassy",
            "email": "embassy@example.org",
            "address": "1 High St\nLondon",
        },
        {"countries": [], "name": "Ministry", "email": "", "address": ""},
    ]
    assert world.log() == [("campaigns.write", world.wanda.account_id, SLUG)]
    again = form(world)
    assert (again["at-1:GB"], again["at-1:@EU"], again["name-2"]) == ("yes", "yes", "Ministry")
    del again["at-1:@EU"]
    world.wanda.press(PAGE, **(again | {"name-2": "Court", "countries-1": "Norwegen"}))
    assert [target["countries"] for target in world.campaign().targets] == [["GB", "NO"], []]
    assert "groups" not in world.campaign().targets[0] and names(world) == ["Embassy", "Court"]
    world.wanda.press(PAGE, **(form(world) | {"out-1": "yes"}))
    assert names(world) == ["Court"]
    world.wanda.press(PAGE, **(form(world) | {"name-1": ""}))
    assert names(world) == []


def test_saving_what_nobody_touched_changes_nothing(world: World) -> None:
    world.wanda.press(PAGE, **(form(world) | EMBASSY | MINISTRY))
    before = world.campaign().targets
    assert world.wanda.press(PAGE, **form(world)).status_code == 303
    assert world.campaign().targets == before and len(world.log()) == 1


def test_more_rows_are_shown_without_a_script_and_nothing_is_saved(world: World) -> None:
    wanted = form(world) | EMBASSY | {"name-3": "Court", "countries-3": "Norway; Atlantis", "out-1": "yes"}
    answer = world.wanda.press(MORE, **wanted)
    shown = fields(answer.text)
    assert answer.status_code == 200 and names(world) == []
    assert (shown["name-1"], shown["name-3"], shown["at-3:NO"]) == ("Embassy", "Court", "yes")
    assert shown["countries-3"] == "Atlantis" and 'name="out-1" value="yes" checked' in answer.text
    assert [name for name in shown if name.startswith("name-")] == [f"name-{number}" for number in (1, 3, 4, 5)]
    assert world.wanda.press(PAGE, **(shown | {"countries-3": "", "name-5": "Ministry"})).status_code == 303
    assert names(world) == ["Embassy", "Court", "Ministry"], "a box that no form sent is not ticked"


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"email-2": "court@example.org"}, "name-2", "Target 2: Write its name."),
        ({"name-2": "Court", "countries-2": "Atlantis"}, "countries-2", "There is no country “Atlantis”."),
        ({"name-2": "Court", "countries-2": "@XY"}, "countries-2", "There is no group of countries “@XY”."),
        ({"name-2": "Court", "countries-2": "@G7"}, "countries-2", "Two targets are for France."),
        ({"name-2": "Court", "email-2": "at home"}, "email-2", "This is no e-mail address."),
        ({"name-2": "Court", "name-3": "President"}, "countries-3", "only one can be for everyone else"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(
    world: World, typed: dict[str, str], field: str, said: str
) -> None:
    answer = world.wanda.press(PAGE, **(form(world) | EMBASSY | typed))
    assert answer.status_code == 422 and said in words(answer), words(answer)
    assert f'href="#{field}"' in answer.text and f'id="{field}-problem"' in answer.text and names(world) == []
    shown = fields(answer.text)
    assert shown["name-1"] == "Embassy" and shown["at-1:GB"] == "yes"
    assert all(shown.get(name) == value for name, value in typed.items() if value != "@G7")


def test_of_two_who_write_the_second_is_shown_what_the_first_saved(world: World) -> None:
    late = form(world)
    world.wanda.press(PAGE, **(late | MINISTRY))
    answer = world.wanda.press(PAGE, **(late | EMBASSY))
    assert answer.status_code == 409 and "Somebody else has changed this meanwhile." in words(answer)
    assert "Everyone else Ministry" in words(answer) and fields(answer.text)["name-1"] == "Embassy"
    assert names(world) == ["Ministry"]
    assert world.wanda.press(PAGE, **fields(answer.text)).status_code == 303 and names(world) == ["Embassy"]


def test_whoever_was_signed_out_or_may_not_write_any_more_keeps_what_they_typed(world: World) -> None:
    typed = form(world) | EMBASSY
    for path in (PAGE, MORE):
        assert world.wanda.send(path, typed | {"form_token": "of another session"}).status_code == 303
        assert form(world)["name-1"] == "Embassy" and names(world) == []
    with world.session() as session:
        session.execute(delete(AccountRole).where(AccountRole.account_id == world.wanda.account_id))
    answer = world.wanda.press(PAGE, **typed)
    assert answer.status_code == 404 and "1 High St" in answer.text and "United Kingdom" in answer.text


def test_what_is_no_draft_any_more_or_waits_for_approval_is_not_changed_unseen(world: World) -> None:
    late = form(world) | EMBASSY
    world.ask()
    answer = world.wanda.press(PAGE, **late)
    assert answer.status_code == 409 and "Approval was asked for" in words(answer) and names(world) == []
    world.change(lambda campaign: setattr(campaign, "status", CampaignStatus.SCHEDULED))
    answer = world.wanda.press(PAGE, **late)
    assert answer.status_code == 409 and "1 High St" in answer.text and names(world) == []


def test_what_was_approved_has_to_be_approved_anew_once_its_targets_are_others(world: World) -> None:
    world.approve()
    assert world.wanda.press(PAGE, **(form(world) | EMBASSY)).status_code == 303 and names(world) == ["Embassy"]
    assert world.state() is not State.APPROVED


def test_one_gets_at_the_desk_out_of_targets_that_keep_a_campaign_from_being_of_another_kind(world: World) -> None:
    world.wanda.press(PAGE, **(form(world) | EMBASSY))
    outline = f"/campaigns/{SLUG}/outline"
    page = world.wanda.get(outline).text
    kind = dict(re.findall(r'<input type="hidden" name="(mark|seen)" value="([^"]*)"', page)) | {"kind": "update"}
    answer = world.wanda.press(outline, **kind)
    assert answer.status_code == 422 and "what is written of it: Targets of its own. Take that out" in words(answer)
    assert f'href="/desk{PAGE}"' in answer.text
    assert world.wanda.press(PAGE, **(form(world) | {"out-1": "yes"})).status_code == 303
    assert world.wanda.press(outline, **kind).status_code == 303
    assert world.campaign().kind == "update"
    assert f'href="/desk{PAGE}"' not in world.wanda.get(outline).text


def test_what_another_kind_cannot_have_is_taken_out_and_not_added(world: World) -> None:
    world.wanda.press(PAGE, **(form(world) | EMBASSY))
    world.change(lambda campaign: setattr(campaign, "kind", "update"))
    assert [name for name in form(world) if name.startswith("name-")] == ["name-1"]
    assert world.wanda.press(PAGE, **(form(world) | MINISTRY)).status_code == 422 and names(world) == ["Embassy"]
    assert world.wanda.press(PAGE, **(form(world) | {"out-1": "yes"})).status_code == 303 and names(world) == []


def test_what_the_check_finds_of_targets_leads_to_their_page(world: World) -> None:
    def ask_for_a_target(campaign: Campaign) -> None:
        campaign.texts[0].body = "Write to {{ target_name }}.\n"

    world.change(ask_for_a_target)
    page = world.wanda.get(f"/campaigns/{SLUG}/check").text
    assert re.search(rf'\[\[targets\]\].*?<a href="/desk{PAGE}"', page, re.DOTALL)
