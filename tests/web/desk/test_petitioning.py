"""Who gets the names of a petition is written at the desk, and nothing that somebody typed is lost."""

import re
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import delete

from mailer.campaigns import lifecycle, text_versions
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import Saving
from mailer.campaigns.written import Written, WrittenLetter
from mailer.organisers.approvals import State
from mailer.store.db import utcnow
from mailer.store.models import AccountRole, CampaignStatus, TargetRole
from tests.support.desk import Organiser, words
from tests.web.desk.sendable import SLUG, World, make_world

PAGE = f"/campaigns/{SLUG}/outline/petition"
TO = {"en": "the Embassy of Ondoria", "fr": "l’ambassade d’Ondorie"}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # a form and its column: which database keeps it makes no difference


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def form(who: Organiser) -> dict[str, str]:
    """What the page's form says, when nothing is changed on it."""
    page = who.get(PAGE).text
    hidden = re.findall(r'<input type="hidden" name="(mark|seen)" value="([^"]*)"', page)
    areas = re.findall(r'<textarea id="(to-[\w-]+)"[^>]*>\n?([^<]*)</textarea>', page)
    return {name: unescape(value) for name, value in [*hidden, *areas]}


def petition(world: World) -> dict[str, str] | None:
    stored = world.campaign().petition
    return stored["to"] if stored else None


def test_each_language_of_the_texts_has_a_field_and_others_are_added(world: World) -> None:
    with world.session() as session:
        french = Written.of("Libérez-les", "Écrivez", "Écrivez.")
        campaign = lifecycle.get(session, SLUG)
        text_versions.save(session, campaign, TextName("fr"), french, Saving(base=0, at=utcnow()), goes_out=False)
        letter = WrittenLetter(subjects=("Свободу",), body="Свободу.\n")
        name = TextName("ru", TargetRole.EMBASSY)
        text_versions.save(session, campaign, name, letter, Saving(base=0, at=utcnow()), goes_out=False)
    first = form(world.wanda)
    assert [name for name in first if name.startswith("to-")] == ["to-en", "to-fr", "to-new"]
    answer = world.wanda.press(
        PAGE, **(first | {"to-en": TO["en"], "to-fr": TO["fr"], "tongue": "Deutsch", "to-new": "die Botschaft"})
    )
    assert answer.status_code == 303 and petition(world) == TO | {"de": "die Botschaft"}
    again = form(world.wanda)
    assert (again["to-en"], again["to-de"], again["to-new"]) == (TO["en"], "die Botschaft", "")
    assert world.log() == [("campaigns.write", world.wanda.account_id, SLUG)]
    assert world.wanda.press(PAGE, **(again | {"to-de": " "})).status_code == 303 and petition(world) == TO


def test_with_all_fields_empty_there_is_no_petition(world: World) -> None:
    world.wanda.press(PAGE, **(form(world.wanda) | {"to-en": TO["en"]}))
    assert petition(world) and "nobody can sign" in words(world.wanda.get(PAGE))
    assert world.wanda.press(PAGE, **(form(world.wanda) | {"to-en": ""})).status_code == 303
    assert petition(world) is None


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"tongue": "fr", "to-new": "x"}, "to-en", "it is the campaign’s own language"),
        ({"to-en": "x" * 201}, "to-en", "This may have 200 letters."),
        ({"to-en": "x", "tongue": "fr", "to-new": "y" * 201}, "to-new", "This may have 200 letters."),
        ({"to-en": "x", "tongue": "Klingonish", "to-new": "y"}, "tongue", "No language is known by this name."),
        ({"to-en": "x", "tongue": "en", "to-new": "y"}, "tongue", "has a field of its own above"),
        ({"to-en": "x", "to-new": "y"}, "tongue", "Choose the language"),
        ({"to-en": "x", "tongue": "fr"}, "to-new", "or leave the language out"),
        ({"to-en": "x", "to-no such": "y"}, "to-no such", "is not a language"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(
    world: World, typed: dict[str, str], field: str, said: str
) -> None:
    answer = world.wanda.press(PAGE, **(form(world.wanda) | typed))
    assert answer.status_code == 422 and said in words(answer)
    assert f'href="#{field}"' in answer.text and petition(world) is None
    assert all(value in answer.text for value in typed.values() if field != "to-no such")


def test_of_two_who_write_the_second_is_shown_what_the_first_saved(world: World) -> None:
    late = form(world.wanda)
    world.petra.press(PAGE, **(late | {"to-en": "the Ministry"}))
    world.change(lambda campaign: setattr(campaign, "petition", {"to": {"en": "the Ministry"}}))
    answer = world.wanda.press(PAGE, **(late | {"to-en": "the Court"}))
    assert answer.status_code == 409 and "Somebody else has changed this meanwhile." in words(answer)
    assert "the Ministry" in answer.text and "the Court</textarea>" in answer.text
    assert petition(world) == {"en": "the Ministry"}
    mark = dict(re.findall(r'name="(mark|seen)" value="([^"]*)"', answer.text))
    assert world.wanda.press(PAGE, **(late | {"to-en": "the Court"} | mark)).status_code == 303
    assert petition(world) == {"en": "the Court"}


def test_whoever_was_signed_out_or_may_not_write_any_more_keeps_what_they_typed(world: World) -> None:
    typed = form(world.wanda) | {"to-en": "the Court", "tongue": "fr", "to-new": "le tribunal"}
    assert world.wanda.send(PAGE, typed | {"form_token": "of another session"}).status_code == 303
    again = world.wanda.get(PAGE).text
    assert "the Court</textarea>" in again and "le tribunal</textarea>" in again and petition(world) is None
    with world.session() as session:
        session.execute(delete(AccountRole).where(AccountRole.account_id == world.wanda.account_id))
    answer = world.wanda.press(PAGE, **typed)
    assert answer.status_code == 404 and "le tribunal" in answer.text and petition(world) is None


def test_what_is_no_draft_any_more_or_waits_for_approval_is_not_changed_unseen(world: World) -> None:
    late = form(world.wanda) | {"to-en": "the Court"}
    world.ask()
    answer = world.wanda.press(PAGE, **late)
    assert answer.status_code == 409 and "Approval was asked for" in words(answer) and petition(world) is None
    world.change(lambda campaign: setattr(campaign, "status", CampaignStatus.SCHEDULED))
    answer = world.wanda.press(PAGE, **late)
    assert answer.status_code == 409 and "the Court" in answer.text and petition(world) is None


def test_what_was_approved_has_to_be_approved_anew_once_others_get_the_names(world: World) -> None:
    world.approve()
    assert world.wanda.press(PAGE, **(form(world.wanda) | {"to-en": TO["en"]})).status_code == 303 and petition(world)
    assert world.state() is not State.APPROVED


def test_a_kind_without_a_petition_has_no_page_of_it_but_one_that_has_something_to_empty(world: World) -> None:
    world.change(lambda campaign: setattr(campaign, "kind", "update"))
    assert f'href="/desk{PAGE}"' not in world.wanda.get(f"/campaigns/{SLUG}/outline").text
    assert "A campaign of this kind has no petition." in words(world.wanda.get(PAGE))
    world.change(lambda campaign: setattr(campaign, "petition", {"to": TO}))
    assert f'href="/desk{PAGE}"' in world.wanda.get(f"/campaigns/{SLUG}/outline").text
    kept = form(world.wanda)
    assert world.wanda.press(PAGE, **(kept | {"to-fr": "x"})).status_code == 422 and petition(world) == TO
    assert world.wanda.press(PAGE, **(kept | {"to-en": "", "to-fr": ""})).status_code == 303
    assert petition(world) is None
