"""What a mail server's answer means: for the address, for us, or nothing."""

from importlib import import_module
from typing import Any

import pytest

from mailer.mail.feedback.meanings import judge, of_reply, plain, status_in
from mailer.mail.feedback.rules import RULES, Rule
from mailer.mail.feedback.types import Category, Effect

C = Category
_sre, _parser = import_module("re._constants"), import_module("re._parser")  # no types are known of them


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.category}: {rule.example}")
def test_each_rule_is_the_first_that_fits_its_example_and_decides(rule: Rule) -> None:
    text = plain(rule.example)
    status = status_in(text) or ""
    assert next(known for known in RULES if known.fits(text, status)) is rule
    assert judge(rule.example).category is rule.category


@pytest.mark.parametrize(
    ("reply", "category"),
    [
        # words against the code
        ("550 5.1.1 refused, 192.0.2.7 is on a blocklist", C.POLICY),
        ("550 5.1.1 we took your mail for spam", C.CONTENT),
        ("550 5.1.1 this person gets too many mails from you", C.RATE),
        ("550 5.1.3 no reverse DNS for your host", C.AUTH),
        ("550 5.2.1 mail comes at a rate that we do not allow", C.RATE),
        ("550 5.7.1 ana is an unknown user", C.UNDETERMINED),
        ("550 5.1.1 the domain of the sender does not exist", C.US),
        ("553 5.7.1 sender address rejected: unknown user", C.US),
        ("550 your domain does not exist", C.US),
        ("550 not from there (in reply to MAIL FROM command)", C.US),
        ("550 5.1.1 account disabled", C.DISABLED),
        ("550 5.1.1 user unknown, or the account is disabled", C.NO_MAILBOX),
        # codes alone
        ("550", C.UNDETERMINED),
        ("554 5.0.0", C.UNDETERMINED),
        ("550 5.1.0 no", C.UNDETERMINED),
        ("550 5.1.3 no", C.UNDETERMINED),
        ("550 5.1.1 no", C.NO_MAILBOX),
        ("550 5.1.6 no", C.NO_MAILBOX),
        ("550 5.1.10 no", C.NO_MAILBOX),
        ("550 5.1.2 no", C.NO_DOMAIN),
        ("556 no", C.NO_DOMAIN),
        ("550 5.1.20 no", C.UNDETERMINED),
        ("550 5.7.27 no", C.US),
        ("550 5.2.1 no", C.DISABLED),
        ("550 5.2.2 no", C.FULL),
        ("550 5.3.4 no", C.SIZE),
        ("550 5.6.0 no", C.CONTENT),
        ("550 5.7.1 no", C.POLICY),
        ("550 5.7.26 no", C.AUTH),
        ("501 5.1.8 no", C.US),
        ("451 no", C.TEMPORARY),
        # never at once, nor for good
        ("450 4.1.1 user unknown", C.TEMPORARY),
        ("450 5.1.1 user unknown", C.TEMPORARY),
        ("550 4.1.1 user unknown", C.TEMPORARY),
        ("450 mailbox unavailable", C.TEMPORARY),
        ("host name lookup: example.net not found, try again", C.TEMPORARY),
        # whether words say something by themselves
        ("550 mailbox unavailable", C.NO_MAILBOX),
        ("550 5.2.2 mailbox unavailable", C.FULL),
        ("550 mailbox unavailable because of our policy", C.POLICY),
        ("550 5.4.1 Recipient address rejected: Access denied", C.NO_MAILBOX),
        ("554 5.7.1 Recipient address rejected: Access denied", C.POLICY),
        ("550 unrouteable address", C.NO_MAILBOX),
        ("unrouteable address", C.NO_DOMAIN),
        # addresses and pages have words in them that nobody said
        ("550 <no.such.user@example.net>: not today", C.UNDETERMINED),
        ("550 see https://example.net/user-unknown/spam", C.UNDETERMINED),
    ],
)
def test_words_count_for_more_than_codes_and_codes_for_more_than_nothing(reply: str, category: Category) -> None:
    assert judge(reply).category is category


