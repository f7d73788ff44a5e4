"""Who may get which mail, as of the moment before it is sent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.delivery import control, ledger, recipients
from mailer.delivery.ledger import Settlement
from mailer.delivery.recipients import Recipient
from mailer.mail.feedback.types import Category
from mailer.people import notices, subscribers, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.selfservice import address_change, preferences
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Asking,
    CampaignStatus,
    CaseStatus,
    DeliveryState,
    Kit,
    Reason,
    Subscriber,
    SuppressionReason,
    Union,
    UnionStatus,
)
from tests.support.factories import (
    SENDER,
    WHEN,
    make_campaign,
    make_case,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
)
from tests.support.statements import watched

ANA = "ana@example.org"


def look_up(engine: Engine, campaign_id: int) -> list[Recipient | Reason]:
    batch = ledger.claim(engine, campaign_id, worker="host:1", journal="x.journal", lease=timedelta(minutes=1))
    assert batch is not None
    return list(recipients.look_up(engine, batch, batch.deliveries).recipients.values())


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_who_left_was_erased_or_bounced_can_still_be_sent_what_they_ask_for(
    engine: Engine, session: Session, reason: SuppressionReason, is_known: bool
) -> None:
    person = make_subscriber(session, make_list(session), email=ANA) if is_known else None
    suppression.add(session, keyring_of(session).blind_index(ANA), reason)
    notices.owe(
        session,
        Notice(NoticeKind.CONFIRM, "0" * 40),
        language="en",
        subscriber_id=person.id if person else None,
        address=None if person else ANA,
    )
    clearance = notices.campaign(session).id
    session.commit()
    (found,) = look_up(engine, clearance)
    if reason is SuppressionReason.COMPLAINED:
        assert found is Reason.SUPPRESSED
    else:
        assert isinstance(found, Recipient)
        assert found.email == ANA


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_a_test_mail_goes_to_no_address_that_was_suppressed_for_good(
    engine: Engine, session: Session, reason: SuppressionReason
) -> None:
    campaign = make_campaign(session, make_list(session))
    ledger.add_test(session, campaign, address=ANA, language=None, country=None, union_id=None)
    suppression.add(session, keyring_of(session).blind_index(ANA), reason)
    session.commit()
    (found,) = look_up(engine, campaign.id)
    assert isinstance(found, Recipient) is (reason is SuppressionReason.LEFT)


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_a_campaign_goes_to_nobody_who_was_suppressed(
    engine: Engine, session: Session, reason: SuppressionReason
) -> None:
    mailing_list = make_list(session)
    person = make_subscriber(session, mailing_list, email=ANA)
    campaign = make_campaign(session, mailing_list, status=CampaignStatus.SENDING)
    ledger.plan(session, campaign)
    campaign_id = campaign.id
    suppression.add(session, person.email_index, reason)
    subscribers.refresh(session)
    session.commit()
    assert look_up(engine, campaign_id) == [Reason.SUPPRESSED]


def test_a_notice_to_who_was_erased_since_it_was_claimed_does_not_go_out(engine: Engine, session: Session) -> None:
    notices.owe(session, Notice(NoticeKind.CONFIRM, "0" * 40), language="en", address=ANA)
    clearance = notices.campaign(session).id
    session.commit()
    batch = ledger.claim(engine, clearance, worker="host:1", journal="x.journal", lease=timedelta(minutes=1))
    assert batch is not None
    subscribers.erase(session, ANA)
    session.commit()
    assert list(recipients.look_up(engine, batch, batch.deliveries).recipients.values()) == [Reason.ERASED]


def moved(session: Session, person: Subscriber) -> None:
    address_change.name(session, person.id, "ana.new@example.net", language="en")
    address_change.move(session, said(notices_owed(session)[-1]).token or "")


@pytest.mark.parametrize("is_claimed", [False, True])
@pytest.mark.parametrize(
    ("what_becomes_of_them", "found"),
    [
        (lambda session, person: preferences.erase(session, person.id), Reason.ERASED),
        (moved, Reason.ERASED),
        (lambda session, person: _complain(session, person), Reason.SUPPRESSED),
    ],
    ids=["erased", "moved", "complained"],
)
def test_a_link_that_somebody_asked_for_does_not_go_to_an_address_that_must_get_nothing_any_more(
    engine: Engine,
    session: Session,
    what_becomes_of_them: Callable[[Session, Subscriber], None],
    found: Reason,
    is_claimed: bool,
) -> None:
    person = make_subscriber(session, make_list(session), email=ANA)
    preferences.mail_link(session, ANA, language="en")
    clearance = notices.campaign(session).id
    session.commit()

    def claim() -> ledger.Batch | None:
        return ledger.claim(engine, clearance, worker="host:1", journal="x.journal", lease=timedelta(minutes=1))

    batch = claim() if is_claimed else None
    what_becomes_of_them(session, person)
    session.commit()
    batch = batch or claim()
    asked_for = notices_owed(session)[0]
    if asked_for.state is DeliveryState.SKIPPED:
        assert asked_for.reason == found
    else:
        assert batch is not None
        assert recipients.look_up(engine, batch, batch.deliveries).recipients[asked_for.id] is found


@pytest.mark.parametrize("by_form", [True, False])
def test_only_what_no_form_had_us_send_suppresses_an_address_that_does_not_exist(
    engine: Engine, session: Session, by_form: bool
) -> None:
    """Else whoever fills in the form for an address sees by the suppression's hash whose row that is."""
    person = make_subscriber(session, make_list(session), email=ANA)
    if by_form:
        preferences.mail_link(session, ANA, language="en")
    else:
        notices.owe(session, Notice(NoticeKind.WELCOME), language="en", subscriber_id=person.id)
    clearance = notices.campaign(session).id
    session.commit()
    batch = ledger.claim(engine, clearance, worker="host:1", journal="x.journal", lease=timedelta(minutes=1))
    assert batch is not None
    refused = Settlement(batch.deliveries[0].id, DeliveryState.FAILED, smtp_code=550, refused=Category.NO_MAILBOX)
    ledger.settle(engine, batch, [refused])
    assert suppression.reason(session, person.email_index) == (None if by_form else SuppressionReason.BOUNCED)


