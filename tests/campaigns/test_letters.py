"""Letters: which one somebody sends to a target, in which of its wordings, and what stands in it."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import letters
from mailer.campaigns.letters import Letter, Letters, Place
from mailer.campaigns.text_names import TextName
from mailer.cases.targets import Target
from mailer.mail.fields import TextFieldError
from mailer.store.models import Campaign, LetterText, TargetRole
from tests.support.factories import make_campaign, make_list

EMBASSY = TargetRole.EMBASSY

BODY = """{{ salutation or "Your Excellency" }},

I write from {{ country or "abroad" }}. Please
let them go:

- all six;
- at once.

Yours,\\
{{ name or "(your name)" }}
"""


def letter(language: str = "en", **values: object) -> LetterText:
    written = {
        "subjects": ["Free them"],
        "openings": [],
        "closings": [],
        "rules": "",
        "body": BODY,
        "body_line": 5,
        **values,
    }
    return LetterText(role=EMBASSY, language=language, **written)


def target(*reads: str, **values: object) -> Target:
    known = {"slug": "embassy", "role": EMBASSY, "languages": reads, **values}
    return Target((), "Embassy", "embassy@example.org", "", **known)  # type: ignore[arg-type]


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session))
    campaign.letters.extend(letter(language) for language in ("en", "fr", "ru"))
    session.flush()
    return campaign


@pytest.mark.parametrize(
    ("reads", "language"),
    [
        (("ru", "en"), "ru"),
        (("kk", "fr"), "fr"),
        (("fr-CA",), "fr"),
        (("kk",), "en"),
        ((), "en"),
    ],
)
def test_a_target_gets_the_first_language_that_it_reads_and_there_is_a_letter_in(
    campaign: Campaign, reads: tuple[str, ...], language: str
) -> None:
    there = Letters(campaign)
    assert there.place(target(*reads)) == Place(EMBASSY, language, own_words=False)
    assert there.is_in_language_of(target(*reads)) is (reads != ("kk",))


def test_one_that_wants_no_copies_gets_no_letter_and_neither_does_a_role_without_any(campaign: Campaign) -> None:
    there = Letters(campaign)
    assert there.place(target("ru", own_words=True)) == Place(EMBASSY, None, own_words=True)
    court = target("ru", role=TargetRole.AUTHORITY)
    assert there.place(court) == Place(TargetRole.AUTHORITY, None, own_words=False)


def test_what_an_edition_shows_is_read_as_it_was_written(campaign: Campaign) -> None:
    court = target(role=TargetRole.AUTHORITY)
    places = [Letters(campaign).place(each) for each in (target("ru"), target(own_words=True), court)]
    shape = letters.shape_of(places)
    assert shape == "embassy:ru embassy:own authority:-"
    assert letters.places_of(shape) == places
    assert letters.places_of("") == []


@pytest.mark.parametrize(
    ("reader", "reading"), [("de", None), ("fr", "fr"), ("fr-BE", "fr"), ("ru", None), ("kk", None)]
)
def test_who_cannot_read_a_letter_gets_one_in_their_language_beside_it(
    campaign: Campaign, reader: str, reading: str | None
) -> None:
    campaign.fallbacks = {"kk": ["ru", "en"]}
    there = Letters(campaign)
    found = there.reading(there.place(target("ru")), reader)
    assert (found.language if found else None) == reading


def test_what_not_to_write_is_said_in_the_readers_language_else_in_the_campaigns_own(campaign: Campaign) -> None:
    assert Letters(campaign).rules(EMBASSY, "fr") is None
    for text in campaign.letters:
        text.rules = {"en": "No politics.", "ru": "Без политики."}.get(text.language, "")
    there = Letters(campaign)
    assert there.rules(EMBASSY, "ru") == ("ru", "Без политики.")
    assert there.rules(EMBASSY, "fr") == ("en", "No politics.")


def test_the_opening_stands_behind_the_salutation_and_the_closing_before_the_name() -> None:
    read = Letter.of(letter(openings=["I am a docker."], closings=["I await your reply."]))
    written = read.written(0, read.values_for(target(), name="Ana", country="Fiji"))
    assert written.text == (
        "Your Excellency,\n\nI am a docker.\n\nI write from Fiji. Please let them go:\n\n- all six;\n- at once.\n\n"
        "I await your reply.\n\nYours,\nAna"
    )
    bare = Letter.of(letter(body="Please.\n", openings=["I am a docker."], closings=["Yours."]))
    assert bare.written(0, {}).text == "I am a docker.\n\nPlease.\n\nYours."


def test_the_name_of_who_signs_stays_on_a_line_of_its_own() -> None:
    signed = Letter.of(letter(body='Here I am.\nI wait.\n\nYours,\n{{ name or "(your name)" }}\n'))
    assert signed.written(0, {}).text.endswith("Here I am. I wait.\n\nYours,\n(your name)")


def test_a_letter_of_somebody_unknown_says_neither_who_they_are_nor_where_they_live() -> None:
    read = Letter.of(letter())
    known = replace(target(salutations={"en": "Dear Ambassador"}), countries=("DE",))
    text = read.written(0, read.values_for(known)).text
    assert text.startswith("Dear Ambassador,\n\nI write from abroad. ")
    assert text.endswith("Yours,\n(your name)")


def test_names_and_salutations_are_in_the_language_of_the_letter() -> None:
    read = Letter.of(letter("fr", subjects=["À {{ target_name }}"], body='{{ salutation or "Madame" }}\n\nÉcrit.\n'))
    embassy = target(names={"fr": "Ambassade", "de": "Botschaft"}, salutations={"de": "Exzellenz"})
    assert read.written(0, read.values_for(embassy)) == letters.Written("À Ambassade", "Madame\n\nÉcrit.")


def test_every_wording_is_reached_and_one_supporter_always_gets_the_same(campaign: Campaign) -> None:
    read = Letter.of(letter(subjects=["a", "b", "c"], openings=["d", "e"], closings=["f", "g"]))
    assert read.wordings == 12
    assert len({read.wording(number) for number in range(12)}) == 12
    assert read.wording(12) == read.wording(0)
    numbers = [letters.number_for(campaign, person) for person in range(1, 2001)]
    assert numbers == [letters.number_for(campaign, person) for person in range(1, 2001)]
    often = Counter(read.wording(number) for number in numbers)
    assert len(often) == 12
    assert min(often.values()) > 100, "each is sent by about as many"


def test_a_letter_may_print_no_other_field_and_branch_on_nothing() -> None:
    for text in ("{{ union }}", '{% if country == "GB" %}x{% endif %}'):
        with pytest.raises(TextFieldError, match="letter-embassy"):
            letters.parse(text, file=TextName("en", EMBASSY).file)
