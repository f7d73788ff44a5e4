"""Who asks gets all that is held about them, in words, as data and as a table, and nothing about anybody else."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.formats.cells import restore
from mailer.mail.feedback.types import Category, Kind
from mailer.people import consents, mailed_links, notices, replies, suppression, unread
from mailer.people.organisers import Organisers
from mailer.selfservice import address_change, disclosure, preferences
from mailer.store.db import utcnow
from mailer.store.models import (
    Application,
    Base,
    ConsentEvent,
    ConsentPurpose,
    ConsentSource,
    DeliveryState,
    MailedLinkKind,
    MailingList,
    Purpose,
    Reason,
    Subscriber,
    SubscriptionStatus,
    SuppressionReason,
)
from tests.support.factories import (
    WHEN,
    deliver,
    make_bounce,
    make_campaign,
    make_contact,
    make_list,
    make_signature,
    make_subscriber,
    make_union,
    subscribe,
)

ANA = "ana@example.org"


@pytest.fixture
def mailing_list(session: Session) -> MailingList:
    return make_list(session)


def keep_of(session: Session, person: Subscriber) -> None:
    """Keep an answer of somebody's, and a message about a mail to them that nobody could read."""
    key, now, to = str(person.id).encode(), utcnow(), Organisers(("office@example.org",))
    replies.keep(session, b"secret", key=key, subscriber_id=person.id, is_cut=False, to=to, now=now)
    unread.keep(session, "secret", key=key, kind=Kind.BOUNCE, subscriber_id=person.id, days=7, now=now)


@pytest.fixture
def ana(session: Session, mailing_list: MailingList) -> Subscriber:
    """Somebody of whom there is something in every section."""
    union = make_union(session, "dockers", name="Dockers' Union")
    person = make_subscriber(session, email=ANA, name="Ana Example", country="BR", union=union, language="pt-BR")
    on = subscribe(session, person, mailing_list)
    on.paused_until = WHEN + timedelta(weeks=2000)
    left = subscribe(session, person, make_list(session, "news", name="News"), status=SubscriptionStatus.UNSUBSCRIBED)
    left.reason = "Too many mails"
    words = consents.text_id(session, "Yes, write to me.", language="en")
    consents.give(
        session,
        person.id,
        ConsentPurpose.ALERTS,
        text=words,
        method="sign-up form",
        asked_at=WHEN,
        confirmed_at=WHEN + timedelta(minutes=5),
        list_id=mailing_list.id,
    )
    consents.withdraw(session, person.id, ConsentPurpose.ALERTS, method="one-click", list_id=left.list_id)
    campaign = make_campaign(session, mailing_list)
    failed = deliver(
        session,
        campaign,
        person,
        DeliveryState.FAILED,
        smtp_code=550,
        smtp_text="550 swordfish",
        reason=Reason.POLICY,
        settled_at=WHEN,
    )
    deliver(session, campaign, None, DeliveryState.SENT, purpose=Purpose.TEST, address="Ana@example.org")
    make_bounce(session, failed, email_index=person.email_index)
    make_signature(session, campaign, person, name="A. Example", place="Santos", is_shown=False, is_hidden=True)
    keep_of(session, person)
    address_change.name(session, person.id, "ana.new@example.net", language="en")
    preferences.mail_link(session, ANA, language="en")
    suppression.add(session, person.email_index, SuppressionReason.BOUNCED)
    suppression.lift_by_hand(session, person.email_index, "She rang.")
    suppression.add(session, person.email_index, SuppressionReason.BOUNCED, Category.NO_MAILBOX)
    make_contact(session, union, person, role="Treasurer").confirmed_at = WHEN
    consents.give(
        session,
        person.id,
        ConsentPurpose.CONTACT,
        text=consents.text_id(session, "Yes, write to me on behalf of my union.", language="en"),
        method="invitation",
        asked_at=WHEN,
        confirmed_at=WHEN,
    )
    session.add(
        Application(
            name="Harbour Pilots",
            country="BR",
            languages=["pt-BR", "es"],
            members=1200,
            parent="Seafarers",
            resolution="Passed in May.",
            is_named=False,
            subscriber_id=person.id,
            role="Chair",
            confirmed_at=WHEN,
        )
    )
    session.flush()
    first = select(func.min(ConsentEvent.id)).where(ConsentEvent.subscriber_id == person.id)
    session.add(ConsentSource(event_id=session.scalars(first).one(), source="street stall"))
    session.flush()
    return person


def about(session: Session, person: Subscriber) -> dict[str, Any]:
    session.expire_all()
    return disclosure.about(session, person.id)


