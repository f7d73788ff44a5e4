"""kill -9 of the web part while texts are saved and files come in: what was answered is there, and nothing is there by
half."""

import http.client
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from html import unescape
from pathlib import Path

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle, text_versions
from mailer.campaigns.text_names import TextName
from mailer.organisers import desk_sessions
from mailer.settings import load_settings
from mailer.spreadsheets import upload_work, uploads
from mailer.spreadsheets.uploads import Store
from mailer.store.db import session_scope
from mailer.store.models import AuditEntry, Import, ImportState, Role
from mailer.store.sealed_files import open_sealed
from tests.acceptance import dying, mortal_site
from tests.acceptance.dying import POINTS
from tests.acceptance.system import System
from tests.support.accounts import make_account, make_session
from tests.support.factories import make_campaign, make_list
from tests.support.waiting import LONG, wait_for, wait_until

_WRITERS = 3
_KILLS = 6
_PARTS = ("subject", "preheader", "body")
_S = ImportState

# --- texts ----------------------------------------------------------------------------------------------------------


class Writer:
    """Somebody who saves one version of a text after another."""

    def __init__(self, engine: Engine, session: Session, number: int) -> None:
        self._engine = engine
        self.slug = f"alert-{number}"
        news = make_list(session, slug=f"news-{number}")
        make_campaign(session, news, slug=self.slug, body="This is version 0.\n")
        account = make_account(session, f"writer{number}@example.org", Role.WRITER)
        self._secret = make_session(session, account)
        self.answered, self.sent, self.unanswered = 0, 0, 0

    def save(self, port: int) -> int | None:
        """Open the text, and save the next version of it; returns the status of the answer, if there was one."""
        base, seen = wait_for(lambda: self._form(port))
        self.sent += 1
        fields = {
            "subject": f"Version {self.sent}",
            "preheader": f"What to do, in version {self.sent}.",
            "body": f"This is version {self.sent}.\n" + "Write to the embassy today.\n" * 200,
        }
        form = {"base": base, "seen": seen, **fields}
        status = mortal_site.press(port, self._secret, f"/campaigns/{self.slug}/texts/en", form)
        # A save that was not answered may be done a moment later: this one then is the second to the same version.
        assert status in (303, None) or (status == 409 and self.unanswered), status
        if status == 303:
            self.answered = self.sent
        self.unanswered += status is None
        self.require_whole()
        return status

    def _form(self, port: int) -> tuple[str, str] | None:
        """What the page of the text holds unseen; none where nobody answers."""
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)) as connection:
            try:
                path = f"/desk/campaigns/{self.slug}/texts/en"
                connection.request("GET", path, headers=mortal_site.headers_of(self._secret))
                page = connection.getresponse().read().decode()
            except (OSError, http.client.HTTPException):
                return None
        found = dict(re.findall(r'<input type="hidden" name="(base|seen)" value="([^"]*)"', page))
        return unescape(found["base"]), unescape(found["seen"])

    def require_whole(self) -> None:
        """Insist that the text is of one version in all its parts, and none older than what was answered."""
        wait_until(self._is_whole)  # while a save that nobody heard of ends, two statements may read two of them

    def _is_whole(self) -> bool:
        with session_scope(self._engine, read_only=True) as session:
            campaign = lifecycle.get(session, self.slug)
            latest = text_versions.latest(session, campaign)[TextName("en")]
            assert latest.written is not None
            kept = {_version(getattr(latest.written, part)) for part in _PARTS}
            [text] = campaign.texts
            goes_out = {_version(getattr(text, part)) for part in _PARTS}
            who_changed = select(AuditEntry.action).where(AuditEntry.subject == self.slug)
            is_written_down = "campaigns.write" in session.scalars(who_changed).all()
        is_one = len(kept) == 1 and goes_out == kept and self.answered <= max(kept) <= self.sent
        return is_one and (is_written_down or not self.answered)


