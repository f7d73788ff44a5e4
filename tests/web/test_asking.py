"""On no page is anybody asked to act on what was stopped, closed or withdrawn."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug import Response

from mailer.store.models import Campaign, CampaignStatus, CaseEventKind
from tests.support.cases import decide, make_case
from tests.support.factories import WHEN
from tests.support.letters import add_letter
from tests.web.pages import every_page

#: as whatever `every_page` names
SLUG = "urgent-actions"
#: what asks people to act, in any language; a token may hold the digits of a year
CALLS = re.compile(
    rb"mailto:embassy@example\.org|To: embassy@example\.org|Write to the embassy|(?<![0-9a-f])2035(?![0-9a-f])|act-now"
    rb'|value="promised"|value="sign"|<a [^>]*href="[^"]*/sign[^"]*"(?! lang)'
    rb'|<progress|share-text|action="(?:/fr)?/act/[^/"]+"'
)


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is asked of the database is tested on both with `campaigns.asking`


@pytest.fixture
def campaign(session: Session, links: dict[str, str]) -> Campaign:
    """A campaign that can be met wherever one can be, with a link to each of its pages in `links`."""
    campaign = session.scalars(select(Campaign).where(Campaign.slug == "free-the-five")).one()
    campaign.slug, campaign.case = SLUG, make_case(session, SLUG)
    campaign.public = campaign.forwardable = True
    campaign.status, campaign.started_at = CampaignStatus.SENT, WHEN
    campaign.deadline = datetime(2035, 4, 30, tzinfo=UTC)
    campaign.about, campaign.ask, campaign.petition = "BR", ["embassy"], {"to": {"en": "the Embassy of Brazil"}}
    add_letter(session, campaign)
    unlisted(session).case = campaign.case
    campaign.texts[0].preheader = "Write to the embassy"
    campaign.texts[0].body = "They were arrested.\n\n[Write](mailto:embassy@example.org)\n"
    session.commit()
    return campaign


def unlisted(session: Session) -> Campaign:
    """One that is not public, and has letters."""
    return session.scalars(select(Campaign).where(Campaign.slug == "not-public")).one()


def asking(app: Flask, client: FlaskClient, links: dict[str, str]) -> set[str]:
    """The pages that ask people to act, without tokens and languages."""
    found = set()
    for page in every_page(app, links):
        where = page.removeprefix("/fr")
        for token in links.values():
            where = where.replace(token, "…")
        with client.get(page) as answer:
            if _asks(answer, where):
                found.add(where)
    if _asks(client.post(f"/confirm/{links['confirm']}"), "welcome"):
        found.add("welcome")
    return found


def _asks(answer: Response, where: str) -> bool:
    is_file = where.startswith("/kit/") and "attachment" in answer.headers.get("Content-Disposition", "")
    return answer.status_code == 200 and (is_file or CALLS.search(answer.data) is not None)


@pytest.mark.parametrize(
    ("of_case", "kind"),
    [
        (True, CaseEventKind.STOPPED),
        (True, CaseEventKind.CLOSED),
        (False, CaseEventKind.STOPPED),
        (False, CaseEventKind.CLOSED),
        (False, CaseEventKind.WITHDRAWN),
    ],
)
def test_no_page_asks_anybody_to_act_on_what_was_ended_and_all_do_once_it_is_reopened(
    app: Flask,
    client: FlaskClient,
    session: Session,
    links: dict[str, str],
    campaign: Campaign,
    of_case: bool,
    kind: CaseEventKind,
) -> None:
    # A new page that asks people to act belongs here, too.
    everywhere = {
        "/act/…",
        "/campaigns",
        f"/campaigns/{SLUG}",
        f"/campaigns/{SLUG}/sign",
        f"/campaigns/{SLUG}/letter",
        f"/campaigns/{SLUG}/letter/gb-embassy",
        f"/campaigns/{SLUG}/letter/gb-embassy/letter.eml",
        f"/cases/{SLUG}",
        "/feed.atom",
        "/kit/…",
        "/kit/…/fr/leaflet.pdf",
        "/kit/…/kit.zip",
        "/sign/…",
        "/signed/…",
        "/letters/…",
        "/letters/…/gb-embassy",
        "/letters/…/gb-embassy/letter.eml",
        "welcome",
    }
    assert asking(app, client, links) == everywhere
    assert campaign.case is not None
    ended = [campaign.case] if of_case else [campaign, unlisted(session)]
    for about in ended:
        decide(session, about, kind)
    assert asking(app, client, links) == set()
    if kind is not CaseEventKind.WITHDRAWN:
        for about in ended:
            decide(session, about, CaseEventKind.REOPENED)
        assert asking(app, client, links) == everywhere


@pytest.mark.parametrize(
    "columns", [{"deadline": WHEN}, {"deadline": None}, {"status": CampaignStatus.CANCELLED}], ids=str
)
def test_no_page_asks_anybody_to_act_once_it_is_too_late(
    app: Flask,
    client: FlaskClient,
    session: Session,
    links: dict[str, str],
    campaign: Campaign,
    columns: dict[str, Any],
) -> None:
    assert asking(app, client, links)
    for about in (campaign, unlisted(session)):
        for name, value in columns.items():
            setattr(about, name, value)
    session.commit()
    assert asking(app, client, links) == set()
