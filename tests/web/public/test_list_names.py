"""Supporters read the name and the description of a list in their language, on every page and in every mail."""

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.people import lists
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import session_scope
from mailer.store.models import Delivery
from tests.support.factories import make_list, make_subscriber, make_union
from tests.web.pages import newest_token, sign_up

ANA = "ana@example.org"
NAMES = {"ar": "أفعال عاجلة", "fr": "Actions urgentes", "ru": "Срочные действия"}
SAID = {"ar": "مرتان في الشهر.", "fr": "Deux fois par mois.", "ru": "Два раза в месяц."}
#: what a name stands in where its language is known
IN_FRENCH, IN_RUSSIAN, IN_ARABIC = (
    f'<bdi lang="{tag}" dir="{direction}">{{}}</bdi>'.format
    for tag, direction in (("fr", "ltr"), ("ru", "ltr"), ("ar", "rtl"))
)


@pytest.fixture(autouse=True)
def _list(app: Flask, engine: Engine) -> None:
    """One that is translated, on a site whose readers of Kazakh understand Russian."""
    with session_scope(engine) as session:
        make_list(session).description = "Two a month."
        for tag in NAMES:
            lists.translate(session, "urgent-actions", tag, name=NAMES[tag], description=SAID[tag])
    site = app.extensions["site"]
    app.extensions["site"] = replace(site, settings=replace(site.settings, language_fallbacks={"kk": ["ru"]}))


def latest_mail(session: Session) -> Notice:
    session.rollback()
    stored = select(Delivery.notice).where(Delivery.notice.is_not(None)).order_by(Delivery.id.desc()).limit(1)
    notice = session.scalars(stored).one()
    session.rollback()
    return Notice.from_stored(notice or "")


@pytest.mark.parametrize(
    ("page", "name", "said"),
    [
        ("/fr/", IN_FRENCH(NAMES["fr"]), IN_FRENCH(SAID["fr"])),
        ("/ar/", IN_ARABIC(NAMES["ar"]), IN_ARABIC(SAID["ar"])),
        ("/kk/", IN_RUSSIAN(NAMES["ru"]), IN_RUSSIAN(SAID["ru"])),
        ("/de/", "<bdi>Urgent actions</bdi>", "<bdi>Two a month.</bdi>"),
    ],
)
def test_the_form_offers_a_list_in_the_readers_language_alone_and_beside_others(
    engine: Engine, client: FlaskClient, page: str, name: str, said: str
) -> None:
    alone = client.get(page).text
    with session_scope(engine) as session:
        make_list(session, "news", name="News")
    beside = client.get(page).text
    for shown in (alone, beside):
        assert name in shown
        assert said in shown
    assert "<bdi>News</bdi>" in beside
    assert '<span class="hint"></span>' not in beside


def test_what_a_list_is_called_cannot_break_out_of_a_page(engine: Engine, client: FlaskClient) -> None:
    with session_scope(engine) as session:
        lists.translate(session, "urgent-actions", "fr", name='"><script>alert(1)</script>', description="<b>&")
    page = client.get("/fr/").text
    assert "<script" not in page
    assert IN_FRENCH("&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;") in page


def test_who_joins_leaves_and_pauses_reads_its_name_in_their_language(
    engine: Engine, client: FlaskClient, session: Session
) -> None:
    name = IN_FRENCH(NAMES["fr"])
    assert sign_up(client, ANA, language="fr").status_code == 303
    confirm = f"/confirm/{newest_token(session)}"
    assert name in client.get(confirm).text
    assert name in client.post(confirm).text
    welcome = latest_mail(session)
    assert (welcome.kind, welcome.words["lists"], welcome.words["leave_1"]) == (
        NoticeKind.WELCOME,
        NAMES["fr"],
        NAMES["fr"],
    )

    assert client.post("/preferences", data={"email": ANA}).status_code == 303
    manage = f"/manage/{newest_token(session)}"
    assert name in client.get(manage).text
    assert IN_FRENCH(SAID["fr"]) in client.get(manage).text
    client.post(f"{manage}/lists/urgent-actions", data={"do": "pause", "weeks": "2"})
    paused = latest_mail(session)
    assert (paused.kind, paused.words["list"]) == (NoticeKind.PAUSED, NAMES["fr"])
    for page in (f"/fr/resume/{paused.token}", f"/ar/resume/{paused.token}"):
        of_page = name if "/fr/" in page else IN_ARABIC(NAMES["ar"])
        assert of_page in client.get(page).text
        assert of_page in client.post(page).text

    client.post(f"{manage}/lists/urgent-actions", data={"do": "leave"})
    goodbye = latest_mail(session)
    assert (goodbye.kind, goodbye.words["list"]) == (NoticeKind.GOODBYE, NAMES["fr"])
    assert name in client.get(f"/fr/undo/{goodbye.token}").text
    assert name in client.post(f"/fr/undo/{goodbye.token}").text


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("kk", "Срочные действия"),  # as the setting says
        ("fr-CA", "Actions urgentes"),
        ("de", "Urgent actions"),
        ("uk", "Urgently"),  # their mails are in English, and so is the name in them
        (None, "Urgently"),
    ],
)
def test_a_mail_of_a_pause_names_the_list_in_a_language_that_its_owner_reads_or_in_that_of_the_mail(
    client: FlaskClient, session: Session, language: str | None, name: str
) -> None:
    lists.translate(session, "urgent-actions", "en", name="Urgently")
    ana = make_subscriber(session, lists.get(session, "urgent-actions"), email=ANA, language=language)
    session.commit()
    assert ana.language == language
    assert client.post("/preferences", data={"email": ANA}).status_code == 303
    manage = f"/manage/{newest_token(session)}"
    client.post(f"{manage}/lists/urgent-actions", data={"do": "pause", "weeks": "2"})
    assert latest_mail(session).words["list"] == name


def test_another_list_that_was_asked_for_is_offered_in_the_readers_language(
    engine: Engine, client: FlaskClient, session: Session
) -> None:
    make_list(session, "news", name="News").names = {"fr": "Nouvelles"}
    session.commit()
    assert sign_up(client, ANA, language="fr", lists="urgent-actions").status_code == 303
    token = newest_token(session)
    assert sign_up(client, ANA, language="fr", lists="news").status_code == 303
    page = client.get(f"/confirm/{token}").text
    assert re.search(rf"<li>{IN_FRENCH(NAMES['fr'])}</li>", page)
    assert f"<span>{IN_FRENCH('Nouvelles')}</span>" in page


def test_the_name_of_a_unions_own_list_is_told_to_no_reader_of_a_forwarded_mail_in_any_language(
    engine: Engine, client: FlaskClient, session: Session
) -> None:
    bakers = make_union(session, "bakers")
    own = make_list(session, "bakers-news", name="Bakers' news")
    own.owner_id, own.names = bakers.id, {"fr": "Nouvelles des boulangers"}
    make_subscriber(session, own, email=ANA, language="fr")
    session.commit()
    assert client.post("/preferences", data={"email": ANA}).status_code == 303
    manage = f"/manage/{newest_token(session)}"
    assert "Nouvelles des boulangers" in client.get(manage).text  # they see it themselves
    client.post(f"{manage}/lists/bakers-news", data={"do": "pause", "weeks": "2"})
    assert "boulangers" not in client.get(f"/fr/resume/{latest_mail(session).token}").text
