"""The way of a trade union through the site: it affiliates, gets a kit, forwards it, and sees what that brought."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from mailer.people import subscribers
from mailer.store.db import session_scope, utcnow
from mailer.store.models import JoinCount, Kit, Subscriber, Union, UnionContact, UnionStatus
from mailer.trial import sample
from mailer.unions import directory
from mailer.web.language import LANGUAGES
from tests.browser import steps
from tests.browser.inspection import accessibility_problems, wide_parts
from tests.browser.site import UNION_WITH_A_LONG_NAME, Mail, Site
from tests.browser.visitor import DESKTOP, PHONE, Visitor

OFFICER, ROLE = "Olga Officer", "Keeper of the Seals"  # as `steps.ask_to_affiliate` says it
FILES = {
    *("mail.eml", "mail.html", "mail.txt", "messenger-short.txt", "messenger-medium.txt"),
    *("leaflet.pdf", "picture.png"),
}
TITLES = {"en": "Free the five dockers", "ar": "أطلقوا سراح عمال الميناء الخمسة"}
_TOKEN = re.compile(r"[0-9a-f]{40}")


def write_alert(folder: Path) -> Path:
    """An alert in two languages that may be forwarded; returns its folder."""
    folder.mkdir()
    (folder / "campaign.toml").write_text(
        f'kind = "urgent_action"\nlist = "{sample.LIST_SLUG}"\nlanguage = "en"\nabout = "none"\nforwardable = true\n'
        "deadline = 2035-04-30T18:00:00+02:00\n"
        '[[targets]]\nname = "The Ministry"\nemail = "ministry@example.net"\naddress = "1 Ministry Square"\n'
    )
    texts = {
        "en": (
            "Five dockers are in prison for a strike: write today.",
            "Dear {{ name or 'supporter' }}, please write.",
        ),
        "ar": ("خمسة عمال في السجن بسبب إضراب: اكتبوا اليوم من فضلكم.", "عزيزي {{ name or 'القارئ' }}، اكتب من فضلك."),
    }
    for language, (preheader, body) in texts.items():
        (folder / f"{language}.md").write_text(
            f'+++\nsubject = "{TITLES[language]}"\npreheader = "{preheader}"\n+++\n{body}\n'
        )
    return folder


@pytest.fixture
def alert(site: Site, tmp_path: Path) -> Callable[[], int]:
    """Sends an alert to forward and has its kits made; returns its id."""

    def send() -> int:
        campaign_id = site.send_campaign(write_alert(tmp_path / f"alert-{tmp_path.name.replace('_', '-')}"))
        steps.make_kits(site, campaign_id)
        return campaign_id

    return send


def kit_of(site: Site, slug: str) -> Kit:
    """The only kit of a union."""
    with session_scope(site.engine, read_only=True) as session:
        of_union = select(Kit).join(Union, Union.id == Kit.union_id).where(Union.slug == slug)
        return session.scalars(of_union).one()


def downloads(page: Page) -> dict[str, bytes]:
    """Every file that the kit's page offers: what its address ends with → contents."""
    for closed in page.locator("main details:not([open]) > summary").all():
        closed.click()
    found = {}
    for link in page.locator("main a[href*='/kit/']").all():
        address = str(link.get_attribute("href"))
        with page.expect_download() as download:
            link.click()
        found[re.split(_TOKEN, address)[1].lstrip("/")] = download.value.path().read_bytes()
    return found


def problems_of(visitor: Visitor, name: str, language: str) -> list[str]:
    """What is wrong with the page that is open, each with that name before it."""
    page = visitor.page
    found = [*accessibility_problems(page), *(f"wider than the window: {part}" for part in wide_parts(page))]
    expected = (language, "rtl" if language == "ar" else "ltr")
    if (page.locator("html").get_attribute("lang"), page.locator("html").get_attribute("dir")) != expected:
        found.append("in another language")
    return [f"{name}: {problem}" for problem in found]


