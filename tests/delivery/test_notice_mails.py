"""The mails of system notices: what stands in each, what nobody can put into them, and how they go out."""

import base64
import html
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.delivery import control, notice_mails, sending, sweeping
from mailer.delivery.ledger import Claimed
from mailer.delivery.notice_mails import NoticeComposer, WordlessNotice
from mailer.delivery.recipients import Recipient
from mailer.delivery.verdicts import MOST_ATTEMPTS
from mailer.delivery.worker import Worker
from mailer.links import Link, verify
from mailer.locale import languages, translations
from mailer.mail.dkim import Signer, SigningKey
from mailer.mail.pipeline import Pipeline
from mailer.mail.render import Frame, render_notice
from mailer.mail.sender import Sender
from mailer.mail.types import Rendering
from mailer.mail.webhooks.types import Provider
from mailer.people import notices, subscribers
from mailer.people.notices import Notice, NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Campaign, CampaignStatus, Delivery, DeliveryState, Purpose, Reason
from tests.support import contrast, visual
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber, notices_owed
from tests.support.ledger import in_order
from tests.support.mail_server import MailServer

pytestmark = pytest.mark.usefixtures("unshuffled")

S = DeliveryState
TOKEN = "0123456789abcdef0123456789abcdef01234567"
STOP_URL = f"https://act.example.org/en/no-contact/{TOKEN}"
KIT_WORDS = {
    "kit_url": f"https://act.example.org/en/kit/{TOKEN}",
    "campaign": "Free the five",
    "union": "Dockers of the North",
    "deadline": "30 April 2035",
    "stop_url": STOP_URL,
}
WORDS: Mapping[NoticeKind, Mapping[str, str]] = {
    NoticeKind.WELCOME: {
        "lists": "Urgent actions, News",
        "campaign_url": "https://act.example.org/campaigns/free-the-five",
        "campaign_title": "Free the five",
        "share_url": "https://act.example.org/",
        "target_name": "Embassy in Paris",
        "target_email": "paris@example.org",
        "target_address": "1 Quai",
        "preferences_url": f"https://act.example.org/en/preferences/{TOKEN}",
        "leave_1": "News",
        "leave_1_url": f"https://act.example.org/en/unsubscribe/{TOKEN}",
        "leave_2": "Urgent actions",
        "leave_2_url": f"https://act.example.org/en/unsubscribe/{TOKEN[::-1]}",
    },
    NoticeKind.GOODBYE: {"list": "Urgent actions"},
    NoticeKind.PAUSED: {"list": "Urgent actions", "until": "30 April 2035"},
    NoticeKind.AFFILIATED: {
        "union": "Dockers of the North",
        "join_url": "https://act.example.org/en/join/dockers",
        "results_url": f"https://act.example.org/en/results/{TOKEN}",
        "stop_url": STOP_URL,
    },
    NoticeKind.STEPPED_DOWN: {"union": "Dockers of the North"},
    NoticeKind.KIT: KIT_WORDS,
    NoticeKind.REMINDER: KIT_WORDS,
    NoticeKind.RENEWED: {
        "union": "Dockers of the North",
        "results_url": f"https://act.example.org/en/results/{TOKEN}",
        "kit_1": "Free the five",
        "kit_1_url": f"https://act.example.org/en/kit/{TOKEN}",
        "kit_2": "Save the port",
        "kit_2_url": f"https://act.example.org/en/kit/{TOKEN[::-1]}",
        "stop_url": STOP_URL,
    },
    NoticeKind.ANSWER: {"campaign": "Free the five", "union": "Dockers of the North", "stop_url": STOP_URL},
    NoticeKind.CHANGED: {
        "kit_url": f"https://act.example.org/en/kit/{TOKEN}",
        "campaign": "Free the five",
        "union": "Dockers of the North",
        "reached": "1,200",
        "stop_url": STOP_URL,
    },
    NoticeKind.APPLICATION: {
        "union": "Dockers of the North",
        "applications_command": "mailer unions applications",
        "accept_command": "mailer unions accept 7",
        "decline_command": "mailer unions decline 7",
    },
    NoticeKind.HELD: {
        "campaign": "free-the-five",
        "reason": "the mail server refuses our mail: 550 5.7.1 blocked",
        "status_command": "mailer campaigns status free-the-five",
        "resume_command": "mailer campaigns resume free-the-five",
        "cancel_command": "mailer campaigns cancel free-the-five",
    },
    NoticeKind.DAILY: {
        "day": "30 April 2035",
        "asked": "1,200",
        "confirmed": "1,100",
        "left": "under 10",
        "sent": "25,000",
        "refused": "11",
        "complained": "under 10",
        "applications": "2",
        "applications_command": "mailer unions applications",
        "paused": "1",
        "paused_command": "mailer campaigns list",
    },
    NoticeKind.WAITING: {
        "campaign": "free-the-five",
        "desk_url": "https://act.example.org/desk/campaigns/free-the-five/approval",
    },
    NoticeKind.APPROVED: {
        "campaign": "free-the-five",
        "desk_url": "https://act.example.org/desk/campaigns/free-the-five/approval",
    },
    NoticeKind.SENT_BACK: {
        "campaign": "free-the-five",
        "desk_url": "https://act.example.org/desk/campaigns/free-the-five/approval",
    },
    NoticeKind.ACCOUNT: {
        "password_at": "30 Apr 2035, 12:30 UTC",
        "code_at": "30 Apr 2035, 12:31 UTC",
        "codes": "9",
        "browser_at": "30 Apr 2035, 12:32 UTC, Firefox, Android",
    },
    NoticeKind.ALONE: {
        "campaign": "free-the-five",
        "slug": "free-the-five",
        "who": "Rosa",
        "why": "The trial begins at six.",
    },
    NoticeKind.TAKE_BACK: {"campaign": "Free the five"},
    NoticeKind.SIGN: {"campaign": "Free the five"},
    NoticeKind.REPLIES: {"day": "30 April 2035", "forwarded": "200", "dropped": "1,200"},
    NoticeKind.HELD_AT_DESK: {
        "campaign": "free-the-five",
        "slug": "free-the-five",
        "reason": "the mail server refuses our mail: 550 5.7.1 blocked",
    },
}
#: to organisers, who have commands to type instead of a button
TO_ORGANISERS = (NoticeKind.APPLICATION, NoticeKind.HELD, NoticeKind.DAILY)
#: without any link: nobody is to learn to sign in by one
WITHOUT_BUTTON = (*TO_ORGANISERS, NoticeKind.ACCOUNT, NoticeKind.REPLIES)
#: all but what carries a message that somebody else wrote: see tests/delivery/test_handing_on.py
ALONE = [kind for kind in NoticeKind if kind is not NoticeKind.REPLY]
#: those whose link stands among their words
WITHOUT_TOKEN = (
    *(NoticeKind.WELCOME, NoticeKind.AFFILIATED, NoticeKind.KIT, NoticeKind.REMINDER),
    *(NoticeKind.RENEWED, NoticeKind.CHANGED, NoticeKind.WAITING, NoticeKind.SENT_BACK, NoticeKind.APPROVED),
    *(NoticeKind.ALONE, NoticeKind.HELD_AT_DESK),
    *WITHOUT_BUTTON,
)
#: what goes to people because they agreed to get their union's mail
TO_CONTACTS = (
    *(NoticeKind.AFFILIATED, NoticeKind.KIT, NoticeKind.REMINDER),
    *(NoticeKind.RENEWED, NoticeKind.ANSWER, NoticeKind.CHANGED),
)
#: where the one button of each mail leads, in English
BUTTONS = {
    NoticeKind.CONFIRM: f"https://act.example.org/en/confirm/{TOKEN}",
    NoticeKind.WELCOME: "https://act.example.org/campaigns/free-the-five",
    NoticeKind.MANAGE: f"https://act.example.org/en/manage/{TOKEN}",
    NoticeKind.ADDRESS: f"https://act.example.org/en/address/{TOKEN}",
    NoticeKind.GOODBYE: f"https://act.example.org/en/undo/{TOKEN}",
    NoticeKind.PAUSED: f"https://act.example.org/en/resume/{TOKEN}",
    NoticeKind.MOVED: f"https://act.example.org/en/moved/{TOKEN}",
    NoticeKind.CONTACT: f"https://act.example.org/en/contact/{TOKEN}",
    NoticeKind.STEPPED_DOWN: f"https://act.example.org/en/contact/{TOKEN}",
    NoticeKind.AFFILIATED: f"https://act.example.org/en/results/{TOKEN}",
    NoticeKind.KIT: f"https://act.example.org/en/kit/{TOKEN}",
    NoticeKind.REMINDER: f"https://act.example.org/en/kit/{TOKEN}",
    NoticeKind.RENEWED: f"https://act.example.org/en/results/{TOKEN}",
    NoticeKind.ANSWER: f"https://act.example.org/en/answer/{TOKEN}",
    NoticeKind.CHANGED: f"https://act.example.org/en/kit/{TOKEN}",
    NoticeKind.SIGN: f"https://act.example.org/en/signed/{TOKEN}",
    NoticeKind.TAKE_BACK: f"https://act.example.org/en/take-back/{TOKEN}",
    NoticeKind.INVITATION: f"https://act.example.org/desk/invitation/{TOKEN}",
    NoticeKind.WAITING: "https://act.example.org/desk/campaigns/free-the-five/approval",
    NoticeKind.APPROVED: "https://act.example.org/desk/campaigns/free-the-five/approval",
    NoticeKind.SENT_BACK: "https://act.example.org/desk/campaigns/free-the-five/approval",
    NoticeKind.ALONE: "https://act.example.org/desk/campaigns/free-the-five",
    NoticeKind.HELD_AT_DESK: "https://act.example.org/desk/campaigns/free-the-five",
}
HEADERS = [
    "Auto-Submitted", "Content-Language", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Reply-To",
    "Subject", "To", "X-Auto-Response-Suppress",
]  # fmt: skip
HOSTILE_NAMES = [
    "=?utf-8?q?x=0D=0AX-Evil:_1?=",
    "News\r\nX-Evil: 1\r\n\r\n<h1>body</h1>",
    '"><script>alert(1)</script><a href="https://evil.example.net/">',
    "{organisation} {0} {{ frame }} {% if x %}",
    "\u202eevil",
]


