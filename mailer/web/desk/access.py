"""Who may have a page or a press of the desk."""

from mailer.organisers.roles import Permission
from mailer.web.desk.visit import Visit

#: where it is not a permission that says so
SIGNED_IN, ANYBODY = "signed in", "anybody"


def may(visit: Visit, needed: Permission | str) -> bool:
    """Whether somebody who is signed in may have what needs a permission, or SIGNED_IN."""
    return needed in (SIGNED_IN, ANYBODY) or visit.may(needed)
