"""Approvals: what of a campaign was approved, by whom, and who sends without a second person."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("campaigns", schema=None) as batch_op:
        batch_op.add_column(sa.Column("undone", sa.SmallInteger(), server_default="0", nullable=False))

    op.create_table(
        "campaign_contents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_contents_campaign_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_contents")),
        sa.UniqueConstraint("campaign_id", "digest", name=op.f("uq_campaign_contents_campaign_id_digest")),
    )
    op.create_table(
        "approval_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["accounts.id"], name=op.f("fk_approval_requests_by_id")),
        sa.ForeignKeyConstraint(
            ["content_id"], ["campaign_contents.id"], name=op.f("fk_approval_requests_content_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_requests")),
    )
    with op.batch_alter_table("approval_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_approval_requests_content_id"), ["content_id"], unique=False)

    op.create_table(
        "lone_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.LargeBinary(), nullable=False),
        sa.Column("objected_by_id", sa.Integer(), nullable=True),
        sa.Column("objected_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["accounts.id"], name=op.f("fk_lone_requests_by_id")),
        sa.ForeignKeyConstraint(
            ["content_id"], ["campaign_contents.id"], name=op.f("fk_lone_requests_content_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["objected_by_id"], ["accounts.id"], name=op.f("fk_lone_requests_objected_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lone_requests")),
    )
    with op.batch_alter_table("lone_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lone_requests_content_id"), ["content_id"], unique=False)

    op.create_table(
        "lone_notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_lone_notices_account_id")),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_lone_notices_delivery_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["lone_requests.id"], name=op.f("fk_lone_notices_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lone_notices")),
        sa.UniqueConstraint("request_id", "account_id", name=op.f("uq_lone_notices_request_id_account_id")),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("request_id", sa.Integer(), nullable=True),
        sa.Column("lone_request_id", sa.Integer(), nullable=True),
        sa.Column("audit_entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["accounts.id"], name=op.f("fk_approvals_by_id")),
        sa.ForeignKeyConstraint(
            ["content_id"], ["campaign_contents.id"], name=op.f("fk_approvals_content_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lone_request_id"], ["lone_requests.id"], name=op.f("fk_approvals_lone_request_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["approval_requests.id"], name=op.f("fk_approvals_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_approvals_content_id"), ["content_id"], unique=False)
