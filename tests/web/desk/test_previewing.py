"""Previews at the desk: what would go out, for readers that there are, in documents from which nothing leads."""

import re

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from mailer.mail import html_words
from mailer.store.db import session_scope
from mailer.store.models import Account, Campaign, MailingList, Role, Union, UnionStatus
from tests.support.cases import make_case
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import add_text, make_campaign, make_list, make_subscriber, make_union
from tests.support.letters import add_letter, put_target

PREVIEW = "/campaigns/free-the-five/preview"
BODY = 'Dear {{ name or "friend" }} in {{ country }} of {{ union or "no union" }}.\n\n[Act](https://example.org/act)\n'


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what the pages show of it depends on no database


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def union(session: Session) -> Union:
    return make_union(session, name="Dockers United", status=UnionStatus.AFFILIATED)


@pytest.fixture
def campaign(session: Session, news: MailingList, union: Union) -> Campaign:
    """An alert to two members of a union in Britain, and somebody in Egypt."""
    campaign = make_campaign(session, news, body=BODY)
    add_text(session, campaign, "ar", "مرحبا {{ country }}\n")
    for _ in range(2):
        make_subscriber(session, news, union=union)
    make_subscriber(session, news, country="EG", language="ar")
    session.commit()
    return campaign


@pytest.fixture
def rosa(app: Flask, campaign: Campaign) -> Organiser:
    return come_in(app, Role.WRITER)


def documents(page: TestResponse) -> list[str]:
    """The addresses of what a page shows in frames, below /desk."""
    frames = re.findall(r"<iframe[^>]*>", page.text)
    assert all(re.search(r"<iframe sandbox src=", frame) for frame in frames)
    assert all('title="' in frame and 'loading="lazy"' in frame for frame in frames)
    return [re.search(r'src="/desk([^"]+)"', frame).group(1).replace("&amp;", "&") for frame in frames]  # type: ignore[union-attr]


def said(document: TestResponse) -> str:
    return html_words.read(document.text)[0]


# --- the mail -------------------------------------------------------------------------------------------------------


def test_a_mail_is_shown_as_its_most_frequent_reader_gets_it(rosa: Organiser, campaign: Campaign) -> None:
    page = rosa.get(PREVIEW)
    assert "Harbour Solidarity" in words(page) and "Free the five" in words(page)
    assert "Five dockers are in prison for a strike" in words(page)
    assert "Dear Alex Reader in United Kingdom of Dockers United." in words(page)
    frames = re.findall(r'<iframe[^>]* width="(\d+)"', page.text)
    assert frames == ["390", "390", "1280", "1280"]
    shown = [rosa.get(address) for address in documents(page)]
    assert {document.status_code for document in shown} == {200}
    assert all("Dear Alex Reader in United Kingdom of Dockers United." in said(document) for document in shown)
    assert ["color-scheme: dark" in document.text for document in shown] == [False, True, False, True]


def test_a_preview_opens_in_the_language_of_whoever_looks_if_the_campaign_has_it(
    app: Flask, session: Session, rosa: Organiser, news: MailingList, campaign: Campaign
) -> None:
    for _ in range(3):
        make_subscriber(session, news, country="FR", language="fr")  # the most frequent, without a text
    session.commit()
    for spoken, shown in (("ar", "ar"), ("fr", "en"), ("en", "en")):
        with session_scope(app.extensions["site"].engine) as other:
            other.get_one(Account, rosa.account_id).language = spoken
        page = rosa.get(PREVIEW)
        assert f'<html lang="{spoken}"' in page.text
        assert re.search(r'<option value="(en|ar|fr)" selected>', page.text).group(1) == shown  # type: ignore[union-attr]
    assert "in France of no union." in words(rosa.get(f"{PREVIEW}?country=FR"))  # who is asked for goes first


def test_another_reader_of_the_audience_is_chosen_without_a_script(
    session: Session, news: MailingList, rosa: Organiser, campaign: Campaign
) -> None:
    make_subscriber(session, news, country="FR")
    session.commit()
    page = rosa.get(f"{PREVIEW}?lang=en&country=FR")
    assert "Dear Alex Reader in France of no union." in words(page)
    assert all("in France of no union" in said(rosa.get(address)) for address in documents(page))
    page = rosa.get(f"{PREVIEW}?lang=ar&country=EG&union=-")
    assert 'lang="ar" dir="rtl"' in page.text
    assert 'dir="rtl"' in rosa.get(documents(page)[0]).text
    assert "No reader has all of that together" not in words(page)


