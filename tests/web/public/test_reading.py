"""What anyone may read: the archive, a campaign's page, the feed, the privacy page and security.txt."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from mailer.app import create_app
from mailer.campaigns import publishing
from mailer.locale import translations
from mailer.settings import Settings
from mailer.store.db import utcnow
from mailer.store.models import Act, ActKind, Campaign, CampaignStatus, Case, CaseEventKind, CaseText, MailingList
from mailer.web.language import LANGUAGES
from tests.support.cases import REASON, decide, make_case, tell_news
from tests.support.factories import WHEN, add_text, make_campaign, make_list, make_union

DEADLINE = datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def alerts(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def publish(session: Session, alerts: MailingList) -> Callable[..., Campaign]:
    """`publish("slug", deadline=…)`: a public campaign that is out, with some columns changed."""

    def publish(slug: str = "free-the-five", **columns: Any) -> Campaign:
        body = columns.pop("body", "Dear {{ name or 'supporter' }}, write today.\n")
        campaign = make_campaign(session, alerts, slug=slug, body=body)
        out = {"public": True, "status": CampaignStatus.SENT, "started_at": WHEN, "deadline": DEADLINE}
        for name, value in (out | columns).items():
            setattr(campaign, name, value)
        session.commit()
        return campaign

    return publish


# --- archive --------------------------------------------------------------------------------------------------------


def test_an_empty_archive_says_so_and_how_to_hear_of_the_first_campaign(client: FlaskClient) -> None:
    page = client.get("/campaigns").text
    assert "No campaign has been published yet" in page
    assert 'class="button" href="/"' in page


def test_the_archive_says_what_can_still_be_done(client: FlaskClient, publish: Callable[..., Campaign]) -> None:
    publish("open", deadline=DEADLINE)
    page = client.get("/campaigns").text
    assert "Act by 30 April 2035" in page
    assert '<a href="/campaigns/open">Free the five</a>' in page
    assert "Five dockers are in prison" in page
    assert "1 March 2026" in page
    assert "The deadline has passed" not in page
    publish("over", deadline=utcnow() - timedelta(days=1))
    assert "The deadline has passed" in client.get("/campaigns").text


def test_the_archive_leads_on_to_older_campaigns_and_back(
    client: FlaskClient, publish: Callable[..., Campaign]
) -> None:
    for number in range(publishing.PER_PAGE + 1):
        publish(f"no-{number}", started_at=WHEN + timedelta(days=number))
    first, second = client.get("/fr/campaigns").text, client.get("/fr/campaigns?page=2").text
    assert 'rel="next" href="/fr/campaigns?page=2"' in first and 'rel="prev"' not in first
    assert 'rel="prev" href="/fr/campaigns?page=1"' in second and 'rel="next"' not in second
    assert "/fr/campaigns/no-0" in second and '/fr/campaigns/no-0"' not in first


@pytest.mark.parametrize("page", ["0", "-1", "x", "2", "9" * 4500, "٢"])
def test_a_page_of_the_archive_that_is_not_there_is_not_found(client: FlaskClient, page: str) -> None:
    assert client.get("/campaigns", query_string={"page": page}).status_code == 404


# --- a campaign -----------------------------------------------------------------------------------------------------


def test_a_campaign_is_read_in_every_language_of_the_site(
    client: FlaskClient, publish: Callable[..., Campaign]
) -> None:
    publish()
    for language in LANGUAGES:
        answer = client.get(f"/{language}/campaigns/free-the-five")
        assert answer.status_code == 200
        assert '<h1 lang="en" dir="ltr">Free the five</h1>' in answer.text
        assert '<div class="alert-text" lang="en" dir="ltr">' in answer.text
        assert 'Dear <span dir="ltr">supporter</span>, write today.' in answer.text
        assert '<meta name="description" content="Five dockers' in answer.text


def test_a_campaign_comes_in_the_text_for_the_address_else_for_the_browser(
    client: FlaskClient, publish: Callable[..., Campaign], session: Session
) -> None:
    campaign = publish()
    for language, body in (("ar", "بالعربية"), ("uk", "українською")):
        add_text(session, campaign, language, f"{body}\n")
    session.commit()

    def read(path: str, wish: str = "") -> str:
        return client.get(path, headers={"Accept-Language": wish}).text

    arabic = read("/ar/campaigns/free-the-five", "uk")
    assert '<div class="alert-text" lang="ar" dir="rtl">' in arabic and "بالعربية" in arabic
    assert translations.gettext_for("ar")("This text has not been translated into your language yet.") not in arabic
    # The site speaks no Ukrainian; who reads it gets the campaign in it all the same.
    assert "українською" in read("/campaigns/free-the-five", "uk-UA, en;q=0.5")
    assert "українською" in read("/campaigns/free-the-five?text=uk")
    assert '<a href="/campaigns/free-the-five?text=uk" lang="uk" hreflang="uk">' in read("/campaigns/free-the-five")
    assert '<a href="/ar/campaigns/free-the-five" lang="ar" hreflang="ar">' in read("/campaigns/free-the-five")
    turkish = read("/tr/campaigns/free-the-five", "uk")
    untranslated = "This text has not been translated into your language yet."
    assert "write today" in turkish and translations.gettext_for("tr")(untranslated) in turkish
    assert client.get("/campaigns/free-the-five?text=fr").status_code == 404


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"deadline": DEADLINE}, "Act by 30 April 2035"),
        ({"deadline": datetime(2026, 3, 2, 12, 30, tzinfo=UTC)}, "Its deadline was 2 March 2026"),
        ({"status": CampaignStatus.CANCELLED, "deadline": DEADLINE}, "This campaign has been called off"),
    ],
)
def test_a_campaign_says_whether_one_can_still_act(
    client: FlaskClient, publish: Callable[..., Campaign], columns: dict[str, Any], words: str
) -> None:
    publish(**columns)
    page = client.get("/campaigns/free-the-five").text
    shown = [said for said in ("Act by", "Its deadline was", "has been called off") if said in page]
    assert words in page
    assert len(shown) == 1


def test_a_campaign_says_how_many_acted_so_that_a_screen_reader_can_tell_how_far_it_is(
    client: FlaskClient, publish: Callable[..., Campaign], session: Session
) -> None:
    campaign = publish(ask=["embassy"], petition={"to": {"en": "the President"}}, goal=5000)
    for kind, number in ((ActKind.SIGNED, 1234), (ActKind.WROTE, 25)):
        session.add_all(Act(campaign_id=campaign.id, kind=kind, language="en") for _ in range(number))
    session.commit()
    page = client.get("/en/campaigns/free-the-five").text
    named = re.search(r'<progress max="5000" value="1200" aria-labelledby="([^"]+)"></progress>', page)
    assert named and f'<strong id="{named[1]}">1,200 of 5,000 have signed</strong>' in page
    assert "20 have written" in page and "1,234" not in page
    assert "1\N{NARROW NO-BREAK SPACE}200" in client.get("/fr/campaigns/free-the-five").text
    campaign.deadline = WHEN
    session.commit()
    page = client.get("/en/campaigns/free-the-five").text
    assert "1,200 have signed" in page and "<progress" not in page and "5,000" not in page


def head_of(page: str) -> dict[str, str]:
    """What a page tells whoever shows a link to it."""
    return dict(re.findall(r'<meta property="(og:[a-z]+)" content="([^"]*)">', page))


def test_a_link_to_a_campaign_shows_what_it_is_about_and_nothing_of_what_was_stopped(
    client: FlaskClient, publish: Callable[..., Campaign], session: Session
) -> None:
    campaign = publish()
    page = client.get("/fr/campaigns/free-the-five?union=dockers").text
    assert head_of(page) == {
        "og:type": "article",
        "og:title": "Free the five",
        "og:description": "Five dockers are in prison for a strike: write today.",
        "og:url": "https://act.example.org/en/campaigns/free-the-five",
    }
    share = re.search(r'<textarea class="copy" id="share-text"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert share and share[1].splitlines() == [
        "Free the five",
        "",
        "Five dockers are in prison for a strike: write today.",
        "https://act.example.org/en/campaigns/free-the-five",
    ]
    decide(session, campaign, CaseEventKind.CLOSED)
    page = client.get("/en/campaigns/free-the-five").text
    assert head_of(page)["og:title"] == "Ended: Free the five"
    assert head_of(page)["og:description"] == "This action has ended."
    assert "share-text" not in page
    decide(session, campaign, CaseEventKind.STOPPED)
    page = client.get("/en/campaigns/free-the-five").text
    assert head_of(page) == {} and "share-text" not in page
    decide(session, campaign, CaseEventKind.WITHDRAWN)
    assert head_of(client.get("/en/campaigns/free-the-five").text) == {}


def test_news_is_called_so_and_a_stop_says_that_nobody_should_write(
    client: FlaskClient, publish: Callable[..., Campaign]
) -> None:
    publish("alert")
    publish("news", kind="update")
    publish("stop", kind="stop")
    stop, call = "Please do not write any more", "A letter helps most while there is still time"
    pages = {slug: client.get(f"/campaigns/{slug}").text for slug in ("alert", "news", "stop")}
    assert {slug: ('<p class="kind">News</p>' in page, stop in page, call in page) for slug, page in pages.items()} == {
        "alert": (False, False, True),
        "news": (True, False, True),
        "stop": (False, True, False),
    }
    assert "Bitte schreiben Sie nicht mehr" in client.get("/de/campaigns/stop").text
    archive = client.get("/campaigns").text
    assert archive.count("· News") == archive.count(f"· {stop}") == 1


@pytest.mark.parametrize(
    "columns", [{"public": False}, {"status": CampaignStatus.DRAFT}, {"status": CampaignStatus.SCHEDULED}]
)
def test_what_is_not_public_or_has_not_begun_is_not_there(
    client: FlaskClient, publish: Callable[..., Campaign], columns: dict[str, Any]
) -> None:
    publish(**columns)
    assert client.get("/campaigns/free-the-five").status_code == 404
    assert client.get("/campaigns/no-such-campaign").status_code == 404
    assert "free-the-five" not in client.get("/campaigns").text + client.get("/feed.atom").text


def test_one_finds_whom_to_write_to_in_ones_country(client: FlaskClient, publish: Callable[..., Campaign]) -> None:
    berlin = {"countries": ["DE", "AT"], "name": "<Botschaft>", "email": "berlin@example.org", "address": "Allee 2\nB"}
    rest = {"countries": [], "name": "Ministry", "email": "", "address": "Square 1"}
    publish("of-many", targets=[berlin, rest])
    page = client.get("/it/campaigns/of-many").text
    assert "<strong>Austria e Germania</strong>" in page
    assert "<bdi>&lt;Botschaft&gt;</bdi><br><bdi>Allee 2</bdi><br><bdi>B</bdi>" in page
    assert 'href="mailto:berlin@example.org"' in page
    assert page.index(translations.gettext_for("it")("Everywhere else")) > page.index("Austria")
    assert 'href="#addressees"' in page
    publish("of-one", targets=[rest])
    assert "addressees" not in client.get("/campaigns/of-one").text
    publish("of-none", targets=[berlin, rest], status=CampaignStatus.CANCELLED)
    assert "addressees" not in client.get("/campaigns/of-none").text


def test_who_comes_by_a_unions_leaflet_is_offered_to_sign_up_in_its_name(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign]
) -> None:
    make_union(session, name="Dockers United")
    make_union(session, "quiet", name="Quiet").is_named = False
    add_text(session, publish(), "el", "Γράψτε σήμερα.\n")
    session.commit()
    page = client.get("/en/campaigns/free-the-five?union=dockers").text
    assert 'class="button" href="/en/join/dockers"' in page
    assert 'href="/el/campaigns/free-the-five?union=dockers"' in page
    for other in ("", "?union=quiet", "?union=nobody", "?union="):
        assert 'class="button" href="/en/"' in client.get(f"/en/campaigns/free-the-five{other}").text


def test_a_title_cannot_break_out_of_the_page(
    client: FlaskClient, publish: Callable[..., Campaign], session: Session
) -> None:
    campaign = publish()
    campaign.texts[0].subject = campaign.texts[0].preheader = '</title>"><script>alert(1)</script>'
    session.commit()
    for path in ("/campaigns", "/campaigns/free-the-five"):
        assert "<script>" not in client.get(path).text


# --- the feed -------------------------------------------------------------------------------------------------------


def texts(element: ElementTree.Element, name: str) -> list[str | None]:
    return [child.text for child in element.iter(f"{ATOM}{name}")]


def test_the_feed_has_what_atom_demands(client: FlaskClient, publish: Callable[..., Campaign]) -> None:
    publish("older")
    publish("newer", started_at=WHEN + timedelta(days=1))
    answer = client.get("/de/feed.atom")
    assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(answer.data)
    assert feed.tag == f"{ATOM}feed"
    assert feed.find(f"{ATOM}id").text == "https://act.example.org/de/feed.atom"  # type: ignore[union-attr]
    assert feed.find(f"{ATOM}updated").text == "2026-03-02T12:00:00Z"  # type: ignore[union-attr]
    assert texts(feed.find(f"{ATOM}author"), "name") == ["Harbour Solidarity"]  # type: ignore[arg-type]
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {
        "self": "https://act.example.org/de/feed.atom",
        "alternate": "https://act.example.org/de/campaigns",
    }
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.find(f"{ATOM}link").get("href") for entry in entries] == [  # type: ignore[union-attr]
        "https://act.example.org/de/campaigns/newer",
        "https://act.example.org/de/campaigns/older",
    ]
    for entry in entries:
        assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
        assert texts(entry, "title") == ["Free the five"]
        assert str(texts(entry, "id")[0]).startswith("urn:uuid:")
        assert len(texts(entry, "updated")) == len(texts(entry, "summary")) == 1


def test_the_feed_says_that_it_is_too_late(client: FlaskClient, publish: Callable[..., Campaign]) -> None:
    publish(deadline=utcnow() - timedelta(days=1))
    (entry,) = ElementTree.fromstring(client.get("/en/feed.atom").data).findall(f"{ATOM}entry")
    assert texts(entry, "title") == ["Ended: Free the five"]
    assert texts(entry, "summary") == ["This action has ended."]
    [updated] = texts(entry, "updated")
    assert updated and updated > "2026-03-02"


def test_a_feed_without_campaigns_is_a_feed(client: FlaskClient) -> None:
    feed = ElementTree.fromstring(client.get("/feed.atom").data)
    assert len(texts(feed, "updated")) == len(texts(feed, "title")) == len(texts(feed, "id")) == 1
    assert not texts(feed, "entry")


def test_nothing_that_an_author_writes_breaks_the_feed(
    client: FlaskClient, publish: Callable[..., Campaign], session: Session
) -> None:
    campaign = publish()
    campaign.texts[0].subject = "]]></title><entry> & \x08\ufffe é 🕊"
    session.commit()
    feed = ElementTree.fromstring(client.get("/feed.atom").data)
    assert len(feed.findall(f"{ATOM}entry")) == 1
    assert texts(feed, "title")[1] == "]]></title><entry> & é 🕊"


def test_a_feed_that_has_not_changed_is_not_sent_again(client: FlaskClient, publish: Callable[..., Campaign]) -> None:
    first = client.get("/feed.atom")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/feed.atom", headers=tag).status_code == 304
    publish()
    assert client.get("/feed.atom", headers=tag).status_code == 200


# --- what nobody is to act on any more ------------------------------------------------------------------------------

STOP = "Please do not write any more"
TARGET = {"countries": ["DE"], "name": "Botschaft", "email": "berlin@example.org", "address": "Allee 2"}


@pytest.fixture
def case(session: Session) -> Case:
    case = make_case(session)
    session.commit()
    return case


def test_a_stopped_campaign_says_so_first_and_asks_for_nothing(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign], case: Case
) -> None:
    publish(deadline=DEADLINE, targets=[TARGET], case=case, about="BR")
    before = client.get("/en/campaigns/free-the-five").text
    asked = ("Act by", "write today", "addressees", "Get the next alert", "write today.", "if you live there")
    assert [words for words in asked if words not in before] == []
    decide(session, case, CaseEventKind.STOPPED, REASON)
    for language in LANGUAGES:
        page = client.get(f"/{language}/campaigns/free-the-five").text
        heading = escape(translations.gettext_for(language)(STOP))
        assert re.search(rf'<main[^>]*>\s*<div class="stop" role="alert">\s*<h1>{heading}</h1>', page)
        assert f"<title>{heading} –" in page
        assert [words for words in asked if words in page] == []
    assert f'<p lang="fr" dir="ltr">{REASON["fr"]}</p>' in client.get("/fr/campaigns/free-the-five").text
    assert f'<p lang="en" dir="ltr">{REASON["en"]}</p>' in client.get("/ar/campaigns/free-the-five").text
    archive = client.get("/en/campaigns").text
    assert f'{STOP}: <bdi lang="en" dir="ltr">Free the five</bdi>' in archive and REASON["en"] in archive
    assert "Act by" not in archive and "write today" not in archive
    decide(session, case, CaseEventKind.REOPENED)
    assert client.get("/en/campaigns/free-the-five").text == before


def test_a_campaign_that_has_ended_keeps_its_text_and_asks_for_nothing(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign], case: Case
) -> None:
    case.outcome = {"en": "She is free.", "fr": "Elle est libre."}
    publish(deadline=DEADLINE, targets=[TARGET], case=case, about="BR")
    decide(session, case, CaseEventKind.CLOSED)
    page = client.get("/fr/campaigns/free-the-five").text
    ended = translations.gettext_for("fr")("This action has ended.")
    assert ended in page and "Elle est libre." in page and "write today." in page
    assert not [words for words in ("30 avril 2035", "addressees", "Brésil") if words in page]
    archive = client.get("/fr/campaigns").text
    assert "Elle est libre." in archive and "30 avril 2035" not in archive


def test_what_was_withdrawn_is_gone_from_every_page_with_no_word_of_it(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign], case: Case
) -> None:
    campaign = publish(deadline=DEADLINE, case=case)
    add_text(session, campaign, "uk", "українською\n")
    make_union(session)
    session.commit()
    decide(session, campaign, CaseEventKind.WITHDRAWN, {"en": "It names somebody."})
    sentence = "This has been taken down, and you do not need to do anything."
    for language in LANGUAGES:
        for query in ("", "?text=uk", "?text=fr", "?union=dockers"):
            answer = client.get(f"/{language}/campaigns/free-the-five{query}")
            assert (answer.status_code, answer.headers["Cache-Control"]) == (410, "no-store")
            main = answer.text.partition("<main")[2].partition("</main>")[0]
            said = re.sub("<[^>]+>", "", main.partition(">")[2]).strip()
            assert said == escape(translations.gettext_for(language)(sentence))
            assert not [each for each in ("five", "dockers", "names somebody", "leila") if each in answer.text.lower()]
    assert client.get("/campaigns/free-the-five").status_code == 410
    assert "five" not in client.get("/campaigns").text + client.get("/cases/leila").text


def feed_of(client: FlaskClient) -> ElementTree.Element:
    return ElementTree.fromstring(client.get("/en/feed.atom").data)


def test_the_feed_tells_of_a_stop_and_of_an_end_and_that_the_entry_has_changed(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign], case: Case
) -> None:
    publish(case=case)
    for kind, title, summary in (
        (CaseEventKind.STOPPED, f"{STOP}: Free the five", "do not pass this on. Her lawyer asks for silence."),
        (CaseEventKind.CLOSED, "Ended: Free the five", "This action has ended."),
    ):
        event = decide(session, case, kind, REASON)
        feed = feed_of(client)
        [entry] = feed.findall(f"{ATOM}entry")
        assert texts(entry, "title") == [title]
        assert str(texts(entry, "summary")[0]).endswith(summary)
        moment = event.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert texts(entry, "updated") == [moment] and texts(feed, "updated")[0] == moment
        assert texts(entry, "published") == ["2026-03-01T12:00:00Z"]
        assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    decide(session, case, CaseEventKind.REOPENED)
    assert texts(feed_of(client), "title")[1] == "Free the five"


def test_the_feed_has_readers_drop_what_was_withdrawn(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign]
) -> None:
    campaign = publish()
    [entry] = feed_of(client).findall(f"{ATOM}entry")
    event = decide(session, campaign, CaseEventKind.WITHDRAWN)
    feed = feed_of(client)
    moment = event.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert feed.findall(f"{ATOM}entry") == []
    [tombstone] = feed.findall("{http://purl.org/atompub/tombstones/1.0}deleted-entry")  # RFC 6721
    assert dict(tombstone.attrib) == {"ref": texts(entry, "id")[0], "when": moment}
    assert (len(tombstone), tombstone.text) == (0, None)
    assert texts(feed, "updated") == [moment]


def test_no_cache_keeps_what_was_shown(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign], case: Case
) -> None:
    publish(case=case)
    paths = ("/campaigns", "/campaigns/free-the-five", "/cases/leila", "/feed.atom")
    tags = {}
    for path in paths:
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == "no-cache"
        tags[path] = {"If-None-Match": answer.headers["ETag"]}
        assert client.get(path, headers=tags[path]).status_code == 304
    decide(session, case, CaseEventKind.STOPPED, REASON)
    assert [client.get(path, headers=tags[path]).status_code for path in paths] == [200] * 4


# --- a case ---------------------------------------------------------------------------------------------------------


def test_a_case_has_a_page_in_every_language(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign], case: Case
) -> None:
    publish(case=case)
    tell_news(session, case, {"en": "She was arrested."}, date(2026, 1, 3), "https://example.org/a?b&c")
    case.texts.append(CaseText(language="uk", title="Лейла", body="українською\n"))
    session.commit()
    for language in LANGUAGES:
        page = client.get(f"/{language}/cases/leila").text
        assert '<h1 lang="en" dir="ltr">Leila of the port</h1>' in page
        arrested = translations.gettext_for(language)("arrested")
        names = ["<bdi>Leila Marun</bdi>", "<bdi>ليلى مارون</bdi>"]
        named = " · ".join(reversed(names) if language == "ar" else names)  # in the reader's own script first
        assert f"{named}: <strong>{arrested}</strong>" in page
        assert '<a href="https://example.org/a?b&amp;c">' in page and "She was arrested." in page
        assert f'href="/{language}/campaigns/free-the-five"' in page
        assert f'href="/{language}/cases/leila"' in client.get(f"/{language}/campaigns/free-the-five").text
    assert "Release her at once." in client.get("/en/cases/leila").text
    assert "українською" in client.get("/cases/leila?text=uk").text
    assert 'href="/cases/leila?text=uk" lang="uk"' in client.get("/cases/leila").text
    assert client.get("/cases/leila?text=fr").status_code == 404


def test_a_case_that_is_not_public_has_no_page(
    client: FlaskClient, session: Session, publish: Callable[..., Campaign], case: Case
) -> None:
    publish(case=case)
    case.public = False
    session.commit()
    assert client.get("/cases/leila").status_code == 404
    assert client.get("/cases/nobody").status_code == 404
    assert "cases/leila" not in client.get("/campaigns/free-the-five").text


def test_a_stopped_case_says_so_first_and_a_closed_one_how_it_ended(
    client: FlaskClient, session: Session, case: Case
) -> None:
    decide(session, case, CaseEventKind.STOPPED, REASON)
    page = client.get("/en/cases/leila").text
    assert re.search(rf'<main[^>]*>\s*<div class="stop" role="alert">\s*<h1>{STOP}</h1>', page)
    assert REASON["en"] in page and "Release her" not in page
    case.outcome = {"en": "She is free."}
    decide(session, case, CaseEventKind.CLOSED)
    page = client.get("/en/cases/leila").text
    assert "She is free." in page.partition('class="alert-text"')[0] and "Release her" not in page
    assert "We asked everybody not to write any more." in page


# --- about this site ------------------------------------------------------------------------------------------------


def test_the_privacy_page_names_who_answers_for_the_data(settings: Callable[..., Settings]) -> None:
    def page(**changes: str | None) -> str:
        app = create_app(settings(**changes))
        shown = app.test_client().get("/privacy").text
        app.extensions["site"].engine.dispose()
        return shown

    plain = page()
    assert "Harbour Solidarity" in plain and "1 Example Street" in plain and "mailto:alerts@example.org" in plain
    for words in ("9(2)(a)", "seven days", "encrypted", "cookies", "data protection authority", "/preferences"):
        assert words in plain
    assert "privacy notice" not in plain
    full = page(MAILER_PRIVACY_CONTACT="privacy@example.org", MAILER_PRIVACY_URL="https://www.example.org/privacy")
    assert "mailto:privacy@example.org" in full
    assert 'href="https://www.example.org/privacy"' in full
    assert "None" not in page(MAILER_ORGANISATION=None, MAILER_POSTAL_ADDRESS=None, MAILER_SENDER=None)


def test_security_txt_says_where_to_report_a_weakness_for_less_than_a_year(settings: Callable[..., Settings]) -> None:
    client = create_app(settings(MAILER_SECURITY_CONTACT="mailto:security@example.org")).test_client()
    answer = client.get("/.well-known/security.txt")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:security@example.org"
    assert fields["Canonical"] == "https://act.example.org/.well-known/security.txt"
    left = datetime.fromisoformat(fields["Expires"]) - utcnow()
    assert timedelta(days=100) < left < timedelta(days=365)


def test_without_a_contact_there_is_no_security_txt(client: FlaskClient) -> None:
    assert client.get("/.well-known/security.txt").status_code == 404
