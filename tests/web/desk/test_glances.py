"""Whoever looks on is looked up once in two seconds, and only for looking on."""

from collections.abc import Mapping

import pytest
from flask import Flask

from mailer.organisers import desk_sessions
from mailer.store.db import session_scope
from mailer.store.models import AccountRole, CampaignStatus, Role
from mailer.web import limits
from mailer.web.desk import glances
from mailer.web.desk.glances import Glances
from mailer.web.desk.routes import ROUTES
from tests.support.desk import come_in
from tests.web.desk.sendable import SLUG, make_world

GLANCE = f"/campaigns/{SLUG}/moving"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is kept is kept in the process


@pytest.fixture
def clock(app: Flask) -> Clock:
    clock = Clock()
    often = [route.endpoint for route in ROUTES if route.is_glance]
    app.extensions[glances._NAME] = Glances(often, clock=clock)
    return clock


def test_a_page_that_is_open_shows_figures_two_seconds_longer_than_its_session_and_nothing_else_does(
    app: Flask, clock: Clock
) -> None:
    world = make_world(app, people=1)
    petra = world.petra
    assert petra.get(GLANCE).status_code == 200
    with session_scope(app.extensions["site"].engine) as session:
        desk_sessions.end_all(session, petra.account_id)
    clock.now += 1.9
    assert petra.get(GLANCE).status_code == 200
    assert petra.get(f"/campaigns/{SLUG}").status_code == 303
    assert petra.press(f"/campaigns/{SLUG}/pause").status_code == 403
    assert petra.press(f"/campaigns/{SLUG}/send").status_code == 403
    assert world.campaign().status is CampaignStatus.DRAFT
    clock.now += 0.2
    assert petra.get(GLANCE).status_code == 403


def test_who_lost_a_role_sees_no_more_with_it_after_two_seconds(app: Flask, clock: Clock) -> None:
    make_world(app, people=1)
    analyst = come_in(app, Role.ANALYST, email="ana@example.org")
    assert analyst.get(GLANCE).status_code == 200
    with session_scope(app.extensions["site"].engine) as session:
        session.query(AccountRole).filter_by(account_id=analyst.account_id).delete()
    clock.now += 2
    assert analyst.get(GLANCE).status_code == 404


def test_whoever_is_not_signed_in_is_looked_for_each_time() -> None:
    kept: Glances = Glances(["desk.campaigns.follow"], clock=Clock())
    found = iter([None, "Rosa", "nobody asks again"])
    assert [kept.get(b"hash", lambda: next(found), dict) for _ in range(3)] == [None, "Rosa", "Rosa"]


def test_all_who_look_on_are_looked_up_together_and_whoever_is_gone_is_not() -> None:
    clock = Clock()
    kept: Glances = Glances([], clock=clock)
    asked: list[set[bytes]] = []

    def find_again(known: Mapping[bytes, str]) -> Mapping[bytes, str]:
        asked.append({*known})
        return {key: name for key, name in known.items() if key != b"b"}

    def look(key: bytes) -> str | None:
        found: str | None = kept.get(key, lambda: f"first {key!r}", find_again)
        return found

    for key in (b"a", b"b", b"c", b"gone"):
        look(key)
    for _ in range(3):
        clock.now += 10
        found = [look(key) for key in (b"a", b"c")]
        assert found == ["first b'a'", "first b'c'"]
    assert asked == [{b"a", b"b", b"c", b"gone"}, {b"a", b"c", b"gone"}, {b"a", b"c"}]
    assert look(b"b") == "first b'b'"  # has come again, and is looked up by itself


def test_whoever_looks_on_is_never_shut_out_however_many_pages_they_leave_open(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    petra = make_world(app, people=1).petra
    monkeypatch.setattr(limits, "_READ", limits.Allowance("read", ((2 * limits.SHARE, limits.HOUR),)))
    for limiter in app.extensions["limiter"]:
        monkeypatch.setattr(limiter, "enabled", True)
    assert {petra.get(GLANCE).status_code for _ in range(5)} == {200}
    stranger = app.test_client()
    assert [stranger.get(f"/desk{GLANCE}").status_code for _ in range(3)] == [403, 403, 429]
    assert [petra.get("/campaigns").status_code for _ in range(3)] == [200, 200, 429]


def test_not_more_is_kept_than_there_is_room_for() -> None:
    kept: Glances = Glances([], clock=Clock())
    for number in range(600):
        kept.get(number.to_bytes(2), lambda: "Rosa", dict)
    assert len(kept._kept) == 500


def test_no_press_and_no_document_is_a_glance() -> None:
    often = [route for route in ROUTES if route.is_glance]
    assert often and all(route.asks_itself and route.method == "GET" for route in often)
    kept = Glances([route.endpoint for route in often])
    assert not any(kept.cover(route.endpoint, "POST") for route in ROUTES)
    assert not any(kept.cover(route.endpoint, "GET") for route in ROUTES if "preview" in route.path or route.page)
