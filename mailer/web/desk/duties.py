"""Duties: what the roles are called, and what somebody in each of them does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mailer.store.models import Role
from mailer.web.language import _


@dataclass(frozen=True, slots=True)
class Duty:
    """A role, in words."""

    role: Role
    name: str
    does: str


_DUTIES: Mapping[Role, Callable[[], tuple[str, str]]] = {
    Role.WRITER: lambda: (
        _("Writer"),
        _("Writes campaigns, checks and tests them, and asks for approval. May pause what is going out."),
    ),
    Role.PUBLISHER: lambda: (_("Publisher"), _("Approves, sends, pauses and stops. Sees who was refused, and why.")),
    Role.ANALYST: lambda: (_("Analyst"), _("Sees totals, with small numbers hidden. Needs no second factor.")),
    Role.ADMIN: lambda: (_("Admin"), _("Lets people in, gives them roles, and sees who did what. Sends nothing.")),
}


def of(role: Role) -> Duty:
    """A role in the reader's language."""
    return Duty(role, *_DUTIES[role]())


def every() -> list[Duty]:
    """All roles, in the order in which they are offered."""
    return [of(role) for role in _DUTIES]
