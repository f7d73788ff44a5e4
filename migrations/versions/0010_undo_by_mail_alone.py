"""What undoes a leaving is two links: one for the page, one for the mail. Those of before stand on both."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from mailer.store.crypto import UnreadableSecret, keyring_of

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What a page shows is ended when somebody leaves again, as those of before were.
    op.execute("UPDATE mailed_links SET is_mailed = false WHERE kind = 'undo'")
    ended = _of_pages_alone(op.get_bind())
    if ended:
        op.get_bind().execute(sa.text("UPDATE mailed_links SET expires_at = created_at WHERE id = :link"), ended)


def _of_pages_alone(connection: sa.Connection) -> list[dict[str, Any]]:
    """Links that were handed out when the button was pressed again, maybe by a stranger with a forwarded mail. Only the
    first link of a leaving can have been mailed."""
    keyring = keyring_of(connection.engine)
    known, later = set(), []
    rows = connection.execute(sa.text("SELECT id, details FROM mailed_links WHERE kind = 'undo' ORDER BY id"))
    for row in rows:
        try:
            details = json.loads(keyring.decrypt(bytes(row.details), "requests.details"))
        except UnreadableSecret:
            continue  # it opens nothing
        leaving = details.get("subscription"), details.get("at")
        if "at" in details and leaving in known:
            later.append({"link": row.id})
        known.add(leaving)
    return later
