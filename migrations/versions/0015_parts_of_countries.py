"""Who was stored as living in a part of a country that CLDR lists and ISO 3166 does not lives in that country.

Deliveries keep what they were planned with: their editions were made for it.
"""

import json
import logging

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

log = logging.getLogger(__name__)

_PARTS = {"AC": "SH", "CP": "FR", "CQ": "GG", "DG": "IO", "EA": "ES", "IC": "ES", "TA": "SH"}
_TABLES = ("subscribers", "subscriptions", "unions", "applications")


def upgrade() -> None:
    connection = op.get_bind()
    for name in _TABLES:
        table = sa.table(name, sa.column("country", sa.String()))
        for part, country in _PARTS.items():
            connection.execute(sa.update(table).where(table.c.country == part).values(country=country))
    campaigns = sa.table(
        "campaigns",
        *(sa.column("id", sa.Integer()), sa.column("slug", sa.String()), sa.column("status", sa.String())),
        *(sa.column("audience", sa.JSON()), sa.column("targets", sa.JSON())),
    )
    for row in connection.execute(sa.select(campaigns).order_by(campaigns.c.slug)).all():
        named = {key: row.audience[key] for key in ("countries", "exclude_countries") if row.audience.get(key)}
        audience = row.audience | {key: _whole(codes) for key, codes in named.items()}
        targets = [target | {"countries": _whole(target["countries"])} for target in row.targets]
        if json.dumps([audience, targets]) != json.dumps([row.audience, row.targets]):
            changed = sa.update(campaigns).where(campaigns.c.id == row.id)
            connection.execute(changed.values(audience=audience, targets=targets))
        if row.status == "scheduled" and any(code.startswith("@") for codes in named.values() for code in codes):
            log.warning(
                "the audience of a scheduled campaign may have changed, since groups such as @EU have those "
                "territories that their treaties name: look at it with `mailer campaigns check %s` before its hour",
                row.slug,
            )


def _whole(codes: list[str]) -> list[str]:
    return list(dict.fromkeys(_PARTS.get(code, code) for code in codes))
