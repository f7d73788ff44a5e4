"""What came back of a campaign is found without its deliveries, and an alarm remembers what it noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_EVENTS = sa.table(
    "mail_events",
    sa.column("delivery_id", sa.BigInteger),
    sa.column("campaign_id", sa.Integer),
    sa.column("source", sa.String),
)
_DELIVERIES = sa.table(
    "deliveries",
    sa.column("id", sa.BigInteger),
    sa.column("campaign_id", sa.Integer),
    sa.column("purpose", sa.String),
)


def upgrade() -> None:
    op.add_column("mail_events", sa.Column("campaign_id", sa.Integer(), nullable=True))
    to_audience = (_DELIVERIES.c.id == _EVENTS.c.delivery_id, _DELIVERIES.c.purpose == "campaign")
    of_campaign = sa.select(_DELIVERIES.c.campaign_id).where(*to_audience)
    came_back = _EVENTS.c.source != "sending"
    op.execute(sa.update(_EVENTS).where(came_back).values(campaign_id=of_campaign.scalar_subquery()))
    op.create_index("ix_mail_events_campaign_id", "mail_events", ["campaign_id", "kind", "category"], unique=False)
    op.create_table(
        "campaign_alarms",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("complaints_before", sa.Integer(), nullable=False),
        sa.Column("gone_before", sa.Integer(), nullable=False),
        sa.Column("sent_at_least", sa.Integer(), nullable=False),
        sa.Column("complaints_in_1000", sa.SmallInteger(), nullable=False),
        sa.Column("is_to_tell", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_alarms_campaign_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_alarms")),
    )
