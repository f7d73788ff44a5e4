"""Who moved to another address before the day of it was kept, as far as it is still known."""

import json
from datetime import date

import sqlalchemy as sa
from alembic import op

from mailer.store.crypto import UnreadableSecret, keyring_of
from mailer.store.db import UtcDateTime, UtcDay

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_LINKS = sa.table(
    "mailed_links",
    sa.column("kind", sa.String),
    sa.column("details", sa.LargeBinary),
    sa.column("created_at", UtcDateTime),
    sa.column("used_at", UtcDay),
)
_PEOPLE = sa.table("subscribers", sa.column("id", sa.BigInteger), sa.column("moved_on", UtcDay))


def upgrade() -> None:
    connection = op.get_bind()
    for person, day in _moves(connection).items():
        unknown = (_PEOPLE.c.id == person, _PEOPLE.c.moved_on.is_(None))
        connection.execute(sa.update(_PEOPLE).where(*unknown).values(moved_on=day))


def _moves(connection: sa.Connection) -> dict[int, date]:
    """Whoever used the link to another address, which is kept for a day, or whose old address was mailed another, for a
    week: the last day of either."""
    keyring = keyring_of(connection.engine)
    used = (_LINKS.c.kind == "address") & _LINKS.c.used_at.is_not(None)
    moves: dict[int, date] = {}
    for kind, details, created_at, used_at in connection.execute(
        sa.select(*_LINKS.c).where(used | (_LINKS.c.kind == "moved"))
    ):
        try:
            known = json.loads(keyring.decrypt(bytes(details), "requests.details"))
        except UnreadableSecret:
            continue  # nobody can tell whose it is
        person = known.get("person" if kind == "address" else "mover")
        if person is not None:
            day = used_at if kind == "address" else created_at.date()
            moves[person] = max(day, moves.get(person, day))
    return moves
