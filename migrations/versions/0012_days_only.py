"""Of when people did something, the day is kept, and no hour."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_DAYS = {
    "subscribers": ("created_at",),
    "subscriptions": ("created_at", "confirmed_at", "unsubscribed_at"),
    "consent_texts": ("created_at",),
    "consent_events": ("asked_at", "confirmed_at", "recorded_at"),
    "mailed_links": ("used_at",),
    "unions": ("interested_at", "affiliated_at", "lapsed_at"),
    "union_contacts": ("confirmed_at",),
    "applications": ("confirmed_at",),
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _cut_on_sqlite()
    else:
        _cut_on_postgresql()


def _cut_on_sqlite() -> None:
    # Whatever guards the consent log now guards it afterwards, word for word.
    guards = (
        op.get_bind()
        .exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'consent_events'")
        .all()
    )
    for name, _ in guards:
        op.execute(f"DROP TRIGGER {name}")
    for table, columns in _DAYS.items():
        _set(table, {column: f"substr({column}, 1, 10) || ' 00:00:00.000000'" for column in columns})
    for _, sql in guards:
        op.execute(sql)
    # Nobody is mailed sooner than they asked: a pause lasts to the end of its last day.
    is_midnight = "substr(paused_until, 12) = '00:00:00.000000'"
    midnight = "date(substr(paused_until, 1, 10), '+1 day') || ' 00:00:00.000000'"
    _set("subscriptions", {"paused_until": f"CASE WHEN {is_midnight} THEN paused_until ELSE {midnight} END"})
    op.execute("PRAGMA user_version = 1")  # as `db.have_written_anew`: the hours are gone from unused pages too


def _cut_on_postgresql() -> None:
    almost_a_day = "interval '1 day' - interval '1 microsecond'"
    for table, columns in _DAYS.items():
        midnights = {column: _midnight(f"{column} AT TIME ZONE 'UTC'") for column in columns}
        if table == "subscriptions":
            midnights["paused_until"] = _midnight(f"paused_until AT TIME ZONE 'UTC' + {almost_a_day}")
        # Not an update: this writes the table anew, so that no row stays in its file as it was, and asks no guard.
        changes = (f"ALTER COLUMN {column} TYPE timestamptz USING {value}" for column, value in midnights.items())
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")


def _midnight(moment: str) -> str:
    return f"date_trunc('day', {moment}) AT TIME ZONE 'UTC'"


def _set(table: str, values: dict[str, str]) -> None:
    assignments = ", ".join(f"{column} = {value}" for column, value in values.items())
    is_there = " OR ".join(f"{column} IS NOT NULL" for column in values)
    op.execute(f"UPDATE {table} SET {assignments} WHERE {is_there}")  # noqa: S608  # all of it is ours
