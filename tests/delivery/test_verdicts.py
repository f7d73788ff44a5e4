"""What a server's answer means for the delivery, the address and the campaign."""

from datetime import UTC, datetime, timedelta

import pytest

from mailer.delivery.ledger import Claimed
from mailer.delivery.verdicts import MOST_ATTEMPTS, PolicyWatch, settlement
from mailer.mail.types import Outcome, OutcomeKind, Stage
from mailer.store.models import DeliveryState, Purpose, Reason

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=2)


def outcome(kind: OutcomeKind, code: int = 0, text: str = "", stage: Stage = Stage.DOT) -> Outcome:
    return Outcome(1, kind, code, text, stage)


def claimed(attempts: int = 0, *, purpose: Purpose = Purpose.CAMPAIGN) -> Claimed:
    return Claimed(1, purpose, 7, None, "en", None, None, attempts)


SENT = outcome(OutcomeKind.SENT, 250, "2.0.0 ok")
POLICY = outcome(OutcomeKind.FAILED, 550, "5.7.1 looks like spam")


@pytest.mark.parametrize(("attempts", "minutes"), [(0, 1), (1, 5), (2, 15), (3, 30), (4, 60), (40, 60)])
def test_each_refusal_for_now_is_waited_out_longer(attempts: int, minutes: int) -> None:
    refusal = outcome(OutcomeKind.DEFERRED, 451, "4.7.1 greylisted", Stage.RCPT)
    found = settlement(refusal, claimed(attempts), now=NOW, give_up_at=LATER)
    assert found.state is DeliveryState.DEFERRED
    assert found.not_before is not None
    assert timedelta(minutes=minutes * 0.8) <= found.not_before - NOW <= timedelta(minutes=minutes * 1.2)


def test_no_retry_is_planned_after_the_deadline() -> None:
    refusal = outcome(OutcomeKind.DEFERRED, 451, "4.7.1 greylisted")
    found = settlement(refusal, claimed(2), now=NOW, give_up_at=NOW + timedelta(minutes=5))
    assert (found.state, found.reason, found.not_before) == (DeliveryState.FAILED, Reason.GAVE_UP, None)


def test_what_was_never_started_is_given_up_after_about_two_days_of_attempts() -> None:
    refusal = outcome(OutcomeKind.DEFERRED, 451, "4.7.1 greylisted")
    now, attempts = NOW, 0
    while True:
        found = settlement(refusal, claimed(attempts), now=now, give_up_at=now + timedelta(days=2))
        if found.not_before is None:
            break
        now, attempts = found.not_before, attempts + 1
    assert (found.state, found.reason, attempts) == (DeliveryState.FAILED, Reason.GAVE_UP, MOST_ATTEMPTS)
    assert timedelta(hours=38) < now - NOW < timedelta(hours=58)


@pytest.mark.parametrize(
    ("text", "stage", "suppresses"),
    [
        ("5.1.1 no such user", Stage.RCPT, True),
        ("5.1.2 no such domain", Stage.RCPT, True),
        ("5.1.6 moved", Stage.RCPT, True),
        ("5.1.10 null MX", Stage.RCPT, True),
        ("5.1.1 no such user", Stage.DOT, False),  # could be about anyone
        ("5.1.8 bad sender", Stage.RCPT, False),
        ("5.1.11 something new", Stage.RCPT, False),
        ("5.2.2 mailbox full", Stage.RCPT, False),
        ("5.7.1 not you", Stage.RCPT, False),
        ("no code at all", Stage.RCPT, False),
    ],
)
def test_only_an_address_that_does_not_exist_is_suppressed(text: str, stage: Stage, suppresses: bool) -> None:
    refusal = outcome(OutcomeKind.FAILED, 550, text, stage)
    assert settlement(refusal, claimed(), now=NOW, give_up_at=LATER).suppress is suppresses


def test_what_a_server_says_when_it_takes_a_mail_is_kept_only_where_somebody_looks_for_it() -> None:
    words = {
        purpose: settlement(SENT, claimed(purpose=purpose), now=NOW, give_up_at=LATER).smtp_text for purpose in Purpose
    }
    assert words == {Purpose.CAMPAIGN: None, Purpose.TEST: "2.0.0 ok", Purpose.NOTICE: "2.0.0 ok"}
    assert settlement(POLICY, claimed(), now=NOW, give_up_at=LATER).smtp_text == "5.7.1 looks like spam"


def test_twenty_policy_refusals_in_a_row_pause_the_campaign() -> None:
    watch = PolicyWatch()
    assert [watch.note(POLICY) for _ in range(19)] == [None] * 19
    assert watch.note(SENT) is None
    assert [watch.note(POLICY) for _ in range(19)] == [None] * 19
    assert watch.note(POLICY) == "the mail server refuses our mail: 550 5.7.1 looks like spam"


def test_the_reason_for_a_pause_names_nobody() -> None:
    watch = PolicyWatch()
    refusal = outcome(OutcomeKind.FAILED, 550, "5.7.1 <ana@example.org>: spam")
    reasons = [watch.note(refusal) for _ in range(20)]
    assert reasons[-1] == "the mail server refuses our mail: 550 5.7.1 <[address]>: spam"


def test_more_than_one_policy_refusal_in_twenty_pauses_the_campaign() -> None:
    watch = PolicyWatch()
    answers = [POLICY if number % 18 == 0 else SENT for number in range(600)]
    assert any(watch.note(answer) for answer in answers)


def test_what_was_answered_before_counts_too() -> None:
    watch = PolicyWatch([False] * 475 + [True] * 25)
    assert watch.note(SENT) is None  # a refusal leaves the window no earlier than it came
    assert watch.note(POLICY) is not None
    assert PolicyWatch([True] * 19).note(POLICY) is not None


def test_a_policy_refusal_is_kept_as_one() -> None:
    refused = settlement(POLICY, claimed(), now=NOW, give_up_at=LATER)
    assert (refused.state, refused.reason, refused.suppress) == (DeliveryState.FAILED, Reason.POLICY, False)


def test_fewer_do_not() -> None:
    watch = PolicyWatch()
    answers = [POLICY if number % 25 == 0 else SENT for number in range(2000)]
    assert not any(watch.note(answer) for answer in answers)


def test_refusals_of_addresses_are_no_policy() -> None:
    watch = PolicyWatch()
    gone = outcome(OutcomeKind.FAILED, 550, "5.1.1 no such user", Stage.RCPT)
    assert not any(watch.note(gone) for _ in range(600))