def _version(words: str) -> int:
    """Which version of a text words are of; 0 for what it said before anybody saved it."""
    found = re.search(r"ersion (\d+)", words)
    return int(found[1]) if found else 0


@contextmanager
def _killing(port: int, chance: random.Random, done: Callable[[], bool]) -> Iterator[None]:
    """Have what answers be killed at any moment, over and over."""
    is_over = threading.Event()

    def kill() -> None:
        while not is_over.wait(chance.uniform(0.05, 1.0)) and not done():
            mortal_site.kill_what_answers(port)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        is_over.set()
        killer.join()


def test_each_text_that_was_saved_is_there_and_none_by_half(system: System, engine: Engine, tmp_path: Path) -> None:
    with session_scope(engine) as session:
        writers = [Writer(engine, session, number) for number in range(_WRITERS)]
    first = writers[0]
    with mortal_site.serving(system, tmp_path) as port, ThreadPoolExecutor(_WRITERS) as people:
        assert first.save(port) == 303
        for point in POINTS:
            with dying.at(tmp_path, point):
                assert first.save(port) is None
                assert not dying.is_to_come(tmp_path)
            assert first.save(port) in (303, 409)

        def unanswered() -> int:
            return sum(writer.unanswered for writer in writers) - len(POINTS)

        def write(writer: Writer) -> None:
            while unanswered() < _KILLS:
                writer.save(port)

        with _killing(port, random.Random(1), lambda: unanswered() >= _KILLS):
            list(people.map(write, writers))
    for writer in writers:  # all of the site is gone, and is started again
        writer.require_whole()
    with mortal_site.serving(system, tmp_path) as port:
        for writer in writers:
            assert writer.save(port) == 303
    assert first.answered == first.sent


# --- files ----------------------------------------------------------------------------------------------------------

_LINES = 40_000
_FILE = b"email,name\n" + b"".join(b"p%d@example.net,Ana\n" % number for number in range(_LINES))
_BOUNDARY = "a-boundary"


class Importer:
    """Somebody who uploads files."""

    def __init__(self, engine: Engine, store: Store, port: int) -> None:
        self._engine, self._store, self._port = engine, store, port
        with session_scope(engine) as session:
            make_list(session)
            self._secret = make_session(session, make_account(session, "rosa@example.org", Role.PUBLISHER))

    def upload(self, *, kill_after: int | None = None) -> int | None:
        """Send a file; returns the number of its import, None where there was no answer.

        :param kill_after: bytes of it after which the server dies.
        """
        field = "--{}\r\nContent-Disposition: form-data; name={}\r\n\r\n{}\r\n"
        token = field.format(_BOUNDARY, "form_token", desk_sessions.form_token(self._secret))
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name=file; filename="people.csv"\r\n\r\n'
        body = token.encode() + head.encode() + _FILE + f"\r\n--{_BOUNDARY}--\r\n".encode()
        headers = mortal_site.headers_of(self._secret) | {
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
            "Content-Length": str(len(body)),
        }
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONG)) as connection:
            try:
                connection.request("POST", "/desk/supporters/imports", None, headers)
                if kill_after is not None:
                    before = set(self.files())
                    connection.send(body[:kill_after])
                    wait_until(lambda: set(self.files()) - before)
                    mortal_site.kill_what_answers(self._port)
                connection.send(body[kill_after or 0 :])
                answer = connection.getresponse()
                assert answer.status == 303, answer.status
                return int(str(answer.headers["Location"]).rpartition("/")[2])
            except (OSError, http.client.HTTPException):
                return None

    def press(self, number: int, what: str, **fields: str) -> int | None:
        """Press a button on the page of an import."""
        return mortal_site.press(self._port, self._secret, f"/supporters/imports/{number}/{what}", fields)

    def files(self) -> list[str]:
        """What lies on the disk."""
        with suppress(FileNotFoundError):
            return sorted(path.name for path in self._store.folder.iterdir())
        return []

    def standing(self) -> dict[int, ImportState]:
        """The list of imports. Each that has a file has all of it."""
        with session_scope(self._engine, read_only=True) as session:
            found = uploads.latest(session)
            for each in found:
                if each.file is not None:
                    with open_sealed(self._store.path(each.file), self._store.keyring) as file:
                        assert file.read() == _FILE
                else:
                    assert each.state is _S.DROPPED
            return {each.id: each.state for each in found}

    def named(self) -> list[str]:
        """The files that an import has."""
        with session_scope(self._engine, read_only=True) as session:
            return sorted(filter(None, session.scalars(select(Import.file))))


