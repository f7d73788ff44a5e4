"""Test mails to oneself."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.campaigns.editions import Unrenderable
from mailer.delivery import own_tests
from mailer.delivery.own_tests import TooManyTests
from mailer.reports import refusals
from mailer.store import audit, db
from mailer.store.audit import Who
from mailer.store.models import Account, AuditActor, Campaign, Delivery, DeliveryState, Purpose, Role
from tests.support.accounts import make_account
from tests.support.factories import SENDER, add_text, make_campaign, make_list, make_subscriber


@pytest.fixture
def campaign(session: Session) -> Campaign:
    news = make_list(session)
    campaign = make_campaign(session, news)
    add_text(session, campaign, "ar", "مرحبا\n")
    make_subscriber(session, news, country="EG", language="ar")
    return campaign


@pytest.fixture
def rosa(session: Session) -> Account:
    return make_account(session, "rosa@example.org", Role.WRITER)


def order(session: Session, campaign: Campaign, account: Account) -> list[Delivery]:
    who = Who(AuditActor.ACCOUNT, account.id, "7")
    ready = own_tests.prepare(session, campaign, SENDER)
    return list(own_tests.order(session, campaign, account, SENDER, who, ready))


def test_one_press_owes_a_test_mail_in_each_language_to_ones_own_address(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    owed = order(session, campaign, rosa)
    assert [(mail.language, mail.country, mail.address) for mail in owed] == [
        ("ar", "EG", "rosa@example.org"),
        ("en", None, "rosa@example.org"),
    ]
    assert {(mail.purpose, mail.state) for mail in owed} == {(Purpose.TEST, DeliveryState.PENDING)}


def test_the_log_says_who_ordered_how_many(session: Session, campaign: Campaign, rosa: Account) -> None:
    order(session, campaign, rosa)
    [entry] = audit.page(session, limit=5)
    assert (entry.action, entry.account_id, entry.session, entry.kind) == ("campaigns.test", rosa.id, "7", "campaign")
    assert (entry.subject, entry.details) == ("free-the-five", {"mails": 2})


def test_nobody_gets_more_than_a_hundred_within_an_hour(
    session: Session, campaign: Campaign, rosa: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_tests, "MOST", 5)
    other = make_account(session, "ben@example.org", Role.WRITER)
    order(session, campaign, rosa)
    order(session, campaign, rosa)
    with pytest.raises(TooManyTests, match="4 test mails"):
        order(session, campaign, rosa)
    order(session, campaign, other)
    now = db.now(session)
    monkeypatch.setattr(db, "now", lambda _session: now + timedelta(minutes=61))
    order(session, campaign, rosa)


def test_a_text_that_is_broken_owes_no_test_at_all(
    engine: Engine, session: Session, campaign: Campaign, rosa: Account
) -> None:
    session.commit()
    campaign.texts[1].body = "[Act](https://example.org/{{ name }})\n"
    with pytest.raises(Unrenderable):
        order(session, campaign, rosa)
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Delivery)) == 0


def test_one_sees_what_became_of_ones_own_tests_and_of_no_others(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    first, second = order(session, campaign, rosa)
    order(session, campaign, make_account(session, "ben@example.org", Role.WRITER))
    second.state, second.smtp_code = DeliveryState.FAILED, 550
    second.smtp_text = "5.1.1 rosa@example.org: no such user"
    session.flush()
    seen = refusals.test_mails_to(session, campaign, "Rosa@example.org")
    assert [(mail.delivery, mail.language, mail.state) for mail in seen] == [
        (second.id, "en", DeliveryState.FAILED),
        (first.id, "ar", DeliveryState.PENDING),
    ]
    assert seen[0].smtp_text == "5.1.1 [address]: no such user"
