"""Sending at the desk: once, what was approved, to as many as the page said; and undone while that is possible."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from mailer.campaigns import lifecycle
from mailer.delivery import control
from mailer.mail import render
from mailer.mail.merge import compile_edition
from mailer.mail.types import Rendering
from mailer.organisers.approvals import State
from mailer.store import audit
from mailer.store.db import utcnow
from mailer.store.models import Account, Campaign, CampaignStatus
from mailer.web.desk import numbers, times
from tests.support.concurrency import Beside
from tests.support.desk import Organiser, words
from tests.support.factories import add_text
from tests.web.desk.sendable import SLUG, World, make_world

PAGE = f"/campaigns/{SLUG}/send"
UNDO = f"/campaigns/{SLUG}/undo"
WAITING = f"/campaigns/{SLUG}/waiting"
PEOPLE = 3


@pytest.fixture
def world(app: Flask) -> World:
    world = make_world(app, people=PEOPLE)
    world.approve()
    return world


def send(who: Organiser, **changes: str) -> TestResponse:
    usual = {"people": str(PEOPLE), "expected": str(PEOPLE), "undone": "0", "when": "now", "at": ""}
    return who.press(PAGE, **(usual | changes))


def is_draft(world: World) -> bool:
    return world.campaign().status is CampaignStatus.DRAFT and world.state() is State.APPROVED


def test_the_page_says_what_will_happen_and_asks_to_type_the_number(world: World) -> None:
    page = world.petra.get(PAGE)
    shown = words(page)
    assert "3 people get it." in shown and "They live in 1 country." in shown and "They read it in 1 language." in shown
    assert "Type how many people get it" in shown and "It is 3." in shown and "In your time zone: UTC." in shown


def test_now_is_in_a_minute(world: World) -> None:
    before = utcnow()
    answer = send(world.petra)
    assert (answer.status_code, answer.location) == (303, f"/desk{PAGE}")
    campaign = world.campaign()
    assert campaign.status is CampaignStatus.SCHEDULED and campaign.scheduled_at is not None
    assert before + control.TO_UNDO <= campaign.scheduled_at <= utcnow() + control.TO_UNDO
    assert "It goes out on" in words(world.petra.get(PAGE)) and "You can undo it for" in words(world.petra.get(PAGE))
    assert world.log() == [("campaigns.send", world.petra.account_id, SLUG)]


def test_later_is_by_the_clock_of_whoever_sends(world: World) -> None:
    with world.session() as session:
        session.get_one(Account, world.petra.account_id).zone = "America/Sao_Paulo"
    page = world.petra.get(PAGE)
    assert "In your time zone: Brasilia Time." in words(page)
    assert send(world.petra, when="later", at="2035-04-30T09:30").status_code == 303
    assert world.campaign().scheduled_at == datetime(2035, 4, 30, 12, 30, tzinfo=UTC)
    shown = words(world.petra.get(PAGE))
    assert "9:30" in shown and "UTC\N{MINUS SIGN}3" in shown and "You can undo it for" not in shown


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"people": "4"}, "That is not the number of people who get it"),
        ({"people": "three"}, "Type the number of people, in digits"),
        ({"people": ""}, "Type the number of people, in digits"),
        ({"expected": ""}, "That is not the number of people who get it"),
        ({"when": ""}, "Choose whether to send it now or later"),
        ({"when": "later"}, "Choose a day and a time"),
        ({"when": "later", "at": "soon"}, "Choose a day and a time"),
        ({"when": "later", "at": "2035-04-30T09:30+02:00"}, "Choose a day and a time"),
        ({"when": "later", "at": "2026-01-01T09:30"}, "That time has passed"),
        ({"when": "later", "at": "2035-03-25T02:30"}, "There is no such time on that day"),
    ],
)
def test_what_is_filled_in_badly_sends_nothing_and_stays_in_the_form(
    world: World, fields: dict[str, str], advice: str
) -> None:
    with world.session() as session:
        session.get_one(Account, world.petra.account_id).zone = "Europe/Berlin"
    answer = send(world.petra, **fields)
    assert answer.status_code == 422 and advice in answer.text
    if fields.get("people"):
        assert f'value="{fields["people"]}"' in answer.text
    assert is_draft(world)


@pytest.mark.parametrize(
    "typed", ["3214", "3,214", "3.214", "3 214", "3\u00a0214", "3\u202f214", "3’214", "٣٢١٤", "٣٬٢١٤", " 3214 "]
)
def test_a_number_is_read_as_people_write_it(typed: str) -> None:
    assert numbers.read(typed) == 3214


@pytest.mark.parametrize("typed", ["", " ", "-3", "3e3", "3 people", "½", "9" * 16, ",."])
def test_what_is_no_number_is_none(typed: str) -> None:
    assert numbers.read(typed) is None


def test_a_time_that_comes_twice_is_the_first_of_them() -> None:
    from babel.dates import get_timezone

    read = times.read("2035-10-28T02:30", get_timezone("Europe/Berlin"))
    assert read == datetime(2035, 10, 28, 0, 30, tzinfo=UTC)


def test_the_press_makes_nothing_again_that_the_page_before_it_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.session() as session:
        for language in ("de", "fr", "ru"):
            add_text(session, lifecycle.get(session, SLUG), language, "Write to them.\n")
    world.approve()
    assert "3 people get it." in words(world.petra.get(PAGE))
    made = list[str]()
    render_one = render.render

    def count_render(kind: str, **values: Any) -> Any:
        made.append("rendered")
        return render_one(kind, **values)

    def count_compile(rendering: Rendering, *others: Any, **more: Any) -> Any:
        made.append("compiled")
        return compile_edition(rendering, *others, **more)

    monkeypatch.setattr(render, "render", count_render)
    monkeypatch.setattr("mailer.delivery.composing.compile_edition", count_compile)
    assert send(world.petra).status_code == 303
    assert world.campaign().status is CampaignStatus.SCHEDULED
    assert made == ["rendered", "compiled"], "one, with the installation's own sender: whoever starts it makes the rest"


def test_before_it_is_approved_the_page_says_what_it_waits_for(app: Flask) -> None:
    world = make_world(app)
    assert "not approved as it is now" in words(world.petra.get(PAGE))
    world.ask()
    page = world.petra.get(PAGE)
    assert "it waits for a second person" in words(page) and "<form" not in page.text.partition("<main")[2]


def test_an_undo_that_comes_too_late_says_so_and_one_that_was_done_says_so_until_it_is_sent_again(world: World) -> None:
    send(world.petra)
    done = world.petra.press(UNDO, undone="0")
    said = words(world.petra.get(done.location.removeprefix("/desk")))
    assert (
        "Undone. Nothing of it was sent, and it is a draft again. It stays approved as long as nothing changes." in said
    )
    again = world.petra.press(UNDO, undone="0")
    assert again.location == done.location
    send(world.petra, undone="1")
    assert "Undone" not in words(world.petra.get(done.location.removeprefix("/desk")))
    with world.session() as session:
        campaign = lifecycle.get(session, SLUG)
        campaign.status, campaign.started_at = CampaignStatus.SENDING, utcnow()
    late = world.petra.press(UNDO, undone="1")
    assert "It was too late to undo it" in words(world.petra.get(late.location.removeprefix("/desk")))


# --- once -----------------------------------------------------------------------------------------------------------


def test_a_second_press_and_a_replayed_form_send_once_and_show_where_it_stands(world: World) -> None:
    first = send(world.petra)
    at = world.campaign().scheduled_at
    for who in (world.petra, world.olga):
        again = send(who)
        assert (again.status_code, again.location) == (303, first.location)
        assert send(who, when="later", at="2035-04-30T09:30").status_code == 303
    assert world.campaign().scheduled_at == at
    assert len(world.log()) == 1


def test_a_form_from_before_an_undoing_sends_nothing(world: World) -> None:
    send(world.petra)
    assert world.petra.press(UNDO, undone="0").status_code == 303
    assert is_draft(world)
    assert send(world.petra).status_code == 303
    assert is_draft(world), "the back button brought that form"
    again = world.petra.get(PAGE, query_string={"undone": "1"})
    assert 'name="undone" value="1"' in again.text and "Undone. Nothing of it was sent" in words(again)
    send(world.petra, undone="1")
    assert world.petra.press(UNDO, undone="0").status_code == 303
    assert world.campaign().status is CampaignStatus.SCHEDULED, "nor does an old form undo"
    assert [action for action, *_ in world.log()] == ["campaigns.send", "campaigns.undo", "campaigns.send"]


def test_two_publishers_at_once_send_once(world: World) -> None:
    answers: list[TestResponse] = []

    def add_answer(who: Organiser) -> None:
        answers.append(send(who))

    both = [Beside(partial(add_answer, who)) for who in (world.petra, world.olga)]
    for each in both:
        each.result()
    assert [each.status_code for each in answers] == [303, 303]
    assert len(world.log()) == 1


def test_two_who_undo_at_once_undo_once(world: World) -> None:
    send(world.petra)
    both = [Beside(partial(who.press, UNDO, undone="0")) for who in (world.petra, world.olga)]
    for each in both:
        each.result()
    assert world.campaign().undone == 1 and is_draft(world)
    assert [action for action, *_ in world.log()] == ["campaigns.send", "campaigns.undo"]


# --- only what was approved, to as many as the page said --------------------------------------------------------------


def test_where_the_audience_has_changed_the_page_asks_again_with_the_new_number(world: World) -> None:
    world.join(1)
    answer = send(world.petra)
    assert answer.status_code == 422 and "The number of people has changed" in answer.text
    assert 'name="expected" value="4"' in answer.text and "4 people get it." in answer.text
    assert is_draft(world)
    assert send(world.petra, people="4", expected="4").status_code == 303
    assert world.campaign().status is CampaignStatus.SCHEDULED


def test_one_in_a_hundred_more_or_less_is_not_asked_about(app: Flask) -> None:
    world = make_world(app, people=100)
    world.approve()
    world.join(1)
    assert send(world.petra, people="100", expected="100").status_code == 303
    assert world.campaign().status is CampaignStatus.SCHEDULED


def change_text(campaign: Campaign) -> None:
    campaign.texts[0].body = "Other words: write to **the embassy**.\n"


def test_what_has_changed_since_it_was_approved_is_not_sent(world: World) -> None:
    world.change(change_text)
    answer = send(world.petra)
    assert answer.status_code == 422 and "is not approved as it is now" in answer.text
    assert "Ask for approval" in answer.text
    assert world.campaign().status is CampaignStatus.DRAFT and world.log() == []


def test_what_the_check_finds_an_error_in_is_not_sent(world: World) -> None:
    world.change(lambda campaign: setattr(campaign, "deadline", utcnow() - timedelta(days=1)))
    world.approve()
    assert "keeps it from being sent" in world.petra.get(PAGE).text
    answer = send(world.petra)
    assert answer.status_code == 422 and "The check finds something" in answer.text
    assert world.campaign().status is CampaignStatus.DRAFT


def test_a_writer_neither_sends_nor_undoes(world: World) -> None:
    assert world.wanda.get(PAGE).status_code == 404
    assert send(world.wanda).status_code == 404
    send(world.petra)
    assert world.wanda.press(UNDO, undone="0").status_code == 404
    waiting = world.wanda.get(WAITING).text
    assert "Undo" not in waiting and "Whoever may send it can undo that" in waiting


# --- what is seen meanwhile -------------------------------------------------------------------------------------------


def test_the_part_that_counts_down_is_small_and_says_when_it_has_begun(world: World) -> None:
    send(world.petra)
    part = world.petra.get(WAITING)
    assert len(part.data) < 2048 and "You can undo it for" in part.text and "<html" not in part.text
    with world.session() as session:
        lifecycle.move(session, lifecycle.get(session, SLUG), lifecycle.Move.START, started_at=utcnow())
    begun = world.petra.get(WAITING)
    assert "It is going out" in begun.text and "hx-get" in begun.text and "Undo" not in begun.text
    assert f'href="/desk/campaigns/{SLUG}"' in begun.text, "where one sees how it gets on"
    tag = begun.headers["ETag"]
    assert world.petra.get(WAITING, headers={"If-None-Match": tag}).status_code == 304
    assert world.petra.press(UNDO, undone="0").status_code == 303
    assert "It is going out" in world.petra.get(PAGE).text, "too late, and the page says so"


@pytest.mark.parametrize(
    ("status", "said"),
    [("paused", "It is paused"), ("sent", "It was sent"), ("cancelled", "It was cancelled")],
)
def test_where_it_stands_is_said_whatever_became_of_it(world: World, status: str, said: str) -> None:
    world.change(lambda campaign: setattr(campaign, "status", CampaignStatus(status)))
    assert said in world.petra.get(PAGE).text
    assert send(world.petra).status_code == 303
    assert world.campaign().status == status


def test_the_campaigns_own_page_says_how_it_stands_and_has_the_button_to_undo(world: World) -> None:
    page = f"/campaigns/{SLUG}"
    assert "Olga approved it" in words(world.wanda.get(page))
    send(world.petra)
    assert "It goes out on" in words(world.olga.get(page)) and "Undo: do not send it" in words(world.olga.get(page))
    assert "Undo: do not send it" not in words(world.wanda.get(page))
    world.change(change_text)
    assert "has changed since" in words(world.wanda.get(page))


# --- no state between -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("press", ["send", "undo"])
def test_a_press_that_fails_at_its_end_has_done_nothing(
    world: World, press: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if press == "undo":
        send(world.petra)
    before = world.campaign()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(audit, "append", fail)
    answer = send(world.petra) if press == "send" else world.petra.press(UNDO, undone="0")
    assert answer.status_code == 500
    after = world.campaign()
    assert (after.status, after.scheduled_at, after.undone) == (before.status, before.scheduled_at, before.undone)
