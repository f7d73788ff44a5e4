"""Letters written at the desk: beside the texts of a mail, in fields of their own, kept and refused as those are."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import delete, select

from mailer.campaigns import lifecycle, readiness
from mailer.campaigns.written import WrittenLetter
from mailer.organisers.desk_sessions import form_token
from mailer.store.models import AccountRole, AuditEntry
from mailer.web import protection
from tests.support.desk import words
from tests.web.desk.sendable import SLUG, World, make_world
from tests.web.desk.test_texts import another_writer, by_script, codes, hidden, save

TEXTS = f"/campaigns/{SLUG}/texts"
EN, FR = f"{TEXTS}/letter-embassy.en", f"{TEXTS}/letter-embassy.fr"
GOOD = {
    "subjects": "Free the six\nSix dockers in prison",
    "openings": "Six dockers are in prison.\n\nSix people are held.",
    "body": '{{ salutation or "Your Excellency" }}\n\nRelease them.\n\n{{ name or "(your name)" }}',
    "closings": "",
    "rules": "Be polite.",
}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the domain is tested on both


@pytest.fixture
def world(app: Flask) -> World:
    made = make_world(app)
    with made.session() as session:
        lifecycle.get(session, SLUG).ask = ["embassy"]
    return made


def says(world: World) -> dict[str, list[str]]:
    """What people can send: language → subjects."""
    with world.session() as session:
        return {letter.language: letter.subjects for letter in lifecycle.get(session, SLUG).letters}


def test_a_letter_is_written_translated_and_taken_out_from_the_list_of_texts(world: World) -> None:
    page = world.wanda.get(TEXTS)
    assert "Letter to embassies" in words(page) and "There is no letter yet." in words(page)
    assert f'href="/desk{EN}"' in page.text
    assert save(world.wanda, EN, GOOD).status_code == 303
    assert says(world) == {"en": ["Free the six", "Six dockers in prison"]}
    assert world.log()[-1] == ("campaigns.write", world.wanda.account_id, SLUG)
    added = world.wanda.press(TEXTS, role="embassy", tongue="French")
    assert added.location == f"/desk{FR}"
    page = world.wanda.get(FR)
    assert "Source: English" in words(page) and "Release them." in page.text
    save(world.wanda, FR, GOOD | {"subjects": "Libérez-les"})
    assert says(world)["fr"] == ["Libérez-les"]
    page = world.wanda.get(TEXTS)
    assert f'action="/desk{FR}/take-out"' in page.text and f'action="/desk{EN}/take-out"' not in page.text
    form = re.search(rf'action="/desk{re.escape(FR)}/take-out".*?name="base" value="(\d+)"', page.text, re.DOTALL)
    assert form and world.wanda.press(f"{FR}/take-out", base=form[1], seen="").status_code == 303
    assert sorted(says(world)) == ["en"]
    refused = world.wanda.press(f"{EN}/take-out", base="0", seen="")
    assert refused.status_code == 409 and "saved this text after you opened it" in words(refused)


def test_what_is_wrong_stands_at_its_field_with_the_number_and_nothing_is_lost(world: World) -> None:
    wrong = GOOD | {"subjects": "Once\nonce", "openings": "Good.\n\nBy {{ name }}.", "body": "Dear\n\n{{ nam }}"}
    assert save(world.wanda, EN, wrong).status_code == 303
    page = world.wanda.get(EN)
    assert 'id="subjects-problem">Number 2: ' in page.text and 'id="openings-problem">Number 2: ' in page.text
    assert 'id="body-problem">Line 3: ' in page.text
    for value in ("Once\nonce", "Good.\n\nBy {{ name }}.", "Dear\n\n{{ nam }}"):
        assert value in unescape(page.text)
    assert says(world) == {} and "text-unfinished" in codes(world)
    assert f'href="/desk{EN}"' in world.wanda.get(f"/campaigns/{SLUG}/check").text, "the check leads there"


def test_a_translation_says_that_it_waits_for_the_letter_itself(world: World) -> None:
    save(world.wanda, FR, GOOD)
    assert "Finish that one first." in words(world.wanda.get(FR))
    save(world.wanda, EN, GOOD)
    assert sorted(says(world)) == ["en", "fr"]
    assert "Finish that one first." not in words(world.wanda.get(FR))


def test_a_letter_to_those_who_are_not_asked_any_more_says_so_and_can_go(world: World) -> None:
    company = f"{TEXTS}/letter-company.en"
    save(world.wanda, company, GOOD)
    assert "does not ask people to write to them" in words(world.wanda.get(company))
    page = world.wanda.get(TEXTS)
    assert "Letter to companies" in words(page) and "take the letter out" in words(page)
    base = hidden(world.wanda.get(company))["base"]
    assert world.wanda.press(f"{company}/take-out", base=base, seen="").status_code == 303
    assert "Letter to companies" not in words(world.wanda.get(TEXTS))


def test_the_log_tells_a_letter_from_a_text_and_the_check_leads_to_it(world: World) -> None:
    save(world.wanda, EN, GOOD | {"subjects": "Urgent request"})
    with world.session() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last and last.details == {"language": "en", "role": "embassy"}
        found = readiness.check(session, lifecycle.get(session, SLUG)).findings
        places = {each.where for each in found if each.where.startswith("letter-embassy.en.md, subjects")}
    assert places == {"letter-embassy.en.md, subjects, number 1"}
    assert f'href="/desk{EN}"' in world.wanda.get(f"/campaigns/{SLUG}/check").text


def test_the_preview_says_that_something_later_is_saved(world: World) -> None:
    preview = f"/campaigns/{SLUG}/preview/letter"
    save(world.wanda, EN, GOOD)
    assert "A later text is saved" not in words(world.wanda.get(preview))
    save(world.wanda, EN, GOOD | {"subjects": ""})
    assert "A later text is saved that is not finished: Letter to embassies" in words(world.wanda.get(preview))


@pytest.mark.parametrize("letter", ["न", "😀"])
def test_a_form_whose_every_field_is_full_is_taken(world: World, letter: str) -> None:
    full = {name: letter * longest for name, longest in WrittenLetter.LONGEST.items()}
    data = {"form_token": form_token(world.wanda.secret), **hidden(world.wanda.get(EN)), **full}
    base_url = str(world.app.extensions["site"].settings.base_url)
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = world.wanda.client.post(
        f"/desk{EN}", content_type="multipart/form-data", base_url=base_url, headers=headers, data=data
    )
    assert answer.status_code == 303
    most = protection.most_bytes("desk.coming.enter")
    assert len(urlencode(data)) < most, "whoever has to sign in first sends it along"


def test_of_two_who_write_a_letter_the_second_sees_both(world: World) -> None:
    walter = another_writer(world)
    before = hidden(world.wanda.get(EN))
    save(walter, EN, GOOD | {"rules": "Walter’s rules."})
    refused = world.wanda.press(EN, **(before | GOOD | {"rules": "Wanda’s rules."}))
    assert refused.status_code == 409
    assert "Walter’s rules." in refused.text and "Wanda’s rules." in refused.text
    assert "Walter saved it" in words(refused)


def test_an_earlier_version_of_a_letter_is_brought_back(world: World) -> None:
    save(world.wanda, EN, GOOD)
    save(world.wanda, EN, GOOD | {"subjects": "Free them"})
    page = world.wanda.get(f"{EN}/versions")
    first = re.findall(r"version=(\d+)", page.text)[-1]
    page = world.wanda.get(f"{EN}/versions?version={first}")
    assert "Subjects" in words(page) and "Free the six" in page.text
    base = re.findall(r'name="base" value="(\d+)"', page.text)[0]
    assert world.wanda.press(f"{EN}/versions", version=first, base=base, seen="").status_code == 303
    assert says(world) == {"en": ["Free the six", "Six dockers in prison"]}


def test_a_script_saves_a_letter_and_is_told_what_is_wrong_at_which_field(world: World) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD | {"window": "w1", "turn": "1", "closings": "By {{ name }}."}
    said = by_script(world.wanda, EN, form).json
    assert said and list(said["problems"]) == ["closings"]
    form |= {"base": str(said["version"]), "turn": "2", "closings": ""}
    said = by_script(world.wanda, EN, form).json
    assert said and said["problems"] == {} and sorted(says(world)) == ["en"]


def test_who_may_not_write_any_more_gets_the_letter_back(world: World) -> None:
    form = hidden(world.wanda.get(EN)) | GOOD
    with world.session() as session:
        session.execute(delete(AccountRole).where(AccountRole.account_id == world.wanda.account_id))
    back = world.wanda.press(EN, **form)
    assert back.status_code == 404 and "Six people are held." in back.text and "Be polite." in back.text


@pytest.mark.parametrize("stem", ["letter-embassy", "letter-queen.en", "letter-embassy.EN", "letter-embassy.en.fr"])
def test_there_is_no_letter_of_another_name(world: World, stem: str) -> None:
    assert world.wanda.get(f"{TEXTS}/{stem}").status_code == 404
