"""What is handed over with a petition can be printed and read aloud, in each language of the site."""

import re
from dataclasses import replace

import pytest

from mailer.formats.paper.petitions import HandOverSheet, hand_over, is_printable
from mailer.formats.paper.sheets import UnprintableLanguage
from mailer.locale import languages
from tests.formats.paper.test_sheets import pages
from tests.support.kit_reading import pdf_streams, pdf_text

SHEET = HandOverSheet(
    language="en",
    direction="ltr",
    title="Free the five",
    to=("To:", "the Embassy of Ondoria"),
    total="People who signed: 1,200",
    where="By country",
    countries=[("France", "700"), ("Brazil", "under 10")],
    who="Those who wanted their names handed over",
    names=[("Ana Kolmer", "Porto"), ("ليلى مارون", ""), ("Σοφία", "")],
    web_url="https://act.example.org/campaigns/free-the-five",
    signature=("Harbour Solidarity", "1 March 2026"),
)


@pytest.mark.parametrize("language", languages.SITE_LANGUAGES)
def test_the_pages_say_it_all_and_can_be_read_aloud(language: str) -> None:
    pdf = hand_over(replace(SHEET, language=language, direction=languages.direction(language)))
    assert b"pdfuaid:part>1<" in pdf
    said = " ".join(pdf_text(pdf).split())
    for words in ("Free the five", "the Embassy of Ondoria", "under 10", "Ana Kolmer", "Porto"):
        assert words in said


def test_as_many_pages_are_made_as_the_names_take_and_a_long_one_breaks() -> None:
    names = [(f"Name number {number} " + "x" * 60, "A town") for number in range(1000)]
    assert pages(hand_over(replace(SHEET, names=names))) > 5


def test_it_is_known_which_names_our_fonts_lack_letters_for() -> None:
    assert is_printable("Ana", "ليلى", "Леся")
    assert not is_printable("Ana", "王芳")
    with pytest.raises(UnprintableLanguage):
        hand_over(replace(SHEET, names=[("王芳", "")]))


def test_a_name_in_letters_of_both_directions_stays_together_beside_its_place() -> None:
    arabic = replace(SHEET, language="ar", direction="rtl", names=[("محمد Παπαδόπουλος", "Київ")])
    content = next(stream for stream in pdf_streams(hand_over(arabic)) if b" Tf" in stream)
    placed = re.findall(rb"1 0 0 -1 ([\d.]+) ([\d.]+) cm", content.rpartition(b"/Artifact")[0])
    places = [float(x) for x, y in placed if y == placed[-1][1]]
    assert places[-1] == min(places)  # what comes last stands leftmost, not beside what it is alike
