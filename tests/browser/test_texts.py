"""Writing a draft in a real browser: with a script it saves itself and loses nothing; without one there is a button."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import delete
from sqlalchemy.orm import Session

from mailer.campaigns import files, lifecycle, text_versions
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import Saving
from mailer.campaigns.written import Written
from mailer.settings import Settings
from mailer.store.db import session_scope, utcnow
from mailer.store.models import DeskSession, MailingList, Role
from mailer.trial import sample
from tests.browser.conftest import NewSite
from tests.browser.organising import Inspector, Keyboard, Organiser, browsing
from tests.browser.site import Site, write_campaign
from tests.browser.test_pages import SCREENSHOTS
from tests.browser.visitor import DESKTOP, PHONE
from tests.support.accounts import TOTP_SECRET, make_account

_SLUGS = (
    "text-letter-en",
    "text-letter-ar",
    "text-en",
    "text-ar",
    "text-late",
    "text-out",
    "text-back",
    "text-again",
    "text-off",
)
#: the text of the campaign, with a field put in at its end, all in bold
_BOLD = "**Dear {{ name or 'supporter' }}, write to the embassy.\nTell {{ name or \"friend\" }}**"
_LETTER = 'Your Excellency,\n\nrelease them.\n\n{{ name or "(your name)" }}'
_FRENCH = {"subject": "Libérez-les", "preheader": "Cinq dockers sont en prison : écrivez aujourd’hui."}


def _furnish(session: Session, folder: Path, _settings: Settings) -> None:
    session.add(MailingList(slug=sample.LIST_SLUG, name=sample.LIST_NAME))
    session.flush()
    for slug in _SLUGS:
        files.load(session, write_campaign(folder / slug)).ask = ["embassy"] if "letter" in slug else []
        make_account(session, f"writer-{slug}@example.org", Role.WRITER, name="Wanda")


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation with drafts."""
    with new_site(_furnish) as site:
        yield site


def _saved(site: Site, slug: str, language: str = "en") -> Written | None:
    with session_scope(site.engine, read_only=True) as session:
        version = text_versions.latest_of(session, lifecycle.get(session, slug), TextName(language))
        return version.written if version and isinstance(version.written, Written) else None


def _save_elsewhere(site: Site, slug: str, written: Written) -> None:
    with session_scope(site.engine) as session:
        campaign = lifecycle.get(session, slug)
        latest = text_versions.latest_of(session, campaign, TextName("en"))
        saving = Saving(base=latest.id if latest else 0, at=utcnow())
        text_versions.save(session, campaign, TextName("en"), written, saving, goes_out=True)


def _save(writer: Organiser) -> None:
    """Press the button."""
    with writer.page.expect_navigation():
        writer.page.locator("#writing .actions button").click()


def _forgive(writer: Organiser, status: int) -> None:
    """An answer that a script was meant to get is no problem."""
    problems = writer.visitor.problems
    problems[:] = [each for each in problems if not each.startswith(f"{status} for ")]


