"""Leaving by the mail program's button and by the page's; coming back; and what a stranger with the link can do."""

import re
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update
from werkzeug.test import TestResponse

from mailer import links
from mailer.app import create_app
from mailer.delivery import control, ledger, sending
from mailer.delivery.worker import Worker
from mailer.links import Link
from mailer.mail.pipeline import Pipeline
from mailer.operations import housekeeping
from mailer.people import subscribers
from mailer.settings import Settings
from mailer.store.crypto import Key, keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Delivery,
    DeliveryState,
    MailingList,
    Purpose,
    Subscriber,
    Subscription,
    SubscriptionStatus,
)
from tests.conftest import LINK_KEY
from tests.support.concurrency import Beside
from tests.support.factories import (
    SENDER,
    make_campaign,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
    subscribe,
)
from tests.support.ledger import by_id
from tests.support.mail_server import MailServer
from tests.web.pages import forwarded_notes

ACTIVE, GONE = SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def _person(engine: Engine) -> None:
    """Somebody on two lists."""
    with session_scope(engine) as session:
        person = make_subscriber(session, email="ana@example.org", name="Ana Example", language="fr-CA")
        for slug, name in (("urgent-actions", "Urgent <actions>"), ("news", "News of the union")):
            subscribe(session, person, make_list(session, slug, name=name))


@pytest.fixture
def address(engine: Engine) -> str:
    """Where the link in a mail from the first list leads, in English."""
    return f"/en/unsubscribe/{token_of(engine, subscriptions(engine)[0].id)}"


def token_of(engine: Engine, subscription_id: int, link: Link = Link.UNSUBSCRIBE) -> str:
    return links.sign(keyring_of(engine), link, subscription_id)


def subscriptions(engine: Engine) -> Sequence[Subscription]:
    with session_scope(engine, read_only=True) as session:
        return session.scalars(select(Subscription).order_by(Subscription.id)).all()


def states(engine: Engine) -> list[SubscriptionStatus]:
    return [subscription.status for subscription in subscriptions(engine)]


def notices(engine: Engine) -> int:
    with session_scope(engine, read_only=True) as session:
        return len(session.scalars(select(Delivery.id).where(Delivery.purpose == Purpose.NOTICE)).all())


def token_mailed(engine: Engine) -> str:
    """The token in the latest mail."""
    with session_scope(engine, read_only=True) as session:
        token = said(notices_owed(session)[-1]).token
        assert token is not None
        return token


def undo_address(page: TestResponse) -> str:
    found = re.search(r'action="([^"]*/undo/[0-9a-f]{40})"', page.text)
    assert found, page.text
    return found[1]


def heading(page: TestResponse) -> str:
    assert page.status_code == 200, page.status
    found = re.findall(r"<h1>(.*?)</h1>", page.text)
    assert len(found) == 1
    return re.sub(r"</?bdi>", "", found[0])


# --- the mail program's button --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": ONE_CLICK},
        {"data": ONE_CLICK, "content_type": "multipart/form-data"},
        {"data": b"List-Unsubscribe=One-Click", "content_type": "text/plain"},
        {"data": b"\xff--broken", "content_type": "multipart/form-data; boundary=x"},
        {"data": b"%%%=\xff", "content_type": "application/x-www-form-urlencoded"},
        {"query_string": {"scope": "all"}},
    ],
)
def test_one_click_leaves_this_list_and_writes_to_nobody(
    client: FlaskClient, engine: Engine, address: str, body: dict[str, object]
) -> None:
    answer = client.post(address, **body)
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert states(engine) == [GONE, ACTIVE]
    assert notices(engine) == 0
    assert "/undo/" not in answer.text


@pytest.mark.parametrize("headers", [{"Origin": "https://mail.example.net"}, {"Sec-Fetch-Site": "cross-site"}, {}])
def test_one_click_works_from_anywhere_and_as_often_as_it_is_sent(
    client: FlaskClient, engine: Engine, address: str, headers: dict[str, str]
) -> None:
    for path in (address, address, address.replace("/en/", "/ar/")):
        assert client.post(path, data=ONE_CLICK, headers=headers).status_code == 200
    assert states(engine) == [GONE, ACTIVE]


