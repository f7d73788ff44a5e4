"""Links that were mailed, and notices, no longer say in clear whose they are."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from mailer.store.crypto import Keyring, UnreadableSecret, keyring_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: notices that anybody can have us send by filling in a form: they go to an address from now on
_BY_FORM = ("confirm", "manage", "contact")


def upgrade() -> None:
    connection = op.get_bind()
    keyring = keyring_of(connection.engine)
    links = _links(connection, keyring)
    if connection.dialect.name == "sqlite":
        _copy(connection, links)
    else:
        _alter(connection, links)
    _carry_notices_over(connection, keyring)
    _forget_settled_notices(connection)


# --- links ----------------------------------------------------------------------------------------------------------


def _links(connection: sa.Connection, keyring: Keyring) -> list[dict[str, Any]]:
    """What the new columns hold, by the id of the link."""
    rows = connection.execute(
        sa.text("SELECT id, kind, token_hash, email_index, subscriber_id, details, used_at FROM mailed_links")
    )
    return [{"link": row.id, **_references(row, keyring)} for row in rows]


def _references(row: Any, keyring: Keyring) -> dict[str, Any]:
    token_hash, email_index, details = bytes(row.token_hash), bytes(row.email_index), bytes(row.details)
    if email_index == token_hash:  # it has run out, and was emptied
        return {"email_index": token_hash, "person": token_hash, "details": details}
    references = {
        "email_index": keyring.link_index(f"address {row.kind}", email_index),
        "person": secrets.token_bytes(32),
        "details": details,
    }
    if row.used_at is not None and row.kind != "undo":
        references["email_index"] = token_hash  # it is no longer found by its address
    elif row.kind == "contact" and row.subscriber_id is not None:
        references["email_index"] = secrets.token_bytes(32)  # nor is that by which who stepped down comes back
    if row.subscriber_id is None:
        return references
    person = keyring.link_index(f"person {row.kind}", str(row.subscriber_id).encode())
    return references | {"person": person, "details": _with_person(details, row.subscriber_id, keyring)}


def _with_person(details: bytes, subscriber_id: int, keyring: Keyring) -> bytes:
    try:
        kept = json.loads(keyring.decrypt(details, "requests.details"))
    except UnreadableSecret:
        return details  # the link opened nothing before either
    return keyring.encrypt(json.dumps({"person": subscriber_id} | kept, ensure_ascii=False), "requests.details")


def _alter(connection: sa.Connection, links: list[dict[str, Any]]) -> None:
    op.add_column("mailed_links", sa.Column("person", sa.LargeBinary(length=32), nullable=True))
    _fill_in(connection, links)
    op.alter_column("mailed_links", "person", nullable=False)
    op.drop_column("mailed_links", "subscriber_id")  # and with it its index
    # PostgreSQL keeps what it dropped or changed until it writes a table anew, as it does to change a type.
    op.execute("ALTER TABLE mailed_links ALTER COLUMN kind TYPE VARCHAR(20) USING kind || ''")
    op.create_index(op.f("ix_mailed_links_person"), "mailed_links", ["person"], unique=False)


def _copy(connection: sa.Connection, links: list[dict[str, Any]]) -> None:
    for column in ("email_index", "expires_at", "subscriber_id"):
        op.drop_index(op.f(f"ix_mailed_links_{column}"), "mailed_links")
    op.rename_table("mailed_links", "mailed_links_before")
    op.create_table(
        "mailed_links",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("email_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("person", sa.LargeBinary(length=32), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("is_mailed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_mailed_links_token_hash")),
        sqlite_autoincrement=True,
    )
    kept = "id, kind, token_hash, email_index, details, is_mailed, created_at, expires_at, used_at"
    op.execute(
        f"INSERT INTO mailed_links (person, {kept}) SELECT token_hash, {kept} FROM mailed_links_before"  # noqa: S608
    )
    # Numbers that were given out stay used, also of rows that are gone.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'mailed_links'")
    op.execute(
        "INSERT INTO sqlite_sequence SELECT 'mailed_links', seq FROM sqlite_sequence WHERE name = 'mailed_links_before'"
    )
    op.drop_table("mailed_links_before")
    _fill_in(connection, links)
    for column in ("email_index", "expires_at", "person"):
        op.create_index(op.f(f"ix_mailed_links_{column}"), "mailed_links", [column], unique=False)


def _fill_in(connection: sa.Connection, links: list[dict[str, Any]]) -> None:
    if links:
        values = "email_index = :email_index, person = :person, details = :details"
        connection.execute(sa.text(f"UPDATE mailed_links SET {values} WHERE id = :link"), links)  # noqa: S608


# --- notices --------------------------------------------------------------------------------------------------------


def _carry_notices_over(connection: sa.Connection, keyring: Keyring) -> None:
    """Have what is still to be sent keep its language encrypted; and its address, not its subscriber, where anybody can
    have had us send it."""
    rows = connection.execute(
        sa.text(
            "SELECT deliveries.id, state, notice, deliveries.language, subscriber_id, address, email "
            "FROM deliveries LEFT JOIN subscribers ON subscribers.id = subscriber_id WHERE notice IS NOT NULL"
        )
    ).all()
    changes = []
    for row in rows:
        try:
            changes.append({"delivery": row.id, **_carried_over(row, keyring)})
        except UnreadableSecret:
            continue  # it cannot be sent, now as before
    if changes:
        change = (
            "UPDATE deliveries SET notice = :notice, subscriber_id = :subscriber_id, address = :address, "
            "language = NULL WHERE id = :delivery"
        )
        connection.execute(sa.text(change), changes)


def _carried_over(row: Any, keyring: Keyring) -> Mapping[str, Any]:
    notice = json.loads(keyring.decrypt(bytes(row.notice), "deliveries.notice")) | {"language": row.language}
    subscriber_id, address = row.subscriber_id, None if row.address is None else bytes(row.address)
    if subscriber_id is not None and notice["kind"] in _BY_FORM:
        subscriber_id = None
        if row.state != "skipped":
            address = keyring.encrypt(keyring.decrypt(bytes(row.email), "subscribers.email"), "deliveries.address")
    return {
        "notice": keyring.encrypt(json.dumps(notice, ensure_ascii=False), "deliveries.notice"),
        "subscriber_id": subscriber_id,
        "address": address,
    }


def _forget_settled_notices(connection: sa.Connection) -> None:
    """Have notices that were settled no longer say whose they were: with the time at which somebody filled in a form,
    that told which row is theirs."""
    connection.execute(
        sa.text(
            "UPDATE deliveries SET subscriber_id = NULL, union_id = NULL, language = NULL "
            "WHERE notice IS NULL AND purpose = 'notice' "
            "AND campaign_id IN (SELECT id FROM campaigns WHERE status = 'standing')"
        )
    )
