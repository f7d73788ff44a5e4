"""A text is read in blocks, and nothing of it is lost or unseen."""

import re
from html import unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.web.desk import reading
from mailer.web.desk.reading import Block, Kind

SIGNS = st.sampled_from([*"ab#-*>|`1.){}% \t\n\\", "\u202e", "\u200b", "\u200d", "é", "ش"])


@given(st.text(SIGNS, max_size=80))
@example("# a\nb\n\n\n- c\n  d\n{% if x %}\n> e\n")
def test_all_that_a_text_says_stands_in_its_blocks_in_order(source: str) -> None:
    shown = " ".join(block.words for block in reading.blocks(source))
    assert shown.split() == source.split()


@given(st.text(max_size=40))
def test_every_sign_is_shown_as_itself_or_by_its_number(words: str) -> None:
    shown = reading.visible(words)
    signs = {f"U+{ord(sign):04X}": sign for sign in words}
    back = re.sub(r'<span class="sign">(.*?)</span>', lambda found: signs[found[1]], shown)
    assert unescape(back) == words


def test_lines_that_an_editor_broke_are_joined_and_those_that_their_author_ended_stay() -> None:
    text = (
        "Two dockers were killed in the port of Veldara, in Ondoria, on\na day in March.\n"
        "\n"
        "12 Example Square\nLondon\n"
        "\n"
        "Yours sincerely, and with the hope that you will answer all of us,\\\nAna\n"
    )
    assert [block.words for block in reading.blocks(text)] == [
        "Two dockers were killed in the port of Veldara, in Ondoria, on a day in March.",
        "12 Example Square\nLondon",
        "Yours sincerely, and with the hope that you will answer all of us,\\\nAna",
    ]


def test_headings_items_quotes_and_conditions_stand_by_themselves() -> None:
    condition = '{% if country == "GB" %}'
    text = f"## What to do\nWrite:\n- to her\n- to him\n> They hear us.\n{condition}\nIn London.\n{{% endif %}}\n"
    assert reading.blocks(text) == [
        Block(Kind.HEADING, "## What to do"),
        Block(Kind.PARAGRAPH, "Write:"),
        Block(Kind.ITEM, "- to her"),
        Block(Kind.ITEM, "- to him"),
        Block(Kind.QUOTE, "> They hear us."),
        Block(Kind.CONDITION, condition),
        Block(Kind.PARAGRAPH, "In London."),
        Block(Kind.CONDITION, "{% endif %}"),
    ]


def test_nothing_becomes_markup() -> None:
    assert reading.visible("<b>\u202e&") == '&lt;b&gt;<span class="sign">U+202E</span>&amp;'


@pytest.mark.parametrize(
    ("said", "ends", "kind"), [("", "", Kind.CONDITION), ("", ".", Kind.PARAGRAPH), ("for her", "", Kind.PARAGRAPH)]
)
def test_a_line_of_any_number_of_conditions_is_read_at_once(said: str, ends: str, kind: Kind) -> None:
    line = f'{{% if country == "GB" %}}{said}{{% endif %}}' * 500 + ends
    assert reading.blocks(line) == [Block(kind, line)]
