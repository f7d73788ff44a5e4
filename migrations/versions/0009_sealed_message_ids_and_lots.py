"""Message-IDs are sealed with a link key, and deliveries go out by lot."""

import sqlalchemy as sa
from alembic import op

from mailer.store.crypto import keyring_of

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LOT = {"sqlite": "random()", "postgresql": "CAST((random() - 0.5) * 9e18 AS BIGINT)"}
_COLUMNS = "campaign_id, purpose, subscriber_id, address, notice, language, country, union_id, state, draw, attempts"


def upgrade() -> None:
    _add_message_keys()
    _add_lots()
    _begin_anew()


def _add_message_keys() -> None:
    op.add_column("campaigns", sa.Column("message_key", sa.String(length=32), nullable=True))
    op.add_column("campaigns", sa.Column("hashed_until", sa.BigInteger(), nullable=True))
    bind = op.get_bind()
    if bind.scalar(sa.text("SELECT count(*) FROM campaigns")):
        newest = keyring_of(bind.engine).link_keys[0].id
        bind.execute(sa.text("UPDATE campaigns SET message_key = :newest"), {"newest": newest})
    # What had been planned before keeps its Message-ID, however often it is sent.
    op.execute(
        "UPDATE campaigns SET hashed_until = "
        "(SELECT latest FROM (SELECT campaign_id, max(id) AS latest FROM deliveries GROUP BY campaign_id) AS known "
        "WHERE campaign_id = campaigns.id)"
    )
    with op.batch_alter_table("campaigns") as batch:
        batch.alter_column("message_key", existing_type=sa.String(length=32), nullable=False)


def _add_lots() -> None:
    op.add_column("deliveries", sa.Column("draw", sa.BigInteger(), nullable=True))
    op.drop_index("ix_work", "deliveries")
    lot = _LOT[op.get_bind().dialect.name]
    op.execute(f"UPDATE deliveries SET draw = {lot} WHERE state IN ('pending', 'sending', 'deferred')")  # noqa: S608
    op.create_index("ix_work", "deliveries", ["campaign_id", "purpose", "state", "draw"])
    is_recent = sa.text("fence IS NOT NULL AND settled_at IS NOT NULL")
    op.create_index(
        "ix_settled",
        "deliveries",
        ["campaign_id", "settled_at"],
        sqlite_where=is_recent,
        postgresql_where=is_recent,
    )


def _begin_anew() -> None:
    """Give notices and test mails whose transmission was never begun another id, and so a sealed Message-ID."""
    unbegun = "purpose <> 'campaign' AND state = 'pending' AND attempts = 0"
    last = op.get_bind().scalar(sa.text("SELECT max(id) FROM deliveries")) or 0
    op.execute(
        f"INSERT INTO deliveries ({_COLUMNS}) SELECT {_COLUMNS} FROM deliveries WHERE {unbegun} ORDER BY id"  # noqa: S608
    )
    op.execute(f"DELETE FROM deliveries WHERE {unbegun} AND id <= {last}")  # noqa: S608
