"""What was handled leaves a Maildir, and what is somebody's own stays as it was."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.mail.mailboxes.maildir import Maildir, look
from mailer.mail.mailboxes.remembered import AlreadyFetching, Remembered, alone_with
from mailer.mail.mailboxes.types import BATCH, Disposal, MailboxUnavailable, Obstacle, Waiting
from tests.support.maildirs import SomeMaildir


@pytest.fixture
def some(tmp_path: Path) -> SomeMaildir:
    return SomeMaildir(tmp_path / "box")


def opened(some: SomeMaildir, disposal: Disposal = Disposal.KEEP, most_bytes: int = 1000) -> Maildir:
    remembered = Remembered(some.folder.parent / "seen")
    return Maildir(some.folder, remembered, disposal=disposal, most_bytes=most_bytes)


def everything(mailbox: Maildir) -> list[Waiting]:
    return [waiting for batch in mailbox.batches() for waiting in batch]


def test_what_was_handled_is_marked_as_read_or_deleted(some: SomeMaildir) -> None:
    first, second = some.deliver(b"one"), some.deliver(b"two", "1764510001.marked:2,")
    mailbox = opened(some)
    [batch] = mailbox.batches()
    assert [(waiting.name, waiting.data) for waiting in batch] == [(first, b"one"), (second, b"two")]
    mailbox.settle(batch, [])
    assert (some.new, some.cur) == ([], [f"{first}:2,S", "1764510001.marked:2,S"])
    some.deliver(b"three")
    deleting = opened(some, Disposal.DELETE)
    deleting.settle(everything(deleting), [])
    assert (some.new, len(some.cur)) == ([], 2)


def test_what_is_left_stays_new_and_is_not_read_again_nor_by_another_run(some: SomeMaildir) -> None:
    name = some.deliver(b"to Rosa")
    mailbox = opened(some)
    mailbox.settle([], everything(mailbox))
    assert (some.new, some.cur) == ([name], [])
    assert everything(mailbox) == everything(opened(some)) == []
    later = some.deliver(b"two")
    assert [waiting.name for waiting in everything(opened(some))] == [later]


def test_what_was_read_and_not_settled_is_given_again(some: SomeMaildir) -> None:
    some.deliver(b"one")
    mailbox = opened(some)
    assert everything(mailbox) == everything(mailbox) != []


def test_of_what_is_gone_nothing_is_remembered(some: SomeMaildir) -> None:
    names = [some.deliver(b"x") for _ in range(BATCH + 1)]
    mailbox = opened(some)
    mailbox.settle([], everything(mailbox))
    (some.folder / "new" / names[0]).unlink()
    everything(mailbox)
    assert Remembered(some.folder.parent / "seen").lines() == names[1:]


def test_the_oldest_come_first_and_a_few_at_a_time(some: SomeMaildir) -> None:
    names = [some.deliver(b"x") for _ in range(2 * BATCH + 1)]
    batches = [[waiting.name for waiting in batch] for batch in opened(some).batches()]
    assert [len(batch) for batch in batches] == [BATCH, BATCH, 1]
    assert [name for batch in batches for name in batch] == names


def test_of_a_large_message_the_beginning_is_read(some: SomeMaildir) -> None:
    some.deliver(b"x" * 5000)
    assert [len(waiting.data) for waiting in everything(opened(some))] == [1000]


def test_what_is_no_message_is_left_alone(some: SomeMaildir, tmp_path: Path) -> None:
    new = some.folder / "new"
    (tmp_path / "secret").write_text("of somebody else")
    (new / "link").symlink_to(tmp_path / "secret")
    (new / "folder").mkdir()
    os.mkfifo(new / "pipe")
    (new / ".hidden").write_text("x")
    (new / "two\nlines").write_text("x")
    assert everything(opened(some)) == []
    assert len(some.new) == 5


def test_whatever_another_program_does_meanwhile_is_no_mistake(some: SomeMaildir) -> None:
    name = some.deliver(b"one")
    mailbox = opened(some)
    taken = everything(mailbox)
    (some.folder / "new" / name).rename(some.folder / "cur" / f"{name}:2,FS")
    mailbox.settle(taken, [])
    assert some.cur == [f"{name}:2,FS"]


def test_no_message_takes_the_place_of_another(some: SomeMaildir) -> None:
    (some.folder / "cur" / "same:2,S").write_bytes(b"older")
    some.deliver(b"newer", "same")
    mailbox = opened(some)
    mailbox.settle(everything(mailbox), [])
    assert {(some.folder / "cur" / name).read_bytes() for name in some.cur} == {b"older", b"newer"}


@pytest.mark.parametrize("missing", ["new", "cur"])
def test_a_folder_that_is_no_maildir_is_named(some: SomeMaildir, missing: str) -> None:
    (some.folder / missing).rmdir()
    for act in (lambda: everything(opened(some)), lambda: look(some.folder)):
        with pytest.raises(MailboxUnavailable, match=f"{some.folder}/{missing}: No such file") as caught:
            act()
        assert caught.value.obstacle is Obstacle.FOLDER


def test_one_message_that_may_not_be_read_does_not_keep_others_from_being(
    some: SomeMaildir, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names = [some.deliver(b"x") for _ in range(3)]
    real = os.open

    def refuse(path: str | Path, flags: int, *rest: int) -> int:  # root may read anything
        if str(path).endswith(names[0]):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    mailbox = opened(some)
    found = everything(mailbox)
    assert [waiting.name for waiting in found] == names[1:]
    mailbox.settle(found, [])
    caplog.clear()
    assert everything(opened(some)) == []  # nor does it slow down the rounds after that, in which it is alone
    (warning,) = caplog.records
    assert (warning.levelno, warning.message) == (
        logging.WARNING,
        "messages that the mailbox does not give out stay in it",
    )
    assert warning.__dict__["messages"] == 1
    assert some.new == names[:1]


def test_when_a_message_came_is_known_by_its_name_or_the_time_of_its_file(some: SomeMaildir) -> None:
    named, other, copied = some.deliver(b"1", "1764510000.M1.mx"), some.deliver(b"2", "x"), some.deliver(b"3")
    for name, seconds in ((named, 1764510009), (other, 1764510007), (copied, 1764400000)):
        os.utime(some.folder / "new" / name, (seconds, seconds))
    came = {waiting.name: waiting.came_at for waiting in everything(opened(some))}
    known = {named: 1764510000, other: 1764510007, copied: 1764400000}
    assert came == {name: datetime.fromtimestamp(each, UTC) for name, each in known.items()}


def test_what_cannot_be_moved_is_said(some: SomeMaildir) -> None:
    some.deliver(b"x")
    mailbox = opened(some)
    taken = everything(mailbox)
    (some.folder / "cur").rmdir()
    (some.folder / "cur").write_text("no folder")
    with pytest.raises(MailboxUnavailable) as caught:
        mailbox.settle(taken, [])
    assert caught.value.obstacle is Obstacle.CLEARING


def test_two_programs_do_not_read_one_mailbox(tmp_path: Path) -> None:
    with alone_with(tmp_path / "mailboxes", "one"):
        with pytest.raises(AlreadyFetching), alone_with(tmp_path / "mailboxes", "one"):
            pass
        with alone_with(tmp_path / "mailboxes", "another"):
            pass
    with alone_with(tmp_path / "mailboxes", "one") as remembered:
        assert remembered.lines() == []
    assert (tmp_path / "mailboxes").stat().st_mode & 0o777 == 0o700
