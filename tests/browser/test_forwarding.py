"""A forwarded mail is harmless: what its links show and do to somebody whom it was not meant for."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from mailer import subscribers
from mailer.db import session_scope
from mailer.models import Union
from tests.browser import steps
from tests.browser.site import UNION, Site
from tests.browser.visitor import Visitor

NAME = "Xenia Unmistakable"


@pytest.fixture
def owner(site: Site, visit: Callable[..., Visitor]) -> str:
    """The address of somebody who told everything about themselves, and who has a mail that they forward."""
    address = steps.join(visit(), site)
    with session_scope(site.engine) as session:
        person = subscribers.find(session, address)
        assert person is not None
        person.name = NAME
        person.union_id = session.scalar(select(Union.id).where(Union.name == UNION))
    site.send_campaign()
    return address


def personal(visitor: Visitor, address: str) -> list[str]:
    """What the page that is open gives away, in sight or not."""
    html = visitor.page.content()
    return [secret for secret in (address, NAME, "Xenia", UNION.partition("'")[0]) if secret in html]


def test_strangers_see_nothing_of_its_owner_and_can_but_leave_or_pause(
    site: Site, visit: Callable[..., Visitor], owner: str
) -> None:
    links = sorted(link for link in site.mail_to(owner).links() if link.startswith(site.url))
    assert len(links) >= 2
    mails, stranger = len(site.mails_to(owner)), visit()
    for link in links:
        page = stranger.open(link)
        assert stranger.document().status == 200
        assert personal(stranger, owner) == [], link
        for number in range(page.locator("main button").count()):
            stranger.open(link)
            with page.expect_navigation():
                page.locator("main button").nth(number).click()
            assert personal(stranger, owner) == [], f"button {number} of {link}"
    with session_scope(site.engine, read_only=True) as session:
        person = subscribers.find(session, owner)
        assert person is not None
        assert (person.email, person.name, person.union_id is not None) == (owner, NAME, True)
    # What takes that back, or shows more, went to its owner.
    assert len(site.mails_to(owner)) > mails