# --- the whole way --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "device", "has_scripts"),
    [("en", PHONE, False), ("ar", PHONE, True), ("en", DESKTOP, True)],
    ids=["phone without scripts", "phone in Arabic", "desktop"],
)
def test_an_officer_affiliates_a_union_forwards_an_alert_and_sees_what_it_brought(
    site: Site,
    visit: Callable[..., Visitor],
    alert: Callable[[], int],
    language: str,
    device: dict[str, Any],
    has_scripts: bool,
) -> None:
    slug = f"lamplighters-{language}-{device['viewport']['width']}"
    name = f"Guild of Lamplighters, {slug}"
    visitor, problems = visit(device, language=language, java_script_enabled=has_scripts), list[str]()

    def inspect(page_name: str) -> None:
        if has_scripts:  # axe-core is one
            problems.extend(problems_of(visitor, page_name, language))

    page = visitor.open("/affiliate")
    inspect("affiliate")
    steps.submit(visitor, "is_named")
    assert visitor.document().status == 422
    inspect("affiliate-mistakes")
    address = steps.ask_to_affiliate(visitor, site, name, languages=[language])
    assert "/check-your-mail" in page.url
    inspect("check-your-mail")
    with session_scope(site.engine, read_only=True) as session:
        assert directory.find(session, slug) is None
        assert subscribers.find(session, address) is None

    asks = site.mail_to(address)
    assert not [typed for typed in (name, OFFICER, ROLE) if typed in asks.text + asks.html]
    visitor.open(asks.link("contact"))
    inspect("contact")
    steps.submit(visitor)
    inspect("contact-confirmed")
    visitor.open(asks.link("contact"))
    assert visitor.document().status == 200  # a second click finds what the first did
    assert len(site.mails_to(address)) == 1

    union_id = steps.accept(site, name, slug)
    says_yes = site.mail_to(address)
    visitor.open(says_yes.link("results"))
    inspect("results-of-nothing")
    alert()
    mail = site.mail_to(address)
    assert TITLES[language] in mail.text + str(mail.message["Subject"])
    page = visitor.open(mail.link("kit"))
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[language])
    expect(page.locator("main")).to_contain_text(name)
    inspect("kit")

    steps.answer(visitor, "seen")
    steps.answer(visitor, "promised")
    inspect("kit-promised")
    page.locator("[name=reached]").fill("many")
    steps.answer(visitor, "forwarded")
    assert visitor.document().status == 422
    inspect("kit-mistakes")
    page.locator("[name=reached]").fill("١٢٠" if language == "ar" else "120")
    steps.answer(visitor, "forwarded")
    inspect("kit-forwarded")
    kit = kit_of(site, slug)
    assert (kit.seen_at is not None, kit.promised_at is not None, kit.forwarded_at is not None) == (True,) * 3
    assert kit.reached == 120

    files = downloads(page)
    with ZipFile(io.BytesIO(files.pop("kit.zip"))) as archive:
        packed = {file: archive.read(file) for file in archive.namelist()}
    assert packed.keys() == {f"{each}/{file}" for each in TITLES for file in FILES}
    assert files.keys() == {file for file in packed if not file.rpartition("/")[2].startswith("messenger")}
    assert all(packed[file] == contents for file, contents in files.items())
    shown = [field.input_value() for field in page.locator("main textarea").all()]
    assert {" ".join(text.split()) for text in shown} == {
        " ".join(contents.decode("utf-8-sig").split()) for file, contents in packed.items() if "/messenger" in file
    }

    joins = page.locator(f"main a[href*='/join/{slug}']").last.get_attribute("href")
    assert joins
    member_joins(site, visit(PHONE, language=language, java_script_enabled=has_scripts), joins)
    with session_scope(site.engine, read_only=True) as session:
        assert session.get_one(JoinCount, (union_id, f"{utcnow():%Y-%m}")).joined == 1

    page = visitor.open(says_yes.link("results"))
    inspect("results")
    expect(page.locator("main")).to_contain_text(TITLES[language])
    if language == "en":
        expect(page.locator("main")).to_contain_text("You have forwarded it to about 120 members.")
        expect(page.locator("main")).to_contain_text("under 10")
    assert not problems, "\n".join(problems)


def member_joins(site: Site, member: Visitor, link: str) -> None:
    """Sign up through a union's link and confirm. Nothing of it is kept on the person who does not wish it."""
    address = site.new_address()
    member.open(link)
    steps.fill_in(member, address)
    steps.submit(member, "alerts")
    assert "/check-your-mail" in member.page.url
    member.open(site.mail_to(address).link("confirm"))
    steps.submit(member)
    with session_scope(site.engine, read_only=True) as session:
        person = subscribers.find(session, address)
        assert person is not None
        assert person.union_id is None


# --- by keyboard, and in every language -----------------------------------------------------------------------------


def test_a_union_says_what_it_does_with_nothing_but_a_keyboard(
    site: Site, visit: Callable[..., Visitor], alert: Callable[[], int]
) -> None:
    visitor = visit(java_script_enabled=False)
    address = steps.affiliated(visitor, site, "bell-founders", "Bell Founders")
    alert()
    page = visitor.open(site.mail_to(address).link("kit"))
    for button in ("We have seen it", "We will forward it"):
        tab_to(page, page.get_by_role("button", name=button))
        press_enter(page)
    tab_to(page, page.locator("[name=reached]"))
    page.keyboard.type("250")
    press_enter(page)
    kit = kit_of(site, "bell-founders")
    assert (kit.seen_at is not None, kit.promised_at is not None, kit.reached) == (True, True, 250)
    # The text for a messenger can be selected and copied without a mouse.
    text = page.locator("main textarea").first
    tab_to(page, text)
    page.keyboard.press("Control+A")
    assert text.evaluate("field => field.selectionEnd - field.selectionStart") == len(text.input_value())