def test_one_click_that_changes_nothing_waits_for_nobody(client: FlaskClient, engine: Engine, address: str) -> None:
    assert client.post(address, data=ONE_CLICK).status_code == 200
    with session_scope(engine) as session:
        session.execute(update(Subscriber).values(name="Ana"))  # nobody else can write about her now
        beside = Beside(lambda: check(client.post(address, data=ONE_CLICK)))
        beside.result()
    assert states(engine) == [GONE, ACTIVE]


def check(answer: TestResponse) -> None:
    assert answer.status_code == 200
    assert "/undo/" not in answer.text


def test_one_click_after_the_page_offered_a_way_back_is_the_latest_wish(
    client: FlaskClient, engine: Engine, address: str
) -> None:
    way_back = undo_address(client.post(address, data={"scope": "list"}))
    assert client.post(address, data=ONE_CLICK).status_code == 200
    assert client.post(way_back).status_code == 410
    assert states(engine) == [GONE, ACTIVE]


def test_two_posts_at_once_are_one(app: Flask, engine: Engine, address: str) -> None:
    beside = [Beside(lambda: app.test_client().post(address, data={"scope": "list"})) for _ in range(4)]
    for each in beside:
        each.result()
    assert states(engine) == [GONE, ACTIVE]
    assert notices(engine) == 1


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_programs_that_follow_links_change_nothing(
    client: FlaskClient, engine: Engine, address: str, method: str
) -> None:
    assert client.open(address, method=method.upper()).status_code == 200
    assert states(engine) == [ACTIVE, ACTIVE]


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_names_no_list_and_nobody(client: FlaskClient, address: str) -> None:
    page = client.get(address)
    assert heading(page) == "Leave this list?"
    assert "Harbour Solidarity" in page.text
    assert f'action="{address}"' in page.text
    assert address.replace("unsubscribe", "preferences") in page.text
    for secret in ("Ana", "ana@", "Urgent", "News of the union"):
        assert secret not in page.text


@pytest.mark.parametrize("path", ["", "/x"])
def test_pages_whose_address_is_a_secret_are_not_kept(client: FlaskClient, address: str, path: str) -> None:
    headers = client.get(address + path).headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert path or headers["Cache-Control"] == "no-store"


def test_leaving_this_list_and_taking_it_back(client: FlaskClient, engine: Engine, address: str) -> None:
    left = client.post(address, data={"scope": "list", "reason": "Too many <mails>\nfor me"})
    assert heading(left) == "You have left this list"
    assert states(engine) == [GONE, ACTIVE]
    assert subscriptions(engine)[0].reason == "Too many <mails> for me"
    assert notices(engine) == 1
    undo = undo_address(left)
    assert heading(client.get(undo)) == "Do you want to come back?"
    assert states(engine) == [GONE, ACTIVE]
    for _ in range(2):
        assert heading(client.post(undo)) == "You are back"
        assert states(engine) == [ACTIVE, ACTIVE]


def test_the_goodbye_takes_it_back_too(client: FlaskClient, engine: Engine, address: str) -> None:
    assert "one last e-mail" in client.post(address, data={"scope": "list"}).text
    undo = f"/en/undo/{token_mailed(engine)}"
    for _ in range(2):  # the page is loaded again, or the button was pressed twice
        again = client.post(address, data={"scope": "list"})
        assert heading(again) == "You have left this list"
        assert "with the link in the last e-mail that we sent you" in again.text
        assert 'href="/en/">Sign up</a>' in again.text
    assert heading(client.get(undo)) == "Do you want to come back?"
    assert heading(client.post(undo)) == "You are back"
    assert states(engine) == [ACTIVE, ACTIVE]


