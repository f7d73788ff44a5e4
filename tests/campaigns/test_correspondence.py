"""What a mail has its reader write: to whom, which letter, and how it stands there."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns import correspondence, editions
from mailer.campaigns.editions import EditionKey, EditionRenderer, Reader, Unrenderable
from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.delivery.composing import CampaignComposer
from mailer.delivery.ledger import Claimed
from mailer.delivery.recipients import Recipient
from mailer.formats.paper import sheets
from mailer.formats.paper.sheets import Sheet
from mailer.kits.editions import KitEditions
from mailer.kits.messages import read_text
from mailer.kits.wording import Forwarder
from mailer.mail import html_words
from mailer.store.crypto import keyring_of
from mailer.store.models import Campaign, HomeRule, LetterText, Purpose, TargetRole
from tests.support import contrast
from tests.support.factories import (
    SENDER,
    add_text,
    make_campaign,
    make_case,
    make_list,
    make_subscriber,
    make_union,
)

EMBASSY, AUTHORITY, PRISONER = TargetRole.EMBASSY, TargetRole.AUTHORITY, TargetRole.PRISONER

ENGLISH = """{{ salutation or "Your Excellency" }},

I write from {{ country or "abroad" }} to {{ target_name }}. Let them go:

- all six;
- at once.

Yours,\\
{{ name or "(your name)" }}
"""
ARABIC = """{{ salutation or "سعادة السفير" }}،

أكتب من {{ country or "الخارج" }}.

