"""Checking a campaign at the desk, and test mails to oneself."""

import re
from typing import get_args

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns.readership import Readership
from mailer.cases.findings import Code, Finding, Level
from mailer.delivery import own_tests
from mailer.operations import checks
from mailer.store.db import session_scope
from mailer.store.models import Campaign, Delivery, DeliveryState, MailingList, Purpose, Role
from mailer.web.desk import finding_words
from tests.support.accounts import make_account
from tests.support.cases import make_case
from tests.support.desk import come_in, words
from tests.support.factories import add_text, make_campaign, make_list, make_subscriber

CHECK = "/campaigns/free-the-five/check"
TESTS = "/campaigns/free-the-five/tests"
READY = "Write to them today, all of you.\n\n[Write now](https://example.org/write)\n"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what the pages say of it depends on no database


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news, body=READY)
    for _ in range(12):
        make_subscriber(session, news)
    session.commit()
    return campaign


def owed(session: Session) -> list[Delivery]:
    session.expire_all()
    return list(session.scalars(select(Delivery).where(Delivery.purpose == Purpose.TEST).order_by(Delivery.id)))


# --- what stands against it -----------------------------------------------------------------------------------------


def test_every_finding_has_words_in_the_languages_of_the_desk() -> None:
    assert finding_words._SENTENCES.keys() >= set(get_args(Code))


def test_findings_stand_with_the_worst_first_and_each_says_where_it_is_mended(
    app: Flask, session: Session, campaign: Campaign
) -> None:
    campaign.about = None
    add_text(session, campaign, "fr", "Mots\n")
    session.commit()
    page = come_in(app, Role.WRITER).get(CHECK)
    said = words(page)
    assert "1 error must be mended before it can be sent." in said
    assert said.index("Test mails") < said.index("Nothing says whose authorities people write to") < said.index("fr.md")
    assert "mailer campaigns load" not in said, "who may write needs no command"
    publisher = words(come_in(app, Role.PUBLISHER, email="petra@example.org").get(CHECK))
    assert "mailer campaigns load free-the-five" in publisher and "docs/reference/campaign-files.md" in publisher
    assert "/desk/campaigns/free-the-five/preview?lang=fr" in page.text


def test_a_campaign_against_which_nothing_stands_says_so(
    app: Flask, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "of_settings", lambda _settings: ())  # of a mail server, and who hears of what
    said = words(come_in(app, Role.WRITER).get(CHECK))
    assert "Nothing is wrong." in said and "What was found" not in said


def test_what_was_found_in_many_places_is_said_once_with_all_of_them(
    app: Flask, session: Session, news: MailingList, campaign: Campaign
) -> None:
    languages = {"el": "Greek", "es": "Spanish", "fr": "French", "it": "Italian", "kk": "Kazakh", "ru": "Russian"}
    for language in [*languages, "tr"]:
        make_subscriber(session, news, language=language)
    session.commit()
    page = come_in(app, Role.WRITER).get(CHECK)
    said = words(page)
    assert said.count("The campaign has no text in a language that some of its readers read") == 1
    assert "Warning in 7 places" in said
    for language, name in languages.items():
        assert f"{language}.md The campaign has no text in {name}, so under 10 people get another one." in said
    first, more = page.text.split("2 more places</summary>")
    assert "kk.md" in first and "ru.md" in more and "tr.md" in more


def test_errors_and_warnings_of_one_page_are_counted_as_they_are_shown(
    app: Flask, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "of_settings", lambda _settings: ())
    for language in ("fr", "ru"):
        add_text(session, campaign, language, READY)  # with a preheader that is too short
    session.commit()
    page = come_in(app, Role.WRITER).get(CHECK)
    assert "Nothing keeps it from being sent. 1 warning is worth a look." in words(page)
    assert page.text.count('<li class="card') == 1


