"""What people typed is encrypted, and so is what names a union; of one that asked not to be named, the slug is random.

It is encrypted under the newest key, and padded. What was encrypted before stays as it is until `mailer keys rotate`.
"""

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ROWS = 1000  # of the consent log, to be held in memory at once; of unions and applications there are few
#: tables in which words stood in clear → a column of theirs
_WRITTEN_ANEW = {
    "unions": "country",
    "applications": "country",
    "campaigns": "language",
    "campaign_texts": "language",
    "consent_events": "method",
}


def upgrade() -> None:
    _hide_slugs()
    _encrypt(
        "unions",
        {"name": sa.String(), "resolution": sa.Text(), "introductions": sa.JSON(), "logo": sa.LargeBinary()},
        required=("name", "introductions"),
    )
    given = _last_number_given("applications")
    _encrypt(
        "applications",
        {"name": sa.String(), "parent": sa.String(), "resolution": sa.Text()},
        required=("name",),
        sqlite_autoincrement=True,
    )
    _give_no_number_again("applications", given)
    _move_sources()
    for table, column in _WRITTEN_ANEW.items():
        _write_anew(table, column)


def _sealed(value: Any, context: str) -> bytes | None:
    """:param context: the table and the column, which are bound into what is encrypted."""
    if value is None:
        return None
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    plain = value.encode() if isinstance(value, str) else bytes(value)
    sealed: bytes = cast(Any, op.get_bind().dialect).keyring.encrypt_bytes(plain, context)
    return sealed


# --- unions that asked not to be named ------------------------------------------------------------------------------


def _hide_slugs() -> None:
    connection = op.get_bind()
    unions = sa.table("unions", sa.column("id", sa.Integer), sa.column("slug"), sa.column("is_named", sa.Boolean))
    unnamed = connection.execute(sa.select(unions.c.id, unions.c.slug).where(~unions.c.is_named)).all()
    new_slugs = {slug: f"unnamed-{secrets.token_hex(6)}" for _, slug in unnamed}
    for union_id, slug in unnamed:
        connection.execute(sa.update(unions).where(unions.c.id == union_id).values(slug=new_slugs[slug]))
    if new_slugs:
        _rename_in_audiences(new_slugs)
        _rename_in_texts(new_slugs)


def _rename_in_audiences(new_slugs: Mapping[str, str]) -> None:
    connection = op.get_bind()
    campaigns = sa.table("campaigns", sa.column("id", sa.Integer), sa.column("audience", sa.JSON))
    for campaign_id, audience in connection.execute(sa.select(campaigns)).all():
        renamed = dict(audience)
        for key in {"unions", "exclude_unions"} & audience.keys():
            renamed[key] = [new_slugs.get(slug, slug) for slug in audience[key]]
        if renamed != audience:
            connection.execute(sa.update(campaigns).where(campaigns.c.id == campaign_id).values(audience=renamed))


_TAG = re.compile(r"\{%.*?%\}", re.DOTALL)
_PART = re.compile(r"""(?P<text>"[^"]*"|'[^']*')|(?P<name>[a-z_]\w*)""")
_OPERATORS = frozenset(["if", "elif", "in", "not", "and", "or"])


def _renamed_in_tag(tag: str, new_slugs: Mapping[str, str]) -> str:
    """A tag that calls unions by their new slugs. Each text in quotes is compared with the last name before it."""
    asked = ""

    def in_part(part: re.Match[str]) -> str:
        nonlocal asked
        if part["name"] and part["name"] not in _OPERATORS:
            asked = part["name"]
        if asked == "union" and part["text"]:
            slug = part["text"][1:-1]
            return f"{part[0][0]}{new_slugs.get(slug, slug)}{part[0][-1]}"
        return part[0]

    return _PART.sub(in_part, tag)


