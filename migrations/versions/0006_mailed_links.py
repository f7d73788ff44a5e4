"""What was called requests is called what it is: links that were mailed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _copy()
    else:
        _rename()


def _rename() -> None:
    op.rename_table("requests", "mailed_links")
    op.execute("ALTER SEQUENCE requests_id_seq RENAME TO mailed_links_id_seq")
    for column in ("email_index", "expires_at", "subscriber_id"):
        op.execute(f"ALTER INDEX ix_requests_{column} RENAME TO ix_mailed_links_{column}")
    # Asked for, since PostgreSQL 18 gives a name to each NOT NULL too.
    constraints = sa.text("SELECT conname FROM pg_constraint WHERE conrelid = 'mailed_links'::regclass")
    for name in op.get_bind().execute(constraints).scalars().all():
        op.execute(f"ALTER TABLE mailed_links RENAME CONSTRAINT {name} TO {name.replace('requests', 'mailed_links')}")


def _copy() -> None:
    # SQLite renames a table, but none of its constraints.
    op.create_table(
        "mailed_links",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("email_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subscriber_id", _BIG_ID, nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("is_mailed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_mailed_links_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_mailed_links_token_hash")),
        sqlite_autoincrement=True,
    )
    columns = "id, kind, token_hash, email_index, subscriber_id, details, is_mailed, created_at, expires_at, used_at"
    op.execute(f"INSERT INTO mailed_links ({columns}) SELECT {columns} FROM requests")  # noqa: S608  # both are ours
    # Numbers that were given out stay used, also of rows that are gone.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'mailed_links'")
    op.execute("INSERT INTO sqlite_sequence SELECT 'mailed_links', seq FROM sqlite_sequence WHERE name = 'requests'")
    op.drop_table("requests")
    for column in ("email_index", "expires_at", "subscriber_id"):
        op.create_index(op.f(f"ix_mailed_links_{column}"), "mailed_links", [column], unique=False)
