"""Which letters and targets a kit was made of, so that it is made again once one is corrected."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("kit_editions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("letters", sa.String(length=32), nullable=True))
