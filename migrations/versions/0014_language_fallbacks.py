"""A campaign knows which languages stand in for others.

What `languages` and `exclude_languages` mean has changed with it: "fr" takes in "fr-CA" now, as texts always did. That
a campaign which waits for its hour may go to others than somebody has looked at is said here.
"""

import json
import logging

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

log = logging.getLogger(__name__)


def upgrade() -> None:
    with op.batch_alter_table("campaigns") as batch:
        batch.add_column(sa.Column("fallbacks", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("campaigns") as batch:
        batch.alter_column("fallbacks", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
    scheduled = sa.text("SELECT slug, audience FROM campaigns WHERE status = 'scheduled' ORDER BY slug")
    for slug, stored in op.get_bind().execute(scheduled):
        audience = json.loads(stored) if isinstance(stored, str) else stored
        if audience.keys() & {"languages", "exclude_languages"}:
            log.warning(
                'the audience of a scheduled campaign may have changed, since "fr" means "fr-CA" too: look at it with '
                "`mailer campaigns check %s` before its hour",
                slug,
            )
