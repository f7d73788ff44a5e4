"""The page of a letter as supporters use it: on a phone, by keyboard, without a script."""

from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from playwright.sync_api import Page, expect

from tests.browser.inspection import accessibility_problems, weight_problems, wide_parts
from tests.browser.site import PUBLIC_CAMPAIGN, Site
from tests.browser.visitor import PHONE, Visitor

#: goes through what can be focused until that has a certain id, or its address has a certain part
_FOCUSED = "part => document.activeElement.id === part || (document.activeElement.href || '').includes(part)"


def tab_to(page: Page, part: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(_FOCUSED, part):
            return
    raise AssertionError(f"no key leads to {part}")


def test_a_letter_is_found_and_taken_on_a_phone_by_keyboard_without_a_script(
    site: Site, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(PHONE, language="ar", java_script_enabled=False)
    page = visitor.open(f"/campaigns/{PUBLIC_CAMPAIGN}")
    page.locator("#country").focus()
    page.locator("#country").select_option("KZ")
    with page.expect_navigation():
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    assert "KZ" not in page.url
    with page.expect_navigation():
        page.locator(".targets a").first.focus()
        page.keyboard.press("Enter")
    assert page.url.endswith("/letter/embassy-kz")
    assert not wide_parts(page)
    assert not weight_problems(visitor)
    text = page.locator("#text")
    assert (text.get_attribute("lang"), text.get_attribute("dir")) == ("ru", "ltr")
    expect(page.locator("#reading")).to_be_visible()
    expect(page.locator("[data-copy]:visible")).to_have_count(0)  # nothing but a script can copy
    expect(page.locator("form #text, #text[name], form #subject, #subject[name]")).to_have_count(0)
    assert text.evaluate("element => { element.select(); return element.selectionEnd }") == len(text.input_value())
    link = urlsplit(page.locator("a[href^='mailto:']").get_attribute("href") or "")
    assert unquote(link.path) == page.locator("#email").input_value()
    assert parse_qs(link.query)["subject"] == [page.locator("#subject").input_value()]
    tab_to(page, "letter.eml")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    draft = message_from_bytes(Path(download.value.path()).read_bytes(), policy=policy.default)
    assert draft["X-Unsent"] == "1"
    assert draft["Subject"] == page.locator("#subject").input_value()
    assert str(draft.get_content()).splitlines() == text.input_value().splitlines()


def test_a_letter_is_copied_whole_by_one_button(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open(f"/campaigns/{PUBLIC_CAMPAIGN}/letter/embassy-gb?wording=0")
    assert not accessibility_problems(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for part in ("subject", "text", "address"):
        page.locator(f"#{part}-copy").click()
        expect(page.locator(f"#{part}-copy + [role=status]")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        shown = page.locator(f"#{part}")
        assert copied == (shown.inner_text() if part == "address" else shown.input_value())
        assert copied
