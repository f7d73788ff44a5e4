"""Previews in a real browser: whatever got into one, nothing in it reaches out, up, or anybody else."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from mailer.delivery import previews
from mailer.delivery.inbox import Seen
from mailer.organisers import desk_sessions
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Role
from tests.browser.conftest import NewSite
from tests.browser.inspection import accessibility_problems, wide_parts
from tests.browser.site import PUBLIC_CAMPAIGN, Site
from tests.browser.visitor import DESKTOP, PHONE
from tests.support.accounts import make_account
from tests.support.waiting import wait_until

PREVIEW = f"/desk/campaigns/{PUBLIC_CAMPAIGN}/preview"


@dataclass
class Listener:
    """Somebody elsewhere who hears of it when a preview reaches them."""

    url: str
    heard: list[str]
    page: str = "<title>elsewhere</title>"


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener("", [])

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.heard.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(found.page.encode())

        do_POST = do_GET  # noqa: N815  # the name that it has there

        def log_message(self, format: str, *args: object) -> None:  # the name that it has there
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # some wait for a request that never comes

        def verify_request(self, request: Any, client_address: Any) -> bool:
            found.heard.append("connected")  # by which somebody is known, even before they ask for anything
            return super().verify_request(request, client_address)

    with Server(("127.0.0.1", 0), Page) as server:
        found.url = f"http://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield found
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation that has an organiser: what is sent there has to be approved."""
    with new_site() as site:
        yield site


@pytest.fixture
def at_desk(site: Site, browser: Browser) -> Iterator[Any]:
    """Makes browsers in which a writer is signed in: `at_desk()`, `at_desk(PHONE)`."""
    contexts: list[BrowserContext] = []
    with session_scope(site.engine) as session:
        account = make_account(session, f"{site.new_address()}", Role.WRITER)
        started = desk_sessions.start(session, account.id, at=utcnow(), network="203.0.113.7", browser="Chromium")

    def make(device: dict[str, Any] = DESKTOP, *, language: str = "en", **options: Any) -> BrowserContext:
        context = browser.new_context(**device, **options, locale=language)
        cookie = {"name": "desk", "value": started.secret, "domain": "127.0.0.1", "path": "/desk"}
        context.add_cookies([cookie])  # type: ignore[list-item]  # a dictionary of that kind
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


def hostile(url: str, site: Site) -> str:
    """A mail in which stands what no renderer of ours lets through."""
    return f"""<!doctype html><html lang="en"><head><title>Mail</title>
<meta http-equiv="refresh" content="0; url={url}/refresh">
<base href="{url}/base/">
<link rel="stylesheet" href="{url}/style.css"><link rel="preconnect" href="{url}"><link rel="prefetch" href="{url}/pre">
<style>@import url("{url}/import.css"); body {{ background: url("{url}/background.png"); }}
@font-face {{ font-family: x; src: url("{url}/font.woff"); }} p {{ font-family: x; }}</style>
<script>fetch("{url}/fetch"); parent.postMessage("hello", "*"); top.location = "{url}/top";</script>
<script src="{url}/script.js"></script></head>
<body><p>The mail</p><img src="{url}/image.png" srcset="{url}/set.png 2x" onerror="location = '{url}/error'">
<iframe src="{url}/frame" srcdoc=""></iframe><iframe src="{url}/frame2"></iframe><object data="{url}/object"></object>
<embed src="{url}/embed"><video src="{url}/video" poster="{url}/poster" autoplay></video>
<audio src="{url}/audio" autoplay></audio>
<svg><image href="{url}/svg.png"></image><use href="{url}/use.svg#x"></use></svg>
<form action="{url}/post" method="post"><input name="a" value="b" autofocus onfocus="this.form.submit()">
<button>Send</button></form>
<form action="{site.url}/desk/campaigns/{PUBLIC_CAMPAIGN}/tests" method="post"><button>Order</button></form>
<a href="{url}/link" ping="{url}/ping">Plain</a> <a href="{url}/up" target="_top">Up</a>
<a href="{url}/parent" target="_parent">Parent</a> <a href="{url}/self" target="_self">Self</a>
<a href="{url}/blank" target="_blank">Blank</a> <a href="javascript:top.location='{url}/js'" target="_self">Script</a>
<a href="{url}/download" download>Download</a></body></html>"""


