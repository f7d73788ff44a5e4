"""What all tables share."""

import enum

from sqlalchemy import BigInteger, Enum, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase

#: SQLite gives out numbers by itself only for INTEGER; PostgreSQL needs 64 bits for a ledger that grows for years.
BigId = BigInteger().with_variant(Integer, "sqlite")

#: of a table whose key has no order: SQLite would number its rows all the same, in the order in which they came
IN_NO_ORDER = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """Tables with constraint names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def by_value(enumeration: type[enum.StrEnum]) -> Enum:
    """Store an enum by its value, so that renaming a member in code changes no row."""
    return Enum(
        enumeration,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=False,
        length=20,
    )
