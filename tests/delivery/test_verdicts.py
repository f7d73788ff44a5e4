"""What a server's answer means for the delivery, the address and the campaign."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from mailer.delivery import blame
from mailer.delivery.ledger import Claimed
from mailer.delivery.verdicts import MOST_ATTEMPTS, Answer, RefusalWatch, Ruling, give_up_at, settlement
from mailer.mail.feedback import meanings
from mailer.mail.feedback.types import Category
from mailer.mail.types import Outcome, OutcomeKind, Stage
from mailer.store.models import Campaign, DeliveryState, Purpose, Reason

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=2)


def outcome(kind: OutcomeKind, code: int = 0, text: str = "", stage: Stage = Stage.DOT) -> Outcome:
    return Outcome(1, kind, code, text, stage)


def claimed(attempts: int = 0, *, put_back: int = 0, purpose: Purpose = Purpose.CAMPAIGN) -> Claimed:
    return Claimed(1, purpose, 7, None, "en", None, None, attempts, put_back)


NEW = claimed()
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


@pytest.mark.parametrize(
    ("started", "resumed", "deadline", "hours"),
    [
        (0, None, None, 48),
        (0, 30, None, 78),
        (30, 0, None, 78),  # paused and resumed before it began
        (0, 30, 60, 60),
        (None, None, 5, 5),
    ],
)
def test_retries_end_two_days_after_somebody_last_had_a_campaign_go_on_or_at_its_deadline(
    started: int | None, resumed: int | None, deadline: int | None, hours: int
) -> None:
    def at(hour: int | None) -> datetime | None:
        return None if hour is None else NOW + timedelta(hours=hour)

    campaign = Campaign(started_at=at(started), resumed_at=at(resumed), deadline=at(deadline))
    assert give_up_at(campaign) == at(hours)


@pytest.mark.parametrize("attempts", [MOST_ATTEMPTS, MOST_ATTEMPTS + 1, 1000])
def test_what_belongs_to_a_campaign_is_tried_until_retries_end_however_often_it_was_tried(attempts: int) -> None:
    refusal = outcome(OutcomeKind.DEFERRED, 451, "4.7.1 greylisted")
    assert settlement(refusal, claimed(attempts), now=NOW, give_up_at=LATER).state is DeliveryState.DEFERRED


@pytest.mark.parametrize("purpose", [Purpose.TEST, Purpose.NOTICE])
def test_what_was_never_started_is_given_up_after_about_two_days_of_attempts(purpose: Purpose) -> None:
    refusal = outcome(OutcomeKind.DEFERRED, 451, "4.7.1 greylisted")
    now, attempts = NOW, 0
    while True:
        mail = claimed(attempts, purpose=purpose)
        found = settlement(refusal, mail, now=now, give_up_at=now + timedelta(days=2))
        if found.not_before is None:
            break
        now, attempts = found.not_before, attempts + 1
    assert (found.state, found.reason, attempts) == (DeliveryState.FAILED, Reason.GAVE_UP, MOST_ATTEMPTS)
    assert timedelta(hours=38) < now - NOW < timedelta(hours=58)


@pytest.mark.parametrize(
    ("text", "stage", "refused"),
    [
        ("5.1.1 no such user", Stage.RCPT, Category.NO_MAILBOX),
        ("5.1.6 moved", Stage.RCPT, Category.NO_MAILBOX),
        ("5.1.10 nobody", Stage.RCPT, Category.NO_MAILBOX),
        ("User unknown", Stage.RCPT, Category.NO_MAILBOX),
        ("5.1.2 no such domain", Stage.RCPT, Category.NO_DOMAIN),
        ("5.1.10 null MX", Stage.RCPT, Category.NO_DOMAIN),
        ("5.2.2 mailbox full", Stage.RCPT, Category.FULL),
        ("5.2.1 mailbox disabled", Stage.RCPT, Category.DISABLED),
        ("5.1.11 something new", Stage.RCPT, Category.UNDETERMINED),
        ("no code at all", Stage.RCPT, Category.UNDETERMINED),
        ("5.1.1 no such user", Stage.DOT, None),  # could be about anyone
        ("5.2.2 mailbox full", Stage.DOT, None),
        ("5.1.1 too many messages to this recipient at this rate", Stage.RCPT, None),
        ("5.1.8 bad sender", Stage.RCPT, None),
        ("5.7.1 not you", Stage.RCPT, None),
        ("5.3.4 message too big", Stage.RCPT, None),
    ],
)
def test_what_a_server_has_against_an_address_is_told_by_the_table_of_what_comes_back(
    text: str, stage: Stage, refused: Category | None
) -> None:
    refusal = outcome(OutcomeKind.FAILED, 550, text, stage)
    assert settlement(refusal, claimed(), now=NOW, give_up_at=LATER).refused is refused
    if refused is not None:
        assert meanings.of_reply(550, text).category is refused


def test_what_was_refused_for_now_is_held_against_an_address_only_once_it_is_given_up() -> None:
    refusal = outcome(OutcomeKind.DEFERRED, 452, "4.2.2 mailbox full", Stage.RCPT)
    assert settlement(refusal, claimed(), now=NOW, give_up_at=LATER).refused is None
    assert settlement(refusal, claimed(), now=NOW, give_up_at=NOW).refused is Category.FULL
    gone = outcome(OutcomeKind.DEFERRED, 450, "4.1.1 user unknown", Stage.RCPT)
    assert settlement(gone, claimed(), now=NOW, give_up_at=NOW).refused is Category.TEMPORARY


def test_what_a_server_says_when_it_takes_a_mail_is_kept_only_where_somebody_looks_for_it() -> None:
    words = {
        purpose: settlement(SENT, claimed(purpose=purpose), now=NOW, give_up_at=LATER).smtp_text for purpose in Purpose
    }
    others = dict.fromkeys((Purpose.TEST, Purpose.NOTICE), "2.0.0 ok")
    assert words == {Purpose.CAMPAIGN: None, Purpose.REPLY: "2.0.0", **others}
    assert settlement(POLICY, claimed(), now=NOW, give_up_at=LATER).smtp_text == "5.7.1 looks like spam"


def judge(watch: RefusalWatch, answer: Outcome, mail: Claimed = NEW, *, give_up_at: datetime = LATER) -> Ruling:
    return watch.judge(answer, mail, now=NOW, give_up_at=give_up_at)


def reasons(watch: RefusalWatch, answers: Iterable[Outcome], mail: Claimed = NEW) -> list[str | None]:
    """Why the campaign must be paused, after each answer."""
    return [judge(watch, answer, mail).pause_because for answer in answers]


# --- what seems to be about us ----------------------------------------------------------------------------------------


def test_twenty_policy_refusals_in_a_row_pause_the_campaign() -> None:
    watch = RefusalWatch()
    assert not any(reasons(watch, [POLICY] * 19))
    assert not any(reasons(watch, [SENT]))
    assert not any(reasons(watch, [POLICY] * 19))
    assert reasons(watch, [POLICY]) == ["the mail server refuses our mail: 550 5.7.1 looks like spam"]


def test_policy_refusals_are_counted_together_whatever_their_words() -> None:
    answers = [outcome(OutcomeKind.FAILED, 550, f"5.7.{number} {'no' * number}") for number in range(1, 21)]
    assert [reason is not None for reason in reasons(RefusalWatch(), answers)] == [False] * 19 + [True]


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
def test_any_answer_twenty_times_in_a_row_in_the_same_words_pauses_the_campaign(stage: Stage) -> None:
    watch = RefusalWatch()
    answers = [
        outcome(OutcomeKind.FAILED, 554, f"<p{number}@example.net>: no, said host{number} of {number:x}F3", stage)
        for number in range(20)
    ]
    assert not any(reasons(watch, answers[:19]))
    assert reasons(watch, answers[19:]) == [
        "the mail server refuses our mail: 554 <[address]>: no, said host19 of 13F3",
    ]


def test_different_words_are_no_row_and_a_mail_that_is_taken_ends_one() -> None:
    words = [outcome(OutcomeKind.FAILED, 550, f"no {chr(97 + number)}") for number in range(20)]
    assert not any(reasons(RefusalWatch(), words))
    same = outcome(OutcomeKind.FAILED, 550, "no")
    assert not any(reasons(RefusalWatch(), ([same] * 19 + [SENT]) * 20))


def test_most_of_the_last_answers_in_the_same_words_pause_the_campaign() -> None:
    same = outcome(OutcomeKind.FAILED, 550, "no")
    found = reasons(RefusalWatch(), ([same, SENT, same] * 200))
    assert not any(found[:499])
    assert found[499] is None  # whoever asks is accepted
    assert any(found)
    assert not any(reasons(RefusalWatch(), ([same, SENT] * 1000)))


def test_the_reason_for_a_pause_names_nobody() -> None:
    refusal = outcome(OutcomeKind.FAILED, 550, "5.7.1 <ana@example.org>: spam")
    found = reasons(RefusalWatch(), [refusal] * 20)
    assert found[-1] == "the mail server refuses our mail: 550 5.7.1 <[address]>: spam"


def test_more_than_one_policy_refusal_in_twenty_pauses_the_campaign() -> None:
    answers = [POLICY if number % 18 == 0 else SENT for number in range(600)]
    assert any(reasons(RefusalWatch(), answers))


def test_what_was_answered_before_counts_too() -> None:
    taken, refused = Answer(accepted=True), Answer(False, "policy", 0.05)
    watch = RefusalWatch([taken] * 475 + [refused] * 25)
    assert not any(reasons(watch, [SENT]))  # a refusal leaves the window no earlier than it came
    assert all(reasons(watch, [POLICY]))
    assert all(reasons(RefusalWatch([refused] * 19), [POLICY]))


def test_a_policy_refusal_is_kept_as_one() -> None:
    refused = settlement(POLICY, claimed(), now=NOW, give_up_at=LATER)
    assert (refused.state, refused.reason, refused.refused) == (DeliveryState.FAILED, Reason.POLICY, None)


def test_fewer_do_not() -> None:
    answers = [POLICY if number % 25 == 0 else SENT for number in range(2000)]
    assert not any(reasons(RefusalWatch(), answers))


def test_what_was_put_back_and_is_refused_again_does_not_pause_the_campaign_again() -> None:
    watch = RefusalWatch()
    answers = [POLICY if number % 10 == 0 else SENT for number in range(2000)]
    assert not any(reasons(watch, answers, claimed(put_back=1)))


@pytest.mark.parametrize("refusal", [POLICY, outcome(OutcomeKind.FAILED, 554, "unwanted")])
def test_what_was_only_put_off_before_counts_like_any_other(refusal: Outcome) -> None:
    assert any(reasons(RefusalWatch(), [refusal, refusal, SENT] * 200, claimed(3)))


@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.6", "5.1.10"])
def test_addresses_that_do_not_exist_are_no_reason_however_many_there_are(code: str) -> None:
    watch = RefusalWatch()
    gone = outcome(OutcomeKind.FAILED, 550, f"{code} nobody", Stage.RCPT)
    other = outcome(OutcomeKind.FAILED, 550, "no")
    assert not any(reasons(watch, [gone] * 600))
    assert any(reasons(watch, [other, gone] * 20))  # and they end no row of others


def test_a_lost_answer_ends_no_row() -> None:
    lost = outcome(OutcomeKind.UNKNOWN)
    assert any(reasons(RefusalWatch(), [POLICY, lost] * 20))


# --- what is about us -------------------------------------------------------------------------------------------------

QUOTA = outcome(OutcomeKind.FAILED, 550, "5.4.5 Daily user sending limit exceeded")
SENDER = outcome(OutcomeKind.FAILED, 553, "5.1.8 <p1@example.net>... no such domain: example.org", Stage.RCPT)
THROTTLED = outcome(OutcomeKind.DEFERRED, 454, "Throttling failure: Daily message quota exceeded")
AT_MAIL = outcome(OutcomeKind.DEFERRED, 452, "4.3.2 not now", Stage.MAIL)
RELAYING = outcome(OutcomeKind.DEFERRED, 454, "4.7.1 <[address]>: Relay access denied", Stage.RCPT)


@pytest.mark.parametrize("refusal", [QUOTA, SENDER])
def test_one_refusal_of_us_pauses_the_campaign_and_the_mail_waits(refusal: Outcome) -> None:
    ruling = judge(RefusalWatch(), refusal)
    assert ruling.fate.state is DeliveryState.PENDING
    assert ruling.fate.refused is None
    assert (ruling.pause_because or "").startswith(f"the mail server refuses our mail: {refusal.code} 5.")


def accepting() -> RefusalWatch:
    """Of a campaign of which the server has just taken a mail."""
    watch = RefusalWatch()
    judge(watch, SENT)
    return watch


def test_one_mail_of_which_a_server_goes_on_saying_so_holds_up_no_campaign() -> None:
    watch = accepting()
    ruling = judge(watch, QUOTA, claimed(put_back=1))
    assert (ruling.fate.state, ruling.pause_because) == (DeliveryState.DEFERRED, None)
    assert judge(watch, QUOTA).pause_because is not None
    others = [judge(watch, QUOTA, claimed(put_back=1)) for _ in range(20)]
    assert others[-1].pause_because is not None  # it is not this mail after all


def test_that_a_mail_was_put_off_for_another_reason_says_nothing_of_whom_a_refusal_of_us_is_about() -> None:
    ruling = judge(accepting(), QUOTA, claimed(5))
    assert (ruling.fate.state, ruling.pause_because is None) == (DeliveryState.PENDING, False)


@pytest.mark.parametrize("put_back", [1, 2, 3, 9])
def test_a_mail_of_which_a_server_says_so_until_retries_end_is_not_given_up_while_it_takes_others(
    put_back: int,
) -> None:
    ruling = judge(accepting(), QUOTA, claimed(2, put_back=put_back), give_up_at=NOW)
    assert ruling.fate.state is DeliveryState.PENDING
    assert ruling.pause_because is not None


def test_where_nothing_was_taken_since_it_was_resumed_the_campaign_pauses_again() -> None:
    ruling = judge(RefusalWatch(), QUOTA, claimed(3, put_back=2))
    assert ruling.fate.state is DeliveryState.PENDING
    assert ruling.pause_because is not None


@pytest.mark.parametrize("refusal", [QUOTA, SENDER, THROTTLED, RELAYING])
def test_what_was_put_back_three_times_for_what_we_are_is_tried_until_retries_end_and_fails_only_then(
    refusal: Outcome,
) -> None:
    watch, mail = RefusalWatch(accepted_at=NOW - timedelta(days=2)), claimed(3, put_back=3)
    ruling = judge(watch, refusal, mail)
    assert (ruling.fate.state, ruling.pause_because) == (DeliveryState.DEFERRED, None)
    ruling = judge(watch, refusal, mail, give_up_at=NOW)
    assert (ruling.fate.state, ruling.fate.reason) == (DeliveryState.FAILED, Reason.GAVE_UP)
    assert (ruling.fate.smtp_text, ruling.pause_because) == (refusal.text, None)


@pytest.mark.parametrize("refusal", [QUOTA, SENDER, THROTTLED, RELAYING])
def test_no_more_than_twenty_fail_in_that_way_before_the_campaign_pauses(refusal: Outcome) -> None:
    watch, mail = RefusalWatch(), claimed(3, put_back=3)
    rulings = [judge(watch, refusal, mail, give_up_at=NOW) for _ in range(20)]
    assert [ruling.pause_because is not None for ruling in rulings] == [False] * 19 + [True]


def test_a_refusal_at_mail_fails_nobody_however_often_it_was_put_back() -> None:
    ruling = judge(RefusalWatch(), AT_MAIL, claimed(60, put_back=9), give_up_at=NOW)
    assert ruling.fate.state is DeliveryState.PENDING
    assert ruling.pause_because is not None


@pytest.mark.parametrize("refusal", [POLICY, outcome(OutcomeKind.FAILED, 554, "unwanted")])
def test_what_was_put_back_three_times_fails_where_no_rule_knows_the_words_and_twenty_in_a_row_pause_the_campaign(
    refusal: Outcome,
) -> None:
    watch = RefusalWatch()
    rulings = [judge(watch, refusal, claimed(9, put_back=3)) for _ in range(20)]
    assert {ruling.fate.state for ruling in rulings} == {DeliveryState.FAILED}
    assert [ruling.pause_because is not None for ruling in rulings] == [False] * 19 + [True]


@pytest.mark.parametrize("refusal", [QUOTA, THROTTLED])
def test_where_no_mail_was_ever_accepted_a_refusal_of_us_pauses_the_campaign_however_often_it_was_put_back(
    refusal: Outcome,
) -> None:
    ruling = judge(RefusalWatch(nothing_accepted=True), refusal, claimed(9, put_back=9), give_up_at=NOW)
    assert ruling.fate.state is DeliveryState.PENDING
    assert ruling.pause_because is not None


def test_a_test_mail_fails_and_a_system_mail_is_tried_again_where_we_are_refused() -> None:
    def notice(attempts: int) -> Claimed:
        return claimed(attempts, purpose=Purpose.NOTICE)

    test = judge(RefusalWatch(), QUOTA, claimed(purpose=Purpose.TEST))
    assert (test.fate.state, test.fate.smtp_text) == (DeliveryState.FAILED, QUOTA.text)
    watch = RefusalWatch()
    notices = [judge(watch, QUOTA, notice(1)), judge(watch, SENT, notice(0))]
    notices += [judge(watch, QUOTA, notice(attempts)) for attempts in (0, 1)]
    assert [ruling.fate.state.value for ruling in notices] == ["deferred", "sent", "deferred", "deferred"]
    assert [ruling.pause_because is not None for ruling in notices] == [True, False, True, False]
    last = judge(RefusalWatch(), QUOTA, notice(MOST_ATTEMPTS))
    assert (last.fate.state, last.fate.reason) == (DeliveryState.FAILED, Reason.GAVE_UP)


@pytest.mark.parametrize("refusal", [THROTTLED, AT_MAIL, RELAYING])
@pytest.mark.parametrize("purpose", [Purpose.CAMPAIGN, Purpose.NOTICE])
def test_a_refusal_of_us_for_now_is_tried_again_however_often_and_twenty_in_a_row_leave_the_server_alone(
    refusal: Outcome, purpose: Purpose
) -> None:
    watch = RefusalWatch()
    rulings = [judge(watch, refusal, claimed(MOST_ATTEMPTS, purpose=purpose)) for _ in range(20)]
    assert {ruling.fate.state for ruling in rulings} == {DeliveryState.DEFERRED}
    assert not any(ruling.pause_because for ruling in rulings)
    assert [ruling.wait_because is not None for ruling in rulings] == [False] * 19 + [True]


def test_a_mail_that_is_taken_ends_the_row_of_refusals_for_now() -> None:
    watch = RefusalWatch()
    assert not any(judge(watch, answer).wait_because for answer in ([AT_MAIL] * 19 + [SENT]) * 3)


@pytest.mark.parametrize("refusal", [THROTTLED, AT_MAIL, RELAYING])
@pytest.mark.parametrize("watch", [RefusalWatch(), accepting()], ids=["nothing was accepted", "others were"])
def test_at_the_end_of_the_retries_a_refusal_of_us_for_now_pauses_the_campaign_and_fails_nobody(
    refusal: Outcome, watch: RefusalWatch
) -> None:
    ruling = judge(watch, refusal, claimed(2), give_up_at=NOW)
    assert ruling.fate.state is DeliveryState.PENDING
    assert ruling.pause_because == blame.reason_to_pause(refusal.code, refusal.text)


def test_greylisting_puts_everybody_off_in_the_same_words_and_is_no_reason() -> None:
    greylisted = outcome(OutcomeKind.DEFERRED, 450, "4.2.0 greylisted", Stage.RCPT)
    watch = RefusalWatch()
    rulings = [judge(watch, greylisted, claimed(attempts)) for attempts in range(3) for _ in range(600)]
    assert not any(ruling.pause_because or ruling.wait_because for ruling in rulings)


def test_what_is_given_up_in_the_same_words_is_a_reason_only_where_no_mail_was_ever_accepted() -> None:
    later = outcome(OutcomeKind.DEFERRED, 451, "4.2.2 later", Stage.RCPT)

    def given_up(watch: RefusalWatch) -> list[bool]:
        rulings = [judge(watch, later, claimed(9), give_up_at=NOW) for _ in range(20)]
        assert {ruling.fate.reason for ruling in rulings} == {Reason.GAVE_UP}
        return [ruling.pause_because is not None for ruling in rulings]

    assert given_up(RefusalWatch()) == [False] * 20
    assert given_up(RefusalWatch(nothing_accepted=True)) == [False] * 19 + [True]
