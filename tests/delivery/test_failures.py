"""What nobody sees fail is said in the log: what, why, and what to do; and never whom it was for."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from mailer.delivery import ledger, previews, recovery, sending
from mailer.delivery.journal import Journal
from mailer.delivery.previews import SampleReader
from mailer.delivery.worker import Worker
from mailer.mail.feedback.types import Category
from mailer.mail.pipeline import Pipeline
from mailer.mail.types import Outcome, OutcomeKind
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import session_scope
from mailer.store.models import Delivery, DeliveryState
from tests.support.factories import SENDER, make_campaign, make_list
from tests.support.ledger import in_order
from tests.support.mail_server import MailServer

S = DeliveryState
LOOK = "whoever waits for it hears nothing: see `mailer notices status`"


def owe(engine: Engine, *addresses: str) -> int:
    with session_scope(engine) as session:
        for address in addresses:
            notices.owe(session, Notice(NoticeKind.CONFIRM, "ab" * 20), language="en", address=address)
        in_order(session)
        return notices.campaign(session).id


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "mailer.delivery.failures"]


def test_a_system_mail_that_is_refused_is_spoken_of_at_once(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.rcpt = lambda line: (
        "550 5.1.1 <ana@example.net>: no ana at example.net" if "ana" in line else "250 ok"
    )
    sending.drain(engine, owe(engine, "ana@example.net", "bo@example.net"), wire, worker)
    assert told(caplog) == [f"a system mail failed: 550 5.1.1 <[address]>: no [recipient] at [recipient]; {LOOK}"]
    (record,) = (record for record in caplog.records if record.name == "mailer.delivery.failures")
    with session_scope(engine, read_only=True) as session:
        failed = session.scalars(select(Delivery.id).where(Delivery.state == S.FAILED)).one()
    facts = {name: record.__dict__.get(name) for name in ("delivery", "kind", "code", "enhanced_code")}
    assert facts == {"delivery": failed, "kind": "confirm", "code": 550, "enhanced_code": "5.1.1"}
    assert record.levelno == logging.WARNING


def test_so_is_one_that_the_relay_can_never_take(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.extensions = ("PIPELINING", "8BITMIME")
    sending.drain(engine, owe(engine, "жизнь@example.org"), wire, worker)
    (line,) = told(caplog)
    assert "SMTPUTF8" in line and "жизнь" not in line


def test_so_is_one_of_which_no_answer_was_heard(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.dot = lambda _: None
    sending.drain(engine, owe(engine, "ana@example.net"), wire, worker)
    assert told(caplog) == [f"a system mail may be lost: connection lost, it hung up; {LOOK}"]


def test_what_is_tried_again_has_not_failed(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.rcpt = lambda _: "451 4.7.1 greylisted"
    sending.drain(engine, owe(engine, "ana@example.net"), wire, worker)
    assert told(caplog) == []


def test_a_test_mail_that_is_refused_is_spoken_of(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.rcpt = lambda _: "550 5.1.1 no organiser here"
    with session_scope(engine) as session:
        campaign = make_campaign(session, make_list(session))
        previews.order_test(session, campaign, SampleReader(), SENDER, "organiser@example.net")
    sending.drain(engine, campaign.id, wire, worker)
    assert told(caplog) == ["a test mail failed: 550 5.1.1 no [recipient] here; see `mailer campaigns status`"]


def test_those_of_a_dead_worker_are_spoken_of_when_its_journal_is_replayed(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    campaign_id = owe(engine, "ana@example.net", "bo@example.net", "cy@example.net")
    kept = Journal(tmp_path)
    batch = ledger.claim(engine, campaign_id, worker="test", journal=kept.name, lease=timedelta(seconds=30))
    assert batch is not None
    first, second, _ = batch.deliveries
    for claimed in (first, second):
        kept.begin(batch.fence, claimed.id)
    kept.answer(batch.fence, Outcome(first.id, OutcomeKind.FAILED, 550), refused=Category.NO_MAILBOX)
    kept.close()
    recovery.replay(engine, tmp_path)
    assert sorted(told(caplog)) == [
        f"a system mail failed: 550; {LOOK}",
        f"a system mail may be lost: worker lost; {LOOK}",
    ]


def test_those_of_a_lost_host_are_spoken_of_when_they_are_given_up(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    campaign_id = owe(engine, "ana@example.net")
    ran_out = timedelta(seconds=-1)
    ledger.claim(engine, campaign_id, worker="test", journal="elsewhere", lease=ran_out)
    recovery.give_up_lost(engine, grace=timedelta(0))
    assert told(caplog) == [f"a system mail may be lost: worker lost; {LOOK}"]