def test_of_an_upload_that_was_killed_all_is_there_or_nothing(system: System, engine: Engine, tmp_path: Path) -> None:
    settings = load_settings(system.environment, directory=system.folder)
    store = Store.of(settings.data_dir, settings.keyring)
    with mortal_site.serving(system, tmp_path) as port:
        rosa = Importer(engine, store, port)
        for part in (200_000, len(_FILE) // 2, len(_FILE)):
            assert rosa.upload(kill_after=part) is None
            assert rosa.standing() == {}, "nobody is shown half a file"
        for point in POINTS:
            with dying.at(tmp_path, point):
                assert wait_for(lambda: _answered(port)) and rosa.upload() is None
                assert not dying.is_to_come(tmp_path)
            wait_until(lambda: _answered(port))
        wait_until(rosa.standing)  # what was committed without an answer
        assert list(rosa.standing().values()) == [_S.UPLOADED]
        [number] = rosa.standing()
        for what, fields, after in (
            ("terms", {"list": "urgent-actions", "consent": "I want urgent actions."}, _S.LOOKING),
            ("confirm", {}, _S.IMPORTING),
        ):
            before = rosa.standing()[number]
            for point in POINTS:
                _press_and_die(rosa, number, what, fields, point, folder=tmp_path, port=port)
                if point == POINTS[-1]:
                    wait_until(lambda after=after: rosa.standing()[number] is after)  # type: ignore[misc]
                else:
                    assert rosa.standing()[number] is before
            if after is _S.LOOKING:
                upload_work.work(engine, store, number, lambda: False)
                with session_scope(engine, read_only=True) as session:
                    assert (session.get_one(Import, number).found or {})["created"] == _LINES
        second = rosa.upload()
        assert second is not None
        _press_and_die(rosa, second, "drop", {}, POINTS[-1], folder=tmp_path, port=port)
        wait_until(lambda: rosa.standing()[second] is _S.DROPPED)
        stray = set(rosa.files()) - set(rosa.named())
        assert len(stray) == 6, "three halves, two whole ones that nobody has, and one that was dropped"
    _require_cleared(system, engine, rosa, store)


def _answered(port: int) -> bool | None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)) as connection, suppress(OSError):
        connection.request("GET", "/healthz", headers={"Host": "act.example.org"})
        return connection.getresponse().status == 200 or None
    return None


def _press_and_die(
    rosa: Importer, number: int, what: str, fields: dict[str, str], point: str, *, folder: Path, port: int
) -> None:
    wait_until(lambda: _answered(port))
    with dying.at(folder, point):
        assert rosa.press(number, what, **fields) is None
        assert not dying.is_to_come(folder)


def _require_cleared(system: System, engine: Engine, rosa: Importer, store: Store) -> None:
    """Insist that a worker, three hours later, deletes what no import has, and nothing else."""
    then = time.time() - 3 * 3600
    for name in rosa.files():
        os.utime(store.path(name), (then, then))
    with session_scope(engine) as session:  # so that the file of the import stays
        session.execute(update(Import).where(Import.state == _S.IMPORTING).values(state=_S.LOOKED))
    assert Counter(rosa.standing().values()) == {_S.LOOKED: 1, _S.DROPPED: 1}
    system.start_worker()
    wait_until(lambda: rosa.files() == rosa.named())
    assert Counter(rosa.standing().values()) == {_S.LOOKED: 1, _S.DROPPED: 1}
