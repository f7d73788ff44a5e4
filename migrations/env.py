"""What Alembic runs to migrate, and to draft a migration: `operations.schema` and `draft.py` hand it a connection."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, DefaultClause, Enum, false, true

from mailer.store.crypto import Encrypted
from mailer.store.db import UtcDateTime, UtcDay
from mailer.store.models import Base


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our own column types as what they are stored as: a migration must not change when the code does."""
    if kind == "server_default" and isinstance(item, DefaultClause):
        for value in (true(), false()):
            if item.arg is value:
                return f"sa.{value}()"  # alembic would write SQLite's 1 or 0, which PostgreSQL takes for no boolean
    if kind != "type":
        return False
    if isinstance(item, Encrypted):
        return "sa.LargeBinary()"
    if isinstance(item, UtcDateTime | UtcDay):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


def migrate(connection: Connection) -> None:
    """Run the migrations that this database lacks, all of them in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,  # on SQLite too: `db.open_engine` begins transactions itself
    )
    with context.begin_transaction():
        context.run_migrations()


migrate(context.config.attributes["connection"])
