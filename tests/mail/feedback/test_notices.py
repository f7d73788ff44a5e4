"""Bounces in words, in the forms that mail servers give them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.feedback import notices, recognition
from mailer.mail.feedback.types import Kind

NOTICES = tomllib.loads(Path(__file__).with_suffix("").with_name("notices.toml").read_text())["notice"]


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice["form"])
def test_a_notice_is_understood(notice: dict[str, Any]) -> None:
    head = [
        f"From: {notice.get('from', 'Mail system <MAILER-DAEMON@mx.example.net>')}",
        "To: alerts@example.org",
        f"Subject: {notice['subject']}",
        notice.get("headers", "Content-Type: text/plain; charset=utf-8"),
    ]
    found = recognition.read("\n".join([*head, "", notice["text"]]).encode())
    assert found.kind == notice.get("kind", "bounce")
    assert [fate.address for fate in found.recipients] == ["ana@example.net"]
    assert found.meaning is not None
    if "category" in notice:
        assert (found.meaning.category, found.meaning.status) == (notice["category"], notice.get("status"))


def test_several_addresses_have_each_a_reason() -> None:
    text = "<ana@example.net>:\nno such user\n\n<ben@example.net>:\nthe mailbox is full\n"
    found = notices.read(notices.cut(text))
    assert [(fate.address, fate.meaning.category) for fate in found] == [
        ("ana@example.net", "no_mailbox"),
        ("ben@example.net", "full"),
    ]


def test_the_mail_that_is_given_back_says_nothing_of_why() -> None:
    copy = "Received: by mx\nFrom: alerts@example.org\nTo: ana@example.net\nSubject: 550 user unknown\n\nuser unknown"
    notice = notices.cut(f"<ana@example.net>: 552 over quota\n\n{copy}")
    assert notice.copy == copy
    assert "unknown" not in notice.words


@pytest.mark.parametrize("subject", ["Fwd: Undeliverable: Urgent", "Re: failure notice", "AW: Unzustellbar"])
def test_what_a_person_passes_on_is_theirs(subject: str) -> None:
    data = f"From: Ana <ana@example.net>\nSubject: {subject}\n\n<ben@example.com>: 550 user unknown\n"
    assert recognition.read(data.encode()).kind is Kind.REPLY
