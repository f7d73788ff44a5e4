"""A real site and a real browser: Debian's Chromium, driven by Playwright."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from mailer.store.crypto import Key
from mailer.web import protection
from tests.browser.site import ORGANISATION, Furnish, Site, serving
from tests.browser.visitor import DESKTOP, Visitor
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY
from tests.support.debian import program
from tests.support.mail_server import running
from tests.support.servers import VALKEY_DATABASES, Servers

_TIMEOUT_MS = 30_000  # that a busy machine may take
_network = count(1)


#: runs an installation of its own, furnished as `serving` says
NewSite = Callable[..., AbstractContextManager[Site]]


@pytest.fixture(scope="session")
def site(new_site: NewSite) -> Iterator[Site]:
    """The site that all tests of this process visit, each with addresses of its own."""
    with new_site() as site:
        yield site


@pytest.fixture(scope="session")
def new_site(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, servers: Servers, worker_id: str
) -> NewSite:
    """Runs installations: `with new_site() as site`."""

    @contextmanager
    def make(furnish: Furnish | None = None) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("site")
        environment = _environment(folder, sqlite_template, servers, worker_id)
        with running() as mail_server, serving(environment, folder, mail_server, furnish) as site:
            yield site

    return make


def _environment(folder: Path, sqlite_template: Path, servers: Servers, worker_id: str) -> dict[str, str]:
    """The settings of an installation with a database of its own."""
    file = folder / "tocsin.db"
    file.write_bytes(sqlite_template.read_bytes())
    number = VALKEY_DATABASES - 1 - int(worker_id.removeprefix("gw") if worker_id != "master" else 0)
    return {
        "MAILER_DATA_DIR": str(folder),
        "MAILER_DATABASE_URL": f"sqlite:///{file}",
        "MAILER_REDIS_URL": f"unix://{servers.valkey_socket}?db={number}",
        "MAILER_ORGANISATION": ORGANISATION,
        "MAILER_SENDER": f"{ORGANISATION} <alerts@example.org>",
        "MAILER_POSTAL_ADDRESS": r"1 Example Street\nExample City",
        "MAILER_UNSUBSCRIBE_ADDRESS": "leave+{token}@example.org",
        "MAILER_TRUSTED_PROXIES": "1",  # so that each visitor comes from a network of their own
        "MAILER_SECRET_KEYS": str(SECRET_KEY),
        "MAILER_LINK_KEYS": str(LINK_KEY),
        "MAILER_INDEX_KEY": str(Key(id="x", secret=INDEX_KEY)).partition(":")[2],
    }


@pytest.fixture(scope="module")  # while it is open, no test can run an event loop of its own
def browser() -> Iterator[Browser]:
    """Chromium, from Debian's package."""
    executable = program("chromium", package="chromium")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # which root cannot have
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visit(site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors: `visit()`, `visit(PHONE)`, `visit(java_script_enabled=False)`.

    In the end it is checked for all of them that no page wrote to the console, was refused something by its own
    content-security policy, asked anybody else for anything, or stored anything in the browser.
    """
    monkeypatch.setattr(protection, "_QUICKEST", timedelta(0))  # no person fills in a form as fast as a test does
    visitors: list[Visitor] = []
    with ExitStack() as contexts:

        def make(device: dict[str, Any] = DESKTOP, *, language: str = "en", **options: Any) -> Visitor:
            number = next(_network)
            context = browser.new_context(
                **device,
                **options,
                locale=language,
                # From a network that nobody else is in, since every network may only do so much.
                extra_http_headers={"X-Forwarded-For": f"10.{number // 256}.{number % 256}.1"},
            )
            contexts.callback(context.close)
            context.set_default_timeout(_TIMEOUT_MS)
            visitors.append(Visitor(context, site.url))
            return visitors[-1]

        yield make
        for visitor in visitors:
            visitor.check()
