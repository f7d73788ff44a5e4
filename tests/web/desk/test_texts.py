"""Texts written at the desk: nothing typed is lost or overwritten, and only what is finished goes out."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, update
from werkzeug.test import TestResponse

from mailer.campaigns import drafts, lifecycle, readiness, text_versions
from mailer.campaigns.text_names import TextName
from mailer.delivery import control
from mailer.organisers import desk_sessions
from mailer.store.models import Account, AccountRole, CampaignStatus, Role
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import make_case
from tests.web.desk.sendable import SLUG, World, make_world

TEXTS = f"/campaigns/{SLUG}/texts"
EN, FR = f"{TEXTS}/en", f"{TEXTS}/fr"
GOOD = {
    "subject": "Free the six",
    "preheader": "Six dockers are in prison: write today.",
    "body": "Dear friend,\n\nwrite to the embassy.\n",
}
FRENCH = {
    "subject": "Libérez les six",
    "preheader": "Six dockers sont en prison : écrivez aujourd’hui.",
    "body": "Chère amie, cher ami,\n\nécrivez à l’ambassade.\n",
}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # that the second save waits for the first is tested on both databases with the domain


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def hidden(page: TestResponse) -> dict[str, str]:
    """What the form of a text holds unseen."""
    form = page.text[page.text.index('id="writing"') :]
    found = re.findall(r'<input type="hidden" name="(base|seen|source)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in found}


def save(who: Organiser, path: str, written: dict[str, str], **more: str) -> TestResponse:
    """Open a text, and save it."""
    return who.press(path, **(hidden(who.get(path)) | written | more))


def by_script(who: Organiser, path: str, fields: dict[str, str]) -> TestResponse:
    data: dict[str, Any] = {"form_token": desk_sessions.form_token(who.secret), **fields}
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    base_url = str(who.client.application.extensions["site"].settings.base_url)
    return who.client.post(f"/desk{path}", data=data, headers=headers, base_url=base_url)


def says(world: World) -> dict[str, str]:
    """What the campaign says: language → subject."""
    with world.session() as session:
        return {text.language: text.subject for text in lifecycle.get(session, SLUG).texts}


def codes(world: World) -> set[str]:
    with world.session() as session:
        return {each.code for each in readiness.findings(session, lifecycle.get(session, SLUG))}


def another_writer(world: World) -> Organiser:
    return come_in(world.app, Role.WRITER, email="walter@example.org", name="Walter")


def test_what_is_saved_is_what_the_campaign_says_and_the_log_tells_who_did_it_once(world: World) -> None:
    answer = save(world.wanda, EN, GOOD)
    assert (answer.status_code, answer.location) == (303, f"/desk{EN}?saved=1")
    assert "It is saved." in words(world.wanda.get(f"{EN}?saved=1"))
    assert says(world) == {"en": "Free the six"}
    save(world.wanda, EN, GOOD | {"subject": "Free all six"})
    assert world.log() == [("campaigns.write", world.wanda.account_id, SLUG)]


def test_what_is_not_finished_is_kept_as_typed_and_shows_at_its_place_what_is_wrong(world: World) -> None:
    assert save(world.wanda, EN, GOOD | {"preheader": "", "body": "Dear\n\n{{ nam }}"}).status_code == 303
    page = world.wanda.get(EN)
    assert "{{ nam }}" in page.text and "There is no preview line yet." in words(page)
    assert 'id="body-problem">Line 3: ' in page.text
    assert says(world) == {"en": "Free the five"}, "the mail is as it was last in order"
    assert "text-unfinished" in codes(world), "and is not sent like that"
    save(world.wanda, EN, GOOD)
    assert says(world) == {"en": "Free the six"} and "text-unfinished" not in codes(world)


def test_of_two_windows_the_second_save_is_refused_and_shows_both(world: World) -> None:
    walter = another_writer(world)
    open_before = hidden(world.wanda.get(EN))
    save(walter, EN, GOOD | {"subject": "Walter’s subject"})
    answer = world.wanda.press(EN, **(open_before | GOOD | {"subject": "Wanda’s subject"}))
    assert answer.status_code == 409 and says(world) == {"en": "Walter’s subject"}
    said = words(answer)
    assert "Somebody else saved this text after you opened it." in said and "Walter saved it" in said
    assert 'value="Wanda’s subject"' in answer.text and "<del>Walter" in answer.text
    assert 'data-saves="no"' in answer.text, "no script saves it before its author has looked"
    merged = world.wanda.press(EN, **(hidden(answer) | GOOD | {"subject": "Both subjects"}))
    assert merged.status_code == 303 and says(world) == {"en": "Both subjects"}


@pytest.mark.parametrize("why", ["approval was asked for", "it is too long"])
def test_what_somebody_else_saved_is_shown_whatever_else_one_is_refused_for(world: World, why: str) -> None:
    walter, form = another_writer(world), hidden(world.wanda.get(EN)) | GOOD
    save(walter, EN, GOOD | {"subject": "Walter’s subject"})
    if why == "it is too long":
        form["body"] = "x" * 50_001
    else:
        assert walter.press(f"/campaigns/{SLUG}/approval/ask").status_code == 303
    answer = world.wanda.press(EN, **form)
    assert answer.status_code == 409 and says(world) == {"en": "Walter’s subject"}
    assert "Walter saved it" in words(answer) and "<del>Walter" in answer.text


def test_a_translation_is_marked_by_what_stood_beside_it_when_it_was_written(world: World) -> None:
    form = hidden(world.wanda.get(FR)) | FRENCH
    save(another_writer(world), EN, GOOD)
    assert world.wanda.press(FR, **form).status_code == 303
    changed = "The source has changed since this was translated"
    page = world.wanda.get(FR)
    assert changed in words(page) and "translation-outdated" in codes(world)
    source = re.findall(r'name="source" value="(\d+)"', page.text)[0]
    world.wanda.press(f"{FR}/compare", source=source)
    assert changed not in words(world.wanda.get(FR)) and "translation-outdated" not in codes(world)


def test_a_form_that_is_sent_twice_is_saved_once(world: World) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD
    assert [world.wanda.press(EN, **form).status_code for _ in range(2)] == [303, 303]
    with world.session() as session:
        assert len(text_versions.history(session, lifecycle.get(session, SLUG), TextName("en"))) == 2, (
            "and what was there before"
        )


def test_a_script_is_told_the_version_and_goes_on_from_it_though_an_answer_was_lost(world: World) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD | {"window": "w1", "turn": "1"}
    said = by_script(world.wanda, EN, form).json
    assert said and said["problems"] == {} and said["saved"].startswith("Saved ")
    lost = by_script(world.wanda, EN, form | {"subject": "Free all", "turn": "2"})
    assert lost.status_code == 200 and says(world) == {"en": "Free all"}
    late = by_script(world.wanda, EN, form | {"subject": "Fr", "turn": "1"})
    assert late.status_code == 409 and says(world) == {"en": "Free all"}, "what arrives late overwrites nothing"
    other = by_script(another_writer(world), EN, form | {"turn": "9"})
    assert other.status_code == 409 and "Somebody else" in str(other.json)


def test_whoever_is_signed_out_meanwhile_has_their_text_again_and_saves_it(world: World) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD
    world.wanda.cookie = "gone"
    answer = world.wanda.press(EN, **form)
    assert answer.status_code == 403 and "Sign in" in answer.text and "Free the six" in unescape(answer.text)
    world.wanda.cookie = world.wanda.secret
    assert world.wanda.send(EN, {"form_token": "old", **form}).location == f"/desk{EN}?again=1"
    page = world.wanda.get(f"{EN}?again=1")
    assert 'value="Free the six"' in page.text and 'data-typed="yes"' in page.text
    by_script(world.wanda, EN, hidden(page) | GOOD)
    save(another_writer(world), EN, GOOD | {"subject": "Newer"})
    assert 'value="Newer"' in world.wanda.get(EN).text, "once it was saved, it fills in no form any more"


def test_a_draft_that_waits_for_approval_is_not_changed_unseen(world: World) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD
    world.ask()
    answer = world.wanda.press(EN, **form)
    assert answer.status_code == 409 and "Approval was asked for" in words(answer)
    assert 'value="Free the six"' in answer.text and says(world) == {"en": "Free the five"}
    assert world.wanda.press(EN, **(hidden(answer) | GOOD)).status_code == 303
    assert says(world) == {"en": "Free the six"} and world.state() == "none"


@pytest.mark.parametrize("how", ["scheduled", "deleted"])
def test_what_can_be_saved_nowhere_any_more_is_given_back(world: World, how: str) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD
    with world.session() as session:
        campaign = lifecycle.get(session, SLUG)
        if how == "deleted":
            control.delete(session, campaign)
        else:
            campaign.status = CampaignStatus.SCHEDULED
    answer = world.wanda.press(EN, **form)
    assert answer.status_code in (404, 409)
    assert "Free the six" in answer.text and "What you typed stands below." in words(answer)
    told = by_script(world.wanda, EN, form)
    assert told.status_code in (404, 409) and told.json


def test_a_translation_stands_beside_its_source_and_is_marked_once_that_changes(world: World) -> None:
    assert world.wanda.press(TEXTS, tongue="French").location == f"/desk{FR}"
    save(world.wanda, EN, GOOD)
    page = world.wanda.get(FR)
    assert "Source: English" in words(page) and "Free the six" in page.text and 'dir="ltr"' in page.text
    save(world.wanda, FR, FRENCH)
    assert says(world) == {"en": "Free the six", "fr": "Libérez les six"}
    assert "source has changed" not in words(world.wanda.get(FR))
    save(world.wanda, EN, GOOD | {"subject": "Free all six"})
    marked = world.wanda.get(FR)
    assert "The source has changed since this was translated" in words(marked) and "<ins>all </ins>" in marked.text
    assert "The source has changed since" in words(world.wanda.get(TEXTS)) and "translation-outdated" in codes(world)
    source = re.search(r'name="source" value="(\d+)"', marked.text)
    assert source and world.wanda.press(f"{FR}/compare", source=source[1]).status_code == 303
    assert "source has changed" not in words(world.wanda.get(FR)) and "translation-outdated" not in codes(world)


def test_a_text_that_is_taken_out_is_in_no_mail_and_can_be_brought_back(world: World) -> None:
    save(world.wanda, FR, FRENCH)
    base = re.search(rf'{FR}/take-out".*?name="base" value="(\d+)"', world.wanda.get(TEXTS).text, re.DOTALL)
    assert base and world.wanda.press(f"{FR}/take-out", base=base[1]).status_code == 303
    assert says(world) == {"en": "Free the five"} and "Libérez" not in world.wanda.get(TEXTS).text
    assert world.wanda.press(f"{EN}/take-out", base="0").status_code == 409, "the source stays"
    page = world.wanda.get(f"{FR}/versions?version={base[1]}")
    now = re.search(r'name="base" value="(\d+)"', page.text)
    assert now and world.wanda.press(f"{FR}/versions", version=base[1], base=now[1]).status_code == 303
    assert says(world)["fr"] == "Libérez les six"


def test_an_earlier_version_shows_how_it_differs_and_is_brought_back(world: World) -> None:
    save(world.wanda, EN, GOOD)
    save(another_writer(world), EN, GOOD | {"subject": "Free all six"})
    page = world.wanda.get(f"{EN}/versions")
    assert "Walter saved it" in words(page) and "Wanda saved it" in words(page)
    numbers = re.findall(r"versions\?version=(\d+)", page.text)
    shown = world.wanda.get(f"{EN}/versions?version={numbers[-1]}")
    assert "<ins>the five</ins>" in shown.text
    form = {"version": numbers[-1], "base": numbers[0]}
    assert world.wanda.press(f"{EN}/versions", **form).status_code == 303
    assert says(world) == {"en": "Free the five"}


def test_the_check_and_the_preview_lead_to_what_is_not_finished(world: World) -> None:
    for path in (EN, FR):
        save(world.wanda, path, GOOD | {"body": ""})
    check = world.wanda.get(f"/campaigns/{SLUG}/check")
    for path in (EN, FR):
        assert f'href="/desk{path}"' in check.text
    assert "mailer campaigns load" not in check.text
    for tag in ("en", "fr"):
        preview = world.wanda.get(f"/campaigns/{SLUG}/preview?lang={tag}")
        assert f'href="/desk{TEXTS}/{tag}">Change it here' in preview.text
    save(world.wanda, EN, GOOD)
    assert "not finished" not in words(world.wanda.get(f"/campaigns/{SLUG}/preview?lang=en"))


def test_a_name_with_a_word_that_must_not_appear_is_refused(world: World) -> None:
    with world.session() as session:
        make_case(session, "leila", never=["Aziza"])
    form = {"subject": "Free Aziza now", "tongue": "en", "kind": "update", "list": "urgent-actions", "case": "leila"}
    answer = world.wanda.press("/new-campaign", **form)
    assert answer.status_code == 422 and "A word is in the name that must not appear" in words(answer)
    assert world.wanda.press("/new-campaign", **form, name="free-her-now").status_code == 303


def test_a_name_of_no_language_is_refused_at_its_field(world: World) -> None:
    answer = world.wanda.press(TEXTS, tongue="Klingon-ish")
    assert answer.status_code == 422 and "No language is known by this name." in words(answer)
    assert 'value="Klingon-ish"' in answer.text
    assert world.wanda.get(f"{TEXTS}/no-such-tongue").status_code == 404


def test_a_campaign_is_begun_with_its_subject_and_every_page_about_it_shows_that_more_is_missing(world: World) -> None:
    form = {"subject": "Free the six!", "tongue": "fr", "kind": "urgent_action", "list": "urgent-actions", "case": ""}
    answer = world.wanda.press("/new-campaign", **form)
    assert answer.location == "/desk/campaigns/free-the-six/texts/fr"
    assert "There is no text yet." in words(world.wanda.get("/campaigns/free-the-six/texts/fr"))
    for path in ("", "/texts", "/check", "/preview", "/preview/mail", "/approval", "/preview/letter", "/preview/kit"):
        assert world.wanda.get(f"/campaigns/free-the-six{path}").status_code == 200, path
    assert world.petra.get("/campaigns/free-the-six/send").status_code == 200
    assert world.wanda.press("/campaigns/free-the-six/tests").status_code == 422
    assert "A text was saved that cannot go out like that" in words(world.wanda.get("/campaigns/free-the-six/check"))
    save(world.wanda, "/campaigns/free-the-six/texts/fr", FRENCH)
    assert "cannot go out like that" not in words(world.wanda.get("/campaigns/free-the-six/check"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject": ""}, "Give it a subject."),
        ({"subject": "Освободите шестерых"}, "Give it one in Latin letters."),
        ({"name": SLUG}, "There is a campaign “free-the-five” already."),
        ({"name": "Free them"}, "lowercase Latin letters"),
        ({"tongue": "no such"}, "No language is known"),
        ({"list": "gone"}, "Choose again."),
    ],
)
def test_a_mistake_in_the_form_of_a_new_campaign_is_told_at_its_field(
    world: World, change: dict[str, str], said: str
) -> None:
    form = {"subject": "Free the six", "tongue": "en", "kind": "update", "list": "urgent-actions", "case": ""}
    answer = world.wanda.press("/new-campaign", **(form | change))
    assert answer.status_code == 422 and said in words(answer)
    assert 'value="no such"' in answer.text or 'value="update" selected' in answer.text


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("Free the six dockers!", "free-the-six-dockers"),
        ("Libérez-les", "liberez-les"),
        ("Отпустите их", ""),
        ("word " * 40, "word-word-word-word-word-word-word-word-word-word-word-word"),
    ],
)
def test_a_name_is_made_of_a_subject_in_latin_letters(subject: str, name: str) -> None:
    assert drafts.name_of(subject) == name


def test_a_long_text_in_any_script_arrives_and_one_that_is_too_long_is_given_back(world: World) -> None:
    long = GOOD | {"body": "Отпустите их на свободу. " * 1_900}
    assert save(world.wanda, EN, long).status_code == 303
    assert says(world) == {"en": "Free the six"}
    answer = save(world.wanda, EN, GOOD | {"body": "Отпустите их на свободу. " * 2_100})
    assert answer.status_code == 409 and "too long to be saved" in words(answer) and "Отпустите" in answer.text


def test_a_campaign_is_copied_under_another_name(world: World) -> None:
    answer = world.wanda.press(f"/campaigns/{SLUG}/copy", name="free-them-again")
    assert answer.location == "/desk/campaigns/free-them-again/texts"
    assert "Free the five" in words(world.wanda.get("/campaigns/free-them-again/texts"))
    again = world.wanda.press(f"/campaigns/{SLUG}/copy", name="free-them-again")
    assert again.status_code == 422 and "There is a campaign “free-them-again” already." in words(again)


def test_who_may_not_write_any_more_gets_back_what_they_typed_and_nobody_else_learns_of_the_page(world: World) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD
    with world.session() as session:
        session.execute(delete(AccountRole).where(AccountRole.account_id == world.wanda.account_id))
    answer = world.wanda.press(EN, **form)
    assert answer.status_code == 404 and "You may not change texts any more." in words(answer)
    assert "write to the embassy." in answer.text and says(world) == {"en": "Free the five"}
    said = by_script(world.wanda, EN, form)
    assert said.status_code == 404 and said.json == {"refused": "You may not change texts any more."}
    assert "may not change" not in words(world.wanda.get(FR)) and world.wanda.get(FR).status_code == 404


def test_what_the_program_says_in_english_only_is_marked_as_english(world: World) -> None:
    save(world.wanda, EN, GOOD | {"body": "{{ <b> }}"})
    with world.session() as session:
        session.execute(update(Account).values(language="ar"))
    page = world.wanda.get(EN)
    assert '<html lang="ar"' in page.text
    assert re.search(r'id="body-problem">[^<]*<span lang="en" dir="ltr">[^<]*</span>', page.text)
