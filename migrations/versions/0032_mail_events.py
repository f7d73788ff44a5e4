"""What came back of a mail is kept, and so is why mail to an address ended, and when somebody's address changed."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_ONCE = sa.text("kind IN ('bounce', 'complaint')")


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("moved_on", sa.DateTime(timezone=True), nullable=True))
    op.add_column("suppressions", sa.Column("category", sa.String(length=20), nullable=True))
    op.create_table(
        "mail_events",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("effect", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("email_index", sa.LargeBinary(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_mail_events_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_mail_events")),
    )
    for column in ("day", "delivery_id", "email_index"):
        op.create_index(op.f(f"ix_mail_events_{column}"), "mail_events", [column], unique=False)
    op.create_index(
        "uq_mail_events_delivery_id_kind",
        "mail_events",
        ["delivery_id", "kind"],
        unique=True,
        sqlite_where=_ONCE,
        postgresql_where=_ONCE,
    )
    op.create_table(
        "mail_event_counts",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "month", "kind", "category", name=op.f("pk_mail_event_counts")),
    )
