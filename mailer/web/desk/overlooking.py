"""Overlooking: what stands against a campaign, and whom it reaches, for pages that show it. Of a million people that
takes seconds, and page after page asks: so what was found is shown for some seconds more while the campaign stays as it
is.

Nothing is decided by it: what somebody presses looks for itself.
"""

from collections.abc import Hashable

from sqlalchemy.orm import Session

from mailer.campaigns import readiness, segments
from mailer.campaigns.readiness import Check
from mailer.errors import ConfigurationError
from mailer.operations import checks
from mailer.organisers import content
from mailer.store.models import Campaign
from mailer.web.desk.recent import recent, renderings
from mailer.web.desk.visit import visit
from mailer.web.site import site

#: people on a list who are counted while somebody waits for a page that says other things, too
_FEW = 10_000
#: for how long a number of people is still told
_GOOD_SECONDS = 600.0


def check(session: Session, campaign: Campaign, *, anew: bool = False) -> Check:
    """What stands against a campaign, as it was found some seconds ago at most.

    :param anew: look now: for who has just pressed something, and is told why that was refused.
    """

    def look() -> Check:
        with renderings().lent(session):
            return checks.check(session, campaign, site().settings)

    try:
        known_by = _known_by(session, campaign)
    except ConfigurationError:  # which is one of the findings
        return look()
    return recent("check").get(known_by, look, anew=anew)  # type: ignore[no-any-return]


def people(session: Session, campaign: Campaign) -> int | None:
    """How many people a campaign would reach, as it was found some minutes ago at most; None where it would take long
    to count them, and nobody has done so lately.

    Where a list is short they are counted; of a long one, a page that checks the campaign has to be asked.
    """
    try:
        found = recent("check").peek(_known_by(session, campaign), seconds=_GOOD_SECONDS)
        if found is not None and found.audience:  # else a text may be broken, and nobody was counted
            return int(found.audience)
        return segments.count_few(session, campaign.list_id, segments.segment_of(campaign), most=_FEW)
    except (ConfigurationError, *readiness.UNKNOWN_AUDIENCE):  # which the check finds
        return None


def _known_by(session: Session, campaign: Campaign) -> Hashable:
    """What is different once somebody has changed the campaign, or may see something else of it."""
    return (
        campaign.id,
        content.of(session, campaign, site().settings.mail_sender).hash,
        campaign.status,
        campaign.asking,
        campaign.scheduled_at,
        campaign.case.status if campaign.case else None,
        visit().permissions,
    )