@pytest.mark.parametrize(
    ("first", "again"),
    [(ONE_CLICK, "list"), ({"scope": "list"}, "list"), ({"scope": "all"}, "list"), ({"scope": "all"}, "all")],
)
def test_whoever_holds_a_forwarded_mail_cannot_bring_back_who_has_left(
    client: FlaskClient, engine: Engine, address: str, first: dict[str, str], again: str
) -> None:
    client.post(address, data=first)
    left, owed = states(engine), notices(engine)
    for _ in range(3):
        page = client.post(address, data={"scope": again})
        assert page.status_code == 200
        assert "/undo/" not in page.text
        assert re.findall(r"<form", page.text) == []
    assert (states(engine), notices(engine)) == (left, owed)


def test_going_back_and_forth_the_page_hands_out_two_ways_back_a_day_and_the_goodbye_always_one(
    client: FlaskClient, engine: Engine, address: str
) -> None:
    for _ in range(2):
        client.post(undo_address(client.post(address, data={"scope": "list"})))
    last = client.post(address, data={"scope": "list"})
    assert "/undo/" not in last.text
    assert "with the link in one last e-mail that we are sending you" in last.text
    client.post(f"/undo/{token_mailed(engine)}")
    assert states(engine) == [ACTIVE, ACTIVE]


def test_leaving_all_lists_and_taking_it_back(client: FlaskClient, engine: Engine, address: str) -> None:
    left = client.post(address, data={"scope": "all"})
    assert heading(left) == "You have left all lists"
    assert states(engine) == [GONE, GONE]
    back = client.post(undo_address(left))
    assert heading(back) == "You are back"
    assert states(engine) == [ACTIVE, ACTIVE]
    for page in (left, back):
        assert "News of the union" not in page.text  # it would tell a stranger what the person is on


def test_whom_the_mail_was_forwarded_to_is_told_in_one_line_below_the_buttons(
    client: FlaskClient, address: str
) -> None:
    page = client.get(address).text.partition("<main")[2]
    (line,) = forwarded_notes(page)
    assert 'href="/en/">Sign up yourself' in line
    said = ["<h1>", 'value="list"', 'value="all"', line]
    assert [page.index(words) for words in said] == sorted(page.index(words) for words in said)
    left = client.post(address, data={"scope": "list"})
    (line,) = forwarded_notes(left.text)
    assert left.text.index(undo_address(left)) < left.text.index(line)


def test_the_pages_are_the_same_for_everyone_on_the_list(client: FlaskClient, engine: Engine) -> None:
    with session_scope(engine) as session:
        lists = session.scalars(select(MailingList).order_by(MailingList.id)).all()
        union = make_union(session)
        boris = make_subscriber(session, email="b@example.net", name="Борис", country="KZ", union=union, language="fr")
        subscribe(session, boris, lists[0])
    on_first = [subscription for subscription in subscriptions(engine) if subscription.list_id == lists[0].id]
    ana_saw, boris_saw = (walk(client, f"/unsubscribe/{token_of(engine, each.id)}") for each in on_first)
    assert ana_saw == boris_saw
    assert len(set(ana_saw)) >= 5


def walk(client: FlaskClient, address: str) -> list[str]:
    """Every page that whoever has the link of a mail can bring about, without its tokens."""
    pages = []
    for scope in ("list", "all"):
        left = client.post(address, data={"scope": scope})
        back = undo_address(left)
        pages += [client.get(address), left, client.get(back), client.post(back)]
    pages += [client.post(address, data={"scope": "list"}) for _ in range(2)]
    assert {page.status_code for page in pages} == {200}
    return [re.sub(r"[0-9a-f]{40}", "TOKEN", page.text) for page in pages]


def test_a_unions_own_list_is_not_named(client: FlaskClient, engine: Engine, address: str) -> None:
    with session_scope(engine) as session:
        union = make_union(session, "dockers")
        session.execute(update(MailingList).values(name="Dockers of the North", owner_id=union.id))
    asks = client.get(address)
    left = client.post(address, data={"scope": "list"})
    undo = undo_address(left)
    pages = [asks, left, client.get(undo), client.post(undo), client.post(address, data=ONE_CLICK)]
    assert [heading(page) for page in pages] == [
        "Leave this list?",
        "You have left this list",
        "Do you want to come back?",
        "You are back",
        "You have left this list",
    ]
    assert not any("Dockers" in page.text or "None" in page.text for page in pages)
    assert "all lists" not in pages[2].text