def notice(kind: NoticeKind, words: Mapping[str, str] | None = None) -> Notice:
    token = None if kind in WITHOUT_TOKEN else TOKEN
    return Notice(kind, token, WORDS.get(kind, {}) if words is None else words)


def claimed(what: Notice, *, number: int = 1, language: str | None = "en") -> Claimed:
    stored = json.dumps(asdict(replace(what, language=language)))
    return Claimed(number, Purpose.NOTICE, None, "ana@example.net", None, None, None, attempts=0, notice=stored)


def compose(
    session: Session,
    what: Notice,
    *,
    language: str | None = "en",
    email: str = "ana@example.net",
    name: str | None = None,
    sender: Sender = SENDER,
    may_act: bool = True,
) -> EmailMessage:
    composer = NoticeComposer(session, sender)
    recipient = Recipient(email, name, subscription_id=None, may_act=may_act)
    data = composer.compose(claimed(what, language=language), recipient).data
    return message_from_bytes(data, policy=policy.default)


def part(message: EmailMessage, subtype: str) -> str:
    found = message.get_body((subtype,))
    assert found is not None
    assert not found.defects
    return str(found.get_content()).replace("\r\n", "\n")


def buttons(message: EmailMessage) -> list[str]:
    links = re.findall(r'<p class="action"[^>]*><a href="([^"]*)"', part(message, "html"))
    return [html.unescape(link) for link in links]


