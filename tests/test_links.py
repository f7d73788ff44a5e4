"""Signed links: what one is good for, and that nobody else can make one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer import links
from mailer.links import ForgedToken, Link
from mailer.store.crypto import Key, Keyring
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY

NEWER = Key(id="l2", secret=bytes(range(96, 128)))
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-_=. ä"


def ring(*link_keys: Key) -> Keyring:
    return Keyring(secret_keys=[SECRET_KEY], link_keys=link_keys, index_key=INDEX_KEY)


@given(st.integers(0, 2**48 - 1), st.sampled_from(Link))
def test_a_token_gives_back_its_number_and_fits_a_local_part(number: int, link: Link) -> None:
    token = links.sign(ring(LINK_KEY), link, number)
    assert links.verify(ring(LINK_KEY), link, token) == number
    assert len(token) == 40
    assert token.isalnum()
    assert token == token.lower()


@given(st.integers(0, 2**48 - 1), st.integers(0, 31), st.sampled_from(ALPHABET))
def test_every_single_changed_character_is_refused(number: int, position: int, character: str) -> None:
    token = links.sign(ring(LINK_KEY), Link.UNSUBSCRIBE, number)
    changed = token[:position] + character + token[position + 1 :]
    if changed != token:
        with pytest.raises(ForgedToken):
            links.verify(ring(LINK_KEY), Link.UNSUBSCRIBE, changed)


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ForgedToken):
        links.verify(ring(LINK_KEY), Link.UNSUBSCRIBE, text)


@pytest.mark.parametrize("cut", [slice(31), slice(1, None), slice(0, 16)])
def test_a_cut_link_is_refused(cut: slice) -> None:
    with pytest.raises(ForgedToken):
        links.verify(ring(LINK_KEY), Link.BOUNCE, links.sign(ring(LINK_KEY), Link.BOUNCE, 7)[cut])


def test_a_token_for_one_purpose_is_refused_for_another() -> None:
    with pytest.raises(ForgedToken):
        links.verify(ring(LINK_KEY), Link.UNSUBSCRIBE, links.sign(ring(LINK_KEY), Link.BOUNCE, 7))


def test_a_token_whose_case_a_mail_server_folded_is_still_valid() -> None:
    token = links.sign(ring(LINK_KEY), Link.UNSUBSCRIBE, 7)
    assert links.verify(ring(LINK_KEY), Link.UNSUBSCRIBE, token.upper()) == 7


def test_links_in_old_mails_outlive_a_new_key_until_the_old_one_is_taken_away() -> None:
    old = links.sign(ring(LINK_KEY), Link.UNSUBSCRIBE, 7)
    assert links.verify(ring(NEWER, LINK_KEY), Link.UNSUBSCRIBE, old) == 7
    assert links.sign(ring(NEWER, LINK_KEY), Link.UNSUBSCRIBE, 7) != old
    with pytest.raises(ForgedToken):
        links.verify(ring(NEWER), Link.UNSUBSCRIBE, old)
