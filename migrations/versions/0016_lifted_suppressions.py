"""Organisers lift what they know better of, with a reason that is kept; what a person wanted stays underneath."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suppressions", sa.Column("underneath", sa.String(length=20), nullable=True))
    op.create_table(
        "suppression_lifts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression_lifts")),
    )
    op.create_index(op.f("ix_suppression_lifts_email_index"), "suppression_lifts", ["email_index"], unique=False)
