"""Whom a refusal is about, in the words of mail servers that people have."""

import pytest

from mailer.delivery import blame
from mailer.delivery.blame import RULES, Whom
from mailer.delivery.recipients import Recipient
from mailer.mail.smtp_replies import status_of
from mailer.mail.types import Stage
from mailer.store.models import Reason

MAIL, RCPT, DATA, DOT = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT
#: answers as servers give them, and whom they are about
ANSWERS = {
    Whom.US: [
        # our sender
        (553, "5.1.8 <ana@example.org>... Domain of sender address does not exist", RCPT),
        (550, "5.1.8 Access denied, bad outbound sender", DOT),
        (501, "5.1.7 Bad sender address syntax", RCPT),
        (450, "4.1.8 <a@example.org>: Sender address rejected: Domain not found", RCPT),
        (550, "5.7.1 who are you", MAIL),
        (451, "4.7.1 not now", MAIL),
        (452, "4.5.3 Too many messages", MAIL),
        (554, "5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", RCPT),
        (553, "5.7.1 <a@example.org>: Sender address rejected: not owned by user", RCPT),
        (450, "4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", RCPT),
        (450, "4.7.1 <mx.example.org>: Helo command rejected: Host not found", RCPT),
        (421, "Domain example.org is not allowed to send", DOT),
        (550, "Sender verify failed", RCPT),
        (554, "Message rejected: Email address is not verified. These failed the check: a@example.org", DOT),
        (554, "Message rejected: Sending paused for this account.", DOT),
        (550, "The from address does not match a verified Sender Identity.", DOT),
        (550, "You are not authorized to send from that email address", DOT),
        (554, "5.2.252 SendAsDenied; a@example.org not allowed to send as b@example.org", DOT),
        # our log-in, and relaying
        (530, "5.7.0 Authentication required", RCPT),
        (535, "5.7.8 no", RCPT),
        (503, "This mail server requires authentication when attempting to send to a non-local address", RCPT),
        (554, "5.7.1 <ana@example.org>: Relay access denied", RCPT),
        (454, "4.7.1 <ana@example.org>: Relay access denied", RCPT),
        (450, "4.7.1 <ana@example.org>... Relaying temporarily denied. Cannot resolve PTR record", RCPT),
        (550, "relay not permitted", RCPT),
        (550, "5.7.1 <ana@example.org>... Relaying denied. Proper authentication required.", RCPT),
        (513, "Relaying denied.", RCPT),
        (550, "5.7.1 Unable to relay", RCPT),
        (550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", RCPT),
        (550, "5.7.0 Mail relay denied [192.0.2.1].", RCPT),
        (550, "you are not permitted to relay through this server", RCPT),
        (554, "we don't relay", RCPT),
        (553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", RCPT),
        # our quota
        (550, "5.4.5 Daily user sending limit exceeded. a1-20020b - gsmtp", DOT),
        (550, "5.4.6 Unusual sending activity detected", DOT),
        (550, "5.1.90 Your message can't be sent", DOT),
        (550, "5.7.233 - Your message can't be sent because your tenant exceeded it", DOT),
        (454, "Throttling failure: Daily message quota exceeded", DOT),
        (454, "Throttling failure: Maximum sending rate exceeded", DOT),
        (450, "4.2.1 Peak SMTP relay limit exceeded for this customer.", RCPT),
        (450, "Requested mail action not taken: mailbox unavailable Mail send limit exceeded.", DOT),
        (554, "a1b2 : DED : You've reached your daily relay quota - 192.0.2.1", DOT),
        (552, "a1b2 Message would take you over your relay quota of 500", DOT),
        (554, "Daily quota exceeded", DOT),
        (550, "Domain example.org has exceeded the max emails per hour (3/2 (150%)) allowed. Message discarded.", RCPT),
        (550, "User a@example.org has exceeded its 24-hour sending limit. Messages to 1 recipients out of 1", RCPT),
        (554, "5.7.1 <DATA>: Data command rejected: limit of 400 rcpts per 24 hours reached", DATA),
        (554, "5.7.1 <ana@example.org>: Recipient address rejected: You have exceeded your Outmail quota.", RCPT),
        (450, "4.7.1 <ana@example.org>: Recipient address rejected: You have reached the limit of 50 per hour", RCPT),
        (450, "4.7.1 <ana@example.org>: Recipient address rejected: user a@example.org exceeded sending limit", RCPT),
        (550, "This account has exceeded its daily sending limit", RCPT),
        (554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", DOT),
        (550, "5.2.2 Submission quota exceeded", DOT),
        (550, "5.2.0 daily sending limit exceeded for your account", DOT),
        (452, "4.2.2 You have exceeded your daily sending quota", RCPT),
        (552, "5.2.2 Your account has reached its daily limit", DOT),
        (550, "5.2.1 Your outgoing quota is used up", DOT),
        (451, "Authentication failed: Maximum credits exceeded", DOT),
        (550, "Domain example.org has exceeded the max defers and failures per hour (5/5 (100%)) allowed.", RCPT),
    ],
    Whom.POLICY: [
        (550, "5.7.1 looks like spam", DOT),
        (550, "5.7.26 unauthenticated mail", DOT),
        (554, "#5.7.1 Your access to submit messages to this e-mail system has been rejected.", DOT),
        (554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using a list", RCPT),
        (550, "5.7.1 RESOLVER.RST.AuthRequired; authentication required", RCPT),
        (550, "5.7.1 You are not allowed to send mail to this group", RCPT),
    ],
    Whom.ADDRESS: [
        *((550, f"5.1.{number} nobody", RCPT) for number in (1, 2, 6, 10)),
        (550, "sorry, no mailbox here by that name. (#5.1.1)", RCPT),
        (550, "#5.1.1 User unknown", RCPT),
        (550, "Unrouteable address", RCPT),
        (550, "Unknown user", RCPT),
        (
            550,
            "5.1.1 <ana@example.org>: Recipient address rejected: undeliverable address: host mx.example.org "
            "said: 554 5.7.1 <ana@example.org>: Relay access denied (in reply to RCPT TO command)",
            RCPT,
        ),
        (0, "the mail server does not take international addresses (SMTPUTF8)", RCPT),
    ],
    Whom.NEITHER: [
        (550, "5.1.1 nobody", DOT),
        (550, "5.1.11 something new", RCPT),
        (550, "no thanks", DOT),
        (554, "", DOT),
        (554, "5.4.6 Too many hops", DOT),
        (554, "5.4.6 mail for ana@example.org loops back to myself", RCPT),
        (550, "Quota Exceeded", RCPT),
        (450, "this user has reached the maximum number of messages per day", RCPT),
        (450, "4.7.1 <ana@example.org>: Recipient address rejected: user has exceeded the daily limit", RCPT),
        (450, "4.7.1 <ana@example.org>: Recipient address rejected: The user has exceeded 500 messages per day", RCPT),
        (450, "4.7.1 too many invalid recipients, hourly limit reached", RCPT),
        (550, "too many unknown users: maximum per day exceeded", RCPT),
        (550, "5.2.1 Over the daily limit", RCPT),
        (552, "5.2.2 You have exceeded your quota: only 10 MB per day", RCPT),
        (550, "5.2.0 only 10 messages per hour", RCPT),
        (552, "5.2.2 mailbox over quota", RCPT),
        (552, "5.2.2 The recipient's mailbox is over its quota for sending and receiving", RCPT),
        (552, "5.2.2 The mailbox is full: its limit is 10 messages per day", RCPT),
        (554, "5.2.122 The recipient has exceeded their limit of messages per hour", RCPT),
        (450, "4.2.1 The user you are trying to contact is receiving mail too quickly: max 5 per hour", RCPT),
        (450, "4.2.0 <ana@example.org>: Recipient address rejected: Greylisted", RCPT),
        (450, "4.7.1 <unknown[192.0.2.1]>: Client host rejected: Greylisted", RCPT),
        (450, "4.7.1 <a@example.org>: Sender address rejected: gray-listed, try again", RCPT),
        (451, "4.7.1 Greylisting in action: relay not allowed yet", RCPT),
        (421, "4.7.1 not allowed to send for 5 minutes (greylisted)", RCPT),
        (450, "4.7.0 <ana@example.org>: Recipient address rejected: address not yet verified", RCPT),
        (552, "5.3.4 message too big", MAIL),
        (552, "no", MAIL),
        (554, "5.3.4 message too big", MAIL),
        (552, "5.2.3 larger than the current system limit", DOT),
        (0, "the message has 5 octets and the mail server takes 3 (SIZE)", MAIL),
        (550, "host mx.example.org said: relay not permitted", RCPT),
    ],
}


@pytest.mark.parametrize(
    ("code", "text", "stage", "whom"),
    [(*answer, whom) for whom, answers in ANSWERS.items() for answer in answers],
)
def test_whom_a_refusal_is_about(code: int, text: str, stage: Stage, whom: Whom) -> None:
    assert blame.whom(code, text, stage) is whom


def test_every_rule_says_where_it_is_from_and_is_the_one_that_decides_about_some_answer() -> None:
    assert all(rule.source for rule in RULES)
    deciding = set()
    for answers in ANSWERS.values():
        for code, text, stage in answers:
            fitting = (n for n, rule in enumerate(RULES) if rule.fits(code, status_of(text), text, stage))
            deciding.add(next(fitting, None))
    assert set(range(len(RULES))) <= deciding


def test_the_same_words_are_the_same_whomever_and_whichever_message_they_are_about() -> None:
    one = blame.alike(550, "5.7.0 <ana@example.org>: no. Message 4fb4d7f45d1cf-12si at mx1.example.net, 3 of 7")
    other = blame.alike(550, '5.7.0 <"b c"@example.com>: NO. Message 77a-9si at mx27.example.net, 12 of 7')
    assert one == other
    assert one != blame.alike(554, "5.7.0 <ana@example.org>: no. Message 4fb4d7f45d1cf-12si at mx1.example.net, 3 of 7")
    assert one != blame.alike(550, "5.7.1 <ana@example.org>: no. Message 4fb4d7f45d1cf-12si at mx1.example.net, 3 of 7")
    assert one != blame.alike(550, "5.7.0 <ana@example.org>: yes")


@pytest.mark.parametrize(
    ("reason", "said", "is_alike"),
    [
        ("not wanted, [recipient] at example.org", "not wanted, info at example.org", True),
        ("not wanted, [recipient] at example.org", "not wanted, Ana Maria Example at example.org", True),
        ("not wanted, [recipient] at example.org", "not wanted, at example.org", False),
        ("not wanted, [recipient] at example.org", "not wanted, info at example.com", False),
        ("[recipient]: no ([recipient])", "mail order: no (order)", True),
        ("[recipient]: no ([recipient])", "mail order: yes (order)", False),
        ("no [ab]* for [recipient]?", "no [ab]* for ana?", True),
        ("no [ab]* for [recipient]?", "no abb for ana!", False),
        ("[recipient] " + "long " * 20, "mail order " + "long " * 30, True),
        ("[recipient] " * 11 + "end", "a " * 2000, False),
        ("5.7.1 no, [recipient]", "5.7.0 no, ana", False),
        ("no", "NO", True),
    ],
)
def test_whom_a_reason_is_about_may_be_any_words(reason: str, said: str, *, is_alike: bool) -> None:
    assert blame.is_alike(554, reason, 554, said) is is_alike
    assert not blame.is_alike(554, reason, 550, said)


@pytest.mark.parametrize("text", ["5.4.5 Daily limit for ana@example.org", "no", "long " * 100, ""])
def test_a_reason_for_a_pause_keeps_the_words_of_the_refusal(text: str) -> None:
    reason = blame.reason_to_pause(550, text)
    refused = blame.refused_with(reason[:300])
    assert refused is not None
    assert blame.alike(*refused) == blame.alike(550, text)
    assert "ana@" not in reason


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("5.7.1 <ana@example.org>: no, ANA", "5.7.1 <[address]>: no, [recipient]"),
        ("5.7.1 the mailbox of Ana 5 is full, Anabel", "5.7.1 the mailbox of [recipient] is full, Anabel"),
        ("no 5 here (#5.7.5)", "no [recipient] here (#5.7.5)"),
        (
            "5.1.2 no MX for xn--bcher-kva.example.org nor bücher.example.org",
            "5.1.2 no MX for [recipient] nor [recipient]",
        ),
        ("no", "no"),
        ("", ""),
    ],
)
def test_words_are_told_without_whom_they_are_about_but_with_their_status_code(text: str, left: str) -> None:
    assert blame.without_whom(text, Recipient("ana@bücher.example.org", "Ana 5", None)) == left


def test_without_knowing_whom_words_are_about_addresses_are_taken_out() -> None:
    for nobody in (None, Reason.UNREADABLE):
        assert blame.without_whom("5.7.1 <ana@example.org>: ana", nobody) == "5.7.1 <[address]>: ana"


def test_any_other_reason_has_none() -> None:
    assert blame.refused_with(None) is None
    assert blame.refused_with("paused by an organiser") is None
