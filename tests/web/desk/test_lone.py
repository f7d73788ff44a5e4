"""Sending alone at the desk: the others are told first, may object, and whoever sends proves who they are anew."""

from datetime import timedelta

import pytest
from flask import Flask

from mailer.organisers import alone
from mailer.organisers.approvals import State
from mailer.people.notices import NoticeKind
from mailer.store.db import utcnow
from mailer.store.models import Account, CampaignStatus, DeskSession, LoneNotice, Role
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import notices_owed, said
from tests.web.desk.sendable import SLUG, World, make_world
from tests.web.desk.test_sending import send

PAGE = f"/campaigns/{SLUG}/alone"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is decided in a database is tested with the domain


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app, people=3)


def taken(world: World, ago: timedelta) -> None:
    """Have the mail server have taken every mail to the others some time ago."""
    with world.session() as session:
        for notice in session.query(LoneNotice):
            notice.taken_at = utcnow() - ago


def tell(world: World) -> None:
    assert world.petra.press(f"{PAGE}/ask", why="The hearing is at dawn.").status_code == 303


def test_who_finds_nobody_tells_the_others_waits_and_sends(world: World) -> None:
    assert "send it alone" in world.petra.get(f"/campaigns/{SLUG}/approval").text
    assert "1 other publisher will be written: Olga" in words(world.petra.get(PAGE))
    tell(world)
    with world.session() as session:
        kinds = [(each.address, said(each).kind) for each in notices_owed(session)]
    assert ("olga@example.org", NoticeKind.ALONE) in kinds
    shown = words(world.petra.get(PAGE))
    assert "has not yet taken the mail to 1 other publisher" in shown and "The hearing is at dawn." in shown
    early = world.petra.press(f"{PAGE}/approve", content=world.hash())
    assert early.status_code == 422 and "has not yet taken" in early.text
    taken(world, timedelta(minutes=1))
    assert "They have until" in words(world.petra.get(PAGE))
    assert "may still object" in world.petra.press(f"{PAGE}/approve", content=world.hash()).text
    taken(world, alone.WAIT)
    assert "Say yes alone" in words(world.petra.get(PAGE))
    assert world.petra.press(f"{PAGE}/approve", content=world.hash()).location == f"/desk/campaigns/{SLUG}/send"
    assert world.state() is State.APPROVED
    assert send(world.petra).status_code == 303
    assert world.campaign().status is CampaignStatus.SCHEDULED
    assert [action for action, *_ in world.log()] == ["campaigns.alone", "campaigns.approve", "campaigns.send"]


@pytest.mark.parametrize("press", ["ask", "approve"])
def test_password_and_code_are_asked_for_anew(world: World, press: str) -> None:
    with world.session() as session:
        of_petra = session.query(DeskSession).filter_by(account_id=world.petra.account_id).one()
        of_petra.proven_at = utcnow() - timedelta(hours=1)
    answer = world.petra.press(f"{PAGE}/{press}", why="The hearing is at dawn.", content=world.hash())
    assert answer.status_code == 303 and answer.location.startswith("/desk/prove")
    assert world.state() is State.NONE and world.log() == []


def test_without_a_reason_nobody_is_told(world: World) -> None:
    assert world.petra.press(f"{PAGE}/ask", why=" ").status_code == 422
    assert world.log() == []


def test_another_publisher_objects_and_it_is_paused_and_takes_a_second_person(world: World) -> None:
    tell(world)
    taken(world, alone.WAIT)
    world.petra.press(f"{PAGE}/approve", content=world.hash())
    send(world.petra)
    assert "See why, and object" in words(world.olga.get(f"/campaigns/{SLUG}")), "where the mail to her leads"
    assert "Object" in words(world.olga.get(PAGE)) and "not without a second person" not in words(world.petra.get(PAGE))
    for _ in range(2):
        assert world.olga.press(f"{PAGE}/object").status_code == 303
    assert world.campaign().status is CampaignStatus.PAUSED
    assert world.state() is not State.APPROVED
    assert "Somebody objected" in words(world.petra.get(PAGE))
    refused = world.petra.press(f"{PAGE}/approve", content=world.hash())
    assert refused.status_code == 422 and "takes a second person now" in refused.text
    assert [action for action, *_ in world.log()].count("campaigns.object") == 1


def test_who_wants_to_send_alone_does_not_object_to_it_nor_does_a_writer(world: World) -> None:
    tell(world)
    world.petra.press(f"{PAGE}/object")
    assert world.wanda.press(f"{PAGE}/object").status_code == 404
    assert world.wanda.press(f"{PAGE}/ask", why="Now.").status_code == 404
    assert "campaigns.object" not in [action for action, *_ in world.log()]


def test_where_there_is_one_publisher_nobody_is_waited_for(world: World) -> None:
    with world.session() as session:
        olga = session.get_one(Account, world.olga.account_id)
        for role in olga.roles:
            role.ended_at = utcnow() - timedelta(days=2)
    assert "nobody to wait for" in words(world.petra.get(PAGE))
    tell(world)
    assert world.petra.press(f"{PAGE}/approve", content=world.hash()).status_code == 303
    assert world.state() is State.APPROVED


def test_a_campaign_that_has_changed_is_told_of_anew(world: World) -> None:
    tell(world)
    world.change(lambda campaign: setattr(campaign.texts[0], "subject", "Other words"))
    assert "has changed since" in words(world.petra.get(PAGE)) and "Tell the others" in words(world.petra.get(PAGE))


def test_who_comes_to_what_was_sent_back_is_told_so_and_led_to_what_should_be_changed(world: World) -> None:
    def press(who: Organiser, what: str) -> int:
        form = {"content": world.hash(), "request": str(world.request_id()), "wanted": "The embassy has moved."}
        return who.press(f"/campaigns/{SLUG}/approval/{what}", **form).status_code

    assert press(world.petra, "ask") == 303 and press(world.olga, "send-back") == 303
    for _ in range(2):  # also once it is asked for again
        page = world.petra.get(PAGE)
        assert "A second publisher sent it back" in words(page) and "Tell the others" not in words(page)
        assert f'href="/desk/campaigns/{SLUG}/approval">See what should be changed' in page.text
        assert "Look at it and decide" not in page.text
        answer = world.petra.press(f"{PAGE}/ask", why="The hearing is at dawn.")
        assert answer.status_code == 422 and "A second publisher sent it back" in words(answer)
        press(world.petra, "ask")
    world.change(lambda campaign: setattr(campaign.texts[0], "subject", "Other words"))
    assert "A second publisher sent it back" not in words(world.petra.get(PAGE))
    tell(world)


def test_a_publisher_of_today_does_not_send_alone(world: World, app: Flask) -> None:
    nina = come_in(app, Role.PUBLISHER, email="nina@example.org")
    answer = nina.press(f"{PAGE}/ask", why="Now.")
    assert answer.status_code == 422 and "can do so a day later" in answer.text