# --- what stands in each --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
@pytest.mark.parametrize("kind", ALONE)
def test_every_notice_is_a_whole_mail_with_one_button_or_commands_to_type(
    session: Session, kind: NoticeKind, language: str
) -> None:
    message = compose(session, notice(kind), language=language, sender=replace(SENDER, reply_to="office@example.org"))
    assert not message.defects
    assert sorted(message.keys()) == HEADERS
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == language
    assert message["To"] == "ana@example.net"
    assert [piece.get_content_type() for piece in message.iter_parts()] == ["text/plain", "text/html"]
    if kind in WITHOUT_BUTTON:
        assert buttons(message) == []
        for command in (word for field, word in WORDS[kind].items() if field.endswith("_command")):
            assert f"\n{command}\n" in part(message, "plain")
    else:
        button = BUTTONS[kind] if kind in WITHOUT_TOKEN else BUTTONS[kind].replace("/en/", f"/{language}/")
        assert buttons(message) == [button]
        assert f"\n<{button}>\n" in part(message, "plain")
    for subtype in ("plain", "html"):
        assert SENDER.postal_address in part(message, subtype)
        assert SENDER.organisation in part(message, subtype)
        assert ("nsubscribe" in part(message, subtype)) is (kind is NoticeKind.WELCOME)
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}"' in part(message, "html")
    assert "[" not in part(message, "plain") and "{" not in part(message, "plain")


@pytest.mark.parametrize("kind", ALONE)
def test_all_words_of_a_notice_stand_out_from_what_is_behind_them(session: Session, kind: NoticeKind) -> None:
    made = part(compose(session, notice(kind)), "html")
    for scheme in ("light", "dark", None):
        pairs = contrast.pairs(made, scheme=scheme)
        assert {words: contrast.of(pair) for pair, words in pairs.items() if contrast.of(pair) < 4.5} == {}