def test_only_readers_that_there_are_can_be_looked_at(rosa: Organiser, campaign: Campaign) -> None:
    page = rosa.get(f"{PREVIEW}?lang=ar&country=GB&union=dockers")
    assert "No reader has all of that together" in words(page)
    assert "Country, Union" in words(page)
    options = re.findall(r'<option value="([^"]+)"( selected)?>', page.text)
    assert {value for value, _selected in options} == {"ar", "en", "EG", "GB", "-", "dockers"}
    assert [value for value, selected in options if selected] == ["ar", "EG", "-"]
    assert rosa.get(f"{PREVIEW}?lang=%F0&country=<b>&union=9").status_code == 200


def test_many_unions_are_found_by_typing(
    session: Session, rosa: Organiser, news: MailingList, campaign: Campaign
) -> None:
    for number in range(61):
        make_subscriber(session, news, union=make_union(session, f"branch-{number}", name=f"Branch {number}"))
    session.commit()
    page = rosa.get(f"{PREVIEW}?union=Branch+7")
    assert '<input id="union" name="union" value="branch-7" list="union-known"' in page.text
    assert "of Branch 7." in words(page)


def test_a_language_without_a_text_shows_what_its_readers_get(
    session: Session, rosa: Organiser, news: MailingList, campaign: Campaign
) -> None:
    make_subscriber(session, news, country="KZ", language="kk")
    session.commit()
    page = rosa.get(f"{PREVIEW}?lang=kk")
    assert "There is no text in the language of these readers. They get this one: English" in words(page)


def test_what_cannot_be_rendered_says_where_it_stands(session: Session, rosa: Organiser, campaign: Campaign) -> None:
    next(text for text in campaign.texts if text.language == "en").body = "[Act](https://example.org/{{ name }})\n"
    session.commit()
    page = rosa.get(PREVIEW)
    assert page.status_code == 200 and "en.md:5" in words(page) and "<iframe" not in page.text
    assert "en.md:5" in said(rosa.get(f"{PREVIEW}/mail"))


# --- documents from which nothing leads -----------------------------------------------------------------------------


def test_only_documents_of_previews_may_be_framed_and_in_them_nothing_runs_or_is_fetched(
    session: Session, rosa: Organiser, campaign: Campaign
) -> None:
    campaign.forwardable = True
    campaign.ask = ["embassy"]
    add_letter(session, campaign)
    put_target(session, about="BR")
    campaign.about = "BR"
    session.commit()
    checked = 0
    for page in (rosa.get(PREVIEW), rosa.get(f"{PREVIEW}/letter"), rosa.get(f"{PREVIEW}/kit")):
        assert page.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
        for address in documents(page):
            document = rosa.get(address)
            policy = set(document.headers["Content-Security-Policy"].split("; "))
            assert {"default-src 'none'", "form-action 'none'", "frame-ancestors 'self'", "sandbox"} <= policy
            assert {each for each in policy if each.startswith(("script", "img", "connect", "frame-src"))} == set()
            assert document.headers["X-Frame-Options"] == "SAMEORIGIN"
            assert document.headers["Cache-Control"] == "no-store"
            assert '<head><base target="_blank">' in document.text
            assert not re.search(r"<script|<link|<img|<iframe", document.text)
            checked += 1
    assert checked == 6


HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}'


def test_what_a_writer_writes_stays_words(session: Session, rosa: Organiser, union: Union, campaign: Campaign) -> None:
    union.name = HOSTILE
    campaign.forwardable = True
    for text in campaign.texts:
        text.subject = text.preheader = 'Subject\r\nBcc: a@example.org <script>alert(1)</script>"><img src=x>'
        text.body = "{{ union }}\n"
    session.commit()
    for view in ("", "/kit", "/letter"):
        page = rosa.get(f"{PREVIEW}{view}")
        assert page.status_code == 200
        assert "<script>" not in page.text and "<img src=x" not in page.text
        assert "49" not in words(page)
        for address in documents(page):
            document = rosa.get(address).text
            assert not re.search(r"<script|<img", document)


