"""What a real browser says of a form's origin, and what the site makes of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import Browser, Request

from tests.browser.site import Site


@pytest.fixture
def elsewhere(site: Site) -> Iterator[str]:
    """Another site, with forms that go to ours. To a browser 127.0.0.1 and localhost are two sites."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            policy = "no-referrer" if "hidden" in self.path else "unsafe-url"
            body = (
                f"<title>elsewhere</title><form method=post action='{site.url}/preferences'><button>Go</button></form>"
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Referrer-Policy", policy)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # the name that it has there
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join(10)


def test_our_own_form_passes_although_our_referrer_policy_hides_where_it_comes_from(
    site: Site, browser: Browser
) -> None:
    posts: list[Request] = []
    with browser.new_context(extra_http_headers={"X-Forwarded-For": "10.200.0.1"}) as context:
        page = context.new_page()
        page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
        page.goto(f"{site.url}/preferences")
        with page.expect_navigation() as navigation:
            page.locator("main form button").click()
        assert navigation.value.status != 403
        sent = posts[0].all_headers()
    assert sent["origin"] == "null"  # so that nobody takes the Origin for what tells our own forms from others'
    assert sent["sec-fetch-site"] == "same-origin"
    assert "referer" not in sent


@pytest.mark.parametrize("path", ["/", "/hidden"])
def test_a_form_on_another_site_gets_nowhere(site: Site, browser: Browser, elsewhere: str, path: str) -> None:
    with browser.new_context(extra_http_headers={"X-Forwarded-For": "10.200.0.2"}) as context:
        page = context.new_page()
        page.goto(elsewhere + path)
        with page.expect_navigation() as navigation:
            page.get_by_role("button").click()
        assert navigation.value.status == 403
        assert "another site" in page.content()
