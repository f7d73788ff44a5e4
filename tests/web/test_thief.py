"""Who reads the database, again and again, and also fills in the public forms: they do not learn whose row is whose."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from mailer.links import Link
from mailer.people import mailed_links, subscribers
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method
from mailer.store.crypto import Keyring
from mailer.store.models import (
    Base,
    ConsentEvent,
    MailedLinkKind,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    UnionContact,
)
from mailer.unions import contacts, directory
from tests.support.factories import make_contact, make_list, make_subscriber, make_union
from tests.web.pages import affiliate, newest_token, sign_up, signed

VICTIM, THIEF, NOBODY = "victim@example.org", "thief@example.org", "nobody@example.org"
#: ids from here on, so that a number which occurs in two rows is no accident
FIRST_ID = 7_000_000
LANGUAGE, COUNTRY = "el", "GR"  # the victim's; nobody who fills in a form types these
_LEAST_BYTES = 8
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")  # to the microsecond, as SQLite keeps it

Row = tuple[str, tuple[Any, ...]]


# --- what a thief has -----------------------------------------------------------------------------------------------


def dump(engine: Engine) -> set[Row]:
    """All rows of all tables, as they are stored."""
    with engine.connect() as connection:
        return {
            (table.name, tuple(bytes(value) if isinstance(value, memoryview) else _plain(value) for value in row))
            for table in Base.metadata.sorted_tables
            for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")
        }


def _plain(value: Any) -> Any:
    return value if value.__hash__ is not None else repr(value)


def telling(row: Row) -> set[Any]:
    """What occurs in two rows only if they have to do with each other."""
    return {told for value in row[1] for told in _telling(value)}


def _telling(value: Any) -> Iterator[Any]:
    if (isinstance(value, bytes) and len(value) >= _LEAST_BYTES) or (isinstance(value, int) and value >= FIRST_ID):
        yield value
    elif isinstance(value, datetime):
        if value.microsecond:
            yield value.replace(tzinfo=None).isoformat(" ")
    elif isinstance(value, str):
        if _TIME.fullmatch(value) and not value.endswith(".000000"):
            yield value
        yield from _decoded(value)


def _decoded(text: str) -> Iterator[bytes]:
    """What a text may have been made of."""
    if re.fullmatch(r"([0-9a-fA-F]{2}){16,}", text):
        yield bytes.fromhex(text)
    if re.fullmatch(r"([A-Za-z0-9_+/-]{4}){6,}|[A-Za-z0-9_+/-]{22,}={1,2}", text):
        with suppress(binascii.Error):
            yield base64.b64decode(text.replace("-", "+").replace("_", "/"))


def belonging_to(rows: set[Row], start: Row) -> set[Row]:
    """A person's row, and all that have anything in common with it, or with one that has."""
    theirs, rest = {start}, rows - {start}
    while True:
        known = set().union(*(telling(row) for row in theirs))
        more = {row for row in rest if telling(row) & known}
        if not more:
            return theirs
        theirs, rest = theirs | more, rest - more


def computed(values: Iterable[Any]) -> set[Any]:
    """Some values, and what anybody can compute of them."""
    found = set(values)
    for value in tuple(found):
        for raw in _written(value):
            found.add(raw)
            found |= {hash_of(raw).digest() for hash_of in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512)}
            found |= {hashlib.blake2b(raw, digest_size=size).digest() for size in (14, 16, 20, 32, 64)}
    return found


