"""Supporters at the desk: found by exact address alone, seen, changed, erased, taken along; all of it written down."""

import csv
import io
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import LargeBinary, select, type_coerce, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from mailer.organisers import desk_sessions
from mailer.people import subscribers, suppression
from mailer.selfservice import preferences
from mailer.store import crypto
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Account,
    AuditEntry,
    ConsentEvent,
    ConsentSource,
    ConsentText,
    Delivery,
    DeliveryState,
    DeskSession,
    MailedLink,
    MailingList,
    Role,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
)
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, make_union

ADDRESS = "ana@example.org"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is done to a person in a database is tested with the domain


@pytest.fixture
def rosa(app: Flask) -> Organiser:
    return come_in(app, Role.PUBLISHER)


@pytest.fixture
def mailing_list(session: Session) -> MailingList:
    made = make_list(session)
    session.commit()
    return made


@pytest.fixture
def ana(session: Session, mailing_list: MailingList) -> int:
    """The id of Ana, who is on the list."""
    made = make_subscriber(session, mailing_list, email=ADDRESS, name="Ana Example")
    session.commit()
    return made.id


def page_of(organiser: Organiser, address: str = ADDRESS) -> str:
    """The path of the page that a look-up leads to."""
    answer = organiser.press("/supporters/find", **{"supporter-address": address})
    assert answer.status_code == 303, words(answer)
    return str(answer.location).removeprefix("/desk")


def entries(app: Flask, action: str) -> Sequence[AuditEntry]:
    with session_scope(app.extensions["site"].engine) as session:
        return session.scalars(select(AuditEntry).where(AuditEntry.action == action)).all()


@contextmanager
def stored(app: Flask) -> Iterator[Session]:
    """What is in the database, for as long as one looks: nobody else can write to SQLite meanwhile."""
    with session_scope(app.extensions["site"].engine) as session:
        yield session


def prove_long_ago(app: Flask) -> None:
    with session_scope(app.extensions["site"].engine) as session:
        session.execute(update(DeskSession).values(proven_at=utcnow() - timedelta(hours=1)))


def describe(who: Organiser, path: str, fields: dict[str, str]) -> TestResponse:
    """Open the page of somebody, and save their details."""
    seen = re.findall(r'name="seen" value="([0-9a-f]+)"', who.get(path).text)
    return who.press(f"{path}/details", **{"seen": seen[0], **fields})


def test_somebody_is_found_by_their_exact_address_however_it_is_written(rosa: Organiser, ana: int) -> None:
    page = words(rosa.get(page_of(rosa, " Ana@Example.ORG ")))
    assert "ana@example.org" in page and "Urgent actions On it" in page and f"number {ana}" in page
    assert "Ana Example" in rosa.get(page_of(rosa)).text
    for part in ("ana", "@example.org", "ana@example", "a%@example.org", "*@example.org"):
        assert rosa.press("/supporters/find", **{"supporter-address": part}).status_code == 422, part


