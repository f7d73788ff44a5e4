"""What a forwarded mail lets a stranger do, and what a person does with a link that was mailed to them."""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from html import unescape

import pytest
from babel.dates import format_date
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, update

from mailer.links import Link, sign
from mailer.locale import languages
from mailer.people import mailed_links, subscribers, suppression
from mailer.people.notices import Notice
from mailer.store.crypto import keyring_of
from mailer.store.db import next_midnight, session_scope, utcnow
from mailer.store.models import (
    Base,
    ConsentEvent,
    ConsentText,
    Delivery,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
    Union,
    UnionContact,
)
from tests.support.days import lately
from tests.support.factories import make_contact, make_list, make_subscriber, make_union, notices_owed, subscribe
from tests.web.conftest import stamp_of
from tests.web.pages import forwarded_notes

ANA, BORIS, NEW = "ana@example.org", "boris@example.org", "ana.new@example.net"
ACTIVE, GONE = SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED
PAGE = "/en/manage"


@pytest.fixture(autouse=True)
def _people(engine: Engine) -> None:
    """Two people who have little in common, and three lists, one of which nobody is on."""
    with session_scope(engine) as session:
        actions, news = make_list(session, name="Urgent <actions>"), make_list(session, "news", name="Harbour letters")
        make_list(session, "protests", name="Protests").description = "Where to go, and when."
        dockers = make_union(session, "dockers", name="Dockers' Union")
        ana = make_subscriber(session, email=ANA, name="Ana Example", country="GB", language="fr", union=dockers)
        boris = make_subscriber(session, email=BORIS, name="Борис", country="KZ", language="kk")
        subscribe(session, ana, actions)
        subscribe(session, ana, news)
        subscribe(session, boris, news, status=GONE)


def person(engine: Engine, email: str = ANA) -> Subscriber:
    with session_scope(engine, read_only=True) as session:
        found = subscribers.find(session, email)
        assert found is not None
        return found


def subscriptions(engine: Engine, email: str = ANA) -> Sequence[Subscription]:
    with session_scope(engine, read_only=True) as session:
        theirs = select(Subscription).where(Subscription.subscriber_id == person(engine, email).id)
        return session.scalars(theirs.order_by(Subscription.id)).all()


def campaign_token(engine: Engine, email: str = ANA) -> str:
    """What the links in a campaign mail to a person carry."""
    return sign(keyring_of(engine), Link.UNSUBSCRIBE, subscriptions(engine, email)[0].id)


def manage_token(engine: Engine, email: str = ANA) -> str:
    """What the link carries that is mailed to a person who asks for it."""
    owner = person(engine, email)
    with session_scope(engine) as session:
        return mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=owner.email_index, subscriber_id=owner.id)


def mails(engine: Engine) -> Sequence[Delivery]:
    with session_scope(engine, read_only=True) as session:
        return notices_owed(session)


def token_mailed(engine: Engine) -> str:
    """The token of the link in the latest mail."""
    mail = mails(engine)[-1]
    assert mail.state is DeliveryState.PENDING
    assert mail.notice is not None
    token = Notice.from_stored(mail.notice).token
    assert token is not None
    return token


def count_rows(engine: Engine) -> dict[str, int]:
    with session_scope(engine, read_only=True) as session:
        tables = Base.metadata.sorted_tables
        return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def erase(engine: Engine, email: str = ANA) -> None:
    with session_scope(engine) as session:
        subscribers.erase(session, email)


def words_agreed_to(engine: Engine) -> list[str]:
    with session_scope(engine, read_only=True) as session:
        events = select(ConsentText.text).join(ConsentEvent, ConsentEvent.text_id == ConsentText.id)
        return list(session.scalars(events.order_by(ConsentEvent.id)))


