"""What could not be read is counted by its reason, of this month and the last."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.people import returned
from mailer.people.unread import Unread
from mailer.reports import unread
from mailer.store.models import DeliveryState
from tests.support.factories import deliver, make_bounce, make_campaign, make_list, make_subscriber

TODAY = date(2026, 1, 31)


def test_what_could_not_be_read_is_counted_by_month_and_reason(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    for kind, category, day, campaign_id in (
        (Kind.UNREADABLE, None, TODAY, None),
        (Kind.FORGED, None, date(2025, 12, 1), None),
        (Kind.FORGED, None, date(2025, 11, 30), None),  # too long ago
        (Kind.BOUNCE, Category.FULL, TODAY, None),
        (Kind.COMPLAINT, None, TODAY, None),
        (Kind.COMPLAINT, None, TODAY, campaign.id),  # was read
        (Kind.BOUNCE, Category.UNDETERMINED, TODAY, campaign.id),
        (Kind.BOUNCE, Category.FULL, TODAY, campaign.id),
        (Kind.OTHER, None, TODAY, None),
        (Kind.REPLY, None, TODAY, None),
    ):
        returned.count(session, kind, category, on=day, campaign_id=campaign_id, number=2)
    for event in (
        {"category": Category.UNDETERMINED},
        {"category": Category.UNDETERMINED, "source": returned.SENDING},
        {"category": Category.FULL},
        {"kind": Kind.OTHER, "category": None},
        # Of what came only its key is kept.
        {"kind": Kind.OTHER, "category": None, "delivery_id": None, "effect": Effect.NONE, "source": "mailgun"},
    ):
        mail = deliver(session, campaign, make_subscriber(session), DeliveryState.SENT)
        make_bounce(session, mail, **{"day": TODAY, **event})
    this, last = unread.count(session, today=TODAY)
    assert (this.month, last.month) == ("2026-01", "2025-12")
    assert list(this.numbers) == list(Unread)
    assert this.numbers == {
        Unread.NO_MESSAGE: 2,
        Unread.NOT_OURS: 4,
        Unread.NO_REASON: 3,
        Unread.FORGED: 0,
        Unread.OTHER: 3,
    }
    assert last.numbers == dict.fromkeys(Unread, 0) | {Unread.FORGED: 2}


def test_what_is_of_the_next_month_by_another_clock_is_counted_once_that_has_come(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    for day in (TODAY, TODAY + timedelta(days=1)):
        mail = deliver(session, campaign, make_subscriber(session), DeliveryState.SENT)
        make_bounce(session, mail, day=day, category=Category.UNDETERMINED)
    for today, expected in ((TODAY, [1, 0]), (TODAY + timedelta(days=1), [1, 1])):
        assert [month.numbers[Unread.NO_REASON] for month in unread.count(session, today=today)] == expected
