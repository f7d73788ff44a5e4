"""Two spellings of one name are the same to us where they are the same to people."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.locale.folding import fold, fold_whole


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Packers' Union", "Packers’ Union"),
        ("Packers' Union", "PACKERS` UNION"),
        ("Packers' Union", "Packersʼ  union"),
        (
            "Packers' Union",
            "\N{ZERO WIDTH SPACE}Packers'\N{NARROW NO-BREAK SPACE}Un\N{SOFT HYPHEN}ion\N{BYTE ORDER MARK}",
        ),
        ("Fédération Énergie", "Fe\N{COMBINING ACUTE ACCENT}de\N{COMBINING ACUTE ACCENT}ration ÉNERGIE"),
        ("Fédération Énergie", "federation energie"),
        ("Fédération Énergie", "Fédération\tE\N{COMBINING ACUTE ACCENT}nergie\n"),
        ("Tekstil-İş", "TEKSTİL-İŞ"),
        ("Tekstil-İş", "tekstil is"),
        ("Ağaç Işçileri", "ağaç ışçileri"),
        ("Straßenbau", "STRASSENBAU"),
        ("Łódź Tkaczy", "lodz tkaczy"),
        ("Ένωση Λιμένος", "ΕΝΩΣΗ ΛΙΜΕΝΟΣ"),
        ("Учёные", "УЧЕНЫЕ"),
        ("اتحاد أطباء", "اتحاد اطباء"),
        ("Ｕｎｉｏｎ ﬁrst", "union first"),
        ("Cut & Sew", "Cut and Sew"),
    ],
)
def test_a_name_is_the_same_however_it_was_typed_or_exported(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Packers", "Bakers"),
        ("かき組合", "がき組合"),
        ("मजदूर", "मजदर"),
        ("ครู", "ครูู่"),
        ("Union 1", "Union 2"),
        ("A B", "B A"),
    ],
)
def test_names_that_people_tell_apart_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
def test_what_was_folded_stays_as_it_is_and_how_accents_are_stored_makes_no_difference(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert {fold(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")} == {folded}


@pytest.mark.parametrize("spelling", ["email", "E-Mail", "e mail", "E_MAIL", " é-mail ", "e\u2011mail", "E’mail"])
def test_what_a_column_is_called_is_one_word_however_it_is_written(spelling: str) -> None:
    assert fold_whole(spelling) == "email"
