"""Links to a union's kits and results have a generation, and kits count how often their answer was corrected."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # The links that were mailed are of generation 0.
    op.add_column("unions", sa.Column("link_generation", sa.Integer(), server_default="0", nullable=False))
    op.add_column("kits", sa.Column("corrections", sa.Integer(), server_default="0", nullable=False))
