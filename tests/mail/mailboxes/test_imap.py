"""What was handled leaves a folder on an IMAP server, nothing else does, and no fault of the server loses a message."""

import base64
import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from mailer.mail.mailboxes import imap_session, imap_words
from mailer.mail.mailboxes.imap import Imap
from mailer.mail.mailboxes.imap_login import Password
from mailer.mail.mailboxes.imap_session import Secret
from mailer.mail.mailboxes.remembered import Remembered
from mailer.mail.mailboxes.types import BATCH, Disposal, ImapFolder, MailboxUnavailable, Obstacle, Waiting
from tests.support.imap_server import AFTER, BEFORE, SILENT, Behaviour, Folder, ImapServer

Serve = Callable[[Behaviour], ImapServer]


class Account:
    """Somebody's mailbox on a server, opened as often as a test wants."""

    def __init__(self, server: ImapServer, context: ssl.SSLContext, folder: Path) -> None:
        self.server, self.context = server, context
        self.remembered = Remembered(folder / "seen")
        self.place = ImapFolder("127.0.0.1", "box@example.org", server.port)
        self.secret: Secret = Password("right")

    @contextmanager
    def open(self, disposal: Disposal = Disposal.KEEP, most_bytes: int = 1000) -> Iterator[Imap]:
        with imap_session.opened(self.place, self.secret, context=self.context) as session:
            yield Imap(session, self.remembered, disposal=disposal, most_bytes=most_bytes)

    def settle_all(self, *, handles: bool, disposal: Disposal = Disposal.KEEP) -> list[Waiting]:
        """Take all, and have it leave or stay."""
        taken: list[Waiting] = []
        with self.open(disposal) as mailbox:
            for batch in mailbox.batches():
                taken += batch
                mailbox.settle(batch if handles else [], [] if handles else batch)
        return taken

    def data(self) -> list[bytes]:
        """What a look gives, which settles nothing."""
        with self.open() as mailbox:
            return [waiting.data for batch in mailbox.batches() for waiting in batch]


@pytest.fixture
def account(serve: Serve, trusting: ssl.SSLContext, tmp_path: Path) -> Callable[..., Account]:
    def make(**changes: object) -> Account:
        return Account(serve(replace(Behaviour(), **changes)), trusting, tmp_path)  # type: ignore[arg-type]  # of this test

    return make


MakeAccount = Callable[..., Account]
ALL = Behaviour().capabilities
WITHOUT_MOVE = ("IMAP4rev1", "AUTH=PLAIN", "UIDPLUS")
BARE = ("IMAP4rev1", "AUTH=PLAIN")


# --- taking, and letting go -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("capabilities", [ALL, WITHOUT_MOVE], ids=["MOVE", "UIDPLUS"])
@pytest.mark.parametrize("prefix", ["", "INBOX."])
def test_what_was_handled_is_moved_to_a_folder_beside_marked_as_read(
    account: MakeAccount, capabilities: tuple[str, ...], prefix: str
) -> None:
    box = account(capabilities=(*capabilities, "NAMESPACE"), prefix=prefix)
    for number in range(3):
        box.server.inbox.add(b"message %d\r\n" % number)
    taken = box.settle_all(handles=True)
    assert [(waiting.name, waiting.data) for waiting in taken] == [
        (str(n + 1), b"message %d\r\n" % n) for n in range(3)
    ]
    handled = box.server.folders[f"{prefix}Tocsin"]
    assert [mail.data for mail in handled.mails.values()] == [waiting.data for waiting in taken]
    assert all("\\Seen" in mail.flags for mail in handled.mails.values())
    assert box.server.inbox.mails == {}
    assert box.server.subscribed == {f"{prefix}Tocsin"}


def test_or_deleted_and_nothing_that_others_marked_as_deleted(account: MakeAccount) -> None:
    box = account()
    others = box.server.inbox.add(b"thrown away, perhaps", {"\\Deleted"})
    box.server.inbox.add(b"ours")
    with box.open(Disposal.DELETE) as mailbox:
        [[first, second]] = mailbox.batches()
        mailbox.settle([second], [first])
    assert list(box.server.inbox.mails) == [others]


@pytest.mark.parametrize("disposal", Disposal)
def test_a_server_that_cannot_expunge_single_messages_only_marks_them(account: MakeAccount, disposal: Disposal) -> None:
    box = account(capabilities=BARE)
    others = box.server.inbox.add(b"thrown away, perhaps", {"\\Deleted"})
    ours = box.server.inbox.add(b"ours")
    with box.open(disposal) as mailbox:
        [[first, second]] = mailbox.batches()
        mailbox.settle([second], [first])
    assert set(box.server.inbox.mails) == {others, ours}
    assert "\\Deleted" in box.server.inbox.mails[ours].flags
    assert box.data() == []
    assert not [command for command in box.server.commands if command.startswith(("EXPUNGE", "CLOSE"))]


