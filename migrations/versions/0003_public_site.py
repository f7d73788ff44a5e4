"""What the public site needs: requests, notices, pauses, lists that are open to join, counts of joins."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "join_counts",
        sa.Column("union_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("joined", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["union_id"], ["unions.id"], name=op.f("fk_join_counts_union_id")),
        sa.PrimaryKeyConstraint("union_id", "month", name=op.f("pk_join_counts")),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("email_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("is_mailed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_requests_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_requests_token_hash")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("requests") as batch:
        batch.create_index(batch.f("ix_requests_email_index"), ["email_index"], unique=False)
        batch.create_index(batch.f("ix_requests_expires_at"), ["expires_at"], unique=False)
        batch.create_index(batch.f("ix_requests_subscriber_id"), ["subscriber_id"], unique=False)

    with op.batch_alter_table("campaigns") as batch:
        batch.alter_column("list_id", existing_type=sa.INTEGER(), nullable=True)

    with op.batch_alter_table("deliveries") as batch:
        batch.add_column(sa.Column("notice", sa.LargeBinary(), nullable=True))
        batch.create_index(
            "ix_notices",
            ["state"],
            sqlite_where=sa.text("notice IS NOT NULL"),
            postgresql_where=sa.text("notice IS NOT NULL"),
        )

    with op.batch_alter_table("lists") as batch:
        batch.add_column(sa.Column("description", sa.String(length=500), nullable=True))
        batch.add_column(sa.Column("is_open", sa.Boolean(), nullable=False, server_default=sa.true()))

    with op.batch_alter_table("subscriptions") as batch:
        batch.add_column(sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))
        batch.create_index(batch.f("ix_subscriptions_paused_until"), ["paused_until"], unique=False)
