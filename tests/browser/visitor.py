"""A person with a browser, and what must hold wherever they go on the site."""

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

#: Chromium says this of every answer of 400 and above, also of a page that is meant to be one
_STATUS_NOTE = re.compile(r"Failed to load resource: the server responded with a status of \d+")


@dataclass
class Visitor:
    """One visitor, in a browser of their own that keeps a list of everything that should not have happened."""

    context: BrowserContext
    site_url: str
    page: Page = field(init=False)
    problems: list[str] = field(default_factory=list)
    #: of the page that is open, with all that it brought with it
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("console", self._note_console)
        self.context.on("weberror", lambda error: self.problems.append(f"script error: {error.error}"))
        self.context.on("request", self._note_request)
        self.context.on("response", self._note_response)
        self.context.on("requestfailed", self._note_failure)
        self.page = self.context.new_page()

    def open(self, address: str) -> Page:
        """Go to a page: a path, or a whole link as a mail has it."""
        self.page.goto(address if "://" in address else self.site_url + address)
        return self.page

    def press(self, name: str | re.Pattern[str]) -> Page:
        """Press the button of that name and wait for the page that it leads to."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name).click()
        return self.page

    def document(self) -> Response:
        """The answer that the page that is open came in."""
        found = [request for request in self.requests if _leads_to_page(request)]
        response = found[-1].response()
        assert response is not None
        return response

    def check(self) -> None:
        """Fail where something happened that must not happen anywhere."""
        kept = self.context.storage_state()
        assert (kept["cookies"], kept["origins"]) == ([], []), "something was stored in the browser"
        assert not self.problems, "\n".join(self.problems)

    def _note_console(self, message: ConsoleMessage) -> None:
        if not _STATUS_NOTE.match(message.text):  # an answer that should have been another is noted below
            self.problems.append(f"console {message.type}: {message.text}")

    def _note_request(self, request: Request) -> None:
        if _leads_to_page(request):
            self.requests.clear()
        self.requests.append(request)
        if not request.url.startswith((self.site_url + "/", "data:")):
            self.problems.append(f"a request to {request.url}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.problems.append(f"{response.status} for {response.url}")

    def _note_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the visitor went on before it had come, or it was a download
            self.problems.append(f"{request.url} failed: {request.failure}")


def _leads_to_page(request: Request) -> bool:
    """Whether it asks for a page, and not for what stands in a frame of one."""
    return request.is_navigation_request() and request.frame.parent_frame is None


#: what a kind of visitor differs by from one with a desktop, as options of `Browser.new_context`
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