def tab_to(page: Page, wanted: Any) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            expect(wanted).to_be_in_viewport()
            return
    raise AssertionError(f"the keyboard does not get to {wanted}")


def press_enter(page: Page) -> None:
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_long_names_and_all_languages_stay_within_a_small_phone(
    site: Site, visit: Callable[..., Visitor], alert: Callable[[], int]
) -> None:
    visitor = visit(PHONE | {"viewport": {"width": 320, "height": 640}}, java_script_enabled=False)
    address = steps.affiliated(visitor, site, "long-names", UNION_WITH_A_LONG_NAME, languages=["ar", "en"])
    yes = site.mail_to(address)
    alert()
    mail = site.mail_to(address)
    paths = [path_of(site, link) for link in (mail.link("kit"), yes.link("results"), mail.link("no-contact"))]
    for language in LANGUAGES:
        for path in ("/affiliate", "/join/long-names", *paths):
            page = visitor.open(f"/{language}{path}")
            assert wide_parts(page) == [], page.url


def path_of(site: Site, link: str) -> str:
    """The path of a link of ours, without its language."""
    first, _, rest = link.removeprefix(f"{site.url}/").partition("/")
    return f"/{rest}" if first in LANGUAGES else f"/{first}/{rest}"


# --- what nobody gets to see ----------------------------------------------------------------------------------------


def test_a_union_that_asked_not_to_be_named_is_named_nowhere(
    site: Site, visit: Callable[..., Visitor], alert: Callable[[], int]
) -> None:
    visitor = visit(PHONE, java_script_enabled=False)
    address = steps.affiliated(visitor, site, "unmentionable", "Unmentionable Workers", is_named=False)
    yes = site.mail_to(address)
    alert()
    mail = site.mail_to(address)
    page = visitor.open(mail.link("kit"))
    assert "nmentionable" not in page.content()
    assert page.locator(f"main a[href='{site.url}/en/'], main a[href='{site.url}/']").count() == 2
    for file, contents in downloads(page).items():
        if file.endswith(".zip"):
            with ZipFile(io.BytesIO(contents)) as archive:
                contents = b"".join(archive.read(each) for each in archive.namelist())
        assert b"nmentionable" not in contents, file
    for link in sorted(links_of(yes) | links_of(mail)):
        visitor.open(link)
        assert "nmentionable" not in visitor.page.content(), link
    stranger = visit()
    stranger.open("/join/unmentionable")
    assert stranger.document().status == 404
    for path in ("/", "/affiliate"):
        assert "nmentionable" not in stranger.open(path).content()


def test_a_forwarded_mail_to_an_officer_shows_nothing_of_them(
    site: Site, visit: Callable[..., Visitor], alert: Callable[[], int]
) -> None:
    address = steps.affiliated(visit(), site, "chimney", "Chimney Sweepers")
    yes = site.mail_to(address)
    alert()
    mail = site.mail_to(address)
    with session_scope(site.engine, read_only=True) as session:
        before = them(session, address)
    stranger = visit()
    links = links_of(yes) | links_of(mail)
    assert {each for link in links if (each := page_of(link))} == {"kit", "results", "no-contact", "join"}
    for link in sorted(links):
        page = stranger.open(link)
        assert stranger.document().status == 200
        assert not [secret for secret in (address, *OFFICER.split(), ROLE) if secret in page.content()], link
    with session_scope(site.engine, read_only=True) as session:
        assert them(session, address) == before  # looking at links ends nothing
    stranger.open(mail.link("no-contact"))
    steps.submit(stranger)
    assert not [secret for secret in (address, *OFFICER.split(), ROLE) if secret in stranger.page.content()]
    with session_scope(site.engine, read_only=True) as session:
        assert them(session, address)[:3] == before[:3]
        union = directory.get(session, "chimney")
        assert union.status is UnionStatus.AFFILIATED


def them(session: Any, address: str) -> tuple[str | None, str | None, int | None, int]:
    """What is held of somebody: name, language, union, and of how many unions they are a contact."""
    person = subscribers.find(session, address)
    assert isinstance(person, Subscriber)
    contacts = select(func.count()).where(UnionContact.subscriber_id == person.id)
    return person.name, person.language, person.union_id, session.scalar(contacts)


def links_of(mail: Mail) -> set[str]:
    """Its links to pages of ours."""
    return {link for link in mail.links() if "127.0.0.1" in link}


def page_of(link: str) -> str:
    """The first part of its path, the language left out."""
    return next((part for part in link.split("/")[3:] if part not in LANGUAGES), "")
