"""Ending at the desk: each press does what the command does, once, and the page says what follows from it."""

import time
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import Engine, literal_column, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Asking,
    AuditEntry,
    Campaign,
    CampaignStatus,
    Case,
    CaseEvent,
    CaseEventKind,
    CaseStatus,
    Role,
)
from tests.support.concurrency import Beside
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import make_act, make_campaign, make_case, make_list, make_subscriber

S = CampaignStatus
HERE = "/campaigns/free-leila/stop"
WHY = {"en": "Letters now put her in danger.", "fr": "Des lettres la mettent en danger."}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # how each is done is tested on both databases where it is written; who waits is tested below


@pytest.fixture(autouse=True)
def alerts(session: Session) -> None:
    """Two that go out about one case, and one about none."""
    people, case = make_list(session), make_case(session, "leila", never=["Amal Odeh"])
    for slug, about in (("free-leila", case), ("again-leila", case), ("free-the-five", None)):
        campaign = make_campaign(session, people, slug=slug, status=S.SENDING)
        campaign.case, campaign.started_at = about, utcnow()
    session.commit()


@pytest.fixture
def publisher(app: Flask) -> Organiser:
    return come_in(app, Role.PUBLISHER)


def log(engine: Engine) -> list[tuple[str, str | None]]:
    with session_scope(engine, read_only=True) as session:
        return [(each.action, each.subject) for each in session.query(AuditEntry).order_by(AuditEntry.id)]