def test_what_is_left_stays_unread_and_is_not_fetched_again(account: MakeAccount) -> None:
    box = account()
    box.server.inbox.add(b"to Rosa")
    box.settle_all(handles=False)
    assert [(mail.data, mail.flags) for mail in box.server.inbox.mails.values()] == [(b"to Rosa", set())]
    fetched = len(box.server.said("BODY"))
    assert box.data() == []
    box.server.inbox.add(b"later")
    assert box.data() == [b"later"]
    assert len(box.server.said("BODY")) == fetched + 1


def test_what_was_taken_and_not_settled_is_given_again(account: MakeAccount) -> None:
    box = account()
    box.server.inbox.add(b"one")
    given = []
    for _ in range(2):
        with box.open() as mailbox:
            given += [waiting for batch in mailbox.batches() for waiting in batch]
    assert given[0] == given[1]


@pytest.mark.parametrize(
    ("said", "came_at"),
    [
        ("17-Jul-2026 02:44:25 -0700", datetime(2026, 7, 17, 9, 44, 25, tzinfo=UTC)),
        (" 1-jan-2026 00:00:00 +0000", datetime(2026, 1, 1, tzinfo=UTC)),
        ("31-Feb-2026 00:00:00 +0000", None),
        ("01-Xyz-2026 00:00:00 +0000", None),
        ("31-Dec-9999 23:00:00 -2300", None),
        ("01-Jan-2026 00:00:00 +9999", None),
        ("yesterday", None),
    ],
)
def test_it_is_known_when_a_message_came_if_the_server_says_so(
    account: MakeAccount, said: str, came_at: datetime | None
) -> None:
    box = account()
    box.server.inbox.mails[box.server.inbox.add(b"one")].came = said
    with box.open() as mailbox:
        assert [waiting.came_at for batch in mailbox.batches() for waiting in batch] == [came_at]


def test_a_folder_that_was_made_anew_is_looked_at_anew(account: MakeAccount) -> None:
    box = account()
    for _ in range(3):
        box.server.inbox.add(b"x")
    box.settle_all(handles=False)
    box.server.folders["INBOX"] = Folder(validity=9)
    box.server.inbox.add(b"restored")
    assert box.data() == [b"restored"]


def test_messages_come_a_few_at_a_time_the_oldest_first_and_large_ones_fewer(account: MakeAccount) -> None:
    box = account()
    for number in range(BATCH + 1):
        box.server.inbox.add(b"%d" % number)
    for _ in range(6):
        box.server.inbox.add(b"x" * 2**20)
    with box.open(most_bytes=2**20) as mailbox:
        batches = [[waiting.name for waiting in batch] for batch in mailbox.batches()]
    assert [len(batch) for batch in batches] == [BATCH, 4, 3]
    assert [int(name) for batch in batches for name in batch] == list(range(1, BATCH + 8))


@pytest.mark.parametrize("uid_behind", [False, True])
def test_of_a_large_message_the_beginning_is_read(account: MakeAccount, uid_behind: bool) -> None:
    box = account(uid_behind=uid_behind)
    box.server.inbox.add(b"x" * 5000)
    box.server.inbox.add(b"")
    assert box.data() == [b"x" * 1000, b""]
    assert box.server.said("BODY") == ["UID FETCH 1,2 (UID BODY.PEEK[]<0.1000>)"]


def test_an_empty_folder_has_nothing_new(account: MakeAccount) -> None:
    assert account().data() == []


