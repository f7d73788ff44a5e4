"""Signed links: what one is good for, and that nobody else can make one. Addresses: each leads to a page."""

import hashlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import NotFound

from mailer import links
from mailer.app import create_app
from mailer.links import ForgedToken, Link, Pages
from mailer.locale.languages import SITE_LANGUAGES
from mailer.settings import Settings
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


def test_what_a_token_may_be_used_for_can_be_found_out() -> None:
    for link in Link:
        assert links.purposes(ring(LINK_KEY), links.sign(ring(LINK_KEY), link, 7)) == {link: 7}
    assert links.purposes(ring(NEWER), links.sign(ring(LINK_KEY), Link.ACT, 7)) == {}
    assert links.purposes(ring(LINK_KEY), "no token") == {}


def test_a_token_whose_case_a_mail_server_folded_is_still_valid() -> None:
    token = links.sign(ring(LINK_KEY), Link.UNSUBSCRIBE, 7)
    assert links.verify(ring(LINK_KEY), Link.UNSUBSCRIBE, token.upper()) == 7


def test_links_in_old_mails_outlive_a_new_key_until_the_old_one_is_taken_away() -> None:
    old = links.sign(ring(LINK_KEY), Link.UNSUBSCRIBE, 7)
    assert links.verify(ring(NEWER, LINK_KEY), Link.UNSUBSCRIBE, old) == 7
    assert links.sign(ring(NEWER, LINK_KEY), Link.UNSUBSCRIBE, 7) != old
    with pytest.raises(ForgedToken):
        links.verify(ring(NEWER), Link.UNSUBSCRIBE, old)


def test_a_token_shows_no_number_to_who_has_no_key() -> None:
    tokens = [links.sign(ring(LINK_KEY), Link.UNSUBSCRIBE, number) for number in range(1000)]
    assert not any(number.to_bytes(6, "big").hex() in token for number, token in enumerate(tokens))
    for place in range(0, 40, 2):  # no octet is that of most, as those of numbers close to each other would be
        octets = [token[place : place + 2] for token in tokens]
        assert max(octets.count(each) for each in set(octets)) < 30


@pytest.mark.parametrize("link", Link)
def test_a_token_in_a_mail_from_before_they_hid_their_number_still_works(link: Link) -> None:
    number = (7).to_bytes(6, "big")
    mac = hashlib.blake2b(number, key=LINK_KEY.secret, digest_size=14, person=link.value.encode()).hexdigest()
    old = number.hex() + mac
    assert links.verify(ring(NEWER, LINK_KEY), link, old) == 7
    assert links.sign(ring(LINK_KEY), link, 7) != old
    with pytest.raises(ForgedToken):
        links.verify(ring(NEWER), link, old)


# --- addresses ------------------------------------------------------------------------------------------------------

BASE_URL = "https://act.example.org"
#: what a page is given, by the name of the parameter: a new page needs no new test
GIVEN = {
    "keyring": ring(LINK_KEY),
    "kit_id": 7,
    "union_id": 7,
    "contact_id": 7,
    "generation": 1,
    "token": links.sign(ring(LINK_KEY), Link.UNSUBSCRIBE, 7),
    "slug": "free-the-poet",
    "union_slug": "dockers",
    "via": "dockers",
    "target": "gb-embassy",
}
PAGES = {name: page for name, page in vars(Pages).items() if inspect.isfunction(page) and not name.startswith("_")}


def address(page: Callable[..., str], language: str | None) -> str:
    """The address of a page, made with whatever it asks for."""
    _self, *parameters = inspect.signature(page).parameters
    return page(Pages(BASE_URL, language), **{name: GIVEN[name] for name in parameters})


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_every_address_that_we_write_is_a_page_of_the_site(settings: Callable[..., Settings]) -> None:
    app = create_app(settings(MAILER_BASE_URL=BASE_URL))
    site = app.url_map.bind("act.example.org")
    lost = []
    for name, page in PAGES.items():
        for language in (None, "ko", *SITE_LANGUAGES):
            written = address(page, language)
            assert written.startswith(f"{BASE_URL}/")
            try:
                site.match(urlsplit(written).path)
            except NotFound:
                lost.append((name, written))
    app.extensions["site"].engine.dispose()
    assert lost == []
    assert len(PAGES) > 10  # they were found


def test_a_page_is_in_the_language_asked_for_if_the_site_speaks_it() -> None:
    fronts = {language: Pages(BASE_URL, language).front() for language in (None, "fr-CA", "ko")}
    assert fronts == {None: f"{BASE_URL}/", "fr-CA": f"{BASE_URL}/fr/", "ko": f"{BASE_URL}/"}


def test_a_union_without_a_name_has_people_join_on_the_front_page() -> None:
    assert Pages(BASE_URL, "fr").join("dockers") == f"{BASE_URL}/fr/join/dockers"
    assert Pages(BASE_URL, "fr").join(None) == f"{BASE_URL}/fr/"


@pytest.mark.parametrize(
    ("page", "link", "generation"),
    [(Pages.kit, Link.KIT, (0,)), (Pages.results, Link.UNION, (0,)), (Pages.no_contact, Link.CONTACT, ())],
)
def test_a_link_to_what_is_not_everybodys_is_signed_for_that_page(
    page: Callable[..., Any], link: Link, generation: tuple[int, ...]
) -> None:
    token = page(Pages(BASE_URL), ring(LINK_KEY), 7, *generation).rpartition("/")[2]
    assert links.verify(ring(LINK_KEY), link, token) == 7


@pytest.mark.parametrize(("row_id", "generation"), [(7, 0), (1, 1), (2**32 - 1, 2**16 - 1)])
def test_a_link_of_a_union_carries_its_generation_beside_the_row(row_id: int, generation: int) -> None:
    for page, link in ((Pages.kit, Link.KIT), (Pages.results, Link.UNION)):
        token = page(Pages(BASE_URL), ring(LINK_KEY), row_id, generation).rpartition("/")[2]
        assert links.split_generation(links.verify(ring(LINK_KEY), link, token)) == (row_id, generation)


def test_no_other_module_writes_the_address_of_a_page() -> None:
    folder = Path(links.__file__).parent
    spelt = re.compile(r"base_url\}[/{]")
    assert spelt.search(Path(links.__file__).read_text())
    others = [path for path in folder.rglob("*.py") if path != Path(links.__file__)]
    assert [path.name for path in others if spelt.search(path.read_text())] == []
