"""Who wrote and who signed is counted, once; a campaign may have a petition, and a goal."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "acts",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subscriber_id", _BIG, nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_acts_campaign_id")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_acts_subscriber_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acts")),
        sa.UniqueConstraint(
            "campaign_id", "kind", "subscriber_id", name=op.f("uq_acts_campaign_id_kind_subscriber_id")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_acts_subscriber_id"), "acts", ["subscriber_id"], unique=False)
    op.create_index("ix_acts_where", "acts", ["campaign_id", "kind", "country", "language"], unique=False)
    op.create_table(
        "signatures",
        sa.Column("act_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("subscriber_id", _BIG, nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=True),
        sa.Column("is_shown", sa.Boolean(), nullable=False),
        sa.Column("is_handed_over", sa.Boolean(), nullable=False),
        sa.Column("is_hidden", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["act_id"], ["acts.id"], name=op.f("fk_signatures_act_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_signatures_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("act_id", name=op.f("pk_signatures")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_signatures_subscriber_id"), "signatures", ["subscriber_id"], unique=False)
    op.add_column("consent_events", sa.Column("campaign_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_consent_events_campaign_id"), "consent_events", ["campaign_id"], unique=False)
    op.add_column("campaigns", sa.Column("petition", sa.JSON(), nullable=True))
    op.add_column("campaigns", sa.Column("goal", sa.Integer(), nullable=True))