def test_the_words_are_those_of_the_language(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    french = {"Please confirm your address": "Confirmez votre adresse", "Yes, sign me up": "Oui, c’est moi <b>"}
    monkeypatch.setattr(translations, "gettext_for", lambda _: lambda words: french.get(words, words))
    message = compose(session, notice(NoticeKind.CONFIRM), language="fr")
    assert message["Subject"] == "Confirmez votre adresse"
    assert "Oui, c’est moi <b>\n<https" in part(message, "plain")
    assert "Oui, c’est moi &lt;b&gt;</a>" in part(message, "html")


@pytest.mark.parametrize(
    ("language", "written", "prefix"),
    [(None, "en", "/en"), ("fr-CA", "fr", "/fr"), ("sw", "en", ""), ("zh-Hant", "en", ""), ("kk", "kk", "/kk")],
)
def test_a_reader_gets_the_nearest_language_of_the_site_or_english(
    session: Session, language: str | None, written: str, prefix: str
) -> None:
    message = compose(session, notice(NoticeKind.MANAGE), language=language)
    assert message["Content-Language"] == written
    assert buttons(message) == [f"https://act.example.org{prefix}/manage/{TOKEN}"]


def test_contacts_are_asked_to_pass_news_on_and_not_to_share_an_alert(session: Session) -> None:
    words = {key: word for key, word in KIT_WORDS.items() if key != "deadline"}
    for kind, asked in ((None, "Please share this alert"), ("News", "Please pass this on to your members as soon as")):
        message = compose(session, notice(NoticeKind.KIT, words=words | ({"kind": kind} if kind else {})))
        for which in ("plain", "html"):
            shown = " ".join(part(message, which).split())
            assert asked in shown and ("share this alert" in shown) == (kind is None)
    assert "*News*\n\nPlease pass this on" in part(message, "plain")
    assert "<strong><span dir=" in part(message, "html")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (NoticeKind.CONFIRM, "If it was not you, do nothing."),
        (NoticeKind.CONFIRM, "after 7 days we store nothing about this"),
        (NoticeKind.SIGN, "If it was not you, do nothing."),
        (NoticeKind.SIGN, "after 7 days we store nothing about this"),
        (NoticeKind.SIGN, "With this link you can also take your signature back, for 7 days."),
        (NoticeKind.MANAGE, "The link works for one day. Never forward this e-mail"),
        (NoticeKind.GOODBYE, "you can undo it within 30 days"),
        (NoticeKind.PAUSED, "if you have changed your mind, you can end the pause"),
        (NoticeKind.PAUSED, "So please do not forward this e-mail."),
        (NoticeKind.MOVED, "you can stop the e-mails. The link works for one week"),
        (NoticeKind.MOVED, "we do not show the new address"),
        (NoticeKind.CONTACT, "If it was not you, do nothing."),
        (NoticeKind.CONTACT, "after 7 days we store nothing about this"),
        (NoticeKind.STEPPED_DOWN, "you can undo it within 30 days"),
        (NoticeKind.KIT, "People should act by"),
        (
            NoticeKind.KIT,
            "an e-mail that is ready to forward, messages for phones, a leaflet to print and a picture to share",
        ),
        (NoticeKind.KIT, "One click on the kit's page tells us what you will do."),
        (NoticeKind.KIT, "Please forward what is in the kit, not this e-mail"),
        (NoticeKind.REMINDER, "Please forward what is in the kit, not this e-mail"),
        (NoticeKind.REMINDER, "We will not remind you of this alert again."),
        (NoticeKind.RENEWED, "The earlier ones now show nothing."),
        (NoticeKind.ANSWER, "With this link you can do so, for one day"),
        (NoticeKind.CHANGED, "If that is not right, open the kit's page."),
        (
            NoticeKind.APPLICATION,
            "asks to affiliate, and has confirmed its address. Somebody there waits",
        ),
        (NoticeKind.APPLICATION, "Say yes. Its contact is told:"),
        (NoticeKind.HELD, "Nothing more of it goes out until somebody resumes it. The reason:"),
        (NoticeKind.HELD, "Go on, once the cause is remedied. Nobody gets it twice:"),
        (NoticeKind.HELD, "named your address in the setting"),
        (NoticeKind.INVITATION, "The link works once, for one day. Never forward this e-mail."),
        (NoticeKind.DAILY, "Days are those of UTC. Numbers of people from 1 to 9 are written “under 10”."),
        (NoticeKind.ALONE, "If you do nothing, it can go out a quarter of an hour after this e-mail was sent."),
        (NoticeKind.HELD_AT_DESK, "Nothing more of it goes out until somebody resumes it. The reason:"),
        (NoticeKind.REPLIES, "No more are forwarded in a day, so that nobody can flood your mailbox."),
        (NoticeKind.WAITING, "Nothing of this campaign goes out before a second person has looked at it"),
    ],
)
def test_a_notice_says_what_to_do_and_until_when(session: Session, kind: NoticeKind, sentence: str) -> None:
    message = compose(session, notice(kind))
    said = [" ".join(html.unescape(part(message, subtype)).split()) for subtype in ("plain", "html")]
    assert all(sentence in words for words in said)


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        (None, "Harbour Solidarity invites you to its desk"),
        ("new_password", "you choose another password for the desk of Harbour Solidarity"),
        ("new_factor", "you set up another second factor for the desk of Harbour Solidarity"),
    ],
)
def test_an_invitation_says_what_its_link_is_for(session: Session, flag: str | None, sentence: str) -> None:
    message = compose(session, notice(NoticeKind.INVITATION, {flag: "yes"} if flag else {}))
    for subtype in ("plain", "html"):
        words = " ".join(re.sub(r"<[^>]*>|[\u2066-\u2069]", "", part(message, subtype)).split())
        assert sentence in words
        assert words.count("With this link you") == 1


def test_a_welcome_shows_the_alert_to_act_on_and_the_link_to_share(session: Session) -> None:
    welcome = compose(session, notice(NoticeKind.WELCOME))
    assert welcome["Subject"] == "Welcome to Harbour Solidarity"
    for subtype in ("plain", "html"):
        words = part(welcome, subtype)
        assert "Free the five" in words
        assert "Urgent actions, News" in words
        assert "https://act.example.org/" in words


def test_a_welcome_says_whom_to_write_to_and_how_to_leave_or_change_what_one_gets(session: Session) -> None:
    welcome = compose(session, notice(NoticeKind.WELCOME))
    for subtype in ("plain", "html"):
        words = " ".join(re.sub("<[^>]*>", "", part(welcome, subtype)).split()) + part(welcome, subtype)
        for said in (
            *("Embassy in Paris", "paris@example.org", "1 Quai", "Leave News", "Leave Urgent actions"),
            *(f"/en/preferences/{TOKEN}", f"/en/unsubscribe/{TOKEN}", f"/en/unsubscribe/{TOKEN[::-1]}"),
        ):
            assert said in words


