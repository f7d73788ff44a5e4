"""The second factor: which codes are taken, each once."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.organisers import recovery_codes, totp
from mailer.store.db import session_scope
from mailer.store.models import RecoveryCode
from tests.support.accounts import TOTP_SECRET, code, make_account
from tests.support.concurrency import Beside
from tests.support.factories import WHEN

STEP = timedelta(seconds=30)


def test_the_codes_are_those_of_the_rfc() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B
    for seconds, digits in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        at = WHEN.fromtimestamp(seconds, WHEN.tzinfo)
        assert totp.verify(secret, digits, None, at) == seconds // 30


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_wrong_by_half_a_minute(session: Session, steps: int, is_taken: bool) -> None:
    rosa = make_account(session)
    step = totp.verify(TOTP_SECRET, code(rosa, WHEN + steps * STEP), None, WHEN)
    assert step == (totp.step_of(WHEN) + steps if is_taken else None)


def test_a_code_may_be_typed_with_spaces_and_in_other_digits(session: Session) -> None:
    digits = code(make_account(session), WHEN)
    arabic, persian = (digits.translate({ord("0") + n: start + n for n in range(10)}) for start in (0x660, 0x6F0))
    for typed in (digits, f" {digits[:3]} {digits[3:]}\n", f"{digits[:3]}-{digits[3:]}", arabic, f"\u200f{persian}"):
        assert totp.verify(TOTP_SECRET, typed, None, WHEN) is not None
    for typed in ("", "0", digits + "0", digits[1:], "ü" * 6, "½" * 6, digits * 2):
        assert totp.verify(TOTP_SECRET, typed, None, WHEN) is None


def test_no_code_is_right_where_there_is_no_secret() -> None:
    assert all(totp.verify(None, f"{number:06}", None, WHEN) is None for number in range(100))


def test_a_step_is_used_once_and_none_before_it_afterwards(session: Session) -> None:
    rosa = make_account(session)
    step = totp.verify(TOTP_SECRET, code(rosa, WHEN), None, WHEN)
    assert step is not None
    assert totp.use(session, rosa.id, step)
    assert not totp.use(session, rosa.id, step)
    assert not totp.use(session, rosa.id, step - 1)
    assert totp.use(session, rosa.id, step + 1)
    assert totp.verify(TOTP_SECRET, code(rosa, WHEN), step, WHEN) is None
    assert totp.verify(TOTP_SECRET, code(rosa, WHEN - STEP), step, WHEN) is None
    assert totp.verify(TOTP_SECRET, code(rosa, WHEN + STEP), step, WHEN) == step + 1


@pytest.mark.parametrize("kind", ["step", "recovery code"])
def test_of_two_who_come_with_the_same_code_at_once_one_gets_in(engine: Engine, kind: str) -> None:
    with session_scope(engine) as session:
        account_id = make_account(session).id
        recovery = recovery_codes.make(session, account_id)[0]
    step, outcomes = totp.step_of(WHEN), []

    def use(session: Session) -> None:
        if kind == "step":
            outcomes.append(totp.use(session, account_id, step))
        else:
            outcomes.append(recovery_codes.use(session, account_id, recovery, at=WHEN))

    def second() -> None:
        with session_scope(engine) as session:
            use(session)

    with session_scope(engine) as session:
        use(session)
        other = Beside(second)
        other.must_wait()
    other.result()
    assert outcomes == [True, False]


def test_an_app_is_told_whose_secret_it_is_and_of_which_organisation() -> None:
    uri = totp.uri(TOTP_SECRET, account="rosa@example.org", organisation="Harbour Solidarity")
    assert (
        uri
        == f"otpauth://totp/Harbour%20Solidarity:rosa%40example.org?secret={TOTP_SECRET}&issuer=Harbour%20Solidarity"
    )
    assert totp.new_secret() != totp.new_secret()
    assert len(totp.new_secret()) == 32


# --- recovery codes -------------------------------------------------------------------------------------------------


def test_there_are_ten_recovery_codes_that_nobody_misreads_each_for_once(session: Session) -> None:
    rosa, ana = make_account(session), make_account(session, "ana@example.org")
    codes = recovery_codes.make(session, rosa.id)
    assert len(set(codes)) == recovery_codes.left(session, rosa.id) == 10
    assert not set("".join(codes)) & set("01ilouILO")
    first, second, *_ = codes
    assert recovery_codes.is_one(session, rosa.id, first)
    assert not recovery_codes.use(session, ana.id, first, at=WHEN)
    assert recovery_codes.use(session, rosa.id, first, at=WHEN)
    assert not recovery_codes.is_one(session, rosa.id, first)
    assert not recovery_codes.use(session, rosa.id, first, at=WHEN)
    assert recovery_codes.use(session, rosa.id, f" {second.replace('-', '').upper()} ", at=WHEN)
    for typed in ("", "-", "123456", "x" * 10):
        assert not recovery_codes.use(session, rosa.id, typed, at=WHEN)
    assert recovery_codes.left(session, rosa.id) == 8


def test_new_recovery_codes_replace_the_old_ones_and_are_kept_as_hashes_alone(session: Session) -> None:
    rosa = make_account(session)
    old = recovery_codes.make(session, rosa.id)
    new = recovery_codes.make(session, rosa.id)
    assert not recovery_codes.is_one(session, rosa.id, old[0])
    assert recovery_codes.is_one(session, rosa.id, new[0])
    kept = b"".join(bytes(each.code_hash) for each in session.query(RecoveryCode))
    assert not any(each.replace("-", "").encode() in kept for each in new)
