"""The database refuses to change a line of the consent log."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events "
            "BEGIN SELECT RAISE(ABORT, 'the consent log is append-only'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION consent_events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the consent log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events "
        "FOR EACH ROW EXECUTE FUNCTION consent_events_append_only()"
    )
