"""An urgent action at the desk from nothing: written in three languages about a case, with targets and letters, its
audience chosen, checked, approved and sent. On a phone, without a script."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.cases import files as case_files
from mailer.delivery import control
from mailer.settings import Settings
from mailer.spreadsheets import targets
from mailer.store import db
from mailer.store.db import session_scope, utcnow
from mailer.store.models import CampaignStatus, Delivery, DeliveryState, MailingList, Role, Subscriber
from mailer.trial import sample
from mailer.unions import directory
from tests.browser.conftest import NewSite
from tests.browser.organising import Organiser, browsing
from tests.browser.site import Site
from tests.browser.visitor import PHONE
from tests.support.accounts import cheap_hashes, make_account
from tests.support.factories import make_subscriber

_WRITER, _PUBLISHER = "wanda@example.org", "pavel@example.org"
_SLUG = "free-them-now"
_TEXTS = {
    "en": ("Free them now", "Two minutes of yours can help them.", "Dear supporter,\n\nwrite to them today.\n"),
    "fr": ("Libérez-les", "Deux minutes peuvent les aider.", "Chère amie, cher ami,\n\nécrivez aujourd’hui.\n"),
    "ar": ("أطلقوا سراحهم", "دقيقتان منك قد تساعدانهم.", "أصدقاءنا،\n\nاكتبوا اليوم.\n"),
}
_LETTERS = {
    "en": ("Release them\nThey must be free", '{{ salutation or "Your Excellency" }}\n\nRelease them.'),
    "fr": ("Libérez-les\nIls doivent être libres", '{{ salutation or "Excellence" }}\n\nLibérez-les.'),
}
_SIGNED = '\n\n{{ name or "(your name)" }}'


def _furnish(session: Session, folder: Path, _settings: Settings) -> None:
    alerts = MailingList(slug=sample.LIST_SLUG, name=sample.LIST_NAME)
    session.add(alerts)
    session.flush()
    for union in sample.unions():
        directory.add(session, union.slug, union.name, country=union.country, parent_slug=union.parent)
    sample.copy_files(folder / "world", db.now(session).date())
    case_files.load(session, folder / "world" / "cases" / sample.CASE_SLUG)
    targets.import_file(session, folder / "world" / sample.TARGETS)
    for country, language in (("GB", "en"), ("FR", "fr"), ("FR", "ar"), ("NO", "en")):
        make_subscriber(
            session, alerts, email=f"{language}-{country.lower()}@example.org", country=country, language=language
        )
    make_account(session, _WRITER, Role.WRITER, name="Wanda")
    make_account(session, _PUBLISHER, Role.PUBLISHER, name="Pavel")


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation with people, a case and targets, and no campaign."""
    with cheap_hashes(), new_site(_furnish) as site:
        yield site


def _save(who: Organiser) -> None:
    with who.page.expect_navigation():
        who.page.locator("main form .actions button:not([formaction]):visible").first.click()
    expect(who.page.locator(".error-summary")).to_have_count(0)
    expect(who.page.locator("form .error:not(:empty)")).to_have_count(0)


def _write(writer: Organiser) -> None:
    """From a new campaign to one that only waits to be approved."""
    page = writer.open("/new-campaign")
    writer.fill({"subject": "Free them now", "name": _SLUG, "tongue": "en"})
    page.locator("[name=case]").select_option(sample.CASE_SLUG)
    with page.expect_navigation():
        page.locator("main form .actions button").click()
    for tag, (subject, preheader, body) in _TEXTS.items():
        writer.open(f"/campaigns/{_SLUG}/texts/{tag}")
        writer.fill({"subject": subject, "preheader": preheader, "body": body})
        _save(writer)
    writer.open(f"/campaigns/{_SLUG}/outline")
    for field, value in {"ask-1": "embassy", "home": "exclude", "unknown_home": "exclude"}.items():
        page.locator(f"[name={field}]").select_option(value)
    _save(writer)
    for tag, (subjects, body) in _LETTERS.items():
        writer.open(f"/campaigns/{_SLUG}/texts")
        if tag == "en":
            page.locator("main a[href$='/letter-embassy.en']").click()
        else:
            page.locator("#tongue-embassy").fill(tag)
            page.locator("form:has(#tongue-embassy) button").click()
        writer.fill({"subjects": subjects, "body": body + _SIGNED})
        _save(writer)
    writer.open(f"/campaigns/{_SLUG}/outline/targets")
    page.locator("[name=name-1]").fill("The Ministry of Justice")
    page.locator("[name=email-1]").fill("ministry@example.org")
    with page.expect_navigation():
        page.locator("main form .actions button:not([formaction])").click()
    expect(page.locator(".error-summary")).to_have_count(0)
    writer.open(f"/campaigns/{_SLUG}/audience")
    writer.fill({"exclude_countries": "NO"})
    _save(writer)


def test_an_alert_is_written_approved_and_sent_and_no_terminal_is_needed(
    site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "TO_UNDO", timedelta(0))
    looks: dict[str, Any] = {"locale": "en", "java_script_enabled": False, "is_signed_in": True}
    with (
        browsing(browser, site, _WRITER, PHONE, **looks) as writer,
        browsing(browser, site, _PUBLISHER, PHONE, **looks) as publisher,
    ):
        _write(writer)
        writer.open(f"/campaigns/{_SLUG}/check")
        writer.open(f"/campaigns/{_SLUG}/approval")
        writer.fill({"words": "The court sits on Monday."})
        writer.press("/approval/ask")
        page = publisher.open(f"/campaigns/{_SLUG}/approval")
        for words in ("Libérez-les", "They must be free", "The Ministry of Justice"):
            expect(page.locator("main")).to_contain_text(words)
        publisher.press("/approval/approve")
        publisher.follow(f"/{_SLUG}/send")
        publisher.fill({"people": "3"})
        publisher.press("/send")
        site.sweep()
        site.deliver()
    with session_scope(site.engine, read_only=True) as session:
        campaign = lifecycle.get(session, _SLUG)
        assert campaign.status is CampaignStatus.SENT and campaign.started_at and campaign.started_at <= utcnow()
        got = select(Subscriber.country, Delivery.language).join_from(Delivery, Subscriber)
        sent = session.execute(got.where(Delivery.campaign_id == campaign.id, Delivery.state == DeliveryState.SENT))
        assert sorted(map(tuple, sent)) == [("FR", "ar"), ("FR", "fr"), ("GB", "en")]
