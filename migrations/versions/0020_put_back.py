"""Deliveries count how often they were put back because a mail server refused us."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("put_back", sa.SmallInteger(), server_default="0", nullable=False))
