"""The site for people who use it otherwise: by keyboard, on a phone, magnified, in the dark, or in a hurry."""

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from mailer.web.language import LANGUAGES
from tests.browser import steps
from tests.browser.inspection import wide_parts
from tests.browser.site import (
    FEDERATION,
    LIST_WITH_A_LONG_NAME,
    PUBLIC_CAMPAIGN,
    UNION_WITH_A_LONG_NAME,
    Site,
    write_campaign,
)
from tests.browser.visitor import PHONE, Visitor

#: what has the keyboard's focus: its name in the form, where it is, and whether one sees that it has it
_FOCUS = """() => {
    const element = document.activeElement, box = element.getBoundingClientRect(), style = getComputedStyle(element)
    const around = [element, element.parentElement, element.nextElementSibling].filter(Boolean).map(getComputedStyle)
    return {
        name: element.name || element.className || element.tagName,
        top: box.top + scrollY,
        is_on_screen: box.bottom > 0 && box.top < innerHeight && box.width > 0,
        is_marked: around.some(style => style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 2),
    }
}"""


_SIGN_UP = ("email", "country", "alerts", "button")
_SIGN_UP_WITH_A_UNION = ("email", "country", "store_union", "alerts", "button")
#: what nobody has to fill in, and the form's second button
_MORE = ("SUMMARY", "name", "language", "union", "store_union", "lists", "button quiet")


def focus_after(page: Page, key: str) -> dict[str, Any]:
    """What has the focus once a key was pressed."""
    page.keyboard.press(key)
    found: dict[str, Any] = page.evaluate(_FOCUS)
    return found


#: what a person without a mouse enters into the fields of either form: a text to type, or a box to tick
_TYPED = {"name": "Guild of Keyboards", "country": "United K"}
_TICKED = ("alerts", "agreed")


@pytest.mark.parametrize(
    ("path", "box", "link"),
    [("/", "alerts", "confirm"), (f"/join/{FEDERATION}", "alerts", "confirm"), ("/affiliate", "agreed", "contact")],
)
def test_each_form_takes_nothing_but_a_keyboard(
    site: Site, visit: Callable[..., Visitor], path: str, box: str, link: str
) -> None:
    visitor, address = visit(), site.new_address()
    page = visitor.open(path)
    for _ in range(60):
        name = focus_after(page, "Tab")["name"]
        if name == "email":
            page.keyboard.type(address)
        elif name in _TYPED:
            page.keyboard.type(_TYPED[name])
        elif name in _TICKED:
            page.keyboard.press("Space")
        if name == box:
            break
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "check your e-mail" in page.get_by_role("heading", level=1).inner_text()

    visitor.open(site.mail_to(address).link(link))
    while focus_after(page, "Tab")["name"] != "button":
        pass
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert site.lists_of(address) is not None  # so they are somebody we know


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", _SIGN_UP),
        (f"/join/{FEDERATION}", _SIGN_UP_WITH_A_UNION),
        (
            "/affiliate",
            (
                *("name", "country", "parent", "members", "languages", "resolution", "is_named"),
                *("person_name", "role", "email", "language", "agreed", "button"),
            ),
        ),
    ],
)
def test_the_keyboard_goes_down_the_page_and_one_always_sees_where_it_is(
    visit: Callable[..., Visitor], path: str, names: Sequence[str]
) -> None:
    goes_down(visit().open(path), names)


def goes_down(page: Page, names: Sequence[str]) -> None:
    """Press Tab until nothing more has the focus: these fields come in this order, and each shows that it has it."""
    stops = []
    while (stop := focus_after(page, "Tab"))["name"] != "BODY":
        stops.append(stop)
    assert [stop for stop in stops if not (stop["is_marked"] and stop["is_on_screen"])] == []
    assert "website" not in {stop["name"] for stop in stops}  # the field that only programs find
    fields = [next(group) for _, group in groupby(stops, lambda stop: stop["name"])]
    fields = [field for field in fields if field["name"] in names]
    assert [field["name"] for field in fields] == list(names)
    assert [field["top"] for field in fields] == sorted(field["top"] for field in fields)