@pytest.mark.parametrize("scope", ["", "everything", "ALL", "list", "\u202eall"])
def test_an_unknown_scope_leaves_this_list_only(client: FlaskClient, engine: Engine, address: str, scope: str) -> None:
    assert client.post(address, data={"scope": scope}).status_code == 200
    assert states(engine) == [GONE, ACTIVE]


def test_the_way_back_of_who_was_erased_has_ended(client: FlaskClient, engine: Engine, address: str) -> None:
    undo = undo_address(client.post(address, data={"scope": "all"}))
    with session_scope(engine) as session:
        subscribers.erase(session, "ana@example.org")
    assert client.get(undo).status_code == 410
    assert client.post(undo).status_code == 410


def test_a_link_works_after_the_keys_were_rotated_and_not_when_its_key_is_gone(
    settings: Callable[..., Settings], engine: Engine, address: str
) -> None:
    new = Key.generate()
    for keys, status in ((f"{new},{LINK_KEY}", 200), (str(new), 404)):
        app = create_app(settings(MAILER_LINK_KEYS=keys))
        assert app.test_client().post(address, data=ONE_CLICK).status_code == status
        app.extensions["site"].engine.dispose()
    assert states(engine) == [GONE, ACTIVE]


def test_a_link_works_years_after_everything_around_it_was_tidied_up(
    client: FlaskClient, engine: Engine, address: str
) -> None:
    old = utcnow() - timedelta(days=1000)
    with session_scope(engine) as session:
        session.execute(update(Subscription).values(created_at=old, confirmed_at=old))
    housekeeping.tidy(engine)
    assert client.post(address, data=ONE_CLICK).status_code == 200
    assert states(engine) == [GONE, ACTIVE]


