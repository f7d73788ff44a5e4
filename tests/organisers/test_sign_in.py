"""Signing in: who gets in, what everybody else is told, and how often anybody may try."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer.operations import housekeeping
from mailer.organisers import accounts, attempts, desk_sessions, passwords, recovery_codes, sign_in
from mailer.organisers.sign_in import Given, Proven, Refused, SignedIn
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, AuditEntry, DeskSession, KnownBrowser, Role, SignInFailure
from tests.support.accounts import PASSWORD, code, given, make_account, make_session
from tests.support.concurrency import Beside
from tests.support.factories import WHEN

MINUTE = timedelta(minutes=1)
WRONG = "five calm green boats"


class Desk:
    """Somebody at the sign-in page."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sessions = partial(session_scope, engine)
        with session_scope(engine) as session:
            self.rosa = make_account(session, "rosa@example.org", Role.WRITER)

    def given(self, at: datetime = WHEN, **changes: str | None) -> Given:
        """What Rosa would give at a moment."""
        return given(self.rosa, at, **changes)

    def come(self, at: datetime = WHEN, /, **changes: str | None) -> SignedIn | Refused:
        return sign_in.sign_in(self.sessions, self.given(at, **changes), at=at)

    def fail(self, *networks: str, address: str = "rosa@example.org") -> None:
        """Have failed once from each network, without being asked for a password."""
        keyring = keyring_of(self.engine)
        with session_scope(self.engine) as session:
            session.add_all(
                SignInFailure(
                    account_hash=keyring.account_digest("tried", address),
                    network_hash=keyring.account_digest("network", network),
                    at=WHEN,
                )
                for network in networks
            )

    def failures(self) -> int:
        with session_scope(self.engine) as session:
            return session.scalar(select(func.count()).select_from(SignInFailure)) or 0

    def wait(self, at: datetime = WHEN, /, **changes: str | None) -> timedelta | None:
        """How long somebody with a wrong password has to wait; None if it was looked at."""
        outcome = self.come(at, **({"password": WRONG} | changes))
        assert isinstance(outcome, Refused)
        return outcome.wait


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often a password was compared, by what was computed."""
    costs = []
    compare = PasswordHasher.verify

    def verify(self: PasswordHasher, kept: str, password: str) -> object:
        costs.append(kept.rpartition("$")[0].rpartition("$")[0])
        return compare(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return costs


def test_password_and_code_open_a_session_which_the_log_tells_of(desk: Desk, session: Session) -> None:
    signed_in = desk.come(browser_label="Firefox", network_label="192.0.2.0")
    assert isinstance(signed_in, SignedIn)
    assert desk.failures() == 0
    found = desk_sessions.find(session, signed_in.secret, at=WHEN)
    assert found is not None
    assert (found.account_id, found.id, found.label) == (desk.rosa.id, signed_in.session_id, "1")
    assert (found.browser, found.network, signed_in.session_label) == ("Firefox", "192.0.2.0", "1")
    assert desk_sessions.is_fresh(found, WHEN)
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.account_id, entry.session) == ("accounts.sign_in", desk.rosa.id, "1")
    assert signed_in.secret not in repr(signed_in)
    assert PASSWORD not in repr(desk.given())


@pytest.mark.parametrize(
    ("address", "code_typed"),
    [(" ROSA@Example.org ", None), ("rosa@example.org", "spaced"), ("rosa@example.org", "recovery")],
)
def test_how_things_are_written_does_not_matter(desk: Desk, address: str, code_typed: str | None) -> None:
    changes: dict[str, str | None] = {"address": address}
    if code_typed == "spaced":
        changes["code"] = " ".join(code(desk.rosa, WHEN))
    if code_typed == "recovery":
        with session_scope(desk.engine) as session:
            changes["code"] = recovery_codes.make(session, desk.rosa.id)[0].upper()
    assert isinstance(desk.come(**changes), SignedIn)
    again = desk.come(**changes)
    assert isinstance(again, Refused), "a code is good once"


def test_an_analyst_needs_no_second_factor(desk: Desk) -> None:
    with session_scope(desk.engine) as session:
        ana = make_account(session, "ana@example.org", Role.ANALYST)
        ana.totp_secret = None
    assert isinstance(desk.come(address="ana@example.org", code=""), SignedIn)


# --- the same answer ------------------------------------------------------------------------------------------------


def _disable(session: Session, rosa: Account) -> None:
    rosa.disabled_at = WHEN


def _uninvite(session: Session, rosa: Account) -> None:
    rosa.password_hash = rosa.totp_secret = None


def _use_code(session: Session, rosa: Account) -> None:
    rosa.totp_step = int(WHEN.timestamp()) // 30


def _no_factor(session: Session, rosa: Account) -> None:
    rosa.totp_secret = None


@pytest.mark.parametrize(
    ("before", "changes"),
    [
        (None, {"address": "nobody@example.org"}),
        (None, {"address": "no address"}),
        (None, {"address": ""}),
        (None, {"password": WRONG}),
        (None, {"password": ""}),
        (None, {"code": "000000"}),
        (None, {"code": ""}),
        (None, {"code": "abcde-fghjk"}),
        (None, {"password": WRONG, "code": "000000"}),
        (_use_code, {}),
        (_disable, {}),
        (_disable, {"password": WRONG}),
        (_uninvite, {}),
        (_uninvite, {"password": ""}),
        (_no_factor, {"password": WRONG}),
    ],
)
def test_whatever_is_wrong_the_answer_and_the_work_are_the_same(
    desk: Desk, hashed: list[str], before: Callable[[Session, Account], None] | None, changes: dict[str, str | None]
) -> None:
    with session_scope(desk.engine) as session:
        recovery_codes.make(session, desk.rosa.id)
        if before is not None:
            before(session, session.get_one(Account, desk.rosa.id))
    assert desk.come(**changes) == Refused(None)
    cost = passwords.PARAMETERS
    assert hashed == [f"$argon2id$v=19$m={cost.memory_cost},t={cost.time_cost},p={cost.parallelism}"]
    assert desk.failures() == 1
    with session_scope(desk.engine) as session:
        assert session.scalars(select(DeskSession)).all() == []
        assert session.scalars(select(KnownBrowser)).all() == []
        assert recovery_codes.left(session, desk.rosa.id) == 10


def test_a_wrong_password_uses_up_no_code(desk: Desk) -> None:
    with session_scope(desk.engine) as session:
        recovery = recovery_codes.make(session, desk.rosa.id)[0]
    for typed in (code(desk.rosa, WHEN), recovery):
        assert isinstance(desk.come(password=WRONG, code=typed), Refused)
        assert isinstance(desk.come(code=typed), SignedIn)


def test_no_transaction_is_open_while_a_password_is_hashed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = passwords.verify

    def verify(kept: str | None, password: str) -> bool:
        with session_scope(desk.engine) as session:  # on SQLite it would wait for one that is open
            session.execute(update(Account).values(language="en"))
        return compare(kept, password)

    monkeypatch.setattr(passwords, "verify", verify)
    assert isinstance(desk.come(), SignedIn)


def test_of_two_who_sign_in_with_the_same_code_at_once_one_gets_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    both, compare, outcomes = Barrier(2, timeout=10), passwords.verify, []

    def verify(kept: str | None, password: str) -> bool:
        both.wait()
        return compare(kept, password)

    monkeypatch.setattr(passwords, "verify", verify)
    comers = [Beside(lambda: outcomes.append(type(desk.come()))) for _ in range(2)]
    for comer in comers:
        comer.result()
    assert sorted(outcomes, key=str) == sorted([SignedIn, Refused], key=str)


def test_a_password_that_was_changed_meanwhile_is_not_good_any_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = passwords.verify

    def verify(kept: str | None, password: str) -> bool:
        with session_scope(desk.engine) as session:
            session.get_one(Account, desk.rosa.id).password_hash = passwords.hash(WRONG)
        return compare(kept, password)

    monkeypatch.setattr(passwords, "verify", verify)
    assert desk.come() == Refused(None)


def test_a_password_that_was_hashed_at_a_lower_cost_is_hashed_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PARAMETERS", replace(passwords.PARAMETERS, time_cost=2))
    assert isinstance(desk.come(), SignedIn)
    with session_scope(desk.engine) as session:
        kept = session.get_one(Account, desk.rosa.id).password_hash
    assert kept is not None
    assert not passwords.is_outdated(kept)
    assert passwords.verify(kept, PASSWORD)


# --- how often ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["rosa@example.org", "nobody@example.org"])
def test_after_five_failures_the_wait_grows_to_a_quarter_of_an_hour_and_no_further(desk: Desk, address: str) -> None:
    assert [desk.wait(address=address) for _ in range(5)] == [None] * 5
    at, waits = WHEN, []
    for _ in range(8):
        wait = desk.wait(at, address=address)
        assert wait is not None
        assert desk.wait(at + wait - timedelta(seconds=1), address=address) is not None
        waits.append(wait / MINUTE)
        at += wait
        assert desk.wait(at, address=address) is None
    assert waits == [0.5, 1, 2, 4, 8, 15, 15, 15]


def test_not_even_the_right_password_is_looked_at_before_the_wait_is_over(desk: Desk, hashed: list[str]) -> None:
    for _ in range(5):
        desk.wait()
    del hashed[:]
    assert desk.come() == Refused(timedelta(seconds=30))
    assert (hashed, desk.failures()) == ([], 5)
    assert isinstance(desk.come(WHEN + MINUTE), SignedIn)
    assert [desk.wait(WHEN + MINUTE) for _ in range(5)] == [None] * 5, "who got in begins anew"


def test_strangers_cannot_lock_the_owner_out_of_a_browser_that_is_known(desk: Desk) -> None:
    signed_in = desk.come()
    assert isinstance(signed_in, SignedIn)
    desk.fail(*(f"198.51.100.{number}" for number in range(145)), *["192.0.2.7"] * 5)
    assert desk.wait(network="203.0.113.1") == desk.wait(network="192.0.2.7") == timedelta(seconds=30)
    assert isinstance(desk.come(WHEN + MINUTE / 2, browser=signed_in.browser), SignedIn)


def test_a_stranger_in_one_network_cannot_lock_the_owner_out_elsewhere_in_a_day() -> None:
    failed, passed = 0, timedelta(0)
    while passed < timedelta(days=1):
        passed += attempts.FROM_ONE_PLACE.wait(failed)
        failed += 1
    assert 100 < failed < attempts.FROM_EVERYWHERE.free


def test_from_a_known_browser_one_may_not_try_for_ever_either(desk: Desk) -> None:
    signed_in = desk.come()
    assert isinstance(signed_in, SignedIn)
    assert [desk.wait(browser=signed_in.browser) for _ in range(6)] == [None] * 5 + [timedelta(seconds=30)]
    assert isinstance(desk.come(WHEN + MINUTE), SignedIn), "elsewhere that does not count"


def test_a_browser_is_known_to_its_own_account_alone(desk: Desk) -> None:
    with session_scope(desk.engine) as session:
        ana = make_account(session, "ana@example.org", Role.ADMIN)
    mine = sign_in.sign_in(desk.sessions, given(ana, WHEN), at=WHEN)
    assert isinstance(mine, SignedIn)
    for _ in range(5):
        desk.wait(browser=mine.browser)
    assert desk.wait() is not None
    hers = desk.come(WHEN + MINUTE, browser=mine.browser)
    assert isinstance(hers, SignedIn)
    assert hers.browser != mine.browser
    again = desk.come(WHEN + 2 * MINUTE, browser=hers.browser)
    assert isinstance(again, SignedIn)
    assert again.browser == hers.browser


def test_a_network_that_tries_many_accounts_has_to_wait(desk: Desk) -> None:
    for number in range(10):
        desk.fail(*["192.0.2.7"] * 5, address=f"nobody{number}@example.org")
    assert desk.wait(address="nobody51@example.org") == timedelta(seconds=15)
    assert desk.wait(address="nobody51@example.org", network="203.0.113.1") is None


def test_what_comes_at_once_is_counted_as_what_comes_one_after_the_other(desk: Desk) -> None:
    waits: list[timedelta | None] = []
    start = Barrier(8, timeout=10)

    def come() -> None:
        start.wait()
        waits.append(desk.wait())

    comers = [Beside(come) for _ in range(8)]
    for comer in comers:
        comer.result()
    assert waits.count(None) == 5


def test_failures_count_for_a_day_and_are_deleted_then(desk: Desk, session: Session) -> None:
    now = utcnow()
    for _ in range(5):
        desk.wait(now - timedelta(hours=25))
    assert desk.wait(now) is None
    housekeeping.tidy(desk.engine)
    assert desk.failures() == 1


def test_browsers_are_known_for_half_a_year(desk: Desk, session: Session) -> None:
    for days in (179, 181):
        assert isinstance(desk.come(utcnow() - timedelta(days=days), network=f"{days}"), SignedIn) or days == 181
    housekeeping.tidy(desk.engine)
    assert len(session.scalars(select(KnownBrowser)).all()) == 1


# --- once more ------------------------------------------------------------------------------------------------------


def test_who_proves_anew_that_it_is_they_has_another_secret_and_five_minutes(desk: Desk, session: Session) -> None:
    at = WHEN + 10 * MINUTE
    secret = make_session(session, desk.rosa, at=WHEN)
    session.commit()
    found = desk_sessions.find(session, secret, at=at)
    assert found is not None
    session.commit()
    prove = partial(sign_in.prove_again, desk.sessions, found.id, at=at)
    assert prove(WRONG, code(desk.rosa, at)) == prove(PASSWORD, "000000") == Refused(None)
    proven = prove(PASSWORD, code(desk.rosa, at))
    assert isinstance(proven, Proven)
    assert prove(PASSWORD, code(desk.rosa, at)) == Refused(None), "a code is good once"
    session.expire_all()
    assert desk_sessions.find(session, secret, at=at) is None
    renewed = desk_sessions.find(session, proven.secret, at=at)
    assert renewed is not None
    assert desk_sessions.is_fresh(renewed, at)


def test_whoever_found_a_session_open_may_not_try_passwords_in_it_for_ever(desk: Desk, session: Session) -> None:
    desk_session = desk_sessions.start(session, desk.rosa.id, at=WHEN).desk_session
    session.commit()
    prove = partial(sign_in.prove_again, desk.sessions, desk_session.id, WRONG, "000000", at=WHEN)
    assert [prove() for _ in range(6)] == [Refused(None)] * 5 + [Refused(timedelta(seconds=30))]
    assert isinstance(desk.come(), SignedIn)
    with session_scope(desk.engine) as other:
        accounts.disable(other, accounts.get(other, desk.rosa.id), WHEN)
    assert prove() == Refused(None)


def test_strangers_keep_nobody_who_is_signed_in_from_proving_who_they_are(desk: Desk, session: Session) -> None:
    desk_session = desk_sessions.start(session, desk.rosa.id, at=WHEN).desk_session
    session.commit()
    desk.fail(*map(str, range(attempts.FROM_EVERYWHERE.free)))
    assert desk.wait(), "it is a stranger's turn to wait"
    outcome = sign_in.prove_again(desk.sessions, desk_session.id, PASSWORD, code(desk.rosa, WHEN), at=WHEN)
    assert isinstance(outcome, Proven)
