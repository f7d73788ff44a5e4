"""A union gets everything to forward from one page, says what it does with it, and sees what that brought."""

import re
import zipfile
from datetime import UTC, datetime, timedelta
from html import unescape
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.links import Link, with_generation
from mailer.store.db import utcnow
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    CaseEventKind,
    JoinCount,
    Kit,
    KitEdition,
    MailingList,
    Union,
    UnionStatus,
)
from mailer.web.language import LANGUAGES
from tests.support.cases import REASON, decide, make_case
from tests.support.factories import add_text, make_campaign, make_contact, make_list, make_union
from tests.web.pages import KIT_FILES, forwarded_notes, make_kit, newest_token, signed, stored

DEADLINE = datetime(2035, 4, 30, 23, 59, tzinfo=UTC)
LOGO = b"\x89PNG logo"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what the pages show is read on both in the tests of kits and of reports


@pytest.fixture
def union(session: Session) -> Union:
    union = make_union(session, name="Dockers United", status=UnionStatus.AFFILIATED, languages=["fr"])
    session.commit()
    return union


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
    campaign.deadline = DEADLINE
    add_text(session, campaign, "fr", "Écrivez.\n")
    session.commit()
    return campaign


@pytest.fixture
def kit(session: Session, campaign: Campaign, union: Union) -> Kit:
    kit = make_kit(session, campaign, union)
    session.commit()
    return kit


@pytest.fixture
def address(app: Flask, kit: Kit) -> str:
    """Of the kit's page."""
    return kit_address(app, kit)


def kit_address(app: Flask, kit: Kit) -> str:
    return f"/kit/{signed(app, Link.KIT, kit.id)}"


def fresh(engine: Engine, kit: Kit) -> Kit:
    """The kit as it is now."""
    with Session(engine) as session:
        found = session.get_one(Kit, kit.id)
        session.expunge(found)
    return found


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_has_the_campaign_the_deadline_one_main_button_and_the_three_answers_first(
    client: FlaskClient, session: Session, union: Union, address: str
) -> None:
    union.logo = LOGO
    session.commit()
    page = client.get(f"/en{address}").text
    assert "from <bdi>Dockers United</bdi>" in page
    assert "Act by 30 April 2035" in page
    assert 'src="/en/join/dockers/logo.png"' in page
    order = [page.index(words) for words in ("<h1", "kit.zip", 'value="seen"', 'value="promised"', 'value="forwarded"')]
    assert re.findall('class="button" href="(.*?)"', page) == [f"/en{address}/kit.zip"]
    assert '<button class="button"' not in page
    assert order == sorted(order)
    assert page.index("mail.eml") > order[-1]


def test_the_page_is_in_the_unions_own_language_unless_its_address_names_another(
    client: FlaskClient, address: str
) -> None:
    assert client.get(address).headers["Content-Language"] == "fr"
    assert client.get(f"/ru{address}").headers["Content-Language"] == "ru"


def test_the_unions_own_languages_come_first_and_open_the_others_behind_their_name(
    client: FlaskClient, address: str
) -> None:
    page = client.get(address).text
    own, others = page.partition("</header>")[2].split("<details>", 1)
    assert "/fr/mail.eml" in own
    assert "/en/mail.eml" in others


def test_each_file_is_one_press_away_and_the_picture_is_to_be_seen(client: FlaskClient, kit: Kit, address: str) -> None:
    page = client.get(f"/en{address}").text
    for language in ("en", "fr"):
        for name in ("mail.eml", "mail.html", "mail.txt", "leaflet.pdf", "picture.png"):
            assert f'href="/en{address}/{language}/{name}"' in page
        images = re.findall(r"<img [^>]+>", page)
        [image] = [each for each in images if f"/{language}/picture.png" in each]
        assert 'loading="lazy"' in image
        assert re.search(r'alt="[^"]{10,}"', image)
    assert f'href="/en{address}/kit.zip"' in page


