"""Choosing whom a draft is for in a real browser, by keyboard with the script, and without it."""

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
from tests.support.factories import make_subscriber, make_union

_SLUGS = ("for-en", "for-ar", "for-late")


def _furnish(session: Session, folder: Path, _settings: Settings) -> None:
    alerts = MailingList(slug=sample.LIST_SLUG, name=sample.LIST_NAME)
    session.add(alerts)
    session.flush()
    union = make_union(session, "wharves", name="Dockers, Lighters and Wharves")
    for country, number in (("GB", 12), ("NO", 11), ("SE", 3)):
        for _ in range(number):
            make_subscriber(session, alerts, country=country, union=union if country == "NO" else None)
    for slug in _SLUGS:
        files.load(session, write_campaign(folder / slug))
        make_account(session, f"writer-{slug}@example.org", Role.WRITER, name="Wanda")
    for campaign in lifecycle.all_campaigns(session):
        campaign.audience = {}


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation with drafts to everybody."""
    with new_site(_furnish) as site:
        yield site


def _audience(site: Site, slug: str) -> dict[str, Any]:
    with session_scope(site.engine, read_only=True) as session:
        return lifecycle.get(session, slug).audience


def test_by_keyboard_the_number_follows_what_is_chosen_and_nothing_is_saved_before_one_says_so(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    slug, inspector = "for-en", Inspector("en", SCREENSHOTS / "desk-en")
    with browsing(browser, site, f"writer-{slug}@example.org", DESKTOP, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}")
        Keyboard(page).enter("main a[href$='/audience']")
        size, keys = page.locator("#size .size"), Keyboard(page)
        expect(size).to_have_text("26 people get it.")
        inspector.look(writer, "audience")
        keys.go_to("#countries")
        page.keyboard.type("Norway; United Kingdom")
        page.keyboard.press("Enter")
        expect(page.locator("#countries")).to_have_value("")
        expect(page.locator("#countries")).to_be_focused()
        expect(size).to_have_text("23 people get it.")
        expect(page.locator("#size-said")).to_have_text("23 people get it.")
        page.keyboard.press("Shift+Tab")  # to the last of what is ticked
        page.keyboard.press("Space")
        expect(size).to_have_text("11 people get it.")
        keys.go_to("summary:has-text('Unions')")
        page.keyboard.press("Enter")
        keys.go_to("#unions")
        page.keyboard.type("Dockers, Lighters and Wharves")
        page.keyboard.press("Tab")
        expect(page.locator("[name='unions:Dockers, Lighters and Wharves']")).to_be_checked()
        expect(size).to_have_text("11 people get it.")
        assert _audience(site, slug) == {}
        keys.enter("form#audience .sized .button:not(.quiet)")
        expect(page.locator("main .notice[role=status]").first).to_contain_text("Saved.")
        inspector.look(writer, "audience-saved")
        page.locator("summary:has-text('Save for other drafts')").press("Enter")
        Keyboard(page).go_to("#name")
        page.keyboard.type("Wharves up north")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.locator("main .notice[role=status]").first).to_contain_text("Saved under its name.")
        inspector.look(writer, "audience-kept")
        page.locator("summary:has-text('Saved audiences')").press("Enter")
        writer.follow("/audiences")
        expect(page.locator("main h2")).to_have_text("Wharves up north")
        inspector.look(writer, "saved-audiences")
    assert _audience(site, slug) == {"countries": ["NO"], "unions": ["wharves"]}
    inspector.check(tmp_path)


def _click(writer: Organiser, selector: str) -> None:
    with writer.page.expect_navigation():
        writer.page.locator(selector).click()


def test_without_a_script_one_counts_mends_and_saves(site: Site, browser: Browser, tmp_path: Path) -> None:
    slug, inspector = "for-ar", Inspector("ar", SCREENSHOTS / "desk-ar")
    looks: dict[str, Any] = {"locale": "ar", "color_scheme": "dark", "java_script_enabled": False}
    with browsing(browser, site, f"writer-{slug}@example.org", PHONE, is_signed_in=True, **looks) as writer:
        writer.open(f"/campaigns/{slug}/audience")
        writer.fill({"countries": "النرويج، Nowhere"})
        with writer.page.expect_navigation():
            writer.page.locator("#countries").press("Enter")
        inspector.look(writer, "audience-mistake")
        expect(writer.page.locator("#countries-problem")).to_contain_text("Nowhere")
        expect(writer.page.locator("[name='countries:NO']")).to_be_checked()
        writer.fill({"countries": "SE"})
        _click(writer, "#audience .sized .button:not(.quiet)")
        inspector.look(writer, "audience-saved")
        expect(writer.page.locator("#size .few")).to_be_visible()
    assert _audience(site, slug) == {"countries": ["NO", "SE"]}
    inspector.check(tmp_path)


def test_what_is_chosen_after_somebody_else_has_saved_is_kept_and_shown_beside_theirs(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    slug, inspector = "for-late", Inspector("en", SCREENSHOTS / "desk-en")
    with browsing(browser, site, f"writer-{slug}@example.org", PHONE, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}/audience")
        page.locator("#countries").fill("Norway")
        page.keyboard.press("Enter")
        with session_scope(site.engine) as session:
            lifecycle.get(session, slug).audience = {"countries": ["GB"]}
        _click(writer, "#audience .sized .button:not(.quiet)")
        expect(page.locator(".error-summary")).to_contain_text("United Kingdom")
        expect(page.locator("[name='countries:NO']")).to_be_checked()
        inspector.look(writer, "audience-changed")
        assert _audience(site, slug) == {"countries": ["GB"]}
        writer.follow("/audience")
        expect(page.locator("[name='countries:GB']")).to_be_checked()
    inspector.check(tmp_path)