def stand(engine: Engine, slug: str = "free-leila") -> tuple[CampaignStatus, Asking]:
    with session_scope(engine, read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        return campaign.status, campaign.asking


def case_status(engine: Engine) -> CaseStatus:
    with session_scope(engine, read_only=True) as session:
        return session.scalars(select(Case.status)).one()


def said(engine: Engine, kind: CaseEventKind) -> list[dict[str, str]]:
    with session_scope(engine, read_only=True) as session:
        return list(session.scalars(select(CaseEvent.words).where(CaseEvent.kind == kind)))


def test_a_stop_of_the_case_pauses_all_about_it_shows_why_and_says_how_it_goes_on(
    publisher: Organiser, engine: Engine
) -> None:
    before = words(publisher.get(HERE))
    assert "This stops every campaign about leila" in before and "Besides this one: again-leila" in before
    assert "It cannot be undone" in before and "How to go on" not in before
    fields = {f"case-why-{language}": text for language, text in WHY.items()}
    for _ in range(2):  # a second click changes nothing
        answer = publisher.press("/campaigns/free-leila/stop-case", **fields)
        assert (answer.status_code, answer.location) == (303, f"/desk{HERE}")
    assert case_status(engine) is CaseStatus.STOPPED
    assert [stand(engine, slug)[0] for slug in ("free-leila", "again-leila", "free-the-five")] == [
        S.PAUSED,
        S.PAUSED,
        S.SENDING,
    ]
    assert log(engine) == [("cases.stop", "leila")] and said(engine, CaseEventKind.STOPPED) == [WHY]
    page = words(publisher.get(HERE))
    assert "Its case leila is stopped" in page and WHY["en"] in page and WHY["fr"] in page
    assert "Paused: again-leila free-leila" in page and "cannot be called back" in page and "Resume" in page
    for _ in range(2):
        assert publisher.press("/campaigns/free-leila/reopen-case").status_code == 303
    assert case_status(engine) is CaseStatus.OPEN and stand(engine)[0] is S.PAUSED
    assert log(engine)[1:] == [("cases.reopen", "leila")]


def test_a_case_is_closed_with_how_it_ended(publisher: Organiser, engine: Engine) -> None:
    for _ in range(2):
        publisher.press("/campaigns/free-leila/close-case", **{"outcome-en": " She is\nfree. ", "outcome-??": "no"})
    assert case_status(engine) is CaseStatus.CLOSED and said(engine, CaseEventKind.CLOSED) == [{"en": "She is free."}]
    assert log(engine) == [("cases.close", "leila")]
    page = words(publisher.get(HERE))
    assert "Its case leila is closed" in page and "She is free." in page


def test_whoever_closes_a_case_sees_the_draft_that_tells_those_who_acted(publisher: Organiser, engine: Engine) -> None:
    assert "Where people acted, a draft is written" in words(publisher.get(HERE))
    with session_scope(engine) as session:
        alert = lifecycle.get(session, "again-leila")
        make_act(session, alert, make_subscriber(session, alert.mailing_list, country="GB"))
    for _ in range(2):
        publisher.press("/campaigns/free-leila/close-case", **{"outcome-en": "She is free."})
    page = publisher.get(HERE)
    assert "This tells those who acted how it ended" in words(page)
    assert 'href="/desk/campaigns/leila-outcome"' in page.get_data(as_text=True)
    assert stand(engine, "leila-outcome") == (S.DRAFT, Asking.OPEN)
    publisher.press("/campaigns/free-leila/reopen-case")
    assert "leila-outcome" not in words(publisher.get(HERE))


@pytest.mark.parametrize("is_read", [True, False])
def test_a_case_is_closed_also_where_the_draft_cannot_be_written(
    publisher: Organiser, engine: Engine, caplog: pytest.LogCaptureFixture, is_read: bool
) -> None:
    with session_scope(engine) as session:
        alert = lifecycle.get(session, "again-leila")
        make_act(session, alert, make_subscriber(session, alert.mailing_list, country="GB"))
        if not is_read:
            session.execute(update(Case).values(notes=literal_column("x'00'")))
    publisher.press("/campaigns/free-leila/close-case", **{"outcome-en": "She is free."})
    assert case_status(engine) is CaseStatus.CLOSED
    assert ("no news of a closed case was written" in caplog.text) is not is_read
    assert publisher.get(HERE).status_code == 200


@pytest.mark.parametrize(
    ("press", "now", "fields"),
    [
        ("stop", Asking.STOPPED, {"why-en": WHY["en"]}),
        ("stop", Asking.STOPPED, {}),
        ("close", Asking.CLOSED, {}),
    ],
)
def test_one_campaign_is_stopped_or_closed_alone_and_opened_again(
    publisher: Organiser, engine: Engine, press: str, now: Asking, fields: dict[str, str]
) -> None:
    for _ in range(2):
        assert publisher.press(f"/campaigns/free-leila/{press}", **fields).status_code == 303
    assert stand(engine) == (S.PAUSED, now)
    assert stand(engine, "again-leila") == (S.SENDING, Asking.OPEN)
    assert (fields.get("why-en", "No words are shown")) in words(publisher.get(HERE))
    for _ in range(2):
        publisher.press("/campaigns/free-leila/reopen")
    assert stand(engine) == (S.PAUSED, Asking.OPEN)
    assert log(engine) == [(f"campaigns.{press}", "free-leila"), ("campaigns.reopen", "free-leila")]


def test_another_reason_replaces_the_first_and_one_with_a_word_that_must_not_appear_is_not_shown(
    publisher: Organiser, engine: Engine
) -> None:
    publisher.press(HERE, **{"why-en": "One."})
    publisher.press(HERE, **{"why-en": "Ask Amal Odeh."})
    assert len(said(engine, CaseEventKind.STOPPED)) == 2
    page = words(publisher.get(HERE))
    assert "No words are shown" in page and "Odeh" not in page


def test_it_is_withdrawn_for_good_only_by_its_name(publisher: Organiser, engine: Engine) -> None:
    wrong = publisher.press("/campaigns/free-leila/withdraw", **{"typed-name": "free-lela"})
    assert wrong.status_code == 422 and 'value="free-lela"' in wrong.text and "Nothing was taken down" in wrong.text
    assert stand(engine) == (S.SENDING, Asking.OPEN)
    for _ in range(2):
        assert publisher.press("/campaigns/free-leila/withdraw", **{"typed-name": "Free-Leila "}).status_code == 303
    assert stand(engine) == (S.CANCELLED, Asking.WITHDRAWN)
    page = words(publisher.get(HERE))
    assert "It was taken down for good" in page and "Take it down" not in page
    assert publisher.press("/campaigns/free-leila/reopen").status_code == 422
    assert publisher.press(HERE).status_code == 303
    assert log(engine) == [("campaigns.withdraw", "free-leila")]


def test_a_campaign_without_a_case_has_no_press_for_one(publisher: Organiser) -> None:
    assert "Stop all about its case" not in publisher.get("/campaigns/free-the-five/stop").text
    for press in ("stop-case", "close-case", "reopen-case"):
        assert publisher.press(f"/campaigns/free-the-five/{press}").status_code == 404


def test_the_way_there_stands_on_the_campaign_and_where_all_is_paused_for_whoever_may(
    app: Flask, publisher: Organiser
) -> None:
    for page in ("/campaigns/free-leila", "/stop-everything"):
        assert f'href="/desk{HERE}"' in publisher.get(page).text
        assert HERE not in come_in(app, Role.WRITER, email=f"{page.rpartition('/')[2]}@example.org").get(page).text


def test_what_is_typed_by_hand_is_never_too_long_nor_markup(publisher: Organiser, engine: Engine) -> None:
    assert publisher.press(HERE, **{"why-en": "<b>x</b>" + "y" * 5_000}).status_code == 303
    assert len(said(engine, CaseEventKind.STOPPED)[0]["en"]) == 2_000
    assert "<b>x" not in publisher.get(HERE).text


class TestWhileSomebodyHoldsIt:
    """On the database where two may write at once."""

    @pytest.fixture
    def backend(self) -> str:
        return "postgresql"

    def test_the_case_is_stopped_and_the_rest_paused_without_waiting(
        self, publisher: Organiser, engine: Engine, session: Session
    ) -> None:
        held = select(Campaign).where(Campaign.slug == "again-leila").with_for_update(key_share=True)
        session.scalars(held).one()
        press = Beside(partial(publisher.press, "/campaigns/free-leila/stop-case"))
        until = time.monotonic() + 20
        while case_status(engine) is not CaseStatus.STOPPED and time.monotonic() < until:
            time.sleep(0.05)
        press.must_wait()  # for the last of it alone
        assert case_status(engine) is CaseStatus.STOPPED
        assert stand(engine)[0] is S.PAUSED and stand(engine, "again-leila")[0] is S.SENDING
        session.rollback()
        press.result()
        assert stand(engine, "again-leila")[0] is S.PAUSED
        assert log(engine) == [("cases.stop", "leila")]
