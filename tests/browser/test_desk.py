"""The desk in a real browser: from an invitation to a report, with a second person, and nothing wrong on the way."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from sqlalchemy.orm import Session

from mailer.campaigns import files, lifecycle
from mailer.delivery import control
from mailer.organisers import approvals
from mailer.settings import Settings
from mailer.store.db import session_scope
from mailer.store.models import CampaignStatus, MailingList, Role
from mailer.trial import sample
from tests.browser.conftest import NewSite
from tests.browser.organising import Inspector, Keyboard, Organiser, browsing
from tests.browser.site import Site, write_campaign
from tests.browser.test_pages import SCREENSHOTS
from tests.browser.visitor import DESKTOP, PHONE
from tests.support.accounts import PASSWORD, TOTP_SECRET, cheap_hashes, make_account, make_publisher
from tests.support.factories import make_subscriber

_ADMIN = "ada@example.org"
_READERS = {"ana@example.net": "en", "rami@example.net": "ar", "zoe@example.net": "en"}
#: how many get each campaign, as somebody types it who writes Arabic
_PEOPLE = {"en": "3", "ar": "٣"}
_ARABIC = """+++
subject = "اكتبوا اليوم"
preheader = "خمسة عمال في السجن بسبب إضراب."
+++
{{ name or 'إلى كل من يساندنا' }}، اكتبوا إلى السفارة.
"""
#: a campaign of its own for each test
_CAMPAIGNS = ("way-en", "way-ar", "way-keys")


def _furnish(session: Session, folder: Path, _settings: Settings) -> None:
    """Make a draft for each test, whom it goes to, and an admin."""
    alerts = MailingList(slug=sample.LIST_SLUG, name=sample.LIST_NAME)
    session.add(alerts)
    session.flush()
    for address, language in _READERS.items():
        make_subscriber(session, alerts, email=address, language=language)
    for slug in _CAMPAIGNS:
        campaign = write_campaign(folder / slug)
        for name, text in {"en.md": (campaign / "en.md").read_text(), "ar.md": _ARABIC}.items():
            (campaign / name).write_text(f"{text}\n{slug}\n")  # by which its mails are told from others
        files.load(session, campaign)
    make_account(session, _ADMIN, Role.ADMIN, name="Ada")


@pytest.fixture(scope="module")
def site(new_site: NewSite) -> Iterator[Site]:
    """An installation whose campaigns somebody has to approve."""
    with cheap_hashes(), new_site(_furnish) as site:
        yield site


def _publisher(site: Site, name: str) -> str:
    with session_scope(site.engine) as session:
        return make_publisher(session, name).email


def _status(site: Site, slug: str) -> CampaignStatus:
    with session_scope(site.engine, read_only=True) as session:
        return lifecycle.get(session, slug).status


def _is_approved(site: Site, slug: str) -> bool:
    with session_scope(site.engine, read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        return approvals.standing(session, campaign, site.sender).state is approvals.State.APPROVED


def _notice_link(site: Site, address: str, slug: str) -> str:
    """Where the mail leads that tells a publisher what waits for them."""
    [link] = {each for each in site.mail_to(address).links() if f"/desk/campaigns/{slug}/" in each}
    assert link == f"{site.url}/desk/campaigns/{slug}/approval"
    return link


def _received(site: Site, slug: str) -> list[int]:
    """How many mails of a campaign each of its readers got."""
    return [sum(slug in mail.text for mail in site.mails_to(address)) for address in _READERS]


def _join(admin: Organiser, writer: Organiser, site: Site, inspector: Inspector) -> None:
    """Have an admin invite a writer, who joins, goes, and comes in again."""
    admin.open("/accounts/invite")
    inspector.look(admin, "invite")
    admin.fill({"invitee": writer.address})
    admin.page.locator("[name=role-writer]").check()
    admin.press("/accounts/invite")
    inspector.look(admin, "invite-link")
    link = admin.page.locator("#link").inner_text().strip()
    assert link in site.mail_to(writer.address).links()
    page = writer.open(link)
    inspector.look(writer, "join")
    secret = (page.locator("code.secret").text_content() or "").replace(" ", "")
    writer.fill({"name": "Wanda Writer", "new_password": PASSWORD, "new_password_again": PASSWORD})
    writer.fill({"code": writer.code(secret)})
    writer.press(link.rpartition("/")[2])
    inspector.look(writer, "recovery-codes")
    writer.follow("/desk/")
    inspector.look(writer, "home-quiet")
    writer.sign_out()
    inspector.look(writer, "sign-in")
    writer.sign_in(secret)
    assert page.url == f"{site.url}/desk/"


def _prepare(writer: Organiser, site: Site, slug: str, inspector: Inspector) -> None:
    """Find a campaign, preview it, check it, have a test mail, and ask for approval."""
    page = writer.page
    writer.open("/campaigns")
    inspector.look(writer, "campaigns")
    writer.follow(f"/{slug}")
    inspector.look(writer, "campaign-draft")
    writer.follow(f"/{slug}/preview")
    inspector.look(writer, "preview")
    writer.follow(f"/{slug}/check")
    writer.press(f"/{slug}/tests")
    tests = {mail.message["Subject"] for mail in site.mails_to(writer.address)[1:]}
    assert len(tests) > 1  # in each language
    writer.open(f"/campaigns/{slug}/check")
    inspector.look(writer, "check")
    assert page.locator("#test-mails li").count() == len(tests)
    writer.open(f"/campaigns/{slug}/approval")
    inspector.look(writer, "approval-ask")
    writer.fill({"words": "The court sits on Monday."})
    writer.press("/approval/ask")
    inspector.look(writer, "approval-asked")


def _send_back(publisher: Organiser, writer: Organiser, slug: str, inspector: Inspector) -> None:
    """Have whoever is asked say what should be changed first, and whoever asked read it and ask again."""
    publisher.page.locator("#send-back summary").click()
    publisher.fill({"wanted": "The second paragraph names a day that has passed."})
    publisher.press("/approval/send-back")
    inspector.look(publisher, "sent-back")
    home = writer.open("/")
    expect(home.locator("blockquote.written")).to_have_text("The second paragraph names a day that has passed.")
    inspector.look(writer, "home-sent-back")
    writer.follow(f"/{slug}/approval")
    writer.press("/approval/ask")
    inspector.look(writer, "approval-asked-again")


def _approve(publisher: Organiser, site: Site, slug: str, inspector: Inspector) -> None:
    """Have somebody else approve it, from the mail that tells them, while they are signed in."""
    link = _notice_link(site, publisher.address, slug)
    publisher.presses = 0
    publisher.open(link)
    inspector.look(publisher, "approval")
    publisher.press("/approval/approve")
    assert _is_approved(site, slug)
    assert publisher.presses <= 5
    inspector.look(publisher, "approved")


def _send(publisher: Organiser, site: Site, slug: str, inspector: Inspector) -> None:
    """Send it, and undo that."""
    publisher.follow(f"/{slug}/send")
    inspector.look(publisher, "send")
    publisher.fill({"people": "2"})
    publisher.press("/send")
    inspector.look(publisher, "send-mistake")
    publisher.fill({"people": _PEOPLE[inspector.language]})
    publisher.press("/send")
    assert _status(site, slug) is CampaignStatus.SCHEDULED
    inspector.look(publisher, "send-waits")
    publisher.press("/undo")
    assert (_status(site, slug), _is_approved(site, slug)) == (CampaignStatus.DRAFT, True)


def _send_again(publisher: Organiser, site: Site, slug: str, inspector: Inspector, *, has_scripts: bool) -> None:
    """Send it once more, and let its time come."""
    publisher.fill({"people": _PEOPLE[inspector.language]})
    publisher.press("/send")
    assert _status(site, slug) is CampaignStatus.SCHEDULED
    site.sweep()
    if has_scripts:
        expect(publisher.page.locator("#undo")).to_have_count(0)
    assert _status(site, slug) is CampaignStatus.SENDING


def _hold(publisher: Organiser, site: Site, slug: str, inspector: Inspector) -> None:
    """Pause it as it goes out, have it go on, and stop everything."""
    publisher.open(f"/campaigns/{slug}")
    inspector.look(publisher, "campaign-sending")
    publisher.fill({"words": "The lawyer rang."})
    publisher.press("/pause")
    assert _status(site, slug) is CampaignStatus.PAUSED
    inspector.look(publisher, "campaign-paused")
    site.deliver()
    publisher.press("/resume")
    assert _status(site, slug) is CampaignStatus.SENDING
    publisher.open("/")
    inspector.look(publisher, "home")
    publisher.stop_everything()
    assert _status(site, slug) is CampaignStatus.PAUSED
    inspector.look(publisher, "stopped")
    assert _received(site, slug) == [0, 0, 0]


def _report(publisher: Organiser, site: Site, slug: str, inspector: Inspector) -> None:
    """Have it go on to its end, and see what came of it."""
    publisher.follow(f"/{slug}")
    publisher.press("/resume")
    assert _received(site, slug) == [1, 1, 1]
    site.sweep()
    publisher.open(f"/campaigns/{slug}")
    inspector.look(publisher, "campaign-sent")
    publisher.follow("/report")
    inspector.look(publisher, "report")
    assert publisher.page.locator(".report-part").count() > 3


@pytest.mark.parametrize(
    ("slug", "language", "device", "scheme", "has_scripts"),
    [("way-en", "en", DESKTOP, "light", True), ("way-ar", "ar", PHONE, "dark", False)],
    ids=["en-1280-script", "ar-390-no-script"],
)
def test_a_campaign_goes_the_whole_way_and_nothing_is_wrong_with_any_page(
    site: Site,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    slug: str,
    language: str,
    device: dict[str, Any],
    scheme: str,
    has_scripts: bool,
    tmp_path: Path,
) -> None:
    inspector = Inspector(language, SCREENSHOTS / f"desk-{language}")
    looks: dict[str, Any] = {"locale": language, "color_scheme": scheme, "java_script_enabled": has_scripts}
    someone = partial(browsing, browser, site, **looks)
    with ExitStack() as browsers:
        writer = browsers.enter_context(someone(address=f"writer-{slug}@example.org", device=device))
        with someone(address=_ADMIN, device=device, is_signed_in=True) as admin:
            _join(admin, writer, site, inspector)
        address = _publisher(site, f"olga-{slug}")
        _prepare(writer, site, slug, inspector)
        publisher = browsers.enter_context(someone(address=address, device=device))
        publisher.open(f"/campaigns/{slug}/approval")
        publisher.sign_in(TOTP_SECRET)
        assert publisher.page.url == _notice_link(site, address, slug)  # where they wanted to go
        _send_back(publisher, writer, slug, inspector)
        _approve(publisher, site, slug, inspector)
        _send(publisher, site, slug, inspector)
        with monkeypatch.context() as patch:
            patch.setattr(control, "TO_UNDO", timedelta(0))
            _send_again(publisher, site, slug, inspector, has_scripts=has_scripts)
        _hold(publisher, site, slug, inspector)
        _report(publisher, site, slug, inspector)
    inspector.check(tmp_path)


def test_by_keyboard_alone_a_campaign_is_asked_for_approved_and_sent(site: Site, browser: Browser) -> None:
    slug = "way-keys"
    olga, petra = (_publisher(site, f"{name}-keys") for name in ("olga", "petra"))
    with browsing(browser, site, olga, DESKTOP, is_signed_in=True) as asker:
        keys = Keyboard(asker.open(f"/campaigns/{slug}"))
        keys.go_to(".skip")
        keys.enter("main a[href$='/approval']")
        keys.go_to("[name=words]")
        asker.page.keyboard.type("The court sits on Monday.")
        keys.enter("form[action$='/ask'] button")
    with browsing(browser, site, petra, DESKTOP, is_signed_in=True) as other:
        keys = Keyboard(other.open(_notice_link(site, petra, slug)))
        keys.enter("form[action$='/approve'] button")
        keys.enter("main a[href$='/send'].button")
        keys.go_to("[name=people]:not([type=hidden])")
        other.page.keyboard.type(_PEOPLE["en"])
        keys.enter("form[action$='/send'] button")
        keys.go_to("#waiting a")
        _wait_until_shown_anew(other.page.locator("#waiting"))
        expect(other.page.locator("#waiting a")).to_be_focused()
        other.page.keyboard.press("Shift+Tab")
        expect(other.page.locator("#undo")).to_be_focused()
        with other.page.expect_navigation():
            other.page.keyboard.press("Enter")
        expect(other.page.locator("form#send")).to_be_visible()
    assert (_status(site, slug), _is_approved(site, slug)) == (CampaignStatus.DRAFT, True)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_drops_down_stands_whole_in_the_window_of_a_phone(site: Site, browser: Browser, language: str) -> None:
    someone = _publisher(site, f"phone-{language}")
    with browsing(browser, site, someone, PHONE, is_signed_in=True, locale=language) as organiser:
        page = organiser.open("/")
        for menu in page.locator("details.menu").all():
            menu.locator("summary").click()
            box = menu.locator("ul, form").first.bounding_box()
            assert box is not None
            assert box["x"] >= 0 and 300 < box["width"] <= PHONE["viewport"]["width"] - box["x"]


def _wait_until_shown_anew(part: Locator) -> None:
    part.evaluate("each => each.classList.add('old')")
    expect(part).not_to_have_class(re.compile("old"))
