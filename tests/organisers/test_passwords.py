"""Passwords: which will do, and that what is kept of one tells it to nobody."""

import importlib.util
from dataclasses import replace

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from mailer.mail import addresses
from mailer.organisers import passwords
from mailer.organisers.passwords import CommonPassword, LongPassword, PasswordIsAddress, ShortPassword

ROSA = addresses.parse("rosa.diaz@union.example.org")


def test_a_password_is_known_again_and_no_other_one() -> None:
    kept = passwords.hash("four calm green boats")
    assert "boats" not in kept
    assert passwords.verify(kept, "four calm green boats")
    assert not passwords.verify(kept, "Four calm green boats")
    assert not passwords.verify(kept, "")
    assert not passwords.verify(None, "four calm green boats")
    assert not passwords.verify("", "")
    assert passwords.hash("four calm green boats") != kept


def test_a_password_is_the_same_on_every_keyboard() -> None:
    kept = passwords.hash("caf\u00e9 \ufb01ve boats")  # composed, and a ligature
    assert passwords.verify(kept, "cafe\u0301 five boats")


def test_guessing_costs_what_the_rfc_recommends_with_an_account_and_without() -> None:
    found = importlib.util.find_spec(passwords.__name__)
    assert found is not None
    assert found.loader is not None
    as_installed = importlib.util.module_from_spec(found)  # not made cheap, as for other tests
    found.loader.exec_module(as_installed)
    somebodys = as_installed.hash("four calm green boats")
    assert extract_parameters(somebodys) == extract_parameters(as_installed._nobodys()) == RFC_9106_LOW_MEMORY
    assert not as_installed.verify(None, "four calm green boats")


def test_a_hash_from_when_it_cost_less_is_still_good_and_known_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = passwords.hash("four calm green boats")
    assert not passwords.is_outdated(kept)
    monkeypatch.setattr(passwords, "PARAMETERS", replace(passwords.PARAMETERS, time_cost=2))
    assert passwords.is_outdated(kept)
    assert passwords.verify(kept, "four calm green boats")


@pytest.mark.parametrize(
    "password",
    [
        "four calm green boats",
        "kNp4-wq8Z-xx9c",
        "839201748265",
        "лодки плывут тихо",
        "قارب أخضر هادئ جدا",
        "Rosa likes green boats",
        "correct horse battery and boats",
        "x" + "yzwvu tsrqp " * 80,
    ],
)
def test_a_password_that_nobody_would_guess_is_taken(password: str) -> None:
    passwords.check(password, ROSA)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("greenboats7", ShortPassword),
        ("", ShortPassword),
        ("cafe\u0301 boats", ShortPassword),  # eleven, once composed
        ("four calm green boats " * 46, LongPassword),
        ("\ufdfa" * 900, LongPassword),  # eighteen letters each
        ("rosa.diaz@union.example.org", PasswordIsAddress),
        ("ROSA.DIAZ@union.example.org!", PasswordIsAddress),
        ("rosadiazrosadiaz", PasswordIsAddress),
        ("Rosa-Diaz-2026", PasswordIsAddress),
        ("union.example.org", PasswordIsAddress),
        ("passwordpassword", CommonPassword),
        ("Password123456", CommonPassword),
        ("P@ssw0rd-2026!", CommonPassword),
        ("2026 Solidarity!!", CommonPassword),
        ("We1come we1come", CommonPassword),
        ("qwertyuiop[]1234", CommonPassword),
        ("1qaz2wsx3edc4rfv", CommonPassword),
        ("correct horse battery staple", CommonPassword),
        ("aaaaaaaaaaaaaaaa", CommonPassword),
        ("abcabcabcabcabc", CommonPassword),
        ("123456789012345", CommonPassword),
        ("987654321098765", CommonPassword),
        ("abcdefghijklmnop", CommonPassword),
        ("парольпароль", CommonPassword),
        ("йцукенгшщзхъ", CommonPassword),
        ("ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", CommonPassword),
        ("ILoveYou Forever", CommonPassword),
    ],
)
def test_one_that_is_tried_first_is_refused_with_what_to_do(password: str, problem: type[Exception]) -> None:
    with pytest.raises(passwords.WeakPassword) as refused:
        passwords.check(password, ROSA)
    assert type(refused.value) is problem
    assert password not in str(refused.value) or not password


def test_the_list_is_of_some_hundreds() -> None:
    assert len(passwords._common()) > 500
