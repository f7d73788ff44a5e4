"""The pictures in the organisers' guide: the sample alert on its way through the desk. `make images` takes all of them
afresh."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize
from sqlalchemy.orm import Session

from mailer.delivery import control
from mailer.settings import Settings
from mailer.store.models import MailingList, Role
from mailer.trial import sample
from mailer.unions import directory
from tests.browser.conftest import NewSite
from tests.browser.organising import Organiser, browsing
from tests.browser.site import Site
from tests.browser.test_images import FOLDER
from tests.browser.visitor import DESKTOP
from tests.support.accounts import cheap_hashes, make_account
from tests.support.factories import make_subscriber
from tests.support.sample_world import load_alert

NAMES = ("desk-write", "desk-audience", "desk-approval", "desk-sent", "desk-supporter")
_SLUG = sample.CAMPAIGN_DIR.name
_WRITER, _PUBLISHER, _READER = "wanda@example.org", "pavel@example.org", "ana@example.org"
_COUNTRIES = ("GB", "NO", "FR", "KZ", "DE", "GR")
_LANGUAGES = ("en", "fr", "ru", "ar")
_PEOPLE = 240
_WINDOW: ViewportSize = {"width": 1100, "height": 900}  # as much as one takes in at once


def _furnish(session: Session, folder: Path, _settings: Settings) -> None:
    alerts = MailingList(slug=sample.LIST_SLUG, name=sample.LIST_NAME)
    session.add(alerts)
    session.flush()
    for union in sample.unions():
        directory.add(session, union.slug, union.name, country=union.country, parent_slug=union.parent)
    make_subscriber(session, alerts, email=_READER, name="Ana Kolmer", country="FR", language="fr")
    people = zip(cycle(_COUNTRIES), cycle(_LANGUAGES), range(_PEOPLE - 1), strict=False)
    for country, language, _ in islice(people, _PEOPLE - 1):
        make_subscriber(session, alerts, country=country, language=language)
    load_alert(session, folder / "world")
    make_account(session, _WRITER, Role.WRITER, name="Wanda")
    make_account(session, _PUBLISHER, Role.PUBLISHER, name="Pavel")


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation with the sample's alert as a draft."""
    with cheap_hashes(), new_site(_furnish) as site:
        yield site


def _take(who: Organiser, name: str) -> None:
    assert name in NAMES
    who.page.set_viewport_size(_WINDOW)
    who.page.screenshot(path=FOLDER / f"{name}.png", scale="css")


@pytest.mark.images
def test_every_picture_of_the_desk_is_taken(site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "TO_UNDO", timedelta(0))
    with (
        browsing(browser, site, _WRITER, DESKTOP, is_signed_in=True, locale="en") as writer,
        browsing(browser, site, _PUBLISHER, DESKTOP, is_signed_in=True, locale="en") as publisher,
    ):
        writer.open(f"/campaigns/{_SLUG}/texts/fr")
        _take(writer, "desk-write")
        writer.open(f"/campaigns/{_SLUG}/audience")
        _take(writer, "desk-audience")
        writer.open(f"/campaigns/{_SLUG}/approval")
        writer.fill({"words": "The court sits on Monday."})
        writer.press("/approval/ask")
        publisher.open(f"/campaigns/{_SLUG}/approval")
        _take(publisher, "desk-approval")
        publisher.press("/approval/approve")
        publisher.follow(f"/{_SLUG}/send")
        publisher.fill({"people": str(_PEOPLE)})
        publisher.press("/send")
        site.sweep()
        site.deliver()
        publisher.open(f"/campaigns/{_SLUG}")
        _take(publisher, "desk-sent")
        publisher.open("/supporters")
        publisher.fill({"supporter-address": _READER})
        publisher.press("/supporters/find")
        _take(publisher, "desk-supporter")
