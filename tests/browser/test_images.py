"""The pictures in the documentation. `make images` takes all of them afresh."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, ViewportSize

from mailer.store.models import CaseEventKind
from mailer.trial import sample
from tests.browser import steps
from tests.browser.site import PUBLIC_CAMPAIGN, Site
from tests.browser.visitor import DESKTOP, PHONE, Visitor
from tests.support.debian import program

FOLDER = Path(__file__).parents[2] / "docs" / "images"
#: every picture that is kept
NAMES = (
    *("sign-up", "sign-up-arabic-dark", "confirm", "leave"),
    *("kit", "kit-texts", "leaflet"),
    *("alert", "alert-arabic"),
    *("mail", "mail-stop-dark", "stopped-arabic-dark"),
)
_LEAFLET_DPI = 60
_TALL: ViewportSize = {"width": 390, "height": 1200}  # as much of a long page as a reader takes in


def take(shown: Page | Locator, name: str) -> None:
    assert name in NAMES
    shown.screenshot(path=FOLDER / f"{name}.png", scale="css")


def take_all_of(page: Page, name: str) -> None:
    assert name in NAMES
    page.screenshot(path=FOLDER / f"{name}.png", scale="css", full_page=True)


def _stop(folder: Path) -> Path:
    """The sample's mail that asks people to write no more, to everybody and about no case of this site; its folder."""
    shutil.copytree(sample.CAMPAIGN_DIR.parent / sample.STOP_SLUG, folder)
    (folder / "campaign.toml").write_text(
        f'kind = "stop"\nlist = "{sample.LIST_SLUG}"\nlanguage = "en"\nabout = "none"\n'
    )
    return folder


@pytest.mark.images
def test_every_picture_is_taken(site: Site, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    light, dark = (visit(PHONE, color_scheme=scheme) for scheme in ("light", "dark"))
    arabic = visit(PHONE, language="ar", color_scheme="light")
    arabic_dark = visit(PHONE, language="ar", color_scheme="dark")
    desk = visit(DESKTOP, color_scheme="light")

    officer = steps.affiliated(light, site, "harbour-pilots", "Harbour Pilots' Union")
    address = site.new_address()
    light.open("/")
    take_all_of(light.page, "sign-up")
    arabic_dark.open("/ar/")
    take_all_of(arabic_dark.page, "sign-up-arabic-dark")
    steps.fill_in(light, address)
    light.page.locator("main summary").click()
    light.page.locator("[name=union]").fill("Harbour Pilots' Union")
    light.page.locator("[name=store_union]").check()
    steps.submit(light, "alerts")
    light.open(site.mail_to(address).link("confirm"))
    take_all_of(light.page, "confirm")
    steps.submit(light)

    folder = tmp_path / "the-veldara-dockers"
    shutil.copytree(sample.CAMPAIGN_DIR, folder)
    steps.make_kits(site, site.send_campaign(folder))
    mail = site.mail_to(address)
    site.send_campaign(_stop(tmp_path / "stop"))
    for visitor, shown, name in ((light, mail, "mail"), (dark, site.mail_to(address), "mail-stop-dark")):
        visitor.page.set_viewport_size(_TALL)
        visitor.page.goto("about:blank")  # which has no policy on styles
        visitor.page.set_content(shown.html)
        take(visitor.page, name)
    light.open(mail.link("unsubscribe"))
    take_all_of(light.page, "leave")

    desk.open(f"/en/campaigns/{PUBLIC_CAMPAIGN}")
    take(desk.page, "alert")
    arabic.page.set_viewport_size(_TALL)
    arabic.open(f"/ar/campaigns/{PUBLIC_CAMPAIGN}")
    take(arabic.page, "alert-arabic")

    with site.decided(CaseEventKind.STOPPED):
        arabic_dark.page.set_viewport_size(PHONE["viewport"])
        arabic_dark.open(f"/ar/campaigns/{PUBLIC_CAMPAIGN}")
        take(arabic_dark.page, "stopped-arabic-dark")
    light.open(site.mail_to(officer).link("kit"))
    take(light.page, "kit")
    take(light.page.locator("main .card:has(textarea)").first, "kit-texts")
    with light.page.expect_download() as download:
        light.page.locator("main a[href$='/en/leaflet.pdf']").click()
    options = ("-r", str(_LEAFLET_DPI), "-png", "-singlefile")
    printed = program("pdftoppm", package="poppler-utils")
    subprocess.run([printed, *options, download.value.path(), FOLDER / "leaflet"], check=True, timeout=60)