@pytest.mark.parametrize("why", ["its deadline has passed", "nobody is asked to act on it"])
def test_a_welcome_that_waited_until_an_alert_was_over_does_not_offer_it(session: Session, why: str) -> None:
    until = "2026-03-01T12:00:00+00:00" if "deadline" in why else "2999-03-01T12:00:00+00:00"
    late = WORDS[NoticeKind.WELCOME] | {"campaign_until": until}  # type: ignore[operator]
    welcome = compose(session, notice(NoticeKind.WELCOME, late), may_act="deadline" in why)
    for words in ("Free the five", "Embassy in Paris", "Act now"):
        assert words not in part(welcome, "plain") + part(welcome, "html")
    assert "Leave News" in part(welcome, "plain")


def test_who_signed_up_again_is_told_that_they_are_on_the_list(session: Session) -> None:
    on_it = compose(session, notice(NoticeKind.MANAGE, {"is_on_list": "yes"}))
    asked = compose(session, notice(NoticeKind.MANAGE))
    assert on_it["Subject"] == "You are already on our list"
    for subtype in ("plain", "html"):
        assert "You are already on our list" in " ".join(part(on_it, subtype).split())
        assert "already on our list" not in part(asked, subtype)
    assert buttons(on_it) == buttons(asked) == [BUTTONS[NoticeKind.MANAGE]]


def test_what_a_welcome_has_no_words_for_is_not_shown(session: Session) -> None:
    bare = compose(session, notice(NoticeKind.WELCOME, {"campaign_title": "No link to it", "lists": ""}))
    assert buttons(bare) == []
    for words in ("No link to it", "You will get e-mails from", "Send this link", "Act now"):
        assert words not in part(bare, "plain")
        assert words not in part(bare, "html")
    assert "\n\n\n" not in part(bare, "plain")


def test_a_goodbye_names_the_list_that_was_left_or_all(session: Session) -> None:
    one = compose(session, notice(NoticeKind.GOODBYE))
    assert one["Subject"] == "You have left Urgent actions"
    assert "You have left Urgent actions\n=====" in part(one, "plain")
    assert 'You have left <span dir="ltr">Urgent actions</span>' in part(one, "html")
    assert compose(session, notice(NoticeKind.GOODBYE, {}))["Subject"] == "You have left all our lists"


def test_a_mail_of_a_pause_names_the_list_and_the_day_on_which_it_ends(session: Session) -> None:
    paused = compose(session, notice(NoticeKind.PAUSED))
    assert paused["Subject"] == "Your e-mails from Urgent actions are paused"
    for subtype in ("plain", "html"):
        words = " ".join(re.sub(r"</?span[^>]*>", "", part(paused, subtype)).split())
        assert "nothing from this list until 30 April 2035" in words


def test_an_invitation_names_the_union_and_a_confirmation_names_none(session: Session) -> None:
    invitation = compose(session, notice(NoticeKind.CONTACT, {"union": "Dockers of the North"}))
    assert invitation["Subject"] == "May we send you our e-mails for Dockers of the North?"
    assert '<h1>May we send you our e-mails for <span dir="ltr">Dockers of the North</span>?' in " ".join(
        part(invitation, "html").split()
    )
    assert "an organiser at" in part(invitation, "plain")
    assert compose(session, notice(NoticeKind.CONTACT))["Subject"] == "Please confirm your address"


@pytest.mark.parametrize("language", languages.SITE_LANGUAGES)
def test_an_invitation_for_a_union_that_is_not_to_be_named_names_none(session: Session, language: str) -> None:
    invitation = compose(session, notice(NoticeKind.CONTACT, {"is_invited": "yes"}), language=language)
    confirmation = compose(session, notice(NoticeKind.CONTACT), language=language)
    assert buttons(invitation) == buttons(confirmation)
    assert invitation["Subject"] != confirmation["Subject"]
    if language == "en":
        assert invitation["Subject"] == "May we send you e-mails for your union?"
        assert "an organiser at" in part(invitation, "plain")
        assert "The page behind the button says which one" in " ".join(part(invitation, "html").split())


def test_new_links_come_in_one_mail_with_each_kit_that_is_open(session: Session) -> None:
    message = compose(session, notice(NoticeKind.RENEWED))
    for subtype in ("plain", "html"):
        words = part(message, subtype)
        for title, token in (("Free the five", TOKEN), ("Save the port", TOKEN[::-1])):
            assert title in words
            assert f"https://act.example.org/en/kit/{token}" in words
    few = {"results_url": f"https://act.example.org/en/results/{TOKEN}", "stop_url": STOP_URL}
    assert "Your kits" not in part(compose(session, notice(NoticeKind.RENEWED, few)), "html")


def test_the_mails_to_unions_say_what_they_are_about(session: Session) -> None:
    subjects = [str(compose(session, notice(kind))["Subject"]) for kind in TO_CONTACTS]
    assert subjects == [
        "Dockers of the North is now affiliated: welcome!",
        "Ready to forward: Free the five",
        "There is still time: Free the five",
        "New links for Dockers of the North",
        "The link to change your answer: Free the five",
        "Your answer was changed: Free the five",
    ]
    affiliated = compose(session, notice(NoticeKind.AFFILIATED))
    assert all("https://act.example.org/en/join/dockers" in part(affiliated, subtype) for subtype in ("plain", "html"))


