"""The campaign that an address names."""

from flask import abort
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import UnknownCampaign
from mailer.cases.sayable import Sayable
from mailer.store.models import Campaign


def campaign(session: Session, slug: str) -> Campaign:
    """The campaign that an address names; a page that says so where there is none."""
    try:
        return lifecycle.get(session, slug)
    except UnknownCampaign:
        abort(404)


def name_of(campaign: Campaign) -> str:
    """What a campaign is called on a page: nothing, where that would be a word that must not appear."""
    return campaign.slug if Sayable(campaign.case).may_say(campaign.slug) else ""
