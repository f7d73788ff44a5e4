"""Alone at night: a publisher sends without a second person once the others could have said no, and nobody did."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.delivery import control
from mailer.organisers import accounts, alone, approvals, content, invitations, requests
from mailer.organisers.alone import NotAsked, Objected, OthersNotTold, ShutOut, State, TooEarly, WhyMissing
from mailer.organisers.approvals import Changed, NotApproved, NotPublisher, OwnRequest
from mailer.organisers.desk_sessions import hash_of
from mailer.people.notices import NoticeKind
from mailer.store import audit
from mailer.store.db import utcnow
from mailer.store.models import (
    Account,
    Approval,
    AuditActor,
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    Invitation,
    InvitationKind,
    LoneNotice,
    LoneRequest,
    Purpose,
    Role,
)
from tests.support.accounts import make_account, make_publisher
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber, notices_owed, said

WHY = "The trial begins at six."


@pytest.fixture
def campaign(session: Session) -> Campaign:
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list)
    return make_campaign(session, mailing_list)


@pytest.fixture
def rosa(session: Session) -> Account:
    return make_publisher(session, "rosa")


def ask(session: Session, campaign: Campaign, by: Account, at: datetime | None = None) -> LoneRequest:
    return alone.ask(session, campaign, by, WHY, at=at or utcnow(), sender=SENDER)


def approve(session: Session, campaign: Campaign, by: Account, at: datetime | None = None) -> Approval:
    shown = content.of(session, campaign, SENDER).hash
    return alone.approve(session, campaign, by, shown, at=at or utcnow(), sender=SENDER)


def take(session: Session, at: datetime) -> None:
    """Have the mail server take what is owed."""
    owed = update(Delivery).where(Delivery.purpose == Purpose.NOTICE)
    session.execute(owed.values(state=DeliveryState.SENT, settled_at=at.replace(hour=0)))
    assert alone.is_any_untold(session)
    alone.keep_taken(session, at)
    assert not alone.is_any_untold(session)
    session.expire_all()


def state(session: Session, campaign: Campaign, at: datetime) -> State:
    now = alone.standing(session, campaign, at=at, sender=SENDER)
    assert now is not None
    return now.state


def test_a_quarter_of_an_hour_after_the_others_were_written_one_may_send_alone(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    at = datetime(2026, 5, 1, 23, 0, tzinfo=UTC)
    others = [make_publisher(session, name, since=at - timedelta(days=9)) for name in ("olga", "petra")]
    rosa.roles[0].granted_at = at - timedelta(days=10)
    make_account(session, "wanda@example.org", Role.WRITER)
    assert alone.standing(session, campaign, at=at, sender=SENDER) is None
    ask(session, campaign, rosa, at)
    assert {delivery.address for delivery in notices_owed(session)} == {other.email for other in others}
    for delivery in notices_owed(session):
        assert said(delivery).kind is NoticeKind.ALONE
        assert said(delivery).words == {"campaign": campaign.slug, "slug": campaign.slug, "who": "Rosa", "why": WHY}
    assert state(session, campaign, at + timedelta(hours=1)) is State.TELLING
    with pytest.raises(OthersNotTold, match="15 minutes after"):
        approve(session, campaign, rosa, at + timedelta(hours=1))
    taken = at + timedelta(minutes=3)
    take(session, taken)
    assert state(session, campaign, taken + timedelta(minutes=14)) is State.WAITING
    with pytest.raises(TooEarly, match="until 23:18 UTC"):
        approve(session, campaign, rosa, taken + timedelta(minutes=14))
    assert state(session, campaign, taken + alone.WAIT) is State.READY
    with pytest.raises(NotApproved):
        approvals.require(session, campaign, SENDER)
    approval = approve(session, campaign, rosa, taken + alone.WAIT)
    assert approve(session, campaign, rosa, taken + alone.WAIT) is approval
    assert state(session, campaign, taken + alone.WAIT) is State.SAID
    approvals.require(session, campaign, SENDER)


def test_the_only_publisher_waits_for_nobody(session: Session, campaign: Campaign, rosa: Account) -> None:
    ask(session, campaign, rosa)
    assert notices_owed(session) == []
    approve(session, campaign, rosa)
    control.start(session, campaign, SENDER)


def test_whoever_was_a_publisher_until_an_hour_ago_still_hears_of_it(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    other = make_publisher(session, "olga")
    other.roles[0].ended_at = utcnow() - timedelta(hours=1)
    session.flush()
    ask(session, campaign, rosa)
    assert [delivery.address for delivery in notices_owed(session)] == [other.email]


@pytest.mark.parametrize("how", ["role", "link", "password", "disabled"])
def test_who_has_shut_another_publisher_out_sends_nothing_alone_that_day(
    session: Session, campaign: Campaign, rosa: Account, how: str
) -> None:
    other, at = make_publisher(session, "olga"), utcnow()
    ask(session, campaign, rosa)
    take(session, at)
    if how == "role":
        accounts.revoke(session, other, Role.PUBLISHER, at)
    elif how == "link":  # by which they came in as her
        accounts.give_roles_anew(session, other, at)
    elif how == "password":  # which its owner does not know
        token = invitations.invite(session, other, InvitationKind.PASSWORD, by=rosa.id, at=at)
        session.scalars(select(Invitation).where(Invitation.token_hash == hash_of(token))).one().used_at = at
    else:
        accounts.disable(session, other, at)
    later = at + alone.WAIT + timedelta(minutes=1)
    who = audit.Who(AuditActor.ACCOUNT, rosa.id)
    audit.append(session, "accounts.change", who, kind="account", subject=other.id)
    with pytest.raises(ShutOut):
        approve(session, campaign, rosa, later)
    with pytest.raises(ShutOut):
        ask(session, campaign, rosa, later)
    assert approve(session, campaign, rosa, at + timedelta(hours=25)).by_id == rosa.id


def test_whom_somebody_else_has_shut_out_need_not_be_waited_for(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    other, at = make_publisher(session, "olga"), utcnow()
    ask(session, campaign, rosa)
    take(session, at)
    accounts.disable(session, other, at)
    assert approve(session, campaign, rosa, at + alone.WAIT + timedelta(minutes=1)).by_id == rosa.id


def test_another_publisher_can_still_be_the_second_person(session: Session, campaign: Campaign, rosa: Account) -> None:
    other = make_publisher(session, "olga")
    ask(session, campaign, rosa)
    shown = content.of(session, campaign, SENDER).hash
    assert len(approvals.waiting(session, SENDER)) == 1
    approvals.approve(session, campaign, other, shown, None, at=utcnow(), sender=SENDER)
    control.start(session, campaign, SENDER)


def test_after_an_objection_it_takes_a_second_person(session: Session, campaign: Campaign, rosa: Account) -> None:
    other, third = make_publisher(session, "olga"), make_publisher(session, "petra")
    ask(session, campaign, rosa)
    assert not control.object_to(session, campaign, rosa, reason="paused", at=utcnow()), "one's own is no objection"
    assert control.object_to(session, campaign, other, reason="paused", at=utcnow())
    assert campaign.status is CampaignStatus.DRAFT
    assert state(session, campaign, utcnow()) is State.OBJECTED
    take(session, utcnow())
    for act in (ask, approve):
        with pytest.raises(Objected):
            act(session, campaign, rosa, utcnow() + timedelta(hours=1))
    shown = content.of(session, campaign, SENDER).hash
    with pytest.raises(OwnRequest):
        approvals.approve(session, campaign, rosa, shown, None, at=utcnow(), sender=SENDER)
    approvals.approve(session, campaign, third, shown, None, at=utcnow(), sender=SENDER)
    control.start(session, campaign, SENDER)


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("is_plain_pause", [False, True])
def test_what_was_sent_alone_and_paused_by_another_goes_on_with_a_second_person_only(
    session: Session, campaign: Campaign, rosa: Account, is_begun: bool, is_plain_pause: bool
) -> None:
    other = make_publisher(session, "olga")
    ask(session, campaign, rosa)
    take(session, utcnow() - timedelta(hours=1))
    approve(session, campaign, rosa)
    if is_begun:
        control.start(session, campaign, SENDER)
    else:
        control.schedule(session, campaign, utcnow() + timedelta(hours=1), SENDER)
    if is_plain_pause:
        control.pause(session, campaign, reason="paused", account_id=other.id)
    else:
        control.object_to(session, campaign, other, reason="paused", at=utcnow())
    assert len(approvals.waiting(session, SENDER)) == 1, "a second person finds it among what waits"
    assert campaign.status is CampaignStatus.PAUSED
    session.commit()
    with pytest.raises(NotApproved):
        control.resume(session, campaign, SENDER)
    session.rollback()
    with pytest.raises(Objected):
        approve(session, campaign, rosa)
    shown = content.of(session, campaign, SENDER).hash
    approvals.approve(session, campaign, other, shown, None, at=utcnow(), sender=SENDER)
    control.resume(session, campaign, SENDER)
    assert campaign.status is (CampaignStatus.SENDING if is_begun else CampaignStatus.SCHEDULED)


def test_who_takes_back_what_they_asked_for_does_not_hide_that_they_sent_it_alone(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    other = make_publisher(session, "olga")
    ask(session, campaign, rosa)
    take(session, utcnow() - timedelta(hours=1))
    approve(session, campaign, rosa)
    control.start(session, campaign, SENDER)
    control.pause(session, campaign, reason="paused", account_id=other.id)
    waits = approvals.standing(session, campaign, SENDER).request
    assert waits is not None
    who = audit.Who(AuditActor.ACCOUNT, rosa.id)
    requests.take_back(session, campaign, rosa, request_id=waits.id, at=utcnow(), who=who)
    assert waits.taken_back_at is not None and state(session, campaign, utcnow()) is State.OBJECTED


def test_ones_own_pause_asks_for_nobody(session: Session, campaign: Campaign, rosa: Account) -> None:
    ask(session, campaign, rosa)
    approve(session, campaign, rosa)
    control.start(session, campaign, SENDER)
    control.pause(session, campaign, reason="paused", account_id=rosa.id)
    control.resume(session, campaign, SENDER)


def test_a_pause_of_what_two_people_approved_asks_for_nobody(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    other, third = make_publisher(session, "olga"), make_publisher(session, "petra")
    ask(session, campaign, rosa)
    shown = content.of(session, campaign, SENDER).hash
    approvals.approve(session, campaign, other, shown, None, at=utcnow(), sender=SENDER)
    control.start(session, campaign, SENDER)
    control.pause(session, campaign, reason="paused", account_id=third.id)
    control.resume(session, campaign, SENDER)


def test_the_others_hear_of_what_is_sent_and_of_nothing_else(
    session: Session, campaign: Campaign, rosa: Account
) -> None:
    make_publisher(session, "olga")
    ask(session, campaign, rosa)
    ask(session, campaign, rosa)
    assert session.scalars(select(LoneNotice)).all()[1:] == [], "a second press writes to nobody again"
    take(session, utcnow() - timedelta(hours=1))
    before = content.of(session, campaign, SENDER).hash
    campaign.texts[0].body = "Other words.\n"
    session.flush()
    assert state(session, campaign, utcnow()) is State.CHANGED
    with pytest.raises(Changed):
        alone.approve(session, campaign, rosa, before, at=utcnow(), sender=SENDER)
    with pytest.raises(NotAsked):
        approve(session, campaign, rosa)


def test_whoever_counts_as_a_publisher_since_is_told_too(session: Session, campaign: Campaign, rosa: Account) -> None:
    ask(session, campaign, rosa)
    make_publisher(session, "olga")
    with pytest.raises(OthersNotTold):
        approve(session, campaign, rosa)
    ask(session, campaign, rosa)
    assert len(notices_owed(session)) == 1


def test_only_a_publisher_sends_alone_and_says_why(session: Session, campaign: Campaign, rosa: Account) -> None:
    writer = make_account(session, "wanda@example.org", Role.WRITER)
    with pytest.raises(NotPublisher):
        ask(session, campaign, writer)
    with pytest.raises(NotPublisher):
        ask(session, campaign, make_publisher(session, "nina", since=utcnow()))
    with pytest.raises(WhyMissing):
        alone.ask(session, campaign, rosa, " ", at=utcnow(), sender=SENDER)
