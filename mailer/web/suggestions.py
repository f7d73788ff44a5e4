"""What a field offers while somebody types, as much as a light page can carry."""

from sqlalchemy.orm import Session

from mailer.unions import directory

#: A page must stay light for an old phone: so many names, and so many bytes of them.
_MOST = 300
_MOST_BYTES = 12_000
_BYTES_AROUND_NAME = 17  # of <option></option>


def union_names(session: Session, country: str | None) -> list[str]:
    """Names of unions, those of a country first."""
    names, room = [], _MOST_BYTES
    for name in directory.names_to_choose_from(session, country, most=_MOST):
        room -= len(name.encode()) + _BYTES_AROUND_NAME
        if room < 0:
            break
        names.append(name)
    return names
