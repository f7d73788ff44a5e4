"""Unions count their changes, and kits say which one they were made of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("unions", sa.Column("revision", sa.Integer(), server_default="0", nullable=False))
    op.add_column("kit_editions", sa.Column("union_revision", sa.Integer(), nullable=True))
    # What is there was made anew at every change until now, so it is up to date.
    op.execute(
        "UPDATE kit_editions SET union_revision = 0 "
        "WHERE kit_id IN (SELECT id FROM kits WHERE union_id IS NOT NULL) "
        "AND (made_at IS NOT NULL OR problem IS NOT NULL)"
    )