def _rename_in_texts(new_slugs: Mapping[str, str]) -> None:
    connection = op.get_bind()
    parts = ("subject", "preheader", "body")
    texts = sa.table("campaign_texts", sa.column("id", sa.Integer), *(sa.column(part, sa.Text) for part in parts))
    for text in connection.execute(sa.select(texts)).all():
        written = {part: getattr(text, part) for part in parts}
        renamed = {
            part: _TAG.sub(lambda tag: _renamed_in_tag(tag[0], new_slugs), words) for part, words in written.items()
        }
        if renamed != written:
            connection.execute(sa.update(texts).where(texts.c.id == text.id).values(renamed))


# --- columns --------------------------------------------------------------------------------------------------------


def _encrypt(
    table: str, columns: Mapping[str, sa.types.TypeEngine[Any]], *, required: tuple[str, ...], **of_table: bool
) -> None:
    """Put columns of a small table in place of others of the same name, with what stood in these encrypted.

    :param columns: name → the type as it was.
    :param required: which of them are never empty.
    :param of_table: what SQLite must be told when it copies the table.
    """
    connection = op.get_bind()
    before = sa.table(table, sa.column("id", sa.Integer), *(sa.column(name, kind) for name, kind in columns.items()))
    after = sa.table(table, sa.column("id", sa.Integer), *(sa.column(name, sa.LargeBinary) for name in columns))
    rows = connection.execute(sa.select(before)).mappings().all()
    with op.batch_alter_table(table, table_kwargs=of_table) as batch:
        for name in columns:
            batch.drop_column(name)
    with op.batch_alter_table(table, table_kwargs=of_table) as batch:
        for name in columns:
            batch.add_column(sa.Column(name, sa.LargeBinary(), nullable=True))
    for row in rows:
        sealed = {name: _sealed(row[name], f"{table}.{name}") for name in columns}
        connection.execute(sa.update(after).where(after.c.id == row["id"]).values(sealed))
    with op.batch_alter_table(table, table_kwargs=of_table) as batch:
        for name in required:
            batch.alter_column(name, existing_type=sa.LargeBinary(), nullable=False)


def _last_number_given(table: str) -> int | None:
    """Where SQLite forgets it in copying a table: the highest number that a row ever had."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return None
    last: int | None = connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = :t"), {"t": table})
    return last


def _give_no_number_again(table: str, last: int | None) -> None:
    if last is not None:
        connection = op.get_bind()
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :t"), {"t": table})
        connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES (:t, :last)"), {"t": table, "last": last})


# --- sources of consent ---------------------------------------------------------------------------------------------


def _move_sources() -> None:
    """To a table of their own: the log refuses every change, also that of a key. Its guard is not touched, for nothing
    of the log is updated: a column goes, in place."""
    op.create_table(
        "consent_sources",
        sa.Column("event_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["consent_events.id"], name=op.f("fk_consent_sources_event_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_consent_sources")),
    )
    connection = op.get_bind()
    events = sa.table("consent_events", sa.column("id", sa.BigInteger), sa.column("source", sa.String))
    sources = sa.table("consent_sources", sa.column("event_id", sa.BigInteger), sa.column("source", sa.LargeBinary))
    some = sa.select(events).where(events.c.source.is_not(None)).order_by(events.c.id).limit(_ROWS)
    last = 0
    while rows := connection.execute(some.where(events.c.id > last)).all():
        sealed = [{"event_id": number, "source": _sealed(text, "consent_sources.source")} for number, text in rows]
        connection.execute(sa.insert(sources), sealed)
        last = rows[-1][0]
    op.drop_column("consent_events", "source")


def _write_anew(table: str, column: str) -> None:
    """PostgreSQL keeps what a column held that was dropped, and rows as they were before a change. Both go when it
    writes a table anew, which it does to change a column by an expression, even into itself. SQLite overwrites both at
    once (`secure_delete`)."""
    if op.get_bind().dialect.name != "sqlite":
        kind = next(each["type"] for each in sa.inspect(op.get_bind()).get_columns(table) if each["name"] == column)
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {column} || ''")
