"""What open pages ask for is answered again for two seconds: to whoever may and reads the same, and to nobody else."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask
from sqlalchemy import select

from mailer.organisers import desk_sessions
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, Campaign, CampaignStatus, Role
from mailer.web.desk import glances
from mailer.web.desk.answers import Answers, _Answer
from mailer.web.desk.glances import Glances
from mailer.web.desk.recent import Recent
from mailer.web.desk.routes import ROUTES
from tests.support.desk import Organiser, come_in
from tests.web.desk.sendable import SLUG, make_world

GLANCE = f"/campaigns/{SLUG}/moving"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Site:
    """The site, and how often it was asked."""

    def __init__(self, app: Flask) -> None:
        assert isinstance(app.wsgi_app, Answers)
        self._site, self.times = app.wsgi_app._site, 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.times += 1
        return self._site(environ, start_response)


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is kept is kept in the process


@pytest.fixture
def clock(app: Flask) -> Clock:
    clock = Clock()
    often = [route.endpoint for route in ROUTES if route.is_glance]
    app.extensions[glances._NAME] = Glances(often, clock=clock)
    app.extensions["recent moving"] = Recent(as_long=0, clock=clock)
    return clock


@pytest.fixture
def site(app: Flask, clock: Clock) -> Site:
    site = Site(app)
    https = app.extensions["site"].settings.base_url.startswith("https://")
    app.wsgi_app = Answers(site, app, https=https, clock=clock)  # type: ignore[method-assign]
    return site


def _writer(app: Flask, name: str, *, language: str | None = None) -> Organiser:
    organiser = come_in(app, Role.WRITER, email=f"{name}@example.org")
    with session_scope(app.extensions["site"].engine) as session:
        session.get_one(Account, organiser.account_id).language = language
    return organiser


def test_whoever_may_and_reads_the_same_is_given_the_same_and_the_site_is_asked_once_in_two_seconds(
    app: Flask, clock: Clock, site: Site
) -> None:
    make_world(app, people=1)
    ana, ben = _writer(app, "ana"), _writer(app, "ben")
    first = [each.get(GLANCE) for each in (ana, ben)]  # who comes for the first time is looked up
    asked = site.times
    again = [each.get(GLANCE) for each in (ana, ben, ben)]
    assert site.times == asked
    assert {answer.data for answer in first + again} == {first[0].data} and first[0].data
    assert {str(answer.headers) for answer in again} == {str(first[1].headers)}
    assert "Content-Security-Policy" in again[0].headers and again[0].headers["Cache-Control"] == "no-store"
    clock.now += 2
    assert ana.get(GLANCE).status_code == 200
    assert site.times == asked + 1


def test_whoever_has_it_already_is_told_so_again(app: Flask, clock: Clock, site: Site) -> None:
    make_world(app, people=1)
    ana, ben = _writer(app, "ana"), _writer(app, "ben")
    tag = ana.get(GLANCE).headers["ETag"]
    ben.get(GLANCE)
    asked = site.times
    answers = [
        each.client.get(f"/desk{GLANCE}", **each._by({"headers": {"If-None-Match": tag}})) for each in (ana, ben)
    ]
    assert [(answer.status_code, answer.data) for answer in answers] == [(304, b"")] * 2
    assert site.times == asked + 1


def test_another_role_or_language_is_given_what_is_its_own(app: Flask, clock: Clock, site: Site) -> None:
    make_world(app, people=1)
    with session_scope(app.extensions["site"].engine) as session:
        campaign = session.scalars(select(Campaign).filter_by(slug=SLUG)).one()
        campaign.status, campaign.started_at = CampaignStatus.SENDING, utcnow()
    rosa, fatima = _writer(app, "rosa-w"), _writer(app, "fatima", language="ar")
    analyst = come_in(app, Role.ANALYST, email="ana@example.org")
    both = [[each.get(GLANCE).data for each in (rosa, fatima, analyst)] for _ in range(2)]
    assert both[0] == both[1] and len({*both[0]}) == 3
    assert app.test_client().get(f"/desk{GLANCE}").status_code == 403


def test_what_was_made_for_more_rights_is_not_given_to_fewer_when_they_are_lost_meanwhile(
    app: Flask, clock: Clock, site: Site
) -> None:
    make_world(app, people=1)
    ana = _writer(app, "ana")
    ana.get(GLANCE)
    kept = glances.of(app)._kept[desk_sessions.hash_of(ana.secret)]
    rights = kept.visit.permissions

    def lose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = site(environ, start_response)
        kept.visit = replace(kept.visit, permissions=frozenset())  # as when another thread looks all up anew
        return answer

    answers = app.wsgi_app
    assert isinstance(answers, Answers)
    answers._site, answers._kept = lose, OrderedDict()
    ana.get(GLANCE)
    assert [key[2] for key in answers._kept if isinstance(key, tuple)] == [rights]


def test_nobody_is_given_anything_once_their_session_has_ended_for_two_seconds(
    app: Flask, clock: Clock, site: Site
) -> None:
    make_world(app, people=1)
    ana, ben = _writer(app, "ana"), _writer(app, "ben")
    assert [each.get(GLANCE).status_code for each in (ana, ben)] == [200, 200]
    with session_scope(app.extensions["site"].engine) as session:
        desk_sessions.end_all(session, ana.account_id)
    clock.now += 2
    assert [each.get(GLANCE).status_code for each in (ben, ana, ana)] == [200, 403, 403]


def test_what_somebody_asks_for_themself_is_asked_of_the_site(app: Flask, clock: Clock, site: Site) -> None:
    petra = make_world(app, people=1).petra
    petra.get(GLANCE)
    asked = site.times
    for _ in range(2):
        petra.get(f"/campaigns/{SLUG}")
        petra.press(f"/campaigns/{SLUG}/pause")
    assert site.times == asked + 4


def test_not_more_is_kept_than_there_is_room_for(app: Flask, clock: Clock, site: Site) -> None:
    make_world(app, people=1)
    ana = _writer(app, "ana")
    for number in range(3):
        ana.get(f"{GLANCE}?seen={number}{'x' * 300}")
    answers = app.wsgi_app
    assert isinstance(answers, Answers) and not answers._kept
    for number in range(510):
        answers._keep(number, _Answer("200 OK", [], b"", 0.0))
    assert len(answers._kept) == 500
