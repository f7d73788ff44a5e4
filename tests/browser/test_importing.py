"""An import by upload in a real browser: with a script and without, in two languages, and nothing wrong on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy.orm import Session

from mailer.settings import Settings
from mailer.spreadsheets import upload_work, uploads
from mailer.spreadsheets.uploads import Store
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope
from tests.browser.conftest import NewSite
from tests.browser.organising import Inspector, browsing
from tests.browser.site import Site
from tests.browser.test_pages import SCREENSHOTS
from tests.browser.visitor import DESKTOP, PHONE
from tests.support.accounts import cheap_hashes, make_publisher
from tests.support.factories import make_list
from tests.support.workbooks import write_ods

_folders: list[Path] = []


def _furnish(session: Session, _folder: Path, settings: Settings) -> None:
    make_publisher(session, "petra")
    make_list(session)
    _folders.append(settings.data_dir)


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation with a list, and nobody on it."""
    with cheap_hashes(), new_site(_furnish) as site:
        yield site


def _work(site: Site) -> None:
    """What a worker does when it looks for work."""
    with session_scope(site.engine, read_only=True) as session:
        waiting = uploads.with_work(session)
    for import_id in waiting:
        upload_work.work(site.engine, Store.of(_folders[0], keyring_of(site.engine)), import_id, lambda: False)


@pytest.mark.parametrize(
    ("language", "device", "scheme", "has_scripts"),
    [("en", PHONE, "light", False), ("ar", DESKTOP, "dark", True)],
)
def test_a_workbook_is_uploaded_looked_at_imported_and_taken_back(
    site: Site,
    browser: Browser,
    language: str,
    device: dict[str, Any],
    scheme: str,
    has_scripts: bool,
    tmp_path: Path,
) -> None:
    inspector = Inspector(language, SCREENSHOTS / f"desk-{language}")
    rows = [["email", "name", "country"], [f"ana-{language}@example.org", "سلمى", "GB"], ["nobody", "Ben", "Nowhere"]]
    file = write_ods(tmp_path / "People of the harbour.ods", rows)
    looks: dict[str, Any] = {"locale": language, "color_scheme": scheme, "java_script_enabled": has_scripts}
    with browsing(browser, site, "petra@example.org", device, is_signed_in=True, **looks) as petra:
        page = petra.open("/supporters/imports")
        inspector.look(petra, "imports")
        page.locator("input[type=file]").set_input_files(file)
        petra.press("/supporters/imports")
        inspector.look(petra, "import-uploaded")
        petra.fill({"consent": "I want urgent actions by e-mail."})
        petra.press("/terms")
        inspector.look(petra, "import-looking")
        _work(site)
        if has_scripts:  # it shows itself anew, once it is further
            page.locator("form[action$='/confirm']").wait_for()
        else:
            page.reload()
        inspector.look(petra, "import-looked")
        petra.press("/confirm")
        _work(site)
        if has_scripts:
            page.locator("form[action$='/take-back']").wait_for()
        else:
            page.reload()
        inspector.look(petra, "import-done")
        petra.press("/take-back")
        _work(site)
        petra.open("/supporters/imports")
        inspector.look(petra, "imports-some")
    (checked := tmp_path / "html").mkdir()
    inspector.check(checked)