@pytest.mark.parametrize(
    ("folder", "name"), [("Zurückgekommen & so", "Zur&APw-ckgekommen &- so"), ('a"b\\c', 'a"b\\c')]
)
def test_a_folder_may_have_any_name(account: MakeAccount, folder: str, name: str) -> None:
    box = account()
    box.server.folders[name] = Folder()
    box.server.folders[name].add(b"x")
    box.place = replace(box.place, folder=folder)
    assert box.data() == [b"x"]


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disposal", Disposal)
@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("at", ["CAPABILITY", "SELECT", "FETCH", "BODY", "STORE", "MOVE", "COPY", "CREATE", "EXPUNGE"])
def test_wherever_it_hangs_up_all_messages_have_left_once_it_no_longer_does(
    account: MakeAccount, disposal: Disposal, when: str, at: str
) -> None:
    box = account(capabilities=WITHOUT_MOVE if at == "COPY" else ALL)
    for number in range(BATCH + 2):
        box.server.inbox.add(b"%d" % number)
    box.server.behaviour.instead = lambda command: when if at in command else None
    taken: set[bytes] = set()
    try:
        taken |= {waiting.data for waiting in box.settle_all(handles=True, disposal=disposal)}
    except MailboxUnavailable as problem:
        assert problem.obstacle is Obstacle.CONNECTION
        assert "box@" not in str(problem)
    box.server.behaviour.instead = lambda _: None
    taken |= {waiting.data for waiting in box.settle_all(handles=True, disposal=disposal)}
    assert box.server.inbox.mails == {}
    kept = {mail.data for mail in box.server.folders.get("Tocsin", Folder()).mails.values()}
    everything = {b"%d" % number for number in range(BATCH + 2)}
    assert kept == (everything if disposal is Disposal.KEEP else set())


@pytest.mark.parametrize("answer", ["NO [OVERQUOTA] it is full", "BAD what?"])
def test_what_cannot_be_moved_is_given_again_and_nothing_else_is(account: MakeAccount, answer: str) -> None:
    box = account()
    for number in range(2 * BATCH):
        box.server.inbox.add(b"%d" % number)
    box.server.behaviour.instead = lambda command: answer if "MOVE" in command else None
    with box.open() as mailbox:
        first, second = mailbox.batches()
        with pytest.raises(MailboxUnavailable, match=r"it is full|what\?") as caught:
            mailbox.settle(first[:5], first[5:])
        assert caught.value.obstacle is Obstacle.CLEARING
        mailbox.settle([], second)
    assert box.data() == [waiting.data for waiting in first[:5]]
    box.server.behaviour.instead = lambda _: None
    box.settle_all(handles=True)
    assert box.data() == []
    assert len(box.server.inbox.mails) == 2 * BATCH - 5


def test_one_message_that_it_cannot_give_does_not_keep_others_from_being_read(
    account: MakeAccount, caplog: pytest.LogCaptureFixture
) -> None:
    box = account()
    for number in range(3):
        box.server.inbox.add(b"%d" % number)
    broken = ("FETCH 1,2,3 (UID B", "FETCH 2 (UID B")
    box.server.behaviour.instead = lambda command: "NO [SERVERBUG]" if any(b in command for b in broken) else None
    with caplog.at_level(logging.WARNING):
        assert [waiting.data for waiting in box.settle_all(handles=True)] == [b"0", b"2"]
    assert "messages that the mailbox does not give out" in caplog.text
    assert box.data() == []
    assert list(box.server.inbox.mails) == [2]


def test_while_it_gives_no_message_none_is_passed_over(account: MakeAccount) -> None:
    box = account()
    for number in range(3):
        box.server.inbox.add(b"%d" % number)
    box.server.behaviour.instead = lambda command: "NO [UNAVAILABLE] later" if "BODY" in command else None
    with pytest.raises(MailboxUnavailable, match="later"):
        box.settle_all(handles=True)
    box.server.behaviour.instead = lambda _: None
    assert box.data() == [b"0", b"1", b"2"]


def test_a_message_that_another_program_takes_away_meanwhile_is_no_mistake(account: MakeAccount) -> None:
    box = account()
    for number in range(2):
        box.server.inbox.add(b"%d" % number)

    def vanish(command: str) -> None:
        if "BODY" in command:
            box.server.inbox.mails.pop(1, None)

    box.server.behaviour.instead = vanish
    assert [waiting.data for waiting in box.settle_all(handles=True)] == [b"1"]
    assert box.server.inbox.mails == {}


def test_a_server_that_sends_more_than_was_asked_for_is_not_read_to_the_end(account: MakeAccount) -> None:
    box = account(whole=True)
    box.server.inbox.add(b"x" * 2**22)
    with pytest.raises(MailboxUnavailable, match="more than it was asked for"):
        box.data()


