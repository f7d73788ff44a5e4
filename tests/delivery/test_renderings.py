"""What is kept of what was rendered: nothing is made twice, and what changed is made anew."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.campaigns.editions import Reader
from mailer.delivery import previews
from mailer.delivery.renderings import Renderings
from mailer.mail import render
from mailer.store.models import Campaign
from tests.support.factories import SENDER, add_text, make_campaign, make_list


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), body="Dear {{ name }}\n")
    for language in ("fr", "de"):
        add_text(session, campaign, language, "Words\n")
    session.commit()
    return campaign


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The languages of what was rendered, in order."""
    rendered: list[str] = []
    original = render.render

    def watched(*arguments: object, **options: object) -> object:
        rendered.append(options["frame"].language)  # type: ignore[attr-defined]
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(render, "render", watched)
    return rendered


def look(engine: Engine, campaign: Campaign, kept: Renderings, language: str = "en") -> str:
    with Session(engine) as session, kept.lent(session):
        there = session.get_one(Campaign, campaign.id)
        return previews.look(session, there, Reader(language, None, None), SENDER).html


def test_who_looks_again_does_not_wait_for_it_to_be_rendered(
    engine: Engine, campaign: Campaign, made: list[str]
) -> None:
    kept = Renderings()
    first = look(engine, campaign, kept)
    assert look(engine, campaign, kept) == first
    assert made == ["en"]


def test_what_was_changed_is_seen_at_once(
    engine: Engine, session: Session, campaign: Campaign, made: list[str]
) -> None:
    kept = Renderings()
    look(engine, campaign, kept)
    next(text for text in campaign.texts if text.language == "en").body = "Other words\n"
    session.commit()
    assert "Other words" in look(engine, campaign, kept)
    assert made == ["en", "en"]


def test_only_the_latest_are_kept(engine: Engine, campaign: Campaign, made: list[str]) -> None:
    kept = Renderings(most=2)
    for language in ("en", "fr", "de", "de", "fr", "en"):
        look(engine, campaign, kept, language)
    assert made == ["en", "fr", "de", "en"]
