"""An import by upload in a real browser: with a script and without, in two languages, and nothing wrong on the way."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import update
from sqlalchemy.orm import Session

from mailer.settings import Settings
from mailer.spreadsheets import upload_work, uploads
from mailer.spreadsheets.uploads import Store
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import DeskSession
from tests.browser.conftest import NewSite
from tests.browser.organising import Inspector, Keyboard, Organiser, browsing
from tests.browser.site import Site
from tests.browser.test_pages import SCREENSHOTS
from tests.browser.visitor import DESKTOP, PHONE
from tests.support.accounts import PASSWORD, TOTP_SECRET, cheap_hashes, make_publisher
from tests.support.factories import make_list
from tests.support.workbooks import write_ods

_folders: list[Path] = []


def _furnish(session: Session, _folder: Path, settings: Settings) -> None:
    for name in ("petra", "keys-en", "keys-ar"):  # a code works once, and so for one test
        make_publisher(session, name)
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


_CONSENT = "I want urgent actions by e-mail."


def _let_time_pass(site: Site) -> None:
    """Let it be long ago that anybody gave their password."""
    with session_scope(site.engine) as session:
        session.execute(update(DeskSession).values(proven_at=utcnow() - timedelta(hours=1)))


def _prove(who: Organiser, keys: Keyboard) -> None:
    keys.go_to("[name=password]")
    who.page.keyboard.type(PASSWORD)
    keys.go_to("[name=code]")
    who.page.keyboard.type(who.code(TOTP_SECRET))
    with who.page.expect_navigation():
        who.page.keyboard.press("Enter")


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ar", "dark")])
def test_by_keyboard_alone_a_file_is_imported_followed_corrected_and_taken_back(
    site: Site, browser: Browser, language: str, scheme: str, tmp_path: Path
) -> None:
    inspector = Inspector(language, SCREENSHOTS / f"desk-{language}")
    file = tmp_path / "people.csv"
    file.write_text(f"email,name,country\nkeys-{language}@example.org,Ana,GB\nnobody,Ben,GB\nc@example.org,Cem,FR\n")
    address, looks = f"keys-{language}@example.org", {"locale": language, "color_scheme": scheme}
    with browsing(browser, site, address, PHONE, is_signed_in=True, **looks) as who:
        page = who.open("/supporters")
        keys = Keyboard(page)
        keys.enter("main a[href$='/supporters/imports']")
        keys.go_to("#file")
        page.locator("#file").set_input_files(file)  # what the system asks is no page
        keys.enter("main form[action$='/supporters/imports'] button")
        # With nothing typed it is said what is missing, and one is led there.
        keys.enter("form[action$='/terms'] button")
        assert "error-summary" in page.evaluate("document.activeElement.className")
        keys.go_to(".error-summary a[href='#consent']")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "consent"
        page.keyboard.type(_CONSENT)
        for field, typed in (("only-column", "country"), ("only-value", "gb")):
            keys.go_to(f"#{field}")
            page.keyboard.type(typed)
        keys.go_to("#update")
        page.keyboard.press("Space")
        inspector.look(who, "import-by-keyboard-terms")
        keys.enter("form[action$='/terms'] button")
        _work(site)
        page.locator("form[action$='/confirm']").wait_for()
        inspector.look(who, "import-by-keyboard-looked")
        keys.go_to("details.press summary")
        page.keyboard.press("Enter")
        assert page.locator("#only-column").input_value() == "country" and page.locator("#update").is_checked()
        page.keyboard.press("Enter")
        page.reload()
        keys.enter("form[action$='/confirm'] button")
        inspector.look(who, "import-by-keyboard-importing")
        _work(site)
        page.locator("form[action$='/take-back']").wait_for()
        inspector.look(who, "import-by-keyboard-done")
        _let_time_pass(site)
        keys.enter("form[action$='/rejects'] button")
        inspector.look(who, "import-by-keyboard-proof")
        _prove(who, keys)
        inspector.look(who, "import-by-keyboard-proven")
        keys.go_to("form[action$='/rejects'] button")
        with page.expect_download() as waited:
            page.keyboard.press("Enter")
        assert "nobody" in waited.value.path().read_text() and "c@example.org" not in waited.value.path().read_text()
        keys.enter("form[action$='/take-back'] button")
        _work(site)
        page.locator(".notice").wait_for()
        inspector.look(who, "import-by-keyboard-taken-back")
    (checked := tmp_path / "html").mkdir()
    inspector.check(checked)
