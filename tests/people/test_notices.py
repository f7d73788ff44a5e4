"""System notices: owed under one standing campaign, and forgotten once they are settled."""

import json

import pytest
from sqlalchemy import Engine, event, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from mailer.delivery import ledger
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import DatabaseUnavailable, session_scope
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState, Purpose, Reason
from tests.support.concurrency import Beside
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, make_union, said

S = DeliveryState


def owed(session: Session, **changes: object) -> Delivery:
    """A confirmation that is owed to an address."""
    arguments = {"language": "fr", "address": "ana@example.org"} | changes
    notices.owe(session, Notice(NoticeKind.CONFIRM, "ab" * 20), **arguments)  # type: ignore[arg-type]  # a factory
    return session.scalars(select(Delivery).order_by(Delivery.id.desc()).limit(1)).one()


def test_a_notice_is_owed_to_an_address_or_to_a_subscriber(session: Session) -> None:
    to_address = owed(session)
    assert (to_address.purpose, to_address.state, to_address.address) == (Purpose.NOTICE, S.PENDING, "ana@example.org")
    assert (said(to_address).language, to_address.language, to_address.subscriber_id) == ("fr", None, None)
    person = make_subscriber(session)
    to_person = owed(session, address=None, subscriber_id=person.id)
    assert (to_person.subscriber_id, to_person.address) == (person.id, None)
    assert ledger.campaigns_with_work(session) == [to_person.campaign_id]


def test_what_is_withheld_is_written_down_and_never_sent(session: Session) -> None:
    withheld = owed(session, withheld=Reason.SUPPRESSED)
    assert (withheld.state, withheld.reason, withheld.address) == (S.SKIPPED, Reason.SUPPRESSED, None)
    assert withheld.settled_at is not None
    assert ledger.campaigns_with_work(session) == []


# --- ringing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def rung() -> list[int]:
    """What was rung for."""
    return []


@pytest.mark.parametrize("count", [1, 3])
def test_whoever_owes_notices_is_rung_for_once_when_others_can_see_them(engine: Engine, count: int) -> None:
    seen: list[tuple[int, int]] = []

    def ring(campaign_id: int) -> None:
        with session_scope(engine, read_only=True) as other:
            owed = select(func.count(Delivery.id)).where(Delivery.campaign_id == campaign_id)
            seen.append((campaign_id, other.scalar(owed) or 0))

    with notices.ringing_session(engine, ring) as session:
        for _ in range(count):
            owed_by = owed(session).campaign_id
        assert seen == []
    assert seen == [(owed_by, count)]


def test_what_is_withheld_is_rung_for_as_well_so_that_nobody_can_tell(engine: Engine, rung: list[int]) -> None:
    with notices.ringing_session(engine, rung.append) as session:
        withheld = owed(session, withheld=Reason.REPEATED)
    assert rung == [withheld.campaign_id]


def test_nobody_is_rung_where_nothing_is_owed(engine: Engine, rung: list[int]) -> None:
    with notices.ringing_session(engine, rung.append) as session:
        notices.campaign(session)
    with notices.ringing_session(engine, rung.append, read_only=True) as session:
        assert session.scalar(select(Delivery.id)) is None
    assert rung == []


def test_nobody_is_rung_when_all_is_rolled_back(engine: Engine, rung: list[int]) -> None:
    with pytest.raises(ZeroDivisionError), notices.ringing_session(engine, rung.append) as session:
        owed(session)
        _ = 1 // 0
    assert rung == []


def test_nobody_is_rung_when_the_commit_fails(engine: Engine, rung: list[int]) -> None:
    def fail(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    with pytest.raises(DatabaseUnavailable), notices.ringing_session(engine, rung.append) as session:
        owed(session)
        event.listen(session, "before_commit", fail)
    assert rung == []


@pytest.mark.parametrize("is_owed_before", [False, True])
def test_what_is_rolled_back_to_a_savepoint_is_not_rung_for(
    engine: Engine, rung: list[int], is_owed_before: bool
) -> None:
    with notices.ringing_session(engine, rung.append) as session:
        if is_owed_before:
            owed(session)
        with session.begin_nested() as attempt:
            with session.begin_nested():
                owed(session)
            attempt.rollback()
    assert len(rung) == is_owed_before


def test_a_session_that_commits_again_is_rung_for_only_when_it_owes_again(session: Session) -> None:
    first = owed(session).campaign_id
    session.commit()
    assert [notices.to_ring_for(session) for _ in range(2)] == [first, None]
    session.commit()
    assert notices.to_ring_for(session) is None
    owed(session)
    session.commit()
    assert notices.to_ring_for(session) == first


# --- what they say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_reads_back_as_it_was_owed(kind: NoticeKind) -> None:
    notice = Notice(kind, "ab" * 20, {"list": 'Nouvelles "é" ☂'})
    stored = json.dumps({"kind": kind.value, "token": notice.token, "words": dict(notice.words)})
    assert Notice.from_stored(stored) == notice


def test_the_words_and_the_address_are_unreadable_in_the_database(session: Session) -> None:
    owed(session)
    row = session.connection().exec_driver_sql("SELECT notice, address FROM deliveries").one()
    assert not any(secret in bytes(column) for column in row for secret in (b"ana@example.org", b"abab", b"confirm"))


def test_notices_stand_under_one_campaign_that_no_list_of_campaigns_shows(session: Session) -> None:
    first = notices.campaign(session)
    session.commit()
    assert notices.campaign(session).id == first.id
    assert first.status is CampaignStatus.STANDING


def test_two_programs_at_once_make_one_standing_campaign(engine: Engine) -> None:
    found: list[int] = []

    def look() -> None:
        with session_scope(engine) as session:
            found.append(notices.campaign(session).id)

    with session_scope(engine) as session:
        found.append(notices.campaign(session).id)
        session.flush()
        second = Beside(look)
        second.must_wait()
    second.result()
    assert found[0] == found[1]
    with session_scope(engine, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Campaign)) == 1


@pytest.mark.parametrize("state", [S.SENT, S.SKIPPED])
def test_what_a_settled_notice_said_and_to_whom_is_forgotten(session: Session, state: DeliveryState) -> None:
    person, union = make_subscriber(session), make_union(session)
    owed(session)
    owed(session, address=None, subscriber_id=person.id, union_id=union.id)
    session.execute(update(Delivery).values(state=state, smtp_text="550 no ana@example.org here"))
    notices.forget_settled(session)
    forgotten = (Delivery.notice, Delivery.address, Delivery.subscriber_id, Delivery.union_id, Delivery.smtp_text)
    for left in session.execute(select(Delivery.state, *forgotten)):
        assert tuple(left) == (state, None, None, None, None, None)


@pytest.mark.parametrize("state", [S.PENDING, S.DEFERRED])
def test_what_still_has_to_be_sent_is_kept(session: Session, state: DeliveryState) -> None:
    waiting = owed(session)
    waiting.state = state
    mailing_list = make_list(session)
    campaign = make_campaign(session, mailing_list)
    row = deliver(session, campaign, make_subscriber(session, mailing_list), S.SENT, smtp_text="250 ok")
    notices.forget_settled(session)
    session.expire_all()
    assert waiting.notice is not None and waiting.address == "ana@example.org"
    assert row.smtp_text == "250 ok"