def test_a_preview_reaches_neither_out_nor_up_whatever_stands_in_it(
    site: Site, at_desk: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = previews.look

    def look(*arguments: Any) -> Seen:
        return replace(original(*arguments), html=hostile(listener.url, site))

    monkeypatch.setattr(previews, "look", look)
    context = at_desk()
    page = context.new_page()
    page.goto(site.url + PREVIEW)
    frame = page.frame_locator("iframe").first
    expect(frame.get_by_text("The mail")).to_be_visible()
    for name in ("Plain", "Up", "Parent", "Blank", "Script", "Download"):
        frame.get_by_role("link", name=name, exact=True).click()
    for name in ("Send", "Order"):
        frame.get_by_role("button", name=name).click()
    expect(frame.get_by_text("The mail")).to_be_visible()
    page.wait_for_timeout(500)
    assert listener.heard == []
    # Chromium connects for it, and then refuses to show it here. No renderer of ours writes such a link.
    frame.get_by_role("link", name="Self", exact=True).click()
    page.wait_for_timeout(500)
    assert page.url == site.url + PREVIEW
    assert len(context.pages) == 1
    assert set(listener.heard) <= {"connected"}


def test_a_preview_that_is_opened_by_itself_reaches_nobody_either(
    site: Site, at_desk: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = previews.look
    monkeypatch.setattr(previews, "look", lambda *these: replace(original(*these), html=hostile(listener.url, site)))
    context = at_desk()
    page = context.new_page()
    page.goto(f"{site.url}{PREVIEW}/mail")
    expect(page.get_by_text("The mail")).to_be_visible()
    for name in ("Plain", "Blank", "Script", "Download"):
        page.get_by_role("link", name=name, exact=True).click()
    for name in ("Send", "Order"):
        page.get_by_role("button", name=name).click()
    page.wait_for_timeout(500)
    assert page.url == f"{site.url}{PREVIEW}/mail"
    assert len(context.pages) == 1
    assert listener.heard == []


def test_nobody_else_frames_a_preview_or_a_page_of_the_desk(site: Site, at_desk: Any, listener: Listener) -> None:
    frames = "".join(f'<iframe src="{site.url}{path}"></iframe>' for path in (PREVIEW, f"{PREVIEW}/mail"))
    listener.page = f"<title>elsewhere</title>{frames}"
    page = at_desk().new_page()
    page.goto(listener.url)
    page.wait_for_timeout(300)
    for frame in page.frames[1:]:
        assert "Alex Reader" not in frame.content() and "Preview" not in frame.content()


@pytest.mark.parametrize(("device", "language"), [(PHONE, "ar"), (DESKTOP, "en")], ids=["phone-ar", "desktop-en"])
def test_previews_and_check_can_be_used_by_everybody(
    site: Site, at_desk: Any, device: dict[str, Any], language: str
) -> None:
    page = at_desk(device, language=language).new_page()
    for path in (PREVIEW, f"{PREVIEW}/letter", f"{PREVIEW}/kit", f"/desk/campaigns/{PUBLIC_CAMPAIGN}/check"):
        page.goto(site.url + path)
        assert accessibility_problems(page) == [], path
        assert wide_parts(page) == [], path


@pytest.mark.parametrize("width", [360, 390])
def test_on_a_phone_a_preview_is_as_wide_as_the_window_and_what_is_wider_is_scrolled(
    site: Site, at_desk: Any, width: int
) -> None:
    page = at_desk(PHONE | {"viewport": {"width": width, "height": 800}}, language="ar").new_page()
    page.goto(site.url + PREVIEW)
    boxes = [frame.bounding_box() for frame in page.locator("iframe").all()]
    assert [(box["x"], box["width"]) for box in boxes[:2]] == [(0, width)] * 2
    wide = page.get_by_role("region").filter(has=page.locator("iframe")).first
    assert wide.evaluate("each => each.scrollWidth") == 1280
    assert page.locator("figcaption", has_text="مرّر جانبيًا").last.is_visible()
    wide.focus()
    assert wide.evaluate("each => each.scrollLeft") == 0
    page.keyboard.press("ArrowLeft")  # to what comes after, in Arabic
    wait_until(lambda: wide.evaluate("each => each.scrollLeft") < 0)
    assert wide_parts(page) == []


def test_without_a_script_another_reader_is_chosen_by_keyboard(site: Site, at_desk: Any) -> None:
    page = at_desk(java_script_enabled=False).new_page()
    page.goto(site.url + PREVIEW)
    country = page.get_by_label("Country")
    values = country.locator("option").evaluate_all("all => all.map(each => each.value)")
    country.focus()
    country.select_option(values[0])
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert f"country={values[0]}" in page.url
