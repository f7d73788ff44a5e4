"""People are found however their address is written, and erased wherever they are."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.people import subscribers, suppression
from mailer.store.crypto import keyring_of
from mailer.store.models import (
    Campaign,
    Claim,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    Delivery,
    DeliveryState,
    MailingList,
    Purpose,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from tests.support.factories import make_list, make_subscriber, make_union, subscribe


@pytest.fixture
def mailing_list(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, mailing_list: MailingList) -> Campaign:
    campaign = Campaign(
        slug="free-the-poet",
        kind="urgent_action",
        list_id=mailing_list.id,
        language="en",
        audience={},
        targets=[],
        salt=bytes(16),
        message_key="l1",
    )
    session.add(campaign)
    session.flush()
    return campaign


def deliver(session: Session, campaign: Campaign, person: Subscriber | None, **columns: object) -> Delivery:
    columns = {"purpose": Purpose.CAMPAIGN, "state": DeliveryState.PENDING, "country": "GB", "language": "en"} | columns
    delivery = Delivery(campaign_id=campaign.id, subscriber_id=person.id if person else None, **columns)
    session.add(delivery)
    session.flush()
    return delivery


def reason_of(session: Session, email: str) -> SuppressionReason | None:
    index = keyring_of(session).blind_index(addresses.parse(email).folded)
    return session.scalar(select(Suppression.reason).where(Suppression.email_index == index))


def test_a_person_is_found_however_the_address_is_written(session: Session) -> None:
    person = make_subscriber(session, email="Ana@bücher.example.com")
    found = subscribers.find(session, "ana@XN--BCHER-KVA.example.com")
    assert found is person
    assert found.email == "Ana@bücher.example.com"
    assert subscribers.find(session, "boris@example.org") is None


def test_refresh_copies_what_choosing_an_audience_asks_for(session: Session, mailing_list: MailingList) -> None:
    union = make_union(session)
    person = make_subscriber(session, mailing_list, country="GB", language="en")
    other = make_subscriber(session, mailing_list, country="GB")
    for each in (person, other):
        each.country, each.language, each.union_id = "FR", None, union.id
    subscribers.refresh(session, [person.id])
    copies = {s.subscriber_id: (s.country, s.language, s.union_id) for s in session.scalars(select(Subscription))}
    assert copies == {person.id: ("FR", None, union.id), other.id: ("GB", "en", None)}
    subscribers.refresh(session)
    assert {s.country for s in session.scalars(select(Subscription))} == {"FR"}


@pytest.mark.parametrize("status", list(SubscriptionStatus))
@pytest.mark.parametrize("suppressed", [False, True])
def test_only_active_people_with_a_good_address_are_mailable(
    session: Session, mailing_list: MailingList, status: SubscriptionStatus, suppressed: bool
) -> None:
    person = make_subscriber(session, mailing_list, status=status)
    if suppressed:
        suppression.add(session, person.email_index, SuppressionReason.BOUNCED)
    subscribers.refresh(session)
    mailable = session.scalars(select(Subscription.mailable)).one()
    assert mailable is subscribers.is_mailable(status, suppressed=suppressed)
    assert mailable is (status is SubscriptionStatus.ACTIVE and not suppressed)


def test_erasing_leaves_nothing_but_the_hash(session: Session, mailing_list: MailingList) -> None:
    person = make_subscriber(session, mailing_list, email="ana@example.org")
    subscribe(session, person, make_list(session, "news"))
    session.add(
        ConsentEvent(
            subscriber_id=person.id, purpose=ConsentPurpose.ALERTS, action=ConsentAction.GIVEN, method="import"
        )
    )
    session.flush()
    kept = make_subscriber(session, mailing_list, email="boris@example.org")
    subscribers.erase(session, "ANA@example.org")
    session.expire_all()
    assert session.scalars(select(Subscriber.id)).all() == [kept.id]
    assert session.scalars(select(Subscription.subscriber_id)).all() == [kept.id]
    assert session.scalars(select(ConsentEvent)).all() == []
    assert reason_of(session, "ana@example.org") is SuppressionReason.ERASED
    month = session.scalars(select(Suppression.month)).one()
    assert datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC) < datetime.now(UTC)


def test_erasing_an_unknown_address_looks_the_same(session: Session) -> None:
    subscribers.erase(session, "nobody@example.org")
    subscribers.erase(session, "nobody@example.org")
    assert reason_of(session, "nobody@example.org") is SuppressionReason.ERASED
    with pytest.raises(addresses.InvalidAddress):
        subscribers.erase(session, "nobody")


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.DEFERRED])
def test_what_waits_for_an_erased_person_is_skipped(session: Session, campaign: Campaign, state: DeliveryState) -> None:
    person = make_subscriber(session, email="ana@example.org")
    delivery = deliver(session, campaign, person, state=state, smtp_text="450 <ana@example.org> busy")
    subscribers.erase(session, "ana@example.org")
    session.refresh(delivery)
    assert (delivery.state, delivery.reason) == (DeliveryState.SKIPPED, "erased")
    assert delivery.settled_at is not None
    assert (delivery.subscriber_id, delivery.address, delivery.smtp_text) == (None, None, None)
    assert (delivery.country, delivery.union_id, delivery.language) == (None, None, None)


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN])
def test_the_ledger_goes_on_adding_up(session: Session, campaign: Campaign, state: DeliveryState) -> None:
    person = make_subscriber(session, email="ana@example.org")
    delivery = deliver(session, campaign, person, state=state)
    subscribers.erase(session, "ana@example.org")
    session.refresh(delivery)
    assert (delivery.state, delivery.subscriber_id, delivery.country) == (state, None, None)


def test_a_claimed_delivery_keeps_its_claim_to_be_settled(session: Session, campaign: Campaign) -> None:
    person = make_subscriber(session, email="ana@example.org")
    claim = Claim(
        campaign_id=campaign.id, worker="host 1", journal="x.journal", expires_at=datetime(2030, 1, 1, tzinfo=UTC)
    )
    session.add(claim)
    session.flush()
    delivery = deliver(session, campaign, person, state=DeliveryState.SENDING, fence=claim.id)
    subscribers.erase(session, "ana@example.org")
    session.refresh(delivery)
    assert (delivery.state, delivery.fence, delivery.subscriber_id) == (DeliveryState.SENDING, claim.id, None)


def test_mail_to_a_bare_address_is_erased_too(session: Session, campaign: Campaign) -> None:
    test = deliver(session, campaign, None, purpose=Purpose.TEST, address="Ana@example.org")
    other = deliver(session, campaign, None, purpose=Purpose.TEST, address="boris@example.org")
    subscribers.erase(session, "ana@example.org")
    session.expire_all()
    assert (test.state, test.address) == (DeliveryState.SKIPPED, None)
    assert (other.state, other.address) == (DeliveryState.PENDING, "boris@example.org")


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (SuppressionReason.LEFT, SuppressionReason.ERASED, SuppressionReason.ERASED),
        (SuppressionReason.BOUNCED, SuppressionReason.LEFT, SuppressionReason.BOUNCED),
        (SuppressionReason.COMPLAINED, SuppressionReason.ERASED, SuppressionReason.COMPLAINED),
    ],
)
def test_of_two_reasons_the_one_that_is_lifted_by_less_stays(
    session: Session, first: SuppressionReason, second: SuppressionReason, kept: SuppressionReason
) -> None:
    index = keyring_of(session).blind_index("ana@example.org")
    for reason in (first, second):
        suppression.add(session, index, reason)
    assert session.scalar(select(func.count()).select_from(Suppression)) == 1
    assert reason_of(session, "ana@example.org") is kept


def test_a_deleted_person_takes_consent_along_but_nobody_can_rewrite_it(engine: Engine, session: Session) -> None:
    person = make_subscriber(session)
    event = ConsentEvent(
        subscriber_id=person.id, purpose=ConsentPurpose.ALERTS, action=ConsentAction.GIVEN, method="import"
    )
    session.add(event)
    session.flush()
    with pytest.raises(Exception, match="append-only"), session.begin_nested():
        event.method = "forged"
        session.flush()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  Ana \t Example\r\n", "Ana Example"),
        ("Ana\x00\x1b[31m", "Ana[31m"),
        ("Jose\u0301", "José"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u2028", None),
        ("", None),
    ],
)
def test_a_name_is_kept_on_one_line(written: str, kept: str | None) -> None:
    assert subscribers.one_line(written) == kept


@given(st.text())
def test_a_name_that_was_kept_is_kept_as_it_is(text: str) -> None:
    kept = subscribers.one_line(text)
    assert kept is None or subscribers.one_line(kept) == kept