@pytest.mark.parametrize("kind", TO_CONTACTS)
def test_who_gets_a_unions_mail_learns_why_and_how_to_get_no_more_of_it(session: Session, kind: NoticeKind) -> None:
    message = compose(session, notice(kind))
    for subtype in ("plain", "html"):
        words = re.sub(r"</?span[^>]*>|\s+", " ", part(message, subtype))
        assert re.search("you agreed that +Harbour Solidarity +may write to you for +Dockers of the North", words)
        assert STOP_URL in words


@pytest.mark.parametrize("kind", TO_CONTACTS)
def test_a_union_that_asked_not_to_be_named_is_not_named_in_its_mail(session: Session, kind: NoticeKind) -> None:
    words = {field: word for field, word in WORDS[kind].items() if field not in ("union", "deadline")}
    message = compose(session, notice(kind, words))
    for subtype in ("plain", "html"):
        assert "Dockers" not in part(message, subtype)
        assert "for your union" in " ".join(part(message, subtype).split())
        assert "act by" not in part(message, subtype)
    assert buttons(message) == [BUTTONS[kind]]
    assert "\n\n\n" not in part(message, "plain")


def test_every_notice_can_be_compiled_in_every_language_of_the_site(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, str]] = []

    def note(template: str, *, frame: Frame, **arguments: Any) -> Rendering:
        made.append((template, frame.language))
        return render_notice(template, frame=frame, **arguments)

    monkeypatch.setattr(notice_mails, "render_notice", note)
    NoticeComposer(session, SENDER).compile_all()
    assert sorted(made) == sorted((kind.value, tag) for kind in NoticeKind for tag in languages.SITE_LANGUAGES)


def test_what_differs_from_person_to_person_is_merged_not_rendered_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    composer = NoticeComposer(session, SENDER)
    composer.compose(claimed(notice(NoticeKind.GOODBYE)), Recipient("ana@example.net", None, None))
    monkeypatch.setattr(notice_mails, "render_notice", None)
    other = Notice(NoticeKind.GOODBYE, "f" * 40, {"list": "News"})
    mail = composer.compose(claimed(other, number=2), Recipient("ben@example.net", None, None))
    message = message_from_bytes(mail.data, policy=policy.default)
    assert message["Subject"] == "You have left News"
    assert buttons(message) == [f"https://act.example.org/en/undo/{'f' * 40}"]
    assert (mail.id, mail.recipient, mail.sender) == (2, "ben@example.net", "alerts@example.org")


def test_a_retry_has_the_same_message_id_and_another_notice_another(session: Session) -> None:
    composer = NoticeComposer(session, SENDER)
    recipient = Recipient("ana@example.net", None, None)
    mails = [composer.compose(claimed(notice(NoticeKind.MANAGE), number=number), recipient) for number in (1, 1, 2)]
    assert mails[0].envelope_id == mails[1].envelope_id != mails[2].envelope_id
    assert f"<{mails[0].envelope_id}>".encode() in mails[0].data


def test_a_bounce_of_a_notice_comes_back_to_its_delivery(session: Session) -> None:
    sender = replace(SENDER, bounce_address="bounce+{token}@example.org")
    composer = NoticeComposer(session, sender)
    mail = composer.compose(claimed(notice(NoticeKind.MANAGE), number=77), Recipient("ana@example.net", None, None))
    token = mail.sender.removeprefix("bounce+").removesuffix("@example.org")
    assert verify(keyring_of(session), Link.BOUNCE, token) == 77


def test_a_notice_carries_what_its_provider_gives_back(session: Session) -> None:
    composer = NoticeComposer(session, replace(SENDER, providers=(Provider.POSTMARK,)))
    mail = composer.compose(claimed(notice(NoticeKind.MANAGE), number=77), Recipient("ana@example.net", None, None))
    token = message_from_bytes(mail.data, policy=policy.default)["X-PM-Metadata-tocsin"]
    assert verify(keyring_of(session), Link.BOUNCE, token) == 77


def test_a_notice_is_signed_like_all_mail(session: Session) -> None:
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    composer = NoticeComposer(session, replace(SENDER, signer=Signer("example.org", (SigningKey("s1", key),))))
    mail = composer.compose(claimed(notice(NoticeKind.CONFIRM)), Recipient("ana@example.net", None, None))
    assert dkimpy.verify(mail.data, dnsfunc=lambda *_, **__: b"v=DKIM1; p=" + base64.b64encode(public))


# --- what nobody can put into them ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [NoticeKind.CONFIRM, NoticeKind.ADDRESS, NoticeKind.MANAGE, NoticeKind.MOVED, NoticeKind.CONTACT]
)
def test_nothing_that_a_visitor_typed_is_in_a_mail_that_anyone_can_have_sent(
    session: Session, kind: NoticeKind
) -> None:
    typed = {
        "name": "Buy pills",
        "lists": "Buy pills",
        "campaign_url": "https://evil.example.net/",
        "list": "Buy pills",
    }
    asked = Notice(kind, TOKEN, typed)
    composer = NoticeComposer(session, SENDER)
    mail = composer.compose(claimed(asked), Recipient("victim@example.net", "Buy pills", subscription_id=3))
    plain = composer.compose(claimed(Notice(kind, TOKEN)), Recipient("other@example.net", None, None))
    assert b"pills" not in mail.data and b"evil" not in mail.data
    undated = [re.sub(rb"Date: .*\r\n", b"", each.data) for each in (mail, plain)]
    assert undated[0].replace(b"victim@", b"other@") == undated[1]


