"""Addressees: whom a campaign may have people write to, of the targets that are kept apart from campaigns."""

from collections.abc import Iterable, Iterator
from datetime import date

from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.findings import Code, Finding, Level
from mailer.cases.sayable import Sayable
from mailer.cases.targets import Target, Targets
from mailer.store import scope
from mailer.store.models import Campaign, TargetRole

_MOST_NAMED = 5


def of(session: Session, campaign: Campaign) -> Targets:
    """Those with the roles that it asks for, as they are known now: of its case, or of the country it addresses."""
    if not campaign.ask:
        return Targets(())
    return target_book.serving(session, campaign.ask, about=campaign.about, case=campaign.case)


def writable(session: Session, campaign: Campaign) -> Targets:
    """Of these, those to whom there is a way to write, and of whom everything may be said."""
    may = Sayable(campaign.case)
    return Targets(each for each in of(session, campaign) if each.is_reachable and may.may_say(*each.words))


def find(session: Session, campaign: Campaign, slug: str) -> Target | None:
    """The one of that slug, if it is one of them."""
    if not campaign.ask:
        return None
    serving = target_book.serving(session, campaign.ask, about=campaign.about, case=campaign.case, slug=slug)
    return next(iter(serving), None)


def findings(session: Session, campaign: Campaign) -> Iterator[Finding]:
    """The roles that it asks for and that nobody has who can be written to."""
    there = {target.role for target in of(session, campaign) if target.is_reachable}
    for role in campaign.ask:
        if TargetRole(role) not in there:
            what = f"people are asked to write to a target of role {role}, and there is none"
            remedy = (
                "Bring one in with `mailer targets import`, or take the role out of ask and load the campaign again."
            )
            if scope.of(session) is not None:
                remedy = "Targets cannot be seen from here: ask the organisers to send it."
            yield Finding(Level.ERROR, "role-missing", "campaign.toml, ask", what, remedy)


def warnings(targets: Iterable[Target], today: date) -> Iterator[Finding]:
    """Those that somebody should make sure of before people write to them."""
    everything = list(targets)
    if stale := [target.slug for target in everything if target_book.is_stale(target, today)]:
        yield _to_verify("target-stale", stale, f"not verified for {target_book.GOOD_FOR} days, or ever")
    if doubtful := [target.slug for target in everything if target_book.is_doubtful(target)]:
        what = f"reported as wrong from {target_book.DOUBTED_BY} networks or more"
        yield _to_verify("target-doubtful", doubtful, what)


def _to_verify(code: Code, slugs: list[str], what: str) -> Finding:
    named = ", ".join([*slugs[:_MOST_NAMED], *(["…"] if len(slugs) > _MOST_NAMED else [])])
    where, which = (f"{len(slugs)} targets ({named})", "SLUG…") if len(slugs) > 1 else (f"target {named}", named)
    remedy = f"Check the address and all else, then: mailer targets verify {which} --by NAME"
    return Finding(Level.WARNING, code, where, what, remedy)
