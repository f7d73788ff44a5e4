"""Messages are taken a few at a time, and what cannot be taken in time is given again."""

import asyncio
import threading
from collections.abc import Sequence

from mailer.mail.smtp_taking import Arrived, Dialect, Taking

LATER = "451 4.3.0 Not now, try again later"


class Inbox:
    """Takes a message when the test says so."""

    reads = 100

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go_on = threading.Event()

    def expects(self, _recipient: str) -> bool:
        return True

    def take(self, _message: bytes, *, recipient: str, sender: str, dialect: Dialect) -> None:
        del sender, dialect
        self.begun.append(recipient)
        assert self.go_on.wait(60)


def message(*recipients: str, dialect: Dialect = Dialect.LMTP) -> Arrived:
    return Arrived(b"x", 1, "", recipients, dialect)


def kinds(answers: Sequence[str]) -> list[str]:
    return [answer[:9] for answer in answers]


async def _until_begun(inbox: Inbox, number: int) -> None:
    while len(inbox.begun) < number:
        await asyncio.sleep(0.01)


def test_no_more_are_taken_at_once_than_threads_and_what_is_too_many_comes_again() -> None:
    inbox = Inbox()
    taking = Taking(inbox, threads=2, most_at_once=3)

    async def act() -> None:
        tasks = [asyncio.create_task(taking.take(message(name), connection=1)) for name in ("a", "b", "c")]
        await _until_begun(inbox, 2)
        assert kinds(await taking.take(message("d", "e"), connection=2)) == ["451 4.3.2"] * 2
        assert len(inbox.begun) == 2
        inbox.go_on.set()
        assert [kinds(await task) for task in tasks] == [["250 2.0.0"]] * 3
        assert kinds(await taking.take(message("f"), connection=2)) == ["250 2.0.0"]  # there is room again

    asyncio.run(act())
    taking.close()
    assert sorted(inbox.begun) == ["a", "b", "c", "f"]


def test_what_takes_too_long_is_put_off_and_what_has_not_begun_never_begins() -> None:
    inbox = Inbox()
    taking = Taking(inbox, threads=1, most_at_once=2, seconds=0.2)

    async def act() -> None:
        first = asyncio.create_task(taking.take(message("a", "b"), connection=1))
        await _until_begun(inbox, 1)
        second = asyncio.create_task(taking.take(message("c"), connection=2))
        assert list(await first) == [LATER] * 2
        assert list(await second) == [LATER]
        assert list(await taking.take(message("d"), connection=3)) == [LATER]  # what never begins takes up no room
        inbox.go_on.set()

    asyncio.run(act())
    taking.close()
    assert inbox.begun == ["a"]


def test_a_message_whose_mail_server_has_hung_up_keeps_its_room_until_it_is_saved() -> None:
    inbox = Inbox()
    taking = Taking(inbox, threads=1, most_at_once=1)

    async def act() -> None:
        lost = asyncio.create_task(taking.take(message("a"), connection=1))
        await _until_begun(inbox, 1)
        lost.cancel()
        assert kinds(await taking.take(message("b"), connection=2)) == ["451 4.3.2"]
        inbox.go_on.set()
        while kinds(await taking.take(message("c"), connection=2)) != ["250 2.0.0"]:
            await asyncio.sleep(0.01)

    asyncio.run(act())
    taking.close()
    assert inbox.begun == ["a", "c"]


def test_one_answer_over_smtp_is_taken_only_if_it_is_so_for_all() -> None:
    class Half(Inbox):
        def take(self, message: bytes, *, recipient: str, sender: str, dialect: Dialect) -> None:
            if recipient == "b":
                raise RuntimeError("a mistake")

    taking = Taking(Half())
    answers = [
        asyncio.run(taking.take(message(*to, dialect=Dialect.SMTP), connection=1)) for to in (["a", "c"], ["a", "b"])
    ]
    assert [kinds(each) for each in answers] == [["250 2.0.0"], ["451 4.3.0"]]
    taking.close()
