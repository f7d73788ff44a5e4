"""What is said of imports: where one is, what it would do or did, and why something is refused."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mailer.errors import MailerError
from mailer.people.lists import UnknownList
from mailer.spreadsheets import importing, uploads
from mailer.store.db import utcnow
from mailer.store.models import Import, ImportState
from mailer.web.desk import refusing
from mailer.web.desk.terms import Mark
from mailer.web.language import _

_S = ImportState
MOST_MEGABYTES = uploads.MOST_BYTES // 1024**2


def mark(state: ImportState) -> Mark:
    """Where an import is, in a word or two."""
    return {
        _S.UPLOADED: Mark(_("Waits for its list"), "held"),
        _S.LOOKING: Mark(_("Being looked at"), "busy"),
        _S.LOOKED: Mark(_("Waits for your yes"), "held"),
        _S.IMPORTING: Mark(_("Being imported"), "busy"),
        _S.DONE: Mark(_("Imported"), "done"),
        _S.REFUSED: Mark(_("Cannot be taken"), "held"),
        _S.DROPPED: Mark(_("Not imported")),
        _S.TAKING_BACK: Mark(_("Being taken back"), "busy"),
        _S.TAKEN_BACK: Mark(_("Taken back")),
    }[state]


def counts(found: Mapping[str, Any], *, is_done: bool) -> list[tuple[str, int]]:
    """What an import would do, or did: the words for a number, and the number. What is none is left out, but for those
    who are new."""
    lines = [
        (_("People whom nobody knew"), "created"),
        (_("People known already, new on this list"), "subscribed"),
        (_("On the list already, filled in or changed"), "updated"),
        (_("On the list already, nothing new"), "unchanged"),
        (_("Left or were removed before: not imported"), "left"),
        (_("Do not want mail, as the file says: not imported"), "left_elsewhere"),
        (_("Lines with another value than was asked for: not imported"), "not_chosen"),
        (_("Lines that cannot be imported"), "rejected"),
        (_("Imported without their union, which is not known"), "unknown_unions"),
        (_("Imported without their union, for want of words with which they agreed to it"), "unions_dropped"),
        (_("Imported without their country, which is not known"), "unknown_countries"),
        (_("Imported without something else that cannot be read"), "unread"),
    ]
    first = [(_("Lines read"), int(found["read"]))] if is_done else [(_("Lines in the file"), int(found["read"]))]
    return first + [(words, int(found[key])) for words, key in lines if found[key] or key == "created"]


def only(terms: Mapping[str, Any]) -> tuple[str, str]:
    """The column and the value of the lines that alone are imported; two empty ones where all are."""
    for column, value in terms.get("only") or ():
        return column, value
    return "", ""


def more(found: Mapping[str, Any]) -> int:
    """How many lines there are besides the examples."""
    return max(0, int(found["remarked"]) - len(found["examples"]))


def can_be_taken_back(each: Import) -> datetime | None:
    """Until when what it added can be taken back; None where it cannot."""
    if each.state is not _S.DONE or each.finished_at is None:
        return None
    end = each.finished_at + uploads.KEPT
    return end if utcnow() < end and added(each) else None


def added(each: Import) -> int:
    """How many it added."""
    return int(each.found["created"]) + int(each.found["subscribed"]) if each.found else 0


def too_large() -> str:
    """That a file is too large."""
    return _(
        "This file is larger than {most} MB. Save it as .xlsx, or in several parts.",
        most=MOST_MEGABYTES,
    )


_REFUSALS: Mapping[type[MailerError], tuple[str, Callable[[], str]]] = {
    importing.NoConsentText: (
        "consent",
        lambda: _("Write the words with which these people agreed to get this mail, as they were shown."),
    ),
    UnknownList: ("list", lambda: _("Choose a list.")),
    uploads.NotNow: ("form", lambda: _("The import has gone on since you opened this page. See how it stands now.")),
    uploads.TooLate: ("form", lambda: _("What an import added can be taken back for a week, and that is over.")),
    uploads.TooMany: (
        "file",
        lambda: _(
            "You have {most} files here already. Import one of these first, or drop it.", most=uploads.MOST_FILES
        ),
    ),
    uploads.NoRoom: (
        "file",
        lambda: _("There is no room for this file on the server. Ask whoever looks after the server."),
    ),
}


def refusal(refused: MailerError) -> dict[str, str]:
    """Why something is not done with an import: field → what to do."""
    if known := _REFUSALS.get(type(refused)):
        return {known[0]: known[1]()}
    return refusing.at_field(refused)
