"""A campaign's figures: they are what the ledger says, and once it is over they never move."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.delivery import control, forgetting
from mailer.operations import housekeeping
from mailer.people import subscribers
from mailer.reports import campaigns, domains, figures
from mailer.reports.departures import Departures
from mailer.reports.figures import Figures, Timeline, Unit
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method
from mailer.store.db import session_scope
from mailer.store.models import (
    Campaign,
    CampaignFigures,
    CampaignStatus,
    Claim,
    Delivery,
    DeliveryState,
    MailingList,
    Reason,
    Subscriber,
    Subscription,
)
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, make_union

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    """One that was over on 1 March at one o'clock."""
    campaign = make_campaign(session, news, status=CampaignStatus.SENT)
    campaign.started_at, campaign.finished_at = NOON, NOON + timedelta(hours=1)
    return campaign


def send(
    session: Session, campaign: Campaign, people: Sequence[Subscriber], *, at: datetime = NOON + timedelta(minutes=5)
) -> None:
    """As a worker leaves it: with the claim by which it went."""
    for person in people:
        deliver(session, campaign, person, DeliveryState.SENT, fence=1, settled_at=at)


def crowd(session: Session, news: MailingList, people: int, country: str = "GB") -> list[Subscriber]:
    return [make_subscriber(session, news, country=country) for _ in range(people)]


def timeline(session: Session, campaign: Campaign) -> Timeline:
    return figures.count(session, campaign).sending.timeline


def kept(engine: Engine) -> Figures:
    with session_scope(engine, read_only=True) as session:
        campaign_id = session.scalars(select(CampaignFigures.campaign_id)).one()
        found = figures.kept(session, session.get_one(Campaign, campaign_id))
        assert found is not None
        return found


# --- over time --------------------------------------------------------------------------------------------------------


