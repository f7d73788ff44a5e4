"""What unions need: affiliation, contacts, applications, kits, and lists of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("unions") as batch:
        batch.add_column(sa.Column("status", sa.String(length=20), nullable=False, server_default="listed"))
        batch.add_column(sa.Column("interested_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("affiliated_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("lapsed_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("resolution", sa.Text(), nullable=True))
        batch.add_column(sa.Column("languages", sa.JSON(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("members", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("is_named", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch.add_column(sa.Column("introductions", sa.JSON(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("logo", sa.LargeBinary(), nullable=True))

    with op.batch_alter_table("unions") as batch:  # the default was for the rows that were there
        batch.alter_column("languages", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
        batch.alter_column("introductions", existing_type=sa.JSON(), existing_nullable=False, server_default=None)

    op.add_column(  # in place, also on SQLite: there may be millions
        "subscribers", sa.Column("is_kept_off_lists", sa.Boolean(), nullable=False, server_default=sa.false())
    )

    with op.batch_alter_table("lists") as batch:
        batch.add_column(sa.Column("owner_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(batch.f("fk_lists_owner_id"), "unions", ["owner_id"], ["id"])
        batch.create_index(batch.f("ix_lists_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "union_contacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("union_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", _BIG_ID, nullable=False),
        sa.Column("role", sa.LargeBinary(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_union_contacts_subscriber_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["union_id"], ["unions.id"], name=op.f("fk_union_contacts_union_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_union_contacts")),
        sa.UniqueConstraint("union_id", "subscriber_id", name=op.f("uq_union_contacts_union_id_subscriber_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_union_contacts_subscriber_id"), "union_contacts", ["subscriber_id"], unique=False)

    op.create_table(
        "applications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=True),
        sa.Column("parent", sa.String(length=200), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("is_named", sa.Boolean(), nullable=False),
        sa.Column("subscriber_id", _BIG_ID, nullable=True),
        sa.Column("role", sa.LargeBinary(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_applications_subscriber_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_applications_subscriber_id"), "applications", ["subscriber_id"], unique=False)

    op.create_table(
        "kits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("union_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("promised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("forwarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_kits_campaign_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["union_id"], ["unions.id"], name=op.f("fk_kits_union_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kits")),
        sa.UniqueConstraint("campaign_id", "union_id", name=op.f("uq_kits_campaign_id_union_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_kits_union_id"), "kits", ["union_id"], unique=False)
    op.create_index(
        "uq_kits_unbranded",
        "kits",
        ["campaign_id"],
        unique=True,
        sqlite_where=sa.text("union_id IS NULL"),
        postgresql_where=sa.text("union_id IS NULL"),
    )

    op.create_table(
        "kit_editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kit_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(length=300), nullable=True),
        sa.Column("archive", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["kit_id"], ["kits.id"], name=op.f("fk_kit_editions_kit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_editions")),
        sa.UniqueConstraint("kit_id", "language", name=op.f("uq_kit_editions_kit_id_language")),
    )
    op.create_index(
        "ix_kit_work",
        "kit_editions",
        ["taken_until"],
        unique=False,
        sqlite_where=sa.text("made_at IS NULL AND problem IS NULL"),
        postgresql_where=sa.text("made_at IS NULL AND problem IS NULL"),
    )
    op.create_index(
        "ix_kit_archives",
        "kit_editions",
        ["kit_id"],
        unique=False,
        sqlite_where=sa.text("archive IS NOT NULL"),
        postgresql_where=sa.text("archive IS NOT NULL"),
    )
