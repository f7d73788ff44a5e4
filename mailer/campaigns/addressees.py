"""Addressees: whom a campaign may have people write to, of the targets that are kept apart from campaigns."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.findings import Finding, Level
from mailer.cases.targets import Targets
from mailer.store import scope
from mailer.store.models import Campaign, TargetRole


def of(session: Session, campaign: Campaign) -> Targets:
    """Those with the roles that it asks for, as they are known now: of its case, or of the country it addresses."""
    if not campaign.ask:
        return Targets(())
    return target_book.serving(session, campaign.ask, about=campaign.about, case=campaign.case)


def findings(session: Session, campaign: Campaign) -> Iterator[Finding]:
    """The roles that it asks for and that nobody has."""
    there = {target.role for target in of(session, campaign)}
    for role in campaign.ask:
        if TargetRole(role) not in there:
            what = f"people are asked to write to a target of role {role}, and there is none"
            remedy = (
                "Bring one in with `mailer targets import`, or take the role out of ask and load the campaign again."
            )
            if scope.of(session) is not None:
                remedy = "Targets cannot be seen from here: ask the organisers to send it."
            yield Finding(Level.ERROR, "role-missing", "campaign.toml, ask", what, remedy)