def test_everything_is_told_with_its_dates_and_reasons(session: Session, ana: Subscriber) -> None:
    held = about(session, ana)
    day = WHEN.date().isoformat()
    assert list(held) == [
        "disclosure",
        "person",
        "lists",
        "contact",
        "applications",
        "consent",
        "requests",
        "messages",
        "returned",
        "acts",
        "answers",
        "unread",
        "blocked",
        "lifted",
    ]
    assert held["person"] == {
        "email": ANA,
        "name": "Ana Example",
        "country": "BR",
        "union": "Dockers' Union",
        "language": "pt-BR",
        "is_kept_off_lists": False,
        "known_since": ana.created_at.isoformat(),
        "moved_on": None,
    }
    on, left = held["lists"]
    assert (on["list"], on["name"], on["status"], on["confirmed_at"]) == (
        "urgent-actions",
        "Urgent actions",
        "active",
        day,
    )
    assert on["paused_until"] == (WHEN + timedelta(weeks=2000)).date().isoformat()
    assert (left["list"], left["status"], left["left_at"]) == ("news", "unsubscribed", day)
    assert left["reason_for_leaving"] == "Too many mails"
    given, withdrawn, contact = held["consent"]
    assert (contact["purpose"], contact["text"]) == ("contact", "Yes, write to me on behalf of my union.")
    assert held["contact"] == [{"union": "Dockers' Union", "role": "Treasurer", "since": day}]
    assert held["applications"] == [
        {
            "union": "Harbour Pilots",
            "role": "Chair",
            "confirmed_at": day,
            "country": "BR",
            "languages": ["pt-BR", "es"],
            "members": 1200,
            "parent": "Seafarers",
            "resolution": "Passed in May.",
            "is_named": False,
        }
    ]
    assert (given["purpose"], given["action"], given["list"]) == ("alerts", "given", "urgent-actions")
    assert (given["text"], given["text_language"], given["method"]) == ("Yes, write to me.", "en", "sign-up form")
    assert (given["asked_at"], given["confirmed_at"], given["source"]) == (day, day, "street stall")
    assert withdrawn["source"] is None
    assert (withdrawn["action"], withdrawn["list"], withdrawn["method"]) == ("withdrawn", "news", "one-click")
    assert [(each["kind"], each["details"]) for each in held["requests"]] == [
        ("address", {"is_old_address_told": True}),  # and not which: whoever reads the old mailbox could ask for this
        ("manage", {}),
    ]
    assert [(each["campaign"], each["purpose"], each["state"]) for each in held["messages"]] == [
        ("free-the-five", "campaign", "failed"),
        ("free-the-five", "test", "sent"),
        (None, "notice", "pending"),
    ]
    failed = held["messages"][0]
    assert (failed["reason"], failed["settled_at"], failed["union"]) == ("policy", WHEN.isoformat(), "Dockers' Union")
    assert held["returned"] == [
        {
            "campaign": "free-the-five",
            "day": day,
            "kind": "bounce",
            "category": "full",
            "status": "5.2.2",
            "effect": "count",
            "source": "pipe",
            "identified_by": "envelope",
            "counts": True,
        }
    ]
    today = utcnow().date()
    week = (today + timedelta(days=7)).isoformat()
    assert held["acts"] == [
        {
            "campaign": "free-the-five",
            "kind": "signed",
            "day": today.isoformat(),
            "country": "BR",
            "language": "pt-BR",
            "name": "A. Example",
            "place": "Santos",
            "is_shown": False,
            "is_handed_over": True,
            "is_hidden": True,
        }
    ]
    assert held["answers"] == [{"day": today.isoformat(), "kept_until": week}]
    assert held["unread"] == [{"day": today.isoformat(), "kind": "bounce", "kept_until": week}]
    assert (held["blocked"]["reason"], held["blocked"]["category"]) == ("bounced", "no_mailbox")
    assert [(lift["reason"], lift["why"]) for lift in held["lifted"]] == [("bounced", "She rang.")]


#: columns about a person that a disclosure leaves out, and why
NOT_TOLD = {
    "email_index",  # the address, which is told, made into a number
    "mailbox",  # likewise
    "person",  # likewise, whose it is
    "token_hash",  # of a link that is in a mail of theirs
    "campaign_id",  # told by its slug
    "list_id",  # likewise
    "union_id",  # told by its name
    "text_id",  # told by its words
    "subscriber_id",
    "delivery_id",
    "key",  # a number without meaning
    "id",
    "act_id",  # likewise
    "import_id",  # likewise; that they were imported, and when, the consent says
    "fate",  # what an import did about them, for a week
    "address",  # their own: else the row is not theirs
    "is_mailed",  # would tell who else is known here
    # How a mail got out: nothing about a person beyond what state, reason and answer say.
    "draw",
    "fence",
    "not_before",
    "notice",
    "message",  # what they answered, for the minute that it is on its way; `answers` says that it is kept
}
#: what a column is called in a disclosure, where it has another name there
TOLD_AS = {
    "created_at": {"known_since", "since", "asked_at"},
    "unsubscribed_at": {"left_at"},
    "reason": {"reason", "reason_for_leaving"},
    "mailable": {"gets_mail"},
    "expires_at": {"ends_at"},
    "words": {"why"},  # of what could not be read none are told; `unread` says that it is kept
    "until": {"kept_until"},
}


