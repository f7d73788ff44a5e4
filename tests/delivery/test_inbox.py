"""A mail as an inbox and a mail program show it, before it is sent."""

import re

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns.editions import Reader
from mailer.delivery import inbox, previews
from mailer.delivery.inbox import MustNotAppear, Scheme
from mailer.delivery.previews import SampleReader
from mailer.links import Link
from mailer.mail import html_words
from mailer.store.crypto import Keyring
from mailer.store.models import Campaign, CampaignText, MailingList, Subscription
from tests.support.cases import make_case
from tests.support.factories import SENDER, add_text, make_campaign, make_list, make_subscriber, make_union

GB = Reader("en", "GB", None)


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    body = (
        'Dear {{ name or "friend" }} in {{ country }} of {{ union or "no union" }}\n\n[Act](https://example.org/act)\n'
    )
    campaign = make_campaign(session, news, body=body)
    add_text(session, campaign, "ar", "مرحبا\n")
    return campaign


def english(campaign: Campaign) -> CampaignText:
    return next(text for text in campaign.texts if text.language == "en")


def words(html: str) -> str:
    return html_words.read(html)[0]


def test_a_mail_is_seen_as_its_reader_sees_it(session: Session, campaign: Campaign) -> None:
    union = make_union(session, name="Dockers United")
    seen = previews.look(session, campaign, GB._replace(union_id=union.id), SENDER)
    assert (seen.sender, seen.subject, seen.language) == ("Harbour Solidarity", "Free the five", "en")
    assert seen.preheader == "Five dockers are in prison for a strike: write today."
    assert "Dear Alex Reader in United Kingdom of Dockers United" in seen.text
    assert "Dear Alex Reader in United Kingdom of Dockers United" in words(seen.html)
    assert seen.size > len(seen.html)
    assert previews.look(session, campaign, Reader("ar", "EG", None), SENDER).language == "ar"
    assert previews.look(session, campaign, Reader("kk", None, None), SENDER).language == "en"


def test_the_links_of_one_person_are_nobodys(
    session: Session, news: MailingList, campaign: Campaign, keyring: Keyring
) -> None:
    make_subscriber(session, news, country="GB")
    html = previews.look(session, campaign, GB, SENDER).html
    found = re.findall(r"https://act.example.org/(?:unsubscribe|preferences)/([^\"]+)", html)
    assert len(found) == 2
    assert {links.verify(keyring, Link.UNSUBSCRIBE, token) for token in found[-1:]} == {0}
    assert 0 not in session.scalars(select(Subscription.id)).all()


def test_a_word_that_must_not_appear_is_neither_shown_nor_sent_as_a_test(session: Session, campaign: Campaign) -> None:
    campaign.case = make_case(session, never=["Amal Odeh"])
    previews.look(session, campaign, GB, SENDER)
    for part, harmful in (
        ("subject", "Free Amal Odeh"),
        ("preheader", "Amal Odeh is in prison"),
        ("body", "Free **Amal** Odeh"),
        ("body", "[Act](https://example.org/Amal-Odeh)"),
    ):
        text = english(campaign)
        before = getattr(text, part)
        setattr(text, part, harmful)
        with pytest.raises(MustNotAppear) as refused:
            previews.look(session, campaign, GB, SENDER)
        assert "Amal" not in str(refused.value)
        with pytest.raises(MustNotAppear):
            previews.order_test(session, campaign, SampleReader(language="en"), SENDER, "me@example.org")
        setattr(text, part, before)
    previews.look(session, campaign, GB, SENDER)


HOSTILE = (
    "Subject\r\nBcc: everybody@example.org",
    "=?utf-8?q?x=0D=0ABcc:_x?=",
    '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "</title></style><svg onload=alert(1)>",
    "=cmd|'/c calc'!A1",
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_writer_writes_stays_words(session: Session, campaign: Campaign, hostile: str) -> None:
    union = make_union(session, name=hostile.replace("\r\n", " "))
    for text in campaign.texts:
        text.subject = text.preheader = hostile
        text.body = "{{ union }}\n"
    seen = previews.look(session, campaign, GB._replace(union_id=union.id), SENDER)
    assert not re.search(r"<(script|svg|img)|\sonerror\s*=\s*\"", seen.html)
    assert "\n" not in seen.subject
    assert hostile.split()[-1].lstrip("=?") in seen.subject
    assert seen.sender == "Harbour Solidarity"


# --- colours --------------------------------------------------------------------------------------------------------


def test_a_mail_is_shown_in_the_colours_that_are_asked_for_whatever_the_screen_has(
    session: Session, campaign: Campaign
) -> None:
    english(campaign).body = "It says (prefers-color-scheme: dark) and color-scheme: light dark.\n"
    html = previews.look(session, campaign, GB, SENDER).html
    dark, light = (inbox.coloured(html, scheme) for scheme in (Scheme.DARK, Scheme.LIGHT))
    assert "@media (min-width: 0) {" in dark and "@media (max-width: 0) {" in light
    for mail, scheme in ((dark, "dark"), (light, "light")):
        assert f"color-scheme: {scheme}; supported-color-schemes: {scheme};" in mail
        assert f'<meta name="color-scheme" content="{scheme}" />' in mail
        # What is no style stays as it is.
        assert "It says (prefers-color-scheme: dark) and color-scheme: light dark." in words(mail)
        assert words(mail) == words(html)