@pytest.mark.parametrize(
    ("changes", "obstacle", "said"),
    [
        ({"password": "other"}, Obstacle.LOGIN, r"\[AUTHENTICATIONFAILED\] \(user name\) is not let in"),
        ({"password": "other", "capabilities": ("IMAP4rev1",)}, Obstacle.LOGIN, "AUTHENTICATIONFAILED"),
        ({"capabilities": ("IMAP4rev1", "LOGINDISABLED")}, Obstacle.LOGIN, "no log-in with a password"),
        ({"greeting": "* BYE too many connections"}, Obstacle.CONNECTION, "too many connections"),
        ({"greeting": "220 mail.example.org ESMTP"}, Obstacle.CONNECTION, "unexpected response"),
    ],
)
def test_who_is_not_let_in_hears_why_and_no_name(
    account: MakeAccount, changes: dict[str, object], obstacle: Obstacle, said: str
) -> None:
    with pytest.raises(MailboxUnavailable, match=said) as caught:
        account(**changes).data()
    assert caught.value.obstacle is obstacle
    assert "box" not in str(caught.value).replace("mailbox", "").replace("INBOX", "")
    assert "right" not in str(caught.value.problem)


@pytest.mark.parametrize("said", ["{response}", "{response:.28}", "LOGIN {quoted}", "{percent}", "{user} {password}"])
def test_a_server_that_repeats_the_password_in_any_form_is_not_quoted(account: MakeAccount, said: str) -> None:
    box = account(password='sword"fish 77')
    user, password = box.server.behaviour.user, box.server.behaviour.password
    box.secret = Password(password)
    forms = {
        "response": base64.b64encode(f"\0{user}\0{password}".encode()).decode(),
        "quoted": imap_words.quoted(password),
        "percent": quote(password, safe=""),
    }
    words = said.format(user=user.upper(), password=password.upper(), **forms)
    box.server.behaviour.instead = lambda command: f"BAD what is {words}" if "AUTHENTICATE" in command else None
    with pytest.raises(MailboxUnavailable, match="its words repeat the password") as caught:
        box.data()
    assert words not in str(caught.value)


def test_nor_is_the_name_in_other_letters(account: MakeAccount) -> None:
    box = account()
    box.server.behaviour.instead = lambda command: "NO no BOX@Example.ORG here" if "SELECT" in command else None
    with pytest.raises(MailboxUnavailable, match=r"no \(user name\) here"):
        box.data()


@pytest.mark.parametrize("capabilities", [("IMAP4rev1",), BARE])
@pytest.mark.parametrize("password", ['with "quotes" and \\', "with spaces  "])
def test_a_password_may_have_any_signs(account: MakeAccount, capabilities: tuple[str, ...], password: str) -> None:
    box = account(password=password, capabilities=capabilities)
    box.secret = Password(password)
    assert box.data() == []


def test_and_any_letters_if_the_server_can_take_them(account: MakeAccount) -> None:
    box = account(password="pässwörd")
    box.secret = Password("pässwörd")
    assert box.data() == []
    box.server.behaviour.capabilities = ("IMAP4rev1",)
    with pytest.raises(MailboxUnavailable, match="only ASCII"):
        box.data()


def test_what_it_offers_only_after_the_log_in_is_used(account: MakeAccount) -> None:
    box = account(to_strangers=BARE)
    box.server.inbox.add(b"x")
    box.settle_all(handles=True)
    assert box.server.inbox.mails == {}


def test_a_folder_that_is_not_there_is_said(account: MakeAccount) -> None:
    box = account()
    box.place = replace(box.place, folder="Bounces")
    with pytest.raises(MailboxUnavailable, match=r"Bounces on .* doesn't exist") as caught:
        box.data()
    assert caught.value.obstacle is Obstacle.FOLDER


def test_a_folder_without_lasting_numbers_is_not_used(account: MakeAccount) -> None:
    box = account()
    box.server.inbox.validity = 0
    with pytest.raises(MailboxUnavailable, match="UIDVALIDITY"):
        box.data()


def test_a_certificate_that_nobody_vouches_for_is_refused(account: MakeAccount) -> None:
    box = account()
    box.context = ssl.create_default_context()
    with pytest.raises(MailboxUnavailable, match="certificate") as caught:
        box.data()
    assert caught.value.obstacle is Obstacle.CERTIFICATE
    assert box.server.commands == []


def test_a_server_that_is_not_there_is_said(account: MakeAccount) -> None:
    box = account()
    box.place = replace(box.place, port=1)
    with pytest.raises(MailboxUnavailable, match="refused") as caught:
        box.data()
    assert caught.value.obstacle is Obstacle.CONNECTION


def test_one_that_says_nothing_is_left_in_time(account: MakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_session, "_SECONDS", 0.2)
    box = account(instead=lambda command: SILENT if "SELECT" in command else None)
    with pytest.raises(MailboxUnavailable, match="did not answer in time") as caught:
        box.data()
    assert caught.value.obstacle is Obstacle.CONNECTION
