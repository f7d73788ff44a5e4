"""A message is one however it came, and another message is another."""

import pytest

from mailer.mail.feedback.sameness import digest

WRITTEN = (
    b"From: Ana <ana@example.net>\r\nTo: bounce@in.example.org,\r\n alerts@example.org\r\n"
    b"Message-ID: <1@example.net>\r\nDate: Mon, 30 Nov 2026 12:00:00 +0100\r\n"
    b"Subject: Re: Free the five\r\n\r\nI wrote.\r\n\r\nAna\r\n"
)


@pytest.mark.parametrize(
    "again",
    [
        b"Return-Path: <ana@example.net>\r\nReceived: from a\r\n by b\r\nDelivered-To: x@example.org\r\n" + WRITTEN,
        b"From ana@example.net Mon Nov 30 12:00:00 2026\r\n" + WRITTEN,
        WRITTEN.replace(b"\r\n", b"\n"),
        WRITTEN.replace(b",\r\n ", b", "),
        WRITTEN.replace(b"\r\n\r\nI wrote", b"\r\nX-Spam: no\r\n\r\nI wrote"),
        WRITTEN + b"\r\n",
        b"\n" + WRITTEN,
    ],
)
def test_what_servers_add_on_its_way_makes_no_other_of_it(again: bytes) -> None:
    assert digest(again) == digest(WRITTEN)


@pytest.mark.parametrize(
    ("part", "other"),
    [(b"ana@", b"eva@"), (b"<1@", b"<2@"), (b"30 Nov", b"29 Nov"), (b"five", b"six"), (b"I wrote", b"I rang")],
)
def test_what_somebody_else_wrote_or_at_another_time_is_another(part: bytes, other: bytes) -> None:
    assert digest(WRITTEN.replace(part, other)) != digest(WRITTEN)


def test_of_a_long_one_it_does_not_matter_where_it_was_cut() -> None:
    long = WRITTEN + b"x" * 2**20
    assert digest(long[: 2**20]) == digest((b"Received: from a\r\n" + long)[: 2**20])


@pytest.mark.parametrize("data", [b"", b"\n", b"\0" * 100, b"no header", b"\xff: \xfe\n\n\xfd"])
def test_any_bytes_will_do(data: bytes) -> None:
    assert digest(data) == digest(data)
