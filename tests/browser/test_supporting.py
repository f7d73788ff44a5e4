"""The whole way of a supporter through the site, from the first visit to being forgotten."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from mailer.store.models import SubscriptionStatus
from tests.browser import steps
from tests.browser.site import LIST, UNION, Site
from tests.browser.visitor import DESKTOP, PHONE, Visitor

ACTIVE, LEFT = SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED


def heading(visitor: Visitor) -> str:
    """What the page that is open is about."""
    return visitor.page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize(
    ("device", "has_scripts"), [(DESKTOP, True), (PHONE, False)], ids=["desktop", "phone without scripts"]
)
def test_a_person_joins_leaves_comes_back_sees_their_data_and_erases_it(
    site: Site, visit: Callable[..., Visitor], device: dict[str, Any], has_scripts: bool
) -> None:
    visitor = visit(device, java_script_enabled=has_scripts)
    address = site.new_address()

    page = visitor.open("/")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Country you live in").select_option(label="United Kingdom")
    page.get_by_text("Your name, union, language and lists").click()
    page.get_by_label("Your name").fill("Ana Example")
    page.get_by_label("Your union").fill(UNION)
    page.get_by_role("checkbox", name="may store which union I belong to").check()
    page.get_by_role("checkbox", name=LIST).check()
    page.get_by_role("checkbox", name="may send me the mail that I ask for").check()
    steps.submit(visitor)
    assert "check your e-mail" in heading(visitor)
    assert site.lists_of(address) is None

    mail = site.mail_to(address)
    assert "Ana" not in mail.text + mail.html  # nothing that a stranger may have typed
    visitor.open(mail.link("confirm"))
    page.get_by_role("checkbox", name="may store which union I belong to").check()
    assert site.lists_of(address) is None
    visitor.press("Yes, sign me up")
    assert "Welcome" in heading(visitor)
    assert site.lists_of(address) == {"urgent-actions": ACTIVE}
    visitor.page.get_by_role("link", name="Act now").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text(
        "Twelve years in prison for asking why two dockers died"
    )
    assert "Urgent actions" in site.mail_to(address).text

    site.send_campaign()
    alert = site.mail_to(address)
    assert "Dear Ana Example" in alert.text
    visitor.open(alert.link("unsubscribe"))
    assert site.lists_of(address) == {"urgent-actions": ACTIVE}
    visitor.press("Leave this list")
    assert "You have left" in heading(visitor)
    assert site.lists_of(address) == {"urgent-actions": LEFT}
    visitor.press("Undo")
    assert "You are back" in heading(visitor)
    assert site.lists_of(address) == {"urgent-actions": ACTIVE}

    visitor.open(alert.link("unsubscribe"))
    visitor.press(re.compile("Leave all lists"))
    assert site.lists_of(address) == {"urgent-actions": LEFT}
    goodbye = site.mail_to(address)
    visitor.open(goodbye.link("undo"))
    assert site.lists_of(address) == {"urgent-actions": LEFT}
    visitor.press("Yes, sign me up again")
    assert site.lists_of(address) == {"urgent-actions": ACTIVE}

    visitor.open(alert.link("preferences"))
    page.get_by_label("For how long?").select_option(label="2 weeks")
    visitor.press("Pause")
    assert "Paused until" in heading(visitor)
    visitor.open(site.mail_to(address).link("resume"))
    visitor.press("End the pause")
    assert "The pause is over" in heading(visitor)
    visitor.open(alert.link("preferences"))
    visitor.press("Send me a link")
    assert "Check your e-mail" in heading(visitor)

    visitor.open(site.mail_to(address).link("manage"))
    expect(page.get_by_label("Your name")).to_have_value("Ana Example")
    expect(page.get_by_label("Name of your union")).to_have_value(UNION)
    page.get_by_label("Your name").fill("Zoë")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("status")).to_have_text("Your changes are saved.")
    expect(page.get_by_label("Your name")).to_have_value("Zoë")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as data").click()
    assert address in download.value.path().read_text()
    moved = site.new_address()
    page.get_by_label("New address").fill(moved)
    visitor.press("Change my address")
    visitor.open(site.mail_to(moved).link("address"))
    assert site.lists_of(moved) is None
    visitor.press("Yes, use this address")
    assert site.lists_of(moved) == {"urgent-actions": ACTIVE}
    assert site.lists_of(address) is None
    old = site.mail_to(address)
    assert moved not in old.text + old.html

    page.get_by_role("link", name="Get a new link").click()
    page.get_by_label("E-mail address").fill(moved)
    visitor.press("Send me a link")
    visitor.open(site.mail_to(moved).link("manage"))
    page.get_by_role("link", name="Erase everything about me").click()
    visitor.press("Erase everything")
    assert "Everything has been erased" in heading(visitor)
    assert site.lists_of(moved) is None
    visitor.open(alert.link("unsubscribe"))
    assert "Leave this list?" in heading(visitor)
    visitor.open(alert.link("preferences"))
    assert "What would you like to do?" in heading(visitor)
