"""A campaign goes out as a second person approved it, and whatever changes withdraws that."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import Move
from mailer.cases import target_book
from mailer.delivery import control
from mailer.organisers import approvals, content
from mailer.organisers.approvals import (
    Changed,
    NobodyAsked,
    NotApproved,
    NotPublisher,
    OwnChange,
    OwnRequest,
    State,
    TooLate,
)
from mailer.store import audit
from mailer.store.db import utcnow
from mailer.store.models import Account, Approval, ApprovalRequest, AuditActor, Campaign, Role
from tests.support.accounts import make_account, make_publisher
from tests.support.factories import SENDER, make_campaign, make_case, make_list
from tests.support.letters import put_target


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, make_list(session))


@pytest.fixture
def writer(session: Session) -> Account:
    return make_account(session, "wanda@example.org", Role.WRITER, name="Wanda")


@pytest.fixture
def publisher(session: Session) -> Account:
    return make_publisher(session, "petra")


def ask(session: Session, campaign: Campaign, by: Account, words: str | None = None) -> ApprovalRequest:
    return approvals.ask(session, campaign, by, words, at=utcnow(), sender=SENDER)


def approve(session: Session, campaign: Campaign, by: Account, shown: str | None = None) -> Approval:
    shown = shown or content.of(session, campaign, SENDER).hash
    return approvals.approve(session, campaign, by, shown, "Good.", at=utcnow(), sender=SENDER)


def change(session: Session, campaign: Campaign, body: str = "They are in danger: write.\n") -> None:
    campaign.texts[0].body = body
    session.flush()


def write_down(session: Session, by: Account, kind: str, subject: str | None, action: str = "campaigns.write") -> None:
    audit.append(session, action, audit.Who(AuditActor.ACCOUNT, by.id, "1"), kind=kind, subject=subject)


def state(session: Session, campaign: Campaign) -> State:
    return approvals.standing(session, campaign, SENDER).state


def test_where_nobody_has_an_account_nobody_is_asked(session: Session, campaign: Campaign) -> None:
    approvals.require(session, campaign, SENDER)
    assert state(session, campaign) is State.NOT_NEEDED


def test_somebody_asks_and_another_approves(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    with pytest.raises(NotApproved, match=r"is not approved\. Ask for approval at the desk"):
        approvals.require(session, campaign, SENDER)
    assert state(session, campaign) is State.NONE
    request = ask(session, campaign, writer, "The court sits on Monday.")
    assert approvals.waiting(session, SENDER) == [request]
    assert approvals.standing(session, campaign, SENDER).request is request
    with pytest.raises(NotApproved):
        approvals.require(session, campaign, SENDER)
    approval = approve(session, campaign, publisher)
    assert (approval.by, approval.words, approval.request_id) == (publisher, "Good.", request.id)
    approvals.require(session, campaign, SENDER)
    now = approvals.standing(session, campaign, SENDER)
    assert (now.state, now.approval) == (State.APPROVED, approval)
    assert approvals.waiting(session, SENDER) == []


def test_any_change_withdraws_approval_and_the_way_back_gives_it_again(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    was = campaign.texts[0].body
    ask(session, campaign, writer)
    approve(session, campaign, publisher)
    change(session, campaign)
    with pytest.raises(NotApproved, match=r"has changed since it was approved \(text en: body\)"):
        approvals.require(session, campaign, SENDER)
    now = approvals.standing(session, campaign, SENDER)
    assert now.state is State.LAPSED
    assert [(each.part, each.before) for each in now.differences] == [("text en: body", was)]
    assert approvals.is_lapsed(session, campaign, SENDER)
    request = ask(session, campaign, writer)
    assert state(session, campaign) is State.WAITING
    assert approvals.waiting(session, SENDER) == [request]
    change(session, campaign, was)
    approvals.require(session, campaign, SENDER)
    assert approvals.waiting(session, SENDER) == [], "what was asked about is not what it is now"


def test_a_changed_target_of_the_book_withdraws_approval(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    campaign.ask, campaign.about = ["embassy"], "BR"
    target = put_target(session)
    ask(session, campaign, writer)
    approve(session, campaign, publisher)
    put_target(session, target.slug, email="moved@example.org")
    with pytest.raises(NotApproved, match="target embassy-de"):
        approvals.require(session, campaign, SENDER)
    put_target(session, target.slug)
    target_book.verify(session, target.slug, "Ana")
    approvals.require(session, campaign, SENDER)


def test_an_approval_is_of_what_was_shown(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    ask(session, campaign, writer)
    shown = content.of(session, campaign, SENDER).hash
    change(session, campaign)
    ask(session, campaign, writer)
    with pytest.raises(Changed, match=r"text en: body") as refused:
        approve(session, campaign, publisher, shown)
    assert [each.part for each in refused.value.differences] == ["text en: body"]
    with pytest.raises(Changed, match="nobody knows what it showed"):
        approve(session, campaign, publisher, "0" * 64)
    with pytest.raises(NotApproved):
        approvals.require(session, campaign, SENDER)


def test_a_second_press_approves_nothing_more(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    assert ask(session, campaign, writer) is ask(session, campaign, publisher), "the first request stands"
    first = approve(session, campaign, publisher)
    assert approve(session, campaign, publisher) is first


def test_only_a_publisher_approves(session: Session, campaign: Campaign, writer: Account, publisher: Account) -> None:
    ask(session, campaign, publisher)
    with pytest.raises(NotPublisher):
        approve(session, campaign, writer)
    newcomer = make_publisher(session, "nina", since=utcnow())
    with pytest.raises(NotPublisher, match="a day later"):
        approve(session, campaign, newcomer)
    approve(session, campaign, make_publisher(session, "olga"))


def test_two_people_say_yes(session: Session, campaign: Campaign, publisher: Account) -> None:
    with pytest.raises(NobodyAsked):
        approve(session, campaign, publisher)
    ask(session, campaign, publisher)
    with pytest.raises(OwnRequest):
        approve(session, campaign, publisher)


@pytest.mark.parametrize("kind", ["campaign", "case", "target", "list"])
def test_nobody_approves_what_they_have_changed(
    session: Session, campaign: Campaign, writer: Account, publisher: Account, kind: str
) -> None:
    campaign.case, campaign.about, campaign.ask = make_case(session), "BR", ["embassy"]
    put_target(session)
    subjects = {"campaign": campaign.slug, "case": "leila", "target": "embassy-de", "list": "urgent-actions"}
    write_down(session, publisher, kind, subjects[kind], f"{kind}s.whatever")
    ask(session, campaign, writer)
    with pytest.raises(OwnChange):
        approve(session, campaign, publisher)
    other = make_publisher(session, "olga")
    write_down(session, other, kind, "another", f"{kind}s.whatever")
    write_down(session, other, "campaign", campaign.slug, "campaigns.test")
    approve(session, campaign, other)
    change(session, campaign)
    ask(session, campaign, writer)
    approve(session, campaign, publisher)  # theirs was approved before


def test_whoever_brought_a_whole_file_of_targets_in_has_changed_them_all(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    ask(session, campaign, writer)
    audit.append(session, "targets.import", audit.Who(AuditActor.ACCOUNT, publisher.id, "1"))
    with pytest.raises(OwnChange):
        approve(session, campaign, publisher)


def test_what_the_command_line_loaded_is_nobodys_change(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    audit.append(session, "campaigns.load", audit.COMMAND_LINE, kind="campaign", subject=campaign.slug)
    ask(session, campaign, writer)
    approve(session, campaign, publisher)


def test_what_has_begun_is_not_approved_any_more(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    ask(session, campaign, writer)
    lifecycle.move(session, campaign, Move.START, started_at=utcnow())
    with pytest.raises(TooLate, match="is sending"):
        approve(session, campaign, publisher)
    with pytest.raises(TooLate):
        ask(session, campaign, writer)
    assert approvals.waiting(session, SENDER) == []


def test_an_operator_says_yes_whoever_changed_it(session: Session, campaign: Campaign, writer: Account) -> None:
    approvals.approve_by_command(session, campaign, "The desk is down.", at=utcnow(), sender=SENDER)
    approvals.require(session, campaign, SENDER)
    approval = approvals.standing(session, campaign, SENDER).approval
    assert approval is not None
    assert (approval.by, approval.words) == (None, "The desk is down.")
    change(session, campaign)
    with pytest.raises(NotApproved):
        approvals.require(session, campaign, SENDER)


def test_a_draft_is_deleted_with_its_approvals(
    session: Session, campaign: Campaign, writer: Account, publisher: Account
) -> None:
    ask(session, campaign, writer)
    approve(session, campaign, publisher)
    control.delete(session, campaign)
    assert session.query(Approval).count() == 0
