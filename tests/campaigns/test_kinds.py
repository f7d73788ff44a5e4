"""Kinds of campaign: what each is headed by, and how another one is added."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import editions, kinds
from mailer.campaigns.editions import EditionKey, EditionRenderer
from mailer.campaigns.kinds import KINDS, Kind
from mailer.locale import translations
from mailer.locale.languages import SITE_LANGUAGES
from mailer.mail import render as rendering
from mailer.mail.types import Pieces
from mailer.store.models import Campaign, CampaignText
from tests.conftest import CommandLine
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber

DO_NOTHING = "You need to do nothing. If you passed our appeal on, please ask those people to stop, too."


@pytest.fixture
def own_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Our templates, in a folder to which others can be added."""
    folder = tmp_path / "emails"
    shutil.copytree(rendering.TEMPLATES, folder)
    monkeypatch.setattr(rendering, "TEMPLATES", folder)
    rendering._environment.cache_clear()
    yield folder
    rendering._environment.cache_clear()


def campaign_of(session: Session, kind: str) -> Campaign:
    """One in all languages, whose texts have the same words."""
    campaign = make_campaign(session, make_list(session), body="They were released on Monday.\n")
    campaign.kind = kind
    (english,) = campaign.texts
    for language in set(SITE_LANGUAGES) - {"en"}:
        words = {part: getattr(english, part) for part in ("subject", "preheader", "body", "body_line")}
        campaign.texts.append(CampaignText(language=language, **words))
    session.flush()
    return campaign


def shown(pieces: Pieces) -> str:
    return "".join(piece if isinstance(piece, str) else piece.default for piece in pieces)


def in_one_line(words: str) -> str:
    return " ".join(words.split())


def test_every_kind_has_its_templates_and_every_template_its_kind() -> None:
    there = {path.name for path in (rendering.TEMPLATES / "campaigns").iterdir()}
    assert there == {f"{kind}.{ending}" for kind in KINDS for ending in ("mjml", "txt")}


@pytest.mark.parametrize("language", SITE_LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_is_headed_by_what_it_is_in_its_readers_language(session: Session, kind: str, language: str) -> None:
    made = EditionRenderer(session, campaign_of(session, kind), SENDER).render(EditionKey(language, ""))
    _ = translations.gettext_for(language)
    heading = _(KINDS[kind].heading)
    html, text = shown(made.html), shown(made.text)
    card = html.partition("</style>")[2]
    assert card.index(heading) < card.index("<h1>") < card.index("They were released")
    first, *_rest = text.splitlines()
    assert first == (f"*** {heading} ***" if kind == kinds.STOP else heading)
    assert (_(DO_NOTHING) in html, _(DO_NOTHING) in in_one_line(text)) == (kind == kinds.STOP, kind == kinds.STOP)
    assert shown(made.subject) == "Free the five"
    others = {_(other.heading) for other in KINDS.values()} - {heading}
    assert [other for other in others if other in text or other in card] == []


@pytest.mark.parametrize("kind", ["update", "stop"])
def test_nobody_is_warned_that_news_has_nothing_to_press(session: Session, kind: str) -> None:
    campaign = campaign_of(session, kind)
    assert editions.try_out(session, campaign) == []
    campaign.kind = "urgent_action"
    assert "nothing to press" in str(editions.try_out(session, campaign))


def test_a_kind_is_added_by_two_templates_and_a_declaration(
    cli: CommandLine, session: Session, own_templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_subscriber(session, make_list(session))
    session.commit()
    folder = tmp_path / "sign-with-us"
    folder.mkdir()
    head = 'kind = "petition"\nlist = "urgent-actions"\nlanguage = "en"\nabout = "none"\n'
    (folder / "campaign.toml").write_text(head + "deadline = 2035-12-15\n")
    body = "[Sign the petition](https://example.org/petition)\n"
    (folder / "en.md").write_text(f'+++\nsubject = "Sign with us"\npreheader = "It takes a minute"\n+++\n{body}')
    assert 'there is no kind "petition"' in cli("campaigns", "load", folder, exit_code=1).stderr

    campaigns = own_templates / "campaigns"
    (campaigns / "petition.mjml").write_text(
        '{% extends "layouts/campaign.mjml" %}\n'
        "{% block notice %}<mj-text>Sign by {{ deadline }}</mj-text>{% endblock %}\n"
    )
    (campaigns / "petition.txt").write_text(
        '{% extends "layouts/campaign.txt" %}\n{% block notice %}\nSign by {{ deadline }}\n{% endblock %}\n'
    )
    petition = Kind(heading="Petition", asks=True, keys=frozenset({"deadline"}))
    monkeypatch.setattr(kinds, "KINDS", MappingProxyType({**KINDS, "petition": petition}))

    cli("campaigns", "load", folder)
    cli("campaigns", "preview", "sign-with-us", "-o", "out")
    text, html = (Path("out", f"sign-with-us.en.{ending}").read_text() for ending in ("txt", "html"))
    assert text.startswith("Petition\n\nSign with us\n============\n\nSign by 15 December 2035\n\n")
    assert "15 December 2035" in html and ">Petition<" in html
    assert "READY" not in cli("campaigns", "check", "sign-with-us").stdout
    cli("campaigns", "send", "sign-with-us", "--yes")
    assert json.loads(cli("campaigns", "status", "sign-with-us", "--json").stdout)["status"] == "sending"

    (folder / "campaign.toml").write_text(head + '[[targets]]\nname = "A"\n')
    again = shutil.copytree(folder, tmp_path / "again")
    refused = cli("campaigns", "load", again, exit_code=1).stderr
    assert 'targets: a campaign of kind "petition" has none. Take it out, or write kind = "urgent_action"' in refused