def _written(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield from (value, value.hex().encode(), base64.urlsafe_b64encode(value))
    else:
        yield str(value).encode()
        if isinstance(value, int):
            yield from (value.to_bytes(8, "big", signed=True), value.to_bytes(8, "little", signed=True))
            if 0 <= value < 1 << 48:
                yield value.to_bytes(6, "big")


# --- the people -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def large_ids(session: Session) -> Iterator[None]:
    """People and what they have get large ids of their own."""
    counted = iter(range(FIRST_ID, FIRST_ID + 1_000_000, 7))

    def number(_session: Session, _context: object, _instances: object) -> None:
        for row in session.new:
            if isinstance(row, Subscriber | Subscription | ConsentEvent | UnionContact) and not row.id:
                row.id = next(counted)

    event.listen(session, "before_flush", number)
    yield
    event.remove(session, "before_flush", number)


@pytest.fixture
def victim(session: Session) -> Subscriber:
    """Somebody on the one list that is open, who is alone with their language and country."""
    make_union(session)
    victim = make_subscriber(session, make_list(session), email=VICTIM, language=LANGUAGE, country=COUNTRY)
    make_subscriber(session, email=THIEF)
    session.commit()
    return victim


def on_every_list(_app: Flask, _client: FlaskClient, _session: Session, _victim: Subscriber) -> None:
    """As they are."""


def on_one_of_two(_app: Flask, _client: FlaskClient, session: Session, _victim: Subscriber) -> None:
    make_list(session, "news", name="News")
    session.commit()


def left_by_the_page(app: Flask, client: FlaskClient, session: Session, victim: Subscriber) -> None:
    client.post(f"/unsubscribe/{_leave_token(app, session, victim)}", data={"scope": "list"})


def has_a_link(_app: Flask, client: FlaskClient, session: Session, _victim: Subscriber) -> None:
    client.post("/preferences", data={"email": VICTIM})
    client.post(f"/manage/{newest_token(session)}/address", data={"email": "victim.new@example.net"})


def confirmed_today(_app: Flask, client: FlaskClient, session: Session, victim: Subscriber) -> None:
    session.refresh(victim)
    for subscription in session.scalars(select(Subscription).where(Subscription.subscriber_id == victim.id)):
        subscription.status = SubscriptionStatus.UNSUBSCRIBED
    session.commit()
    sign_up(client, VICTIM)
    client.post(f"/confirm/{newest_token(session)}")


def was_a_contact(app: Flask, client: FlaskClient, session: Session, victim: Subscriber) -> None:
    contact = make_contact(session, directory.get(session, "dockers"), victim)
    session.commit()
    client.post(f"/no-contact/{signed(app, Link.CONTACT, contact.id)}")


def became_a_contact(_app: Flask, client: FlaskClient, session: Session, _victim: Subscriber) -> None:
    contacts.invite(session, directory.get(session, "dockers"), VICTIM)
    session.commit()
    client.post(f"/contact/{newest_token(session)}")


def _leave_token(app: Flask, session: Session, victim: Subscriber) -> str:
    theirs = select(Subscription.id).where(Subscription.subscriber_id == victim.id)
    subscription_id = session.scalars(theirs.order_by(Subscription.id)).first()
    session.rollback()  # on SQLite nobody else could write
    return signed(app, Link.UNSUBSCRIBE, subscription_id or 0)


HISTORIES = (
    on_every_list,
    on_one_of_two,
    left_by_the_page,
    has_a_link,
    confirmed_today,
    was_a_contact,
    became_a_contact,
)


# --- what a thief does ----------------------------------------------------------------------------------------------


def name_address(client: FlaskClient, session: Session, address: str) -> Any:
    thief = subscribers.find(session, THIEF)
    assert thief is not None
    token = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=thief.email_index, subscriber_id=thief.id)
    session.commit()
    return client.post(f"/manage/{token}/address", data={"email": address})


def invite(_client: FlaskClient, session: Session, address: str) -> None:
    contacts.invite(session, make_union(session, "bakers"), address)
    session.commit()


#: what has us write to an address that anybody names, or keep it
FORMS: dict[str, Callable[[FlaskClient, Session, str], Any]] = {
    "sign up": lambda client, _, address: sign_up(client, address, lists="news"),  # where there are two to choose from
    "sign up by a union's page": lambda client, _, address: client.post(
        "/join/dockers", data={"email": address, "country": "GB", "language": "en", "lists": "news", "alerts": "yes"}
    ),
    "ask for a link": lambda client, _, address: client.post("/preferences", data={"email": address}),
    "affiliate": lambda client, _, address: affiliate(client, address),
    "name an address": name_address,
    "invite": invite,
}


