"""What a person does on the site, a function a step. By the names of fields, so that it works in every language."""

from mailer.models import SubscriptionStatus
from tests.browser.site import Site
from tests.browser.visitor import Visitor


def fill_in(visitor: Visitor, address: str) -> None:
    """Fill in all that the sign-up form needs."""
    page = visitor.page
    page.locator("[name=email]").fill(address)
    page.locator("[name=country]").select_option("GB")
    page.locator("[name=lists][value=urgent-actions]").check()
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
