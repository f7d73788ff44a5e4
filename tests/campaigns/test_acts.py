"""Acts: each person counts once for each thing they did, and for how long it is known who it was."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mailer.campaigns import acts, petitions
from mailer.campaigns.acts import Counted
from mailer.people import subscribers
from mailer.store import db
from mailer.store.models import (
    Act,
    ActKind,
    Asking,
    Campaign,
    CampaignStatus,
    CaseEvent,
    CaseEventKind,
    CaseStatus,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    DeliveryState,
    Reason,
    Signature,
    Subscriber,
)
from tests.support.factories import (
    WHEN,
    deliver,
    make_act,
    make_campaign,
    make_case,
    make_list,
    make_signature,
    make_subscriber,
)

WROTE, SIGNED = ActKind.WROTE, ActKind.SIGNED


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, make_list(session), status=CampaignStatus.SENT)


@pytest.fixture
def ana(session: Session) -> Subscriber:
    return make_subscriber(session, email="ana@example.org", country="GB")


def add(session: Session, campaign: Campaign, person: Subscriber, kind: ActKind = WROTE) -> bool:
    act = acts.add(session, campaign, kind, person, language="fr", words="Oui, gardez-le.", method="page")
    return act is not None


def test_a_person_counts_once_for_each_thing_they_did(session: Session, campaign: Campaign, ana: Subscriber) -> None:
    assert [add(session, campaign, ana) for _ in range(3)] == [True, False, False]
    assert add(session, campaign, ana, SIGNED)
    other = make_campaign(session, campaign.mailing_list, slug="another")
    assert add(session, other, ana)
    assert acts.count(session, campaign.id) == Counted(wrote=1, signed=1)
    assert acts.count(session, other.id) == Counted(wrote=1, signed=0)
    act = session.scalars(select(Act).where(Act.campaign_id == other.id)).one()
    assert (act.country, act.language, act.subscriber_id) == ("GB", "fr", ana.id)


def test_what_they_agreed_to_is_in_the_log_once(session: Session, campaign: Campaign, ana: Subscriber) -> None:
    for _ in range(2):
        add(session, campaign, ana)
    [(event, text)] = session.execute(select(ConsentEvent, ConsentText.text).join(ConsentText)).all()
    assert (event.purpose, event.action, event.campaign_id) == (ConsentPurpose.ACTED, ConsentAction.GIVEN, campaign.id)
    assert text == "Oui, gardez-le."


def test_the_log_says_when_they_were_asked_if_that_was_before(
    session: Session, campaign: Campaign, ana: Subscriber
) -> None:
    asked_at = db.utctoday() - timedelta(days=2)
    acts.add(session, campaign, SIGNED, ana, language="en", words="Yes.", method="page", asked_at=asked_at)
    event = session.scalars(select(ConsentEvent)).one()
    assert (event.asked_at, event.confirmed_at) == (asked_at, db.utctoday())


def test_what_is_taken_back_counts_no_more_and_names_nobody(
    session: Session, campaign: Campaign, ana: Subscriber
) -> None:
    make_signature(session, campaign, ana)
    add(session, campaign, ana)
    assert acts.take_back(session, campaign.id, SIGNED, ana.id, method="page")
    assert not acts.take_back(session, campaign.id, SIGNED, ana.id, method="page")
    assert acts.count(session, campaign.id) == Counted(wrote=1, signed=0)
    assert session.scalar(select(func.count()).select_from(Signature)) == 0
    events = session.execute(select(ConsentEvent.purpose, ConsentEvent.action).order_by(ConsentEvent.id)).all()
    assert events[-1] == (ConsentPurpose.SIGNED, ConsentAction.WITHDRAWN)
    assert add(session, campaign, ana, SIGNED)  # they may think better of it


def test_an_erased_person_is_counted_and_known_no_more(session: Session, campaign: Campaign, ana: Subscriber) -> None:
    make_signature(session, campaign, ana)
    subscribers.erase(session, ana.email)
    session.expire_all()
    assert acts.count(session, campaign.id) == Counted(wrote=0, signed=1)
    assert session.scalars(select(Act.subscriber_id)).all() == [None]
    assert not session.scalars(select(Signature)).all()


def test_whoever_acted_is_forgotten_together_with_the_names_and_what_they_agreed_to(
    session: Session, campaign: Campaign
) -> None:
    people = [make_subscriber(session, email=f"p{number}@example.org", country="GB") for number in range(5)]
    other = make_campaign(session, campaign.mailing_list, slug="another")
    for person in people:
        make_signature(session, campaign, person)
        add(session, campaign, person)
        add(session, other, person)
    taken = [acts.forget_who(session, campaign.id, most=4) for _ in range(3)]
    assert taken == [4, 4, 2]
    assert acts.count(session, campaign.id) == Counted(wrote=5, signed=5)
    assert not session.scalars(select(Signature)).all()
    still_known = session.scalars(select(Act.campaign_id).where(Act.subscriber_id.is_not(None))).all()
    assert still_known == [other.id] * 5
    assert set(session.scalars(select(ConsentEvent.campaign_id))) == {other.id}


def test_a_reminder_that_spared_them_says_no_longer_whom(session: Session, campaign: Campaign, ana: Subscriber) -> None:
    reminder = make_campaign(session, campaign.mailing_list, slug="reminder", status=CampaignStatus.SENT)
    reminder.audience = {"not_acted": [campaign.slug]}
    boris = make_subscriber(session, email="boris@example.org", country="GB")
    add(session, campaign, ana)
    spared = deliver(session, reminder, ana, DeliveryState.SKIPPED, reason=Reason.ACTED)
    reminded = deliver(session, reminder, boris, DeliveryState.SENT)
    acts.forget_who(session, campaign.id)
    session.expire_all()
    assert (spared.subscriber_id, spared.reason) == (None, Reason.ACTED)
    assert reminded.subscriber_id == boris.id


def test_who_acted_is_known_by_campaign(session: Session, campaign: Campaign, ana: Subscriber) -> None:
    boris = make_subscriber(session, email="boris@example.org", country="GB")
    other = make_campaign(session, campaign.mailing_list, slug="another")
    make_act(session, campaign, ana)
    make_act(session, other, boris, SIGNED)
    make_act(session, campaign, None)  # of somebody who was erased

    def who(*campaigns: Campaign) -> set[str]:
        acted = acts.by_one_of(session, [each.id for each in campaigns], Subscriber.id)
        return set(session.scalars(select(Subscriber).where(acted).with_only_columns(Subscriber.email)))

    assert who(campaign) == {"ana@example.org"}
    assert who(other) == {"boris@example.org"}
    assert who(campaign, other) == {"ana@example.org", "boris@example.org"}
    assert who() == set()


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, None), (1, None), (9, None), (10, 10), (11, 10), (19, 10), (20, 20), (999, 990), (1000, 1000), (1234, 1200)],
)
def test_small_numbers_are_shown_to_nobody_and_others_rounded_down(number: int, shown: int | None) -> None:
    assert acts.shown(Counted(wrote=number, signed=0), WROTE) == shown
    assert acts.shown(Counted(wrote=0, signed=number), SIGNED) == shown


def test_what_people_can_tell_us_is_what_the_campaign_asks_for(session: Session, campaign: Campaign) -> None:
    assert acts.asked_for(campaign) == set()
    campaign.ask = ["embassy"]
    assert acts.asked_for(campaign) == {WROTE}
    campaign.petition = {"to": {"en": "the President"}}
    assert acts.asked_for(campaign) == {WROTE, SIGNED}
    campaign.ask, campaign.targets = [], [{"countries": [], "name": "Embassy", "email": "", "address": ""}]
    assert acts.asked_for(campaign) == {WROTE, SIGNED}
    campaign.kind = "update"
    assert acts.asked_for(campaign) == set()


def test_nobody_acts_after_the_deadline_a_stop_or_a_close(session: Session, campaign: Campaign) -> None:
    campaign.started_at, campaign.deadline = WHEN, WHEN + timedelta(days=3)
    assert acts.why_over(campaign, campaign.deadline) is None
    assert acts.why_over(campaign, campaign.deadline + timedelta(seconds=1)) is Asking.OPEN
    for asking in (Asking.CLOSED, Asking.STOPPED, Asking.WITHDRAWN):
        campaign.asking = asking
        assert acts.why_over(campaign, WHEN) is asking
    campaign.asking, campaign.status = Asking.OPEN, CampaignStatus.CANCELLED
    assert acts.why_over(campaign, WHEN) is Asking.OPEN


def test_for_how_long_it_is_known_who_acted(session: Session, campaign: Campaign) -> None:
    assert acts.known_until(campaign, None) is None
    campaign.started_at = WHEN
    assert acts.known_until(campaign, None) == WHEN + timedelta(days=180)
    campaign.deadline = WHEN + timedelta(days=10)
    assert acts.known_until(campaign, None) == WHEN + timedelta(days=100)
    campaign.case = make_case(session)
    session.flush()
    assert acts.known_until(campaign, None) is None
    assert acts.known_until(campaign, WHEN) == WHEN + timedelta(days=90)


def test_it_is_not_known_for_ever_who_acted_whether_a_case_ends_or_not(session: Session, campaign: Campaign) -> None:
    now = db.now(session)
    campaign.case = make_case(session, "leila")
    campaign.started_at = now - acts.KNOWN_AT_MOST
    session.flush()
    assert not acts.is_forgotten(session, campaign)  # on that day it is known still
    campaign.started_at -= timedelta(days=1)
    assert acts.is_forgotten(session, campaign)
    assert acts.why_over(campaign, now) is Asking.OPEN  # nobody could be counted twice
    campaign.started_at = now
    assert acts.why_over(campaign, now) is None
    campaign.case, campaign.deadline = None, now + timedelta(days=9999)
    session.flush()
    assert acts.known_until(campaign, None) == now + acts.KNOWN_AT_MOST


def test_of_a_closed_case_it_is_known_from_the_close_or_from_the_last_news_on(
    session: Session, campaign: Campaign
) -> None:
    case = campaign.case = make_case(session, "leila")
    campaign.started_at = WHEN

    def decided(kind: CaseEventKind, on: int) -> None:
        case.status = CaseStatus.CLOSED if kind is CaseEventKind.CLOSED else CaseStatus.OPEN
        session.add(CaseEvent(case_id=case.id, kind=kind, words={}, created_at=WHEN + timedelta(days=on)))
        session.flush()

    def told(slug: str, on: int | None, ended: int | None = None, status: CampaignStatus = CampaignStatus.SENT) -> None:
        news = make_campaign(session, campaign.mailing_list, slug=slug, status=status)
        news.case, news.kind, news.audience = case, "update", {"acted": [campaign.slug]}
        news.started_at = WHEN + timedelta(days=on) if on is not None else None
        news.finished_at = WHEN + timedelta(days=ended) if ended is not None else None
        session.flush()

    def known() -> int | None:
        session.refresh(campaign)
        until = acts.told_at(session, campaign)
        return (until - WHEN).days if until else None

    told("while-it-went-on", 5, 5)
    assert known() is None
    decided(CaseEventKind.CLOSED, 10)
    decided(CaseEventKind.CLOSED, 20)  # in other words
    assert known() == 10
    told("draft", None, status=CampaignStatus.DRAFT)
    told("called-off", 11, 12, CampaignStatus.CANCELLED)
    assert known() == 10
    told("news", 30, 31)
    told("news-to-another-list", 40, 41)
    assert known() == 41
    decided(CaseEventKind.REOPENED, 50)
    assert known() is None
    decided(CaseEventKind.CLOSED, 60)
    assert known() == 60


def test_whoever_lives_where_the_authorities_are_or_named_no_country_is_never_named(
    session: Session, campaign: Campaign
) -> None:
    campaign.about = "FR"
    assert not petitions.may_be_named(campaign, None)
    assert not petitions.may_be_named(campaign, "FR")
    assert not petitions.may_be_named(campaign, "RE")  # Réunion
    assert petitions.may_be_named(campaign, "BE")
    campaign.about = "none"
    assert petitions.may_be_named(campaign, "FR")
    assert not petitions.may_be_named(campaign, None)


def test_who_acted_is_joined_and_not_asked_for_one_by_one(session: Session, campaign: Campaign) -> None:
    if session.get_bind().dialect.name == "sqlite":
        pytest.skip("SQLite reads them once, and looks each up in what it has read")
    acted = acts.by_one_of(session, [campaign.id], Subscriber.id)
    for condition in (acted, ~acted):
        query = (
            select(Subscriber.id).where(condition).compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        )
        plan = session.scalars(text(f"EXPLAIN {query}")).all()
        assert not any("SubPlan" in line for line in plan), plan