def _complain(session: Session, person: Subscriber) -> None:
    suppression.add(session, person.email_index, SuppressionReason.COMPLAINED)


def owe_to_contact(session: Session, union: Union, person: Subscriber) -> int:
    notices.owe(session, Notice(NoticeKind.KIT), language="en", subscriber_id=person.id, union_id=union.id)
    clearance = notices.campaign(session).id
    session.commit()
    return clearance


def test_a_unions_contact_gets_its_mail(engine: Engine, session: Session) -> None:
    union, person = make_union(session), make_subscriber(session, email=ANA)
    make_contact(session, union, person)
    (found,) = look_up(engine, owe_to_contact(session, union, person))
    assert isinstance(found, Recipient)
    assert found.email == ANA


@pytest.mark.parametrize("is_anothers", [False, True])
def test_who_stopped_being_a_unions_contact_gets_none_of_its_mail(
    engine: Engine, session: Session, is_anothers: bool
) -> None:
    union, person = make_union(session), make_subscriber(session, make_list(session))
    contact = make_contact(session, make_union(session, "other") if is_anothers else union, person)
    clearance = owe_to_contact(session, union, person)
    if not is_anothers:
        session.delete(contact)
        session.commit()
    assert look_up(engine, clearance) == [Reason.LEFT]


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_a_unions_mail_goes_to_nobody_who_was_suppressed(
    engine: Engine, session: Session, reason: SuppressionReason
) -> None:
    union, person = make_union(session), make_subscriber(session)
    make_contact(session, union, person)
    suppression.add(session, person.email_index, reason)
    assert look_up(engine, owe_to_contact(session, union, person)) == [Reason.SUPPRESSED]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, Recipient),
        ({"status": CampaignStatus.CANCELLED}, Reason.CANCELLED),
        ({"deadline": WHEN}, Reason.CANCELLED),
        ({"asking": Asking.STOPPED}, Reason.CANCELLED),
        ({"asking": Asking.CLOSED}, Reason.CANCELLED),
        ({"asking": Asking.WITHDRAWN}, Reason.CANCELLED),
        ({"union": UnionStatus.LAPSED}, Reason.CANCELLED),
        ({"is_named": False}, Reason.CANCELLED),
    ],
    ids=str,
)
def test_nobody_is_written_about_a_kit_that_must_not_be_forwarded_any_more(
    engine: Engine, session: Session, change: dict[str, Any], found: object
) -> None:
    union = make_union(session, status=UnionStatus.AFFILIATED)
    contact = make_contact(session, union)
    campaign = make_campaign(session, make_list(session))
    campaign.status, campaign.deadline = change.get("status", CampaignStatus.SENT), change.get("deadline")
    campaign.asking = change.get("asking", Asking.OPEN)
    kit = Kit(campaign_id=campaign.id, union_id=union.id)
    session.add(kit)
    session.flush()
    notices.owe(
        session,
        Notice(NoticeKind.KIT, words={"union": union.name}, kit_id=kit.id),
        language="en",
        subscriber_id=contact.subscriber_id,
        union_id=union.id,
    )
    clearance = notices.campaign(session).id
    union.status, union.is_named = change.get("union", UnionStatus.AFFILIATED), change.get("is_named", True)
    session.commit()
    (who,) = look_up(engine, clearance)
    if found is Recipient:
        assert isinstance(who, Recipient)
    else:
        assert who is found


