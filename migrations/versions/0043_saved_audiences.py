"""Saved audiences."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_audiences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["unions.id"], name=op.f("fk_saved_audiences_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_audiences")),
    )
    with op.batch_alter_table("saved_audiences", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_saved_audiences_owner_id"), ["owner_id"], unique=False)
