"""Who paused a campaign, when, and what they said of it."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("hold_words", sa.LargeBinary(), nullable=True))
    op.add_column("campaigns", sa.Column("held_by", sa.Integer(), nullable=True))
    op.add_column("campaigns", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
