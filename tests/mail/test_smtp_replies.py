"""What a server says is understood however it is cut into packets, and cannot fill the memory."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.smtp_replies import BrokenReply, Reply, ReplyReader, one_line, status_of

TALK = b"220-a\r\n220-\r\n220 b\r\n250\r\n354 go on\n421-x\n421\n550 5.1.1 \xff no\r\n"
REPLIES = [(220, "a b"), (250, ""), (354, "go on"), (421, "x"), (550, "5.1.1 \ufffd no")]


@given(st.sets(st.integers(0, len(TALK))))
def test_replies_are_the_same_however_they_are_cut(cuts: set[int]) -> None:
    reader = ReplyReader()
    heard: list[Reply] = []
    places = [0, *sorted(cuts), len(TALK)]
    for start, end in pairwise(places):
        heard += reader.feed(TALK[start:end])
    assert [(code, one_line(text)) for code, text in heard] == REPLIES
    assert reader.between_replies


@pytest.mark.parametrize("said", [b"hello\r\n", b"\r\n", b"2500 x\r\n", b"199 x\r\n", b"600 x\r\n", b"25\r\n"])
def test_what_is_no_reply_is_broken_after_what_came_before_it(said: bytes) -> None:
    replies = ReplyReader().feed(b"250 ok\r\n" + said)
    assert next(replies)[0] == 250
    with pytest.raises(BrokenReply):
        next(replies)


@pytest.mark.parametrize("piece", [b"x" * 1000, b"250-more\r\n" * 100])
def test_a_reply_without_end_is_broken_off(piece: bytes) -> None:
    reader, octets = ReplyReader(), 0
    with pytest.raises(BrokenReply):
        while octets < 100_000:
            list(reader.feed(piece))
            octets += len(piece)
    assert octets < 75_000


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("5.7.1 no", "5.7.1"),
        ("#5.7.1 no", "5.7.1"),
        ("#5.1.0 Address rejected.", "5.1.0"),
        ("no (#5.1.1)", "5.1.1"),
        ("no #5.1.0 here", ""),
        ("5.7.1.9 no", ""),
        ("##5.7.1 no", ""),
        ("no", ""),
    ],
)
def test_the_status_code_is_read_where_servers_write_it(text: str, status: str) -> None:
    assert status_of(text) == status