def test_what_is_wrong_with_settings_leads_whoever_may_see_them_there(
    app: Flask, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    unheard = Finding(Level.WARNING, "no-organisers", "MAILER_ORGANISERS", "nobody is named", "Name somebody.")
    monkeypatch.setattr(checks, "of_settings", lambda _settings: (unheard,))
    page = come_in(app, Role.ADMIN, email="ada@example.org").get(CHECK)
    assert "No organiser hears by mail when the campaign is held" in words(page)
    assert '<a href="/desk/installation">See the settings</a>' in page.text
    assert "See the settings" not in come_in(app, Role.WRITER).get(CHECK).text


def test_whom_it_reaches_is_shown_without_small_numbers(
    app: Flask, session: Session, news: MailingList, campaign: Campaign
) -> None:
    for country, count in (("FR", 11), ("IR", 1), ("BR", 2)):
        for _ in range(count):
            make_subscriber(session, news, country=country, language="fr")
    session.commit()
    said = words(come_in(app, Role.WRITER).get(CHECK))
    assert "26 people get it." in said
    assert "United Kingdom 12" in said and "France 11" in said
    assert "Iran under 10" in said and "Brazil under 10" in said


def test_a_campaign_to_nobody_says_so(app: Flask, session: Session, campaign: Campaign) -> None:
    campaign.audience = {"countries": ["KZ"]}
    session.commit()
    assert "It reaches nobody" in words(come_in(app, Role.WRITER).get(CHECK))


def test_the_check_shows_no_word_that_must_not_appear(app: Flask, session: Session, campaign: Campaign) -> None:
    campaign.case = make_case(session, never=["Amal Odeh", "free-the-five"])
    campaign.texts[0].body = "Free Amal Odeh {{ union }}\n"
    session.commit()
    page = come_in(app, Role.WRITER).get(CHECK)
    assert "Amal" not in page.text and "Odeh" not in page.text
    assert "free-the-five" not in words(page)


# --- test mails -----------------------------------------------------------------------------------------------------


def test_one_press_sends_a_test_mail_in_each_language_to_oneself(
    app: Flask, session: Session, campaign: Campaign
) -> None:
    add_text(session, campaign, "ar", "مرحبا\n")
    session.commit()
    rosa = come_in(app, Role.WRITER)
    page = rosa.get(CHECK)
    assert "in each of its 2 languages, to rosa@example.org" in words(page)
    answer = rosa.press(TESTS)
    assert (answer.status_code, answer.location) == (303, f"/desk{CHECK}?sent=1")
    assert [(mail.language, mail.address) for mail in owed(session)] == [
        ("ar", "rosa@example.org"),
        ("en", "rosa@example.org"),
    ]
    page = rosa.get(f"{CHECK}?sent=1")
    assert "Your test mails are on their way to rosa@example.org" in words(page)
    assert "English Waiting" in words(page)


def test_while_test_mails_are_made_others_can_write(
    app: Flask, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, of = [], Readership.of

    def look(among: Session, of_campaign: Campaign) -> Readership:
        with session_scope(app.extensions["site"].engine) as other:
            looks.append(make_account(other, "ben@example.org").id)
        return of(among, of_campaign)

    monkeypatch.setattr(Readership, "of", look)
    assert come_in(app, Role.WRITER).press(TESTS).status_code == 303
    assert looks and owed(session)


def test_the_state_of_a_test_mail_shows_the_words_of_the_mail_server(
    app: Flask, session: Session, campaign: Campaign
) -> None:
    rosa = come_in(app, Role.WRITER)
    rosa.press(TESTS)
    part = rosa.get(TESTS)
    assert "hx-get" in part.text and "Waiting" in part.text
    [mail] = owed(session)
    mail.state, mail.smtp_code = DeliveryState.FAILED, 550
    mail.smtp_text = "5.7.1 <b>rosa@example.org</b> refused"
    session.commit()
    part = rosa.get(TESTS)
    assert "hx-get" not in part.text
    assert '<p class="meta answer" lang="en" dir="ltr">550 5.7.1 &lt;b&gt;[address]&lt;/b&gt; refused</p>' in part.text
    assert "A rule or a blocklist of that server keeps us out" in part.text
    assert rosa.get(TESTS, headers={"If-None-Match": part.headers["ETag"]}).status_code == 304


def test_too_many_test_mails_are_refused_with_what_to_do(
    app: Flask, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_tests, "MOST", 1)
    rosa = come_in(app, Role.WRITER)
    assert rosa.press(TESTS).status_code == 303
    refused = rosa.press(TESTS)
    assert refused.status_code == 422
    assert "Try again in an hour" in words(refused) and 'role="alert"' in refused.text
    assert len(owed(session)) == 1


def test_who_may_not_test_sees_no_button(app: Flask, campaign: Campaign) -> None:
    admin = come_in(app, Role.ADMIN)
    assert "test mail" not in words(admin.get(CHECK))
    assert admin.press(TESTS).status_code == 404


# --- hostile words --------------------------------------------------------------------------------------------------


def test_what_a_writer_writes_stays_words_on_the_page(
    app: Flask, session: Session, news: MailingList, campaign: Campaign
) -> None:
    hostile = '<script>alert(1)</script>"><img src=x>{{ 7 * 7 }}{% raw %}'
    news.name = hostile
    campaign.case = make_case(session, "port", never=["nothing"])
    campaign.targets = [{"countries": ["GB"], "name": hostile, "email": hostile, "address": ""}]
    campaign.audience = {"unions": [hostile]}
    session.commit()
    page = come_in(app, Role.WRITER).get(CHECK)
    assert page.status_code == 200
    assert "<img" not in page.text and not re.search(r"<script>(?!$)", page.text)
    assert "{{ 7 * 7 }}" in page.text or "49" not in page.text


def test_there_is_no_check_of_what_there_is_not(app: Flask) -> None:
    rosa = come_in(app, Role.WRITER)
    assert rosa.get("/campaigns/no-such-thing/check").status_code == 404
