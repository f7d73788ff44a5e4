"""The audit log: who did what, and when."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=20), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("session", sa.String(length=40), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=True),
        sa.Column("subject", sa.String(length=80), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("number", name=op.f("uq_audit_entries_number")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entries_kind_subject"), ["kind", "subject"], unique=False)
    _guard_log()


def _guard_log() -> None:
    written = "id, created_at, actor, account_id, session, action, kind, subject, digest"
    chained = "number, previous, hash"
    if op.get_bind().dialect.name == "sqlite":
        for name, change in (
            ("append_only", f"UPDATE OF {written} ON audit_entries"),
            ("chained", f"UPDATE OF {chained} ON audit_entries WHEN OLD.hash IS NOT NULL"),
            ("kept", "DELETE ON audit_entries"),
        ):
            op.execute(
                f"CREATE TRIGGER audit_entries_{name} BEFORE {change} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_entries_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    for name, change in (
        ("append_only", f"UPDATE OF {written} OR DELETE ON audit_entries FOR EACH ROW"),
        ("chained", f"UPDATE OF {chained} ON audit_entries FOR EACH ROW WHEN (OLD.hash IS NOT NULL)"),
        ("kept", "TRUNCATE ON audit_entries FOR EACH STATEMENT"),
    ):
        op.execute(f"CREATE TRIGGER audit_entries_{name} BEFORE {change} EXECUTE FUNCTION audit_entries_append_only()")
