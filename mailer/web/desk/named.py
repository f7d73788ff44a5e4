"""The campaign that an address names."""

from flask import abort
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import UnknownCampaign
from mailer.cases.sayable import Sayable, Words
from mailer.locale import languages
from mailer.store.models import Asking, Campaign
from mailer.web.language import current


def campaign(session: Session, slug: str) -> Campaign:
    """The campaign that an address names; a page that says so where there is none."""
    try:
        return lifecycle.get(session, slug)
    except UnknownCampaign:
        abort(404)


def name_of(campaign: Campaign) -> str:
    """What a campaign is called on a page: nothing, where that would be a word that must not appear."""
    return campaign.slug if Sayable(campaign.case).may_say(campaign.slug) else ""


def subject_of(campaign: Campaign) -> Words | None:
    """What its mail is headed by, for whoever looks: in their language, else in the campaign's own. Nothing once it was
    withdrawn, nor where a word stands in it that must not appear."""
    subjects = {text.language: text.subject for text in campaign.texts}
    if not subjects or campaign.asking is Asking.WITHDRAWN:
        return None
    own = campaign.language if campaign.language in subjects else next(iter(subjects))
    tag = languages.nearest(current(), subjects) or own
    return Words(tag, subjects[tag]) if Sayable(campaign.case).may_say(subjects[tag]) else None
