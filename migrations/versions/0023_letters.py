"""Letters to targets, editions that differ by these, and what people report of targets."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("subjects", sa.JSON(), nullable=False),
        sa.Column("openings", sa.JSON(), nullable=False),
        sa.Column("closings", sa.JSON(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_line", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_letters_campaign_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.UniqueConstraint("campaign_id", "role", "language", name=op.f("uq_letters_campaign_id_role_language")),
    )
    op.create_table(
        "target_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], ["targets.id"], name=op.f("fk_target_reports_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target_reports")),
        sa.UniqueConstraint("target_id", "month", "kind", name=op.f("uq_target_reports_target_id_month_kind")),
    )
    with op.batch_alter_table("targets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("doubts", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("editions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("letters", sa.Text(), nullable=False, server_default=""))
        batch_op.drop_constraint("uq_editions_campaign_id_language_variant", type_="unique")
        batch_op.create_unique_constraint(
            op.f("uq_editions_campaign_id_language_variant_letters"), ["campaign_id", "language", "variant", "letters"]
        )
    # Only a default for what is there: a new row says it.
    with op.batch_alter_table("targets", schema=None) as batch_op:
        batch_op.alter_column("doubts", server_default=None)
    with op.batch_alter_table("editions", schema=None) as batch_op:
        batch_op.alter_column("letters", server_default=None)
