"""What an organiser does at the desk, a function a step. By names and addresses, so that it works in every language."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
from playwright.sync_api import Browser, Locator, Page

from mailer.organisers import totp
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account
from tests.browser.inspection import accessibility_problems, html_problems, wide_parts
from tests.browser.site import Site
from tests.browser.visitor import Visitor
from tests.support.accounts import PASSWORD, make_session

#: whether one sees where one is
_SHOWN_FOCUS = """() => {
    const focused = document.activeElement, style = getComputedStyle(focused), box = focused.getBoundingClientRect()
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0
    const shows_itself = focused.type === "datetime-local"  // its parts have the focus one by one, and say so
    return (shows_itself || outlined || style.boxShadow !== "none") && box.bottom > 0 && box.top < innerHeight
}"""
_FOCUSED = "() => document.activeElement.outerHTML.slice(0, 120)"
#: what Chromium says of a page that has it forget what was typed
_SIGNED_OUT = "console info: Clear-Site-Data header"
#: and of axe-core, which speaks to frames that have no origin
_INSPECTED = "console warning: Failed to execute 'postMessage'"
_TIMEOUT_MS = 30_000
_MOST_STOPS = 60  # of the Tab key, on the way to something


@dataclass
class Organiser:
    """Somebody at the desk, in a browser of their own."""

    visitor: Visitor
    address: str
    options: dict[str, Any]  # of their browser
    presses: int = 0
    last_step: int = 0  # of the second factor, whose code they typed

    @property
    def page(self) -> Page:
        """What they look at."""
        return self.visitor.page

    @property
    def has_scripts(self) -> bool:
        """Whether pages may run scripts in their browser."""
        return bool(self.options.get("java_script_enabled", True))

    def open(self, address: str) -> Page:
        """Go to a page of the desk, or by a whole link."""
        self.presses += 1
        return self.visitor.open(address if "://" in address else f"/desk{address}")

    def follow(self, end: str) -> Page:
        """Press the first link in the page that ends so."""
        return self._press(self.page.locator(f"main a[href$='{end}']").first)

    def press(self, action: str) -> Page:
        """Press the button of the form in the page whose address ends so."""
        return self._press(self.page.locator(f"main form[action$='{action}'] button").first)

    def stop_everything(self) -> Page:
        """Press twice what stands on every page."""
        self.page.locator(".stop-everything summary").click()
        return self._press(self.page.locator(".stop-everything button"))

    def fill(self, fields: Mapping[str, str]) -> None:
        """Type into fields of the page, by their names."""
        for name, typed in fields.items():
            self.page.locator(f"main [name={name}]:not([type=hidden])").fill(typed)

    def sign_in(self, secret: str) -> None:
        """Fill in the form to sign in with, and press; with a code that was not used before.

        :param secret: of the second factor.
        """
        self.fill({"address": self.address, "password": PASSWORD, "code": self.code(secret)})
        self.press("/sign-in")

    def sign_out(self) -> None:
        """Leave by the menu."""
        self.page.locator("summary:has(bdi)").click()
        self._press(self.page.locator("form[action$='/sign-out'] button"))

    def code(self, secret: str) -> str:
        """What the app shows: now, or a moment later if that was used."""
        self.last_step = max(self.last_step + 1, totp.step_of(utcnow()))
        return pyotp.TOTP(secret).generate_otp(self.last_step)

    def _press(self, what: Locator) -> Page:
        self.presses += 1
        with self.page.expect_navigation():
            what.click()
        return self.page


class Keyboard:
    """Somebody without a mouse. Fails where they do not see where they are."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def go_to(self, selector: str) -> None:
        """Press Tab until something has the focus."""
        wanted = self.page.locator(selector).first
        for _ in range(_MOST_STOPS):
            self.page.keyboard.press("Tab")
            assert self.page.evaluate(_SHOWN_FOCUS), f"the focus is not to be seen: {self.page.evaluate(_FOCUSED)}"
            if wanted.evaluate("each => each === document.activeElement"):
                return
        raise AssertionError(f"no Tab leads to {selector}")

    def enter(self, selector: str) -> None:
        """Go to a link or a button, and press Enter."""
        self.go_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


@dataclass
class Inspector:
    """Looks at pages, and keeps what is wrong with them."""

    language: str
    pictures: Path  # folder
    problems: list[str] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)

    def look(self, who: Organiser, name: str) -> None:
        """Look at the page that is open, and take a picture of it."""
        with _inspectable(who) as page:
            self._inspect(page, name)
        self.documents[name] = who.visitor.document().text()

    def _inspect(self, page: Page, name: str) -> None:
        found = accessibility_problems(page) + [f"wider than the window: {part}" for part in wide_parts(page)]
        spoken = self.language, "rtl" if self.language == "ar" else "ltr"
        if (page.locator("html").get_attribute("lang"), page.locator("html").get_attribute("dir")) != spoken:
            found.append("in another language")
        self.problems += [f"{name}: {problem}" for problem in found]
        page.screenshot(path=self.pictures / f"{name}.png", full_page=True, scale="css")

    def check(self, folder: Path) -> None:
        """Fail if something was wrong with any page.

        :param folder: an empty one.
        """
        problems = self.problems + html_problems(self.documents, folder)
        assert not problems, "\n".join(problems)


@contextmanager
def _inspectable(who: Organiser) -> Iterator[Page]:
    """The page that somebody has open, or, where they have no scripts, the same in a browser where axe-core runs."""
    if who.has_scripts:
        yield who.page
        return
    browser, document = who.visitor.context.browser, who.visitor.document()
    assert browser is not None
    with browser.new_context(**who.options | {"java_script_enabled": True}) as context:
        context.add_cookies(who.visitor.context.cookies())  # type: ignore[arg-type]  # it takes what it gives
        page = context.new_page()
        page.route(who.page.url, lambda route: route.fulfill(body=document.body(), headers=document.headers))
        page.goto(who.page.url)
        yield page


@contextmanager
def browsing(
    browser: Browser, site: Site, address: str, device: dict[str, Any], *, is_signed_in: bool = False, **options: Any
) -> Iterator[Organiser]:
    """Somebody with a browser of their own, until the block ends; no script of it may have failed.

    :param is_signed_in: without having been asked for anything.
    :param options: of the browser.
    """
    options |= device
    with browser.new_context(**options) as context:
        context.set_default_timeout(_TIMEOUT_MS)
        if is_signed_in:
            with session_scope(site.engine) as session:
                secret = make_session(session, account_of(session, address))
            cookie = {"name": "desk", "value": secret, "domain": "127.0.0.1", "path": "/desk"}
            context.add_cookies([cookie])  # type: ignore[list-item]  # a dictionary of that kind
        organiser = Organiser(Visitor(context, site.url), address, options)
        yield organiser
        problems = [each for each in organiser.visitor.problems if not each.startswith((_SIGNED_OUT, _INSPECTED))]
        assert not problems, "\n".join(problems)
        assert {each["path"] for each in context.cookies()} <= {"/desk"}


def account_of(session: Any, address: str) -> Account:
    """Whose address it is."""
    [found] = [each for each in session.query(Account) if each.email == address]
    return found  # type: ignore[no-any-return]