@pytest.mark.parametrize("hostile", HOSTILE_NAMES)
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (NoticeKind.GOODBYE, "list"),
        (NoticeKind.PAUSED, "list"),
        (NoticeKind.WELCOME, "lists"),
        (NoticeKind.CONTACT, "union"),
        (NoticeKind.AFFILIATED, "union"),
        (NoticeKind.KIT, "union"),
        (NoticeKind.KIT, "campaign"),
        (NoticeKind.SIGN, "campaign"),
        (NoticeKind.REMINDER, "deadline"),
        (NoticeKind.APPLICATION, "union"),
        (NoticeKind.HELD, "reason"),
    ],
)
def test_a_list_a_union_or_a_campaign_can_be_called_anything_and_injects_nothing(
    session: Session, kind: NoticeKind, field: str, hostile: str
) -> None:
    words = {field: "Usual", **WORDS.get(kind, {})}
    message = compose(session, notice(kind, {**words, field: hostile}))
    assert sorted(message.keys()) == sorted(set(HEADERS) - {"Reply-To"})
    assert "\n" not in message["Subject"]
    usual, shown = (
        re.findall(r"<\w+", part(each, "html")) for each in (compose(session, notice(kind, words)), message)
    )
    assert shown == usual
    assert 'href="https://evil' not in part(message, "html")
    assert len(buttons(message)) == (kind not in TO_ORGANISERS)


# --- how they go out ------------------------------------------------------------------------------------------------


def owe(engine: Engine, *kinds: NoticeKind) -> int:
    """Owe a notice of each kind to an address named after it; returns the standing campaign's id."""
    with session_scope(engine) as session:
        for kind in kinds:
            notices.owe(session, notice(kind), language="en", address=f"{kind}@example.net")
        in_order(session)
        return notices.campaign(session).id


def fates(engine: Engine) -> list[tuple[DeliveryState, str | None]]:
    with session_scope(engine, read_only=True) as session:
        return [(row.state, row.reason) for row in notices_owed(session)]


