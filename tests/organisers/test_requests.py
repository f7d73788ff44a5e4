"""What somebody asks approval for waits until it is approved, sent back by one who may approve it, or taken back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import Move
from mailer.organisers import alone, approvals, content, requests
from mailer.organisers.approvals import (
    AlreadyApproved,
    NobodyAsked,
    NotPublisher,
    OwnRequest,
    SentBack,
    SentBackSince,
    State,
    TakenBack,
    TooLate,
)
from mailer.organisers.requests import NotTheirs, Returned, WordsMissing
from mailer.people.notices import NoticeKind
from mailer.store.audit import Who
from mailer.store.db import utcnow
from mailer.store.models import Account, ApprovalRequest, AuditActor, AuditEntry, Campaign, Role
from tests.support.accounts import make_account, make_publisher
from tests.support.factories import SENDER, make_campaign, make_list, notices_owed, said


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, make_list(session))


@pytest.fixture
def wanda(session: Session) -> Account:
    return make_account(session, "wanda@example.org", Role.WRITER, name="Wanda")


@pytest.fixture
def petra(session: Session) -> Account:
    return make_publisher(session, "petra")


def who(account: Account) -> Who:
    return Who(AuditActor.ACCOUNT, account.id, "1")


def ask(session: Session, campaign: Campaign, by: Account) -> ApprovalRequest:
    return requests.make(session, campaign, by, None, at=utcnow(), sender=SENDER, who=who(by))


def send_back(session: Session, campaign: Campaign, by: Account, request: ApprovalRequest, **changes: Any) -> None:
    shown = content.of(session, campaign, SENDER).hash
    usual: dict[str, Any] = {"request_id": request.id, "shown": shown, "at": utcnow(), "sender": SENDER, "who": who(by)}
    requests.send_back(session, campaign, by, changes.pop("words", "The embassy has moved."), **(usual | changes))


def take_back(session: Session, campaign: Campaign, by: Account, request: ApprovalRequest) -> None:
    requests.take_back(session, campaign, by, request_id=request.id, at=utcnow(), who=who(by))


def approve(session: Session, campaign: Campaign, by: Account, seen: ApprovalRequest | None = None) -> None:
    shown = content.of(session, campaign, SENDER).hash
    request_id = seen.id if seen else None
    approvals.approve(session, campaign, by, shown, None, at=utcnow(), sender=SENDER, request_id=request_id)


def state(session: Session, campaign: Campaign) -> State:
    return approvals.standing(session, campaign, SENDER).state


def test_what_is_sent_back_waits_for_nobody_and_is_asked_for_again(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    first = ask(session, campaign, wanda)
    send_back(session, campaign, petra, first)
    assert approvals.waiting(session, SENDER) == []
    now = approvals.standing(session, campaign, SENDER)
    assert (now.state, now.sent_back, now.request) == (State.SENT_BACK, first, None)
    with pytest.raises(SentBack):
        approve(session, campaign, petra)
    second = ask(session, campaign, wanda)
    assert second is not first and approvals.waiting(session, SENDER) == [second]
    now = approvals.standing(session, campaign, SENDER)
    assert (now.state, now.sent_back) == (State.WAITING, first), "who approves reads what was said before"
    approve(session, campaign, petra)
    assert approvals.standing(session, campaign, SENDER).sent_back is None


def test_whoever_asked_is_told_once_that_somebody_said_yes(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    request, shown, at = ask(session, campaign, wanda), content.of(session, campaign, SENDER).hash, utcnow()

    def press(moment: datetime) -> None:
        told: dict[str, Any] = {"at": moment, "sender": SENDER, "who": who(petra)}
        requests.approve(session, campaign, petra, shown, None, request_id=request.id, **told)

    def told() -> list[str | None]:
        return [each.address for each in notices_owed(session) if said(each).kind is NoticeKind.APPROVED]

    press(at)
    assert told() == ["wanda@example.org"]
    press(at + timedelta(seconds=1))
    assert told() == ["wanda@example.org"]
    logged = session.scalars(select(AuditEntry).where(AuditEntry.action == "campaigns.approve")).all()
    assert [entry.account_id for entry in logged] == [petra.id]


def test_whoever_asked_and_has_no_account_any_more_is_told_nothing(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    request, shown = ask(session, campaign, wanda), content.of(session, campaign, SENDER).hash
    wanda.disabled_at = utcnow()
    session.flush()
    told: dict[str, Any] = {"at": utcnow(), "sender": SENDER, "who": who(petra)}
    requests.approve(session, campaign, petra, shown, None, request_id=request.id, **told)
    assert NoticeKind.APPROVED not in {said(each).kind for each in notices_owed(session)}


def test_who_asks_and_takes_it_back_again_and_again_writes_to_everybody_three_times_an_hour(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    for _ in range(3):
        take_back(session, campaign, wanda, ask(session, campaign, wanda))
    with pytest.raises(approvals.AskedTooOften):
        ask(session, campaign, wanda)
    later = utcnow() + timedelta(hours=1, minutes=1)
    asked = requests.make(session, campaign, wanda, None, at=later, sender=SENDER, who=who(wanda))
    assert ask(session, campaign, wanda) is asked


def test_words_stay_until_somebody_asks_again_also_when_it_was_changed(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    send_back(session, campaign, petra, ask(session, campaign, wanda))
    campaign.texts[0].body = "The embassy has moved: write.\n"
    session.flush()
    assert state(session, campaign) is State.SENT_BACK
    [told] = requests.sent_back_to(session, wanda.id)
    assert told == Returned(campaign.slug, "Petra", told.at, "The embassy has moved.")
    assert requests.sent_back_to(session, petra.id) == []
    ask(session, campaign, wanda)
    assert requests.sent_back_to(session, wanda.id) == []


def test_what_was_approved_or_has_begun_since_is_not_told_as_sent_back(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    send_back(session, campaign, petra, ask(session, campaign, wanda))
    approvals.approve_by_command(session, campaign, "The desk is down.", at=utcnow(), sender=SENDER)
    assert requests.sent_back_to(session, wanda.id) == []
    other = make_campaign(session, campaign.mailing_list, slug="another")
    send_back(session, other, petra, ask(session, other, wanda))
    lifecycle.move(session, other, Move.START, started_at=utcnow())
    assert requests.sent_back_to(session, wanda.id) == []


def test_what_has_begun_is_neither_sent_back_nor_taken_back(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    request = ask(session, campaign, wanda)
    lifecycle.move(session, campaign, Move.START, started_at=utcnow())
    with pytest.raises(TooLate):
        send_back(session, campaign, petra, request)
    with pytest.raises(TooLate):
        take_back(session, campaign, wanda, request)


def test_whoever_asked_is_written_unless_their_account_is_disabled(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    send_back(session, campaign, petra, ask(session, campaign, wanda))
    kinds = [(each.address, said(each).kind) for each in notices_owed(session)]
    assert kinds == [(petra.email, NoticeKind.WAITING), (wanda.email, NoticeKind.SENT_BACK)]
    request = ask(session, campaign, wanda)
    wanda.disabled_at = utcnow()
    send_back(session, campaign, petra, request)
    assert [said(each).kind for each in notices_owed(session)].count(NoticeKind.SENT_BACK) == 1


def test_sending_back_needs_what_approving_needs_and_words(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    request = ask(session, campaign, wanda)
    with pytest.raises(NotPublisher):
        send_back(session, campaign, wanda, request)
    with pytest.raises(WordsMissing):
        send_back(session, campaign, petra, request, words=" ")
    with pytest.raises(NobodyAsked):
        send_back(session, campaign, petra, request, request_id=request.id + 1)
    with pytest.raises(approvals.Changed):
        send_back(session, campaign, petra, request, shown="0" * 64)
    other = make_campaign(session, campaign.mailing_list, slug="another")
    with pytest.raises(NobodyAsked):
        send_back(session, other, petra, request)
    with pytest.raises(OwnRequest):
        send_back(session, other, petra, ask(session, other, petra))
    assert state(session, campaign) is State.WAITING


def test_a_second_press_or_another_answer_changes_nothing(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    olga, request = make_publisher(session, "olga"), ask(session, campaign, wanda)
    send_back(session, campaign, petra, request)
    send_back(session, campaign, petra, request, words="Something else.")
    with pytest.raises(SentBack):
        send_back(session, campaign, olga, request)
    with pytest.raises(SentBack):
        take_back(session, campaign, wanda, request)
    assert request.sent_back_words == "The embassy has moved."
    again = ask(session, campaign, wanda)
    approve(session, campaign, petra)
    with pytest.raises(AlreadyApproved):
        send_back(session, campaign, olga, again)
    with pytest.raises(AlreadyApproved):
        take_back(session, campaign, wanda, again)
    assert state(session, campaign) is State.APPROVED


def test_an_answer_to_what_it_was_says_nothing_about_what_it_is(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    before = ask(session, campaign, wanda)
    campaign.texts[0].body = "The embassy has moved: write.\n"
    session.flush()
    ask(session, campaign, wanda)
    with pytest.raises(NobodyAsked):
        send_back(session, campaign, petra, before)
    assert state(session, campaign) is State.WAITING


def test_whoever_asked_takes_it_back_and_nobody_else_does(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    request = ask(session, campaign, wanda)
    with pytest.raises(NotTheirs):
        take_back(session, campaign, petra, request)
    for _ in range(2):
        take_back(session, campaign, wanda, request)
    assert approvals.waiting(session, SENDER) == [] and state(session, campaign) is State.NONE
    with pytest.raises(TakenBack):
        approve(session, campaign, petra)
    with pytest.raises(TakenBack):
        send_back(session, campaign, petra, request)
    entries = session.query(AuditEntry).filter_by(action="campaigns.take_back").count()
    assert entries == 1
    ask(session, campaign, wanda)
    approve(session, campaign, petra)


def test_neither_sending_back_nor_taking_back_is_a_change_of_the_campaign(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    take_back(session, campaign, petra, ask(session, campaign, petra))
    send_back(session, campaign, petra, ask(session, campaign, wanda))
    ask(session, campaign, wanda)
    approve(session, campaign, petra)


def test_what_was_sent_back_is_not_sent_alone_as_it_is(session: Session, campaign: Campaign, petra: Account) -> None:
    olga = make_publisher(session, "olga")
    alone.ask(session, campaign, petra, "The trial begins at six.", at=utcnow(), sender=SENDER)
    [request] = approvals.waiting(session, SENDER)
    send_back(session, campaign, olga, request)
    now = alone.standing(session, campaign, at=utcnow(), sender=SENDER)
    assert now is not None and now.state is alone.State.OBJECTED
    with pytest.raises(alone.Objected):
        alone.ask(session, campaign, petra, "The trial begins at six.", at=utcnow(), sender=SENDER)
    other = make_campaign(session, campaign.mailing_list, slug="another")
    send_back(session, other, olga, ask(session, other, petra))
    with pytest.raises(alone.SentBack):
        alone.ask(session, other, petra, "The trial begins at six.", at=utcnow(), sender=SENDER)


def test_what_was_sent_back_is_not_sent_alone_either_once_it_is_asked_for_again_as_it_is(
    session: Session, campaign: Campaign, petra: Account
) -> None:
    olga = make_publisher(session, "olga")

    def is_for() -> bool:
        return alone.is_for(session, campaign, petra, content.of(session, campaign, SENDER))

    send_back(session, campaign, olga, ask(session, campaign, petra))
    again = ask(session, campaign, petra)
    assert again.sent_back_at is None and not is_for()
    with pytest.raises(alone.SentBack):
        alone.ask(session, campaign, petra, "The trial begins at six.", at=utcnow(), sender=SENDER)
    approve(session, campaign, olga)
    assert is_for(), "a second person has said yes since"
    campaign.texts[0].body = "The embassy has moved: write.\n"
    session.flush()
    alone.ask(session, campaign, petra, "The trial begins at six.", at=utcnow(), sender=SENDER)


def test_who_sends_back_what_they_wanted_to_send_alone_does_not_send_it_alone(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    request = ask(session, campaign, wanda)
    alone.ask(session, campaign, petra, "The trial begins at six.", at=utcnow(), sender=SENDER)
    send_back(session, campaign, petra, request)
    now = alone.standing(session, campaign, at=utcnow(), sender=SENDER)
    assert now is not None and now.state is alone.State.OBJECTED
    shown = content.of(session, campaign, SENDER).hash
    with pytest.raises(alone.SentBack):
        alone.approve(session, campaign, petra, shown, at=utcnow(), sender=SENDER)


def test_a_yes_from_before_somebody_sent_it_back_does_not_answer_who_asks_again(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    olga, first = make_publisher(session, "olga"), ask(session, campaign, wanda)
    send_back(session, campaign, olga, first)
    second = ask(session, campaign, wanda)
    with pytest.raises(SentBackSince):
        approve(session, campaign, petra, first)
    assert state(session, campaign) is State.WAITING
    approve(session, campaign, petra, second)
    for _ in range(2):
        approve(session, campaign, petra, first)  # a replay
    assert state(session, campaign) is State.APPROVED


def test_a_yes_from_before_whoever_asked_asked_anew_is_one_to_the_same(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    first = ask(session, campaign, wanda)
    take_back(session, campaign, wanda, first)
    ask(session, campaign, wanda)
    approve(session, campaign, petra, first)
    assert state(session, campaign) is State.APPROVED


def test_who_takes_it_back_and_wants_to_send_alone_again_tells_the_others_again(
    session: Session, campaign: Campaign, petra: Account
) -> None:
    make_publisher(session, "olga")
    for number in (1, 2):
        alone.ask(session, campaign, petra, "The trial begins at six.", at=utcnow(), sender=SENDER)
        assert len(notices_owed(session)) == number
        [request] = approvals.waiting(session, SENDER)
        take_back(session, campaign, petra, request)
        assert alone.standing(session, campaign, at=utcnow(), sender=SENDER) is None
        shown = content.of(session, campaign, SENDER).hash
        with pytest.raises(alone.NotAsked):
            alone.approve(session, campaign, petra, shown, at=utcnow(), sender=SENDER)


def test_sending_alone_is_for_those_who_cannot_be_the_second_person(
    session: Session, campaign: Campaign, wanda: Account, petra: Account
) -> None:
    def is_for() -> bool:
        return alone.is_for(session, campaign, petra, content.of(session, campaign, SENDER))

    assert is_for(), "nobody asks"
    request = ask(session, campaign, wanda)
    assert not is_for()
    take_back(session, campaign, wanda, request)
    ask(session, campaign, petra)
    assert is_for(), "they ask themselves"
