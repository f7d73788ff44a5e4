"""Reports: states that add up, and numbers that point to nobody."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from mailer import reports, subscribers
from mailer.models import Campaign, Delivery, DeliveryState, MailingList, Purpose, Subscriber
from tests.factories import make_campaign, make_list, make_subscriber, make_union


def deliver(
    session: Session, campaign: Campaign, person: Subscriber | None, state: DeliveryState, **columns: Any
) -> Delivery:
    columns.setdefault("purpose", Purpose.CAMPAIGN)
    delivery = Delivery(
        campaign_id=campaign.id,
        subscriber_id=person.id if person else None,
        state=state,
        country=person.country if person else None,
        union_id=person.union_id if person else None,
        language=person.language if person else None,
        **columns,
    )
    session.add(delivery)
    session.flush()
    return delivery


def test_all_seven_states_are_there_and_add_up(session: Session) -> None:
    news = make_list(session)
    campaign = make_campaign(session, news)
    for state in (DeliveryState.SENT, DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.PENDING):
        deliver(session, campaign, make_subscriber(session, news), state)
    deliver(session, campaign, None, DeliveryState.SENT, purpose=Purpose.TEST, address="test@example.org")
    progress = reports.progress(session, campaign)
    assert progress.to_json()["states"] == {
        "pending": 1,
        "sending": 0,
        "sent": 2,
        "deferred": 0,
        "failed": 0,
        "unknown": 1,
        "skipped": 0,
    }
    assert progress.audience == sum(progress.states.values()) == 4
    assert progress.settled == 3


def test_an_erased_person_stays_as_a_row_without_address(session: Session) -> None:
    news = make_list(session)
    campaign = make_campaign(session, news)
    campaign.mail_domain = "example.org"
    gone, there = make_subscriber(session, news, email="gone@example.org"), make_subscriber(session, news)
    for person in (gone, there):
        deliver(session, campaign, person, DeliveryState.SENT, smtp_code=250, smtp_text="ok")
    session.commit()
    subscribers.erase(session, "gone@example.org")
    session.commit()
    erased, kept = reports.recipients(session, campaign, DeliveryState.SENT)
    assert erased["email"] is None
    assert kept["email"] == there.email
    assert list(kept) == ["delivery", "email", "state", "reason", "smtp_code", "smtp_text", "message_id", "attempts"]
    assert kept["message_id"].startswith("<") and kept["message_id"].endswith("@example.org>")
    assert list(reports.recipients(session, campaign, DeliveryState.FAILED)) == []


def crowd(session: Session, campaign: Campaign, news: MailingList, people: int, **about: Any) -> None:
    for _ in range(people):
        deliver(session, campaign, make_subscriber(session, news, **about), DeliveryState.SENT)


def test_a_spread_names_countries_and_unions_and_hides_the_few(session: Session) -> None:
    news = make_list(session)
    campaign = make_campaign(session, news)
    dockers, namesake = make_union(session, "dockers", name="Dockers"), make_union(session, "quays", name="Dockers")
    crowd(session, campaign, news, 13, country="FR", union=dockers)
    crowd(session, campaign, news, 12, country="GB", union=namesake)
    crowd(session, campaign, news, 2, country="DE")
    crowd(session, campaign, news, 1, country=None)
    assert reports.spread(session, campaign, "country") == {
        "France": 13,
        "United Kingdom": 12,
        "": None,
        "Germany": None,
    }
    assert reports.spread(session, campaign, "union") == {"Dockers (dockers)": 13, "Dockers (quays)": None, "": None}
    assert reports.spread(session, campaign, "language") == {"en": 28}


COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40), min_size=1)


@given(COUNTS)
def test_no_hidden_number_can_be_told_from_those_shown_and_the_total(counts: Mapping[str, int]) -> None:
    shown = reports.hide_small(counts)
    assert set(shown) == set(counts)
    assert all(number is None or number == counts[key] for key, number in shown.items())
    assert not any(0 < (number or 0) < reports.SMALLEST_SHOWN for number in shown.values())
    hidden = [key for key, number in shown.items() if number is None]
    if not hidden or len(hidden) == sum(1 for number in counts.values() if number):
        return  # nothing to tell, or nothing but the total to tell it from
    # Another table with the same total shows the same, and gives each hidden number another value.
    for key in hidden:
        swaps = ({**counts, key: counts[other], other: counts[key]} for other in hidden if counts[other] != counts[key])
        assert any(reports.hide_small(table) == shown for table in swaps)


@given(COUNTS)
def test_the_order_of_hidden_numbers_does_not_tell_which_is_larger(counts: Mapping[str, int]) -> None:
    hidden = [key for key, number in reports.hide_small(counts).items() if number is None]
    assert hidden == sorted(hidden)
