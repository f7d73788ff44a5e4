"""The migrations lead to exactly the models, once, whoever runs them."""

import hashlib
import json
import random
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command as alembic
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, Table, delete, inspect, select, text, type_coerce, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from mailer import links
from mailer.delivery import measures, message_ids
from mailer.delivery.message_ids import MessageIds
from mailer.links import Link
from mailer.operations import schema
from mailer.people import lists, mailed_links, subscribers
from mailer.selfservice import address_change
from mailer.store import crypto, db
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.db import DatabaseUnavailable, UtcDateTime, open_engine, session_scope, utcnow
from mailer.store.models import (
    Application,
    Asking,
    Base,
    Campaign,
    CampaignAlarm,
    CampaignStatus,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentSource,
    ConsentText,
    Delivery,
    Kit,
    MailedLink,
    MailedLinkKind,
    Reason,
    Subscriber,
    Subscription,
    Union,
    UnionContact,
)
from mailer.unions import generations
from mailer.unions.generations import ReplacedLink
from tests.conftest import SECRET_KEY, CommandLine
from tests.support.factories import make_subscriber, notices_owed, said
from tests.support.stolen import files_of
from tests.support.unpadded import unpadded

PROJECT = Path(__file__).parent.parent


def test_there_is_a_single_head_and_numbers_follow_each_other() -> None:
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    script = ScriptDirectory.from_config(config)
    numbers = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    assert script.get_heads() == [numbers[-1]]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_a_draft_holds_what_the_models_have_more_under_the_next_number_and_needs_no_keys(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "migrations", tmp_path / "migrations")
    with_a_new_column = (
        "import runpy, sqlalchemy as sa\n"
        "from mailer.store.models import MailingList\n"
        "column = sa.Column('only_drafted', sa.Boolean, nullable=False, server_default=sa.false())\n"
        "MailingList.__table__.append_column(column)\n"
        "runpy.run_path('migrations/draft.py', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", with_a_new_column, "mark quiet lists"]
    subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)}, check=True)
    number = f"{int(schema.head()) + 1:04}"
    text = (tmp_path / "migrations" / "versions" / f"{number}_mark_quiet_lists.py").read_text()
    upgrade = text.partition("def upgrade() -> None:\n")[2].replace("'", '"').splitlines()
    assert upgrade == [
        '    with op.batch_alter_table("lists", schema=None) as batch_op:',
        '        batch_op.add_column(sa.Column("only_drafted", sa.Boolean(), '
        "server_default=sa.false(), nullable=False))",
    ]


