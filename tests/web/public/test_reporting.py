"""Visitors report what became of their letters. It counts once a network and day, and everybody is thanked alike."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.app import create_app
from mailer.cases import target_book
from mailer.links import Link
from mailer.settings import Settings
from mailer.store.db import session_scope
from mailer.store.models import CampaignStatus, TargetReport, TargetReportKind
from mailer.web import limits
from tests.support.factories import WHEN, make_campaign, make_list
from tests.support.letters import add_letter, put_target
from tests.web.pages import signed

BERLIN, BONN = "/campaigns/free-the-five/letter/berlin/report", "/campaigns/free-the-five/letter/bonn/report"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is asked of the database is tested where it is done


@pytest.fixture
def app(settings: Callable[..., Settings], database_url: str, session: Session, valkey_url: str) -> Iterator[Flask]:
    """The site with its limits, and two targets."""
    put_target(session, "berlin")
    put_target(session, "bonn")
    session.commit()
    app = create_app(settings(MAILER_DATABASE_URL=database_url, MAILER_REDIS_URL=valkey_url))
    yield app
    app.extensions["site"].engine.dispose()


@pytest.fixture
def report(client: FlaskClient) -> Callable[..., str]:
    """Report something from a network; the page that answers."""

    def post(path: str = BERLIN, network: str = "198.51.100.7", kind: str = "came_back") -> str:
        answer = client.post(path, data={"kind": kind}, environ_overrides={"REMOTE_ADDR": network})
        assert answer.status_code == 200
        return answer.text.replace(path, BERLIN).replace(path.removesuffix("/report"), BERLIN.removesuffix("/report"))

    return post


def counted(engine: Engine) -> int:
    with session_scope(engine) as session:
        return session.scalar(select(func.sum(TargetReport.number))) or 0


def doubts(engine: Engine, slug: str = "berlin") -> int:
    with session_scope(engine) as session:
        return target_book.get(session, slug).doubts


def test_a_network_counts_once_a_day_for_each_target_and_is_thanked_each_time(
    report: Callable[..., str], engine: Engine
) -> None:
    first = report()
    assert "Thank you" in first
    assert 'href="/campaigns/free-the-five/letter/berlin"' in first
    assert counted(engine) == 1
    for again in (report(), report(kind="moved"), report(f"/fr{BERLIN}", kind="moved")):
        assert "Thank you" in again or "Merci" in again
    assert report() == first
    assert counted(engine) == 1
    assert report(BONN) == report(BONN) == first
    assert counted(engine) == 2
    assert report(network="198.51.100.8") == first
    assert counted(engine) == 3


def test_nobody_learns_whether_there_is_such_a_target(report: Callable[..., str], engine: Engine) -> None:
    there, not_there = report(), report(BERLIN.replace("berlin", "prague"))
    assert there == not_there
    assert counted(engine) == 1


def test_a_block_of_networks_that_one_person_may_have_counts_as_one_network(
    report: Callable[..., str], engine: Engine
) -> None:
    for number in range(40):
        report(network=f"2001:db8:1:{number}00::1")
    assert counted(engine) == 4
    assert doubts(engine) == 1
    for number in range(8):
        report(network=f"2001:db8:{number + 2}::1")
    assert doubts(engine) >= target_book.DOUBTED_BY


def test_whoever_reports_target_after_target_is_thanked_and_soon_counts_no_more(
    report: Callable[..., str], engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.FORMS, "reporting.report", limits.Allowance("report", ((3, limits.DAY),)))
    for slug in ("prague", "paris", "vienna"):
        report(BERLIN.replace("berlin", slug))
    assert "Thank you" in report()
    assert counted(engine) == 0
    report(network="198.51.100.8")
    assert counted(engine) == 1
    assert "too many requests" not in caplog.text


def test_what_no_form_of_ours_sends_is_refused(client: FlaskClient, engine: Engine) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(BERLIN, data={"kind": "moved"}, headers=elsewhere).status_code == 403
    assert client.post(f"/letters/{'0' * 40}/berlin/report", data={"kind": "moved"}).status_code == 404
    assert client.post(BONN, data={"kind": "burned"}).status_code == 400
    assert counted(engine) == 0


def test_the_page_of_a_letter_takes_reports_and_the_answer_leads_back_to_it(
    app: Flask, client: FlaskClient, session: Session, engine: Engine
) -> None:
    campaign = make_campaign(session, make_list(session), slug="free-the-five", status=CampaignStatus.SENT)
    campaign.ask, campaign.about = ["embassy"], "BR"
    campaign.started_at, campaign.deadline = WHEN, datetime(2035, 4, 30, tzinfo=UTC)
    add_letter(session, campaign)
    session.commit()
    page = f"/letters/{signed(app, Link.LETTER, campaign.id)}/berlin"
    form = re.search(r'<form method="post" action="([^"]+)">(.*?)</form>', client.get(page).text, re.DOTALL)
    assert form
    kinds = re.findall(r'<button [^>]*name="kind" value="([a-z_]+)">', form[2])
    assert kinds == list(TargetReportKind)
    for host, kind in enumerate(kinds):
        answer = client.post(form[1], data={"kind": kind}, environ_overrides={"REMOTE_ADDR": f"198.51.100.{host}"})
        assert f'href="{page}"' in answer.text
    assert counted(engine) == 3