def test_a_status_of_a_report_counts_less_than_the_code_in_the_reply() -> None:
    assert judge("550 5.7.1 no", status="5.1.1").category is C.POLICY
    assert judge("550 no", status="5.1.1").category is C.NO_MAILBOX
    assert judge("550 5.0.0 no", status="5.2.2").status == "5.2.2"
    assert judge("550 no", status="5.0.0").category is C.UNDETERMINED


def test_what_a_notice_says_counts_only_where_the_server_said_nothing() -> None:
    notice = "The address was not found."
    assert judge("550 we would rather not have this", notice=notice).category is C.UNDETERMINED
    assert judge("550 5.7.1 no", notice=notice).category is C.POLICY
    assert judge("550", notice=notice).category is C.NO_MAILBOX
    assert judge("", notice=notice).category is C.NO_MAILBOX


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("550 5.1.1 no", "5.1.1"),
        ("550-5.1.1 no", "5.1.1"),
        ("#5.1.1 smtp;550", "5.1.1"),
        ("no (#5.1.1)", "5.1.1"),
        ("it was 5.1.1.", "5.1.1"),
        ("550 5.0.0 smtp;550 5.7.54 no", "5.7.54"),
        ("554 from 5.1.1.2", None),
        ("a program of version 4.96.2", None),
        ("250 2.1.5 ok", None),
        ("v5.1.1", None),
    ],
)
def test_enhanced_codes_are_told_from_other_numbers(text: str, status: str | None) -> None:
    assert status_in(text) == status


def test_answers_at_send_time_mean_the_same_as_in_a_report() -> None:
    meaning = of_reply(550, "5.1.1 <ana@example.net>: nobody of that name")
    assert (meaning.category, meaning.status) == (C.NO_MAILBOX, "5.1.1")
    assert of_reply(0, "").category is C.UNDETERMINED


def test_only_a_missing_mailbox_suppresses_at_once_and_what_is_about_us_never_counts() -> None:
    assert [each for each in C if each.effect is Effect.SUPPRESS] == [C.NO_MAILBOX]
    assert [each for each in C if each.permanent] == [C.NO_MAILBOX, C.NO_DOMAIN]
    assert {each for each in C if each.effect is Effect.NONE} == {
        C.RATE,
        C.POLICY,
        C.CONTENT,
        C.AUTH,
        C.SIZE,
        C.RELAY,
        C.US,
    }


def _may_be_split_in_many_ways(pattern: Any) -> bool:
    """Whether a pattern repeats something that both begins and ends with a repetition: what stands there can belong to
    the one before or to the one behind, and each way is tried."""
    for name, found in pattern:
        if name in (_sre.MAX_REPEAT, _sre.MIN_REPEAT):
            _, most, body = found
            inner = _unpacked(body)
            ends = [part for part in (inner[:1] + inner[-1:]) if part[0] in (_sre.MAX_REPEAT, _sre.MIN_REPEAT)]
            if most > 1 and len(inner) > 1 and len(ends) == 2:
                return True
            parts = [body]
        elif name is _sre.SUBPATTERN:
            parts = [found[3]]
        else:
            parts = found[1] if name is _sre.BRANCH else []
        if any(map(_may_be_split_in_many_ways, parts)):
            return True
    return False


def _unpacked(pattern: Any) -> list[Any]:
    """The parts of a pattern, or of the only group that it is."""
    while len(pattern) == 1 and pattern[0][0] is _sre.SUBPATTERN:
        pattern = pattern[0][1][3]
    return list(pattern)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.category}: {rule.example}")
def test_no_rule_repeats_what_can_be_split_in_many_ways(rule: Rule) -> None:
    """A mail of a few hundred letters took 6 s so."""
    for words in (rule.words, rule.unless):
        assert not _may_be_split_in_many_ways(_parser.parse(words)), words