def test_no_column_about_a_person_is_forgotten(session: Session, ana: Subscriber) -> None:
    held = about(session, ana)
    told = {
        name for facts in held.values() for fact in (facts if isinstance(facts, list) else [facts]) for name in fact
    }
    tables = [
        table
        for table in Base.metadata.sorted_tables
        if table.name in ("subscribers", "suppressions", "suppression_lifts", "mailed_links", "mail_events")
        or "subscriber_id" in table.columns
    ]
    assert len(tables) == 15
    for table in tables:
        for column in set(table.columns.keys()) - NOT_TOLD:
            assert told & TOLD_AS.get(column, {column}), f"{table.name}.{column}"


def test_nothing_about_anybody_else_is_told(session: Session, ana: Subscriber, mailing_list: MailingList) -> None:
    before = about(session, ana)
    boris = make_subscriber(session, mailing_list, email="boris@example.org", name="Boris", country="FR")
    poet = make_campaign(session, mailing_list, slug="free-the-poet")
    other = deliver(session, poet, boris, DeliveryState.SENT)
    make_bounce(session, other)
    make_signature(session, poet, boris)
    keep_of(session, boris)
    mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=boris.email_index, subscriber_id=boris.id)
    consents.withdraw(session, boris.id, ConsentPurpose.UNION, method="import")
    suppression.add(session, boris.email_index, SuppressionReason.COMPLAINED)
    address_change.name(session, boris.id, "boris.new@example.net", language="en")
    make_contact(session, make_union(session, "bakers"), boris)
    session.add(Application(name="Bakers", languages=[], is_named=True, subscriber_id=boris.id))
    after = about(session, ana)
    del before["disclosure"], after["disclosure"]
    assert before == after


def test_what_a_server_said_is_told_and_our_own_numbers_are_not(session: Session, ana: Subscriber) -> None:
    text = disclosure.to_json(about(session, ana))
    assert "550 swordfish" in text
    assert "withheld" not in text
    assert "(notices)" not in text
    assert ana.email_index.hex() not in text


def test_who_is_on_no_list_gets_what_there_is(session: Session) -> None:
    person = make_subscriber(session, email=ANA, name=None, country=None, language=None)
    held = about(session, person)
    assert (
        held["lists"]
        == held["contact"]
        == held["applications"]
        == held["consent"]
        == held["requests"]
        == held["messages"]
        == held["returned"]
        == held["answers"]
        == held["unread"]
        == []
    )
    assert held["blocked"] is None
    assert "person,1,name,\r\n" in disclosure.to_csv(held)


def read(table: str) -> list[dict[str, str]]:
    assert table.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"), newline="")))


def test_data_and_table_tell_the_same(session: Session, ana: Subscriber) -> None:
    held = about(session, ana)
    assert json.loads(disclosure.to_json(held)) == held
    rows = read(disclosure.to_csv(held))
    assert {"section": "consent", "item": "2", "field": "method", "value": "one-click"} in rows
    assert {
        "section": "requests",
        "item": "1",
        "field": "details",
        "value": '{"is_old_address_told": true}',
    } in rows
    facts = sum(len(fact) for part in held.values() for fact in (part if isinstance(part, list) else [part]))
    assert len(rows) == facts


@given(st.text())
@pytest.mark.parametrize("start", ["", "=", "+", "-", "@", "\t", "\r", "'"])
def test_no_cell_is_a_formula_and_each_reads_back(start: str, text: str) -> None:
    value = start + text
    (row,) = read(disclosure.to_csv({"person": {"name": value}}))
    assert not row["value"] or row["value"][0] not in "=+-@\t\r"
    assert restore(row["value"]) == value


def test_letters_of_every_script_are_written_as_they_are(session: Session) -> None:
    person = make_subscriber(session, name="Әсел Ғабит مريم")
    held = about(session, person)
    assert "Әсел Ғабит مريم" in disclosure.to_json(held)
    assert "Әсел Ғабит مريم" in disclosure.to_csv(held)


def test_a_notice_to_an_address_of_its_own_is_told_to_whom_it_now_belongs(session: Session) -> None:
    notice = notices.Notice(notices.NoticeKind.CONFIRM)
    notices.owe(session, notice, language="en", address="Ana@example.org")
    notices.owe(session, notice, language="en", address="boris@example.org")
    person = make_subscriber(session, email=ANA)
    assert [each["purpose"] for each in about(session, person)["messages"]] == ["notice"]
