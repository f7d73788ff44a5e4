"""The plain-text part: what its readers see."""

import pytest

from mailer.mail import markdown, plain_text
from mailer.mail.markers import Markers
from mailer.mail.types import Pieces, Slot, SlotContext

LONG = "A line that is as long as many editors make them, or nearly so."


def written(*body: str | Slot) -> Pieces:
    markers = Markers()
    return markers.cut(plain_text.write(markdown.read(markers.mark(body), markers), markers))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("# One\n\n## Two\n\n### Three", "One\n===\n\nTwo\n---\n\nThree"),
        (f"{LONG}\ntwo  \nthree", f"{LONG} two\nthree"),
        ("**bold** and *soft* and `code`", "*bold* and _soft_ and code"),
        ("- a\n- b\n  - c\n  - d\n- e", "- a\n- b\n  - c\n  - d\n- e"),
        ("- a\n\n- b", "- a\n\n- b"),
        ("9. a\n10. b\n\n    more", "9. a\n\n10. b\n\n    more"),
        ("- a\n\n  > b", "- a\n\n  > b"),
        ("> a\n>\n> > b\n> - c", "> a\n>\n> > b\n>\n> - c"),
        ("```sh\na  b\n\nc\n```", "    a  b\n\n    c"),
        ("a\n\n---\n\nb", "a\n\n* * *\n\nb"),
        ("[words](https://example.org/a)", "words <https://example.org/a>"),
        ("<https://example.org/a>", "<https://example.org/a>"),
        ("[us](mailto:us@example.org)", "us <us@example.org>"),
        ("<us@example.org>", "us@example.org"),
        ("[us](mailto:us@example.org?subject=a%20b)", "us <mailto:us@example.org?subject=a%20b>"),
        ("[**call**](tel:+100)", "*call* <tel:+100>"),
        ("a &amp; b \\* c", "a & b * c"),
        ("-", "-"),
        ("on ~~5 May~~ 12 May", "on ~5 May~ 12 May"),
        (
            "12 May[^a], ^[soon] 13[^a]\n\n[^a]: So the court.",
            "12 May[1], [2] 13[1]\n\n* * *\n\n1. So the court.\n\n2. soon",
        ),
        ("- [ ] write\n- [x] sign\n- rest", "☐ write\n☑ sign\n- rest"),
        ("1. [ ] write", "1. ☐ write"),
        ("| a | bc |\n|---|---|\n| **d** | |", "a    bc\n---  --\n*d*"),
        (f"| {LONG} | When it is |\n|---|---|\n| There, maybe | now |", f"{LONG}: There,\nmaybe\nWhen it is: now"),
        ("See https://example.org/a_b_c, us@example.org.", "See https://example.org/a_b_c, us@example.org."),
        ("In solidarity,\nAna Example\nHarbour Solidarity", "In solidarity,\nAna Example\nHarbour Solidarity"),
        (f"{LONG}\nThe end.", f"{LONG} The end."),
    ],
)
def test_markdown_is_readable_as_plain_text(source: str, text: str) -> None:
    assert "".join(map(str, written(source))) == text


def test_lines_are_at_most_72_columns_but_words_and_urls_stay_whole() -> None:
    url = "https://example.org/" + "x" * 90
    (text,) = written(
        "word " * 60 + f"[more]({url}) " + "word " * 20 + "\n\n> " + "quoted " * 30 + "\n\n1. " + "item " * 30
    )
    assert isinstance(text, str)
    lines = text.split("\n")
    assert f"<{url}>" in lines
    assert all(len(line) <= 72 for line in lines if url not in line)
    assert sum(len(line) > 60 for line in lines) > 5
    assert [line for line in lines if "item" in line][1].startswith("   item")


URL = "https://example.org/" + "x" * 90


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (f"See ([the report]({URL})), please.", ["See (the report", f"<{URL}>),", "please."]),
        (f"See ({URL}) or\n[{URL}], please.", ["See", f"({URL})", "or", f"[{URL}],", "please."]),
        (f"> See [it]({URL}) please.", ["> See it", f"> <{URL}>", "> please."]),
        (f"> > {URL} now", [f"> > {URL}", "> > now"]),
        (f"- {URL} now\n- See **[it]({URL})**", [f"- {URL}", "  now", "- See *it", f"  <{URL}>*"]),
        (f"انظر ({URL}) من فضلك", ["انظر", f"({URL})", "من فضلك"]),
        (f"| A | B |\n|---|---|\n| {URL} | now |", ["A:", URL, "B: now"]),
    ],
)
def test_a_url_that_is_longer_than_a_line_stands_alone_on_one(source: str, lines: list[str]) -> None:
    assert "".join(map(str, written(source))).split("\n") == lines


