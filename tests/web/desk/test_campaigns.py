"""Campaigns at the desk: what organisers see of one, and that each press does once what it says."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.delivery import control, forgetting
from mailer.mail.feedback.types import Category, Kind
from mailer.organisers import approvals, content
from mailer.people import subscribers
from mailer.reports import progress
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Account,
    Asking,
    AuditEntry,
    Campaign,
    CampaignAlarm,
    CampaignStatus,
    CaseStatus,
    Delivery,
    DeliveryState,
    MailingList,
    Role,
    Subscriber,
    Subscription,
)
from mailer.web.desk.recent import Recent
from mailer.web.site import Site
from tests.support.accounts import make_publisher
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import add_text, deliver, make_bounce, make_campaign, make_case, make_list, make_subscriber

S = CampaignStatus
D = DeliveryState
Make = Callable[..., Campaign]


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what these pages read and do is tested on both databases where it is written


@pytest.fixture
def people(session: Session) -> MailingList:
    people = make_list(session)
    session.commit()
    return people


@pytest.fixture
def make(session: Session, people: MailingList) -> Make:
    """Makes a campaign that began an hour ago, with so many mails in each state."""

    def make_one(slug: str = "free-the-five", status: CampaignStatus = S.SENDING, **states: int) -> Campaign:
        campaign = make_campaign(session, people, slug=slug, status=status)
        campaign.started_at = utcnow() - timedelta(hours=1) if status not in (S.DRAFT, S.SCHEDULED) else None
        campaign.finished_at = utcnow() if status in (S.SENT, S.CANCELLED) else None
        for state, number in states.items():
            for _ in range(number):
                person = make_subscriber(session, people)
                said: dict[str, object] = {"smtp_code": 550, "smtp_text": f"5.1.1 no {person.email} here"}
                more: dict[str, dict[str, object]] = {"failed": said, "sending": {"fence": 1}}
                deliver(session, campaign, person, D(state), **more.get(state, {}))
        session.commit()
        return campaign

    return make_one


@pytest.fixture
def publisher(app: Flask) -> Organiser:
    return come_in(app, Role.PUBLISHER, name="Petra")


def log(engine: Engine) -> list[tuple[str, str | None, int | None]]:
    with session_scope(engine, read_only=True) as session:
        return [
            (each.action, each.subject, each.account_id) for each in session.query(AuditEntry).order_by(AuditEntry.id)
        ]


def status(engine: Engine, slug: str = "free-the-five") -> CampaignStatus:
    with session_scope(engine, read_only=True) as session:
        return lifecycle.get(session, slug).status


# --- the list -------------------------------------------------------------------------------------------------------


def test_the_list_leads_to_each_campaign_by_pages_status_and_name(app: Flask, make: Make) -> None:
    writer = come_in(app, Role.WRITER)
    assert "There is no campaign yet" in words(writer.get("/campaigns"))
    for number in range(52):
        make(f"alert-{number:02}", S.DRAFT if number % 2 else S.SENT)
    first = writer.get("/campaigns").text
    assert 'href="/desk/campaigns/alert-51"' in first and "alert-01" not in first
    assert "before=3" in first and "after=" not in first
    second = writer.get("/campaigns?before=3").text
    assert "alert-01" in second and "alert-02" not in second and "after=2" in second
    assert "alert-51" in writer.get("/campaigns?after=2").text
    drafts = words(writer.get("/campaigns?status=draft&name=alert-0"))
    assert "alert-01" in drafts and "alert-00" not in drafts and "alert-11" not in drafts
    assert "No campaign is like that" in words(writer.get("/campaigns?name=none"))
    assert writer.get("/campaigns?status=standing&before=x").status_code == 200


def test_a_page_says_whether_a_campaign_was_stopped_or_its_case(app: Flask, make: Make, session: Session) -> None:
    case = make_case(session)
    case.status = CaseStatus.STOPPED
    make("by-case", S.SENT).case = case
    make("itself", S.SENT).asking = Asking.STOPPED
    session.commit()
    writer = come_in(app, Role.WRITER)
    assert "Its case is stopped: everybody" in words(writer.get("/campaigns/by-case"))
    assert "It is stopped: everybody" in words(writer.get("/campaigns/itself"))


def test_the_list_says_what_is_true_of_each_and_is_green_for_what_ended_well_alone(
    app: Flask, make: Make, session: Session
) -> None:
    make("well", S.SENT)
    make("harmful", S.SENT).asking = Asking.STOPPED
    make("gone", S.SENT).asking = Asking.WITHDRAWN
    case = make_case(session)
    case.status = CaseStatus.CLOSED
    make("freed", S.SENT).case = case
    session.commit()
    page = come_in(app, Role.WRITER).get("/campaigns")
    said = words(page)
    for line in ("well Sent Urgent", "harmful Sent Stopped", "gone Sent Withdrawn", "freed Sent Case closed"):
        assert line in said, line
    assert page.text.count('<span class="pill done">Sent</span>') == 2


# --- one of them ----------------------------------------------------------------------------------------------------


def test_the_page_shows_all_seven_states_which_add_up_what_was_refused_and_nobodys_address(
    publisher: Organiser, make: Make, session: Session
) -> None:
    make(pending=4, sent=12, failed=2, unknown=3)
    page = publisher.get("/campaigns/free-the-five")
    said = words(page)
    for part in ("Waiting 4", "Being sent 0", "Sent 12", "Put off 0", "Failed 2", "Unknown 3", "Left out 0", "All 21"):
        assert part in said
    assert "Nobody has this address 550 5.1.1 no [address] here" in said
    assert '<span class="meta answer" lang="en" dir="ltr">550 5.1.1 no [address] here</span>' in page.text
    assert "@example.org" not in said
    assert "Send 3 unknown mails again" in said and "Send 2 failed mails again" in said


def test_an_analyst_sees_totals_without_small_numbers_and_nothing_that_servers_said(app: Flask, make: Make) -> None:
    make(sent=30, failed=2, pending=12)
    analyst = come_in(app, Role.ANALYST)
    said = words(analyst.get("/campaigns/free-the-five"))
    assert "Sent 30" in said and "Waiting 12" in said and "Failed under 10" in said
    assert "All" not in said  # as in the report, beside which the total would tell
    assert "550" not in said and "Pause" not in said and "a second" not in said
    assert analyst.press("/campaigns/free-the-five/pause").status_code == 404


@pytest.mark.parametrize(
    ("role", "offered", "not_offered"),
    [
        (Role.PUBLISHER, ["Pause", "Cancel it for good"], ["Resume"]),
        (Role.WRITER, ["Pause"], ["Cancel it for good", "Resume", "Send 1"]),
        (Role.ADMIN, [], ["Cancel it for good", "/pause"]),
    ],
)
def test_a_press_is_offered_to_whoever_may_and_where_it_can_be_done(
    app: Flask, make: Make, role: Role, offered: list[str], not_offered: list[str]
) -> None:
    make(pending=1, unknown=1)
    page = come_in(app, role).get("/campaigns/free-the-five").text
    assert all(f">{each}<" in page for each in offered)
    assert not any(each in page for each in not_offered)


def figures(page: str) -> list[str]:
    """What stands in the cells of tables, but for what servers said."""
    return re.findall(r"<(?:td|th)[^>]*>(?:<bdi[^>]*>)?([^<]*)", page.partition("In a server")[0]) + re.findall(
        r'<td class="number">([^<]*)', page
    )


def test_of_a_campaign_that_is_over_no_figure_moves_again(
    publisher: Organiser, make: Make, session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.web.desk.recent._SECONDS", 0)
    make(status=S.SENT, sent=6, failed=3, unknown=2, skipped=1)
    before = figures(publisher.get("/campaigns/free-the-five").text)
    assert {"6", "3", "2", "1", "12"} <= set(before)
    for person in session.scalars(select(Subscriber)).all():
        subscribers.erase(session, person.email)
    session.commit()
    forgetting.forget_order(engine)
    session.execute(update(Subscription).values(country="FR"))
    session.commit()
    assert figures(publisher.get("/campaigns/free-the-five").text) == before


def test_the_page_says_what_the_mail_is_headed_by_and_how_many_get_it(
    app: Flask, make: Make, session: Session, people: MailingList
) -> None:
    add_text(session, make(status=S.DRAFT), "fr", "Bonjour.\n")
    make_subscriber(session, people)
    session.commit()
    writer = come_in(app, Role.WRITER)
    said = words(writer.get("/campaigns/free-the-five"))
    assert "Free the five" in said and "1 person gets it" in said
    with session_scope(app.extensions["site"].engine) as other:
        lifecycle.get(other, "free-the-five").texts[-1].subject = "Libérez-les"
        other.get_one(Account, writer.account_id).language = "fr"
    assert "Libérez-les" in words(writer.get("/campaigns/free-the-five"))
    assert "Free the five" not in words(
        come_in(app, Role.ANALYST, email="ana@example.org").get("/campaigns/free-the-five")
    )


def test_the_people_of_a_long_list_are_counted_by_the_page_that_checks_alone(
    app: Flask, make: Make, session: Session, people: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.web.desk.overlooking._FEW", 1)
    make(status=S.DRAFT)
    for _ in range(2):
        make_subscriber(session, people)
    session.commit()
    writer = come_in(app, Role.WRITER)
    assert "See how many people get it" in words(writer.get("/campaigns/free-the-five"))
    assert writer.get("/campaigns/free-the-five/check").status_code == 200
    assert "2 people get it" in words(writer.get("/campaigns/free-the-five"))


def test_nothing_of_what_was_withdrawn_or_must_not_appear_is_said(app: Flask, make: Make, session: Session) -> None:
    make("gone", S.SENT).asking = Asking.WITHDRAWN
    case = make_case(session)
    case.never = ["Five"]
    make("unsaid", S.DRAFT).case = case
    session.commit()
    writer = come_in(app, Role.WRITER)
    for slug in ("gone", "unsaid"):
        assert "Free the five" not in writer.get(f"/campaigns/{slug}").text


def test_that_all_mails_are_out_does_not_end_what_people_are_asked_for(
    publisher: Organiser, make: Make, session: Session
) -> None:
    make(status=S.SENT, sent=1).deadline = utcnow() + timedelta(days=3)
    session.commit()
    said = words(publisher.get("/campaigns/free-the-five"))
    assert "All mails are out." in said and "People can still act on it until" in said and "over" not in said


# --- presses ----------------------------------------------------------------------------------------------------------


def test_a_pause_keeps_the_words_is_done_once_and_the_page_says_who_paused_it_and_why(
    app: Flask, publisher: Organiser, make: Make, engine: Engine
) -> None:
    make(pending=1)
    answer = publisher.press("/campaigns/free-the-five/pause", words=" Her lawyer asks us to wait. ")
    assert (answer.status_code, answer.location) == (303, "/desk/campaigns/free-the-five")
    writer = come_in(app, Role.WRITER, email="wanda@example.org", name="Wanda")
    assert writer.press("/campaigns/free-the-five/pause", words="Me too").status_code == 303
    said = words(writer.get("/campaigns/free-the-five"))
    assert "Paused by Petra ." in said and "Her lawyer asks us to wait." in said and "Me too" not in said
    assert log(engine) == [("campaigns.pause", "free-the-five", publisher.account_id)]


def test_a_resume_lets_it_go_on_and_rings_for_workers(
    publisher: Organiser, make: Make, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(Site, "ring", lambda _site, campaign_id, **_first: rung.append(campaign_id))
    campaign = make(status=S.PAUSED, pending=1)
    for _ in range(2):
        assert publisher.press("/campaigns/free-the-five/resume").status_code == 303
    assert status(engine) is S.SENDING
    assert rung == [campaign.id]
    assert log(engine) == [("campaigns.resume", "free-the-five", publisher.account_id)]


def test_a_page_from_before_another_pause_resumes_nothing(publisher: Organiser, make: Make, engine: Engine) -> None:
    make(pending=1)
    publisher.press("/campaigns/free-the-five/pause")
    seen = re.search(r'name="pause" value="([^"]+)"', publisher.get("/campaigns/free-the-five").text)
    assert seen is not None
    assert publisher.press("/campaigns/free-the-five/resume", pause=seen[1]).status_code == 303
    publisher.press("/campaigns/free-the-five/pause", words="a wrong name in it")
    answer = publisher.press("/campaigns/free-the-five/resume", pause=seen[1])
    assert answer.status_code == 409 and "a wrong name in it" in words(answer)
    assert status(engine) is S.PAUSED


def test_what_is_not_approved_any_more_is_not_resumed(publisher: Organiser, make: Make, engine: Engine) -> None:
    campaign = make(status=S.PAUSED, pending=1)
    with session_scope(engine) as session:
        session.get_one(Campaign, campaign.id).started_at = None
    answer = publisher.press("/campaigns/free-the-five/resume")
    assert answer.status_code == 422 and "Ask for approval first" in words(answer)
    assert 'href="/desk/campaigns/free-the-five/approval"' in answer.text
    assert status(engine) is S.PAUSED and log(engine) == []


def test_a_cancel_leaves_out_what_waits_and_is_kept_once(publisher: Organiser, make: Make, engine: Engine) -> None:
    make(pending=2, sent=1)
    for _ in range(2):
        assert publisher.press("/campaigns/free-the-five/cancel").status_code == 303
    said = words(publisher.get("/campaigns/free-the-five"))
    assert "Cancelled" in said and "Left out 2" in said and "Sent 1" in said
    assert log(engine) == [("campaigns.cancel", "free-the-five", publisher.account_id)]


def test_unknown_mails_are_sent_again_when_somebody_says_so(publisher: Organiser, make: Make, engine: Engine) -> None:
    make(status=S.SENT, sent=1, unknown=2, failed=1)
    assert publisher.press("/campaigns/free-the-five/resend", state="sent").status_code == 400
    assert publisher.press("/campaigns/free-the-five/resend", state="unknown").status_code == 303
    said = words(publisher.get("/campaigns/free-the-five"))
    assert "Waiting 2" in said and "Unknown 0" in said and "Failed 1" in said
    assert log(engine) == [("campaigns.resend", "free-the-five", publisher.account_id)]


def test_a_resume_of_what_is_still_to_start_is_done_once_and_says_when_that_is(
    app: Flask, session: Session, people: MailingList, publisher: Organiser, engine: Engine
) -> None:
    make_subscriber(session, people)
    campaign = make_campaign(session, people, slug="free-the-five", status=S.PAUSED)
    campaign.scheduled_at = utcnow() + timedelta(days=1)
    petra, olga = make_publisher(session, "petra"), make_publisher(session, "olga")
    sender = app.extensions["site"].settings.mail_sender
    approvals.ask(session, campaign, petra, None, at=utcnow(), sender=sender)
    shown = content.of(session, campaign, sender).hash
    approvals.approve(session, campaign, olga, shown, None, at=utcnow(), sender=sender)
    session.commit()
    for _ in range(2):
        assert publisher.press("/campaigns/free-the-five/resume").status_code == 303
    assert status(engine) is S.SCHEDULED and "starts" in words(publisher.get("/campaigns/free-the-five"))
    assert [action for action, _subject, _who in log(engine)] == ["campaigns.resume"]


def test_what_is_sent_again_is_so_once_however_often_somebody_presses(
    publisher: Organiser, make: Make, engine: Engine
) -> None:
    make(status=S.SENT, sent=1, unknown=2)
    for _ in range(2):
        assert publisher.press("/campaigns/free-the-five/resend", state="unknown").status_code == 303
    assert [action for action, _subject, _who in log(engine)] == ["campaigns.resend"]


@pytest.mark.parametrize("press", ["pause", "resume", "resend"])
def test_where_somebody_was_quicker_nothing_is_done_and_the_page_says_what_it_is_now(
    publisher: Organiser, make: Make, engine: Engine, press: str
) -> None:
    make(status=S.CANCELLED, unknown=1)
    answer = publisher.press(f"/campaigns/free-the-five/{press}", state="unknown")
    assert answer.status_code == 409
    assert "Somebody was quicker" in words(answer) and "Cancelled" in words(answer)
    assert log(engine) == []


def test_a_pause_that_comes_too_late_says_that_all_mails_are_out(
    publisher: Organiser, make: Make, engine: Engine
) -> None:
    make(status=S.SENT, sent=1)
    answer = publisher.press("/campaigns/free-the-five/pause")
    assert answer.status_code == 409 and "Nothing was done: all its mails were out already." in words(answer)
    assert log(engine) == []


def test_what_stands_against_sending_is_said_and_nothing_is_done(
    publisher: Organiser, make: Make, session: Session, engine: Engine
) -> None:
    campaign = make(status=S.PAUSED, pending=1)
    campaign.asking = Asking.CLOSED
    session.commit()
    answer = publisher.press("/campaigns/free-the-five/resume")
    assert answer.status_code == 422
    assert "something stands against sending" in words(answer) and "campaigns reopen" in words(answer)
    assert status(engine) is S.PAUSED and log(engine) == []


# --- the part that moves --------------------------------------------------------------------------------------------


def test_the_moving_part_is_small_and_weighs_nothing_while_nothing_changes(publisher: Organiser, make: Make) -> None:
    make(pending=3, sent=9, deferred=1, unknown=1)
    answer = publisher.get("/campaigns/free-the-five/moving")
    assert len(answer.data) < 2048
    assert "<html" not in answer.text
    again = publisher.get("/campaigns/free-the-five/moving", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_it_asks_while_something_can_change_and_no_longer(publisher: Organiser, make: Make) -> None:
    for number, each in enumerate(S):
        if each is not S.STANDING:
            make(f"alert-{number}", each, sent=1)
            page = publisher.get(f"/campaigns/alert-{number}").text
            assert ('hx-trigger="every 2s"' in page) == (each in (S.SCHEDULED, S.SENDING, S.PAUSED)), each
            assert "Refresh" in page
    make("letting-go", S.CANCELLED, sending=1)
    assert 'hx-trigger="every 2s"' in publisher.get("/campaigns/letting-go").text


def test_what_somebody_did_is_seen_in_two_seconds_and_the_page_that_is_open_says_that_it_is_outdated(
    app: Flask, publisher: Organiser, make: Make, session: Session
) -> None:
    now = [100.0]
    app.extensions["recent moving"] = Recent(as_long=0, clock=lambda: now[0])
    campaign = make(pending=3)
    page = publisher.get("/campaigns/free-the-five").text
    asked = page.partition('hx-get="/desk')[2].partition('"')[0]
    assert "Something has changed" not in publisher.get(asked).text
    control.pause(session, campaign, reason="paused by hand")
    session.commit()
    assert "Paused" in publisher.get("/campaigns/free-the-five").text
    now[0] += 2
    later = publisher.get(asked).text
    assert "Paused" in later and "Something has changed" in later
    assert "Something has changed" not in publisher.get("/campaigns/free-the-five").text


def test_its_states_are_counted_once_in_two_seconds_however_many_look(
    app: Flask, publisher: Organiser, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(pending=3)
    counted: list[int] = []
    pace = progress.pace

    def count(session: Session, campaign: Campaign) -> progress.Pace:
        counted.append(campaign.id)
        return pace(session, campaign)

    monkeypatch.setattr(progress, "pace", count)
    writer = come_in(app, Role.WRITER, email="wanda@example.org")
    for who in (publisher, writer, publisher):
        who.get("/campaigns/free-the-five/moving")
    assert len(counted) == 1


# --- what came back -------------------------------------------------------------------------------------------------


def test_what_came_back_stands_on_the_page_without_small_numbers(
    app: Flask, session: Session, make: Make, publisher: Organiser
) -> None:
    campaign = make(sent=15)
    assert "What came back" not in words(publisher.get("/campaigns/free-the-five"))
    mails = session.scalars(select(Delivery)).all()
    for mail in mails[:12]:
        make_bounce(session, mail, category=Category.NO_MAILBOX)
    for mail in mails[:3]:
        make_bounce(session, mail, kind=Kind.COMPLAINT, category=None)
    session.add(CampaignAlarm(campaign_id=campaign.id, complaints_in_1000=3))
    session.commit()
    app.extensions["recent returned"] = Recent()
    said = words(publisher.get("/campaigns/free-the-five"))
    assert "The address does not exist 12" in said and "Called it spam under 10" in said
    assert "Some, under 10, of those who were sent it called it spam: that may be more than 1 in 1,000." in said
    assert "At least 3 in 1,000" not in said  # which would say that it were 5 or more
    analyst = words(come_in(app, Role.ANALYST, email="anna@example.org").get("/campaigns/free-the-five"))
    assert "The address does not exist 12" in analyst and "in 1,000" not in analyst
