"""Letters of a draft are kept as its texts are, each as somebody saved it."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("text_versions", sa.Column("role", sa.String(length=20), nullable=True))