@pytest.mark.parametrize("quoted", ["", "> ", "> > ", "  "])
@pytest.mark.parametrize("link", [f"<{URL}>", f"({URL}),", f"[{URL}]", f"\u2068{URL}\u2069"])
def test_a_long_url_stands_alone_also_where_a_value_made_the_line_too_long(quoted: str, link: str) -> None:
    assert plain_text.folded(f"{quoted}See the report {link} by the end of May.").split("\n") == [
        f"{quoted}See the report",
        f"{quoted}{link}",
        f"{quoted}by the end of May.",
    ]


@pytest.mark.parametrize("label", ["- ", "> ", "> > 12. ", "☐ "])
def test_what_is_filled_in_stays_beside_the_sign_before_it(label: str) -> None:
    folded = plain_text.folded(f"{label}{URL} now").split("\n")
    assert folded[0] == f"{label}{URL}"
    assert folded[1].strip("> ") == "now"


def test_a_table_with_a_slot_is_written_in_rows() -> None:
    name = Slot("target_name")
    assert written("| Who | Where |\n|---|---|\n| ", name, " | Port |") == ("Who: ", name, "\nWhere: Port")


def test_slots_stay_whole_in_wrapped_lines() -> None:
    name = Slot("name", "supporter")
    made = written("word " * 13, name, " word" * 13)
    assert made.count(name) == 1
    assert all(len(line) <= 72 for piece in made if isinstance(piece, str) for line in piece.split("\n"))


@pytest.mark.parametrize(
    ("source", "paragraphs"),
    [
        (f"# One\n\n{LONG}\nthree  \nfour\n\n## Five\n\nsix", [f"{LONG} three\nfour", "six"]),
        ("~~Monday~~ Tuesday[^1]\n\n[^1]: As the court said.", ["Tuesday"]),
        ("- [ ] a\n- [x] b", ["• a", "• b"]),
        ("one\n\n| a |\n|---|\n| b |\n\ntwo", ["one"]),
        ("See https://example.org/a and us@example.org.", ["See https://example.org/a and us@example.org."]),
        ("**bold** and *soft* and `code`", ["bold and soft and code"]),
        ("9. a\n10. b\n\n    more\n    - inner", ["9. a", "10. b more"]),
        ("- a **b**\n-", ["• a b", "•"]),
        ("one\n\n> quoted\n\ntwo", ["one"]),
        ("one\n\n---\n\ntwo", ["one"]),
        ("[see](https://example.org/a) <https://example.org/b>", ["see (https://example.org/a) https://example.org/b"]),
        ("[us](mailto:us@example.org?subject=a), <us@example.org>", ["us (us@example.org), us@example.org"]),
        ("[call](tel:+100)", ["call (+100)"]),
        ("", []),
    ],
)
def test_the_beginning_of_a_text_is_its_paragraphs_in_plain_words(source: str, paragraphs: list[str]) -> None:
    markers = Markers()
    assert plain_text.prose(markdown.read(source, markers), markers) == paragraphs


def test_a_slot_in_a_url_is_still_one_of_a_url() -> None:
    markers = Markers()
    source = markers.mark(("[a](https://example.org/", Slot("name"), ") [b](mailto:", Slot("target_email"), ")"))
    (paragraph,) = plain_text.prose(markdown.read(source, markers), markers)
    cut = markers.cut(paragraph)
    assert [piece for piece in cut if isinstance(piece, Slot)] == [
        Slot("name", context=SlotContext.URL),
        Slot("target_email"),
    ]


@pytest.mark.parametrize("label", ["- ", "• ", "12. ", "3) "])
def test_a_line_of_a_letter_that_is_an_item_hangs_below_its_words(label: str) -> None:
    first, second = plain_text.wrap_item(f"{label}{LONG} {LONG}", Markers())
    assert first.startswith(f"{label}A line")
    assert second.startswith(" " * len(label)) and second.strip() and max(len(first), len(second)) <= 72
    assert plain_text.wrap_item("-words", Markers()) == ["-words"]