def test_no_word_that_must_not_appear_is_shown(session: Session, rosa: Organiser, campaign: Campaign) -> None:
    campaign.case = make_case(session, never=["Amal Odeh", "free-the-five"])
    campaign.forwardable = True
    campaign.ask = ["embassy"]
    campaign.about = "BR"
    put_target(session, about="BR")
    add_letter(session, campaign, subjects=["Free Amal Odeh"])
    for text in campaign.texts:
        text.preheader = "Free A\u00admal Odeh"
    session.commit()
    for view in ("", "/kit", "/letter"):
        page = rosa.get(f"{PREVIEW}{view}")
        assert "Amal" not in page.text and "Odeh" not in page.text
        assert "free-the-five" not in words(page)
        for address in documents(page):
            assert "Odeh" not in rosa.get(address).text
    assert "must not appear" in said(rosa.get(f"{PREVIEW}/mail"))
    assert "must not appear" in said(rosa.get(f"{PREVIEW}/letter/page?to=embassy-de"))


# --- the letter's page ----------------------------------------------------------------------------------------------


@pytest.fixture
def with_letter(session: Session, campaign: Campaign) -> Campaign:
    campaign.ask, campaign.about = ["embassy"], "BR"
    for language in ("en", "ar"):
        add_letter(session, campaign, language)
    put_target(session, "embassy-gb", about="BR", countries=("GB",), name="Embassy in London")
    put_target(session, "embassy-eg", about="BR", countries=("EG",), name="Embassy in Cairo", languages=("ar",))
    session.commit()
    return campaign


def test_the_page_of_the_letter_is_shown_as_the_site_will_show_it_before_anybody_can_read_it(
    rosa: Organiser, with_letter: Campaign
) -> None:
    assert rosa.client.get("/campaigns/free-the-five/letter/embassy-gb").status_code == 404
    page = rosa.get(f"{PREVIEW}/letter")
    [address] = documents(page)
    document = rosa.get(address)
    assert "Embassy in London" in said(document) and "Write to" in said(document)
    assert 'lang="en"' in document.text and "--card" in document.text
    [address] = documents(rosa.get(f"{PREVIEW}/letter?lang=ar"))
    document = rosa.get(address)
    assert 'dir="rtl"' in document.text and "أفرجوا عن الخمسة" in document.text


def test_the_desk_speaks_its_own_language_again_after_the_page(rosa: Organiser, with_letter: Campaign) -> None:
    [address] = documents(rosa.get(f"{PREVIEW}/letter?lang=ar"))
    rosa.get(address)
    assert '<html lang="en"' in rosa.get(f"{PREVIEW}/letter?lang=ar").text


def test_a_campaign_without_letters_says_how_it_gets_some(rosa: Organiser, campaign: Campaign) -> None:
    assert "This campaign has no page with letters" in words(rosa.get(f"{PREVIEW}/letter"))
    assert rosa.get(f"{PREVIEW}/letter/page?to=embassy-gb").status_code == 404


# --- the kit --------------------------------------------------------------------------------------------------------


def test_a_kit_is_shown_as_the_readers_union_would_get_it(
    session: Session, rosa: Organiser, campaign: Campaign
) -> None:
    assert "This campaign has no kits" in words(rosa.get(f"{PREVIEW}/kit"))
    assert rosa.get(f"{PREVIEW}/kit/mail").status_code == 404
    campaign.forwardable = True
    session.commit()
    page = rosa.get(f"{PREVIEW}/kit")
    assert "In the name of Dockers United" in words(page)
    [address] = documents(page)
    assert "Dockers United" in said(rosa.get(address))
    assert "/join/dockers" in words(page)
    picture = rosa.get(f"{PREVIEW}/kit/picture?lang=en")
    assert picture.mimetype == "image/png"
    leaflet = rosa.get(f"{PREVIEW}/kit/leaflet?lang=en")
    assert leaflet.mimetype == "application/pdf" and "attachment" in leaflet.headers["Content-Disposition"]
    assert "in nobody’s name" in words(rosa.get(f"{PREVIEW}/kit?lang=ar"))


# --- who may --------------------------------------------------------------------------------------------------------


def test_there_is_no_preview_of_what_there_is_not_and_none_for_who_may_not(
    app: Flask, rosa: Organiser, campaign: Campaign
) -> None:
    assert rosa.get("/campaigns/no-such-thing/preview").status_code == 404
    admin = come_in(app, Role.ADMIN, email="ada@example.org")
    assert admin.get(PREVIEW).status_code == 404
    assert "Preview" not in words(admin.get("/campaigns/free-the-five/check"))