def test_what_is_typed_is_saved_within_seconds_and_is_there_though_the_browser_is_killed(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    slug, inspector = "text-en", Inspector("en", SCREENSHOTS / "desk-en")
    address = f"writer-{slug}@example.org"
    options: dict[str, Any] = {"is_signed_in": True, "locale": "en"}
    with browsing(browser, site, address, DESKTOP, **options) as writer:
        page = writer.open(f"/campaigns/{slug}")
        inspector.look(writer, "draft")
        Keyboard(page).enter("main a[href$='/texts']")
        inspector.look(writer, "texts")
        Keyboard(page).enter("main a[href$='/texts/en']")
        keys = Keyboard(page)
        keys.go_to("#body")
        page.keyboard.press("Control+End")
        page.keyboard.type("Tell {{ nam }} others.")
        expect(page.locator("#saving")).to_have_text("Not saved yet.")
        expect(page.locator("#saving")).to_contain_text("Saved")
        expect(page.locator("#body-problem")).to_contain_text("Line 2:")
        inspector.look(writer, "text-unfinished")
        page.locator("#body").press("Control+End")
        for _ in range(len("{{ nam }} others.")):
            page.keyboard.press("Backspace")
        page.locator("details.reference summary").click()
        page.locator("[data-insert^='{{ name']").click()
        page.keyboard.press("Control+a")
        page.locator("[data-around='**']").click()
        expect(page.locator("#body")).to_have_value(_BOLD)
        expect(page.locator("#body-problem")).to_have_count(0)
        page.locator("#subject").fill("Typed, and the browser was killed")
        expect(page.locator("#saving")).to_contain_text("Saved")
        page.close(run_before_unload=False)
    saved = _saved(site, slug)
    assert saved and saved.subject == "Typed, and the browser was killed" and saved.body.startswith("**Dear")
    with browsing(browser, site, address, DESKTOP, **options) as writer:
        page = writer.open(f"/campaigns/{slug}/texts/en")
        expect(page.locator("#subject")).to_have_value("Typed, and the browser was killed")
        page.locator("#subject").fill("Typed, and left at once")
        writer.open(f"/campaigns/{slug}/texts/en/versions")
        inspector.look(writer, "text-versions")
        page = writer.open(f"/campaigns/{slug}/texts/en")
        expect(page.locator("#subject")).to_have_value("Typed, and left at once")
        for path in ("outline", "copy"):
            writer.open(f"/campaigns/{slug}/{path}")
            inspector.look(writer, path)
        writer.open("/new-campaign")
        inspector.look(writer, "new-campaign")
    inspector.check(tmp_path)


def test_without_a_script_one_translates_beside_the_source_and_saves(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    slug, inspector = "text-ar", Inspector("ar", SCREENSHOTS / "desk-ar")
    looks: dict[str, Any] = {"locale": "ar", "color_scheme": "dark", "java_script_enabled": False}
    with browsing(browser, site, f"writer-{slug}@example.org", PHONE, is_signed_in=True, **looks) as writer:
        writer.open(f"/campaigns/{slug}/texts")
        writer.fill({"tongue": "fr"})
        writer.press("/texts")
        writer.fill(_FRENCH | {"body": "Écrivez {{"})
        _save(writer)
        inspector.look(writer, "text-unfinished")
        expect(writer.page.locator("#body-problem")).to_be_visible()
        writer.fill({"body": "Écrivez."})
        _save(writer)
        english = _saved(site, slug)
        assert english
        _save_elsewhere(site, slug, Written(english.subject, english.preheader, "Write to them now.\n"))
        writer.open(f"/campaigns/{slug}/texts/fr")
        inspector.look(writer, "text-source-changed")
        writer.press("/compare")
        expect(writer.page.locator("#source-changed")).to_have_count(0)
        writer.open(f"/campaigns/{slug}/outline")
        inspector.look(writer, "outline")
    assert _saved(site, slug, "fr") == Written.of(_FRENCH["subject"], _FRENCH["preheader"], "Écrivez.")
    inspector.check(tmp_path)


def test_a_letter_saves_itself_and_a_field_is_put_in_where_one_wrote_last(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    slug, inspector = "text-letter-en", Inspector("en", SCREENSHOTS / "desk-en")
    with browsing(browser, site, f"writer-{slug}@example.org", DESKTOP, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}/texts")
        inspector.look(writer, "letter-missing")
        Keyboard(page).enter("main a[href$='/letter-embassy.en']")
        keys = Keyboard(page)
        keys.go_to("#subjects")
        page.keyboard.type("Free the five\nfree the FIVE")
        expect(page.locator("#subjects-problem")).to_contain_text("Number 2:")
        inspector.look(writer, "letter-unfinished")
        page.locator("#subjects").fill("Free the five\nFive in prison")
        page.locator("#body").fill("Your Excellency,\n\nrelease them.\n\n")
        page.locator("details.reference summary").click()
        page.locator("#body").press("Control+End")
        page.locator("[data-insert^='{{ name']").click()
        page.locator("#openings").fill("Writing from ")
        page.locator("[data-insert^='{{ country']").click()
        expect(page.locator("#openings")).to_have_value('Writing from {{ country or "abroad" }}')
        expect(page.locator("#body")).to_have_value(_LETTER)
        expect(page.locator("#saving")).to_contain_text("Saved")
        page.reload()
        expect(page.locator("#subjects")).to_have_value("Free the five\nFive in prison")
        expect(page.locator("form .error:not(:empty)")).to_have_count(0)
        inspector.look(writer, "letter")
        writer.open(f"/campaigns/{slug}/texts")
        inspector.look(writer, "letter-listed")
    with session_scope(site.engine, read_only=True) as session:
        (letter,) = lifecycle.get(session, slug).letters
        assert letter.subjects == ["Free the five", "Five in prison"]
        assert letter.openings == ['Writing from {{ country or "abroad" }}']
    inspector.check(tmp_path)


def test_without_a_script_a_letter_is_written_and_translated_beside_its_source(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    slug, inspector = "text-letter-ar", Inspector("ar", SCREENSHOTS / "desk-ar")
    looks: dict[str, Any] = {"locale": "ar", "color_scheme": "dark", "java_script_enabled": False}
    with browsing(browser, site, f"writer-{slug}@example.org", PHONE, is_signed_in=True, **looks) as writer:
        page = writer.open(f"/campaigns/{slug}/texts")
        page.locator("main a[href$='/letter-embassy.en']").click()
        writer.fill({"subjects": "Free the five", "body": _LETTER})
        _save(writer)
        writer.open(f"/campaigns/{slug}/texts")
        page.locator("#tongue-embassy").fill("fr")
        with page.expect_navigation():
            page.locator("form:has(#tongue-embassy) button").click()
        writer.fill({"subjects": "Libérez les cinq", "openings": "Par {{ name }}", "body": _LETTER})
        _save(writer)
        expect(page.locator("#openings-problem")).to_be_visible()
        inspector.look(writer, "letter-unfinished")
        writer.fill({"openings": ""})
        _save(writer)
        writer.open(f"/campaigns/{slug}/texts")
        inspector.look(writer, "letter-listed")
    with session_scope(site.engine, read_only=True) as session:
        found = {letter.language: letter.subjects for letter in lifecycle.get(session, slug).letters}
        assert found == {"en": ["Free the five"], "fr": ["Libérez les cinq"]}
    inspector.check(tmp_path)


def test_of_two_who_write_the_second_sees_both_and_puts_them_together(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    slug, inspector = "text-late", Inspector("en", SCREENSHOTS / "desk-en")
    with browsing(browser, site, f"writer-{slug}@example.org", PHONE, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}/texts/en")
        before = _saved(site, slug)
        assert before
        _save_elsewhere(site, slug, Written("Their subject", before.preheader, before.body))
        page.locator("#subject").fill("My subject")
        expect(page.locator("#saving-problem")).to_contain_text("Somebody else saved this text")
        assert _saved(site, slug) == Written("Their subject", before.preheader, before.body)
        _forgive(writer, 409)
        _save(writer)
        expect(page.locator(".error-summary")).to_be_focused()
        expect(page.locator("#subject")).to_have_value("My subject")
        inspector.look(writer, "text-changed")
        page.locator("#subject").fill("Their and my subject")
        _save(writer)
    saved = _saved(site, slug)
    assert saved and saved.subject == "Their and my subject"
    inspector.check(tmp_path)


def test_whoever_is_signed_out_while_writing_signs_in_and_goes_on(site: Site, browser: Browser) -> None:
    slug = "text-out"
    with browsing(browser, site, f"writer-{slug}@example.org", DESKTOP, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}/texts/en")
        with session_scope(site.engine) as session:
            session.execute(delete(DeskSession))
        page.locator("#subject").fill("Typed while signed out")
        expect(page.locator("#saving-problem")).to_contain_text("you are signed out")
        _forgive(writer, 403)
        _save(writer)
        writer.sign_in(TOTP_SECRET)
        expect(page.locator("#subject")).to_have_value("Typed while signed out")
        expect(page.locator("#saving")).to_contain_text("Saved")
    saved = _saved(site, slug)
    assert saved and saved.subject == "Typed while signed out"


def test_what_was_refused_is_there_again_for_whoever_comes_back_and_overwrites_nobody(
    site: Site, browser: Browser
) -> None:
    slug = "text-back"
    with browsing(browser, site, f"writer-{slug}@example.org", DESKTOP, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}/texts/en")
        before = _saved(site, slug)
        assert before
        theirs = Written("Their subject", before.preheader, before.body)
        _save_elsewhere(site, slug, theirs)
        page.locator("#subject").fill("My subject")
        expect(page.locator("#saving-problem")).to_contain_text("Somebody else saved this text")
        _save(writer)
        writer.open(f"/campaigns/{slug}/texts")  # nobody touched the page: a browser does not ask
        page = writer.open(f"/campaigns/{slug}/texts/en")
        expect(page.locator("#subject")).to_have_value("My subject")
        expect(page.locator("#saving-problem")).to_contain_text("Somebody else saved this text")
        assert _saved(site, slug) == theirs
        _save(writer)
        page.locator("[data-leaves]").click()
        expect(page.locator("#subject")).to_have_value("Their subject")
        _forgive(writer, 409)


def test_whoever_loads_the_page_again_while_it_saves_goes_on_from_what_they_typed(site: Site, browser: Browser) -> None:
    slug = "text-again"
    with browsing(browser, site, f"writer-{slug}@example.org", DESKTOP, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}/texts/en")
        page.locator("#subject").fill("Typed, and loaded again")
        page.reload()
        expect(page.locator("#subject")).to_have_value("Typed, and loaded again")
        expect(page.locator("#saving")).to_contain_text("Saved")
        page.locator("#subject").fill("And went on")
        expect(page.locator("#saving")).to_have_text("Not saved yet.")
        expect(page.locator("#saving")).to_contain_text("Saved")
        expect(page.locator("#saving-problem")).to_have_text("")
    saved = _saved(site, slug)
    assert saved and saved.subject == "And went on"


def test_without_a_connection_nothing_is_lost_by_pressing_nor_by_leaving(site: Site, browser: Browser) -> None:
    slug = "text-off"
    with browsing(browser, site, f"writer-{slug}@example.org", DESKTOP, is_signed_in=True, locale="en") as writer:
        page = writer.open(f"/campaigns/{slug}/texts/en")
        page.context.set_offline(True)
        page.locator("#subject").fill("Typed on the train")
        expect(page.locator("#saving-problem")).to_contain_text("the connection fails")
        page.locator("#writing .actions button").click()
        expect(page.locator("#subject")).to_have_value("Typed on the train")
        page.context.set_offline(False)
        page.on("dialog", lambda dialog: dialog.accept())
        page = writer.open(f"/campaigns/{slug}/texts/en")
        expect(page.locator("#subject")).to_have_value("Typed on the train")
        expect(page.locator("#saving")).to_contain_text("Saved")
        problems = writer.visitor.problems
        problems[:] = [each for each in problems if "ERR_INTERNET_DISCONNECTED" not in each]
    saved = _saved(site, slug)
    assert saved and saved.subject == "Typed on the train"
