"""What Alembic runs to migrate: `mailer.schema` hands it a connection; its command line uses the settings' database."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, Enum

from mailer.settings import load_settings
from mailer.store.crypto import EncryptedText
from mailer.store.db import UtcDateTime, open_engine
from mailer.store.models import Base


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our own column types as what they are stored as: a migration must not change when the code does."""
    if kind != "type":
        return False
    if isinstance(item, EncryptedText):
        return "sa.LargeBinary()"
    if isinstance(item, UtcDateTime):
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


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    settings = load_settings()
    engine = open_engine(settings.database_url, settings.keyring)
    with engine.begin() as own:
        migrate(own)
    engine.dispose()
