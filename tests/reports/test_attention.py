"""What needs an organiser: each thing is there while somebody has to do something, and no longer."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.delivery import control
from mailer.delivery.alarms import REASONS, Alarm
from mailer.reports import attention, days
from mailer.reports.attention import Attention, Complained, Unsure
from mailer.store.db import utcnow
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignAlarm,
    CampaignStatus,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Purpose,
    StoredTarget,
    TargetRole,
)
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber

S = CampaignStatus
NOW = utcnow()


@pytest.fixture
def people(session: Session) -> MailingList:
    return make_list(session)


def make(session: Session, people: MailingList, slug: str, status: CampaignStatus, **columns: object) -> Campaign:
    campaign = make_campaign(session, people, slug=slug, status=status)
    for column, value in columns.items():
        setattr(campaign, column, value)
    session.flush()
    return campaign


def test_where_nothing_is_to_be_done_it_is_quiet(session: Session, people: MailingList) -> None:
    for status in (S.DRAFT, S.SENT, S.CANCELLED):
        make(session, people, status.value, status)
    looked = attention.look(session)
    assert looked.is_quiet
    assert looked == Attention([], [], [], [], [], [], [], 0)


def test_complaints_warn_for_as_long_as_somebody_can_do_something(session: Session, people: MailingList) -> None:
    over = {"status": S.SENT, "finished_at": NOW - timedelta(days=1)}
    long_over = {"status": S.SENT, "finished_at": NOW - timedelta(days=15)}
    for slug, columns, in_1000 in (
        ("calm", {"status": S.SENDING}, 0),
        ("going", {"status": S.SENDING}, 1),
        ("over", over, 3),
        ("long-over", long_over, 3),
        ("cancelled", {"status": S.CANCELLED, "finished_at": NOW}, 3),
        ("paused", {"status": S.PAUSED, "hold_reason": "paused by hand"}, 3),
        ("paused-for-it", {"status": S.PAUSED, "hold_reason": REASONS[Alarm.COMPLAINTS]}, 3),
    ):
        campaign = make(session, people, slug, **columns)
        session.add(CampaignAlarm(campaign_id=campaign.id, complaints_in_1000=in_1000))
    looked = attention.look(session)
    assert list(looked.complained) == [Complained("paused", 3), Complained("over", 3), Complained("going", 1)]
    assert not looked.is_quiet


def test_campaigns_that_move_are_told_by_what_they_do_the_first_first(session: Session, people: MailingList) -> None:
    make(session, people, "late", S.SCHEDULED, scheduled_at=NOW + timedelta(days=2))
    make(session, people, "soon", S.SCHEDULED, scheduled_at=NOW + timedelta(days=1))
    make(session, people, "going", S.SENDING, started_at=NOW - timedelta(hours=1))
    held = make(session, people, "held", S.SENDING, started_at=NOW - timedelta(hours=3))
    control.pause(session, held, reason="paused by hand", words="Wait for the lawyer.", account_id=7)
    looked = attention.look(session)
    assert [each.slug for each in looked.scheduled] == ["soon", "late"]
    assert [(each.slug, each.since) for each in looked.going_out] == [("going", NOW - timedelta(hours=1))]
    (paused,) = looked.paused
    assert (paused.reason, paused.words, paused.account_id) == ("paused by hand", "Wait for the lawyer.", 7)
    assert paused.since is not None and paused.since >= NOW
    assert attention.under_way(session) == 3
    assert not looked.is_quiet


@pytest.mark.parametrize(
    ("status", "finished", "asking", "is_told"),
    [
        (S.SENDING, None, Asking.OPEN, True),
        (S.PAUSED, None, Asking.OPEN, True),
        (S.SENT, timedelta(days=13), Asking.OPEN, True),
        (S.SENT, timedelta(days=15), Asking.OPEN, False),  # nobody has it sent again
        (S.SENT, timedelta(days=1), Asking.CLOSED, False),  # nobody can
        (S.CANCELLED, timedelta(days=1), Asking.OPEN, False),
    ],
)
def test_what_is_unknown_is_told_while_it_can_be_sent_again(
    session: Session,
    people: MailingList,
    status: CampaignStatus,
    finished: timedelta | None,
    asking: Asking,
    is_told: bool,
) -> None:
    over = NOW - finished if finished else None
    campaign = make(session, people, "alert", status, started_at=NOW - timedelta(20), finished_at=over, asking=asking)
    other = make(session, people, "other", S.SENT, started_at=NOW, finished_at=NOW)
    for state in (DeliveryState.UNKNOWN, DeliveryState.UNKNOWN, DeliveryState.SENT):
        deliver(session, campaign, make_subscriber(session, people), state)
        deliver(session, other, make_subscriber(session, people), DeliveryState.SENT)
    deliver(session, campaign, None, DeliveryState.UNKNOWN, purpose=Purpose.TEST, address="test@example.org")
    assert attention.look(session).unsure == ([Unsure("alert", 2)] if is_told else [])


def test_of_very_many_unknown_mails_not_all_are_counted(
    session: Session, people: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "MOST_COUNTED", 2)
    campaign = make(session, people, "alert", S.SENT, started_at=NOW, finished_at=NOW)
    for _ in range(3):
        deliver(session, campaign, make_subscriber(session, people), DeliveryState.UNKNOWN)
    assert attention.look(session).unsure == [Unsure("alert", 2)]


def test_targets_that_three_networks_reported_are_told(session: Session) -> None:
    for slug, doubts in (("embassy", [1, 4, 15]), ("court", [1, 2]), ("union", [])):
        session.add(
            StoredTarget(
                slug=slug,
                role=TargetRole.SOLIDARITY,
                countries=[],
                languages=[],
                details={"name": slug},
                own_words=False,
                doubts=doubts,
            )
        )
    session.flush()
    assert attention.look(session).doubtful_targets == ["embassy"]


def test_sign_ups_are_counted_by_those_who_asked_and_those_who_confirmed(session: Session) -> None:
    today = NOW.date()

    def link(asked: int, confirmed: int | None = None, *, kind: MailedLinkKind = MailedLinkKind.SIGN_UP) -> MailedLink:
        number = len(session.new) + 1
        return MailedLink(
            kind=kind,
            token_hash=bytes([number]) * 32,
            email_index=bytes(32),
            person=bytes(32),
            details="{}",
            created_at=NOW - timedelta(days=asked),
            expires_at=NOW - timedelta(days=asked) + timedelta(days=7),
            used_at=None if confirmed is None else today - timedelta(days=confirmed),
        )

    for one in ((1, 0), (6,), (9, 5), (9, 8), (9,)):
        session.add(link(*one))
    session.add(link(1, 0, kind=MailedLinkKind.UNDO))
    session.flush()
    assert days.sign_ups(session, today - timedelta(days=6)) == days.SignUps(asked=2, confirmed=2)
