"""What must never appear is found however it is written, and nothing else is."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.cases.never import Hit, Never


def lines(text: str, *forms: str) -> list[int]:
    return [hit.line for hit in Never(forms).find(text)]


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        (
            "Amal Odeh",
            [
                "We know that Amal Odeh saw it.",
                "AMAL ODEH",
                "Amál Ôdeh",
                "Ａｍａｌ Ｏｄｅｈ",
                "𝐀𝐦𝐚𝐥 𝑂𝑑𝑒ℎ",
                "Amal\nOdeh",
                "AmalOdeh",
                "Amal-Odeh",
                "Am-\nal Odeh",
                "A m a l Odeh",
                "A\u00admal O\u200bdeh",
                "Am**al** _Odeh_",
                "Аmаl Оdеh, with five Cyrillic letters",
                "ΑΜΑL ΟDΕΗ, in Greek capitals",
                "Amal Odehs Bruder",
                "\tAmal Odeh",
                "\x0bAmal Odeh",
                "x\u200bAmal Odeh",
                "3Amal Odeh",
                "¹Amal Odeh",
                "Call Diana, Amal Odeh or Ines",
                "#FreeAmalOdeh",
                "https://freeamalodeh.example.org",
                "amal_odeh@example.org",
                "20261129AmalOdeh.jpg",
                "我们认识Amal Odeh的朋友",
                "אמרהAmal Odeh",
                "A&#109;al Odeh",
                "&#65;mal Odeh",
                "Am&#x61;l Odeh",
                "Am&shy;al Odeh",
                "Amal&nbsp;Odeh",
                "https://example.org/Amal%20Odeh",
                "https://example.org/%41mal+Odeh",
                "https://example.org/?to=https%3A%2F%2Fexample.org%2F%2541mal%2520Odeh",
                "mailto:us@example.org?subject=Amal%20Odeh",
            ],
        ),
        (
            "Amal",
            [
                "Amals Bruder",
                "mail to amal@example.org",
                "#FreeAmal",
                "l’Amal",
                "A m a l",
                "A.m.a.l.",
                "2026Amal",
                "认识Amal的",
                "ʿAmal",
                "Amalʼin",
                "widziano Amala",
            ],
        ),
        ("Al", ["She is called Al.", "Al's brother", "with a Cyrillic Аl"]),
        ("St. Älba", ["Im Dorf St Alba", "St. Aelba"]),
        ("Sankt-Alba", ["Sankt Alba", "SANKT\nALBA", "2026SanktAlba.jpg"]),
        (
            "Jörg Müller",
            ["Joerg Mueller", "JORG MULLER", "https://xn--jrgmller-n4a7d.example.org", "Jo\u0308rg Mu\u0308ller"],
        ),
        ("Mueller", ["Müller", "MÜLLER"]),
        ("Bjorn Lodz", ["Bjørn Łódź"]),
        ("Bjørn Łódź", ["Bjorn Lodz", "Bjoern Lodz"]),
        ("Þóra Ægisdóttir", ["Thora Aegisdottir", "THORA ÆGISDÓTTIR"]),
        ("Đorđe", ["Dorde", "Djordje"]),
        ("Nguyen Thi Ha", ["Nguyễn Thị Hà"]),
        ("Leyla Əliyeva", ["Leyla Eliyeva", "Leyla Aliyeva"]),
        ("Ħamrun", ["Hamrun"]),
        ("Işık", ["ISIK", "işik", "Işıkın"]),
        ("Oktam", ["Oʻktam", "O'ktam", "O‘ktam"]),
        ("Oʻktam", ["Oktam", "O'ktam", "Oʼktam"]),
        ("Ali Qurban", ["ʿAlī Qurʼban"]),
        ("Nadia", ["Νadia", "ΝADIA", "Nаdiа"]),
        ("Yara", ["Υara"]),
        ("Mina", ["МІΝА"]),
        ("Тимур", ["И Тимура видели", "с Тимуром", "ТИМУР", "Tимуp"]),
        ("Анна", ["Aнна", "AHHA"]),
        ("Алёна", ["Алена"]),
        ("Άννα", ["ΤΗΝ ΆΝΝΑ", "της Άννας", "AΝΝΑ with a Latin A"]),
        ("Νίκος", ["ΝΙΚΟΣ", "ο Νικος"]),
        ("أمل", ["رأت أمل ذلك", "وأمل رأت", "مع أَمَلَ", "امل", "أمـــل", "والأمل"]),
        ("علي رضا", ["علی رضا", "على رضا", "لعلي رضا"]),
        ("کریم", ["كريم", "کَریم", "كريماً"]),
        ("فاطمة", ["فاطمه", "وفاطمة"]),
        ("ليلى ٢٣", ["ليلي 23", "لیلی ۲۳"]),
        ("רות כהן", ["ולרות כהן", "רוּת כֹּהֵן", "שרות כהן"]),
        ("מרים", ["למרים", "ומרים"]),
        ("मीना", ["मीना ने देखा", "MEENA मीना", "मीना,"]),
        ("ज़ैनब", ["जैनब"]),
        ("मीना १२", ["मीना 12"]),
        ("สมชาย", ["คุณสมชายเห็น", "สม ชาย"]),
        ("美佳", ["小林美佳さんは", "美\n佳"]),
        ("小林", ["二〇二六年小林さん"]),
        ("王小明", ["我们认识王小明的朋友", "王 小明"]),
        ("さくら", ["友人のさくらが", "さ\u200bくら"]),
        ("アマル", ["ｱﾏﾙさん", "アマール"]),
        ("ガンダ", ["ｶﾞﾝﾀﾞ"]),
        ("민수", ["김민수", "민수는", "\u1106\u1175\u11ab\u1109\u116e"]),
        ("አማል", ["የአማል", "አማልን"]),
        ("+44 1632 960001", ["0441632960001".removeprefix("0"), "44-1632-960-001", "٤٤ ١٦٣٢ ٩٦٠٠٠١"]),
    ],
)
def test_a_word_is_found_however_it_is_written(form: str, texts: list[str]) -> None:
    assert [text for text in texts if not lines(text, form)] == []


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        ("Amal", ["A normal alarm", "Malamal is a town", "I am al dente", "animals", "", "Ama Lewis", "amalgam"]),
        ("Al", ["All ally alone", "a l", "als es Ala sah", "et alii"]),
        ("mala", ["Himalaya", "Hi&shy;malaya"]),
        ("Amin", ["I am in prison", "amino acids", "examine", "I am. In the"]),
        ("Asma", ["As many as asthma", "as Madrid", "Was Manila far?", "as/many"]),
        ("Toma", ["to many", "tomatoes", "to Mary", "auto-magic"]),
        ("Theo", ["the others", "the old theory", "theology", "the\nocean"]),
        ("Hope", ["hopefully", "hopeless"]),
        ("Rosa", ["a rosary"]),
        ("Mark", ["market", "marked", "remarks", "Denmark"]),
        ("Ana Rossi", ["Diana Rossi", "Ana Rossignol", "an arossi"]),
        ("Ana Li", ["Ana likes it", "analist"]),
        ("Eva", ["Με ένα κλικ"]),
        ("Tom", ["о том", "ТОМ"]),
        ("Sue", ["su casa", "pursue", "issue"]),
        ("Noel", ["Nol"]),
        ("Müller", ["a mill", "mule"]),
        ("Вера", ["веранда", "измерания", "северане"]),
        ("Роман", ["романтика"]),
        ("Άννα", ["Ιωάννα", "ανανάς"]),
        ("أمل", ["العمل", "أملاكنا", "يأملون"]),
        ("سعاد", ["استعادة"]),
        ("דן", ["הדני", "עידן", "דנית"]),
        ("मीना", ["मैंने देखा", "मन", "नमीना"]),
        ("राम", ["रोम", "रामायण", "आराम"]),
        ("अमर", ["अमरीका"]),
        ("มานี", ["มีนา", "มานะ"]),
        ("王明", ["王小明", "明王"]),
        ("さくら", ["さら", "さぐら"]),
        ("민수", ["민숙", "만수"]),
        ("Amal Odeh", ["Nothing of the kind", "Amal and Odeh", "Odeh Amal", "formal ode here"]),
        ("", ["Amal"]),
    ],
)
def test_other_words_are_left_alone(form: str, texts: list[str]) -> None:
    assert [text for text in texts if lines(text, form)] == []


def test_each_line_is_named_once_for_each_form_and_counted_from_where_the_text_starts() -> None:
    found = Never(["Amal", "Odeh"]).find("Amal Odeh\n\nnobody\nODEH and amal, amal", first_line=5)
    assert found == [Hit(5, 0), Hit(5, 1), Hit(8, 0), Hit(8, 1)]


def test_what_stands_for_other_signs_moves_no_line() -> None:
    assert lines("&#10;%0A\n%0D\nA&#109;al", "Amal") == [3]


def test_a_word_of_a_hundred_thousand_letters_is_not_read_again_for_each_of_them() -> None:
    assert lines("a" * 100_000, "aa") == []
    assert lines("\n" * 100_000 + "aa", "aa") == [100_001]


def test_no_form_shows_in_a_repr() -> None:
    never = Never(["Amal"])
    assert "amal" not in repr((never, never.find("Amal"), vars(never))).lower()


def test_the_letters_that_look_alike_are_read_by_nobody_who_compares_nothing() -> None:
    program = "import sys, mailer.campaigns.gate, mailer.cases.files; print('confusable_homoglyphs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@given(st.text(alphabet="abcxyzаеоАΟé ·-\n", min_size=2, max_size=12), st.text(max_size=20))
def test_a_form_is_found_between_other_words(form: str, around: str) -> None:
    if any(char.isalnum() for char in form):
        assert lines(f"{around} {form} {around}", form) != []
