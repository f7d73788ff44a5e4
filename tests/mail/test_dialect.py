"""What Markdown means in a campaign text, beyond CommonMark."""

import pytest

from mailer.mail import markdown
from mailer.mail.markers import Markers
from mailer.mail.types import Slot


def html(*body: str | Slot) -> str:
    markers = Markers()
    return markers.shown(markdown.to_html(markdown.read(markers.mark(body), markers))).strip()


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("on ~~5 May~~ 12 May", "on <s>5 May</s> 12 May"),
        ("**重要：**请写信", "<strong>重要：</strong>请写信"),
        ("请*「今天」*写信", "请<em>「今天」</em>写信"),
        ("日程~~（月）~~は", "日程<s>（月）</s>は"),
        ("**“지금”**을", "<strong>“지금”</strong>을"),
        ("Kolleg*innen und Freund*innen", "Kolleg*innen und Freund*innen"),
        ("*Kolleg*innen*", "<em>Kolleg*innen</em>"),
        ("un**believ**able", "un<strong>believ</strong>able"),
        ("a_b_c", "a_b_c"),
    ],
)
def test_what_was_meant_is_emphasised_whichever_letters_stand_beside_it(source: str, shown: str) -> None:
    assert html(source) == f"<p>{shown}</p>"


def test_footnotes_are_a_list_at_the_end() -> None:
    shown = html("12 May[^court].\n\n[^court]: As the **court** announced.\n\nAnd 13[^court].")
    assert "12 May<sup>[1]</sup>." in shown
    assert "13<sup>[1]</sup>." in shown
    assert shown.endswith("<hr>\n<ol>\n<li>\n<p>As the <strong>court</strong> announced.</p>\n</li>\n</ol>")


def test_boxes_to_tick_are_signs() -> None:
    assert '<li class="task">☐ write</li>\n<li class="task">☑ sign</li>' in html("- [ ] write\n- [x] sign")


@pytest.mark.parametrize(
    ("source", "address", "words"),
    [
        ("(see https://example.org/a_(b), now)", "https://example.org/a_(b)", "https://example.org/a_(b)"),
        ("see https://example.org/_a_/*b*/.", "https://example.org/_a_/*b*/", "https://example.org/_a_/*b*/"),
        ("**HTTPS://example.org/?a=b&c**", "HTTPS://example.org/?a=b&amp;c", "HTTPS://example.org/?a=b&amp;c"),
        ("请看https://example.org/a。谢谢", "https://example.org/a", "https://example.org/a"),
        ("https://example.org/ἀ", "https://example.org/%E1%BC%80", "https://example.org/ἀ"),
        ("ask a_b+c@example.org.", "mailto:a_b+c@example.org", "a_b+c@example.org"),
        ("(us@example.org)", "mailto:us@example.org", "us@example.org"),
        ("[https://example.org/a](https://example.org/b)", "https://example.org/b", "https://example.org/a"),
        ("[us@example.org](https://example.org/b)", "https://example.org/b", "us@example.org"),
    ],
)
def test_bare_addresses_are_links(source: str, address: str, words: str) -> None:
    shown = html(f"Please {source}")
    assert f'<a href="{address}">{words}</a>' in shown
    assert shown.count("<a ") == 1


@pytest.mark.parametrize(
    "source", ["`https://example.org`", "https://", "http:// x", "xhttps://example.org", "example.org", "a@b", "@us"]
)
def test_other_words_are_no_links(source: str) -> None:
    assert "<a " not in html(source)


def test_the_field_for_an_email_address_is_a_link_unless_its_default_is_none() -> None:
    field = Slot("target_email")
    assert '<a href="mailto:{{ target_email }}">{{ target_email }}</a>' in html("Write to ", field, ".")
    assert "<a " in html("Write to ", Slot("target_email", "us@example.org"))
    assert "<a " not in html("Write to ", Slot("target_email", "the embassy"))
    assert html("[", field, "](mailto:", field, ")").count("<a ") == 1


def test_line_ends_of_narrow_lines_stay_and_those_of_an_editor_do_not() -> None:
    assert "solidarity,<br>\nAna<br>\nHarbour" in html("In solidarity,\nAna\nHarbour Solidarity")
    assert "<br>" in html("> Ministry Square\n> Ondor")
    line = "Two dockers are in prison in Ondoria because they went on strike."
    assert "<br>" not in html(f"{line}\nPlease write now.")
    assert "<br>" not in html(f"Read\n{line.replace(' ', '-')}")


def test_a_line_end_between_letters_that_stand_without_spaces_is_none() -> None:
    line = "两名码头工人因为罢工而被关进监狱，他们的家人已经三个月没有收到他们的消息了"
    assert f"{line}请今天" in html(f"{line}\n请今天就写信给大使馆，要求立即释放他们")
