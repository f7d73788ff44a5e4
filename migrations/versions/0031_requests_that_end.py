"""A request for approval ends: somebody sends it back with words, or whoever asked takes it back."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("approval_requests", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sent_back_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("sent_back_by_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("sent_back_words", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_approval_requests_sent_back_by_id"), "accounts", ["sent_back_by_id"], ["id"]
        )
    op.add_column("lone_requests", sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True))
