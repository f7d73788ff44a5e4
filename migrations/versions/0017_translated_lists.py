"""Lists have names and descriptions in other languages too."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_COLUMNS = ("names", "descriptions")


def upgrade() -> None:
    with op.batch_alter_table("lists") as batch:
        for name in _COLUMNS:
            batch.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("lists") as batch:
        for name in _COLUMNS:
            batch.alter_column(name, existing_type=sa.JSON(), existing_nullable=False, server_default=None)
