"""That too many called a campaign spam is said, and of a number that is hidden nobody learns more than that it is."""

import json

import pytest
from sqlalchemy.orm import Session

from mailer.delivery.thresholds import level
from mailer.mail.feedback.types import Effect, Kind
from mailer.people.small_numbers import SMALLEST_SHOWN, hide_one
from mailer.reports import attention, called_spam
from mailer.reports.called_spam import CalledSpam
from mailer.store.models import CampaignAlarm, CampaignStatus, DeliveryState
from tests.conftest import CommandLine
from tests.support.factories import deliver, make_bounce, make_campaign, make_list, make_subscriber

HIDDEN = range(1, SMALLEST_SHOWN)
SENT = [0, 1, 10, 999, 1_000, 2_999, 3_000, 3_001, 8_000, 8_999, 9_000, 9_001, 1_000_000]


def told(complaints: int, sent: int) -> CalledSpam:
    return called_spam.tell(hide_one(complaints), in_1000=level(complaints, sent), sent=sent)


@pytest.mark.parametrize("sent", SENT)
def test_every_hidden_number_is_as_possible_as_before_whatever_is_told(sent: int) -> None:
    for complaints in HIDDEN:
        possible = [other for other in range(2_000) if told(other, sent) == told(complaints, sent)]
        assert [other for other in possible if hide_one(other) is None] == list(HIDDEN)


@pytest.mark.parametrize("sent", SENT)
def test_no_alarm_is_missed(sent: int) -> None:
    for complaints in range(2_000):
        if level(complaints, sent):
            assert told(complaints, sent).is_alarm


def test_what_is_shown_is_told_with_how_much_it_is() -> None:
    assert told(0, 10) == CalledSpam(0, is_alarm=False)
    assert told(10, 1_000_000) == CalledSpam(0, is_alarm=False)
    assert told(10, 9_000) == CalledSpam(1, is_alarm=True)
    assert told(10, 3_000) == CalledSpam(3, is_alarm=True)
    assert told(9, 9_000) == CalledSpam(None, is_alarm=False)  # nine of so many are not too many


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_status_and_home_say_the_same_of_each_hidden_number(cli: CommandLine, session: Session) -> None:
    people = make_list(session)
    several = [make_subscriber(session, people, email=f"p{number}@example.org") for number in HIDDEN]
    for number in HIDDEN:
        campaign = make_campaign(session, people, slug=f"alert-{number}", status=CampaignStatus.SENDING)
        mails = [deliver(session, campaign, person, DeliveryState.SENT) for person in several]
        for mail in mails[:number]:
            make_bounce(session, mail, kind=Kind.COMPLAINT, category=None, effect=Effect.SUPPRESS)
        in_1000 = level(number, len(mails))
        if in_1000:
            session.add(CampaignAlarm(campaign_id=campaign.id, complaints_in_1000=in_1000))
    session.commit()
    looked = attention.look(session)
    assert {each.slug for each in looked.complained} == {f"alert-{number}" for number in HIDDEN}
    assert {each.in_1000 for each in looked.complained} == {None}
    said, numbers = set(), set()
    for number in HIDDEN:
        slug = f"alert-{number}"
        said.add(cli("campaigns", "status", slug).output.replace(slug, "SLUG"))
        found = json.loads(cli("campaigns", "status", slug, "--json").output)
        numbers.add((found["returned"]["complaints"], found["complaints_in_1000"], found["complaints_alarm"]))
    assert numbers == {(None, None, True)}
    (words,) = said
    assert "Some, under 10, of those who were sent it called it spam, and that may be more than 1 in 1,000." in words
