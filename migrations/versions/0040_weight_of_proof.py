"""Of what came back it is kept how its mail was known; an alarm remembers how much of it nobody can have made up."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_NEW = ("sure_complaints_before", "sure_gone_before")


def upgrade() -> None:
    op.add_column("mail_events", sa.Column("identified_by", sa.String(20), nullable=True))
    with op.batch_alter_table("campaign_alarms") as batch_op:
        for column in _NEW:
            batch_op.add_column(sa.Column(column, sa.Integer(), nullable=False, server_default="0"))
    # Nobody knows how much of it was sure: that of both kinds was seen, and pauses nothing again.
    op.execute("UPDATE campaign_alarms SET sure_complaints_before = complaints_before, sure_gone_before = gone_before")
    with op.batch_alter_table("campaign_alarms") as batch_op:
        for column in _NEW:
            batch_op.alter_column(column, server_default=None)
