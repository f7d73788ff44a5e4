"""An alarm remembers which of a campaign's mails were the first."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign_alarms", sa.Column("first_until", sa.DateTime(timezone=True), nullable=True))