def text_of(html: str) -> str:
    """What a page says, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html.split("<main")[1].split("</main>")[0])).split())


# --- with a forwarded mail ------------------------------------------------------------------------------------------


def test_the_page_is_the_same_for_everyone_who_ever_got_a_mail(engine: Engine, client: FlaskClient) -> None:
    links = [campaign_token(engine, ANA), campaign_token(engine, BORIS)]
    links.append(sign(keyring_of(engine), Link.UNSUBSCRIBE, 0))  # of a test mail
    pages = [client.get(f"/preferences/{link}").text.replace(link, "TOKEN") for link in links]
    assert pages[0] == pages[1] == pages[2]
    erase(engine)
    assert client.get(f"/preferences/{links[0]}").text.replace(links[0], "TOKEN") == pages[0]


def test_the_page_names_nobody_and_no_list(engine: Engine, client: FlaskClient) -> None:
    page = client.get(f"/preferences/{campaign_token(engine)}").text
    for secret in (ANA, "Ana Example", "Dockers", "Urgent", "Harbour letters", "Great Britain", "United Kingdom"):
        assert secret not in page


def test_the_page_speaks_the_readers_language_not_the_persons(engine: Engine, client: FlaskClient) -> None:
    page = client.get(f"/preferences/{campaign_token(engine)}", headers={"Accept-Language": "de"}).text
    assert '<html lang="de"' in page


def test_whom_the_mail_was_forwarded_to_is_told_in_one_line_below_the_choices(
    engine: Engine, client: FlaskClient
) -> None:
    page = client.get(f"/en/preferences/{campaign_token(engine)}").text
    (line,) = forwarded_notes(page)
    assert 'href="/en/">Sign up yourself' in line
    assert page.index("/pause") < page.index("/link") < page.index("/unsubscribe/") < page.index(line)


@pytest.mark.parametrize("path", ["", "/pause", "/link"])
def test_a_forged_link_opens_nothing(engine: Engine, client: FlaskClient, path: str) -> None:
    token = campaign_token(engine)
    bounce = sign(keyring_of(engine), Link.BOUNCE, subscriptions(engine)[0].id)
    before = count_rows(engine)
    for forged in (token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"), bounce, manage_token(engine)):
        answer = client.post(f"/preferences/{forged}{path}", data={"weeks": 1}) if path else None
        answer = answer or client.get(f"/preferences/{forged}")
        assert answer.status_code == 404
    assert count_rows(engine) == before | {"mailed_links": before["mailed_links"] + 1}  # the genuine one made here


def test_a_stranger_with_a_forwarded_mail_learns_changes_and_erases_nothing(
    engine: Engine, client: FlaskClient
) -> None:
    """Follows every link and sends every form that can be reached from the mail, twice, with all that they offer."""
    start = f"/en/preferences/{campaign_token(engine)}"
    before = person(engine)
    seen: set[tuple[str, str]] = set()
    waiting: list[tuple[str, str, dict[str, str]]] = [("get", start, {})]
    while waiting:
        method, path, fields = waiting.pop()
        answer = client.open(path, method=method.upper(), data=fields or None)
        page = client.get(answer.location).text if answer.location else answer.text
        assert answer.status_code < 500
        for secret in (ANA, "Ana Example", "Dockers", "Harbour letters", NEW):
            assert secret not in page, (method, path)
        for step in steps(page):
            is_of_the_mail = step[1].startswith(("/en/preferences", "/en/unsubscribe", "/en/undo", "/en/resume"))
            if step[:2] not in seen and is_of_the_mail:
                seen.add(step[:2])
                waiting += [step, step]
    kinds = {(method, re.sub(r"[0-9a-f]{40}", "TOKEN", path)) for method, path in seen}
    assert kinds == {
        ("get", "/en/preferences"),
        ("post", "/en/preferences"),
        ("get", "/en/preferences/TOKEN"),
        ("post", "/en/preferences/TOKEN/link"),
        ("post", "/en/preferences/TOKEN/pause"),
        ("get", "/en/unsubscribe/TOKEN"),
        ("post", "/en/unsubscribe/TOKEN"),
        ("post", "/en/undo/TOKEN"),
    }
    after = person(engine)
    assert (after.email, after.name, after.country, after.union_id, after.language) == (
        before.email,
        before.name,
        before.country,
        before.union_id,
        before.language,
    )
    assert subscriptions(engine)[1].status is ACTIVE
    assert {mail.subscriber_id for mail in mails(engine)} <= {before.id, None}
    assert {mail.address for mail in mails(engine)} <= {before.email, None}


def steps(page: str) -> list[tuple[str, str, dict[str, str]]]:
    """What one can follow and send on a page."""
    found: list[tuple[str, str, dict[str, str]]] = []
    main = page.split("<main")[1].split("</main>")[0]
    for address in re.findall(r'<a[^>]* href="([^"#]+)"', main):
        found.append(("get", unescape(address), {}))
    for address, form in re.findall(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', main, re.DOTALL):
        fields = {"weeks": "8", "scope": "list", "email": "stranger@example.com", "reason": "x"}
        fields |= dict(re.findall(r'<button[^>]* name="(\w+)" value="(\w+)"', form)[:1])
        found.append(("post", unescape(address), fields))
    return found


def test_a_campaign_mails_link_is_no_link_to_manage(engine: Engine, client: FlaskClient) -> None:
    token = campaign_token(engine)
    assert client.get(f"{PAGE}/{token}").status_code == 404
    for action in ("details", "lists/news", "address", "address/keep", "erase"):
        assert client.post(f"{PAGE}/{token}/{action}", data={"do": "leave"}).status_code == 404
    for page in ("resume", "moved", "undo"):
        assert client.post(f"/{page}/{token}").status_code == 404
    assert client.post(f"{PAGE}/{token}/download", data={"format": "json"}).status_code == 404
    assert client.post(f"/address/{token}").status_code == 404


# --- pausing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weeks", [1, 2, 4, 8])
def test_a_pause_is_made_with_one_button_and_ended_with_the_one_in_the_mail(
    engine: Engine, client: FlaskClient, weeks: int
) -> None:
    start = f"/en/preferences/{campaign_token(engine)}"
    assert f'<option value="{weeks}">' in client.get(start).text
    page = client.post(f"{start}/pause", data={"weeks": weeks})
    paused, other = subscriptions(engine)
    until = next(moment for moment in lately() if next_midnight(moment + timedelta(weeks=weeks)) == paused.paused_until)
    day = format_date(until + timedelta(weeks=weeks), "long", locale="en_001")
    assert f"Paused until {day}" in page.text
    assert (paused.mailable, other.mailable) == (False, True)
    link = f"/en/resume/{token_mailed(engine)}"
    assert mails(engine)[-1].subscriber_id == person(engine).id
    page = client.get(link)
    assert "Do you want to end the pause? Urgent <actions> End the pause" in text_of(page.text)
    for secret in (ANA, "Ana Example", "Harbour letters"):
        assert secret not in page.text
    assert not subscriptions(engine)[0].mailable
    for _ in range(2):
        assert "The pause is over" in client.post(link).text
        assert [each.mailable for each in subscriptions(engine)] == [True, True]


def test_a_stranger_with_a_forwarded_mail_neither_ends_nor_shortens_a_pause(
    engine: Engine, client: FlaskClient
) -> None:
    start = f"/en/preferences/{campaign_token(engine)}"
    client.post(f"{start}/pause", data={"weeks": 8})
    paused = subscriptions(engine)[0].paused_until
    token = campaign_token(engine)
    pages = [client.post(f"{start}/pause", data={"weeks": weeks}) for weeks in (1, 2, 4, 8)]
    assert all("/resume" not in page.text for page in pages)
    answers = [client.post(path) for path in (f"{start}/resume", f"/resume/{token}", f"/en/resume/{token}")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert subscriptions(engine)[0].paused_until == paused
    assert len(mails(engine)) - [mail.state for mail in mails(engine)].count(DeliveryState.SKIPPED) == 1


def test_a_link_to_end_a_pause_that_has_run_out_says_so(engine: Engine, client: FlaskClient) -> None:
    client.post(f"/en/preferences/{campaign_token(engine)}/pause", data={"weeks": 1})
    link = f"/en/resume/{token_mailed(engine)}"
    with session_scope(engine) as session:
        session.execute(update(MailedLink).values(expires_at=utcnow()))
    for page in (client.get(link), client.post(link)):
        assert page.status_code == 410
        assert '<a class="button" href="/en/preferences">Get a new link</a>' in page.text


@pytest.mark.parametrize("language", languages.SITE_LANGUAGES)
def test_a_date_is_written_as_the_reader_writes_it(engine: Engine, client: FlaskClient, language: str) -> None:
    page = client.post(f"/{language}/preferences/{campaign_token(engine)}/pause", data={"weeks": 4}).text
    until = format_date(utcnow() + timedelta(weeks=4), "long", locale=languages.locale(language))
    assert until in page


def test_nobody_learns_from_a_pause_who_is_still_on_the_list(engine: Engine, client: FlaskClient) -> None:
    links = {email: campaign_token(engine, email) for email in (ANA, BORIS)}  # Boris has left
    links["erased"] = sign(keyring_of(engine), Link.UNSUBSCRIBE, 999)
    for _ in range(2):
        pages, grown = set(), []
        for link in links.values():
            before = count_rows(engine) | {"campaigns": 0}
            pages.add(client.post(f"/preferences/{link}/pause", data={"weeks": 2}).text.replace(link, "TOKEN"))
            after = count_rows(engine) | {"campaigns": 0}
            grown.append({table: after[table] - number for table, number in before.items()})
        assert len(pages) == 1
        assert grown == [grown[0]] * 3
    assert subscriptions(engine, BORIS)[0].paused_until is None


@pytest.mark.parametrize("weeks", ["", "0", "3", "-1", "520", "x", "1e9", "9" * 400])
def test_only_what_the_page_offers_can_be_paused_for(engine: Engine, client: FlaskClient, weeks: str) -> None:
    for start in (f"/preferences/{campaign_token(engine)}/pause", f"{PAGE}/{manage_token(engine)}/lists/news"):
        assert client.post(start, data={"do": "pause", "weeks": weeks}).status_code == 400
    assert [each.paused_until for each in subscriptions(engine)] == [None, None]


# --- getting a link -------------------------------------------------------------------------------------------------


def test_one_button_mails_a_link_to_the_person_and_says_it_to_nobody_else(engine: Engine, client: FlaskClient) -> None:
    answer = client.post(f"/en/preferences/{campaign_token(engine)}/link")
    assert (answer.status_code, answer.location) == (303, "/en/preferences/sent")
    assert mails(engine)[0].address == ANA
    page = client.get(f"{PAGE}/{token_mailed(engine)}").text
    assert ANA in page
    assert "Ana Example" in page


def test_the_answer_is_the_same_for_a_known_and_an_unknown_address(engine: Engine, client: FlaskClient) -> None:
    client.post("/en/preferences", data={"email": "first@example.org"})  # makes what notices are owed under
    answers, written = [], []
    for email in (ANA, "nobody@example.org", " ANA@example.org "):
        before = count_rows(engine)
        answer = client.post("/en/preferences", data={"email": email})
        after = count_rows(engine)
        written.append({table: after[table] - before[table] for table in after})
        answers.append((answer.status_code, answer.location, answer.text, sorted(answer.headers.keys())))
    assert answers[0] == answers[1] == answers[2]
    assert written[0] == written[1] == written[2]
    assert written[0]["mailed_links"] == written[0]["deliveries"] == 1
    states = [mail.state for mail in mails(engine)]
    skipped = DeliveryState.SKIPPED
    assert states == [skipped, DeliveryState.PENDING, skipped, skipped]


@pytest.mark.parametrize(
    "typed", ["", "ana", "ana@", "a b@example.org", "ana@example.org\r\nBcc: x@example.org", "a" * 321]
)
def test_what_is_no_address_is_shown_again_with_advice(engine: Engine, client: FlaskClient, typed: str) -> None:
    before = count_rows(engine)
    answer = client.post("/en/preferences", data={"email": typed})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'aria-describedby="email-problem"' in answer.text
    if "\n" not in typed:
        assert f'value="{typed}"' in answer.text
    assert count_rows(engine) == before


def test_a_program_that_fills_in_everything_gets_the_same_answer_and_no_mail(
    app: Flask, engine: Engine, client: FlaskClient
) -> None:
    before = count_rows(engine)
    for fields in (
        {"website": "https://example.com"},
        {"stamp": ""},
        {"stamp": stamp_of(app, age=timedelta(0)), "website": "x"},
    ):
        answer = client.post("/en/preferences", data={"email": ANA, **fields})
        assert (answer.status_code, answer.location) == (303, "/en/preferences/sent")
    assert count_rows(engine) == before


def test_the_button_may_be_pressed_at_once_and_needs_no_hidden_field(app: Flask, engine: Engine) -> None:
    visitor = FlaskClient(app, app.response_class)
    visitor.post(f"/preferences/{campaign_token(engine)}/link")
    assert len(mails(engine)) == 1


# --- seeing and changing --------------------------------------------------------------------------------------------


def test_the_page_shows_everything_in_the_persons_language(engine: Engine, client: FlaskClient) -> None:
    page = client.get(f"/manage/{manage_token(engine)}").text
    assert '<html lang="fr"' in page
    for shown in (
        ANA,
        "Ana Example",
        "Dockers&#39; Union",
        "Urgent &lt;actions&gt;",
        "Harbour letters",
        "Protests",
        "Royaume-Uni",
    ):
        assert shown in page
    assert '<option value="GB" selected>' in page
    assert re.search(r'<option value="fr" lang="fr" selected>', page)
    assert BORIS not in page


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/erase"), ("POST", "/erase"), ("POST", "/details")])
def test_an_expired_link_says_so_and_a_link_of_nobody_opens_nothing(
    engine: Engine, client: FlaskClient, method: str, path: str
) -> None:
    token = manage_token(engine)
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert client.open(f"{PAGE}/{other}{path}", method=method).status_code == 404
    with session_scope(engine) as session:
        session.execute(update(MailedLink).values(expires_at=utcnow()))
    answer = client.open(f"{PAGE}/{token}{path}", method=method)
    assert answer.status_code == 410
    assert "/en/preferences" in answer.text
    assert person(engine).name == "Ana Example"


def test_looking_changes_nothing(engine: Engine, client: FlaskClient) -> None:
    token, campaign = manage_token(engine), campaign_token(engine)
    with session_scope(engine) as session:
        moving_token = mailed_links.issue(
            session,
            MailedLinkKind.ADDRESS,
            email_index=bytes(32),
            subscriber_id=person(engine).id,
            details={"address": NEW},
        )
    before = count_rows(engine)
    for path in (
        f"/preferences/{campaign}",
        "/preferences",
        "/preferences/sent",
        f"/manage/{token}",
        f"/manage/{token}/erase",
        f"/address/{moving_token}",
    ):
        for method in ("GET", "HEAD"):
            assert client.open(path, method=method).status_code == 200
    for action in ("details", "lists/news", "address", "address/keep", "download"):
        assert client.get(f"/manage/{token}/{action}").status_code == 405
    assert client.get(f"/preferences/{campaign}/pause").status_code == 405
    assert client.get(f"/preferences/{campaign}/link").status_code == 405
    assert count_rows(engine) == before
    assert person(engine).email == ANA


def save(client: FlaskClient, token: str, action: str, saved: str = "1", **fields: str) -> str:
    """Send a form of the page, and return what the page then says."""
    answer = client.post(f"{PAGE}/{token}/{action}", data=fields)
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/{token}?saved={saved}"), answer.text
    page: str = client.get(answer.location).text
    assert 'role="status"' in page
    return page


def test_name_country_and_language_are_changed(engine: Engine, client: FlaskClient) -> None:
    page = save(client, manage_token(engine), "details", name="Ana María", country="ES", language="es")
    assert "Your changes are saved." in page
    after = person(engine)
    assert (after.name, after.country, after.language) == ("Ana María", "ES", "es")
    assert [(each.country, each.language) for each in subscriptions(engine)] == [("ES", "es")] * 2


def test_a_language_that_the_site_does_not_speak_is_kept(engine: Engine, client: FlaskClient) -> None:
    with session_scope(engine) as session:
        session.execute(update(Subscriber).values(language="pt-BR"))
    token = manage_token(engine)
    assert (
        '<option value="pt-BR" lang="pt-BR" selected>Português (Brasil)</option>' in client.get(f"{PAGE}/{token}").text
    )
    save(client, token, "details", name="Ana", country="BR", language="pt-BR")
    assert person(engine).language == "pt-BR"


@pytest.mark.parametrize(
    "fields", [{"country": "Atlantis"}, {"language": "klingonese"}, {"country": "<b>"}, {"language": "../../etc"}]
)
def test_what_no_form_of_ours_sends_is_refused(engine: Engine, client: FlaskClient, fields: dict[str, str]) -> None:
    answer = client.post(f"{PAGE}/{manage_token(engine)}/details", data={"name": "Other"} | fields)
    assert answer.status_code == 400
    assert person(engine).name == "Ana Example"


def test_a_name_that_is_too_long_is_shown_again_with_advice(engine: Engine, client: FlaskClient) -> None:
    answer = client.post(
        f"{PAGE}/{manage_token(engine)}/details", data={"name": "x" * 201, "country": "ES", "language": "es"}
    )
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert '<a href="#name">' in answer.text
    assert f'value="{"x" * 201}"' in answer.text
    assert '<option value="ES" selected>' in answer.text
    assert person(engine).name == "Ana Example"


@example("<script>alert(1)</script>")
@example('" onfocus="x" autofocus="')
@example("{{ 7 * 7 }}{% raw %}{name}")
@example("\u202eمريم\u2067 Ана\u200f")
@example("\r\nSet-Cookie: x=1")
@example("\x1b[31m\x07\x85\u2028")
@given(st.text(max_size=60).filter(lambda text: "\0" not in text))
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_kept_and_shown_as_what_it_is(engine: Engine, client: FlaskClient, name: str) -> None:
    page = save(client, manage_token(engine), "details", name=name, country="", language="")
    kept = subscribers.one_line(name)
    assert person(engine).name == kept
    field = re.search(r'<input id="name" [^>]*>', page)
    assert field is not None
    value = re.search(r' value="([^"]*)"', field[0])
    assert value is not None
    assert unescape(value[1]) == (kept or "")
    assert page.count("<script") == client.get(f"{PAGE}/{manage_token(engine, BORIS)}").text.count("<script")


def test_a_union_is_stored_with_the_box_and_forgotten_without_it(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine)
    page = client.get(f"{PAGE}/{token}").text
    assert re.search(r'<input id="store_union"[^>]* checked', page)
    save(client, token, "details", name="Ana Example", union="Dockers' Union")
    assert person(engine).union_id is None
    assert [each.union_id for each in subscriptions(engine)] == [None, None]
    assert not re.search(r'<input id="store_union"[^>]* checked', client.get(f"{PAGE}/{token}").text)
    save(client, token, "details", name="Ana Example", union="dockers' union", store_union="yes")
    assert person(engine).union_id is not None
    assert text_of(page).count(words_agreed_to(engine)[-1]) == 1


def test_all_that_was_typed_about_oneself_is_saved_by_one_button(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine, BORIS)
    page = client.get(f"{PAGE}/{token}").text
    assert len(re.findall(r"<button[^>]*>\s*Save\s*</button>", page)) == 1
    forms = re.findall(r"<form.*?</form>", page, re.DOTALL)
    (form,) = [each for each in forms if 'name="country"' in each]
    assert {"name", "country", "language", "union", "store_union"} <= set(re.findall(r' name="(\w+)"', form))
    typed = {"name": "Boris B", "country": "ES", "language": "es", "union": "Dockers' Union", "store_union": "yes"}
    save(client, token, "details", **typed)
    boris = person(engine, BORIS)
    assert (boris.name, boris.country, boris.language) == ("Boris B", "ES", "es")
    assert boris.union_id is not None


def test_a_union_that_asked_not_to_be_named_since_keeps_nobody_from_changing_their_name(
    engine: Engine, client: FlaskClient
) -> None:
    with session_scope(engine) as session:
        session.execute(update(Union).values(is_named=False))
    token = manage_token(engine)
    save(client, token, "details", name="Ana B", union="Dockers' Union", store_union="yes")
    assert person(engine).name == "Ana B"
    assert person(engine).union_id is not None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"union": "Dockers' Union"}, "store_union"),
        ({"union": "Bakers <b>", "store_union": "yes"}, "union"),
    ],
)
def test_a_union_without_the_box_or_that_nobody_knows_is_shown_again_with_advice(
    engine: Engine, client: FlaskClient, fields: dict[str, str], field: str
) -> None:
    answer = client.post(f"{PAGE}/{manage_token(engine, BORIS)}/details", data={"name": "Other"} | fields)
    assert answer.status_code == 422
    assert person(engine, BORIS).name != "Other"  # all or nothing
    assert re.search(r'<input id="name" [^>]*value="Other"', answer.text)
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}-problem"' in answer.text
    typed = re.search(r'<input id="union" [^>]*value="([^"]*)"', answer.text)
    assert typed is not None
    assert unescape(typed[1]) == fields["union"]
    assert person(engine, BORIS).union_id is None


def test_every_list_is_joined_paused_and_left(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine, BORIS)
    page = client.get(f"{PAGE}/{token}").text
    assert "You left this list on 1 March 2026." in text_of(page)
    assert "Where to go, and when." in page
    for slug in ("news", "protests"):
        page = save(client, token, f"lists/{slug}", do="join", agreed="yes")
    assert [each.status for each in subscriptions(engine, BORIS)] == [ACTIVE, ACTIVE]
    words = words_agreed_to(engine)
    assert words == [words[0]] * 2
    assert words[0] in text_of(page)  # beside the list that is left to join
    page = save(client, token, "lists/news", do="pause", weeks="2")
    until = format_date(utcnow() + timedelta(weeks=2), "long", locale="en_001")
    assert f"Paused until {until}" in text_of(page)
    save(client, token, "lists/news", do="resume")
    assert [each.mailable for each in subscriptions(engine, BORIS)] == [True, True]
    save(client, token, "lists/protests", do="leave")
    assert [each.status for each in subscriptions(engine, BORIS)] == [ACTIVE, GONE]


def test_nobody_joins_without_the_box(engine: Engine, client: FlaskClient) -> None:
    answer = client.post(f"{PAGE}/{manage_token(engine)}/lists/protests", data={"do": "join"})
    assert answer.status_code == 422
    assert '<a href="#lists">' in answer.text
    assert len(subscriptions(engine)) == 2


def test_a_list_that_was_left_elsewhere_or_closed_meanwhile_is_explained(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine, BORIS)
    with session_scope(engine) as session:
        make_list(session, "branch").is_open = False
    for slug, fields in (("news", {"do": "pause", "weeks": "1"}), ("branch", {"do": "join", "agreed": "yes"})):
        answer = client.post(f"{PAGE}/{token}/lists/{slug}", data=fields)
        assert answer.status_code == 422
        assert 'id="lists-problem"' in answer.text
    assert client.post(f"{PAGE}/{token}/lists/nothing", data={"do": "join", "agreed": "yes"}).status_code == 400
    assert client.post(f"{PAGE}/{token}/lists/news", data={"do": "sing"}).status_code == 400


def test_a_unions_own_list_is_not_joined_from_here_by_its_name(engine: Engine, client: FlaskClient) -> None:
    with session_scope(engine) as session:
        own = make_list(session, "bakers-news", name="News of the bakers")
        own.owner_id = make_union(session, "bakers").id
    token = manage_token(engine)
    assert "News of the bakers" not in client.get(f"{PAGE}/{token}").text
    join = {"do": "join", "agreed": "yes"}
    answers = [client.post(f"{PAGE}/{token}/lists/{slug}", data=join) for slug in ("bakers-news", "nothing")]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].text == answers[1].text
    assert len(subscriptions(engine)) == 2


def test_a_unions_contact_sees_it_and_stops_it_with_one_button(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine)
    assert "You are a contact" not in client.get(f"{PAGE}/{token}").text
    with session_scope(engine) as session:
        make_contact(session, make_union(session, "bakers", name="Bakers & <Millers>"), person(engine), role="Chair")
        make_contact(session, make_union(session, "pilots"), person(engine, BORIS), role="Deckhand")
    page = client.get(f"{PAGE}/{token}").text
    assert "You are a contact for <bdi>Bakers &amp; &lt;Millers&gt;</bdi>." in page
    assert "Chair" in page and "Deckhand" not in page
    assert client.get(f"{PAGE}/{token}/contact/bakers").status_code == 405
    answer = client.post(f"{PAGE}/{token}/contact/bakers")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PAGE}/{token}?saved=1")
    assert "You are a contact" not in client.get(f"{PAGE}/{token}").text
    for union in ("bakers", "pilots", "nothing"):
        again = client.post(f"{PAGE}/{token}/contact/{union}")
        assert again.status_code == 422
        assert "You are no longer a contact for that union." in text_of(again.text)
    with session_scope(engine, read_only=True) as session:
        assert [each.role for each in session.scalars(select(UnionContact))] == ["Deckhand"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (SuppressionReason.COMPLAINED, "reported as spam, so we have stopped sending alerts to it."),
        (
            SuppressionReason.REPORTED,
            "reported as spam, so we have stopped sending alerts to it. If you want them, sign",
        ),
        (SuppressionReason.BOUNCED, "came back"),
    ],
)
def test_who_gets_no_mail_is_told_why(
    engine: Engine, client: FlaskClient, reason: SuppressionReason, said: str
) -> None:
    with session_scope(engine) as session:
        suppression.add(session, person(engine).email_index, reason)
    assert said in text_of(client.get(f"{PAGE}/{manage_token(engine)}").text)


# --- another address ------------------------------------------------------------------------------------------------


def test_an_address_changes_by_the_button_in_the_new_mailbox_only(engine: Engine, client: FlaskClient) -> None:
    manage = manage_token(engine)
    page = text_of(save(client, manage, "address", saved="address", email=NEW))
    assert f"We write to this address: {ANA}" in page
    assert "Keep the old address" in page
    mail = mails(engine)[-1]
    assert (mail.address, mail.subscriber_id) == (NEW, None)
    link = f"/fr/address/{token_mailed(engine)}"
    for secret in (ANA, "Ana Example", NEW):
        assert secret not in client.get(link).text
    assert person(engine).email == ANA
    for _ in range(2):
        answer = client.post(link)
        assert answer.status_code == 200
        assert ANA not in answer.text
    assert person(engine, NEW).name == "Ana Example"
    assert client.get(f"{PAGE}/{manage}").status_code == 410  # it was mailed to the old address


def move_away(engine: Engine, client: FlaskClient, **fields: str) -> None:
    save(client, manage_token(engine), "address", saved="address", email=NEW, **fields)
    assert client.post(f"/en/address/{token_mailed(engine)}").status_code == 200


def test_the_old_address_hears_that_mail_has_moved_and_stops_it_without_learning_anything(
    engine: Engine, client: FlaskClient
) -> None:
    move_away(engine, client)
    mail = mails(engine)[-1]
    assert (mail.address, mail.subscriber_id) == (ANA, None)
    assert mail.notice is not None and NEW not in mail.notice
    link = f"/en/moved/{token_mailed(engine)}"
    for method in ("GET", "HEAD", "OPTIONS"):
        assert client.open(link, method=method).status_code == 200
    assert [each.mailable for each in subscriptions(engine, NEW)] == [True, True]
    pages = [client.get(link), client.post(link), client.post(link), client.get(link)]
    assert [each.status for each in subscriptions(engine, NEW)] == [GONE, GONE]
    assert person(engine, NEW).name == "Ana Example"
    for page in pages:
        assert page.status_code == 200
        for secret in (NEW, ANA, "Ana", "Dockers", "Urgent", "Harbour letters"):
            assert secret not in page.text
    assert mails(engine)[-1].subscriber_id == person(engine, NEW).id  # their goodbye, with a way back


def test_the_pages_for_the_old_address_are_the_same_whatever_became_of_the_person(
    engine: Engine, client: FlaskClient
) -> None:
    move_away(engine, client)
    link = f"/en/moved/{token_mailed(engine)}"
    on_lists = client.get(link).text
    erase(engine, NEW)
    assert client.get(link).text == on_lists
    erased = client.post(link).text
    with session_scope(engine) as session:
        session.execute(update(MailedLink).values(used_at=None))
    assert client.post(link).text == erased
    assert "Our e-mails are stopped" in erased


def test_who_says_that_others_read_the_old_mailbox_moves_in_silence(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine)
    assert "Others can read my old mailbox" in text_of(client.get(f"{PAGE}/{token}").text)
    box = re.compile(r'<input id="is_old_read_by_others"[^>]* checked')
    assert not box.search(client.get(f"{PAGE}/{token}").text)
    again = client.post(f"{PAGE}/{token}/address", data={"email": "ana", "is_old_read_by_others": "yes"})
    assert (again.status_code, bool(box.search(again.text))) == (422, True)
    move_away(engine, client, is_old_read_by_others="yes")
    assert person(engine, NEW).name == "Ana Example"
    assert [mail.address for mail in mails(engine)] == [NEW]


def test_a_link_in_the_old_mailbox_that_has_run_out_says_whom_to_write_to(engine: Engine, client: FlaskClient) -> None:
    move_away(engine, client)
    link = f"/en/moved/{token_mailed(engine)}"
    with session_scope(engine) as session:
        session.execute(update(MailedLink).values(expires_at=utcnow()))
    for page in (client.get(link), client.post(link)):
        assert page.status_code == 410
        assert '<a class="button" href="/en/privacy">' in page.text
    assert [each.mailable for each in subscriptions(engine, NEW)] == [True, True]


def test_whoever_reads_the_old_mailbox_never_sees_the_new_address(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine)
    answers = [save(client, token, "address", saved="address", email=NEW, is_old_read_by_others="yes")]
    answers.append(client.get(f"{PAGE}/{token}").text)
    answers += [client.post(f"{PAGE}/{token}/download", data={"format": form}).text for form in ("json", "csv")]
    for answer in answers:
        assert ANA in answer
        assert NEW not in answer
        assert NEW.split("@")[1] not in answer


def test_a_mistyped_address_is_taken_back(engine: Engine, client: FlaskClient) -> None:
    manage = manage_token(engine)
    save(client, manage, "address", saved="address", email=NEW)
    link = f"/en/address/{token_mailed(engine)}"
    assert "Keep the old address" not in save(client, manage, "address/keep")
    assert client.get(link).status_code == client.post(link).status_code == 410
    assert person(engine).email == ANA


def test_somebody_elses_address_is_answered_as_any_other(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine)
    pages, written = [], []
    for email in (NEW, BORIS):
        before = count_rows(engine)
        page = save(client, token, "address", saved="address", email=email)
        after = count_rows(engine)
        pages.append(page.replace(email, "ADDRESS"))
        written.append({table: after[table] - before[table] for table in after})
    # The very first notice makes what all are owed under.
    assert written[1] == written[0] | {"campaigns": 0}
    assert pages[0] == pages[1]
    assert [mail.state for mail in mails(engine)] == [DeliveryState.PENDING, DeliveryState.SKIPPED]
    assert person(engine, BORIS).name == "Борис"


def test_an_address_that_became_somebodys_meanwhile_is_explained_to_its_owner(
    engine: Engine, client: FlaskClient
) -> None:
    save(client, manage_token(engine), "address", saved="address", email=NEW)
    with session_scope(engine) as session:
        make_subscriber(session, email=NEW)
    answer = client.post(f"/en/address/{token_mailed(engine)}")
    assert answer.status_code == 409
    assert "already on our lists" in answer.text
    assert person(engine).email == ANA


@pytest.mark.parametrize("typed", ["", "ana", "ana@@example.org", "<b>@example.org", "a" * 321])
def test_a_new_address_that_is_none_is_shown_again_with_advice(engine: Engine, client: FlaskClient, typed: str) -> None:
    answer = client.post(f"{PAGE}/{manage_token(engine)}/address", data={"email": typed})
    assert answer.status_code == 422
    assert 'id="email-problem"' in answer.text
    shown = re.search(r'<input id="email" [^>]*value="([^"]*)"', answer.text)
    assert shown is not None
    assert unescape(shown[1]) == typed
    assert mails(engine) == []


def test_one_who_names_many_addresses_is_asked_to_wait(engine: Engine, client: FlaskClient) -> None:
    token = manage_token(engine)
    for number in range(3):
        save(client, token, "address", saved="address", email=f"ana{number}@example.net")
    answer = client.post(f"{PAGE}/{token}/address", data={"email": NEW})
    assert answer.status_code == 422
    assert "try again tomorrow" in answer.text


# --- taking along and erasing ---------------------------------------------------------------------------------------


def test_everything_is_downloaded_as_data_and_as_a_table(engine: Engine, client: FlaskClient) -> None:
    address = f"{PAGE}/{manage_token(engine)}/download"
    data = client.post(address, data={"format": "json"})
    assert data.mimetype == "application/json"
    assert re.fullmatch(r'attachment; filename="my-data-[\d-]{10}\.json"', data.headers["Content-Disposition"])
    assert data.headers["Cache-Control"] == "no-store"
    held = json.loads(data.text)
    assert held["person"]["email"] == ANA
    assert [each["list"] for each in held["lists"]] == ["urgent-actions", "news"]
    table = client.post(address, data={"format": "csv"})
    assert table.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text.removeprefix("\ufeff"), newline="")))
    assert {"section": "person", "item": "1", "field": "email", "value": ANA} in rows
    for answer in (data.text, table.text):
        assert BORIS not in answer
    assert client.post(address, data={"format": "exe"}).status_code == 400


def test_erasing_takes_one_page_and_one_button(engine: Engine, client: FlaskClient) -> None:
    manage, campaign = manage_token(engine), campaign_token(engine)
    assert f'href="{PAGE}/{manage}/erase"' in client.get(f"{PAGE}/{manage}").text
    page = client.get(f"{PAGE}/{manage}/erase").text
    assert page.count("<button") == 1
    assert person(engine).email == ANA
    before = client.get(f"/en/preferences/{campaign}").text
    answer = client.post(f"{PAGE}/{manage}/erase")
    assert answer.status_code == 200
    assert "Everything has been erased" in answer.text
    with session_scope(engine, read_only=True) as session:
        assert subscribers.find(session, ANA) is None
        assert session.scalars(select(Union.slug)).all() == ["dockers"]
    assert client.get(f"{PAGE}/{manage}").status_code == 410
    assert client.post(f"{PAGE}/{manage}/erase").status_code == 410
    assert client.get(f"/en/preferences/{campaign}").text == before
    assert "Leave this list?" in client.get(f"/en/unsubscribe/{campaign}").text
    assert client.post(f"/en/preferences/{campaign}/link").status_code == 303
    assert mails(engine)[-1].state is DeliveryState.SKIPPED


def test_pages_with_a_persons_data_are_kept_by_nobody(engine: Engine, client: FlaskClient) -> None:
    for path in (f"/manage/{manage_token(engine)}", f"/preferences/{campaign_token(engine)}"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_page_is_light(engine: Engine, client: FlaskClient, language: str) -> None:
    with session_scope(engine) as session:
        for number in range(300):
            make_union(session, f"union-{number}", name=f"Federation of port and harbour workers, branch {number}")
    assert len(client.get(f"/{language}/manage/{manage_token(engine)}").data) < 50_000