def test_the_migrated_schema_equals_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def _statements(connection: Connection) -> dict[str, list[str]]:
    """What alembic's comparison does not see: checks, partial indexes, triggers, as the database itself words them.

    Each in parts and sorted: the order of a table's constraints means nothing.
    """
    if connection.dialect.name == "sqlite":
        query = "SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    else:
        query = (
            "SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
            "UNION ALL SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace "
            "UNION ALL SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        )
    rows = connection.execute(text(query)).all()
    return {name: sorted(_parts(sql)) for name, sql in rows if "alembic_version" not in name}


def _parts(sql: str) -> Iterator[str]:
    said = " ".join(sql.replace('"', "").split()).replace(") WITHOUT ROWID", ", WITHOUT ROWID")
    return (part.strip() for part in said.removesuffix(")").split(","))


def test_indexes_checks_and_triggers_equal_the_models(
    engine: Engine, empty_database_url: str, keyring: Keyring
) -> None:
    unmigrated = open_engine(empty_database_url, keyring)
    Base.metadata.create_all(unmigrated)
    with unmigrated.connect() as from_models, engine.connect() as from_migrations:
        migrated = _statements(from_migrations)
        assert migrated == _statements(from_models)
    unmigrated.dispose()
    assert {name for name in migrated if "append_only" in name or name.endswith("ix_work")} == {
        "index ix_work",
        "trigger audit_entries_append_only",
        "trigger case_events_append_only",
        "trigger consent_events_append_only",
    }


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", ["mail_events", "replies", "suppressions", "unread_messages"])
def test_no_row_number_tells_in_which_order_messages_came_in(engine: Engine, table: str) -> None:
    with engine.connect() as connection, pytest.raises(OperationalError, match="no such column: rowid"):
        connection.execute(text(f"SELECT rowid FROM {table}"))


def test_the_consent_log_can_be_erased_but_never_rewritten(session: Session) -> None:
    person = make_subscriber(session)
    session.add(
        ConsentEvent(
            subscriber_id=person.id, purpose=ConsentPurpose.ALERTS, action=ConsentAction.GIVEN, method="import"
        )
    )
    session.commit()
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(update(ConsentEvent).values(method="sign-up form"))
    session.rollback()
    session.execute(delete(ConsentEvent))
    session.commit()


def _upgrade_to(engine: Engine, number: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, number)


def test_what_came_in_before_it_had_no_order_is_kept(empty_database_url: str, keyring: Keyring) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0038")
    rows = [(bytes([place]) * 32, reason) for place, reason in ((9, "left"), (1, "bounced"), (5, "erased"))]
    with engine.begin() as connection:
        for email_index, reason in rows:
            values = {"email_index": email_index, "reason": reason, "month": "2026-11"}
            connection.execute(
                text("INSERT INTO suppressions (email_index, reason, month) VALUES (:email_index, :reason, :month)"),
                values,
            )
    schema.upgrade(engine)
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT email_index, reason FROM suppressions ORDER BY email_index")).all()
    assert [(bytes(email_index), reason) for email_index, reason in kept] == sorted(rows)
    engine.dispose()


def test_links_that_were_mailed_before_they_had_their_name_work_as_before(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0005")
    token, at = "0" * 40, utcnow()
    row = {
        "kind": "undo",
        "email_index": bytes(32),
        "is_mailed": True,
        "created_at": at.replace(microsecond=0),
        "expires_at": at + timedelta(days=30),
    }
    with engine.begin() as connection:
        requests = Table("requests", MetaData(), autoload_with=connection)
        people = Table("subscribers", MetaData(), autoload_with=connection)
        email = keyring.encrypt("ana@example.org", "subscribers.email")
        person = {"id": 1, "email": email, "email_index": bytes(32), "is_kept_off_lists": False, "created_at": at}
        connection.execute(people.insert().values(person))
        details = keyring.encrypt('{"taken": [7]}', "requests.details")
        for text_of_token in (token, "gone"):
            token_hash = hashlib.sha256(text_of_token.encode()).digest()
            values = row | {"token_hash": token_hash, "details": details, "subscriber_id": 1}
            connection.execute(requests.insert().values(values))
        connection.execute(requests.delete().where(requests.c.id == 2))
    schema.upgrade(engine)
    assert "requests" not in inspect(engine).get_table_names()
    with Session(engine) as session:
        link = mailed_links.find(session, MailedLinkKind.UNDO, token)
        assert (link.id, mailed_links.person_of(link), link.used_at) == (1, 1, None)
        assert (link.created_at, link.expires_at) == (row["created_at"], row["expires_at"])
        assert mailed_links.details_of(link) == {"taken": [7]}
        mailed_links.issue(session, MailedLinkKind.UNDO, email_index=bytes(32))
        assert session.scalars(select(MailedLink.id).order_by(MailedLink.id)).all() == [1, 3]  # 2 is never used again
    engine.dispose()


STRANGER = "boris@example.org"  # known by nothing but what they asked for


def _before_references(connection: Connection, keyring: Keyring) -> None:
    """Ana, what she asked for, and notices, as they were stored before they had references of their own."""
    tables = {
        name: Table(name, MetaData(), autoload_with=connection)
        for name in ("subscribers", "campaigns", "mailed_links", "deliveries")
    }
    at, index = utcnow(), keyring.blind_index("ana@example.org")
    ana = {"id": 77, "email": keyring.encrypt("ana@example.org", "subscribers.email"), "email_index": index}
    connection.execute(tables["subscribers"].insert().values(ana | {"is_kept_off_lists": False, "created_at": at}))
    standing: dict[str, object] = {
        "id": 1,
        "slug": "(notices)",
        "kind": "notice",
        "language": "en",
        "status": "standing",
    }
    standing |= {"created_at": at}
    standing |= {"audience": {}, "targets": [], "salt": bytes(16), "public": False, "forwardable": False}
    connection.execute(tables["campaigns"].insert().values(standing))
    shared = {"is_mailed": True, "created_at": at, "expires_at": at + timedelta(days=1), "email_index": index}
    asked_for: dict[str, dict[str, Any]] = {
        "manage": {"kind": "manage", "subscriber_id": 77},
        "asked": {"kind": "sign-up", "subscriber_id": None, "details": '{"name": "Ana"}'},
        "stranger": {"kind": "sign-up", "subscriber_id": None, "email_index": keyring.blind_index(STRANGER)},
        "used": {"kind": "sign-up", "subscriber_id": 77, "used_at": at},
        "undo": {"kind": "undo", "subscriber_id": 77, "details": '{"taken": [7]}', "used_at": at},
        "emptied": {"kind": "manage", "subscriber_id": None, "expires_at": at - timedelta(days=1)},
        "moved": {"kind": "address", "subscriber_id": 77, "details": '{"address": "Ana@example.org"}', "used_at": at},
        "stepped down": {"kind": "contact", "subscriber_id": 77, "details": '{"union_id": 3}'},
    }
    for token, columns in asked_for.items():
        values = {"used_at": None, "details": "{}", "token_hash": _token_hash(token)} | shared | columns
        if token == "emptied":
            values["email_index"] = values["token_hash"]
        values["details"] = keyring.encrypt(str(values["details"]), "requests.details")
        connection.execute(tables["mailed_links"].insert().values(values))
    for kind, columns in (
        ("manage", {"state": "pending"}),
        ("confirm", {"state": "skipped"}),
        ("goodbye", {"state": "pending"}),
        (None, {"state": "sent", "union_id": 3}),
    ):
        said = json.dumps({"kind": kind, "token": "0" * 40, "words": {}, "kit_id": None})
        row = {"campaign_id": 1, "purpose": "notice", "subscriber_id": 77, "language": "el", "attempts": 0}
        row |= {"notice": keyring.encrypt(said, "deliveries.notice") if kind else None, "union_id": None} | columns
        connection.execute(tables["deliveries"].insert().values(row))


def _token_hash(name: str) -> bytes:
    return hashlib.sha256(_token(name).encode()).digest()


def _token(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


def test_open_requests_are_carried_over_and_no_longer_say_whose_they_are(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0007")
    with engine.begin() as connection:
        _before_references(connection, keyring)
    schema.upgrade(engine)
    index = keyring.blind_index("ana@example.org")
    with Session(engine) as session:
        links = {
            name: session.scalars(select(MailedLink).where(MailedLink.token_hash == _token_hash(name))).one()
            for name in ("manage", "asked", "stranger", "used", "undo", "emptied", "moved", "stepped down")
        }
        assert [link.id for link in links.values()] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert [mailed_links.person_of(link) for link in links.values()] == [77, None, None, 77, 77, None, 77, 77]
        assert mailed_links.details_of(links["asked"]) == {"name": "Ana"}
        assert mailed_links.details_of(links["undo"]) == {"taken": [7]}
        assert mailed_links.find(session, MailedLinkKind.MANAGE, _token("manage")) is links["manage"]
        found = select(MailedLink.id).where(mailed_links.about(session, 77, index)).order_by(MailedLink.id)
        assert session.scalars(found).all() == [1, 2, 4, 5, 7, 8]
        address_change.look(session, _token("moved"))
        for used in ("used", "moved"):
            assert links[used].email_index == links[used].token_hash
        for kind, name in ((MailedLinkKind.MANAGE, "manage"), (MailedLinkKind.CONTACT, "stepped down")):
            is_found_by_address = links[name].email_index == mailed_links.address_index(session, kind, index)
            assert is_found_by_address == (name == "manage")
        assert links["emptied"].email_index == links["emptied"].person == links["emptied"].token_hash
        # Who asks again today is still told apart from who asks for the first time.
        again = mailed_links.reason_to_withhold(
            session, MailedLinkKind.SIGN_UP, index, is_barred=False, limits=mailed_links.ONE_A_DAY
        )
        assert again is Reason.REPEATED
        mails = notices_owed(session)
        assert Counter((mail.subscriber_id, mail.address, mail.language, mail.union_id) for mail in mails) == {
            (None, "ana@example.org", None, None): 1,
            (77, None, None, None): 1,
            (None, None, None, None): 2,
        }
        assert [said(mail).language for mail in mails if mail.notice is not None] == ["el"] * 3
        mailed_links.issue(session, MailedLinkKind.UNDO, email_index=index, subscriber_id=77)
        assert session.scalars(select(MailedLink.id).order_by(MailedLink.id.desc()).limit(1)).one() == 9
        held = session.execute(text("SELECT email_index, person FROM mailed_links")).all()
        assert index not in {bytes(value) for row in held for value in row}
        subscribers.erase(session, "ana@example.org")
        assert session.scalars(select(MailedLink).where(mailed_links.about(session, 77, index))).all() == []
    engine.dispose()  # by which SQLite writes its log into the file, and removes it
    assert [file.name for file in files_of(engine) if keyring.blind_index(STRANGER) in file.read_bytes()] == []
    engine.dispose()


def test_a_link_whose_details_are_unreadable_does_not_stop_the_upgrade(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0007")
    with engine.begin() as connection:
        _before_references(connection, keyring)
        for table, column in (("mailed_links", "details"), ("deliveries", "notice")):
            damaged = Table(table, MetaData(), autoload_with=connection)
            is_there = damaged.c[column].is_not(None)
            connection.execute(damaged.update().where(is_there).values({column: b"\x01\x02k1" + bytes(40)}))
    schema.upgrade(engine)
    schema.require_current(engine)
    engine.dispose()


def _insert_what_was_in_clear(connection: Connection, keyring: Keyring) -> None:
    """What stood in clear before: two unions, an application, a campaign that means one of them, a log of consent."""
    metadata = MetaData()
    metadata.reflect(connection)
    tables, at = metadata.tables, utcnow()
    union = {"status": "listed", "languages": ["en"], "created_at": at, "revision": 0, "country": "GB"}
    for row in (
        {"slug": "dockers", "name": "Dockers", "is_named": True, "introductions": {"en": "Read this."}, "logo": b"PNG"},
        {"slug": "sisters", "name": "Swordfish Sisters", "is_named": False, "introductions": {"en": "Swordfish words"}},
    ):
        connection.execute(tables["unions"].insert().values(**union, **row, resolution="Carried by swordfish."))
    application = {"languages": ["fr"], "is_named": False, "confirmed_at": at, "resolution": "We swordfish affiliate."}
    for name in ("Swordfish Bakers", "Gone"):
        connection.execute(tables["applications"].insert().values(**application, name=name, parent="Swordfish World"))
    connection.execute(tables["applications"].delete().where(tables["applications"].c.name == "Gone"))
    person = {
        "id": 1,
        "email": unpadded(SECRET_KEY, "ana@example.org", "subscribers.email"),
        "email_index": bytes(32),
        "union_id": 2,
        "is_kept_off_lists": False,
        "created_at": at,
    }
    connection.execute(tables["subscribers"].insert().values(person))
    contact = {"union_id": 2, "subscriber_id": 1, "confirmed_at": at}
    connection.execute(tables["union_contacts"].insert().values(contact))
    event = {"subscriber_id": 1, "purpose": "union", "action": "withdrawn", "method": "import", "recorded_at": at}
    log = [{**event, "source": f"swordfish stall {number}" if number % 2 else None} for number in range(2100)]
    connection.execute(tables["consent_events"].insert(), log)
    connection.execute(tables["lists"].insert().values(slug="news", name="News", is_open=True, created_at=at))
    campaign = {
        "slug": "free-the-five",
        "kind": "urgent_action",
        "list_id": 1,
        "language": "en",
        "status": "sending",
        "audience": {"unions": ["dockers", "sisters"], "countries": ["GB"]},
        "targets": [],
        "public": False,
        "forwardable": False,
        "salt": bytes(16),
        "created_at": at,
    }
    connection.execute(tables["campaigns"].insert().values(campaign))
    body = """sisters {% if union in ["dockers", 'sisters'] or country == "sisters" %}sisters{% endif %}"""
    words = {"campaign_id": 1, "language": "en", "subject": '{% if union == "sisters" %}a{% endif %}', "preheader": "p"}
    connection.execute(tables["campaign_texts"].insert().values(**words, body=body, body_line=1))


def test_what_people_typed_is_encrypted_and_the_consent_log_stays_append_only(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0006")
    with engine.begin() as connection:
        _insert_what_was_in_clear(connection, keyring)
    schema.upgrade(engine)
    with Session(engine) as session:
        dockers, sisters = session.scalars(select(Union).order_by(Union.id))
        assert (dockers.slug, dockers.name, dockers.introductions) == ("dockers", "Dockers", {"en": "Read this."})
        assert (dockers.logo, dockers.resolution) == (b"PNG", "Carried by swordfish.")
        assert (sisters.name, sisters.introductions) == ("Swordfish Sisters", {"en": "Swordfish words"})
        assert (sisters.logo, sisters.languages, sisters.country) == (None, ["en"], "GB")
        assert re.fullmatch(r"unnamed-[0-9a-f]{12}", sisters.slug)
        campaign = session.scalars(select(Campaign)).one()
        assert campaign.audience == {"unions": ["dockers", sisters.slug], "countries": ["GB"]}
        (said,) = campaign.texts
        assert said.subject == f'{{% if union == "{sisters.slug}" %}}a{{% endif %}}'
        asked = f'union in ["dockers", \'{sisters.slug}\'] or country == "sisters"'
        assert said.body == f"sisters {{% if {asked} %}}sisters{{% endif %}}"
        application = session.scalars(select(Application)).one()
        assert (application.name, application.parent) == ("Swordfish Bakers", "Swordfish World")
        assert (application.resolution, application.languages) == ("We swordfish affiliate.", ["fr"])
        sources = {each.event_id: each.source for each in session.scalars(select(ConsentSource))}
        assert sources == {number + 1: f"swordfish stall {number}" for number in range(1, 2100, 2)}
        session.add(Application(name="Next", languages=[], is_named=True))
        session.flush()
        assert session.scalars(select(Application.id).order_by(Application.id)).all() == [1, 3]  # 2 is never used again
        session.commit()
        with pytest.raises(DBAPIError, match="append-only"):
            session.execute(update(ConsentEvent).values(method="sign-up form"))
        session.rollback()
        assert session.execute(select(Subscriber.email, Subscriber.union_id)).one() == ("ana@example.org", sisters.id)
        assert session.scalars(select(UnionContact.union_id)).one() == sisters.id
        assert crypto.has_unpadded(session, Base.metadata)
        session.execute(delete(Subscriber))
        session.commit()
        assert session.scalars(select(ConsentSource)).all() == []
    engine.dispose()


def test_what_stood_in_clear_is_gone_from_the_files(empty_database_url: str, keyring: Keyring) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0006")
    with engine.begin() as connection:
        _insert_what_was_in_clear(connection, keyring)
    assert any(b"swordfish" in file.read_bytes().lower() for file in files_of(engine))
    schema.upgrade(engine)
    engine.dispose()  # by which SQLite writes its log into the file, and removes it
    assert [file.name for file in files_of(engine) if b"swordfish" in file.read_bytes().lower()] == []
    engine.dispose()


def test_what_was_begun_keeps_its_message_id_and_what_was_not_gets_a_sealed_one(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0006")
    campaign: dict[str, object] = {
        "kind": "urgent_action",
        "language": "en",
        "audience": {},
        "targets": [],
        "salt": b"s" * 16,
    }
    campaign |= {"public": False, "forwardable": False, "created_at": utcnow(), "mail_domain": "example.org"}
    address = keyring.encrypt("ana@example.org", "deliveries.address")
    statuses = {"begun": "sending", "(notices)": "standing", "draft": "draft"}
    delivery = {"fence": None, "attempts": 0, "address": address, "notice": None, "language": "fr"}
    rows = [  # in the order of their ids: campaign, purpose, state, attempts
        (1, "campaign", "sent", 1),
        (1, "campaign", "pending", 0),
        (1, "campaign", "unknown", 1),
        (2, "notice", "deferred", 1),
        (2, "notice", "pending", 0),
        (2, "notice", "sent", 1),
        (1, "test", "pending", 0),
    ]
    with engine.begin() as connection:
        campaigns = Table("campaigns", MetaData(), autoload_with=connection)
        deliveries = Table("deliveries", MetaData(), autoload_with=connection)
        for number, (slug, status) in enumerate(statuses.items(), 1):
            connection.execute(campaigns.insert().values(campaign | {"id": number, "slug": slug, "status": status}))
        for of, purpose, state, attempts in rows:
            values = {"campaign_id": of, "purpose": purpose, "state": state, "attempts": attempts}
            connection.execute(deliveries.insert().values(delivery | values))
    schema.upgrade(engine)
    with Session(engine) as session:
        stored = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        found = [(row.campaign_id, row.purpose.value, row.state.value, row.attempts) for row in stored]
        assert found == [*rows[:4], rows[5], rows[4], rows[6]]  # those two with other ids
        assert [row.id for row in stored] == [1, 2, 3, 4, 6, 8, 9]
        assert all((row.draw is not None) == (row.state.value in ("pending", "deferred")) for row in stored)
        ids = {each.id: MessageIds(keyring, each, domain="example.org") for each in session.scalars(select(Campaign))}
        for row in stored:
            hashed = hashlib.sha256(b"s" * 16 + row.id.to_bytes(8, "big")).hexdigest()[:32]
            made = ids[row.campaign_id].make(row.id)
            assert (made == f"{hashed}@example.org") == (row.id < 8)
            assert message_ids.find(keyring, made) == (row.id if row.id >= 8 else None)
        assert message_ids.find(keyring, ids[3].make(10)) == 10  # of a draft: as from now on
    engine.dispose()


def test_what_undid_a_leaving_before_it_was_two_links_ends_with_the_next_wish(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0006")
    first, other = (json.dumps({"subscription": number, "at": "2026-01-01T12:00:00.000001+00:00"}) for number in (1, 2))
    links = [("undo", first), ("manage", "{}"), ("undo", other), ("undo", first), ("undo", "{}"), ("undo", "{}")]
    with engine.begin() as connection:
        table = Table("mailed_links", MetaData(), autoload_with=connection)
        for number, (kind, details) in enumerate(links):
            times = {"created_at": utcnow(), "expires_at": utcnow() + timedelta(days=30)}
            row = {"kind": kind, "token_hash": bytes([number]) * 32, "email_index": bytes(32), "is_mailed": True}
            row |= times | {"details": keyring.encrypt(details, "requests.details")}
            connection.execute(table.insert().values(row))
        unreadable = {"token_hash": bytes([9]) * 32, "details": b"\x01\x02k1" + bytes(40)}
        connection.execute(table.insert().values(row | unreadable))
    schema.upgrade(engine)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT kind, is_mailed, expires_at > created_at FROM mailed_links ORDER BY id"))
        states = [(kind, bool(is_mailed), bool(works)) for kind, is_mailed, works in rows]
    on_a_page_too, on_a_page_alone = ("undo", False, True), ("undo", False, False)
    rest = [on_a_page_too, on_a_page_alone, on_a_page_too, on_a_page_too, on_a_page_too]
    assert states == [on_a_page_too, ("manage", True, True), *rest]
    engine.dispose()


def test_links_that_unions_were_mailed_before_they_could_be_replaced_work_until_they_are(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0006")
    at = utcnow()
    rows: dict[str, dict[str, object]] = {
        "unions": {"name": "Dockers", "status": "affiliated", "languages": [], "introductions": {}},
        "lists": {"name": "News", "is_open": True},
        "campaigns": {"kind": "urgent_action", "list_id": 7, "language": "en", "status": "sending", "salt": bytes(16)}
        | {"audience": {}, "targets": [], "public": False, "forwardable": True},
        "kits": {"union_id": 7, "campaign_id": 7, "forwarded_at": at, "reached": 250},
    }
    with engine.begin() as connection:
        for name, values in rows.items():
            table = Table(name, MetaData(), autoload_with=connection)
            slug = {} if name == "kits" else {"slug": name}
            connection.execute(table.insert().values({"id": 7, "created_at": at, **slug, **values}))
    schema.upgrade(engine)
    with Session(engine) as session:
        union, kit = session.get_one(Union, 7), session.get_one(Kit, 7)
        assert (kit.reached, kit.corrections) == (250, 0)
        for link in (Link.KIT, Link.UNION):
            row_id, generation = links.split_generation(links.verify(keyring, link, links.sign(keyring, link, 7)))
            assert row_id == 7
            generations.require_current(union, generation)
            with pytest.raises(ReplacedLink):
                generations.require_current(Union(link_generation=1), generation)
    engine.dispose()


def test_of_when_people_did_something_an_upgrade_leaves_the_day(empty_database_url: str, keyring: Keyring) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0006")
    late, midnight = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    person, list_id, union = {"subscriber_id": 1}, {"list_id": 1}, {"union_id": 1}
    asked = {"id": 1, "kind": "undo", "token_hash": bytes(32), "email_index": bytes(32), "is_mailed": True}
    email, details = keyring.encrypt("ana@example.org", "subscribers.email"), keyring.encrypt("{}", "requests.details")
    union_of = {"id": 1, "name": "Dockers", "slug": "dockers", "languages": [], "introductions": {}, "created_at": late}
    rows: dict[str, list[dict[str, Any]]] = {
        "subscribers": [{"id": 1, "email": email, "email_index": bytes(32), "created_at": late}],
        "lists": [{"id": number, "slug": str(number), "name": "News", "created_at": late} for number in (1, 2, 3)],
        "subscriptions": [
            {"id": number, **person, "list_id": number, "status": "active", "mailable": True}
            | {"created_at": late, "confirmed_at": late, "unsubscribed_at": None, "paused_until": until}
            for number, until in ((1, late), (2, midnight), (3, None))
        ],
        "consent_texts": [{"id": 1, "sha256": bytes(32), "language": "en", "text": "Yes.", "created_at": late}],
        "consent_events": [
            {"id": 1, **person, **list_id, "purpose": "alerts", "action": "given", "text_id": 1, "method": "form"}
            | {"asked_at": late, "confirmed_at": late, "recorded_at": late}
        ],
        "unions": [union_of | {"interested_at": late, "affiliated_at": late}],
        "union_contacts": [{"id": 1, **union, **person, "confirmed_at": late}],
        "applications": [{"id": 1, "name": "Seafarers", "is_named": True, "languages": [], "confirmed_at": late}],
        "mailed_links": [asked | {"details": details, "created_at": late, "expires_at": late, "used_at": late}],
    }
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection, only=list(rows))
        for table, values in rows.items():
            for row in values:
                connection.execute(metadata.tables[table].insert().values(_as_written(connection, row)))
    schema.upgrade(engine)
    with Session(engine) as session:
        for column in (
            *(Subscriber.created_at, Subscription.created_at, Subscription.confirmed_at, ConsentText.created_at),
            *(ConsentEvent.asked_at, ConsentEvent.confirmed_at, ConsentEvent.recorded_at, MailedLink.used_at),
            *(Union.interested_at, Union.affiliated_at, UnionContact.confirmed_at, Application.confirmed_at),
        ):
            assert set(session.scalars(select(type_coerce(column, UtcDateTime)))) == {midnight}, column
        assert session.scalars(select(Subscription.unsubscribed_at)).all() == [None, None, None]
        # Nobody is mailed sooner than they asked for.
        paused_until = session.scalars(select(Subscription.paused_until).order_by(Subscription.list_id)).all()
        assert paused_until == [midnight + timedelta(days=1), midnight, None]
        with pytest.raises(DBAPIError, match="append-only"):  # as before
            session.execute(update(ConsentEvent).values(method="sign-up form"))
    engine.dispose()


def _as_written(connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
    """Times as our own type writes them, which a reflected table does not know."""
    written = UtcDateTime().process_bind_param
    return {
        name: written(value, connection.dialect) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def test_an_upgrade_keeps_the_day_of_moves_that_are_still_known(empty_database_url: str, keyring: Keyring) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0031")
    day, later = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 4, 15, 7, tzinfo=UTC)
    links_of: list[tuple[str, dict[str, Any], datetime | None]] = [
        ("address", {"person": 1, "address": "new@example.org"}, day),
        ("address", {"person": 2, "address": "not yet"}, None),
        ("moved", {"mover": 3}, None),
        ("address", {"person": 4, "address": "again@example.org"}, day),
        ("moved", {"mover": 4}, None),
        ("manage", {"person": 5}, day),
        ("moved", {}, None),  # it has run out, and was emptied
    ]
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection, only=["subscribers", "mailed_links"])
        for number in range(1, 6):
            email = keyring.encrypt(f"{number}@example.org", "subscribers.email")
            person = {"id": number, "email": email, "email_index": bytes([number]) * 32, "created_at": day}
            connection.execute(metadata.tables["subscribers"].insert().values(_as_written(connection, person)))
        for number, (kind, said_there, used_at) in enumerate(links_of):
            details = keyring.encrypt(json.dumps(said_there), "requests.details")
            same = dict.fromkeys(("token_hash", "email_index", "person"), bytes([number]) * 32)
            link = {"kind": kind, "is_mailed": True, "details": details, "used_at": used_at, **same}
            link |= {"created_at": later, "expires_at": later + timedelta(days=1)}
            connection.execute(metadata.tables["mailed_links"].insert().values(_as_written(connection, link)))
        unreadable = metadata.tables["mailed_links"].update().where(text("kind = 'manage'"))
        connection.execute(unreadable.values(kind="address", details=b"\x00" * 40))
    schema.upgrade(engine)
    with Session(engine) as session:
        moved_on = session.scalars(select(Subscriber.moved_on).order_by(Subscriber.id)).all()
        assert moved_on == [day.date(), None, later.date(), later.date(), None]
    engine.dispose()


def test_an_upgrade_lets_people_in_a_part_of_a_country_live_in_that_country(
    empty_database_url: str, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0014")
    at = utcnow()
    email = keyring.encrypt("ana@example.org", "subscribers.email")
    person = {"id": 1, "email": email, "email_index": bytes(32), "country": "IC", "created_at": at}
    audience = {"countries": ["@EU", "IC", "ES"], "unions": ["IC"]}
    campaign: dict[str, Any] = {"slug": "waits", "status": "scheduled", "kind": "urgent_action", "language": "en"}
    campaign |= {
        "audience": audience,
        "targets": [{"countries": ["EA", "PT"], "name": "IC", "email": "", "address": ""}],
    }
    campaign |= {"public": False, "forwardable": False, "salt": bytes(16), "message_key": "x", "fallbacks": {}}
    rows: dict[str, dict[str, Any]] = {
        "subscribers": person | {"is_kept_off_lists": False},
        "lists": {"id": 1, "slug": "news", "name": "News", "is_open": True, "created_at": at},
        "subscriptions": {"subscriber_id": 1, "list_id": 1, "status": "active", "mailable": True, "country": "IC"}
        | {"created_at": at},
        "campaigns": campaign | {"list_id": 1, "created_at": at},
    }
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection, only=list(rows))
        for table, row in rows.items():
            connection.execute(metadata.tables[table].insert().values(_as_written(connection, row)))
    schema.upgrade(engine)
    with Session(engine) as session:
        assert session.scalars(select(Subscriber.country)).all() == ["ES"]
        assert session.scalars(select(Subscription.country)).all() == ["ES"]
        moved = session.scalars(select(Campaign)).one()
        assert moved.audience == {"countries": ["@EU", "ES"], "unions": ["IC"]}
        assert moved.targets == [{"countries": ["ES", "PT"], "name": "IC", "email": "", "address": ""}]
    assert "`mailer campaigns check waits`" in caplog.text
    engine.dispose()


def test_lists_of_before_they_could_be_translated_keep_their_names_and_people(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0016")
    at = utcnow()
    email = keyring.encrypt("ana@example.org", "subscribers.email")
    person = {"id": 1, "email": email, "email_index": bytes(32), "is_kept_off_lists": False, "created_at": at}
    news = {"id": 1, "slug": "news", "name": "News", "description": "Once a month.", "is_open": True, "created_at": at}
    on_it = {"subscriber_id": 1, "list_id": 1, "status": "active", "mailable": True, "created_at": at}
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection, only=["subscribers", "lists", "subscriptions"])
        for table, row in (("subscribers", person), ("lists", news), ("subscriptions", on_it)):
            connection.execute(metadata.tables[table].insert().values(_as_written(connection, row)))
    schema.upgrade(engine)
    with session_scope(engine) as session:
        kept = lists.translate(session, "news", "fr", name="Nouvelles")
        assert (kept.name, kept.description, kept.names, kept.descriptions) == (
            "News",
            "Once a month.",
            {"fr": "Nouvelles"},
            {},
        )
        assert session.scalars(select(Subscription.list_id)).all() == [kept.id]
    engine.dispose()


# --- a file that is written anew ------------------------------------------------------------------------------------


@pytest.fixture
def ghosts(engine: Engine) -> Callable[[], int]:
    """How many deleted values an SQLite file still shows. Rows have moved between its pages, so some do, whatever
    `secure_delete` says."""
    chance = random.Random(3)
    living, deleted = dict[int, bytes](), list[bytes]()
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE moved (id INTEGER PRIMARY KEY, value BLOB, more BLOB)")
        for number in range(6_000):
            living[number] = b"<%030d>" % number
            connection.exec_driver_sql("INSERT INTO moved VALUES (?, ?, NULL)", (number, living[number]))
            grows, goes = chance.choice(list(living)), chance.choice(list(living))
            more = bytes(chance.randrange(10, 300))
            connection.exec_driver_sql("UPDATE moved SET more = ? WHERE id = ?", (more, grows))
            if number % 2:
                connection.exec_driver_sql("DELETE FROM moved WHERE id = ?", (goes,))
                deleted.append(living.pop(goes))
        connection.commit()
    file = Path(str(engine.url.database))

    def count() -> int:
        assert db.empty_log(engine)
        content = file.read_bytes()
        assert all(value in content for value in living.values())
        return sum(value in content for value in deleted)

    return count


def have_written_anew(engine: Engine) -> None:
    with session_scope(engine) as session:
        db.have_written_anew(session)


def test_an_upgrade_names_scheduled_campaigns_whose_audience_names_languages(
    empty_database_url: str, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0013")
    audiences: list[tuple[str, str, dict[str, list[str]]]] = [
        ("waits", "scheduled", {"exclude_languages": ["fr"]}),
        ("is-for-all", "scheduled", {"countries": ["GB"]}),
        ("is-a-draft", "draft", {"languages": ["fr"]}),
    ]
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection, only=["campaigns"])
        for slug, status, audience in audiences:
            row: dict[str, Any] = {
                "slug": slug,
                "status": status,
                "audience": audience,
                "kind": "urgent_action",
                "language": "en",
            }
            row |= {"targets": [], "public": False, "forwardable": False, "salt": bytes(16), "message_key": "x"}
            row |= {"created_at": utcnow()}
            connection.execute(metadata.tables["campaigns"].insert().values(_as_written(connection, row)))
    schema.upgrade(engine)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    assert "`mailer campaigns check waits`" in warned[0]
    with Session(engine) as session:
        assert session.scalars(select(Campaign.fallbacks).where(Campaign.slug == "waits")).all() == [{}]
    engine.dispose()


def test_what_came_back_before_it_was_weighed_pauses_no_campaign_again(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0039")
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection, only=["campaigns", "campaign_alarms", "mail_events"])
        row: dict[str, Any] = {"slug": "one", "status": "paused", "audience": {}, "kind": "urgent_action"}
        row |= {"targets": [], "public": False, "forwardable": False, "salt": bytes(16), "message_key": "x"}
        row |= {"language": "en", "fallbacks": {}, "created_at": utcnow(), "id": 1}
        row |= {"asking": "open", "ask": []}
        alarm = {"campaign_id": 1, "complaints_before": 7, "gone_before": 12, "sent_at_least": 900}
        alarm |= {"complaints_in_1000": 3, "is_to_tell": False}
        event = {"key": bytes(32), "campaign_id": 1, "kind": "complaint", "effect": "suppress", "source": "lmtp"}
        event |= {"day": utcnow()}
        for table, values in (("campaigns", row), ("campaign_alarms", alarm), ("mail_events", event)):
            connection.execute(metadata.tables[table].insert().values(_as_written(connection, values)))
    schema.upgrade(engine)
    with Session(engine) as session:
        kept = session.scalars(select(CampaignAlarm)).one()
        assert (kept.sure_complaints_before, kept.sure_gone_before) == (7, 12)
        assert (kept.complaints_before, kept.gone_before, kept.complaints_in_1000) == (7, 12, 3)
        assert measures.complaints(session, 1) == (1, 0)
    engine.dispose()


def test_campaigns_of_before_they_said_whom_they_address_go_on_and_drafts_are_asked(
    empty_database_url: str, keyring: Keyring
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0020")
    statuses = [status for status in CampaignStatus if status is not CampaignStatus.STANDING]
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection, only=["campaigns"])
        for status in statuses:
            row: dict[str, Any] = {"slug": f"is-{status}", "status": status, "audience": {}, "kind": "urgent_action"}
            row |= {"targets": [], "public": False, "forwardable": False, "salt": bytes(16), "message_key": "x"}
            row |= {"language": "en", "fallbacks": {}, "created_at": utcnow()}
            connection.execute(metadata.tables["campaigns"].insert().values(_as_written(connection, row)))
    schema.upgrade(engine)
    with Session(engine) as session:
        about = {each.status: each.about for each in session.scalars(select(Campaign))}
        assert about == {status: None if status is CampaignStatus.DRAFT else "none" for status in statuses}
        assert set(session.scalars(select(Campaign.asking))) == {Asking.OPEN}
    engine.dispose()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_an_upgrade_rids_a_file_of_what_was_left_between_its_rows(
    engine: Engine, ghosts: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ghosts() > 0
    schema.upgrade(engine)
    assert ghosts() > 0  # nobody asked for it
    have_written_anew(engine)
    schema.upgrade(engine)
    assert ghosts() == 0
    monkeypatch.setattr(shutil, "disk_usage", None)
    schema.upgrade(engine)  # once is enough: nothing is looked at


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_who_is_erased_or_moves_has_the_next_upgrade_write_the_file_anew(engine: Engine, session: Session) -> None:
    asked = text("PRAGMA user_version")
    schema.upgrade(engine)
    person = make_subscriber(session)
    session.commit()
    token = mailed_links.issue(
        session,
        MailedLinkKind.ADDRESS,
        email_index=keyring_of(session).blind_index("ana.new@example.org"),
        subscriber_id=person.id,
        details={"address": "ana.new@example.org"},
    )
    session.commit()
    assert session.scalar(asked) == 0
    for act in (
        partial(address_change.move, session, token),
        partial(subscribers.erase, session, "ana.new@example.org"),
    ):
        act()
        session.commit()
        assert session.scalar(asked) == 1
        session.rollback()
        schema.upgrade(engine)
        assert session.scalar(asked) == 0
        session.rollback()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_file_that_cannot_be_written_anew_is_up_to_date_and_waits_for_the_next_upgrade(
    engine: Engine, cli: CommandLine, ghosts: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    have_written_anew(engine)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
        with pytest.raises(schema.NotWrittenAnew, match="too little room"):
            schema.upgrade(engine)
        schema.require_current(engine)
        done = cli("db", "upgrade")
        assert done.stderr.startswith("Warning: The database is up to date, but its file may still hold")
        assert f"migration {schema.head()}" in done.stdout
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))  # less than its guess: a disk that others fill
    try:
        with pytest.raises(schema.NotWrittenAnew, match="mailer db upgrade"):
            schema.upgrade(engine)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert ghosts() > 0
    assert cli("db", "upgrade").stderr == ""
    assert ghosts() == 0


def test_an_upgrade_of_what_is_current_changes_nothing(engine: Engine) -> None:
    schema.upgrade(engine)
    schema.require_current(engine)


def test_a_database_that_is_behind_is_told_how_to_catch_up(empty_database_url: str, keyring: Keyring) -> None:
    engine = open_engine(empty_database_url, keyring)
    with pytest.raises(schema.SchemaOutdated, match="mailer db upgrade"):
        schema.require_current(engine)
    engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (schema.upgrade, schema.require_current):
        with pytest.raises(schema.SchemaTooNew, match="newer version"):
            act(engine)


def test_commands_refuse_a_database_of_another_version_in_one_line(engine: Engine, cli: CommandLine) -> None:
    for version, words in (("0001", "Run: mailer db upgrade"), ("9999", "made by a newer version")):
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        for command in (("lists", "list"), ("keys", "status"), ("campaigns", "status", "nothing")):
            refused = cli(*command, exit_code=3).stderr
            assert words in refused
            assert refused.count("\n") == 1
    engine.dispose()


def test_the_number_of_the_newest_migration_is_read_from_its_file_name() -> None:
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    assert schema.head() == ScriptDirectory.from_config(config).get_current_head()


def test_a_database_out_of_reach_is_a_missing_service(keyring: Keyring) -> None:
    engine = open_engine("postgresql+psycopg://127.0.0.1:1/tocsin", keyring)
    with pytest.raises(DatabaseUnavailable):
        schema.upgrade(engine)
    with pytest.raises(DatabaseUnavailable):
        schema.require_current(engine)
    engine.dispose()


def test_two_upgrades_at_once_both_end_well(
    empty_database_url: str, environment: dict[str, str], keyring: Keyring, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "from mailer.cli import main; main()", "db", "upgrade"]
    variables = environment | {"MAILER_DATABASE_URL": empty_database_url, "PYTHONPATH": str(PROJECT)}
    both = [subprocess.Popen(command, env=variables, cwd=tmp_path, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    engine = open_engine(empty_database_url, keyring)
    schema.require_current(engine)
    engine.dispose()


def test_an_upgrade_that_finds_another_at_work_gives_up_in_the_end(
    engine: Engine, database_url: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_LOCK_SECONDS", 0.1)
    monkeypatch.setattr(db, "SQLITE_BUSY_SECONDS", 0.1)
    second = open_engine(database_url, keyring)
    with schema._locked(engine), pytest.raises(schema.UpgradeInProgress, match="Another process"):
        schema.upgrade(second)
    second.dispose()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_an_upgrade_takes_no_table_before_it_can_have_all(
    empty_database_url: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(empty_database_url, keyring)
    _upgrade_to(engine, "0012")
    monkeypatch.setattr(schema, "_LOCK_SECONDS", 0.1)
    with Session(engine) as other:
        other.scalars(select(Subscriber.id)).all()
        with pytest.raises(schema.DatabaseInUse, match="Stop the web part"):
            schema.upgrade(engine)
        other.scalars(select(Campaign.id)).all()  # nobody keeps it from going on
    schema.upgrade(engine)
    schema.require_current(engine)
    engine.dispose()


def test_a_failing_migration_leaves_the_schema_as_it_was(
    empty_database_url: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "migrations"
    (broken / "versions").mkdir(parents=True)
    (broken / "env.py").write_text((PROJECT / "migrations" / "env.py").read_text())
    (broken / "versions" / "0001_fails.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = '0001', None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half_done (id INTEGER)')\n"
        "    raise ZeroDivisionError\n"
    )
    monkeypatch.setattr(schema, "_MIGRATIONS", broken)
    engine = open_engine(empty_database_url, keyring)
    with pytest.raises(ZeroDivisionError):
        schema.upgrade(engine)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_the_command_says_where_the_database_is_now(cli: CommandLine) -> None:
    assert f"migration {schema.head()}" in cli("db", "upgrade").output