def test_forged_and_foreign_tokens_are_refused(client: FlaskClient, engine: Engine, address: str) -> None:
    token = address.rpartition("/")[2]
    bounce = token_of(engine, subscriptions(engine)[0].id, Link.BOUNCE)
    for wrong in (token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"), bounce, "0" * 40):
        for path in (f"/unsubscribe/{wrong}", f"/undo/{wrong}"):
            assert client.get(path).status_code == 404
            assert client.post(path).status_code == 404
    assert client.post(f"/undo/{token}").status_code == 404
    assert states(engine) == [ACTIVE, ACTIVE]


@pytest.mark.parametrize(
    "behind", [".", ")", ").", ",", ";", "”", "»", "%3E", "%29.", "。", "؛", "%20", "…", "_", "_.", "です", "/"]
)
def test_a_link_to_leave_works_with_a_sign_behind_it(
    client: FlaskClient, engine: Engine, address: str, behind: str
) -> None:
    page = client.get(address + behind)
    assert page.status_code == 200
    assert re.findall(r'action="([^"]*/unsubscribe/[^"]*)"', page.text) == [address]
    assert client.post(address + behind, data=ONE_CLICK).status_code == 200
    assert states(engine) == [GONE, ACTIVE]
    assert client.get(f"{address}0{behind}").status_code == 404


def test_the_page_of_a_way_back_knows_that_it_was_used(client: FlaskClient, engine: Engine, address: str) -> None:
    on_page = undo_address(client.post(address, data={"scope": "list"}))
    mailed = f"/en/undo/{token_mailed(engine)}"
    assert [heading(client.get(undo)) for undo in (on_page, mailed)] == ["Do you want to come back?"] * 2
    client.post(on_page)
    assert [heading(client.get(undo)) for undo in (on_page, mailed)] == ["You are back"] * 2
    assert "<form" not in client.get(mailed).text
    client.post(address, data=ONE_CLICK)
    assert client.get(mailed).status_code == 410  # this leaving is another


def test_who_holds_the_way_back_of_a_page_does_not_learn_that_its_owner_came_back_by_mail(
    client: FlaskClient, engine: Engine, address: str
) -> None:
    on_page = undo_address(client.post(address, data={"scope": "list"}))
    client.post(f"/en/undo/{token_mailed(engine)}")
    assert heading(client.get(on_page)) == "Do you want to come back?"


def test_a_way_back_that_has_run_out_says_so(client: FlaskClient, engine: Engine, address: str) -> None:
    undo = undo_address(client.post(address, data={"scope": "list"}))
    client.post(undo)
    client.post(address, data=ONE_CLICK)
    pages = [client.post(undo)]
    client.post(address, data={"scope": "all"})
    pages.append(client.get(undo))
    for page in pages:
        assert page.status_code == 410
        assert "use the link in our last e-mail to you" in page.text
        assert '<a class="button" href="/en/">Sign up</a>' in page.text
    assert states(engine) == [GONE, GONE]


def test_pages_speak_the_readers_language_and_tell_nothing_of_the_persons(client: FlaskClient, address: str) -> None:
    german = {"Accept-Language": "de"}
    for path, language in ((address.removeprefix("/en"), "de"), (address.replace("/en/", "/tr/"), "tr")):
        page = client.get(path, headers=german)
        assert f'<html lang="{language}"' in page.text
        left = client.post(path, data={"scope": "list"}, headers=german)
        assert f'<html lang="{language}"' in left.text
        assert f'<html lang="{language}"' in client.get(undo_address(left), headers=german).text
        assert f'<html lang="{language}"' in client.post(undo_address(left), headers=german).text


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(token=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
@example(token="f" * 40)
@example(token="..")
@example(token="0" * 40 + "\n")
@example(token="٠" * 40)
def test_no_token_is_too_strange(client: FlaskClient, token: str) -> None:
    for path in (f"/unsubscribe/{quote(token, safe='')}", f"/undo/{quote(token, safe='')}"):
        assert client.get(path).status_code == 404
        assert client.post(path).status_code == 404


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(reason=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300))
def test_no_reason_is_too_strange(client: FlaskClient, engine: Engine, address: str, reason: str) -> None:
    left = client.post(address, data={"scope": "list", "reason": reason})
    assert heading(left).startswith("You have left")
    assert states(engine) == [GONE, ACTIVE]
    with session_scope(engine) as session:
        session.execute(update(Subscription).values(status=ACTIVE))


def test_the_form_says_who_reads_why_somebody_leaves(client: FlaskClient, address: str) -> None:
    words = "Only those who send these e-mails read it, and their reports show it without your name."
    assert words in client.get(address).text
    assert words not in client.get(f"/fr{address}").text


# --- in the middle of a campaign ------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [ONE_CLICK, {"scope": "list"}, {"scope": "all"}])
def test_who_leaves_in_the_middle_gets_nothing_more_of_it(
    client: FlaskClient,
    engine: Engine,
    server: MailServer,
    wire: Pipeline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: dict[str, str],
) -> None:
    monkeypatch.setattr(ledger, "shuffle", by_id)
    with session_scope(engine) as session:
        mailing_list = make_list(session, "alerts")
        people = [make_subscriber(session, mailing_list, email=f"p{number}@example.net") for number in range(6)]
        campaign = make_campaign(session, mailing_list)
        control.start(session, campaign, SENDER)
        of_p4 = select(Subscription.id).where(Subscription.subscriber_id == people[4].id)
        address = f"/unsubscribe/{token_of(engine, session.scalars(of_p4).one())}"
        campaign_id = campaign.id

    def dot(recipient: str) -> str:
        if recipient == "p1@example.net":
            assert client.post(address, data=body).status_code == 200
            time.sleep(1.1)  # the next message goes within the 2 seconds that a leaving may take
        return "250 ok"

    server.behaviour.dot = dot
    worker = Worker(name="test", lease=timedelta(seconds=30), journals=tmp_path / "journals", sender=SENDER)
    sending.drain(engine, campaign_id, wire, worker)
    assert "p4@example.net" not in server.copies()
    with session_scope(engine, read_only=True) as session:
        rows = select(Delivery.state).where(Delivery.purpose == Purpose.CAMPAIGN).order_by(Delivery.id)
        sent, skipped = DeliveryState.SENT, DeliveryState.SKIPPED
        assert session.scalars(rows).all() == [sent, sent, sent, sent, skipped, sent]
