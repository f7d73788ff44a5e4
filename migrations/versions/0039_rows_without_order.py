"""On SQLite, rows of what came in, and of who gets nothing any more, have no number: it told their order."""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in ("mail_events", "replies", "suppressions", "unread_messages"):
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_with_rowid": False}):
            pass
    op.execute("PRAGMA user_version = 1")  # as `db.have_written_anew`: the old order is gone from unused pages too