def test_nothing_of_an_address_stands_in_a_link_the_log_or_the_audit_log(
    app: Flask, rosa: Organiser, ana: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = page_of(rosa)
    assert re.fullmatch(r"/supporters/[0-9a-f]{40}", path)
    assert rosa.press("/supporters/find", **{"supporter-address": "nobody@example.org"}).status_code == 422
    found, unknown = entries(app, "subscribers.find")
    assert (found.details, unknown.details) == ({"supporter": str(ana)}, None)
    assert found.account_id == rosa.account_id
    assert found.created_at.time() == found.created_at.min.time(), "of one person the day is kept"
    assert (found.subject, unknown.subject) == (None, None)
    assert "example.org" not in caplog.text
    log = words(come_in(app, Role.ADMIN, email="ada@example.org").get("/log"))
    assert "Looked for a supporter" in log and ADDRESS not in log


def test_whom_somebody_looked_for_with_an_old_form_is_kept_nowhere(app: Flask, rosa: Organiser) -> None:
    old = {"form_token": "old", "supporter-address": ADDRESS, "other": "typed"}
    assert rosa.press("/supporters/find", **old).status_code in (303, 403)
    with stored(app) as now:
        kept = now.scalars(select(DeskSession)).one().kept
        assert kept is not None and kept["fields"]["other"] == "typed" and ADDRESS not in str(kept)
    rosa.press("/sign-out")
    assert ADDRESS not in rosa.press("/supporters/find", **old).text


def test_whom_nobody_knows_is_said_so_and_what_was_typed_stays(rosa: Organiser, session: Session) -> None:
    answer = rosa.press("/supporters/find", **{"supporter-address": "nobody@example.org"})
    assert answer.status_code == 422 and "Nobody here has this address" in words(answer)
    assert 'value="nobody@example.org"' in answer.text
    index = crypto.keyring_of(session).blind_index("gone@example.org")
    suppression.add(session, index, SuppressionReason.ERASED)
    session.commit()
    assert "had their data erased" in words(rosa.press("/supporters/find", **{"supporter-address": "gone@example.org"}))


def test_a_page_of_somebody_works_in_the_session_alone_in_which_they_were_looked_for(
    app: Flask, rosa: Organiser, ana: int
) -> None:
    path = page_of(rosa)
    other = come_in(app, Role.PUBLISHER, email="paul@example.org")
    assert rosa.get(path).status_code == 200
    assert other.get(path).status_code == 404
    assert other.press(f"{path}/details", name="Eve").status_code == 404
    assert rosa.get(f"{path[:-1]}{'0' if path[-1] != '0' else '1'}").status_code == 404


def test_a_page_of_somebody_is_gone_with_its_session_also_where_the_next_gets_its_row(
    app: Flask, rosa: Organiser, ana: int
) -> None:
    path = page_of(rosa)
    with stored(app) as session:
        first = session.scalars(select(DeskSession)).one().id
        desk_sessions.end(session, first)
    paul = come_in(app, Role.PUBLISHER, email="paul@example.org")
    with stored(app) as session:
        assert session.scalars(select(DeskSession)).one().id == first, "or this shows nothing"
    assert paul.get(path).status_code == 404
    with stored(app) as session:
        desk_sessions.end(session, first)
    again = come_in(app, Role.PUBLISHER, account=_account(app, rosa))
    assert again.get(path).status_code == 404
    assert len(entries(app, "subscribers.find")) == 1


def test_a_page_of_somebody_outlives_a_fresh_proof(app: Flask, rosa: Organiser, ana: int) -> None:
    path = page_of(rosa)
    with stored(app) as session:
        secret = desk_sessions.prove(session, session.scalars(select(DeskSession)).one().id, at=utcnow())
    rosa.secret = rosa.cookie = secret or ""
    assert rosa.get(path).status_code == 200


def test_whoever_tries_out_addresses_is_stopped(app: Flask, ana: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rosa = come_in(app, Role.PUBLISHER)
    for limiter in app.extensions["limiter"]:
        monkeypatch.setattr(limiter, "enabled", True)
    tries = [
        rosa.press("/supporters/find", **{"supporter-address": f"a{number}@example.org"}).status_code
        for number in range(40)
    ]
    assert 429 in tries and tries[0] == 422
    again = come_in(app, Role.PUBLISHER, account=_account(app, rosa))
    assert again.press("/supporters/find", **{"supporter-address": ADDRESS}).status_code == 429, (
        "another session is the same person"
    )
    assert again.get("/supporters").status_code == 200


def _account(app: Flask, organiser: Organiser) -> Account:
    with stored(app) as session:
        return session.get_one(Account, organiser.account_id)


def test_the_page_shows_lists_consents_mails_and_what_else_is_stored(
    app: Flask, rosa: Organiser, session: Session, mailing_list: MailingList
) -> None:
    union = make_union(session, name="Dockers of Harbour Town")
    bea = make_subscriber(session, mailing_list, email="bea@example.org", name="<b>Bea</b>", union=union)
    campaign = make_campaign(session, mailing_list, slug="free-the-five")
    for number in range(32):
        other = campaign if number == 0 else make_campaign(session, mailing_list, slug=f"campaign-{number}")
        deliver(session, other, bea, DeliveryState.SENT)
    session.commit()
    page = rosa.get(page_of(rosa, "bea@example.org"))
    said = words(page)
    assert "<b>Bea" not in page.text
    assert "Mails to them 32" in said and "campaign-31 State Sent" in said
    assert "free-the-five State" not in said and "2 earlier ones are in the file." in said
    assert 'value="Dockers of Harbour Town"' in page.text


def test_details_are_changed_and_written_down_without_what_they_are(
    app: Flask, rosa: Organiser, session: Session, ana: int
) -> None:
    make_union(session)
    session.commit()
    path = page_of(rosa)
    fields = {"name": "Ana B.", "country": "FR", "language": "fr", "union": "", "union-words": ""}
    assert describe(rosa, path, fields).location == f"/desk{path}?done=change"
    with stored(app) as now:
        person = now.get_one(Subscriber, ana)
        assert (person.name, person.country, person.language) == ("Ana B.", "FR", "fr")
        assert now.scalars(select(Subscription)).one().country == "FR"
    missing = describe(rosa, path, fields | {"union": "Dockers", "name": "Ana C."})
    assert missing.status_code == 422 and "With which words they agreed" in words(missing)
    assert 'value="Ana C."' in missing.text, "what was typed stays"
    with stored(app) as now:
        assert now.get_one(Subscriber, ana).name == "Ana B.", "nothing of it was done"
    agreed = {"union": "Dockers", "union-words": "You may store it, she said."}
    assert describe(rosa, path, fields | agreed).status_code == 303
    with stored(app) as now:
        assert now.get_one(Subscriber, ana).union_id is not None
        event = now.scalars(select(ConsentEvent).order_by(ConsentEvent.id.desc())).first()
        assert event is not None and (event.method, event.purpose) == ("organiser", "union")
    assert [each.details for each in entries(app, "subscribers.change")] == [{"supporter": str(ana)}] * 2


def test_what_somebody_took_out_meanwhile_is_not_stored_again_by_a_page_left_open(
    app: Flask, rosa: Organiser, ana: int
) -> None:
    path = page_of(rosa)
    opened = dict(re.findall(r'name="(seen)" value="([0-9a-f]+)"', rosa.get(path).text))
    with stored(app) as now:
        preferences.describe(now, ana, name="", country="", language="fr")
    fields = {"name": "Ana Example", "country": "GB", "language": "en", "union": "", "union-words": ""}
    answer = rosa.press(f"{path}/details", **opened | fields)
    assert answer.status_code == 422 and "Stored now: – · Not known · Français · –" in words(answer)
    with stored(app) as now:
        assert (now.get_one(Subscriber, ana).name, now.get_one(Subscriber, ana).country) == (None, None)
    again = dict(re.findall(r'name="(seen)" value="([0-9a-f]+)"', answer.text))
    assert rosa.press(f"{path}/details", **again | fields).status_code == 303


def test_words_that_an_organiser_wrote_down_are_shown_to_their_owner_and_go_with_them(
    app: Flask, rosa: Organiser, session: Session, ana: int
) -> None:
    make_union(session)
    session.commit()
    path, said = page_of(rosa), "You may store it, said Ana from Grey Quay."
    fields = {"name": "Ana", "country": "GB", "language": "en", "union": "Dockers", "union-words": said}
    assert describe(rosa, path, fields).status_code == 303
    assert said in words(rosa.get(path))
    with stored(app) as now:
        assert not any(said in text for text in now.scalars(select(ConsentText.text)))
        assert now.scalars(select(ConsentSource.source)).all() == [said]
        kept = now.scalars(select(type_coerce(ConsentSource.source, LargeBinary))).one()
        assert b"Grey Quay" not in bytes(kept)
        subscribers.erase(now, ADDRESS)
        assert now.scalars(select(ConsentSource.source)).all() == []


@pytest.mark.parametrize(("field", "value"), [("name", "x" * 201), ("union", "No such union")])
def test_a_mistake_is_said_at_its_field(rosa: Organiser, ana: int, field: str, value: str) -> None:
    fields = {"name": "Ana", "country": "", "language": "", "union": "", "union-words": "She agreed."}
    answer = describe(rosa, page_of(rosa), fields | {field: value})
    assert answer.status_code == 422 and f'id="{field}-problem"' in answer.text


def test_who_is_taken_off_a_list_is_mailed_a_goodbye(app: Flask, rosa: Organiser, ana: int) -> None:
    path = page_of(rosa)
    assert rosa.press(f"{path}/leave", list="urgent-actions").status_code == 303
    with stored(app) as now:
        assert now.scalars(select(Subscription)).one().status is SubscriptionStatus.UNSUBSCRIBED
        assert now.scalars(select(Delivery)).one().notice is not None
    entry = entries(app, "subscribers.unsubscribe")[-1]
    assert entry.details == {"supporter": str(ana), "list": "urgent-actions"}
    assert "Urgent actions Left" in words(rosa.get(path))
    assert rosa.press(f"{path}/leave", all="1").status_code == 303
    assert "left all lists at once" in words(rosa.get(path))


@pytest.mark.parametrize("fields", [{}, {"list": ""}, {"list": "urgent-actions", "all": "1"}])
def test_nobody_is_taken_off_all_lists_by_a_form_that_does_not_say_so(
    app: Flask, rosa: Organiser, ana: int, fields: dict[str, str]
) -> None:
    assert rosa.press(f"{page_of(rosa)}/leave", **fields).status_code == 400
    with stored(app) as now:
        assert now.scalars(select(Subscription)).one().status is SubscriptionStatus.ACTIVE
    assert entries(app, "subscribers.unsubscribe") == []


def test_who_wants_another_list_is_on_it_once_they_confirm(
    app: Flask, rosa: Organiser, session: Session, ana: int
) -> None:
    make_list(session, "news", name="News")
    session.commit()
    path = page_of(rosa)
    assert "News" in words(rosa.get(path))
    missing = rosa.press(f"{path}/add", list="news", consent="")
    assert missing.status_code == 422 and "With which words they asked" in words(missing)
    asked = rosa.press(f"{path}/add", list="news", consent="She rang, and asked for it.")
    assert asked.location == f"/desk{path}?done=asked"
    with stored(app) as now:
        assert now.scalars(select(MailedLink)).one().kind == "sign-up"
        assert len(now.scalars(select(Subscription)).all()) == 1
    again = rosa.press(f"{path}/add", list="news", consent="She rang once more.")
    assert again.location == f"/desk{path}?done=asked-before"


def test_erasing_says_first_what_goes_and_takes_a_fresh_proof(app: Flask, rosa: Organiser, ana: int) -> None:
    path = page_of(rosa)
    page = words(rosa.get(f"{path}/erase"))
    assert "What goes" in page and "What stays" in page and ADDRESS in page
    prove_long_ago(app)
    assert rosa.press(f"{path}/erase").location.startswith("/desk/prove?to=")
    with stored(app) as now:
        assert now.get(Subscriber, ana) is not None
        now.execute(update(DeskSession).values(proven_at=utcnow()))
    assert rosa.press(f"{path}/erase").location == "/desk/supporters?done=erased"
    with stored(app) as now:
        assert subscribers.find(now, ADDRESS) is None
    assert rosa.get(path).status_code == 404 and rosa.press(f"{path}/erase").status_code == 404
    assert [each.details for each in entries(app, "subscribers.erase")] == [{"supporter": str(ana)}]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_all_about_somebody_is_a_file_after_a_fresh_proof(app: Flask, rosa: Organiser, ana: int, kind: str) -> None:
    path = page_of(rosa)
    prove_long_ago(app)
    assert rosa.press(f"{path}/export", **{"as": kind}).location.startswith("/desk/prove?to=")
    fresh = come_in(app, Role.PUBLISHER, email="paul@example.org")
    answer = fresh.press(f"{page_of(fresh)}/export", **{"as": kind})
    assert answer.headers["Content-Disposition"] == f"attachment; filename=supporter.{kind}"
    assert ADDRESS in answer.text and answer.headers["Cache-Control"] == "no-store"
    assert kind != "json" or json.loads(answer.text)["person"]["email"] == ADDRESS
    assert [each.details for each in entries(app, "subscribers.export")] == [{"supporter": str(ana)}]


def test_a_list_is_taken_along_after_a_fresh_proof_and_no_cell_is_a_formula(
    app: Flask, rosa: Organiser, session: Session, mailing_list: MailingList, ana: int
) -> None:
    make_subscriber(session, mailing_list, email="bea@example.org", name='=HYPERLINK("https://example.net")')
    session.commit()
    answer = rosa.press("/supporters/export", list="urgent-actions", separator="semicolon")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert [row[0] for row in rows] == ["email", ADDRESS, "bea@example.org"]
    assert rows[2][1].startswith("'=")
    assert answer.headers["Content-Disposition"] == "attachment; filename=urgent-actions.csv"
    entry = entries(app, "subscribers.export")[-1]
    assert (entry.kind, entry.subject, entry.details) == ("list", "urgent-actions", None)
    assert rosa.press("/supporters/export", list="no-list", separator="comma").status_code == 422
    prove_long_ago(app)
    late = rosa.press("/supporters/export", list="urgent-actions", separator="comma")
    assert late.location.startswith("/desk/prove?to=") and len(entries(app, "subscribers.export")) == 1


def test_whoever_may_not_send_may_look_for_nobody(app: Flask, ana: int) -> None:
    for role in (Role.ADMIN, Role.WRITER, Role.ANALYST):
        who = come_in(app, role, email=f"{role.value}@example.org")
        assert who.press("/supporters/find", **{"supporter-address": ADDRESS}).status_code == 404
        assert "Supporters" not in words(who.get("/"))
