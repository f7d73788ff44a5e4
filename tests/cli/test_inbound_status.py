"""`mailer inbound status` says how much could not be read, and why; `campaigns status`, what came of what came back."""

import json

import pytest
from sqlalchemy import LargeBinary, type_coerce, update
from sqlalchemy.orm import Session

from mailer.delivery import alarms, control
from mailer.delivery.alarms import Alarm
from mailer.mail.feedback.types import Kind
from mailer.people import returned, unread
from mailer.store.db import utcnow, utctoday
from mailer.store.models import CampaignAlarm, CampaignStatus, UnreadMessage
from tests.conftest import CommandLine
from tests.support.factories import make_campaign, make_list

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def test_status_of_a_campaign_warns_of_complaints_and_says_why_it_paused_itself(
    cli: CommandLine, session: Session
) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
    session.add(CampaignAlarm(campaign_id=campaign.id, complaints_in_1000=3))
    control.pause(session, campaign, reason=alarms.REASONS[Alarm.COMPLAINTS])
    session.commit()
    said = cli("campaigns", "status", "free-the-five").output
    assert "Paused: at least 3 in 1,000 of those who were sent it called it spam" in said
    assert "At least 3 in 1,000 of those who were sent it called it spam. Find out" in said
    assert json.loads(cli("campaigns", "status", "free-the-five", "--json").output)["complaints_in_1000"] == 3


def test_it_leads_to_the_messages_and_to_a_try_of_the_way_in(cli: CommandLine, session: Session) -> None:
    cli.environment["MAILER_INBOUND_KEEP_UNREAD_DAYS"] = "7"
    assert "None is kept now." in cli("inbound", "status").output
    unread.keep(session, "words", key=b"k", kind=Kind.OTHER, subscriber_id=None, days=7, now=utcnow())
    session.commit()
    said = cli("inbound", "status").output
    assert "Of these, 1 are kept as they came. Show which: mailer inbound unread list" in said
    assert "whether mail comes in at all. To try that: mailer inbound try" in said


def test_numbers_and_the_list_are_shown_also_where_a_message_is_damaged(cli: CommandLine, session: Session) -> None:
    unread.keep(session, "words", key=b"k" * 32, kind=Kind.OTHER, subscriber_id=None, days=7, now=utcnow())
    session.execute(update(UnreadMessage).values(words=type_coerce(b"lost", LargeBinary)))
    session.commit()
    assert "Of these, 1 are kept" in cli("inbound", "status").output
    assert (b"k" * 32).hex()[:12] in cli("inbound", "unread", "list").output


def test_it_says_how_much_could_not_be_read(cli: CommandLine, session: Session) -> None:
    returned.count(session, Kind.UNREADABLE, on=utctoday(), number=1_200)
    session.commit()
    assert "1,200" in cli("inbound", "status").output
    assert "None is kept: MAILER_INBOUND_KEEP_UNREAD_DAYS is not set." in cli("inbound", "status").output
    found = json.loads(cli("inbound", "status", "--json").output)["unread"]
    this, last = found.values()
    assert this == {"no message": 1_200, "not ours": 0, "no reason": 0, "forged": 0, "other": 0}
    assert set(last.values()) == {0}
