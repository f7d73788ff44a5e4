"""Editions: one rendering for everyone who reads the same words, frozen when the campaign starts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import editions
from mailer.campaigns.editions import EditionKey, EditionRenderer, Reader, Unrenderable
from mailer.mail.render import ForwardedBy
from mailer.mail.types import Rendering, Slot, SlotContext
from mailer.store.models import Campaign, Edition, TargetRole
from tests.support.factories import SENDER, add_letter, add_text, make_campaign, make_list, make_subscriber, make_union
from tests.support.letters import put_target


def frozen(session: Session, campaign: Campaign) -> dict[tuple[str, str], Rendering]:
    rows = session.scalars(select(Edition).where(Edition.campaign_id == campaign.id))
    return {(row.language, row.variant): editions.from_json(row.rendering) for row in rows}


def test_there_is_one_edition_for_each_wording_that_someone_reads(session: Session) -> None:
    news = make_list(session)
    campaign = make_campaign(session, news, body='{% if country == "GB" %}London{% else %}Elsewhere{% endif %}\n')
    add_text(session, campaign, "fr", "Bonjour\n")
    for country, language in (("GB", "en"), ("FR", "en"), ("DE", "en"), (None, None), ("FR", "fr"), ("GB", "fr")):
        make_subscriber(session, news, country=country, language=language)
    editions.freeze(session, campaign, SENDER)
    assert set(frozen(session, campaign)) == {("en", "1"), ("en", "0"), ("fr", "")}


def test_only_what_the_audience_reads_is_rendered(session: Session) -> None:
    news = make_list(session)
    campaign = make_campaign(session, news, audience={"languages": ["en"]})
    add_text(session, campaign, "fr", "Bonjour\n")
    make_subscriber(session, news, language="en")
    make_subscriber(session, news, language="fr")
    editions.freeze(session, campaign, SENDER)
    assert set(frozen(session, campaign)) == {("en", "")}


@pytest.mark.parametrize(
    ("language", "text"),
    [("pt-BR", "pt"), ("pt", "pt"), ("zh-Hant-TW", "zh-Hant"), ("zh-Hans", "en"), ("sw", "en"), (None, "en")],
)
def test_a_reader_without_a_text_gets_the_nearest_or_the_campaigns_own(
    session: Session, language: str | None, text: str
) -> None:
    campaign = make_campaign(session, make_list(session))
    for other in ("pt", "zh-Hant"):
        add_text(session, campaign, other, "Text\n")
    assert EditionRenderer(session, campaign, SENDER).choose(Reader(language, None, None)) == EditionKey(text, "")


def test_a_condition_on_a_federation_holds_for_the_members_of_its_unions(session: Session) -> None:
    federation = make_union(session, "federation")
    branch = make_union(session, "branch", parent=federation)
    other = make_union(session, "other")
    body = '{% if union == "federation" %}a{% endif %}{% if union == "branch" %}b{% endif %}\n'
    renderer = EditionRenderer(session, make_campaign(session, make_list(session), body=body), SENDER)
    variants = [renderer.choose(Reader("en", "GB", union))[1] for union in (federation.id, branch.id, other.id, None)]
    assert variants == ["10", "11", "00", "00"]


def test_a_condition_on_a_language_holds_for_its_forms(session: Session) -> None:
    body = '{% if language == "pt" %}a{% endif %}{% if language == "pt-BR" %}b{% endif %}\n'
    renderer = EditionRenderer(session, make_campaign(session, make_list(session), body=body), SENDER)
    assert [renderer.choose(Reader(language, None, None))[1] for language in ("pt", "pt-BR", "en")] == [
        "10",
        "11",
        "00",
    ]


def test_a_reader_without_a_text_gets_the_one_that_the_campaign_names_for_it(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    add_text(session, campaign, "ru", "x\n")
    campaign.fallbacks = {"kk": ["ru"]}
    renderer = EditionRenderer(session, campaign, SENDER)
    chosen = [renderer.choose(Reader(language, None, None))[0] for language in ("kk", "kk-KZ", "ru-BY", "tr", None)]
    assert chosen == ["ru", "ru", "ru", "en", "en"]


def test_frozen_editions_do_not_follow_texts_and_sender(session: Session) -> None:
    news = make_list(session)
    make_subscriber(session, news)
    campaign = make_campaign(session, news, body="Before\n")
    editions.freeze(session, campaign, SENDER)
    before = frozen(session, campaign)
    campaign.texts[0].body = "After\n"
    changed = replace(SENDER, organisation="Somebody else", mailbox="other@example.net")
    session.commit()
    assert frozen(session, campaign) == before
    assert campaign.mail_domain == "example.org"
    assert EditionRenderer(session, campaign, changed).render(EditionKey("en", "")) != before["en", ""]


def test_every_wording_is_tried_also_one_behind_an_elif(session: Session) -> None:
    body = '{% if country == "GB" %}a{% elif country == "FR" %}{% if union == "x" %}![b](c){% endif %}{% endif %}\n'
    campaign = make_campaign(session, make_list(session), body=body)
    with pytest.raises(Unrenderable, match=r"^en\.md:5: The picture"):
        editions.try_out(session, campaign)


def test_warnings_name_their_file_once(session: Session) -> None:
    campaign = make_campaign(session, make_list(session), body="Read https://example.org\n")
    add_text(session, campaign, "fr", '{% if country == "GB" %}Londres{% endif %} https://example.org\n')
    [finding] = editions.try_out(session, campaign)
    assert str(finding) == "fr.md: the preheader has 9 characters. 40 to 90 characters work best."


def test_signs_that_would_go_out_are_warned_of_with_their_line(session: Session) -> None:
    body = 'Read https://example.org\n\n{% if country == "GB" %}\n\n**Now, {{ name or "supporter" }}[^1]{% endif %}\n'
    campaign = make_campaign(session, make_list(session), body=body)
    first, second = map(str, editions.try_out(session, campaign))
    assert first.startswith("en.md:9: [^1] goes out as it stands.")
    assert second.startswith("en.md:9: **Now, goes out as it stands.")


def test_words_that_spam_filters_count_are_warned_of_with_their_line(session: Session) -> None:
    body = "Dear {{ name or 'friend' }},\n\nread https://example.org\n\n> Dear Sir or Madam,\n>\n> free them.\n"
    campaign = make_campaign(session, make_list(session), body=body)
    campaign.texts[0].subject = "An urgent request"
    campaign.texts[0].preheader = "Five dockers are in prison. Dear sirs, this is for you."
    assert [str(finding).partition(" costs ")[0] for finding in editions.try_out(session, campaign)] == [
        'en.md:5: "Dear friend"',
        'en.md:9: "Dear Sir"',
        'en.md: "urgent request"',
        'en.md: "Dear sirs"',
    ]


@pytest.mark.parametrize(
    ("deadline", "language", "shown"),
    [
        (datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC), "en", "30 April 2035"),
        (datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC), "fr", "30 avril 2035"),
        (datetime(2035, 4, 30, 16, 0, tzinfo=UTC), "fr", "30 avril 2035, 16:00 (temps universel coordonné)"),
    ],
)
def test_a_deadline_reads_as_people_of_the_language_write_it(
    session: Session, deadline: datetime, language: str, shown: str
) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.deadline = deadline
    add_text(session, campaign, "fr", "Bonjour\n")
    text = "".join(map(str, EditionRenderer(session, campaign, SENDER).render(EditionKey(language, "")).text))
    assert shown in text


@pytest.mark.parametrize(("language", "prefix"), [("en", "/en"), ("fr-CA", "/fr"), ("sw", "")])
def test_a_public_campaign_links_to_its_web_version_in_a_language_of_the_site(
    session: Session, language: str, prefix: str
) -> None:
    campaign = make_campaign(session, make_list(session))
    if language != "en":
        add_text(session, campaign, language, "Text\n")

    def parts() -> tuple[str, str]:
        made = EditionRenderer(session, campaign, SENDER).render(EditionKey(language, ""))
        return "".join(map(str, made.html)), "".join(map(str, made.text))

    url = f"https://act.example.org{prefix}/campaigns/free-the-five"
    assert not any("/campaigns/" in part for part in parts())
    campaign.public = True
    html, text = parts()
    assert f'<a href="{url}">' in html
    assert f"<{url}>" in text


@pytest.mark.parametrize("public", [True, False])
def test_a_mail_that_is_passed_on_has_no_place_for_anybodys_own_links(session: Session, public: bool) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.public, campaign.petition = public, {"to": {"en": "the Embassy"}}
    campaign.targets = [{"countries": [], "name": "Embassy", "email": "", "address": ""}]
    renderer, key = EditionRenderer(session, campaign, SENDER), EditionKey("en", "")
    own, passed_on = (
        renderer.render(key, forwarded_by=by)
        for by in (None, ForwardedBy("Dockers", (), "https://act.example.org/join/dockers"))
    )
    assert {"act_url", "sign_url"} <= {piece.field for piece in own.html if isinstance(piece, Slot)}
    assert {"act_url", "sign_url"}.isdisjoint(piece.field for piece in passed_on.html if isinstance(piece, Slot))
    words = "".join(piece for piece in passed_on.text if isinstance(piece, str))
    assert ("https://act.example.org/en/campaigns/free-the-five/sign" in words) is public
    assert "I have written" not in words


def test_nobody_at_home_is_asked_whether_they_have_written(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.ask, campaign.about = ["embassy"], "BR"
    add_letter(session, campaign)
    put_target(session, "embassy-of-brazil", role=TargetRole.EMBASSY, about="BR")
    renderer = EditionRenderer(session, campaign, SENDER)
    for country, is_asked in (("GB", True), ("BR", False)):
        rendering = renderer.render(renderer.choose(Reader("en", country, None)))
        assert ("act_url" in {piece.field for piece in rendering.html if isinstance(piece, Slot)}) is is_asked


PIECES = st.lists(st.one_of(st.text(), st.builds(Slot, st.text(), st.text(), st.sampled_from(SlotContext)))).map(tuple)


@given(st.builds(Rendering, st.just("en"), PIECES, PIECES, PIECES))
def test_a_rendering_survives_its_storage(rendering: Rendering) -> None:
    assert editions.from_json(editions.to_json(rendering)) == rendering
