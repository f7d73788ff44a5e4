"""Home: one line for each thing that needs somebody, as far as they may see it, and calm where nothing does."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.delivery import alarms, control
from mailer.delivery.alarms import Alarm
from mailer.store.db import session_scope, utcnow, utctoday
from mailer.store.models import (
    Account,
    Application,
    Asking,
    CampaignAlarm,
    CampaignStatus,
    DeliveryState,
    Role,
    StoredTarget,
    TargetRole,
)
from tests.support.desk import come_in, words
from tests.support.factories import deliver, make_campaign, make_case, make_list, make_subscriber

S = CampaignStatus


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what needs somebody is tested on both databases where it is found out


@pytest.fixture
def busy(session: Session) -> None:
    """Something of each kind."""
    people = make_list(session)
    now = utcnow()
    going = make_campaign(session, people, slug="going", status=S.SENDING)
    going.started_at = now
    make_campaign(session, people, slug="coming", status=S.SCHEDULED).scheduled_at = now + timedelta(hours=2)
    held = make_campaign(session, people, slug="held", status=S.SENDING)
    control.pause(session, held, reason="paused by hand", words="Wait for the lawyer.", account_id=1)
    deliver(session, going, make_subscriber(session, people), DeliveryState.UNKNOWN)
    case = make_case(session, "leila")
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, utctoday(), until=utctoday() + timedelta(days=3)))
    doubts = {"own_words": False, "doubts": [1, 2, 3], "details": {"name": "Embassy"}}
    session.add(StoredTarget(slug="embassy", role=TargetRole.SOLIDARITY, countries=[], languages=[], **doubts))
    session.add(Application(name="Dockers", is_named=True, languages=[], confirmed_at=now))
    session.commit()


@pytest.mark.usefixtures("busy")
def test_each_thing_is_a_line_that_leads_to_where_it_is_dealt_with(app: Flask) -> None:
    petra = come_in(app, Role.PUBLISHER, name="Petra")
    page = petra.get("/")
    said = words(page)
    for slug in ("going", "coming", "held"):
        assert f'href="/desk/campaigns/{slug}"' in page.text
    for part in (
        "Paused by Petra",
        "Wait for the lawyer.",
        "going 1 mail",
        "leila : the consent ends on",
        "mailer cases consent leila --by WHO --on DAY",
        "mailer targets verify embassy --by WHO",
        "1 application waits for an answer",
        "Nobody signed up in the last seven days.",
    ):
        assert part in said, part
    assert "Nothing needs you now" not in said


def test_a_pause_by_an_alarm_and_a_warning_say_what_to_do(app: Flask, session: Session) -> None:
    people = make_list(session)
    for number, alarm in enumerate(Alarm):
        campaign = make_campaign(session, people, slug=f"held-{number}", status=S.SENDING)
        control.pause(session, campaign, reason=alarms.REASONS[alarm])
    warned = make_campaign(session, people, slug="warned", status=S.SENDING)
    session.add(CampaignAlarm(campaign_id=warned.id, complaints_in_1000=1))
    session.commit()
    rosa = come_in(app, Role.WRITER)
    said = words(rosa.get("/"))
    assert "held-0 Paused Paused by itself" in said
    for part in (
        "At least 3 in 1,000 of those who were sent it called it spam. Find out",
        "the list may come from a bad import. Look at where",
        "and not for the addresses. Ask whoever looks after the server what mailer doctor says",
        "warned : More than 1 in 1,000",
    ):
        assert part in said, part
    analyst = words(come_in(app, Role.ANALYST, email="anna@example.org").get("/"))
    assert "spam" not in analyst and "import" not in analyst
    with session_scope(session.get_bind()) as other:  # type: ignore[arg-type]  # of one engine
        other.get_one(Account, rosa.account_id).language = "fr"
    assert "signalée comme indésirable" in words(rosa.get("/"))


@pytest.mark.usefixtures("busy")
def test_an_analyst_sees_what_moves_and_nothing_that_somebody_said_or_that_only_others_can_do(app: Flask) -> None:
    said = words(come_in(app, Role.ANALYST).get("/"))
    assert all(slug in said for slug in ("going", "coming", "held"))
    assert not any(part in said for part in ("lawyer", "leila", "embassy", "application", "1 mail"))


def test_where_there_is_no_campaign_yet_it_says_how_one_comes_about(app: Flask) -> None:
    said = words(come_in(app, Role.WRITER).get("/"))
    assert "There is no campaign yet" in said and "Writers begin one under Campaigns." in said


def test_where_nothing_is_to_be_done_it_is_calm(app: Flask, session: Session) -> None:
    make_campaign(session, make_list(session), status=S.SENT)
    session.commit()
    assert "Nothing needs you now." in words(come_in(app, Role.WRITER).get("/"))


def test_a_draft_that_nobody_asked_for_is_found_and_all_drafts_are_one_link_away(app: Flask, session: Session) -> None:
    people = make_list(session)
    for number in range(7):
        make_campaign(session, people, slug=f"alert-{number}")
    session.commit()
    for role in (Role.WRITER, Role.PUBLISHER):
        page = come_in(app, role, email=f"{role}@example.org").get("/")
        said = words(page)
        assert said.index("Nothing needs you now.") < said.index("Drafts alert-6 Draft")
        assert "alert-2" in said and "alert-1" not in said
        assert 'href="/desk/campaigns?status=draft"' in page.text
    assert "Drafts" not in words(come_in(app, Role.ADMIN, email="adele@example.org").get("/"))


def test_what_is_paused_says_so_beside_what_was_decided_about_it(app: Flask, session: Session) -> None:
    make_campaign(session, make_list(session), slug="held", status=S.PAUSED).asking = Asking.STOPPED
    session.commit()
    assert "held Paused Stopped" in words(come_in(app, Role.WRITER).get("/"))


def test_who_has_no_role_is_told_whom_to_ask(app: Flask) -> None:
    assert "Ask an admin" in words(come_in(app).get("/"))
