"""A forwarded mail is harmless: what its links show and do to somebody whom it was not meant for."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mailer.links import Link, sign
from mailer.people import subscribers
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope
from mailer.store.models import (
    Act,
    ActKind,
    Campaign,
    ConsentEvent,
    ConsentPurpose,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    UnionContact,
)
from mailer.trial import sample
from mailer.web.language import LANGUAGES
from tests.browser import steps
from tests.browser.site import LIST_WITH_A_LONG_NAME, Mail, Site
from tests.browser.visitor import PHONE, Visitor
from tests.support.factories import make_union, subscribe

ACTIVE, LEFT = SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED
NAME, ROLE = "Xenia Unmistakable", "Keeper of the Seals"
COUNTRY = ("NZ", "New Zealand")
GUILD = "Guild of Lamplighters"
OTHER_LISTS = {"news": LIST_WITH_A_LONG_NAME, "staff": "Only for our own staff"}

#: what stands in an address that is one person's
_TOKEN = re.compile(r"[0-9a-f]{40}")
_HREF = re.compile(r'\bhref="([^"]+)"')
_IN_BRACKETS = re.compile(r"<([^>]+)>")
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\"'<>]+")

#: all that the links of a campaign mail let anybody do, by the form's address and the button
WHAT_A_STRANGER_MAY_DO = {
    "/unsubscribe/… scope=list",
    "/unsubscribe/… scope=all",
    "/undo/…",
    "/preferences/…/pause",
    "/preferences/…/link",
    "/act/…",  # say in its owner's name that they wrote, once
    "/act/…/link",
}


@dataclass(frozen=True)
class Facts:
    """All that is held of somebody but where they stand with lists."""

    person: tuple[str, str | None, str | None, str | None, int | None]
    roles: list[str | None]
    consents: int  # to anything but mail, and to what a stranger may say for them
    other_lists: dict[str, SubscriptionStatus]

    @classmethod
    def of(cls, site: Site, address: str) -> "Facts":
        """As they are now."""
        with session_scope(site.engine, read_only=True) as session:
            them = known(session, address)
            roles = session.scalars(select(UnionContact.role).where(UnionContact.subscriber_id == them.id)).all()
            consents = select(ConsentEvent.id).where(
                ConsentEvent.subscriber_id == them.id,
                ConsentEvent.list_id.is_(None),
                ConsentEvent.purpose != ConsentPurpose.ACTED,
            )
            return cls(
                person=(them.email, them.name, them.country, them.language, them.union_id),
                roles=list(roles),
                consents=len(session.scalars(consents).all()),
                other_lists={
                    slug: status for slug, status in (site.lists_of(address) or {}).items() if slug in OTHER_LISTS
                },
            )


def known(session: Session, address: str) -> Subscriber:
    person = subscribers.find(session, address)
    assert person is not None
    return person


@pytest.fixture
def owner(site: Site, visit: Callable[..., Visitor], tmp_path: Path) -> Iterator[str]:
    """The address of somebody who told everything about themselves, and who has mails that they forward."""
    address = steps.join(visit(), site)
    with session_scope(site.engine) as session:
        person = known(session, address)
        union = make_union(session, f"guild-{person.id}", name=GUILD, country=COUNTRY[0])
        person.name, person.country, person.union_id = NAME, COUNTRY[0], union.id
        session.add(UnionContact(union_id=union.id, subscriber_id=person.id, role=ROLE))
        for mailing_list in session.scalars(select(MailingList).where(MailingList.slug.in_(OTHER_LISTS))):
            subscribe(session, person, mailing_list)
        subscribers.refresh(session, [person.id])
    campaign_id = site.send_campaign(write_alert(tmp_path / f"alert-of-{address.partition('@')[0]}"))
    yield address
    with session_scope(site.engine) as session:
        session.get_one(Campaign, campaign_id).public = False  # other tests look for what is on the site


def write_alert(folder: Path) -> Path:
    """An alert with every kind of link that a campaign can hold; returns its folder."""
    folder.mkdir()
    (folder / "campaign.toml").write_text(
        f'kind = "urgent_action"\nlist = "{sample.LIST_SLUG}"\nlanguage = "en"\nabout = "none"\npublic = true\n'
        f'[[targets]]\nname = "Embassy of Ondoria"\nemail = "embassy@example.net"\ncountries = ["{COUNTRY[0]}"]\n'
        '[[targets]]\nname = "The Ministry"\nemail = "ministry@example.net"\n'
    )
    (folder / "en.md").write_text(
        '+++\nsubject = "Write today"\npreheader = "Five dockers are in prison for a strike: write today."\n+++\n'
        "Dear {{ name or 'supporter' }}, write to [the embassy](mailto:{{ target_email }}?subject=Five%20dockers).\n\n"
        "[What happened](https://news.example.net/dockers) was in the papers.\n"
    )
    return folder


# --- what a mail and a page hold ------------------------------------------------------------------------------------


def links_of(mail: Mail) -> set[str]:
    """Every link in it: in either part, and where mail programs look for a way to leave or for help."""
    headers = " ".join(str(mail.message[name] or "") for name in mail.message if name.startswith("List-"))
    in_headers = {link for link in _IN_BRACKETS.findall(headers) if ":" in link}
    in_text = {link.rstrip(".,)") for link in _LINK.findall(mail.text)}
    return in_headers | in_text | {link.replace("&amp;", "&") for link in _HREF.findall(mail.html)}


def is_personal(link: str) -> bool:
    return _TOKEN.search(link) is not None


def page_of(link: str) -> str:
    """The first part of its path, the language left out."""
    return next((part for part in urlsplit(link).path.split("/")[1:] if part not in LANGUAGES), "")


def given_away(visitor: Visitor, address: str) -> list[str]:
    """What the page that is open gives away of somebody, in sight or not. Only a page that is theirs by its address can
    know of their union, country and lists: any other may name these to everybody."""
    document = visitor.document()
    said = f"{visitor.page.content()} {visitor.page.url} {document.headers}"
    secrets = [address, *NAME.split(), ROLE]
    if is_personal(visitor.page.url):
        secrets += [GUILD, COUNTRY[1], *OTHER_LISTS.values()]
    return [secret for secret in secrets if secret in said]


def links_on(page: Page) -> set[str]:
    """Where the page that is open leads, but to itself in another language."""
    found = [str(link.get_attribute("href")) for link in page.locator("main a").all()]
    return {urljoin(page.url, link) for link in found}


def action(page: Page, number: int) -> str:
    """What a button does: "/unsubscribe/… scope=list"."""
    button = page.locator("main form button").nth(number)
    form = _TOKEN.sub("…", urlsplit(str(button.evaluate("button => button.form.action"))).path)
    name, value = button.get_attribute("name"), button.get_attribute("value")
    return f"{form} {name}={value}" if name else form


def press(page: Page, number: int) -> str:
    """Press a button, with something typed into each field beside it."""
    for field in page.locator("main input[type=text], main input:not([type])").all():
        field.fill("stranger@example.com")
    does = action(page, number)
    with page.expect_navigation():
        page.locator("main form button").nth(number).click()
    return does


# --- tests ----------------------------------------------------------------------------------------------------------


def test_a_stranger_sees_nothing_of_the_owner_and_can_but_leave_or_pause_and_say_once_that_they_wrote(
    site: Site, visit: Callable[..., Visitor], owner: str
) -> None:
    links = links_of(site.mail_to(owner))
    ours = {link for link in links if link.startswith(site.url)}
    elsewhere = links - ours
    assert {page_of(link) for link in ours} == {"", "unsubscribe", "preferences", "campaigns", "act"}
    assert {urlsplit(link).scheme for link in elsewhere} == {"https", "mailto"}
    for link in elsewhere:  # nothing of ours answers there, so the address is all that it tells
        assert not any(word in unquote(link) for word in (owner, *NAME.split(), GUILD)), link
        assert not is_personal(link) or link.startswith("mailto:leave+"), link
    assert follow_everything(site, visit, owner, ours) == WHAT_A_STRANGER_MAY_DO
    with session_scope(site.engine, read_only=True) as session:
        said = session.scalars(select(Act.kind).where(Act.subscriber_id == known(session, owner).id)).all()
    assert said == [ActKind.WROTE]


def follow_everything(site: Site, visit: Callable[..., Visitor], owner: str, links: set[str]) -> set[str]:
    """Open each link as a stranger, and whatever personal page it leads to, and press each button on the way.

    :returns: what the buttons did.
    """
    before, done, opened = Facts.of(site, owner), set[str](), set[str]()
    waiting: list[tuple[str, tuple[int, ...]]] = [(link, ()) for link in sorted(links)]
    while waiting:
        link, presses = waiting.pop()
        bring_back(site, owner)
        stranger = visit()
        page = stranger.open(link)
        pressed = [press(page, number) for number in presses]
        assert stranger.document().status == 200, (link, pressed)
        assert given_away(stranger, owner) == [], (link, pressed)
        allowed = {} if pressed and pressed[-1].endswith("scope=all") else before.other_lists
        after = Facts.of(site, owner)
        assert (after.person, after.roles, after.consents) == (before.person, before.roles, before.consents), pressed
        assert allowed.items() <= after.other_lists.items(), pressed
        for onward in links_on(page):
            if is_personal(onward) and page_of(onward) not in opened:
                opened.add(page_of(onward))
                waiting.append((onward, ()))
        for number in range(page.locator("main form button").count() if is_personal(page.url) else 0):
            if (does := action(page, number)) not in done:
                done.add(does)
                waiting.append((link, (*presses, number)))
    return done


def bring_back(site: Site, address: str) -> None:
    """Put somebody on all their lists again."""
    with session_scope(site.engine) as session:
        person = known(session, address)
        session.execute(delete(Suppression).where(Suppression.email_index == person.email_index))
        session.execute(
            update(Subscription)
            .where(Subscription.subscriber_id == person.id)
            .values(status=ACTIVE, unsubscribed_at=None, paused_until=None)
        )
        subscribers.refresh(session, [person.id])


def test_these_tests_would_notice_if_a_page_told_on_somebody(
    site: Site, visit: Callable[..., Visitor], owner: str
) -> None:
    visitor = visit()
    visitor.open(site.mail_to(owner).link("preferences"))
    visitor.press("Send me a link")
    visitor.open(site.mail_to(owner).link("manage"))
    shown = given_away(visitor, owner)
    assert {owner, *NAME.split(), GUILD, COUNTRY[1], *OTHER_LISTS.values()} <= set(shown)


def test_a_welcome_has_the_personal_links_of_an_alert_and_no_other(site: Site, owner: str) -> None:
    [confirm, welcome, alert] = site.mails_to(owner)
    assert is_personal(confirm.link("confirm"))
    of_welcome, of_alert = ({link for link in links_of(mail) if is_personal(link)} for mail in (welcome, alert))
    assert {urlsplit(link).path.split("/")[-2] for link in of_welcome} == {"unsubscribe", "preferences"}
    about_the_list = {link for link in of_alert if page_of(link) != "act"}
    assert {_TOKEN.findall(link)[0] for link in of_welcome} == {_TOKEN.findall(link)[0] for link in about_the_list}


def test_the_owner_hears_once_of_a_leaving_that_a_stranger_brought_about_and_takes_it_back(
    site: Site, visit: Callable[..., Visitor], owner: str
) -> None:
    mail = site.mail_to(owner)
    mails = len(site.mails_to(owner))
    stranger = visit(PHONE, java_script_enabled=False)
    for _ in range(2):
        stranger.open(mail.link("unsubscribe"))
        stranger.press("Leave this list")
    expect(stranger.page.get_by_text("If so, you have taken someone else off the list.")).to_be_visible()
    assert stranger.page.get_by_role("button", name="Undo").count() == 0
    assert (site.lists_of(owner) or {})[sample.LIST_SLUG] is LEFT
    [goodbye] = site.mails_to(owner)[mails:]
    visitor = visit(PHONE, java_script_enabled=False)
    visitor.open(goodbye.link("undo"))
    assert given_away(visitor, owner) == []
    assert (site.lists_of(owner) or {})[sample.LIST_SLUG] is LEFT
    visitor.press("Yes, sign me up again")
    assert set((site.lists_of(owner) or {}).values()) == {ACTIVE}
    assert len(site.mails_to(owner)) == mails + 1


def test_a_mail_programs_own_button_leaves_and_owes_no_goodbye(site: Site, owner: str) -> None:
    mail = site.mail_to(owner)
    mails = len(site.mails_to(owner))
    [address] = [link for link in links_of(mail) if "/unsubscribe/" in link]
    assert address in str(mail.message["List-Unsubscribe"])
    one_click = Request(address, data=b"List-Unsubscribe=One-Click", method="POST")
    with urlopen(one_click) as answer:
        assert (answer.status, answer.url) == (200, address)
    assert (site.lists_of(owner) or {})[sample.LIST_SLUG] is LEFT
    assert len(site.mails_to(owner)) == mails


@pytest.mark.parametrize("language", LANGUAGES)
def test_leaving_is_in_sight_on_a_phone_and_joining_is_offered_below(
    site: Site, visit: Callable[..., Visitor], language: str
) -> None:
    with session_scope(site.engine) as session:
        of_news = select(Subscription.id).join(MailingList, MailingList.id == Subscription.list_id)
        subscription = session.scalar(of_news.where(MailingList.slug == "news"))
        if subscription is None:
            news = session.scalars(select(MailingList).where(MailingList.slug == "news")).one()
            person = session.scalars(select(Subscriber).limit(1)).one()
            subscription = subscribe(session, person, news).id
        token = sign(keyring_of(session), Link.UNSUBSCRIBE, subscription)
    visitor = visit(PHONE, java_script_enabled=False)
    page = visitor.open(f"/{language}/unsubscribe/{token}")
    leave = page.locator("main form button").first
    expect(leave).to_be_in_viewport(ratio=1)
    join = page.locator("main a").first
    stops = page.locator("main").locator("a, button, input:not([type=hidden])").all()
    kinds = [stop.evaluate("element => element.localName") for stop in stops]
    assert kinds == ["button", "button", "input", "a", "a"]  # the last one: to pause instead
    assert page.evaluate("scrollY") == 0
    with page.expect_navigation():
        join.click()
    assert page.url == f"{site.url}/{language}/"  # no union, no token, nothing of whoever forwarded it