@pytest.mark.parametrize(("about", "to", "is_sent"), [("FR", "RE", False), ("FR", "DE", True), ("none", "FR", True)])
def test_who_moves_to_where_the_authorities_are_is_not_told_what_others_are(
    engine: Engine, session: Session, about: str, to: str, is_sent: bool
) -> None:
    person = make_subscriber(session, urgent := make_list(session), country="GB")
    campaign = make_campaign(session, urgent)
    campaign.about = about
    control.start(session, campaign, SENDER)
    person.country = to
    subscribers.refresh(session, [person.id])
    campaign_id = campaign.id
    session.commit()
    (found,) = look_up(engine, campaign_id)
    assert isinstance(found, Recipient) if is_sent else found is Reason.HOME


@pytest.mark.parametrize(("audience", "more"), [({}, 0), ({"not_acted": ["alert"]}, 1)])
def test_only_a_reminder_asks_who_has_acted(
    engine: Engine, session: Session, audience: dict[str, list[str]], more: int
) -> None:
    urgent = make_list(session)
    for _ in range(5):
        make_subscriber(session, urgent)
    alert = make_campaign(session, urgent, slug="alert", status=CampaignStatus.SENT)
    alert.started_at, alert.targets = utcnow(), [{"name": "The embassy"}]
    campaign = make_campaign(session, urgent, audience=audience)
    control.start(session, campaign, SENDER)
    campaign_id = campaign.id
    session.commit()
    with watched(engine) as statements:
        look_up(engine, campaign_id)
    assert sum("FROM acts" in each for each in statements) == more


def test_what_would_have_somebody_sign_is_not_sent_once_nobody_is_to_act(engine: Engine, session: Session) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    notice = Notice(NoticeKind.SIGN, "0" * 40, words={"campaign_slug": campaign.slug, "campaign": "Free the five"})
    notices.owe(session, notice, language="en", address=ANA)
    standing = notices.campaign(session).id
    session.commit()
    batch = ledger.claim(engine, standing, worker="host:1", journal="x.journal", lease=timedelta(minutes=1))
    assert batch is not None
    for asking in Asking:
        campaign.asking = asking
        session.commit()
        (found,) = recipients.look_up(engine, batch, batch.deliveries).recipients.values()
        assert isinstance(found, Recipient) if asking is Asking.OPEN else found is Reason.CANCELLED


def test_a_welcome_that_waits_shows_its_alert_only_while_people_may_act_on_it(engine: Engine, session: Session) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    case = campaign.case = make_case(session)
    welcome = Notice(NoticeKind.WELCOME, words={"campaign_slug": campaign.slug})
    for _ in CaseStatus:
        notices.owe(session, welcome, language="en", subscriber_id=make_subscriber(session).id)
    notices.owe(session, Notice(NoticeKind.WELCOME), language="en", subscriber_id=make_subscriber(session).id)
    clearance = notices.campaign(session).id
    session.commit()
    batch = ledger.claim(engine, clearance, worker="host:1", journal="x.journal", lease=timedelta(minutes=1))
    assert batch is not None
    for status in CaseStatus:
        case.status = status
        session.commit()
        found = recipients.look_up(engine, batch, batch.deliveries).recipients.values()
        shown = [each.may_act for each in found if isinstance(each, Recipient)]
        assert sorted(shown) == ([True] * 4 if status is CaseStatus.OPEN else [False] * 3 + [True])


def test_what_a_notice_says_is_read_once_to_see_whom_it_may_go_to(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact, union = make_subscriber(session, make_list(session)), make_union(session, "dockers")
    make_contact(session, union, contact)
    notices.owe(session, Notice(NoticeKind.KIT), language="en", subscriber_id=contact.id, union_id=union.id)
    notices.owe(session, Notice(NoticeKind.HELD), language="en", address=ANA)
    standing = notices.campaign(session).id
    session.commit()
    reading = Mock(wraps=Notice.from_stored)
    monkeypatch.setattr(Notice, "from_stored", reading)
    assert len(look_up(engine, standing)) == reading.call_count == 2
