"""What one person did at the desk is found in a long audit log without reading all of it."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_audit_entries_account_id_number"), "audit_entries", ["account_id", "number"])
