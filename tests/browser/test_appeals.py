"""A petition and targets of a draft's own are written in a real browser: by keyboard, without a script, on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session

from mailer.campaigns import files, lifecycle
from mailer.settings import Settings
from mailer.store.db import session_scope
from mailer.store.models import MailingList, Role
from mailer.trial import sample
from tests.browser.conftest import NewSite
from tests.browser.organising import Inspector, Keyboard, Organiser, browsing
from tests.browser.site import Site, write_campaign
from tests.browser.test_pages import SCREENSHOTS
from tests.browser.visitor import DESKTOP, PHONE
from tests.support.accounts import make_account

_SLUG = "appeal"
_ADDRESS = "writer@example.org"
_NO_SCRIPTS: dict[str, Any] = {"locale": "ar", "color_scheme": "dark", "java_script_enabled": False}


def _furnish(session: Session, folder: Path, _settings: Settings) -> None:
    session.add(MailingList(slug=sample.LIST_SLUG, name=sample.LIST_NAME))
    session.flush()
    files.load(session, write_campaign(folder / _SLUG))
    make_account(session, _ADDRESS, Role.WRITER, name="Wanda")


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation with a draft."""
    with new_site(_furnish) as site:
        yield site


def _stored(site: Site) -> tuple[Any, list[str]]:
    """The petition, and whom the targets are for."""
    with session_scope(site.engine, read_only=True) as session:
        campaign = lifecycle.get(session, _SLUG)
        places = [",".join([*each["countries"], *each.get("groups", ())]) for each in campaign.targets]
        return campaign.petition, places


def _type(writer: Organiser, fields: dict[str, str]) -> None:
    """Go to field after field of the page by keyboard, in their order, and type into each."""
    keys = Keyboard(writer.page)
    for name, typed in fields.items():
        keys.go_to(f"#{name}")
        writer.page.keyboard.press("Control+a")
        writer.page.keyboard.type(typed)


def test_both_are_written_by_keyboard_alone_on_a_phone_without_a_script(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    inspector = Inspector("ar", SCREENSHOTS / "desk-ar")
    with browsing(browser, site, _ADDRESS, PHONE, is_signed_in=True, **_NO_SCRIPTS) as writer:
        page = writer.open(f"/campaigns/{_SLUG}/outline")
        Keyboard(page).enter("main nav.views a[href$='/outline/petition']")
        _type(writer, {"tongue": "fr", "to-new": "l’ambassade d’Ondorie"})
        Keyboard(page).enter("main form .actions button")
        expect(page.locator(".error-summary")).to_be_visible()
        expect(page.locator("#to-new")).to_have_value("l’ambassade d’Ondorie")
        inspector.look(writer, "petition-wrong")
        _type(writer, {"to-en": "the Embassy of Ondoria in London"})
        Keyboard(page).enter("main form .actions button")
        inspector.look(writer, "petition")
        expect(page.locator("#to-fr")).to_have_value("l’ambassade d’Ondorie")
        assert _stored(site)[0] == {"to": {"en": "the Embassy of Ondoria in London", "fr": "l’ambassade d’Ondorie"}}

        Keyboard(page).enter("main nav.views a[href$='/outline/targets']")
        expect(page.locator("[id^='name-']")).to_have_count(2)
        _type(writer, {"name-1": "السفارة", "countries-1": "GB, @EU", "email-1": "at home", "name-2": "Ministry"})
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.locator("[id^='name-']")).to_have_count(4)
        expect(page.locator("input[name='at-1:@EU']")).to_be_checked()
        assert _stored(site)[1] == [], "Enter in a field saves nothing"
        Keyboard(page).enter("main form .actions button:not([formaction])")
        expect(page.locator("#email-1-problem")).to_be_visible()
        inspector.look(writer, "targets-wrong")
        _type(writer, {"email-1": "embassy@example.org", "address-1": "1 High Street\nLondon"})
        Keyboard(page).enter("main form .actions button:not([formaction])")
        inspector.look(writer, "targets")
        assert _stored(site)[1] == ["GB,@EU", ""]
        keys = Keyboard(page)
        keys.go_to("input[name='out-2']")
        page.keyboard.press("Space")
        keys.enter("main form .actions button:not([formaction])")
        assert _stored(site)[1] == ["GB,@EU"]
    inspector.check(tmp_path)


def test_they_look_right_on_a_wide_screen(site: Site, browser: Browser, tmp_path: Path) -> None:
    inspector = Inspector("en", SCREENSHOTS / "desk-en")
    with browsing(browser, site, _ADDRESS, DESKTOP, is_signed_in=True, locale="en") as writer:
        for part in ("petition", "targets"):
            writer.open(f"/campaigns/{_SLUG}/outline/{part}")
            inspector.look(writer, part)
    inspector.check(tmp_path)