def added(engine: Engine, act: Callable[[], Any]) -> tuple[set[Row], set[Row]]:
    """What was there before something was done, and what is there only since."""
    before = dump(engine)
    act()
    after = dump(engine)
    assert before <= after, "a row that was there was changed"
    return before, after - before


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("form", FORMS)
def test_no_form_tells_whoever_reads_the_database_whose_row_is_whose(
    app: Flask,
    client: FlaskClient,
    engine: Engine,
    session: Session,
    victim: Subscriber,
    keyring: Keyring,
    form: str,
    history: Callable[[Flask, FlaskClient, Session, Subscriber], None],
) -> None:
    history(app, client, session, victim)
    FORMS["affiliate"](client, session, "first@example.org")  # makes what notices are owed under
    session.rollback()
    before, new = added(engine, lambda: FORMS[form](client, session, VICTIM))
    written = {table for table, _ in new}
    assert {"mailed_links", "deliveries"} <= written <= {"mailed_links", "deliveries", "unions"}
    index = keyring.blind_index(VICTIM)
    (row,) = (row for row in before if row[0] == "subscribers" and index in row[1])
    theirs = belonging_to(before, row)
    assert len(theirs) >= 2
    known = computed(told for each in theirs for told in telling(each))
    mail = {row for row in new if row[0] in ("mailed_links", "deliveries")}
    assert not {told for each in mail for told in telling(each)} & known
    # Nor does it stand beside what few people have.
    assert not {value for _, values in mail for value in values} & {LANGUAGE, COUNTRY}


@pytest.mark.parametrize("history", [on_every_list, left_by_the_page])
def test_a_link_that_a_forwarded_mail_asks_for_says_nothing_either(
    app: Flask,
    client: FlaskClient,
    engine: Engine,
    session: Session,
    victim: Subscriber,
    keyring: Keyring,
    history: Callable[[Flask, FlaskClient, Session, Subscriber], None],
) -> None:
    history(app, client, session, victim)
    token = _leave_token(app, session, victim)
    client.post("/preferences", data={"email": NOBODY})
    before, new = added(engine, lambda: client.post(f"/preferences/{token}/link"))
    assert {table for table, _ in new} == {"mailed_links", "deliveries"}
    (row,) = (row for row in before if row[0] == "subscribers" and keyring.blind_index(VICTIM) in row[1])
    known = computed(told for each in belonging_to(before, row) for told in telling(each))
    assert not {told for each in new for told in telling(each)} & known


@pytest.mark.parametrize("form", ["sign up", "sign up by a union's page", "affiliate", "invite"])
@pytest.mark.parametrize("history", [on_every_list, on_one_of_two])
def test_a_known_and_an_unknown_address_fill_the_same_columns(
    app: Flask,
    client: FlaskClient,
    engine: Engine,
    session: Session,
    victim: Subscriber,
    form: str,
    history: Callable[[Flask, FlaskClient, Session, Subscriber], None],
) -> None:
    history(app, client, session, victim)
    FORMS["affiliate"](client, session, "first@example.org")
    session.rollback()
    filled = []
    for address in (VICTIM, NOBODY):
        _, new = added(engine, lambda address=address: FORMS[form](client, session, address))  # type: ignore[misc]
        filled.append(
            sorted((table, tuple(value is not None for value in values)) for table, values in new if table != "unions")
        )
        if form == "invite":
            session.delete(directory.get(session, "bakers"))
            session.commit()
    assert filled[0] == filled[1] != []


def test_a_thief_finds_what_a_row_says_in_clear(
    engine: Engine, session: Session, victim: Subscriber, keyring: Keyring
) -> None:
    """The test itself: it notices what was there before links had hashes of their own."""
    leaving.leave(session, session.scalars(select(Subscription)).one(), method=Method.PAGE)
    session.commit()
    rows = dump(engine)
    (row,) = (row for row in rows if row[0] == "subscribers" and keyring.blind_index(VICTIM) in row[1])
    theirs = belonging_to(rows, row)
    assert {"subscribers", "subscriptions", "consent_events", "deliveries"} <= {table for table, _ in theirs}
    known = computed(told for each in theirs for told in telling(each))
    for giveaway in (victim.id, hashlib.sha256(str(victim.id).encode()).digest(), bytes(victim.email_index)):
        assert giveaway in known
        assert telling(("deliveries", (1, giveaway))) & known
