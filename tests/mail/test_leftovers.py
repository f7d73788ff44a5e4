"""Signs that would go out, and what their author is told of them."""

import pytest

from mailer.mail import leftovers
from mailer.mail.markers import Markers
from mailer.mail.types import Slot


def found(*body: str | Slot) -> list[tuple[str, str]]:
    markers = Markers()
    return [(warning.about, warning.what) for warning in leftovers.find(markers.mark(body), markers)]


@pytest.mark.parametrize(
    ("source", "about"),
    [
        ("on 12 May[^1].", "May[^1]."),
        ("[read] (https://example.org/a)", "] (https://example.org/a)"),
        ("[read](https://example.org/a b)", "a"),
        ("[read](https://example.org/a", "a"),
        ("[read][more]", "[read][more]"),
        ("**bold **now", "**bold"),
        ("**one\n\ntwo**", "**one"),
        ("~~struck ~~out", "~~struck"),
        ("*soft *now", "*soft"),
        ("text\n| a | b |\n| c | d |", "| a | b |"),
        ("| a | b |\n|---|\n| c | d |", "| a | b |"),
        ("text\n\n[ ] write", "[ ]"),
        ("##Heading", "##Heading"),
        ("#Heading of words", "#Heading"),
        ("• one of many\n• two", "•"),
        ("this ==is== it", "==is=="),
        ("now :fist:", ":fist:"),
        ("> [!NOTE]\n> read", "[!NOTE]"),
        ("# Heading {.red}", "{.red}"),
        ("[a]: this is not an address", "[a]:"),
    ],
)
def test_signs_that_were_not_read_are_named(source: str, about: str) -> None:
    ((named, text),) = found(source)[:1]
    assert about in named
    assert named in source
    assert "goes out as it stands" in text


def test_words_that_nobody_would_see_are_named() -> None:
    ((about, text),) = found("A text.\n\n[^1]: and its note")
    assert (about, "nobody sees" in text) == ("[^1]:", True)
    ((about, text),) = found("A text.\n\n[Note]: today")
    assert (about, "nobody sees" in text) == ("]: today", True)


@pytest.mark.parametrize(
    "source",
    [
        "**bold** *soft* ~~struck~~ `code **` [words](https://example.org/a_b) <https://example.org/**>",
        "\\*\\*as it is\\*\\* \\[a\\](https://example.org) \\~~ \\## \\[^1]",
        "| a |\n|---|\n| b |\n\n- [ ] c\n- [x] d\n\n1[^1]\n\n[^1]: e",
        "[words][a] and [a]\n\n[a]: https://example.org/ä",
        "#FreeTheDockers #Now\n\n#Now",
        "5 * 3 * 2, 5*3, Kolleg*innen, f(x), [sic], a_b, snake_case_name, ____, ***, a | b, :-), 10:30:00",
        "https://example.org/~~a~~/**b**",
        "    code **",
        "**重要：**请写信",
        "Harbour *\n\n* Names were changed.",
    ],
)
def test_what_is_read_or_meant_as_it_stands_is_not_warned_of(source: str) -> None:
    assert found(source) == []


def test_a_slot_is_not_searched_for() -> None:
    ((about, text),) = found("[write](https://example.org/", Slot("country"), " now)")
    assert about == "[write](https://example.org/"
    assert "slot" not in text


@pytest.mark.parametrize("line", ["**Free** them", "Write [here](https://example.org)", "~~Two~~ three", "__now__"])
def test_markdown_in_a_line_that_is_none_is_found(line: str) -> None:
    assert leftovers.find_in_line((line,))


@pytest.mark.parametrize("line", ["Free them *now*", "*** Urgent ***", "snake__case", "a [b] (c)", "5 ** 3 ** 2"])
def test_other_signs_are_left_alone_in_a_line(line: str) -> None:
    assert not leftovers.find_in_line((line, Slot("name")))


PLAIN = {
    "read [the report](https://example.org/a) now": (0, "[the report](https://example.org/a)"),
    "a\n\n![us](a.png)": (2, "![us](a.png)"),
    "as [they][1] say": (0, "][1]"),
    "they said so[^1]": (0, "[^1]"),
    "a\n## Please": (1, "##"),
    "free **all\nsix** today": (0, "**all six**"),
    "*today*": (0, "*today*"),
    "_today!_": (0, "_today!_"),
    "__today__": (0, "__today__"),
    "~~six~~ seven": (0, "~~six~~"),
    "the `law`": (0, "`law`"),
    "a\n> they said": (1, ">"),
    "|a|b|": (0, "|a|b|"),
    "a\n\n---\nb": (2, "---"),
    "- [ ] write": (0, "- [ ]"),
    "a<br>b": (0, "<br>"),
    "write <your name> here": (0, "<your name>"),
    '<a href="mailto:us@example.org">us</a>': (0, '<a href="mailto:us@example.org">'),
    "six&nbsp;dockers": (0, "&nbsp;"),
    "2 \\* 3": (0, "\\"),
    "a **b** and\n# c": (0, "**b**"),
    f"**{'x' * 60}**": (0, f"**{'x' * 38}…"),
}


@pytest.mark.parametrize(("text", "found"), PLAIN.items(), ids=PLAIN)
def test_markdown_and_html_in_plain_text_are_found_with_their_line(text: str, found: tuple[int, str]) -> None:
    sign = leftovers.find_in_plain_text(text)
    assert sign and (sign.line, sign.signs) == found and sign.remedy.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "- one\n* two\n1. three\n2) four",
        "Kolleg*innen und Freund*innen, 2*3*4 and 5 * 6 * 7",
        "snake_case_words, https://example.org/_a_/b and us_all@example.org",
        "signed: ______\n______",
        "<https://example.org> <us@example.org> a < b > c, R&D; AT&T",
        "#FreeThem, No. 6, [sic], (1) and ~5 May",
        "it`s and isn`t",
        "Yours,\\\nAna",
        '{{ salutation or "Your Excellency" }},',
        "a - b -- c --- d",
        "**",
    ],
)
def test_what_people_write_in_plain_text_is_left_alone(text: str) -> None:
    assert leftovers.find_in_plain_text(text) is None