def test_texts_for_messengers_are_there_to_be_copied_in_their_own_direction(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign, union: Union
) -> None:
    add_text(session, campaign, "ar", "اكتبوا.\n")
    union.languages = ["ar"]
    kit = make_kit(session, campaign, union, languages=["en", "ar"])
    session.commit()
    page = unescape(client.get(f"/en{kit_address(app, kit)}").text)
    for field, text in (
        ("short-ar", KIT_FILES["messenger-short.txt"]),
        ("medium-ar", KIT_FILES["messenger-medium.txt"]),
    ):
        found = re.search(
            rf'<textarea[^>]* id="{field}" lang="ar" dir="rtl"[^>]* readonly[^>]*>\n(.*?)</textarea>', page, re.S
        )
        assert found
        assert found[1] == text.decode()
        assert f'<label for="{field}" id="{field}-label">' in page


def test_a_kit_without_a_name_names_nobody(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    silent = make_union(session, "silent", name="The Silent Ones", status=UnionStatus.AFFILIATED, is_named=False)
    silent.logo = LOGO
    kit = make_kit(session, campaign, silent)
    session.commit()
    page = client.get(kit_address(app, kit)).text
    assert "Silent" not in page
    assert "silent" not in page
    assert "logo.png" not in page
    assert 'value="seen"' in page


def test_the_kit_for_everybody_asks_for_no_answer(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign
) -> None:
    kit = make_kit(session, campaign, None)
    session.commit()
    page = client.get(kit_address(app, kit), headers={"Accept-Language": "fr"}).text
    assert 'name="answer"' not in page
    assert re.search(r'<details open>\s*<summary id="in-fr"', page)
    assert client.post(kit_address(app, kit), data={"answer": "seen"}).status_code == 410


def test_while_it_is_being_made_the_page_says_so_and_shows_what_there_is(
    client: FlaskClient, session: Session, kit: Kit, address: str
) -> None:
    kit.ready_at = None
    session.add(KitEdition(kit_id=kit.id, language="de"))
    session.commit()
    answer = client.get(f"/en{address}")
    assert answer.status_code == 200
    assert "Come back in a minute." in answer.text
    assert "http-equiv" not in answer.text  # who reads by ear would begin again and again
    assert "We are making this now." in answer.text
    assert f"{address}/fr/leaflet.pdf" in answer.text
    assert client.get(f"{address}/de/leaflet.pdf").status_code == 404


def test_nothing_made_yet_is_no_error(client: FlaskClient, session: Session, kit: Kit, address: str) -> None:
    kit.ready_at = None
    for edition in kit.editions:
        edition.made_at = edition.archive = None
    session.commit()
    page = client.get(f"/en{address}")
    assert page.status_code == 200
    assert "kit.zip" not in page.text
    assert client.get(f"{address}/kit.zip").status_code == 404


def test_a_language_that_paper_cannot_print_and_one_that_failed_say_so(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign, union: Union
) -> None:
    printed = {name: data for name, data in KIT_FILES.items() if name not in ("leaflet.pdf", "picture.png")}
    kit = make_kit(session, campaign, union, languages=["fr"], files=printed)
    session.add(KitEdition(kit_id=kit.id, language="de", problem="line 7: {{ nmae }} is unknown", union_revision=0))
    session.commit()
    page = client.get(f"/en{kit_address(app, kit)}").text
    assert "there is no leaflet and no picture" in page
    assert "<img" not in page
    assert "could not make the kit in this language" in page
    assert "nmae" not in page


def test_a_campaign_that_is_over_is_not_to_be_forwarded_any_more(
    client: FlaskClient, session: Session, campaign: Campaign, address: str
) -> None:
    campaign.deadline = utcnow() - timedelta(days=1)
    session.commit()
    assert "This campaign is over." in client.get(f"/en{address}").text


def test_of_what_is_stopped_there_is_nothing_to_forward(
    client: FlaskClient, session: Session, campaign: Campaign, kit: Kit, address: str
) -> None:
    campaign.status = CampaignStatus.PAUSED
    kit.ready_at = None
    session.commit()
    page = client.get(f"/en{address}").text.partition("</header>")[2]
    assert "We have stopped this alert for the moment." in page
    for offered in ("Check again", "making", "kit.zip", "mail.eml", "<textarea", "<details", 'value="promised"'):
        assert offered not in page
    assert client.get(f"{address}/fr/mail.eml").status_code == 404


@pytest.mark.parametrize("is_made", [True, False])
def test_nobody_waits_for_what_is_over(
    client: FlaskClient, session: Session, campaign: Campaign, kit: Kit, address: str, is_made: bool
) -> None:
    campaign.status = CampaignStatus.CANCELLED
    kit.ready_at = None
    for edition in kit.editions if not is_made else []:
        edition.made_at = edition.archive = None
    session.add(KitEdition(kit_id=kit.id, language="de"))
    session.commit()
    page = client.get(f"/en{address}").text
    assert "This campaign is over." in page
    for waiting in ("Come back in a minute.", "We are making this now.", 'id="in-de"', "mail.eml"):
        assert waiting not in page


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_pages_are_there_in_every_language(
    app: Flask, client: FlaskClient, union: Union, address: str, tag: str
) -> None:
    for path in (address, f"/results/{signed(app, Link.UNION, union.id)}"):
        page = client.get(f"/{tag}{path}")
        assert (page.status_code, page.headers["Content-Language"]) == (200, tag)
        assert f'dir="{"rtl" if tag == "ar" else "ltr"}"' in page.text


def test_who_got_the_mail_forwarded_is_told_in_a_line_whose_page_it_is_and_where_to_join(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign, union: Union, address: str
) -> None:
    for path, join, last in (
        (address, "/fr/join/dockers", 'name="answer"'),
        (results_address(app, union), "/en/", 'id="joined"'),
    ):
        page = client.get(f"/en{path}").text
        (line,) = forwarded_notes(page)
        assert re.search(rf'<a href="[^"]*{join}">Sign up yourself', line)
        assert page.index(last) < page.index(line)
    for_everybody = make_kit(session, campaign, None)
    session.commit()
    page = client.get(f"/en{kit_address(app, for_everybody)}").text
    assert "Was the e-mail forwarded to you?" not in page
    assert "answer for your union" not in page


def test_the_page_leads_to_no_results_as_its_link_gets_forwarded(client: FlaskClient, address: str) -> None:
    page = client.get(f"/en{address}").text
    assert "/results/" not in page
    assert "not the address of this page" in page


# --- files ----------------------------------------------------------------------------------------------------------

TYPES = {
    "mail.eml": "message/rfc822",
    "mail.html": "text/html; charset=utf-8",
    "mail.txt": "text/plain; charset=utf-8",
    "messenger-short.txt": "text/plain; charset=utf-8",
    "messenger-medium.txt": "text/plain; charset=utf-8",
    "leaflet.pdf": "application/pdf",
    "picture.png": "image/png",
}


@pytest.mark.parametrize("name", TYPES)
def test_a_file_is_saved_under_a_plain_name_as_what_it_is(client: FlaskClient, address: str, name: str) -> None:
    with client.get(f"{address}/fr/{name}") as answer:
        assert answer.status_code == 200
        assert answer.data == KIT_FILES[name]
        assert answer.headers["Content-Type"] == TYPES[name]
        assert answer.headers["Content-Disposition"] == f"attachment; filename=free-the-five-fr-{name}"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_letters_are_offered_by_whom_they_are_to_and_in_which_language(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign, union: Union
) -> None:
    name = "letter-embassy.ru.txt"
    address = kit_address(app, make_kit(session, campaign, union, files={**KIT_FILES, name: b"Free them."}))
    session.commit()
    page = unescape(client.get(f"/en{address}").text)
    assert re.search(rf'<a [^>]*href="[^"]*/fr/{name}"[^>]*>Write to the embassy \(Русский\)</a>', page)
    answer = client.get(f"{address}/fr/{name}")
    assert (answer.data, answer.headers["Content-Type"]) == (b"Free them.", "text/plain; charset=utf-8")
    for other in ("letter-embassy.fr.txt", "letter-nobody.ru.txt"):
        assert client.get(f"{address}/fr/{other}").status_code == 404


def test_everything_comes_as_one_archive_with_a_folder_for_each_language(client: FlaskClient, address: str) -> None:
    with client.get(f"{address}/kit.zip") as answer:
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Content-Disposition"] == "attachment; filename=free-the-five-kit.zip"
        with zipfile.ZipFile(BytesIO(answer.data)) as archive:
            assert set(archive.namelist()) == {f"{tag}/{name}" for tag in ("en", "fr") for name in KIT_FILES}


@pytest.mark.parametrize(
    "path", ["fr/mail.exe", "fr/", "de/mail.eml", "fr/..%2Fmail.eml", "fr/MAIL.EML", "%2e%2e/mail.eml"]
)
def test_there_are_no_other_files(client: FlaskClient, address: str, path: str) -> None:
    assert client.get(f"{address}/{path}").status_code == 404


# --- answers --------------------------------------------------------------------------------------------------------


def test_looking_at_a_kit_is_no_answer(client: FlaskClient, engine: Engine, address: str) -> None:
    before = stored(engine)
    for path in (address, f"{address}/fr/mail.eml", f"{address}/kit.zip"):
        for method in ("GET", "HEAD"):
            with client.open(path, method=method, data={"answer": "seen"}) as answer:
                assert answer.status_code == 200
    assert stored(engine) == before


@pytest.mark.parametrize(
    ("said", "column"), [("seen", "seen_at"), ("promised", "promised_at"), ("forwarded", "forwarded_at")]
)
def test_one_press_says_it_and_a_second_changes_nothing(
    client: FlaskClient, engine: Engine, kit: Kit, address: str, said: str, column: str
) -> None:
    answer = client.post(address, data={"answer": said})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{address}?noted=1")
    after = fresh(engine, kit)
    when = getattr(after, column)
    assert when is not None
    assert [name for name in ("seen_at", "promised_at", "forwarded_at") if getattr(after, name)] == [column]
    page = client.get(f"/en{address}").text
    assert '<p class="said">' in page
    assert (f'value="{said}"' in page) is (said == "forwarded")  # whose number may be corrected
    assert client.post(address, data={"answer": said}).status_code == 303
    assert getattr(fresh(engine, kit), column) == when


def test_what_a_press_did_is_said_where_the_button_was(client: FlaskClient, address: str) -> None:
    noted = "Thank you. We have noted your answer."
    page = client.get(f"/en{address}").text
    assert noted not in page
    assert page.count(f'action="/en{address}#answers"') == 3  # a browser keeps what is behind the # as it is led on
    for answer in ({"answer": "seen"}, {"answer": "forwarded", "reached": "20"}):
        page = client.post(f"/en{address}", data=answer, follow_redirects=True).text
        card = page.partition('id="answers"')[2].partition("</section>")[0]
        assert noted in card
        assert card.index(noted) < card.index('class="said"')
    card = client.post(f"/en{address}", data={"answer": "forwarded", "reached": "x"}).text.partition('id="answers"')[2]
    assert "error-summary" in card.partition("</section>")[0]


def test_texts_can_be_copied_where_our_script_runs_and_only_the_kits_page_has_one(
    app: Flask, client: FlaskClient, union: Union, address: str
) -> None:
    page = client.get(f"/en{address}")
    buttons = re.findall("<button [^>]*data-copy[^>]*>", page.text)
    assert len(buttons) == 5  # two texts in each of two languages, and the link
    for button in buttons:
        assert " hidden " in button and 'type="button"' in button
        copied = re.search('data-copy="(.*?)"', button)
        assert copied and f'id="{copied[1]}"' in page.text
    (script,) = re.findall('<script src="(.*?)" defer></script>', page.text)
    with client.get(script) as answer:
        assert answer.mimetype == "text/javascript"
    assert page.headers["Content-Security-Policy"].endswith("; script-src 'self'")
    other = client.get(f"/en{results_address(app, union)}")
    assert "script" not in other.headers["Content-Security-Policy"]
    assert "<script" not in other.text


def test_what_a_later_answer_says_already_is_not_asked_any_more(client: FlaskClient, address: str) -> None:
    for said, offered in (("promised", {"forwarded"}), ("forwarded", {"forwarded"})):
        client.post(address, data={"answer": said})
        assert set(re.findall(r'name="answer" value="(\w+)"', client.get(address).text)) == offered


def test_who_forwarded_it_at_once_is_asked_for_nothing_but_the_number(client: FlaskClient, address: str) -> None:
    client.post(address, data={"answer": "forwarded"})
    page = client.get(address).text
    assert re.findall(r'name="answer" value="(\w+)"', page) == ["forwarded"]
    assert page.count('<p class="said">') == 1


def test_how_many_it_reached_may_be_told_and_corrected(
    client: FlaskClient, engine: Engine, kit: Kit, address: str
) -> None:
    client.post(address, data={"answer": "forwarded", "reached": "1.200"})
    first = fresh(engine, kit)
    assert first.reached == 1200
    assert 'value="1200"' in client.get(address).text
    client.post(address, data={"answer": "forwarded", "reached": "900"})
    second = fresh(engine, kit)
    assert (second.reached, second.forwarded_at) == (900, first.forwarded_at)


def test_who_does_not_know_how_many_says_so_by_saying_nothing(
    client: FlaskClient, engine: Engine, kit: Kit, address: str
) -> None:
    assert client.post(address, data={"answer": "forwarded", "reached": " "}).status_code == 303
    after = fresh(engine, kit)
    assert after.forwarded_at is not None
    assert after.reached is None


@pytest.mark.parametrize("typed", ["many", "0", "-3", "1.5", "9" * 15])
def test_a_number_that_is_none_is_explained_and_kept(
    client: FlaskClient, engine: Engine, kit: Kit, address: str, typed: str
) -> None:
    page = client.post(f"/en{address}", data={"answer": "forwarded", "reached": typed})
    assert page.status_code == 422
    assert 'href="#reached"' in page.text
    assert "such as 1200" in page.text
    assert re.search(rf'name="reached"[^>]* value="{typed}"[^>]* aria-invalid="true"', page.text)
    assert fresh(engine, kit).forwarded_at is None


def test_what_the_page_does_not_offer_is_refused(client: FlaskClient, engine: Engine, address: str) -> None:
    before = stored(engine)
    for fields in ({}, {"answer": "maybe"}, {"answer": "SEEN"}):
        assert client.post(address, data=fields).status_code == 400
    assert client.post(address, data={"answer": "seen"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert stored(engine) == before


# --- links that lead nowhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["lapsed", "forgotten", "gone"])
def test_a_kit_that_is_gone_says_so_whatever_is_asked_of_it(
    client: FlaskClient, session: Session, kit: Kit, union: Union, address: str, end: str
) -> None:
    if end == "lapsed":
        union.status = UnionStatus.LAPSED
    elif end == "forgotten":
        for edition in kit.editions:
            edition.archive = None
    else:
        session.delete(kit)
    session.commit()
    for path in (address, f"{address}/fr/mail.eml", f"{address}/kit.zip"):
        page = client.get(f"/en{path}")
        assert page.status_code == 410
        assert "This kit is no longer available" in page.text
        assert page.headers["Cache-Control"] == "no-store"
    if end != "forgotten":  # then it is still to be said what came of it
        assert client.post(address, data={"answer": "seen"}).status_code == 410


def test_a_link_that_is_none_of_ours_is_not_found(app: Flask, client: FlaskClient, kit: Kit, union: Union) -> None:
    other = signed(app, Link.UNION, union.id), signed(app, Link.KIT, kit.id)
    for path in (
        *(f"/kit/{other[0]}{rest}" for rest in ("", "/fr/mail.eml", "/kit.zip")),
        *(f"/results/{other[1]}{rest}" for rest in ("", "/chart.svg")),
    ):
        page = client.get(path)
        assert page.status_code == 404
        assert "Copy the whole link from the e-mail." in page.text
    assert client.post(f"/kit/{other[0]}", data={"answer": "seen"}).status_code == 404


# --- results --------------------------------------------------------------------------------------------------------


def join(session: Session, union: Union, joined: int) -> None:
    session.add(JoinCount(union_id=union.id, month=f"{utcnow():%Y-%m}", joined=joined))
    session.commit()


def results_address(app: Flask, union: Union) -> str:
    return f"/results/{signed(app, Link.UNION, union.id)}"


def test_a_union_sees_its_kits_what_it_said_of_them_and_who_joined(
    app: Flask, client: FlaskClient, session: Session, union: Union, kit: Kit
) -> None:
    kit.forwarded_at, kit.reached = utcnow(), 1200
    join(session, union, 42)
    page = client.get(f"/en{results_address(app, union)}").text
    assert "Dockers United" in page
    assert "to about 1,200 members" in page
    assert f'href="/en{kit_address(app, kit)}"' in page
    this_month = re.search(rf'<th scope="row">{utcnow():%B %Y}</th><td class="number">([^<]+)</td>', page)
    assert this_month
    assert this_month[1] == "42"


def test_numbers_of_a_few_people_are_not_shown(app: Flask, client: FlaskClient, session: Session, union: Union) -> None:
    join(session, union, 7)
    address = results_address(app, union)
    page = client.get(f"/en{address}").text
    assert "under 10" in page
    assert not re.search(r">7<", page)
    assert ">7<" not in client.get(f"/en{address}/chart.svg").text


def test_where_there_is_nothing_to_count_one_sentence_says_so(
    app: Flask, client: FlaskClient, session: Session, union: Union
) -> None:
    branch = make_union(session, "branch", name="Branch", parent=union, status=UnionStatus.AFFILIATED)
    session.commit()
    nothing = "No kit was sent in these twelve months, and nobody signed up through your link."
    nobody = "Nobody has signed up through your link in these twelve months."
    page = client.get(f"/en{results_address(app, union)}").text
    assert nothing in page
    assert not re.search("<dl|<table|<img", page)

    make_kit(session, make_campaign(session, make_list(session)), union)
    session.commit()
    page = client.get(f"/en{results_address(app, union)}").text
    assert nobody in page and nothing not in page
    assert "No kit was sent to any of these unions" in page
    assert "<dl" in page and not re.search("<table|<img", page)
    assert nobody in client.get(f"/en{results_address(app, union)}/chart.svg").text

    join(session, branch, 3)  # too few to be shown are not nobody
    page = client.get(f"/en{results_address(app, union)}").text
    assert page.count("<table") == 2 and "<img" in page
    assert nobody not in page and "No kit was sent to any" not in page


def test_the_chart_is_a_picture_with_words_and_a_table_that_says_the_same(
    app: Flask, client: FlaskClient, session: Session, union: Union
) -> None:
    join(session, union, 42)
    address = results_address(app, union)
    page = client.get(f"/en{address}").text
    image = re.search(rf'<img [^>]*src="/en{address}/chart.svg"[^>]*>', page)
    assert image
    assert re.search(r'alt="[^"]{20,}"', image[0])
    answer = client.get(f"/en{address}/chart.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.startswith("<svg")
    assert "42" in answer.text
    assert "<script" not in answer.text
    assert "style=" not in answer.text  # which the content-security policy would take away


def test_a_federation_sees_its_unions_too_and_nobody_elses(
    app: Flask, client: FlaskClient, session: Session, union: Union
) -> None:
    federation = make_union(session, "federation", name="Harbour Workers", status=UnionStatus.AFFILIATED)
    union.parent_id = federation.id
    make_union(session, "silent", name="The Silent Ones", parent=federation, is_named=False)
    make_union(session, "elsewhere", name="Teachers")
    join(session, union, 42)
    page = client.get(f"/en{results_address(app, federation)}").text
    assert "Dockers United" in page
    assert "A union that asked not to be named" in page
    assert "Silent" not in page
    assert "Teachers" not in page
    own = client.get(f"/en{results_address(app, union)}").text
    assert "Unions in your federation" not in own
    assert "Harbour Workers" not in own


def test_results_of_a_union_that_is_gone_say_so(
    app: Flask, client: FlaskClient, session: Session, union: Union
) -> None:
    address = results_address(app, union)
    session.delete(union)
    session.commit()
    page = client.get(f"/en{address}")
    assert page.status_code == 410
    assert "There is nothing to show" in page.text
    assert client.get(f"/en{address}/chart.svg").status_code == 404


def test_it_says_which_small_numbers_are_hidden(
    app: Flask, client: FlaskClient, session: Session, union: Union, kit: Kit
) -> None:
    kit.forwarded_at, kit.reached = utcnow(), 7
    session.commit()
    page = client.get(f"/en{results_address(app, union)}").text
    assert "to about 7 members" in page
    assert "We do show what you told us yourself." in page


# --- the page to join -----------------------------------------------------------------------------------------------


def test_the_page_to_join_carries_the_logo_and_browsers_keep_it(
    client: FlaskClient, session: Session, union: Union
) -> None:
    make_list(session)
    session.commit()
    assert "logo.png" not in client.get("/join/dockers").text
    assert client.get("/join/dockers/logo.png").status_code == 404
    union.logo = LOGO
    session.commit()
    assert 'src="/join/dockers/logo.png"' in client.get("/join/dockers").text
    answer = client.get("/join/dockers/logo.png")
    assert (answer.data, answer.headers["Content-Type"]) == (LOGO, "image/png")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    again = client.get("/join/dockers/logo.png", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_only_the_page_of_a_union_says_that_joins_by_it_are_counted(client: FlaskClient, union: Union) -> None:
    words = "We count how many people sign up through this page, and do not record who they are."
    assert words in client.get("/en/join/dockers").text
    assert words not in client.get("/en/").text


def test_of_a_union_that_asked_not_to_be_named_nothing_public_says_that_it_is_there(
    client: FlaskClient, session: Session
) -> None:
    make_list(session)
    silent = make_union(session, "silent", name="The Silent Ones", status=UnionStatus.AFFILIATED, is_named=False)
    silent.logo = LOGO
    session.commit()
    assert session.scalars(select(MailingList)).all()
    session.rollback()
    for path in ("/join/{}", "/join/{}/logo.png"):
        silence, nothing = client.get(path.format("silent")), client.get(path.format("nobody"))
        assert silence.status_code == 404
        assert silence.text.replace("silent", "nobody") == nothing.text
    form = {"email": "ana@example.org", "country": "GB", "language": "en", "alerts": "yes"}
    assert client.post("/join/silent", data=form).status_code == 404


# --- links that were replaced, and answers that stand ---------------------------------------------------------------


def test_a_link_that_was_replaced_says_so_and_shows_nothing_else(
    app: Flask, client: FlaskClient, session: Session, engine: Engine, union: Union, kit: Kit, address: str
) -> None:
    results = results_address(app, union)
    union.link_generation = 1
    session.commit()
    before = stored(engine)
    paths = (address, f"{address}/fr/mail.eml", f"{address}/kit.zip", results, f"{results}/chart.svg")
    pages = [client.get(f"/en{path}") for path in paths] + [client.post(f"/en{address}", data={"answer": "seen"})]
    pages.append(client.post(f"/en{address}/link"))
    for page in pages:
        assert page.status_code == 410
        assert "This link has been replaced" in page.text
        assert "Dockers" not in page.text and "Free the five" not in page.text
    assert stored(engine) == before
    for link, row, path in ((Link.KIT, kit.id, "kit"), (Link.UNION, union.id, "results")):
        renewed = signed(app, link, with_generation(row, 1))
        assert client.get(f"/en/{path}/{renewed}").status_code == 200
    shown = client.get(f"/en/results/{signed(app, Link.UNION, with_generation(union.id, 1))}").text
    assert signed(app, Link.KIT, with_generation(kit.id, 1)) in shown


def test_after_a_day_the_page_says_what_was_said_and_has_a_link_mailed_to_change_it(
    client: FlaskClient, session: Session, engine: Engine, union: Union, kit: Kit, address: str
) -> None:
    make_contact(session, union)
    kit.forwarded_at, kit.reached = utcnow() - timedelta(days=1), 250
    session.commit()
    late = client.post(f"/en{address}", data={"answer": "forwarded", "reached": "999"})
    assert late.status_code == 409
    assert "about 250 members" in late.text and 'name="reached"' not in late.text
    assert fresh(engine, kit).reached == 250
    assert client.post(f"/en{address}/link").headers["Location"] == "/en/answer/sent"
    assert client.get("/en/answer/sent").status_code == 200
    path = f"/en/answer/{newest_token(session)}"
    assert 'value="250"' in client.get(path).text
    for typed in ("", "many", "0"):
        assert client.post(path, data={"reached": typed}).status_code == 422
    assert client.post(path, data={"reached": "300"}).headers["Location"] == path
    session.refresh(kit)
    assert kit.reached == 300
    assert "We have changed it" in client.get(path).text


# --- what nobody is to forward any more -----------------------------------------------------------------------------

STOP = "Please do not write any more"


def files_of(address: str) -> list[str]:
    """Everything that one may take from a kit."""
    return [f"/en{address}/kit.zip", *(f"/en{address}/fr/{name}" for name in KIT_FILES)]


def test_a_stopped_kit_says_so_and_offers_nothing(
    client: FlaskClient, session: Session, engine: Engine, campaign: Campaign, kit: Kit, address: str
) -> None:
    decide(session, campaign, CaseEventKind.STOPPED, REASON)
    answer = client.get(f"/en{address}")
    assert answer.status_code == 200
    assert re.search(rf'<main[^>]*>\s*<div class="stop" role="alert">\s*<h1>{STOP}</h1>', answer.text)
    assert REASON["en"] in answer.text and REASON["fr"] in client.get(address).text
    assert not [
        words for words in ("<form", "Act by", "kit.zip", "mail.eml", "textarea", "/join/") if words in answer.text
    ]
    for path in files_of(address):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (410, "no-store")
        assert f"<h1>{STOP}</h1>" in answer.text
    for said in ("seen", "promised", "forwarded"):
        assert client.post(address, data={"answer": said, "reached": "12"}).status_code == 410
    now = fresh(engine, kit)
    assert (now.seen_at, now.promised_at, now.forwarded_at, now.reached) == (None,) * 4


def test_once_a_kit_is_stopped_no_mailed_link_changes_what_was_said_of_it(
    client: FlaskClient, session: Session, union: Union, campaign: Campaign, kit: Kit, address: str
) -> None:
    make_contact(session, union)
    kit.forwarded_at, kit.reached = utcnow() - timedelta(days=1), 250
    session.commit()
    client.post(f"/en{address}/link")
    path = f"/en/answer/{newest_token(session)}"
    decide(session, campaign, CaseEventKind.STOPPED, REASON)
    refused = client.post(f"/en{address}/link")
    assert refused.status_code == 410 and f"<h1>{STOP}</h1>" in refused.text
    assert [client.get(path).status_code, client.post(path, data={"reached": "9000"}).status_code] == [410, 410]
    assert client.post(path, data={"reached": "many"}).status_code == 410
    session.refresh(kit)
    assert kit.reached == 250


def test_a_kit_whose_campaign_has_ended_has_nothing_to_forward_and_may_be_answered(
    client: FlaskClient, session: Session, engine: Engine, campaign: Campaign, kit: Kit, address: str
) -> None:
    decide(session, campaign, CaseEventKind.CLOSED)
    page = client.get(f"/en{address}").text
    assert "There is nothing to forward any more." in page and "This action has ended." in page
    assert not [words for words in ("Act by", "kit.zip", "mail.eml", "textarea", 'value="promised"') if words in page]
    assert [client.get(path).status_code for path in files_of(address)] == [410] * len(files_of(address))
    assert client.post(address, data={"answer": "promised"}).status_code == 410
    assert client.post(address, data={"answer": "forwarded", "reached": "1200"}).status_code == 303
    assert fresh(engine, kit).reached == 1200


def test_a_withdrawn_kit_is_gone_with_no_word_of_its_campaign(
    app: Flask, client: FlaskClient, session: Session, campaign: Campaign, union: Union, address: str
) -> None:
    results = f"/en/results/{signed(app, Link.UNION, union.id)}"
    assert "Subject" in client.get(results).text
    decide(session, campaign, CaseEventKind.WITHDRAWN)
    answers = [client.get(path) for path in (f"/en{address}", *files_of(address))]
    answers.append(client.post(f"/en{address}", data={"answer": "seen"}))
    for answer in answers:
        assert (answer.status_code, answer.headers["Cache-Control"]) == (410, "no-store")
        assert "This has been taken down, and you do not need to do anything." in answer.text
        assert not [words for words in ("Free the five", "Subject", "free-the-five") if words in answer.text]
    page = client.get(results)
    assert page.status_code == 200 and "Subject" not in page.text


def test_a_kit_of_news_shows_no_deadline_and_stays_while_its_case_is_stopped(
    client: FlaskClient, session: Session, campaign: Campaign, address: str
) -> None:
    campaign.kind, campaign.case = "update", make_case(session)
    decide(session, campaign.case, CaseEventKind.STOPPED, REASON)
    page = client.get(f"/en{address}").text
    assert "kit.zip" in page and "Act by" not in page
    assert client.get(f"/en{address}/kit.zip").status_code == 200
