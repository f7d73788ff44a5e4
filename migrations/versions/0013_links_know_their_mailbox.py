"""Links that were mailed know which mailbox they went to, so that limits count it and not each of its addresses.

Older ones do not: for a day after the upgrade, theirs count by address.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailed_links", sa.Column("mailbox", sa.LargeBinary(length=32), nullable=True))
    op.create_index(op.f("ix_mailed_links_mailbox"), "mailed_links", ["mailbox"], unique=False)
