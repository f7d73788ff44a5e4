"""What a person does on the site, a function a step. By the names of fields, so that it works in every language."""

from collections.abc import Sequence
from functools import partial

from mailer.kits import making
from mailer.store.db import session_scope
from mailer.store.models import SubscriptionStatus
from mailer.unions import applications
from tests.browser.site import Site
from tests.browser.visitor import Visitor


def fill_in(visitor: Visitor, address: str) -> None:
    """Fill in all that the sign-up form needs."""
    page = visitor.page
    page.locator("[name=email]").fill(address)
    page.locator("[name=country]").select_option("GB")
    page.locator("[name=alerts]").check()


def submit(visitor: Visitor, field: str = "") -> None:
    """Press the first button of a form, and wait for the page that it leads to.

    :param field: the name of one of the form's fields; without it, the first form on the page.
    """
    form = f"main form:has([name={field}])" if field else "main form"
    with visitor.page.expect_navigation():
        visitor.page.locator(form).first.locator("button").first.click()


def join(visitor: Visitor, site: Site) -> str:
    """Sign up and confirm; returns the address."""
    address = site.new_address()
    visitor.open("/")
    fill_in(visitor, address)
    submit(visitor)
    visitor.open(site.mail_to(address).link("confirm"))
    submit(visitor)
    assert SubscriptionStatus.ACTIVE in (site.lists_of(address) or {}).values()
    return address


def ask_to_affiliate(
    visitor: Visitor,
    site: Site,
    name: str,
    *,
    languages: Sequence[str] = ("en",),
    is_named: bool = True,
    address: str | None = None,
) -> str:
    """Fill in the form for unions as one of its officers; returns the officer's address."""
    address = address or site.new_address()
    page = visitor.open("/affiliate")
    page.locator("[name=name]").fill(name)
    page.locator("[name=country]").select_option("GB")
    for language in languages:
        page.locator(f"[name=languages][value={language}]").check()
    page.locator("[name=is_named]").set_checked(is_named)
    page.locator("[name=person_name]").fill("Olga Officer")
    page.locator("[name=role]").fill("Keeper of the Seals")
    page.locator("[name=email]").fill(address)
    page.locator("[name=agreed]").check()
    submit(visitor, "is_named")
    return address


def accept(site: Site, name: str, slug: str) -> int:
    """Say yes to a union, as an organiser does; returns its id."""
    with session_scope(site.engine) as session:
        [application] = [each for each in applications.all_applications(session) if each.name == name]
        return applications.accept(session, application.id, slug=slug, base_url=site.url).id


def affiliated(
    visitor: Visitor, site: Site, slug: str, name: str, *, languages: Sequence[str] = ("en",), is_named: bool = True
) -> str:
    """Go the whole way of an officer until a union is affiliated; returns their address."""
    address = ask_to_affiliate(visitor, site, name, languages=languages, is_named=is_named)
    visitor.open(site.mail_to(address).link("contact"))
    submit(visitor)
    accept(site, name, slug)
    return address


def make_kits(site: Site, campaign_id: int) -> None:
    """Make a campaign's kits, as workers do."""
    making.make(partial(session_scope, site.engine), campaign_id, site.sender, seconds=60, stopping=lambda: False)


def answer(visitor: Visitor, what: str) -> None:
    """Say something of a kit whose page is open: "seen", "promised" or "forwarded"."""
    with visitor.page.expect_navigation():
        visitor.page.locator(f"main button[name=answer][value={what}]").click()
