"""Supporters at the desk in a real browser: somebody is found, changed and erased, and nothing is wrong on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy.orm import Session

from mailer.people import subscribers
from mailer.settings import Settings
from mailer.store.db import session_scope
from mailer.store.models import DeliveryState
from tests.browser.conftest import NewSite
from tests.browser.organising import Inspector, Keyboard, Organiser, browsing
from tests.browser.site import Site
from tests.browser.test_pages import SCREENSHOTS
from tests.browser.visitor import DESKTOP, PHONE
from tests.support.accounts import cheap_hashes, make_publisher
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, make_union


def _furnish(session: Session, _folder: Path, _settings: Settings) -> None:
    """Make a publisher, and somebody with a long story for each test."""
    make_publisher(session, "petra")
    alerts = make_list(session)
    make_list(session, "news", name="News of the harbour")
    dockers, campaign = make_union(session), make_campaign(session, alerts)
    for name in ("phone", "wide", "keys"):
        somebody = make_subscriber(session, alerts, email=f"{name}@example.org", union=dockers)
        deliver(session, campaign, somebody, DeliveryState.SENT)


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation with a few supporters."""
    with cheap_hashes(), new_site(_furnish) as site:
        yield site


def _is_known(site: Site, address: str) -> bool:
    with session_scope(site.engine, read_only=True) as session:
        return subscribers.find(session, address) is not None


def _find(organiser: Organiser, address: str) -> None:
    organiser.open("/supporters")
    organiser.fill({"supporter-address": address})
    organiser.press("/supporters/find")


@pytest.mark.parametrize(
    ("language", "device", "scheme", "has_scripts", "name"),
    [("en", PHONE, "dark", False, "phone"), ("ar", DESKTOP, "light", True, "wide")],
)
def test_somebody_is_found_changed_and_erased(
    site: Site,
    browser: Browser,
    language: str,
    device: dict[str, Any],
    scheme: str,
    has_scripts: bool,
    name: str,
    tmp_path: Path,
) -> None:
    inspector, address = Inspector(language, SCREENSHOTS / f"desk-{language}"), f"{name}@example.org"
    looks: dict[str, Any] = {"locale": language, "color_scheme": scheme, "java_script_enabled": has_scripts}
    with browsing(browser, site, "petra@example.org", device, is_signed_in=True, **looks) as petra:
        petra.open("/supporters")
        inspector.look(petra, "supporters")
        _find(petra, address)
        inspector.look(petra, "supporter")
        assert "example.org" not in petra.page.url
        petra.fill({"name": "سلمى", "union": ""})
        petra.press("/details")
        assert petra.page.locator("[name=name]").input_value() == "سلمى"
        petra.press("/leave")
        petra.follow("/erase")
        inspector.look(petra, "supporter-erase")
        petra.press("/erase")
        assert not _is_known(site, address)
    inspector.check(tmp_path)


def test_by_keyboard_alone_somebody_is_found_and_erased(site: Site, browser: Browser) -> None:
    with browsing(browser, site, "petra@example.org", DESKTOP, is_signed_in=True) as petra:
        keys = Keyboard(petra.open("/supporters"))
        keys.go_to("[name=supporter-address]")
        petra.page.keyboard.type("keys@example.org")
        with petra.page.expect_navigation():
            petra.page.keyboard.press("Enter")
        keys.enter("main a[href$='/erase']")
        keys.enter("form[action$='/erase'] button")
    assert not _is_known(site, "keys@example.org")