def test_mails_are_counted_by_ten_minutes_also_those_in_which_nothing_went_out(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    for number, minutes in ((3, 0), (2, 9), (4, 31)):
        send(session, campaign, crowd(session, news, number), at=NOON + timedelta(minutes=minutes))
    assert timeline(session, campaign) == Timeline(
        Unit.TEN_MINUTES, [(NOON + timedelta(minutes=minutes), n) for minutes, n in ((0, 5), (10, 0), (20, 0), (30, 4))]
    )


def test_of_a_longer_time_hours_are_counted_and_then_days_of_utc(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    send(session, campaign, crowd(session, news, 2), at=NOON + timedelta(minutes=50))
    send(session, campaign, crowd(session, news, 1), at=NOON + timedelta(hours=10))
    found = timeline(session, campaign)
    assert (found.unit, len(found.slots), found.slots[0], found.slots[-1]) == (
        Unit.HOUR,
        11,
        (NOON, 2),
        (NOON + timedelta(hours=10), 1),
    )
    send(session, campaign, crowd(session, news, 7), at=NOON + timedelta(days=3))
    found = timeline(session, campaign)
    midnight = NOON.replace(hour=0)
    assert found == Timeline(Unit.DAY, [(midnight + timedelta(days=day), n) for day, n in enumerate((3, 0, 0, 7))])


def test_when_the_ledger_has_forgotten_hours_only_days_are_told(
    engine: Engine, session: Session, campaign: Campaign, news: MailingList
) -> None:
    send(session, campaign, crowd(session, news, 2))
    session.commit()
    forgetting.forget_order(engine)
    assert timeline(session, campaign) == Timeline(Unit.DAY, [(NOON.replace(hour=0), 2)])


def test_of_nothing_that_went_out_there_is_no_time(session: Session, campaign: Campaign, news: MailingList) -> None:
    deliver(session, campaign, make_subscriber(session, news), DeliveryState.FAILED, settled_at=NOON, fence=1)
    assert timeline(session, campaign).slots == []


# --- who refused ------------------------------------------------------------------------------------------------------


def refused(session: Session, campaign: Campaign, news: MailingList, number: int, domain: str) -> None:
    for _ in range(number):
        person = make_subscriber(session, news)
        person.email = f"{person.email.partition('@')[0]}@{domain}"
        deliver(session, campaign, person, DeliveryState.FAILED, smtp_code=550, settled_at=NOON)


def test_a_domain_is_named_from_ten_refusals_on(session: Session, campaign: Campaign, news: MailingList) -> None:
    refused(session, campaign, news, 10, "example.net")
    refused(session, campaign, news, 9, "harbour.example.org")
    refused(session, campaign, news, 6, "ana-diaz.example.com")
    assert domains.count(session, campaign).rows == (("", 15), ("example.net", 10))


def test_a_few_other_domains_are_hidden_with_the_next_smallest(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    for number, domain in ((10, "example.net"), (12, "example.com"), (2, "ana-diaz.example.com")):
        refused(session, campaign, news, number, domain)
    assert domains.count(session, campaign).rows == (("example.com", 12), ("", None), ("example.net", None))


def test_where_no_domain_may_be_named_nothing_is_told(session: Session, campaign: Campaign, news: MailingList) -> None:
    refused(session, campaign, news, 9, "example.net")
    assert domains.count(session, campaign).rows == ()


def test_of_very_many_refusals_the_latest_are_looked_at(
    session: Session, campaign: Campaign, news: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "_SAMPLE", 10)
    refused(session, campaign, news, 5, "example.com")
    refused(session, campaign, news, 10, "example.net")
    found = domains.count(session, campaign)
    assert (found.rows, found.looked_at, found.refused, found.is_sample) == ((("example.net", 10),), 10, 15, True)


# --- who left ---------------------------------------------------------------------------------------------------------


def test_who_is_gone_is_counted_by_how(session: Session, campaign: Campaign, news: MailingList) -> None:
    after, erased, *others = crowd(session, news, 6)
    send(session, campaign, [after, erased])
    for person, reason in zip(others, (Reason.LEFT, Reason.LEFT, Reason.SUPPRESSED, Reason.CANCELLED), strict=True):
        deliver(session, campaign, person, DeliveryState.SKIPPED, reason=reason)
    leave(session, after)
    subscribers.erase(session, erased.email)
    assert figures.count(session, campaign).departures == Departures(after=1, before=2, suppressed=1, erased=1)


def leave(session: Session, person: Subscriber) -> None:
    on = session.scalars(select(Subscription).where(Subscription.subscriber_id == person.id)).one()
    leaving.leave(session, on, method=Method.PAGE)


# --- once it is over --------------------------------------------------------------------------------------------------


def test_once_it_is_over_nothing_moves_whoever_is_erased_and_whatever_is_forgotten(
    engine: Engine, session: Session, campaign: Campaign, news: MailingList
) -> None:
    union = make_union(session)
    french, british = crowd(session, news, 14, "FR"), crowd(session, news, 13, "GB")
    british[0].union_id = union.id
    send(session, campaign, french + british)
    refused(session, campaign, news, 11, "example.net")
    counted = figures.count(session, campaign)
    session.commit()
    housekeeping.tidy(engine)
    first = kept(engine)
    assert first.is_final
    assert first.is_closed  # it was in March
    assert (first.sending, first.departures) == (counted.sending, counted.departures)
    assert first.sending.timeline.unit is Unit.TEN_MINUTES
    for person in french[:3]:
        subscribers.erase(session, person.email)
    leave(session, british[1])
    before = campaigns.report(session, campaign).to_json()
    session.commit()
    housekeeping.tidy(engine)
    assert kept(engine) == first == figures.of(session, campaign)
    found = campaigns.report(session, campaign).to_json()
    assert found["sent_by"]["country"][0]["mails"] == 14
    assert found["left"] == 0
    assert found == before


def test_departures_are_counted_for_two_weeks_and_nothing_else_is(
    engine: Engine, session: Session, campaign: Campaign, news: MailingList
) -> None:
    people = crowd(session, news, 12, "FR")
    campaign.finished_at = datetime.now(UTC)
    send(session, campaign, people)
    session.commit()
    housekeeping.tidy(engine)
    first = kept(engine)
    assert (first.is_final, first.is_closed, first.departures.after) == (True, False, 0)
    leave(session, people[0])
    subscribers.erase(session, people[1].email)
    session.execute(update(CampaignFigures).values(departures_at=NOON))
    session.commit()
    housekeeping.tidy(engine)
    found = kept(engine)
    assert (found.departures.after, found.departures.erased) == (1, 1)
    assert found.sending == first.sending
    campaign.finished_at -= timedelta(days=15)
    session.execute(update(CampaignFigures).values(departures_at=NOON, ended_at=campaign.finished_at))
    session.commit()
    housekeeping.tidy(engine)
    assert kept(engine).is_closed
    leave(session, people[2])
    session.execute(update(CampaignFigures).values(departures_at=NOON))
    session.commit()
    housekeeping.tidy(engine)
    assert kept(engine).departures == found.departures


def test_what_is_sent_again_is_counted_again(
    engine: Engine, session: Session, campaign: Campaign, news: MailingList
) -> None:
    send(session, campaign, crowd(session, news, 12))
    deliver(session, campaign, make_subscriber(session, news), DeliveryState.UNKNOWN, settled_at=NOON, fence=1)
    session.commit()
    housekeeping.tidy(engine)
    assert control.resend(session, campaign, DeliveryState.UNKNOWN) == 1
    found = figures.of(session, campaign)
    assert found is not None
    assert (found.is_final, found.sending.states[DeliveryState.PENDING]) == (False, 1)
    session.execute(
        update(Delivery).where(Delivery.state == DeliveryState.PENDING).values(state=DeliveryState.SENT, draw=None)
    )
    assert control.finish(session, campaign.id)
    session.commit()
    housekeeping.tidy(engine)
    assert kept(engine).sending.states[DeliveryState.SENT] == 13


def test_what_a_late_journal_makes_known_is_counted_again(
    engine: Engine, session: Session, campaign: Campaign, news: MailingList
) -> None:
    send(session, campaign, crowd(session, news, 12))
    deliver(session, campaign, make_subscriber(session, news), DeliveryState.UNKNOWN, settled_at=NOON, fence=1)
    session.commit()
    housekeeping.tidy(engine)
    session.execute(update(Delivery).where(Delivery.state == DeliveryState.UNKNOWN).values(state=DeliveryState.SENT))
    session.commit()
    housekeeping.tidy(engine)
    assert kept(engine).sending.states[DeliveryState.UNKNOWN] == 0


def test_of_what_was_cancelled_the_figures_wait_for_what_a_worker_holds(
    engine: Engine, session: Session, campaign: Campaign, news: MailingList
) -> None:
    campaign.status = CampaignStatus.CANCELLED
    claim = Claim(campaign_id=campaign.id, worker="host", journal="a", expires_at=NOON)
    session.add(claim)
    session.flush()
    deliver(session, campaign, make_subscriber(session, news), DeliveryState.SENDING, fence=claim.id)
    session.commit()
    housekeeping.tidy(engine)
    assert session.scalars(select(CampaignFigures)).all() == []
    assert not figures.count(session, campaign).is_final


# --- under way --------------------------------------------------------------------------------------------------------


@pytest.fixture
def under_way(session: Session, campaign: Campaign, news: MailingList) -> Campaign:
    campaign.status, campaign.finished_at = CampaignStatus.SENDING, None
    send(session, campaign, crowd(session, news, 3))
    deliver(session, campaign, make_subscriber(session, news), DeliveryState.PENDING)
    session.commit()
    return campaign


def test_few_deliveries_under_way_are_shown_as_they_are_now(
    engine: Engine, session: Session, under_way: Campaign, news: MailingList
) -> None:
    housekeeping.tidy(engine)
    send(session, under_way, crowd(session, news, 1))
    found = figures.of(session, under_way)
    assert found is not None
    assert (found.sending.states[DeliveryState.SENT], found.is_final) == (4, False)
    assert session.scalars(select(CampaignFigures)).all() == []


def test_of_many_a_page_shows_what_was_counted_last_and_that_is_done_rarely(
    engine: Engine, session: Session, under_way: Campaign, news: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_FEW", 3)
    assert figures.of(session, under_way) is None
    session.commit()

    def sent_and_final() -> tuple[int, bool]:
        housekeeping.tidy(engine)
        session.expire_all()
        found = figures.of(session, under_way)
        assert found is not None
        return found.sending.states[DeliveryState.SENT], found.is_final

    assert sent_and_final() == (3, False)
    send(session, under_way, crowd(session, news, 1))
    session.commit()
    assert sent_and_final() == (3, False)
    session.execute(update(CampaignFigures).values(counted_at=NOON, milliseconds=100))
    session.commit()
    assert sent_and_final() == (4, False)
