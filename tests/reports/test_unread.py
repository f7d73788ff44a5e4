"""What could not be read is counted by its reason, of this month and the last."""

from datetime import date

from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Category, Kind
from mailer.people import returned
from mailer.reports import unread
from mailer.reports.unread import Unread
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
        Unread.OTHER: 2,
    }
    assert last.numbers == dict.fromkeys(Unread, 0) | {Unread.FORGED: 2}
