"""Every page of the site, gone through once for each way of seeing it, and inspected."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.store.models import Asking, CaseEventKind
from tests.browser import steps
from tests.browser.inspection import accessibility_problems, html_problems, weight_problems, wide_parts
from tests.browser.site import BROKEN, CASE, PUBLIC_CAMPAIGN, TARGETS, Site
from tests.browser.visitor import DESKTOP, PHONE, Visitor

#: where a reviewer finds what the pages look like
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def tour(visitor: Visitor, site: Site) -> Iterator[str]:
    """Open one page after the other, and some of them in more than one state. Yields the name of each that is open."""
    yield from _what_anyone_may_read(visitor, site)
    address = site.new_address()
    yield from _joining(visitor, site, address)
    yield from _signing(visitor, site)
    site.send_campaign()
    alert = site.mail_to(address)
    yield from _leaving(visitor, alert.link("unsubscribe"), lambda: site.mail_to(address).link("undo"))
    yield from _choosing(visitor, alert.link("preferences"), lambda: site.mail_to(address).link("resume"))
    yield from _managing(visitor, site, address)
    yield from _affiliating(visitor, site)
    yield from _forwarding(visitor, site)


def _what_anyone_may_read(visitor: Visitor, site: Site) -> Iterator[str]:
    pages = {
        "archive": "/campaigns",
        "campaign": f"/campaigns/{PUBLIC_CAMPAIGN}",
        "case": f"/cases/{CASE}",
        "write": f"/campaigns/{PUBLIC_CAMPAIGN}/letter",
        "write-to": f"/campaigns/{PUBLIC_CAMPAIGN}/letter?to={','.join(TARGETS)}",
        "write-to-nobody": f"/campaigns/{PUBLIC_CAMPAIGN}/letter?to=",
        **{f"letter-{target}": f"/campaigns/{PUBLIC_CAMPAIGN}/letter/{target}?wording=0" for target in TARGETS},
        "privacy": "/privacy",
        "error-404": "/no/such/page",
        "error-404-link": "/confirm/0123",
        "error-410": site.dead_link(),
        **{f"error-{status}": f"{BROKEN}/{status}" for status in (429, 500, 503)},
    }
    for name, path in pages.items():
        visitor.open(path)
        yield name


def _joining(visitor: Visitor, site: Site, address: str) -> Iterator[str]:
    visitor.open("/join/energy")
    yield "join"
    visitor.open("/")
    yield "sign-up"
    visitor.page.locator("[name=email]").fill("ana.at.example.org")
    visitor.page.locator("main summary").click()
    yield "sign-up-all"
    visitor.page.locator("[name=union]").fill("Guild of Lighthouse Keepers")
    visitor.page.locator("[name=country]").select_option("")
    steps.submit(visitor, "alerts")
    yield "sign-up-mistakes"
    steps.fill_in(visitor, address)
    visitor.page.locator("[name=store_union]").check()
    steps.submit(visitor, "alerts")
    yield "check-your-mail"
    visitor.open(site.mail_to(address).link("confirm"))
    yield "confirm"
    steps.submit(visitor)
    yield "welcome"


def _signing(visitor: Visitor, site: Site) -> Iterator[str]:
    with site.petition() as (slug, end):
        visitor.open(f"/campaigns/{slug}")
        yield "campaign-to-sign"
        yield from _signing_one(visitor, site, slug)
        visitor.open(site.act_link(slug))
        yield "act"
        steps.submit(visitor)
        yield "acted"
        for asking in (Asking.STOPPED, Asking.CLOSED):
            end(asking)
            visitor.open(f"/campaigns/{slug}/sign")
            yield f"sign-{asking}"
            visitor.open(site.act_link(slug))
            yield f"act-{asking}"


def _signing_one(visitor: Visitor, site: Site, slug: str) -> Iterator[str]:
    address, form = site.new_address(), f"/campaigns/{slug}/sign"
    visitor.open(form)
    yield "sign"
    visitor.page.locator("[name=email]").fill(address)
    visitor.page.locator("[name=name]").fill("www.example.org")
    visitor.page.locator("[name=country]").select_option("GB")
    visitor.page.locator("[name=shown]").check()
    steps.submit(visitor, "shown")
    yield "sign-mistakes"
    visitor.page.locator("[name=name]").fill("Ana Kolmer")
    steps.submit(visitor, "shown")
    yield "sign-check-your-mail"
    link = site.mail_to(address).link("signed")
    visitor.open(form)
    visitor.page.locator("[name=email]").fill(address)
    steps.submit(visitor, "shown")
    visitor.open(link)
    yield "confirm-signature-of-two"
    steps.submit(visitor)
    yield "confirm-signature-undecided"
    visitor.page.locator("[type=radio]").first.check()
    steps.submit(visitor)
    yield "signed"
    visitor.open(f"/campaigns/{slug}/names")
    yield "names"
    visitor.open(link)
    steps.submit(visitor)
    yield "signature-taken-back"


def _leaving(visitor: Visitor, link: str, undo: Callable[[], str]) -> Iterator[str]:
    visitor.open(link)
    yield "unsubscribe"
    steps.submit(visitor, "scope")
    yield "left"
    visitor.open(link)
    steps.submit(visitor, "scope")
    yield "left-already"
    visitor.open(undo())
    yield "undo"
    steps.submit(visitor)
    yield "back"


def _choosing(visitor: Visitor, link: str, resume: Callable[[], str]) -> Iterator[str]:
    visitor.open(link)
    yield "preferences"
    steps.submit(visitor, "weeks")
    yield "paused"
    visitor.open(resume())
    yield "end-pause"
    steps.submit(visitor)
    yield "resumed"
    visitor.open("/preferences")
    yield "ask-link"
    steps.submit(visitor, "email")
    yield "ask-link-mistakes"


def _managing(visitor: Visitor, site: Site, address: str) -> Iterator[str]:
    moved = site.new_address()
    visitor.page.locator("[name=email]").fill(address)
    steps.submit(visitor, "email")
    yield "link-sent"
    link = site.mail_to(address).link("manage")
    visitor.open(link)
    yield "manage"
    steps.submit(visitor, "language")
    yield "manage-saved"
    visitor.page.locator("[name=email]").fill("zoe.at.example.org")
    steps.submit(visitor, "email")
    yield "manage-mistakes"
    visitor.page.locator("[name=email]").fill(moved)
    steps.submit(visitor, "email")
    yield "manage-new-address"
    visitor.open(site.mail_to(moved).link("address"))
    yield "use-address"
    steps.submit(visitor)
    yield "moved"
    visitor.open(site.mail_to(address).link("moved"))
    yield "moved-away"
    steps.submit(visitor)
    yield "stopped"
    visitor.open("/preferences")
    visitor.page.locator("[name=email]").fill(moved)
    steps.submit(visitor, "email")
    visitor.open(site.mail_to(moved).link("manage") + "/erase")
    yield "erase"
    steps.submit(visitor)
    yield "erased"


def _affiliating(visitor: Visitor, site: Site) -> Iterator[str]:
    address = site.new_address()
    visitor.open("/affiliate")
    yield "affiliate"
    for field, text in {"email": "ana.at.example.org", "members": "many", "parent": "Lighthouse Keepers"}.items():
        visitor.page.locator(f"[name={field}]").fill(text)
    visitor.page.locator("[name=country]").select_option("")
    steps.submit(visitor, "agreed")
    yield "affiliate-mistakes"
    for field, text in {"name": "Guild of Lighthouse Keepers", "email": address, "members": "1200"}.items():
        visitor.page.locator(f"[name={field}]").fill(text)
    visitor.page.locator("[name=country]").select_option("international")
    visitor.page.locator("[name=agreed]").check()
    steps.submit(visitor, "agreed")
    yield "affiliate-check-your-mail"
    visitor.open(site.mail_to(address).link("contact"))
    yield "contact"
    steps.submit(visitor)
    yield "contact-confirmed"
    address = steps.ask_to_affiliate(visitor, site, "Guild of Lighthouse Keepers")
    contact = site.mail_to(address).link("contact")
    steps.ask_to_affiliate(
        visitor, site, "Guild of Buoy Tenders", languages=("fr", "ar"), is_named=False, address=address
    )
    visitor.open(contact)
    yield "contact-of-two"
    steps.submit(visitor)
    yield "contact-of-two-undecided"


def _forwarding(visitor: Visitor, site: Site) -> Iterator[str]:
    # In the visitor's language, though the union and its contacts have another.
    language = f"/{visitor.page.locator('html').get_attribute('lang')}"
    visitor.open(language + site.kit_link())
    yield "kit"
    visitor.page.locator("[name=reached]").fill("all of them")
    steps.submit(visitor, "reached")
    yield "kit-mistakes"
    visitor.page.locator("[name=reached]").fill("1200")
    steps.submit(visitor, "reached")
    yield "kit-forwarded"
    visitor.page.locator("main details summary").first.click()
    yield "kit-another-language"
    visitor.open(language + site.results_link())
    yield "results"
    link = language + site.no_contact_link()
    visitor.open(link)
    yield "no-contact"
    steps.submit(visitor)
    yield "no-contact-any-more"
    visitor.open(language + site.gone_kit_link())
    yield "kit-gone"
    yield from _changing_an_answer(visitor, site, language)
    yield from _to_act_on_no_more(visitor, site, language)


def _changing_an_answer(visitor: Visitor, site: Site, language: str) -> Iterator[str]:
    with site.answer_that_stands() as link:
        visitor.open(language + site.kit_link())
        yield "kit-answer-stands"
        visitor.open(f"{language}/answer/sent")
        yield "answer-link-sent"
        visitor.open(language + link)
        yield "answer"
        visitor.page.locator("[name=reached]").fill("all of them")
        steps.submit(visitor, "reached")
        yield "answer-mistakes"
        visitor.page.locator("[name=reached]").fill("1300")
        steps.submit(visitor, "reached")
        yield "answer-changed"


def _to_act_on_no_more(visitor: Visitor, site: Site, language: str) -> Iterator[str]:
    pages = {
        "archive": f"{language}/campaigns",
        "campaign": f"{language}/campaigns/{PUBLIC_CAMPAIGN}",
        "case": f"{language}/cases/{CASE}",
        "letter": f"{language}/campaigns/{PUBLIC_CAMPAIGN}/letter/{TARGETS[0]}",
        "kit": language + site.kit_link(),
    }
    for kind in (CaseEventKind.STOPPED, CaseEventKind.CLOSED, CaseEventKind.WITHDRAWN):
        with site.decided(kind):
            for name, path in pages.items():
                visitor.open(path)
                yield f"{name}-{kind}"


@pytest.mark.parametrize(
    ("language", "device", "scheme"),
    [("en", DESKTOP, "light"), ("en", PHONE, "dark"), ("ar", PHONE, "light"), ("ar", DESKTOP, "dark")],
    ids=["en-1280-light", "en-390-dark", "ar-390-light", "ar-1280-dark"],
)
def test_nothing_is_wrong_with_any_page(
    site: Site,
    visit: Callable[..., Visitor],
    language: str,
    device: dict[str, Any],
    scheme: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    visitor = visit(device, language=language, color_scheme=scheme)
    view = request.node.callspec.id
    problems, documents = [], {}
    for name in tour(visitor, site):
        page = visitor.page
        found = [*accessibility_problems(page), *weight_problems(visitor)]
        found += [f"wider than the window: {part}" for part in wide_parts(page)]
        expected = (language, "rtl" if language == "ar" else "ltr")
        if (page.locator("html").get_attribute("lang"), page.locator("html").get_attribute("dir")) != expected:
            found.append("in another language")
        problems += [f"{name}: {problem}" for problem in found]
        documents[name] = visitor.document().text()
        page.screenshot(path=SCREENSHOTS / view / f"{name}.png", full_page=True, scale="css")
    if device is DESKTOP:  # a phone gets the same HTML
        problems += html_problems(documents, tmp_path)
    assert not problems, "\n".join(problems)