{{ name or "(الاسم)" }}
"""
WORDINGS = {
    "en": {"subjects": ["Free them", "Let them go"], "openings": ["I work on a quay.", "I am {{ name or 'one' }}."]},
    "ar": {"subjects": ["أطلقوا سراحهم", "الحرية"], "openings": ["أنا عامل ميناء.", "أنا {{ name or 'واحد' }}."]},
}


@pytest.fixture
def backend() -> str:
    """What is made does not depend on the database."""
    return "sqlite"


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """About six people in Brazil: its embassies read Arabic in London and English elsewhere; a court, and one of the
    six."""
    campaign = make_campaign(session, make_list(session), body="Six are in prison.\n")
    add_text(session, campaign, "ar", "ستة في السجن.\n")
    campaign.case = make_case(session, asks={"en": ["Release all six.", "Drop the charges."], "ar": ["أطلقوا الستة."]})
    campaign.about, campaign.public, campaign.ask = "BR", True, ["embassy", "authority", "prisoner"]
    campaign.home = HomeRule.INCLUDE
    for role in (EMBASSY, AUTHORITY):
        write(campaign, role, "en", ENGLISH, **WORDINGS["en"])
        write(campaign, role, "ar", ARABIC, **WORDINGS["ar"])
    write(
        campaign,
        PRISONER,
        "en",
        "Dear friend,\n\n{{ name or 'A friend' }}\n",
        subjects=["Hello"],
        rules="No stamps.\n\nNo politics.",
    )
    put(session, "london", EMBASSY, countries=("GB",), languages=("ar",), names={"en": "Embassy of Brazil"})
    put(session, "elsewhere", EMBASSY, languages=("en",))
    put(session, "court", AUTHORITY, languages=("en",))
    put(
        session,
        "prison",
        PRISONER,
        case="leila",
        about=None,
        address="ул. Ленина, 1\nМосква",
        address_latin="ul. Lenina 1",
    )
    return campaign


def write(campaign: Campaign, role: TargetRole, language: str, body: str, **values: Any) -> None:
    known = {"subjects": ["Free them"], "openings": [], "closings": [], "rules": "", "body": body, "body_line": 5}
    campaign.letters.append(LetterText(role=role, language=language, **(known | values)))


def put(session: Session, slug: str, role: TargetRole, **values: Any) -> None:
    known: dict[str, Any] = {"name": slug.title(), "email": f"{slug}@example.org", "address": "1 Street\nTown"}
    target_book.put(session, Target(**{"countries": (), "about": "BR", **known, **values}, slug=slug, role=role))


class Mail:
    """A mail as it arrives."""

    def __init__(self, data: bytes) -> None:
        message = message_from_bytes(data, policy=policy.default)
        text, page = message.get_body(("plain",)), message.get_body(("html",))
        assert text is not None and page is not None and not message.defects
        self.text = str(text.get_content()).replace("\r\n", "\n")
        self.html = str(page.get_content()).replace("\r\n", "\n")
        words, shown = html_words.read(self.html)
        self.words = " ".join(words.split())
        self.links = [each for each in shown if urlsplit(each).scheme]


def mail(
    session: Session,
    campaign: Campaign,
    country: str | None = "GB",
    language: str = "en",
    *,
    person: int = 1,
    name: str | None = "Ana",
) -> Mail:
    return composed(CampaignComposer(session, campaign, SENDER), country, language, person=person, name=name)


def composed(
    composer: CampaignComposer,
    country: str | None = "GB",
    language: str = "en",
    *,
    person: int = 1,
    name: str | None = "Ana",
) -> Mail:
    claimed = Claimed(person, Purpose.CAMPAIGN, person, None, language, country, None, 0)
    return Mail(composer.compose(claimed, Recipient("ana@example.org", name, 41)).data)


def plain(text: str) -> str:
    return re.sub("[\u2066-\u2069]", "", text)


# --- which edition --------------------------------------------------------------------------------------------------


def test_editions_grow_with_the_languages_that_targets_read_and_not_with_targets(
    session: Session, campaign: Campaign
) -> None:
    for country in ("GB", "FR", "DE", None):
        make_subscriber(session, campaign.mailing_list, country=country)

    def wanted() -> set[str]:
        return {key.letters for key in EditionRenderer(session, campaign, SENDER).wanted(session)}

    assert wanted() == {"embassy:ar authority:en prisoner:en", "embassy:en authority:en prisoner:en"}
    put(session, "paris", EMBASSY, countries=("FR",), languages=("en",))
    put(session, "berlin", EMBASSY, countries=("DE",), languages=("ar", "en"))
    assert wanted() == {"embassy:ar authority:en prisoner:en", "embassy:en authority:en prisoner:en"}
    campaign.ask = []
    assert wanted() == {""}


def test_nobody_at_home_is_asked_to_write(session: Session, campaign: Campaign) -> None:
    assert EditionRenderer(session, campaign, SENDER).choose(Reader("en", "BR", None)) == EditionKey("en", "", "")
    assert "What to ask for" not in mail(session, campaign, "BR").words


def test_a_letter_that_makes_a_mail_too_long_is_found_before_it_is_sent(session: Session, campaign: Campaign) -> None:
    assert not [each for each in editions.try_out(session, campaign) if each.code == "mail-long"]
    put(session, "rome", EMBASSY, countries=("IT",), languages=("fr",))
    write(campaign, EMBASSY, "fr", "Un mot. " * 9_500)
    put(session, "vienna", EMBASSY, countries=("AT",), languages=("fr",))
    put(session, "home-office", AUTHORITY, countries=("AT",), own_words=True)
    found = [each for each in editions.try_out(session, campaign) if each.code == "mail-long"]
    assert [each.where for each in found] == ["ar.md", "en.md"]
    assert all(re.search(r"HTML has 9\d,\d{3} bytes", each.what) and "letters" in each.remedy for each in found)
    campaign.letters[-1].openings = ["Un docker. " * 1_000]
    with pytest.raises(Unrenderable, match=r"HTML has 10\d,\d{3} bytes"):
        editions.try_out(session, campaign)


# --- what it shows --------------------------------------------------------------------------------------------------


def test_a_mail_shows_what_to_ask_for_whom_to_write_to_and_the_letter_in_their_language(
    session: Session, campaign: Campaign
) -> None:
    found = mail(session, campaign)
    for shown in (found.words, " ".join(plain(found.text).split())):
        place = -1
        for words in (
            "Six are in prison.", "What to ask for", "Release all six.", "Drop the charges.",
            "Write to the embassy", "Embassy of Brazil", "London", "1 Street", "Town", "london@example.org",
            "سعادة السفير", "أكتب من المملكة المتحدة", "Ana",
            "For you to read: what the letter says", "I write from United Kingdom to Embassy of Brazil",
            "Write to the authorities", "court@example.org", "Your Excellency", "- all six; - at once.", "Yours, Ana",
            "Write to the person in prison", "ул. Ленина, 1 Москва", "ul. Lenina 1",
            "Before you write", "No stamps.", "No politics.", "Dear friend", "You are receiving this",
        ):  # fmt: skip
            assert (place := shown.find(words, place + 1)) >= 0, words
    assert re.search(r'<div lang="ar" dir="rtl" style="text-align: right;">\s*<p>', found.html)
    assert '<span dir="ltr">1 Street</span><br /><span dir="ltr">Town</span><br /><br />' in found.html
    assert not [each for each in found.links if each.startswith("mailto:")]
    page = "https://act.example.org/en/campaigns/free-the-five/letter"
    ours = [each for each in found.links if each.startswith(page)]
    assert ours == [f"{page}/{slug}" for slug in ("london", "court", "prison")]
    assert all(f"<{each}>" in found.text for each in ours)


def test_what_an_item_of_a_list_takes_more_lines_for_stands_below_its_words(
    session: Session, campaign: Campaign
) -> None:
    long = "that all six are released before the end of the month, and that a doctor sees them"
    assert campaign.case is not None
    campaign.case.asks = {"en": [long], "ar": [long]}
    write(campaign, PRISONER, "ar", f"{long}:\n\n- {long}\n", subjects=["Hello"])
    text = mail(session, campaign).text
    assert text.count("- that all six are released before the end of the month, and that a\n  doctor") == 1
    text = plain(mail(session, campaign, language="ar").text)
    assert text.count("- that all six are released before the end of the month, and that a\n  doctor") == 2


def test_an_english_letter_runs_its_own_way_in_an_arabic_mail(session: Session, campaign: Campaign) -> None:
    found = mail(session, campaign, "FR", "ar")
    assert re.search(r'<html[^>]* dir="rtl"', found.html)
    letter = re.search(r'<div lang="en" dir="ltr" style="text-align: left;">\s*<p>.*?</div>', found.html, re.DOTALL)
    assert letter and "Your Excellency" in letter[0]
    assert "\u2066- all six;\u2069\n" in found.text
    assert "للاطلاع" in found.text and "أكتب من فرنسا" in plain(found.text)  # the same for who reads Arabic
    assert "أطلقوا الستة." in found.words and "Release" not in found.words


@pytest.mark.parametrize("scheme", ["light", "dark", None])
def test_all_of_it_stands_out_from_what_is_behind_it(session: Session, campaign: Campaign, scheme: str | None) -> None:
    pairs = contrast.pairs(mail(session, campaign).html, scheme=scheme)
    assert {words: contrast.of(pair) for pair, words in pairs.items() if contrast.of(pair) < 4.5} == {}


def test_targets_with_the_same_letter_share_it_and_who_wants_no_copies_gets_none(
    session: Session, campaign: Campaign
) -> None:
    put(session, "ministry", AUTHORITY, languages=("en",))
    put(session, "senate", AUTHORITY, languages=("ar", "en"), own_words=True)
    found = mail(session, campaign, "FR")
    assert found.words.count("to Court. Let them go") == 1 and "to Ministry" not in found.words
    assert "The letter to Court goes to them, too." in found.words
    assert re.search(r"Senate .* Please write to them in your own words. • أطلقوا الستة. Open the page", found.words)
    assert len([each for each in found.links if "/letter/" in each]) == 5


def test_there_is_room_for_twelve_and_the_rest_stand_on_the_page(session: Session, campaign: Campaign) -> None:
    campaign.ask = ["authority"]
    for number in range(15):
        put(session, f"ministry-{number:02}", AUTHORITY, languages=("en",))
    found = mail(session, campaign)
    shown = [each.rpartition("/")[2] for each in found.links if "/letter" in each]
    assert shown == ["court", *(f"ministry-{number:02}" for number in range(11)), "letter"]
    assert "There are more whom you can write to." in found.words
    assert len(EditionRenderer(session, campaign, SENDER).choose(Reader("en", "GB", None)).letters.split()) == 13


def test_the_page_of_a_campaign_that_is_not_public_is_at_an_address_that_all_share(
    session: Session, campaign: Campaign
) -> None:
    campaign.public = False
    pages = {
        each.rpartition("/")[0]
        for person in (1, 2)
        for each in mail(session, campaign, person=person).links
        if "/letters/" in each
    }
    (page,) = pages
    assert page.startswith("https://act.example.org/en/letters/")
    assert links.verify(keyring_of(session), links.Link.LETTER, page.rpartition("/")[2]) == campaign.id


HOSTILE = (
    '<mj-raw></mj-text>{{ 7*7 }} {% include "x" %} mailto:a@example.org?cc=b@example.org&body=x%0D%0A '
    '#read("/etc/passwd") $x$ "\'> <!--at x:1--> </div><a href="https://evil.example">x</a>'
)


def test_whatever_stands_in_a_target_a_letter_or_an_ask_is_text(session: Session, campaign: Campaign) -> None:
    put(
        session,
        "london",
        EMBASSY,
        countries=("GB",),
        languages=("en",),
        name=HOSTILE,
        address=f"{HOSTILE}\r\nBcc: x@y.example",
    )
    assert campaign.case is not None
    campaign.case.asks = {"en": [HOSTILE]}
    for letter in campaign.letters:
        written = HOSTILE.replace("{{ 7*7 }}", "").replace('{% include "x" %}', "")
        letter.subjects, letter.openings, letter.rules = [f"{written}\r\nBcc: x@y.example"], [written], HOSTILE
        letter.body = f"{written}\n\n{{{{ target_name }}}}"
    found = mail(session, campaign, name=HOSTILE)
    hosts = {urlsplit(each).hostname for each in found.links}
    assert hosts == {"act.example.org"}
    assert found.words.count(" ".join(HOSTILE.split())) >= 4
    assert html.escape("<mj-raw></mj-text>") in found.html and "<mj-raw>" not in found.html
    assert "Bcc: x@y.example" in found.words and HOSTILE[:20] in found.text


def test_what_must_not_appear_keeps_a_target_out_whatever_was_added_since(session: Session, campaign: Campaign) -> None:
    assert campaign.case is not None
    campaign.case.never = ["Embassy of Brazil"]
    found = mail(session, campaign)
    assert "Embassy of Brazil" not in found.words and "elsewhere@example.org" in found.words


# --- whose it is ----------------------------------------------------------------------------------------------------


def test_a_person_gets_the_same_wording_each_time_and_others_get_others(session: Session, campaign: Campaign) -> None:
    composer = CampaignComposer(session, campaign, SENDER)
    kept = {person: composed(composer, "FR", person=person).text for person in range(1, 30)}
    again = CampaignComposer(session, campaign, SENDER)
    assert {person: composed(again, "FR", person=person).text for person in reversed(kept)} == kept
    for words in ("Subject: Free them", "Subject: Let them go", "I work on a quay.", "I am Ana."):
        assert 0 < len([text for text in kept.values() if words in text]) < len(kept)
    bob = {person: composed(composer, "FR", person=person, name="Bob").text for person in kept}
    assert bob == {person: text.replace("Ana", "Bob") for person, text in kept.items()}


def test_a_letter_says_where_its_sender_lives_only_if_that_is_known(session: Session, campaign: Campaign) -> None:
    found = mail(session, campaign, None, name=None).words
    assert "I write from abroad to" in found and "(your name)" in found
    for person in range(1, 9):  # in every wording
        assert "Ana" not in mail(session, campaign, "FR", name=None, person=person).words


# --- while it goes out ----------------------------------------------------------------------------------------------


def test_a_corrected_address_is_used_for_the_rest(session: Session, campaign: Campaign) -> None:
    make_subscriber(session, campaign.mailing_list, country="GB")
    editions.freeze(session, campaign, SENDER)
    put(session, "london", EMBASSY, countries=("GB",), languages=("ar",), email="new@example.org")
    assert "new@example.org" in mail(session, campaign).text


def test_a_target_that_loses_its_last_address_while_a_campaign_goes_out_stops_no_worker(
    session: Session, campaign: Campaign
) -> None:
    make_subscriber(session, campaign.mailing_list, country="GB")
    editions.freeze(session, campaign, SENDER)
    gone = {"email": "", "address": ""}
    put(session, "london", EMBASSY, countries=("GB",), languages=("ar",), **gone)
    found = mail(session, campaign)
    assert "elsewhere@example.org" in found.text and "London" not in found.text
    for slug, role in (("elsewhere", EMBASSY), ("court", AUTHORITY)):
        put(session, slug, role, **gone)
    found = mail(session, campaign)
    assert "Write to the embassy" not in found.text and "Write to the person in prison" in found.text


def test_targets_for_which_a_mail_has_no_room_any_more_stop_no_worker(session: Session, campaign: Campaign) -> None:
    make_subscriber(session, campaign.mailing_list, country="GB")
    editions.freeze(session, campaign, SENDER)
    put(session, "senate", AUTHORITY, languages=("en",), address="A very long street\n" * 6_000)
    found = mail(session, campaign)
    assert "Write to the embassy" in found.text and "Write to the authorities" not in found.text


@pytest.mark.parametrize(("zone", "words"), [("Europe/Minsk", "Moscow Time"), ("Mars/Base", "Mars/Base")])
def test_hours_are_those_of_a_named_zone_though_nobody_knows_it_any_more(zone: str, words: str) -> None:
    reached = Target((), "Embassy", "", "", phone="+44 1632 960001", phone_hours="9–12", phone_zone=zone)
    assert correspondence.details(reached, "en", "Embassy") == f"+44 1632 960001\n9–12 ({words})"


# --- in a kit -------------------------------------------------------------------------------------------------------


def test_a_kit_has_the_letters_for_the_unions_country_and_nobodys_name(
    session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[Sheet] = []

    def leaflet(sheet: Sheet) -> bytes:
        printed.append(sheet)
        return b"paper"

    monkeypatch.setattr(sheets, "leaflet", leaflet)
    monkeypatch.setattr(sheets, "picture", lambda _sheet: b"paper")
    union = make_union(session, "dockers", name="Dockers' Union")
    union.country = "GB"
    kits = KitEditions(session, campaign, SENDER)
    made = kits.files(Forwarder.of(union), "en")
    assert [name for name in made if name.startswith("letter-")] == [
        "letter-embassy.ar.txt",
        "letter-authority.en.txt",
        "letter-prisoner.en.txt",
    ]
    text, letter = read_text(made["mail.txt"]), read_text(made["letter-authority.en.txt"])
    for words in ("I write from abroad to Court", "(your name)", "court@example.org"):
        assert words in text and words in letter
    assert "United Kingdom" not in text + letter and "London" in text
    assert printed[0].addressee == ("Embassy of Brazil", "1 Street", "Town", "london@example.org")
    everybody = kits.files(replace(Forwarder.of(None), country="GB"), "en")
    for number in range(9):  # by their wording, too, nobody tells one from another
        unnamed = kits.files(replace(Forwarder.of(None), union_id=number, country="GB"), "en")
        assert unnamed == everybody and b"Dockers" not in b"".join(unnamed.values())


def test_a_deadline_and_letters_stand_in_one_mail(session: Session, campaign: Campaign) -> None:
    campaign.deadline = datetime(2035, 4, 30, 23, 59, tzinfo=UTC)
    found = mail(session, campaign)
    assert found.words.index("Act by 30 April 2035") < found.words.index("What to ask for")
