"""Cases: what alerts are about, who agreed to that, and what became of it; and whose authorities alerts address."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("persons", sa.LargeBinary(), nullable=False),
        sa.Column("asks", sa.LargeBinary(), nullable=False),
        sa.Column("copy_to", sa.LargeBinary(), nullable=False),
        sa.Column("contact", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("consent", sa.LargeBinary(), nullable=True),
        sa.Column("never", sa.LargeBinary(), nullable=False),
        sa.Column("notes", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("slug", name=op.f("uq_cases_slug")),
    )
    op.create_table(
        "case_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("happened_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("link", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_events_case_id")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_case_events_campaign_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
    )
    with op.batch_alter_table("case_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_events_campaign_id"), ["campaign_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_case_events_case_id"), ["case_id"], unique=False)

    op.create_table(
        "case_facts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("certainty", sa.String(length=20), nullable=False),
        sa.Column("checked_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("good_for", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_facts_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_facts")),
    )
    with op.batch_alter_table("case_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_facts_case_id"), ["case_id"], unique=False)

    op.create_table(
        "case_texts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_texts_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_texts")),
        sa.UniqueConstraint("case_id", "language", name=op.f("uq_case_texts_case_id_language")),
    )
    with op.batch_alter_table("campaigns", schema=None) as batch_op:
        batch_op.add_column(sa.Column("case_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("about", sa.String(length=4), nullable=True))
        batch_op.add_column(sa.Column("home", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("unknown_home", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("asking", sa.String(length=20), nullable=False, server_default="open"))
        batch_op.create_index(batch_op.f("ix_campaigns_case_id"), ["case_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_campaigns_case_id"), "cases", ["case_id"], ["id"])
    # Only a default for what is there: a new row says it.
    with op.batch_alter_table("campaigns", schema=None) as batch_op:
        batch_op.alter_column("asking", server_default=None)
    # What was scheduled or under way goes on as it was meant, before anybody could say whom it addresses.
    op.execute("UPDATE campaigns SET about = 'none' WHERE status <> 'draft'")
    _guard_history()


def _guard_history() -> None:
    fixed = "case_id, kind, happened_on, created_at"
    if op.get_bind().dialect.name == "sqlite":
        for name, change in (("append_only", f"UPDATE OF {fixed}"), ("kept", "DELETE")):
            op.execute(
                f"CREATE TRIGGER case_events_{name} BEFORE {change} ON case_events "
                "BEGIN SELECT RAISE(ABORT, 'the history of a case is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION case_events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the history of a case is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER case_events_append_only BEFORE UPDATE OF {fixed} OR DELETE ON case_events "
        "FOR EACH ROW EXECUTE FUNCTION case_events_append_only()"
    )
