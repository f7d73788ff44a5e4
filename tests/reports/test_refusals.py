"""Refusals: counted in full, told apart by what servers said, quoted without whom they are about."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.people import subscribers
from mailer.reports import progress, refusals
from mailer.reports.refusals import Refusal
from mailer.store.db import utcnow
from mailer.store.models import Campaign, Delivery, DeliveryState, MailingList, Purpose
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber

S = DeliveryState


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    return make_campaign(session, news)


def refuse(session: Session, campaign: Campaign, text: str | None, *, code: int = 550, times: int = 1) -> None:
    state = S.FAILED if code >= 500 else S.DEFERRED
    later = utcnow() + timedelta(minutes=1) if state is S.DEFERRED else None
    for _ in range(times):
        person = make_subscriber(session, name=None)
        deliver(session, campaign, person, state, smtp_code=code, smtp_text=text, not_before=later)


def of(session: Session, campaign: Campaign) -> list[Refusal]:
    return refusals.refusals(session, campaign, progress.of_campaign(session, campaign).states)


def test_the_same_code_is_told_apart_by_the_enhanced_code(session: Session, campaign: Campaign) -> None:
    refuse(session, campaign, "5.1.1 no such user", times=3)
    refuse(session, campaign, "5.7.1 looks like spam", times=2)
    refuse(session, campaign, "4.2.2 mailbox full", code=452)
    refuse(session, campaign, "go away, 10.5.1.12")
    found = [
        (each.state, each.smtp_code, each.enhanced_code, each.count, each.is_estimate) for each in of(session, campaign)
    ]
    assert found[:2] == [(S.FAILED, 550, "5.1.1", 3, False), (S.FAILED, 550, "5.7.1", 2, False)]
    assert set(found[2:]) == {(S.DEFERRED, 452, "4.2.2", 1, False), (S.FAILED, 550, None, 1, False)}


def test_of_many_the_latest_are_projected_and_say_so(
    session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_SAMPLE", 10)
    refuse(session, campaign, "5.1.1 no such user", times=20)
    for _ in range(5):
        refuse(session, campaign, "5.1.1 no such user")
        refuse(session, campaign, "5.7.1 looks like spam")
    found = {each.enhanced_code: (each.count, each.is_estimate) for each in of(session, campaign)}
    assert found == {"5.1.1": (15, True), "5.7.1": (15, True)}


@pytest.mark.parametrize(
    "said",
    [
        "5.1.1 <ana.lopez@example.org>: unknown",
        "5.1.1 ANA.LOPEZ@EXAMPLE.ORG unknown",
        "5.1.1 ana.lopez unknown",
        "5.2.2 the mailbox of Ana López Example is full",
        "5.2.2 mailbox of López is full",
        "5.1.1 forward to other-person@example.net failed",
        "5.1.1 ana.lopez%example.org@relay.example.net unknown",
    ],
)
def test_an_example_names_nobody(session: Session, campaign: Campaign, said: str) -> None:
    person = make_subscriber(session, email="ana.lopez@example.org", name="Ana López Example")
    deliver(session, campaign, person, S.FAILED, smtp_code=550, smtp_text=said)
    (refusal,) = of(session, campaign)
    assert refusal.example is not None
    assert refusal.example.startswith("5.")
    for word in ("ana", "lopez", "lópez", "@", "other-person"):
        assert word not in refusal.example.lower().replace("[address]", "").replace("[recipient]", "")


def test_a_refusal_without_words_counts(session: Session, campaign: Campaign) -> None:
    refuse(session, campaign, None, times=2)
    (refusal,) = of(session, campaign)
    assert (refusal.count, refusal.enhanced_code, refusal.example) == (2, None, None)


def test_only_the_audience_counts_and_what_was_sent_is_no_refusal(session: Session, campaign: Campaign) -> None:
    deliver(session, campaign, None, S.FAILED, purpose=Purpose.TEST, address="me@example.org", smtp_code=550)
    deliver(session, campaign, make_subscriber(session), S.SENT, smtp_code=250, smtp_text="2.0.0 ok")
    assert of(session, campaign) == []


def test_the_latest_test_mails_say_what_became_of_them(session: Session, campaign: Campaign) -> None:
    about = {"purpose": Purpose.TEST, "address": "organiser@example.org"}
    for _ in range(5):
        deliver(session, campaign, None, S.SENT, smtp_code=250, smtp_text="2.0.0 ok", **about)
    text = "5.7.1 organiser@example.org: organiser may not"
    last = deliver(session, campaign, None, S.FAILED, smtp_code=550, smtp_text=text, **about)
    found = refusals.test_mails(session, campaign)
    assert len(found) == 5
    assert (found[0].delivery, found[0].state, found[0].smtp_code) == (last.id, S.FAILED, 550)
    assert found[0].smtp_text == "5.7.1 [address]: [recipient] may not"


def test_of_somebody_who_is_erased_the_kind_of_refusal_is_counted_on_and_nothing_that_was_said(
    session: Session, campaign: Campaign
) -> None:
    people = [make_subscriber(session, campaign.mailing_list) for _ in range(3)]
    for person in people:
        deliver(session, campaign, person, S.FAILED, smtp_code=550, smtp_text=f"5.1.1 no {person.email} here")
    session.commit()
    (before,) = of(session, campaign)
    subscribers.erase(session, people[0].email)
    session.commit()
    (after,) = of(session, campaign)
    assert (after.answer, after.count) == (before.answer, before.count) == ("550 5.1.1", 3)
    session.expire_all()
    assert session.get_one(Delivery, 1).smtp_text == "5.1.1"
