"""The language of campaign texts: what it can say, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.fields import Template, TextFieldError, parse
from mailer.mail.types import Slot

FIELDS = ("name", "country", "union", "target_name")
CONDITIONS = ("country", "union", "language")


def read(source: str, first_line: int = 1) -> Template:
    return parse(source, file="en.md", first_line=first_line, fields=FIELDS, conditions=CONDITIONS)


def wording(source: str, **facts: tuple[str, ...]) -> str:
    template = read(source)
    return "".join(
        piece if isinstance(piece, str) else f"<{piece.field}>" for piece in template.resolve(template.variant(facts))
    )


def test_text_stays_as_it_was_written_to_the_last_line_end() -> None:
    source = "Dear friends,\n\n  * one\n  * two  \n\n"
    assert read(source).resolve("") == (source,)


def test_fields_become_slots_with_their_defaults() -> None:
    template = read('Dear {{ name or "supporter" }}, write to {{ target_name }}.{# not shown #}')
    assert template.resolve("") == ("Dear ", Slot("name", "supporter"), ", write to ", Slot("target_name"), ".")
    assert template.fields == {"name", "target_name"}


def test_a_condition_shows_its_text_only_to_those_it_names() -> None:
    source = '{% if country == "GB" %}UK{% elif country in ["FR", "BE"] %}FR or BE{% else %}{{ country }}{% endif %}'
    assert wording(source, country=("GB",)) == "UK"
    assert wording(source, country=("BE",)) == "FR or BE"
    assert wording(source, country=("IT",)) == "<country>"
    assert wording(source) == "<country>"


def test_a_federation_is_true_for_the_members_of_its_unions() -> None:
    source = '{% if union == "federation" %}member{% endif %}{% if union != "federation" %}other{% endif %}'
    assert wording(source, union=("local", "federation")) == "member"
    assert wording(source, union=("elsewhere",)) == "other"
    assert wording(source, union=()) == "other"


def test_and_or_not_and_not_in_combine_conditions() -> None:
    source = (
        '{% if (country == "GB" or country == "IE") and not union == "x" '
        'and language not in ("fr", "de") %}y{% endif %}'
    )
    assert wording(source, country=("IE",), language=("en",)) == "y"
    assert wording(source, country=("IE",), union=("x",)) == ""
    assert wording(source, country=("GB",), language=("fr",)) == ""


def test_a_variant_holds_every_test_in_the_order_they_stand_in() -> None:
    template = read(
        '{% if country == "A" %}a{% if union == "u" %}u{% endif %}{% elif country == "B" %}b{% endif %}'
        '{% if language == "fr" %}f{% endif %}'
    )
    assert template.tests == 4
    assert template.condition_names == {"country", "union", "language"}
    assert template.variant({"country": ("B",), "union": ("u",), "language": ()}) == "0110"
    assert template.resolve("0110") == ("b",)
    assert template.resolve("1101") == ("auf",)


@pytest.mark.parametrize("variant", ["", "11", "x"])
def test_a_variant_of_another_text_is_refused(variant: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        read('{% if country == "A" %}a{% endif %}').resolve(variant)


@pytest.mark.parametrize(
    ("source", "line", "problem"),
    [
        ("one\ntwo {{ nane }}", 2, 'no field "nane". Known: country, name, target_name, union.'),
        ('\n{% if contry == "GB" %}{% endif %}', 2, 'no condition "contry". Known: country, language, union.'),
        ("{% if contry %}{% endif %}", 1, 'no condition "contry"'),
        ("{% if country %}{% endif %}", 1, "Compare country with something"),
        ("{% if country == union %}{% endif %}", 1, "one text in quotes"),
        ("{% if country == 1 %}{% endif %}", 1, "one text in quotes"),
        ('{% if country in "GB" %}{% endif %}', 1, 'After "in" comes a list'),
        ('{% if country in ["GB", name] %}{% endif %}', 1, 'After "in" comes a list'),
        ('{% if country < "GB" %}{% endif %}', 1, "Only ==, !=, in and not in"),
        ('{% if "GB" == country %}{% endif %}', 1, "a name and a text in quotes"),
        ('{% if country == "A" == "B" %}{% endif %}', 1, "a name and a text in quotes"),
        ("{% if true %}{% endif %}", 1, "not this expression"),
        ("\n\n{{ name.upper }}", 3, "not attributes"),
        ("{{ name['x'] }}", 1, "not items"),
        ("{{ name() }}", 1, "not calls"),
        ("{{ name | upper }}", 1, "not filters"),
        ("{{ name is defined }}", 1, "not tests"),
        ("{{ 'x' if name else 'y' }}", 1, "not inline conditions"),
        ("{{ name or country }}", 1, "one text in quotes"),
        ("{{ name or 'a' or 'b' }}", 1, "not this expression"),
        ("{{ 'text' }}", 1, "not this expression"),
        ("{{ name, country }}", 1, "not this expression"),
        ("a\n{% for x in country %}{% endfor %}", 2, "not loops"),
        ("{% set x = 1 %}", 1, "not assignments"),
        ("{% macro m() %}{% endmacro %}", 1, "not macros"),
        ("{% include 'x' %}", 1, "not includes"),
        ("{% import 'x' as x %}", 1, "not imports"),
        ("{% extends 'x' %}", 1, "not inheritance"),
        ("{% block x %}{% endblock %}", 1, "not blocks"),
        ("{% raw %}{{ x }}{% endraw %}{% with %}{% endwith %}", 1, "not {% with %}"),
        ('one\n{% if country == "GB" %}\ntwo\nthree\n', 2, "has no {% endif %}"),
        ("one\n{% endif %}", 2, "endif"),
        ("one\n{% iff %}", 2, "not {% iff %}"),
        ("{% for %}", 1, "not {% for %}"),
        ("one\n{{ name", 2, "This {{ has no }}."),
        ("one\n{{ name }\n\nfour {{ name }}", 2, "This {{ has no }}."),
        ("one\n{% if country == 'GB' }\nx{% endif %}", 2, "This {% has no %}."),
        ("{% else %}", 1, "has no {% if %} before it"),
        ("{{ }}", 1, "Something is missing"),
        ("{{ name or }}", 1, "Something is missing"),
        ("{{ name or “supporter” }}", 1, "straight quotes"),
        ("{{ name or 'supporter }}", 1, "quotation mark is not closed"),
        ("{{ na me }}", 1, "Write only one field"),
        ("{% if country = 'GB' %}x{% endif %}", 1, "==, not ="),
        ("{{ (name }}", 1, "cannot be read. Only"),
        ("one\ntwo {name}", 2, "write {{ name }}, not {name}"),
        ("{ Name or 'supporter' }", 1, "write {{ name }}, not { Name or 'supporter' }"),
        ("{{ " + "(" * 20_000 + ")" * 20_000 + " }}", 1, "too many brackets"),
        ("{{ " + "9" * 5_000 + " }}", 1, "a number is too long"),
    ],
)
def test_what_is_not_allowed_is_refused_with_file_line_and_reason(source: str, line: int, problem: str) -> None:
    with pytest.raises(TextFieldError) as caught:
        read(source)
    assert str(caught.value).startswith(f"en.md:{line}: ")
    assert problem in str(caught.value)


def test_braces_around_other_words_are_text() -> None:
    assert read("{note} {} {{ name }} { 1 }").fields == {"name"}


def test_lines_are_counted_from_where_the_text_starts_in_its_file() -> None:
    with pytest.raises(TextFieldError, match=r"^en\.md:12: "):
        read("one\r\n\r\n{{ nane }}", first_line=10)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_or_refused_with_a_line(source: str) -> None:
    try:
        template = read(source)
    except TextFieldError:
        return
    template.resolve("0" * template.tests)
