"""What stands above every page of the desk: where one may go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import request

from mailer.organisers.roles import Permission
from mailer.web.desk import access
from mailer.web.desk.access import SIGNED_IN
from mailer.web.desk.visit import visit
from mailer.web.language import _, url


@dataclass(frozen=True, slots=True)
class Way:
    """A link."""

    words: str
    address: str
    is_current: bool


#: endpoint, who may go there, and its words
_Entry = tuple[str, Permission | str, Callable[[], str]]
_NAV: Sequence[_Entry] = (
    ("desk.home.see", SIGNED_IN, lambda: _("Home")),
    ("desk.campaigns.browse", Permission.SEE_TOTALS, lambda: _("Campaigns")),
    ("desk.reports.choose", Permission.SEE_TOTALS, lambda: _("Reports")),
    ("desk.supporters.see", Permission.SUPPORTERS, lambda: _("Supporters")),
)
_MENU: Sequence[_Entry] = (
    ("desk.own.see", SIGNED_IN, lambda: _("Your account")),
    ("desk.accounts.see", Permission.MANAGE_ACCOUNTS, lambda: _("Accounts")),
    ("desk.audit.see", Permission.SEE_AUDIT, lambda: _("Audit log")),
    ("desk.installation.see", Permission.MANAGE_ACCOUNTS, lambda: _("Settings and keys")),
)


def nav() -> list[Way]:
    """The parts of the desk that whoever looks may see."""
    return _ways(_NAV)


def menu() -> list[Way]:
    """What concerns whoever looks, and is seldom needed."""
    return _ways(_MENU)


def _ways(entries: Sequence[_Entry]) -> list[Way]:
    noun = (request.endpoint or "").rpartition(".")[0]
    return [
        Way(words(), url(endpoint), is_current=endpoint.rpartition(".")[0] == noun)
        for endpoint, may, words in entries
        if access.may(visit(), may)
    ]
