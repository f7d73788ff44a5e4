"""What must never appear is found however it is written, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.cases.never import Never


def lines(text: str, *forms: str) -> list[int]:
    return [place.line for place in Never(forms).find("en.md", text)]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("We know that Amal Odeh saw it.", "Amal Odeh"),
        ("AMAL ODEH", "Amal Odeh"),
        ("Amál Ôdeh", "Amal Odeh"),
        ("Ａｍａｌ Ｏｄｅｈ", "Amal Odeh"),
        ("Amal\nOdeh", "Amal Odeh"),
        ("AmalOdeh", "Amal Odeh"),
        ("A\u00admal O\u200bdeh", "Amal Odeh"),
        ("Am**al** _Odeh_", "Amal Odeh"),
        ("Аmаl Оdеh, with five Cyrillic letters", "Amal Odeh"),
        ("Amals Bruder", "Amal"),
        ("Im Dorf Sankt Älba", "St. Älba, Sankt Alba"),
        ("رأت أمل ذلك", "أمل"),
        ("وأمل رأت", "أمل"),
        ("مع أَمَلَ", "أمل"),
        ("И Тимура видели", "Тимур"),
        ("ΤΗΝ ΆΝΝΑ", "Άννα"),
        ("小林美佳さんは", "美佳"),
        ("She is called Al.", "Al"),
        ("mail to amal@example.org", "Amal"),
    ],
)
def test_a_word_is_found_however_it_is_written(text: str, form: str) -> None:
    assert lines(text, *form.split(", ")) == [1]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("A normal alarm", "Amal"),
        ("Malamal is a town", "Amal"),
        ("All ally alone", "Al"),
        ("Himalaya", "mala"),
        ("Nothing of the kind", "Amal Odeh"),
        ("", "Amal"),
        ("Amal", ""),
    ],
)
def test_other_words_are_left_alone(text: str, form: str) -> None:
    assert lines(text, form) == []


def test_each_line_is_named_once_and_counted_from_where_the_text_starts() -> None:
    found = Never(["Amal", "Odeh"]).find("en.md", "Amal Odeh\n\nnobody\nODEH and amal", first_line=5)
    assert [(place.where, place.line) for place in found] == [("en.md", 5), ("en.md", 8)]


def test_no_form_shows_in_a_repr() -> None:
    assert "amal" not in repr(Never(["Amal"])).lower()


@given(st.text(alphabet="abcxyzаеоАΟé ·-\n", min_size=2, max_size=12), st.text(max_size=20))
def test_a_form_of_four_letters_or_more_is_found_between_other_words(form: str, around: str) -> None:
    if sum(char.isalnum() for char in form) >= 4:
        assert lines(f"{around} {form} {around}", form) != []
