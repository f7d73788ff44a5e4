"""Words that must not appear stand in no log, no error, no finding and no reason why a campaign is held."""

import logging
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.campaigns import readiness
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.delivery import control, previews, sweeping
from mailer.delivery.previews import SampleReader
from mailer.delivery.worker import Worker
from mailer.errors import MailerError
from mailer.kits import making
from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import Campaign, CampaignStatus, DeliveryState, KitEdition, UnionStatus
from tests.support.factories import SENDER, make_campaign, make_case, make_list, make_subscriber, make_union

WORD = "Odeh"
BODIES = [
    "Amal Odeh saw it.\n",
    "**Amal-Odeh saw it.\n",
    "![Amal Odeh](https://example.org/amal-odeh.png)\n",
    "[Amal Odeh](https://example.org/?amal-odeh={{ name }})\n",
    "<b>Amal Odeh</b>\n",
    '[Write](mailto:{{ target_email or "x" }},amal.odeh@example.org)\n',
    "Dear friend Amal Odeh, this is an urgent request.\n",
]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[Callable[[], object]], str]:
    """What a program says while it does something: its result, its log, and its error with all that led to it."""
    caplog.set_level(logging.DEBUG)

    def said(do: Callable[[], object]) -> str:
        caplog.clear()
        try:
            told = repr(do())
        except MailerError as problem:
            told = "".join(traceback.format_exception(problem)) + repr((problem, problem.fields))
        return told + caplog.text + "".join(repr(vars(record)) for record in caplog.records)

    return said


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """About a case of which we may speak, for unions to forward."""
    case = make_case(session, never=["Amal Odeh"])
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, db.now(session).date()))
    urgent = make_list(session)
    make_subscriber(session, urgent)
    union = make_union(session, "dockers", status=UnionStatus.AFFILIATED)
    union.introductions = {"en": "Amal Odeh is one of us."}
    campaign = make_campaign(session, urgent)
    campaign.case, campaign.forwardable = case, True
    session.commit()
    return campaign


@pytest.mark.parametrize("body", BODIES)
def test_nothing_that_is_said_of_a_campaign_has_the_word(
    session: Session, campaign: Campaign, body: str, said: Callable[[Callable[[], object]], str], tmp_path: Path
) -> None:
    campaign.texts[0].body = body
    session.commit()
    for do in (
        lambda: readiness.check(session, campaign),
        lambda: readiness.findings(session, campaign),
        lambda: control.schedule(session, campaign, db.now(session), SENDER),
        lambda: control.start(session, campaign, SENDER),
        lambda: previews.preview(session, campaign, SampleReader(), SENDER, tmp_path),
        lambda: previews.order_test(session, campaign, SampleReader(), SENDER, "desk@example.org"),
    ):
        assert WORD.lower() not in said(do).lower()
        session.rollback()
    for status, again in (
        (CampaignStatus.PAUSED, lambda: control.resume(session, campaign, SENDER)),
        (CampaignStatus.SENT, lambda: control.resend(session, campaign, DeliveryState.FAILED)),
    ):
        campaign.status = status
        session.commit()
        assert WORD.lower() not in said(again).lower()
        session.rollback()


def test_nor_why_a_scheduled_one_is_held_or_a_kit_is_not_made(
    engine: Engine, session: Session, campaign: Campaign, worker: Worker, said: Callable[[Callable[[], object]], str]
) -> None:
    control.schedule(session, campaign, db.now(session), SENDER)
    campaign.texts[0].body = BODIES[2]
    session.commit()
    assert "held back" in (told := said(lambda: sweeping.sweep(engine, worker)))
    session.refresh(campaign)
    assert campaign.status is CampaignStatus.PAUSED
    assert WORD.lower() not in (told + str(campaign.hold_reason)).lower()
    campaign.texts[0].body = "Write to the embassy.\n"
    control.resume(session, campaign, SENDER)
    session.commit()
    sessions = partial(session_scope, engine)
    told = said(lambda: making.make(sessions, campaign.id, SENDER, seconds=60, stopping=lambda: False))
    assert "kit edition cannot be made" in told
    problems = session.scalars(select(KitEdition.problem).where(KitEdition.problem.is_not(None))).all()
    assert [str(problem).partition(" that must")[0] for problem in problems] == [
        "A word stands in the union's own words in en"
    ]
    assert WORD.lower() not in told.lower()
