"""The text of a message is read as it came, and takes up no more memory than what is kept of it."""

import asyncio
import tracemalloc

import pytest

from mailer.mail import smtp_bodies

KEPT = 64 * 1024


@pytest.mark.parametrize(
    ("wire", "keep", "beginning"),
    [
        (b".\r\n", 10, b""),
        (b"a\r\n.\r\n", 10, b"a\r\n"),
        (b"..a\r\n..\r\n.\r\n", 20, b".a\r\n.\r\n"),
        (b"a.\r\n.\r\n", 7, b"a.\r\n"),
        (b"a.\r\n.\r\n", 6, b"a.\r\n\r"),
        (b"abc.\r\n.\r\n", 2, b"ab"),
    ],
)
def test_of_what_came_the_beginning_is_kept_without_dots(wire: bytes, keep: int, beginning: bytes) -> None:
    async def act() -> smtp_bodies.Body:
        reader = asyncio.StreamReader()
        reader.feed_data(wire)
        return await smtp_bodies.read(reader, keep=keep)

    assert asyncio.run(act()) == smtp_bodies.Body(beginning, len(wire))


def test_short_lines_take_up_no_more_room_than_long_ones() -> None:
    async def held(piece: bytes) -> int:
        """Octets taken up by a message that is coming in."""
        reader = asyncio.StreamReader()
        reading = asyncio.create_task(smtp_bodies.read(reader, keep=KEPT))
        await asyncio.sleep(0)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(KEPT // len(piece)):
            reader.feed_data(piece)
            await asyncio.sleep(0)
        taken = tracemalloc.get_traced_memory()[0] - before
        reader.feed_data(b"\r\n.\r\n")
        assert (await reading).size >= KEPT
        return taken

    tracemalloc.start()
    try:
        for piece in (b"x.\r\n" * 1024, b"x" * 4096):
            assert asyncio.run(held(piece)) < 3 * KEPT
    finally:
        tracemalloc.stop()
