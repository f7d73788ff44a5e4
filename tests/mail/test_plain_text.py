"""The plain-text part: what its readers see."""

import pytest

from mailer.mail import markdown, plain_text
from mailer.mail.markers import Markers
from mailer.mail.types import Pieces, Slot


def written(*body: str | Slot) -> Pieces:
    markers = Markers()
    return markers.cut(plain_text.write(markdown.read(markers.mark(body), markers), markers))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("# One\n\n## Two\n\n### Three", "One\n===\n\nTwo\n---\n\nThree"),
        ("one\ntwo  \nthree", "one two\nthree"),
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


def test_slots_stay_whole_in_wrapped_lines() -> None:
    name = Slot("name", "friend")
    made = written("word " * 13, name, " word" * 13)
    assert made.count(name) == 1
    assert all(len(line) <= 72 for piece in made if isinstance(piece, str) for line in piece.split("\n"))
