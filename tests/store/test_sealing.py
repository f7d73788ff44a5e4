"""Sealed numbers: what only a key opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.store import sealing

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
numbers = st.integers(0, sealing.LIMIT - 1)


@given(numbers, st.sampled_from([14, 16, 20]))
def test_a_number_comes_back_and_is_the_same_each_time(number: int, octets: int) -> None:
    sealed = sealing.seal(KEY, "test", number, octets=octets)
    assert sealed == sealing.seal(KEY, "test", number, octets=octets)
    assert len(sealed) == octets
    assert sealing.unseal(KEY, "test", sealed) == number


@given(numbers)
def test_another_key_or_purpose_opens_nothing(number: int) -> None:
    sealed = sealing.seal(KEY, "test", number, octets=16)
    assert sealing.unseal(OTHER, "test", sealed) is None
    assert sealing.unseal(KEY, "other", sealed) is None


@given(numbers, st.integers(0, 127))
def test_one_changed_bit_is_noticed(number: int, bit: int) -> None:
    sealed = int.from_bytes(sealing.seal(KEY, "test", number, octets=16), "big")
    assert sealing.unseal(KEY, "test", (sealed ^ 1 << bit).to_bytes(16, "big")) is None


def test_numbers_that_follow_each_other_share_nothing_that_is_seen() -> None:
    sealed = [sealing.seal(KEY, "test", number, octets=16) for number in range(2000)]
    for place in range(16):
        assert len({each[place] for each in sealed}) > 200  # of 256 octets that there are
    assert sorted(sealed) != sealed


def test_a_number_that_is_too_large_is_an_error() -> None:
    with pytest.raises(OverflowError):
        sealing.seal(KEY, "test", sealing.LIMIT, octets=16)
