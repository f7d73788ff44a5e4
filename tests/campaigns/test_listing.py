"""The list of campaigns: each stands on one page, whatever is made or deleted meanwhile."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import listing
from mailer.people import notices
from mailer.store.models import Campaign, CampaignStatus
from tests.support.factories import make_campaign, make_list


@pytest.fixture
def seven(session: Session) -> list[Campaign]:
    """Seven campaigns, of which every other one was sent; and the one that system mails are owed under."""
    news = make_list(session)
    notices.campaign(session)
    statuses = (CampaignStatus.SENT, CampaignStatus.DRAFT)
    made = [make_campaign(session, news, slug=f"alert-{n}", status=statuses[n % 2]) for n in range(7)]
    session.flush()
    return made


def slugs(page: listing.Page) -> list[str]:
    return [each.slug for each in page.campaigns]


@pytest.mark.usefixtures("seven")
def test_the_pages_hold_every_campaign_once_the_latest_first_and_lead_back(session: Session) -> None:
    first = listing.page(session, most=3)
    second = listing.page(session, most=3, before=first.older)
    third = listing.page(session, most=3, before=second.older)
    assert [slugs(first), slugs(second), slugs(third)] == [
        ["alert-6", "alert-5", "alert-4"],
        ["alert-3", "alert-2", "alert-1"],
        ["alert-0"],
    ]
    assert first.newer is None and third.older is None
    assert listing.page(session, most=3, after=third.newer) == second
    assert listing.page(session, most=3, after=second.newer) == first


def test_a_page_shows_the_same_while_others_are_made_and_deleted(session: Session, seven: list[Campaign]) -> None:
    first = listing.page(session, most=3)
    second = listing.page(session, most=3, before=first.older)
    make_campaign(session, seven[0].mailing_list, slug="new")
    session.delete(seven[4])  # the one behind which it begins
    session.flush()
    assert slugs(listing.page(session, most=3, before=first.older)) == slugs(second)


@pytest.mark.usefixtures("seven")
def test_only_those_of_a_status_or_with_a_beginning_are_shown(session: Session) -> None:
    sent = listing.page(session, status=CampaignStatus.SENT, most=3)
    assert slugs(sent) == ["alert-6", "alert-4", "alert-2"] and sent.older is not None
    assert slugs(listing.page(session, beginning="alert-3")) == ["alert-3"]
    assert listing.page(session, beginning="%") == listing.Page([], None, None)


@pytest.mark.usefixtures("seven")
def test_the_numbers_by_status_leave_out_what_nobody_made(session: Session) -> None:
    assert listing.by_status(session) == {CampaignStatus.DRAFT: 3, CampaignStatus.SENT: 4}
    assert list(listing.by_status(session)) == [CampaignStatus.DRAFT, CampaignStatus.SENT]