def test_the_keyboard_opens_what_nobody_has_to_fill_in(visit: Callable[..., Visitor]) -> None:
    page = visit(java_script_enabled=False).open("/")
    page.locator("#send").focus()
    assert focus_after(page, "Tab")["name"] == _MORE[0]
    expect(page.get_by_label("Your name")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_be_visible()
    goes_down(page, _MORE[1:])


def test_what_was_typed_and_folded_up_again_is_not_lost(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor, address = visit(PHONE, java_script_enabled=False), site.new_address()
    page = visitor.open("/")
    steps.fill_in(visitor, address)
    page.locator("main summary").click()
    page.get_by_label("Your name").fill("Ana Example")
    page.locator("[name=lists][value=news]").check()
    page.locator("main summary").click()
    expect(page.get_by_label("Your name")).to_be_hidden()
    steps.submit(visitor)
    visitor.open(site.mail_to(address).link("confirm"))
    steps.submit(visitor)
    expect(page.get_by_text("Name: Ana Example")).to_be_visible()
    assert set(site.lists_of(address) or {}) == {"news"}


def test_on_a_phone_the_button_is_on_the_first_screen_or_just_below(visit: Callable[..., Visitor]) -> None:
    visitor = visit(PHONE, java_script_enabled=False)
    for language in LANGUAGES:
        page = visitor.open(f"/{language}/")
        box = page.locator("#send").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 1_180, language  # of 844 that one sees at once


def test_the_first_tab_offers_to_skip_what_stands_on_every_page(visit: Callable[..., Visitor]) -> None:
    page = visit().open("/")
    first = focus_after(page, "Tab")
    assert (first["name"], first["is_on_screen"], first["is_marked"]) == ("skip", True, True)
    page.keyboard.press("Enter")
    assert focus_after(page, "Tab")["name"] == "email"


def test_a_form_with_mistakes_says_so_first_and_leads_to_each(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open("/")
    page.locator("main summary").click()
    page.get_by_label("Your name").fill("Ana Example")
    steps.submit(visitor)
    assert page.title().startswith("Please check the form")  # what a screen reader says first
    summary = page.get_by_role("alert")
    links = summary.get_by_role("link")
    assert links.count() >= 3
    for number in range(links.count()):
        field = page.locator(str(links.nth(number).get_attribute("href")))
        links.nth(number).click()
        expect(field).to_be_focused()
        expect(field).to_be_in_viewport()
    field = page.get_by_label("E-mail address")
    marked = field.evaluate("element => getComputedStyle(element).borderColor")
    assert marked != page.get_by_label("Your name").evaluate("element => getComputedStyle(element).borderColor")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Enter your e-mail address"))
    expect(page.get_by_label("Your name")).to_have_value("Ana Example")
    steps.fill_in(visitor, site.new_address())
    steps.submit(visitor)
    assert "check your e-mail" in page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("may_use_clipboard", [True, False], ids=["clipboard", "as old browsers do"])
def test_one_press_copies_a_text_of_a_kit_and_says_so(
    site: Site, visit: Callable[..., Visitor], may_use_clipboard: bool
) -> None:
    visitor = visit(PHONE)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not may_use_clipboard:
        visitor.context.add_init_script("navigator.clipboard.writeText = () => Promise.reject()")
    page = visitor.open("/en" + site.kit_link())
    for name, source in (("Copy Short text for messaging apps", "#short-en"), ("Copy The sign-up link", "#join-link")):
        button = page.locator(f"{source}-copy")
        expect(button).to_have_accessible_name(name)
        button.click()
        expect(button.locator("xpath=following-sibling::*[@role='status']")).to_have_text("Copied")
        wanted = page.locator(source).evaluate("element => element.value ?? element.textContent")
        assert wanted
        assert page.evaluate("navigator.clipboard.readText()") == wanted


def test_what_an_answer_did_is_in_sight_without_scripts_and_nothing_offers_to_copy(
    site: Site, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(PHONE, java_script_enabled=False)
    page = visitor.open("/en" + site.kit_link())
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.locator("[name=reached]").fill("all of them")
    with page.expect_navigation():
        page.locator("button[value=forwarded]").click()
    expect(page.get_by_role("alert")).to_be_in_viewport(ratio=1)
    with page.expect_navigation():
        page.locator("button[value=seen]").click()
    expect(page.get_by_text("We have noted your answer")).to_be_in_viewport(ratio=1)
    expect(page.locator("main .said").first).to_be_in_viewport(ratio=1)


def test_a_double_click_and_going_back_to_press_again_sign_up_once(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor, address = visit(), site.new_address()
    page = visitor.open("/")
    steps.fill_in(visitor, address)
    page.get_by_role("button", name="Sign me up").dblclick()
    page.wait_for_url("**/check-your-mail")
    page.go_back()
    visitor.press("Sign me up")
    assert page.url.endswith("/check-your-mail")
    [mail] = site.mails_to(address)
    page = visitor.open(mail.link("confirm"))
    page.get_by_role("button").dblclick()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")
    visitor.open(mail.link("confirm"))
    steps.submit(visitor)
    assert "Welcome" in page.get_by_role("heading", level=1).inner_text()
    assert len(site.mails_to(address)) == 2  # to confirm, and to be welcomed


def test_the_page_of_a_campaign_with_targets_of_its_own_leads_to_whom_to_write_to(
    site: Site, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    folder = write_campaign(tmp_path / "alert-with-targets")
    with (folder / "campaign.toml").open("a") as settings:
        settings.write(
            'public = true\n[[targets]]\ncountries = ["GB"]\nname = "Embassy of Ondoria, London"\n'
            'email = "london@example.org"\n[[targets]]\nname = "Ministry"\nemail = "minister@example.org"\n'
        )
    with (folder / "en.md").open("a") as text:
        text.write("\n{{ target_name }}, {{ target_email }}\n")
    site.send_campaign(folder)
    page = visit(PHONE, java_script_enabled=False).open("/campaigns/alert-with-targets")
    embassy = page.get_by_text("Embassy of Ondoria, London")
    expect(embassy).to_be_hidden()
    page.get_by_role("link", name="Find your country").click()
    expect(embassy).to_be_visible()


def test_a_table_in_an_alert_is_moved_sideways_on_a_phone_and_breaks_no_word(
    site: Site, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    folder = write_campaign(tmp_path / "alert-with-a-table")
    (folder / "campaign.toml").write_text((folder / "campaign.toml").read_text() + "public = true\n")
    columns = ("Name", "Organisation", "Arrested", "Sentence", "Accusation", "Representation")
    table = [columns, ["---"] * len(columns), ["Confederation"] * len(columns)]
    with (folder / "en.md").open("a") as text:
        text.write("\n" + "\n".join(f"| {' | '.join(row)} |" for row in table) + "\n")
    site.send_campaign(folder)
    page = visit(PHONE).open("/en/campaigns/alert-with-a-table")
    assert wide_parts(page) == []
    one_line = 2 * page.locator(".alert-text p").first.evaluate("each => parseFloat(getComputedStyle(each).lineHeight)")
    for cell in page.locator("th, td").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["height"] < one_line
    expect(page.get_by_role("columnheader")).to_have_count(len(columns))  # it is still read aloud as a table
    last = page.get_by_role("columnheader", name=columns[-1])
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport(ratio=0.99)  # its edge may be within a pixel of the window's


def test_a_page_at_two_hundred_percent_need_not_be_scrolled_sideways(visit: Callable[..., Visitor]) -> None:
    # A window of 1280 pixels, magnified to 200 %, is one of 640 with two dots to a pixel (WCAG 2.2, 1.4.4 and 1.4.10).
    visitor = visit({"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2})
    for path in (
        "/",
        "/join/energy",
        "/affiliate",
        f"/campaigns/{PUBLIC_CAMPAIGN}",
        "/privacy",
        "/ar/",
        "/ru/",
        "/no/such/page",
    ):
        assert wide_parts(visitor.open(path)) == [], path


def test_long_names_and_long_words_stay_within_a_phone(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(PHONE | {"viewport": {"width": 320, "height": 640}})
    page = visitor.open("/join/energy")
    expect(page.get_by_role("heading", level=1)).to_contain_text(UNION_WITH_A_LONG_NAME)
    page.locator("main summary").click()
    expect(page.locator("label").get_by_text(LIST_WITH_A_LONG_NAME)).to_be_visible()
    assert wide_parts(page) == []
    page.locator("[name=name]").fill("Wolfeschlegelsteinhausenbergerdorff" * 5)
    steps.submit(visitor)
    assert wide_parts(page) == []


def test_no_language_has_words_too_long_for_a_small_phone(visit: Callable[..., Visitor]) -> None:
    visitor = visit(PHONE | {"viewport": {"width": 320, "height": 640}}, java_script_enabled=False)
    for language in LANGUAGES:
        for path in ("/", "/preferences", "/campaigns", "/privacy", "/no/such/page"):
            page = visitor.open(f"/{language}{path}")
            assert wide_parts(page) == [], page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_light_or_dark_as_its_reader_has_it(visit: Callable[..., Visitor], scheme: str) -> None:
    page = visit(color_scheme=scheme).open("/")
    red, green, blue = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
    assert (int(red) + int(green) + int(blue) > 382) == (scheme == "light")