def test_notices_go_out_before_a_campaign_and_are_settled(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for number in range(3):
            make_subscriber(session, mailing_list, email=f"p{number}@example.net")
        control.start(session, make_campaign(session, mailing_list), SENDER)
    campaign_id = owe(engine, *ALONE)
    for ring in sweeping.sweep(engine, worker):
        assert not sending.drain(engine, ring, wire, worker)
    first = [message.recipient for message in server.received]
    assert first[: len(ALONE)] == [f"{kind}@example.net" for kind in ALONE]
    assert sorted(first[len(ALONE) :]) == ["p0@example.net", "p1@example.net", "p2@example.net"]
    assert fates(engine) == [(S.SENT, None)] * len(ALONE)
    assert b"Auto-Submitted: auto-generated" in server.received[0].data
    with session_scope(engine) as session:
        assert session.get_one(Campaign, campaign_id).status is CampaignStatus.STANDING
        notices.forget_settled(session)
        assert [(row.notice, row.address) for row in notices_owed(session)] == [(None, None)] * len(ALONE)
    assert sweeping.sweep(engine, worker) == []


def test_a_subscriber_gets_their_notice_where_they_are_now(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    with session_scope(engine) as session:
        person = make_subscriber(session, email="ana@example.net", name="Ana Example")
        notices.owe(session, notice(NoticeKind.MANAGE), language="en", subscriber_id=person.id)
        campaign_id = notices.campaign(session).id
    sending.drain(engine, campaign_id, wire, worker)
    (mail,) = server.received
    assert mail.recipient == "ana@example.net"
    assert b"Ana Example" not in mail.data


def test_a_notice_that_is_refused_for_now_is_tried_again_and_given_up_in_the_end(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    server.behaviour.rcpt = lambda _: "451 4.7.1 greylisted"
    campaign_id = owe(engine, NoticeKind.CONFIRM)
    sending.drain(engine, campaign_id, wire, worker)
    assert fates(engine) == [(S.DEFERRED, None)]
    for attempts, fate in ((MOST_ATTEMPTS - 1, (S.DEFERRED, None)), (MOST_ATTEMPTS, (S.FAILED, Reason.GAVE_UP))):
        with session_scope(engine) as session:
            row = session.scalars(select(Delivery)).one()
            row.attempts, row.not_before = attempts, utcnow()
        sending.drain(engine, campaign_id, wire, worker)
        assert fates(engine) == [fate]


def test_who_is_erased_meanwhile_gets_no_notice_and_holds_up_no_other(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker
) -> None:
    campaign_id = owe(engine, NoticeKind.CONFIRM, NoticeKind.ADDRESS, NoticeKind.MANAGE)
    with session_scope(engine) as session:
        subscribers.erase(session, "confirm@example.net")
        session.scalars(select(Delivery).where(Delivery.id == 2)).one().notice = None
    sending.drain(engine, campaign_id, wire, worker)
    assert fates(engine) == [(S.SKIPPED, Reason.ERASED), (S.SKIPPED, Reason.ERASED), (S.SENT, None)]
    assert set(server.copies()) == {"manage@example.net"}


def test_without_its_words_no_notice_can_be_made(session: Session) -> None:
    wordless = claimed(notice(NoticeKind.CONFIRM))._replace(notice=None)
    with pytest.raises(WordlessNotice, match="delivery 1,"):
        NoticeComposer(session, SENDER).compose(wordless, Recipient("ana@example.net", None, None))


def test_notices_wait_while_the_server_refuses_our_sender(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.mail = lambda _: "550 5.7.1 not you"
    campaign_id = owe(engine, NoticeKind.CONFIRM)
    assert not sending.drain(engine, campaign_id, wire, worker)
    assert fates(engine) == [(S.PENDING, None)]
    assert "system mails wait" in caplog.text
    server.behaviour.mail = lambda _: "250 ok"
    sending.drain(engine, campaign_id, wire, worker)
    assert fates(engine) == [(S.SENT, None)]


def test_notices_wait_while_the_server_refuses_us_in_other_ways_and_say_so_at_once(
    engine: Engine, server: MailServer, wire: Pipeline, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviour.dot = lambda _: "550 5.4.5 Daily user sending limit exceeded"
    campaign_id = owe(engine, NoticeKind.CONFIRM)
    assert not sending.drain(engine, campaign_id, wire, worker)
    assert fates(engine) == [(S.DEFERRED, None)]
    assert "system mails wait: the mail server refuses our mail: 550 5.4.5" in caplog.text
    server.behaviour.dot = lambda _: "250 ok"
    with session_scope(engine) as session:
        session.execute(update(Delivery).values(not_before=utcnow()))
    sending.drain(engine, campaign_id, wire, worker)
    assert fates(engine) == [(S.SENT, None)]


def test_the_daily_mail_says_only_what_there_is_to_say(session: Session) -> None:
    words = {"since": "1 March 2035", "until": "3 March 2035", "left": "under 10"}
    message = compose(session, notice(NoticeKind.DAILY, words))
    assert message["Subject"] == "What happened from 1 March 2035 to 3 March 2035"
    for subtype in ("plain", "html"):
        shown = html.unescape(part(message, subtype)).rpartition("<body")[2]
        said = " ".join(re.sub(r"<[^>]*>", "", shown).split())
        assert "Left a list: under 10" in said
        for other in ("Asked", "Confirmed", "sent:", "refused", "Reported", "What waits", "mailer "):
            assert other not in said, other


LATIN = {
    "day": "12.3.2035!",
    "asked": "+1,200.",
    "union": "(7) Pilots & Crews.",
    "list": "1199 Alerts!",
    "campaign": "Free 5!",
    "campaign_title": "Free 5!",
    "kit_1": "Free 5!",
    "kit_2": "(3) Ports.",
    "deadline": "12.3.2035!",
    "until": "12.3.2035!",
    "reached": "+1,200.",
}


@pytest.mark.parametrize("kind", ALONE)
def test_each_name_and_number_in_an_arabic_mail_is_read_in_its_own_order(session: Session, kind: NoticeKind) -> None:
    words = {field: LATIN.get(field, word) for field, word in WORDS.get(kind, {}).items()}
    sender = replace(SENDER, organisation="1199 Dockers, now!", postal_address="1 Pier Lane, Tidewater.\n7, Tidewater")
    message = compose(session, notice(kind, words), language="ar", sender=sender)
    page = part(message, "html")
    seen = "\n".join(visual.lines_of_html(page))
    for value in (sender.organisation, *sender.postal_address.split("\n"), *LATIN.values()):
        written = len(re.findall(re.escape(html.escape(value)), page.partition("<body")[2].partition("&#847;")[2]))
        assert seen.partition("͏")[2].count(value) == written, value
    text = part(message, "plain")
    seen = "\n".join(visual.lines_of_text(text))
    assert [value for value in (sender.organisation, *LATIN.values()) if value in text and value not in seen] == []


def test_lists_in_several_scripts_stand_each_on_its_own_line_of_a_welcome_and_in_order(session: Session) -> None:
    url = f"https://act.example.org/ar/unsubscribe/{TOKEN}"
    words = {"leave_1": "أخبار", "leave_1_url": url, "leave_2": "Rights Now!", "leave_2_url": url}
    welcome = compose(session, notice(NoticeKind.WELCOME, words), language="ar")
    page, text = part(welcome, "html"), part(welcome, "plain")
    assert re.findall(r"<li[^>]*>(.*?)</li>", page) == [
        '<span dir="rtl">أخبار</span>',
        '<span dir="ltr">Rights Now!</span>',
    ]
    assert [line for line in visual.lines_of_text(text) if line.split() == ["Rights", "Now!", "-"]]
    assert len(re.findall(r"^- .*(?:أخبار|Rights Now!)", text, re.MULTILINE)) == 2
