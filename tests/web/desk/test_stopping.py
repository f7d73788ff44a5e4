"""Everything at once: the press is on every page of whoever may press it, and nothing stands in its way."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.delivery import stopping
from mailer.organisers import desk_sessions
from mailer.store.db import DatabaseUnavailable, session_scope
from mailer.store.models import AuditEntry, CampaignStatus, Role
from mailer.web.desk.routes import ROUTES
from mailer.web.site import Site
from tests.support.desk import come_in, words
from tests.support.factories import make_campaign, make_list

S = CampaignStatus
PRESS = "Stop everything"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # how everything is paused is tested on both databases where it is written


@pytest.fixture
def alerts(session: Session) -> None:
    people = make_list(session)
    for status in (S.SENDING, S.SCHEDULED, S.DRAFT, S.SENT):
        make_campaign(session, people, slug=status.value, status=status)
    session.commit()


def statuses(engine: Engine) -> dict[str, CampaignStatus]:
    with session_scope(engine, read_only=True) as session:
        return {each.slug: each.status for each in lifecycle.all_campaigns(session)}


@pytest.mark.parametrize(
    ("role", "may"), [(Role.WRITER, True), (Role.PUBLISHER, True), (Role.ANALYST, False), (Role.ADMIN, False)]
)
@pytest.mark.usefixtures("alerts")
def test_it_stands_on_every_page_of_whoever_may_press_it(app: Flask, role: Role, may: bool) -> None:
    who = come_in(app, role)
    for route in ROUTES:
        if route.page is None and not route.asks_itself and "<" not in route.path and "sign-" not in route.path:
            page = who.get(route.path)
            if page.status_code == 200 and "<header" in page.text:
                assert (PRESS in page.text) == may, route
    assert (PRESS in who.get("/campaigns/none").text) == may
    assert who.press("/stop-everything").status_code == (303 if may else 404)


@pytest.mark.usefixtures("alerts")
def test_two_presses_pause_all_that_goes_out_or_will_and_say_what_and_how_it_goes_on(
    app: Flask, engine: Engine
) -> None:
    writer = come_in(app, Role.WRITER, name="Wanda")
    page = writer.get("/").text
    assert "2 campaigns are going out or scheduled" in page and "<details" in page
    answer = writer.press("/stop-everything")
    assert (answer.status_code, answer.location) == (303, "/desk/stop-everything")
    assert statuses(engine) == {"sending": S.PAUSED, "scheduled": S.PAUSED, "draft": S.DRAFT, "sent": S.SENT}
    said = words(writer.get("/stop-everything"))
    assert "Nothing goes out now" in said and "Resume" in said and "Paused by Wanda" in said
    with session_scope(engine, read_only=True) as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.subject).all()
        assert [(each.action, each.subject, each.account_id) for each in entries] == [
            ("campaigns.pause", "scheduled", writer.account_id),
            ("campaigns.pause", "sending", writer.account_id),
        ]
    assert writer.press("/stop-everything").status_code == 303
    with session_scope(engine, read_only=True) as session:
        assert session.query(AuditEntry).count() == 2


def test_with_nothing_to_stop_it_says_so_calmly_and_the_press_is_still_good(app: Flask, engine: Engine) -> None:
    writer = come_in(app, Role.WRITER)
    page = writer.get("/stop-everything")
    said = words(page)
    assert "Nothing goes out now" in said and "there is nothing to stop" in said and "pauses all of them" in said
    assert "<button" not in page.text.partition("<main")[2]
    assert "When this page was made, nothing was going out or scheduled." in page.text
    with session_scope(engine) as session:  # meanwhile
        make_campaign(session, make_list(session), slug="going", status=S.SENDING)
    assert writer.press("/stop-everything").status_code == 303
    assert statuses(engine) == {"going": S.PAUSED}


@pytest.mark.usefixtures("alerts")
def test_it_is_not_limited_and_writes_nothing_before_it_pauses(
    app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = come_in(app, Role.WRITER)
    touched: list[int] = []
    monkeypatch.setattr(desk_sessions, "touch", lambda _session, session_id, **_: touched.append(session_id))
    monkeypatch.setattr("mailer.web.desk.guard._NOTED_EVERY", -desk_sessions.IDLE)
    assert writer.press("/stop-everything").status_code == 303
    assert touched == [] and statuses(engine)["sending"] is S.PAUSED
    for _ in range(310):
        answer = writer.press("/stop-everything")
    assert answer.status_code == 303


@pytest.mark.usefixtures("alerts")
def test_a_busy_database_is_asked_again(app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_PAUSE_SECONDS", 0)
    writer = come_in(app, Role.WRITER)
    opened = Site.session
    failures = [DatabaseUnavailable(problem="database is locked")] * 2

    @contextmanager
    def session(site: Site, *, read_only: bool = False) -> Iterator[Session]:
        if not read_only and failures:
            raise failures.pop()
        with opened(site, read_only=read_only) as other:
            yield other

    monkeypatch.setattr(Site, "session", session)
    assert writer.press("/stop-everything").status_code == 303
    assert statuses(engine)["sending"] is S.PAUSED


@pytest.mark.usefixtures("alerts")
def test_it_is_there_where_the_database_cannot_be_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = come_in(app, Role.WRITER)

    def fail(_session: Session) -> int:
        raise DatabaseUnavailable(problem="database is locked")

    monkeypatch.setattr("mailer.reports.attention.under_way", fail)
    monkeypatch.setattr("mailer.reports.attention.look", fail)
    page = writer.get("/")
    assert page.status_code == 503
    assert PRESS in page.text and "All that is going out or scheduled is paused" in page.text
