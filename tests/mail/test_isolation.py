"""What is put into words stays in order where these run the other way, also where mail programs drop `<bdi>`."""

from dataclasses import replace

import pytest

from mailer.locale import translations
from mailer.mail import isolation, plain_text
from mailer.mail.fields import parse
from mailer.mail.markers import Markers
from mailer.mail.merge import fill
from mailer.mail.render import ForwardedBy, Frame, render
from mailer.mail.types import Pieces
from tests.support import visual

ORGANISATION = "1199 Dockers, now!"
UNION = "(7) Pilots & Crews."
ADDRESS = ["1 Pier Lane, Tidewater", "Tidewater 9"]
FRAME = Frame(
    language="ar",
    direction="rtl",
    organisation=ORGANISATION,
    postal_address="\n".join(ADDRESS),
    gettext=translations.gettext_for("ar"),
    deadline=("12.3.2035!",),
    web_url="https://act.example.org/campaigns/pier/",
)
BODY = """اكتبوا إلى {{ target_name }}، {{ target_address }}، {{ target_email }}

- عزيزي {{ name or "قارئ" }}، [اكتب إلى {{ target_name }}](mailto:{{ target_email }})
"""
VALUES = {
    "name": "Ana-Ø. (Ana)",
    "country": "Ondoria!",
    "target_name": "1st Minister, Dr. Orr",
    "target_address": "1 Ministry Square, Ondor, Ondoria",
    "target_email": "1@ondor.example.org",
}


def pieces(source: str) -> Pieces:
    return parse(source, file="ar.md", fields=tuple(VALUES), conditions=()).resolve("")


def parts(frame: Frame) -> tuple[str, str]:
    """The HTML and the text of a mail in Arabic, to somebody with a name in Latin letters."""
    subject = pieces("{{ country }} تحرك عاجل")
    made = render("urgent_action", subject=subject, preheader=("نداء",), body=pieces(BODY), frame=frame)
    values = VALUES | {"preferences_url": "https://act.example.org/p/x", "unsubscribe_url": "https://act.example.org/u"}
    return fill(made.html, values), fill(made.text, values)


@pytest.mark.parametrize(
    ("forwarded_by", "union"), [(None, ""), (ForwardedBy(UNION, (), "https://act.example.org/join/pilots/"), UNION)]
)
def test_each_value_of_a_campaign_is_read_in_its_own_order(forwarded_by: ForwardedBy | None, union: str) -> None:
    html, text = parts(replace(FRAME, forwarded_by=forwarded_by))
    for name, lines in (("html", visual.lines_of_html(html)), ("text", visual.lines_of_text(text))):
        seen = "\n".join(lines)
        expected = [ORGANISATION, *ADDRESS, "12.3.2035!", *VALUES.values(), *filter(None, [union])]
        assert [value for value in expected if value not in seen] == [], name
    for value in filter(None, (ORGANISATION, union)):
        times = "\n".join(visual.lines_of_html(html)).count(value)
        assert times == html.count(value.replace("&", "&amp;")) > 1


def test_a_link_of_the_text_part_is_read_in_order() -> None:
    _, text = parts(FRAME)
    assert "<https://act.example.org/campaigns/pier/>" in "\n".join(visual.lines_of_text(text))


def test_a_name_that_runs_from_right_to_left_leaves_an_english_mail_in_order() -> None:
    frame = replace(FRAME, language="en", direction="ltr", gettext=str)
    made = render("urgent_action", subject=("x",), preheader=("x",), body=pieces("{{ name }}: 7 days"), frame=frame)
    assert '<p><span dir="rtl">دانا</span>: 7 days</p>' in fill(made.html, {"name": "دانا"})
    assert "\u2068دانا\u2069: 7 days" in fill(made.text, {"name": "دانا"})
    assert "\nDana: 7 days" in fill(made.text, {"name": "Dana"})
    assert "\u2068" not in fill(made.text, {"name": "Dana"})


def test_a_value_cannot_leave_the_element_that_sets_it_apart() -> None:
    made = render("urgent_action", subject=("x",), preheader=("x",), body=pieces("{{ name }}"), frame=FRAME)
    evil = 'a</span><b dir="rtl">\u2069'
    assert '<span dir="ltr">a&lt;/span&gt;&lt;b dir=&quot;rtl&quot;&gt;</span>' in fill(made.html, {"name": evil})
    assert fill(made.text, {"name": evil}).count("\u2068a</span>") == 1


def test_nobody_without_a_value_gets_an_empty_element() -> None:
    made = render("urgent_action", subject=("x",), preheader=("x",), body=pieces("({{ name }})"), frame=FRAME)
    assert "<p>()</p>" in fill(made.html, {})
    assert "()" in fill(made.text, {})


def test_nothing_stands_beside_a_web_address_that_programs_would_take_into_the_link() -> None:
    frame = replace(FRAME, language="ar")
    made = render("urgent_action", subject=("x",), preheader=("x",), body=pieces("سلام {{ name }} ."), frame=frame)
    assert "سلام https://example.org/form?a=1 ." in fill(made.text, {"name": "https://example.org/form?a=1"})
    assert "سلام \u2068https://example.org/form/\u2069 ." in fill(made.text, {"name": "https://example.org/form/"})


@pytest.mark.parametrize(
    ("value", "direction"), [("1199 سلام", "rtl"), ("1199 Dockers", "ltr"), ("+44 20 7946", "ltr"), ("", "ltr")]
)
def test_a_value_runs_as_its_first_letter_does(value: str, direction: str) -> None:
    assert isolation.direction(value) == direction


def test_what_is_set_apart_stays_so_where_a_line_ends_inside_of_it() -> None:
    lines = plain_text.wrap(
        f"نداء من {isolation.in_text('1199 Dockers, pilots and crews!', 'rtl')}", Markers(), columns=20
    )
    assert len(lines) == 3
    assert visual.lines_of_text("\n".join(lines))[1:] == [line.strip("\u2068\u2069") for line in lines[1:]]


def test_a_value_that_takes_several_lines_of_a_quotation_is_set_apart_in_each() -> None:
    value = isolation.in_text("Joint Committee of the 1199 Dockers, Pilots and Crews of the Eastern Harbour (7)", "rtl")
    first, second = plain_text.folded(f"> {value} نداء").split("\n")
    assert first.startswith("> \u2068Joint") and first.endswith("\u2069")
    assert second.startswith("> \u2068") and second.count("\u2069") == 1


def test_a_line_that_runs_the_other_way_and_is_broken_runs_so_in_each_part() -> None:
    whole = isolation.turned("نص \u2068Ada Smith\u2069 نص", "rtl")
    first, second = whole.split(" Smith")
    assert isolation.over_lines([first, f"Smith{second}"]) == [
        "\u2067نص \u2068Ada\u2069\u2069",
        "\u2067\u2068Smith\u2069 نص\u2069",
    ]
