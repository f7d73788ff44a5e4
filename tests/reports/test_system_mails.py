"""What an operator is told of system mails: how many failed, and why, and nobody's name."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.people import notices
from mailer.people.notices import NoticeKind
from mailer.reports import system_mails
from mailer.store.db import utcnow
from mailer.store.models import CampaignStatus, Delivery, DeliveryState, Reason
from tests.people.test_failed_notices import fail
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, make_union, notices_owed

S = DeliveryState


def test_before_there_is_any_there_is_nothing_to_tell(session: Session) -> None:
    found = system_mails.look(session)
    assert (found.waiting, set(found.states.values()), list(found.failures)) == (0, {0}, [])
    assert system_mails.failed_lately(session) == 0


def test_failures_are_counted_by_kind_answer_and_union(session: Session) -> None:
    person, union = make_subscriber(session), make_union(session)
    for _ in range(2):
        fail(session, words="5.1.1 ana@example.org unknown")
    fail(session, words="5.7.1 go away", kind=NoticeKind.MANAGE)
    fail(session, words="5.1.1 unknown", kind=NoticeKind.KIT, subscriber_id=person.id, address=None, union_id=union.id)
    fail(session, S.UNKNOWN, words=None)
    notices_owed(session)[-1].reason = Reason.CONNECTION_LOST
    fail(session, S.DEFERRED, words="4.7.1 greylisted")
    fail(session, S.SENT)
    fail(session, S.SKIPPED)
    fail(session, S.PENDING)
    found = system_mails.look(session)
    assert found.states == {S.FAILED: 4, S.UNKNOWN: 1, S.DEFERRED: 1}
    assert found.waiting == 2
    first, *rest = found.failures
    assert (first.kind, first.union, first.smtp_code, first.enhanced_code, first.count) == (
        "confirm",
        None,
        550,
        "5.1.1",
        2,
    )
    assert (first.example, first.last_on, first.is_estimate) == ("5.1.1 [address] unknown", utcnow().date(), False)
    assert {(each.state, each.kind, each.union, each.enhanced_code, each.reason) for each in rest} == {
        (S.FAILED, "manage", None, "5.7.1", None),
        (S.FAILED, "kit", union.slug, "5.1.1", None),
        (S.UNKNOWN, "confirm", None, None, Reason.CONNECTION_LOST),
        (S.DEFERRED, "confirm", None, "4.7.1", None),
    }
    assert system_mails.failed_lately(session) == 5


def test_what_is_not_yet_due_was_not_refused(session: Session) -> None:
    fail(session, S.DEFERRED, not_before=utcnow() + timedelta(days=1))
    notices_owed(session)[-1].smtp_code = None
    session.flush()
    found = system_mails.look(session)
    assert (found.waiting, found.states[S.DEFERRED]) == (1, 0)


def test_older_failures_and_those_of_campaigns_do_not_count(session: Session) -> None:
    fail(session)
    notices_owed(session)[-1].settled_at = utcnow() - notices.FAILURES_KEPT - timedelta(days=1)
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
    deliver(session, campaign, make_subscriber(session), S.FAILED, smtp_code=550, settled_at=utcnow())
    assert system_mails.look(session).states[S.FAILED] == 0


def test_of_very_many_the_latest_are_projected_and_say_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_mails, "_SAMPLE", 4)
    for _ in range(6):
        fail(session, words="5.1.1 unknown")
    for _ in range(2):
        fail(session, words="5.7.1 go away")
    found = system_mails.look(session)
    assert found.states[S.FAILED] == 8
    assert [(each.enhanced_code, each.count, each.is_estimate) for each in found.failures] == [
        ("5.7.1", 4, True),
        ("5.1.1", 4, True),
    ]


def test_no_row_of_a_report_names_anybody(session: Session) -> None:
    person = make_subscriber(session, email="bo@bo-example.org", name="Bo Example")
    fail(
        session,
        words="5.1.1 bo@bo-example.org: Bo Example has left bo-example.org",
        subscriber_id=person.id,
        address=None,
    )
    said = str(system_mails.look(session).to_json())
    assert "has left" in said
    assert not any(name in said for name in ("bo@", "Bo ", "bo-example"))
    assert str(session.get_one(Delivery, notices_owed(session)[-1].id).id) not in said.split()
