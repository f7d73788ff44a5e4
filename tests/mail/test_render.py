"""What an edition looks like, and what it refuses to hold."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.errors import MailerError
from mailer.locale import languages, translations
from mailer.mail import render as rendering_of
from mailer.mail.fields import parse
from mailer.mail.html_slots import UnsafePlace, cut_html
from mailer.mail.markdown import ForbiddenHtml, ForbiddenLink, ForbiddenPicture, MisplacedField
from mailer.mail.markers import Markers
from mailer.mail.merge import EditionHeaders, compile_edition
from mailer.mail.mjml_check import FetchesSomething, UnknownMjmlTag, UnpairedMjml, check_fetches_nothing
from mailer.mail.render import BrokenTemplate, ForwardedBy, Frame, HtmlTooLarge, UnknownTemplate, render
from mailer.mail.types import Pieces, Rendering, Slot, SlotContext
from tests.support import contrast

FRAME = Frame(
    language="en",
    direction="ltr",
    organisation="Harbour <Solidarity>",
    postal_address="12 Quay Street\nPort Example",
    gettext=str,
    heading="Urgent action",
    deadline=("12 March 2027",),
    web_url="https://example.org/campaigns/six",
)
LINK = "<https://example.org/>"
PREHEADER = "A letter to the embassy takes five minutes, before Monday."


def pieces(source: str) -> Pieces:
    fields = ("name", "country", "target_name", "target_email", "unsubscribe_url")
    return parse(source, file="en.md", fields=fields, conditions=()).resolve("")


def edition(
    body: str,
    *,
    kind: str = "urgent_action",
    subject: str = "Six jailed",
    preheader: str = PREHEADER,
    frame: Frame = FRAME,
    asks: bool = True,
) -> Rendering:
    subject_line, preheader_line = pieces(subject), pieces(preheader)
    return render(kind, subject=subject_line, preheader=preheader_line, body=pieces(body), frame=frame, asks=asks)


def shown(parts: Pieces) -> str:
    return "".join(part if isinstance(part, str) else f"[{part.field}]" for part in parts)


def words_of(html: str) -> str:
    return re.sub(r"</?span[^>]*>", "", html)


def slots(parts: Pieces) -> set[tuple[str, SlotContext]]:
    return {(part.field, part.context) for part in parts if isinstance(part, Slot)}


def test_markdown_comes_out_as_html_and_as_text_of_its_own() -> None:
    made = edition("# Free them\n\n**Write** to [us](https://example.org/a).\n\n- one\n- two")
    html, text = shown(made.html), shown(made.text)
    assert "<h1>Free them</h1>" in html
    assert '<strong>Write</strong> to <a href="https://example.org/a">us</a>' in html
    assert "<li>one</li>" in html
    assert "Free them\n=========\n\n*Write* to us <https://example.org/a>.\n\n- one\n- two\n" in text


def test_both_parts_say_who_writes_where_they_are_by_when_to_act_and_how_to_leave() -> None:
    made = edition("Text")
    assert "Harbour &lt;Solidarity&gt;" in shown(made.html)
    assert "Harbour <Solidarity>" in shown(made.text)
    for part in (words_of(shown(made.html)), shown(made.text)):
        for words in ("Urgent action", "Act by 12 March 2027", "12 Quay Street", "Port Example", "Six jailed"):
            assert words in part
        assert "https://example.org/campaigns/six" in part
    assert '<a href="[unsubscribe_url]">Unsubscribe</a>' in shown(made.html)
    assert '<a href="[preferences_url]">Change what you get</a>' in shown(made.html)
    assert "Unsubscribe\n<[unsubscribe_url]>" in shown(made.text)
    assert "Change what you get\n<[preferences_url]>" in shown(made.text)


@pytest.mark.parametrize("language", languages.SITE_LANGUAGES)
def test_no_words_stand_beside_a_link_that_may_be_longer_than_a_line(language: str) -> None:
    gettext = translations.gettext_for(language)
    frame = replace(FRAME, language=language, direction=languages.direction(language), gettext=gettext)
    for forwarded_by in (None, RELAY):
        text = shown(edition("Text", frame=replace(frame, forwarded_by=forwarded_by)).text)
        linked = [
            line.strip("\u2068\u2069") for line in text.split("\n") if ("<" in line and "/" in line) or "_url" in line
        ]
        assert len(linked) == (2 if forwarded_by else 3)
        assert all(line.startswith("<") and line.endswith(">") for line in linked)


def test_the_headline_of_the_text_is_underlined_as_long_as_it_is() -> None:
    assert "\nSix jailed\n==========\n" in shown(edition("Text").text)


@pytest.mark.parametrize("own_heading", [True, False])
def test_a_headline_of_unknown_length_is_underlined_from_side_to_side(own_heading: bool) -> None:
    headline = 'Write, {{ name or "supporter" }}'
    made = edition(f"# {headline}\n\nText") if own_heading else edition("Text", subject=headline)
    assert f"Write, [name]\n{'=' * 72}\n" in shown(made.text)


def test_no_line_of_the_text_part_looks_like_a_quotation() -> None:
    text = shown(edition("Text").text)
    assert "\n*Act by 12 March 2027*\n" in text
    assert not any(line.startswith(">") for line in text.split("\n"))


def test_french_has_a_space_before_its_colon() -> None:
    assert translations.gettext_for("fr")("Write to:") == "Écrire à\u00a0:"


def test_without_deadline_and_web_version_nothing_of_them_is_shown() -> None:
    made = edition("Text", frame=replace(FRAME, deadline=(), web_url=None))
    for part in (shown(made.html), shown(made.text)):
        assert "Act by" not in part
        assert "on the web" not in part
    assert "\n\n\n" not in shown(made.text)


def test_the_subject_is_the_headline_unless_the_text_has_its_own() -> None:
    assert "<h1>Six jailed</h1>" in shown(edition("Text").html)
    assert "<h1>Six jailed</h1>" not in shown(edition("# Own").html)


def test_slots_know_how_what_fills_them_must_be_escaped() -> None:
    body = 'Dear {{ name or "supporter" }}, [write](mailto:{{ target_email }}?subject=Six "to {{ target_name }}").'
    made = edition(body, subject="{{ country }}: six jailed", preheader="{{ name }}, " + PREHEADER)
    assert made.subject == (Slot("country", "", SlotContext.HEADER), ": six jailed")
    assert slots(made.html) == {
        ("name", SlotContext.HTML_WORDS),
        ("target_email", SlotContext.URL),
        ("target_name", SlotContext.HTML),
        ("country", SlotContext.HTML),
        ("country", SlotContext.HTML_WORDS),
        ("preferences_url", SlotContext.HTML),
        ("unsubscribe_url", SlotContext.HTML),
    }
    assert slots(made.text) == {
        ("name", SlotContext.LTR_WORDS),
        ("target_email", SlotContext.URL),
        ("country", SlotContext.LTR_WORDS),
        ("preferences_url", SlotContext.TEXT),
        ("unsubscribe_url", SlotContext.TEXT),
    }
    assert Slot("name", "supporter", SlotContext.HTML_WORDS) in made.html


def test_an_address_is_shown_as_such_in_the_text_part_and_encoded_in_its_links() -> None:
    made = edition("[Write](mailto:{{ target_email }}), [see](https://example.org/?c={{ country }})")
    assert "Write <[target_email]>, see <https://example.org/?c=[country]>\n" in shown(made.text)
    assert ("target_email", SlotContext.TEXT) in slots(made.text)
    assert ("country", SlotContext.URL) in slots(made.text)


def test_the_same_text_renders_to_the_same_edition() -> None:
    assert edition("Dear {{ name }}") == edition("Dear {{ name }}")


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("[x](javascript:alert)", ForbiddenLink, "javascript:alert"),
        ("[x](data:text/html,x)", ForbiddenLink, "data:"),
        ("[x](ftp://example.org)", ForbiddenLink, "ftp:"),
        ("[x](/relative)", ForbiddenLink, "/relative"),
        ("[x](#anchor)", ForbiddenLink, "#anchor"),
        ("[x](https:example.org)", ForbiddenLink, "https:example.org"),
        ("[x]()", ForbiddenLink, "refused"),
        ("<vbscript:x>", ForbiddenLink, "vbscript"),
        ("[x]: javascript:a\n\n[x]", ForbiddenLink, "javascript"),
        ("[x]({{ name }})", MisplacedField, "{{ name }} cannot be in the start of a link"),
        ("[x]({{ unsubscribe_url }}/x)", MisplacedField, "the start of a link"),
        ("[x](https://{{ name }}/)", MisplacedField, "the host of a link"),
        ("[x](https://example.org{{ name }})", MisplacedField, "the host of a link"),
        ("[x](java{{ name }}:x)", MisplacedField, "the start of a link"),
        ("![x](https://example.org/x.png)", ForbiddenPicture, "https://example.org/x.png"),
        ("a <b>b</b>", ForbiddenHtml, "<b>"),
        ("<script>alert(1)</script>", ForbiddenHtml, "<script>"),
        ("<!-- {{ name }} -->", ForbiddenHtml, "<!-- {{ name }} -->"),
        ("<mj-image>", ForbiddenHtml, "<mj-image>"),
    ],
)
def test_what_no_mail_may_hold_is_refused_in_the_words_of_its_author(
    body: str, error: type[MailerError], message: str
) -> None:
    with pytest.raises(error) as caught:
        edition(body)
    assert message in str(caught.value)


@pytest.mark.parametrize("body", ["1 < 2 & 3 > 2", "`<b>`", "    <script>", "a &lt;b&gt; c", "\\<b>"])
def test_what_looks_like_html_but_is_text_is_shown_as_text(body: str) -> None:
    made = edition(body)
    assert "<b>" not in shown(made.html)
    assert "<script>" not in shown(made.html)


def test_the_unsubscribe_link_may_stand_in_the_text_too() -> None:
    assert '<a href="[unsubscribe_url]">leave</a>' in shown(edition("[leave]({{ unsubscribe_url }})").html)


def test_a_right_to_left_mail_is_right_to_left_throughout() -> None:
    html = shown(edition("> Text", frame=replace(FRAME, language="ar", direction="rtl")).html)
    assert '<html lang="ar" dir="rtl"' in html
    assert "direction:ltr" not in html.replace(" ", "")
    assert "border-right: 4px" in html
    assert "text-align:right" in html


def test_a_name_in_another_script_leaves_the_sentence_around_it_in_order() -> None:
    html = shown(edition("{{ name }}, [write {{ name }}](https://example.org/?n={{ name }})").html)
    assert '[name], <a href="https://example.org/?n=[name]">write [name]</a>' in html


def test_a_mail_fetches_nothing_and_counts_nothing() -> None:
    html = shown(edition("Text [a](https://example.org/a)").html)
    links = set(re.findall(r"https?://[^\s\"'<)]+", html))
    namespaces = {"http://www.w3.org/1999/xhtml"}
    assert links - namespaces == {"https://example.org/a", "https://example.org/campaigns/six"}


@pytest.mark.parametrize(
    "html",
    ['<img alt="">', '<p style="background:url(x)">', "<style>@import 'x'</style>", '<td background="x">', "<script>"],
)
def test_html_that_would_fetch_something_is_refused(html: str) -> None:
    with pytest.raises(FetchesSomething):
        check_fetches_nothing(f"<p>src=in text is fine</p>{html}", template="x")


def test_the_html_is_whole_and_made_for_phones_and_dark_mode() -> None:
    html = shown(edition("# A\n\n> b\n\n1. c\n\n```\nd\n```").html)
    for wanted in ('name="viewport"', 'name="color-scheme"', "prefers-color-scheme: dark", "<title>Six jailed</title>"):
        assert wanted in html
    assert not re.search(r"</?mj", html)
    checker = _Nesting()
    checker.feed(re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL))
    assert checker.open == []


def test_a_line_break_keeps_words_apart_whatever_they_are_written_in() -> None:
    html = shown(edition(f"{'Word ' * 15}**before**\n*noon* [today](https://example.org/)\n`now`").html)
    assert '<strong>before</strong> <em>noon</em> <a href="https://example.org/">today</a> <code>now</code></p>' in html


def test_a_title_is_read_aloud_as_it_is_written() -> None:
    title = 'می\u200cخواهیم "आज़ादी" \u2068\\o/\u2069'
    attributes = _Attributes()
    attributes.feed(shown(edition(f"[a](https://example.org/a '{title}')", subject=title).html))
    assert attributes.seen["aria-label"] == attributes.seen["title"] == title


class _Attributes(HTMLParser):
    """What each attribute says."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, str | None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= attrs


class _Nesting(HTMLParser):
    """Fails where a tag is closed that is not the last opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """What closes itself leaves nothing open."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


#: everything that a text may hold, and all that may stand around it
RICH = "# A\n\nb [c](https://example.org/)\n\n> d\n\n1. e\n\n```\nf\n```\n\n[g](https://example.org/)\n\n---\n\n## h"


@pytest.mark.parametrize("scheme", ["light", "dark", None])
@pytest.mark.parametrize("kind", ["urgent_action", "update", "stop"])
@pytest.mark.parametrize("forwarded_by", [None, "a union"])
def test_all_words_of_a_mail_stand_out_from_what_is_behind_them(
    scheme: str | None, kind: str, forwarded_by: str | None
) -> None:
    passed_on = replace(RELAY, introduction=("Ours",)) if forwarded_by else None
    made = edition(RICH, kind=kind, frame=replace(FRAME, forwarded_by=passed_on))
    pairs = contrast.pairs(shown(made.html), scheme=scheme)
    assert len(pairs) > 3
    # 4.5 is what WCAG 2.2 asks for; filters take words that stand out less for hidden ones.
    assert {words: contrast.of(pair) for pair, words in pairs.items() if contrast.of(pair) < 4.5} == {}
    assert any(words.startswith(PREHEADER) for words in pairs.values()) == (scheme is None)


def test_the_style_that_hides_the_preheader_is_not_the_one_that_filters_look_for() -> None:
    looked_for = re.compile(
        r'\bstyle\s*=\s*"[^">]{0,80}(?:visibility\s*:\s*hidden|display\s*:\s*none)'
    )  # SpamAssassin's
    assert not looked_for.search(shown(edition("Text").html))


def test_a_lone_link_becomes_a_button() -> None:
    html = shown(edition("[Write now](https://example.org/)\n\nor [write](https://example.org/) later").html)
    assert html.count('class="action"') == 1


def test_an_address_that_stands_alone_is_a_link_and_no_button() -> None:
    html = shown(edition("https://example.org/report\n\n{{ target_email }}").html)
    assert '<p><a href="https://example.org/report">https://example.org/report</a></p>' in html
    assert '<p><a href="mailto:[target_email]">[target_email]</a></p>' in html


@pytest.mark.parametrize("body", ["[Write](mailto:{{ target_email }})", "See https://example.org/a.", LINK])
def test_the_authors_are_warned_of_a_text_that_has_nothing_to_press(body: str) -> None:
    assert edition(body).warnings == ()
    (warning,) = edition("Please write to {{ target_name }}.").warnings
    assert warning.code == "no-link"
    assert edition("They are free.", kind="update", asks=False).warnings == ()


def test_a_table_is_one_in_both_parts() -> None:
    made = edition(f"{LINK}\n\n| Day | Place |\n|-----|------:|\n| Mon | Port |")
    assert '<td class="end">Port</td>' in shown(made.html)
    assert "Day  Place\n---  -----\nMon  Port\n" in shown(made.text)
    assert made.warnings == ()


def test_the_authors_are_warned_of_a_preheader_that_shows_badly() -> None:
    assert edition(LINK).warnings == ()
    (warning,) = edition(LINK, preheader="Short").warnings
    assert warning.what == "the preheader has 5 characters"


def test_large_html_is_warned_of_and_larger_html_refused() -> None:
    (warning,) = edition(f"{LINK} {'word ' * 17_000}").warnings
    assert "from 100,000 on it is refused" in warning.what
    with pytest.raises(HtmlTooLarge, match="under 100,000"):
        edition("word " * 20_000)


@given(st.text(alphabet=st.sampled_from("ab \n#*_>-1.`[]()<&!\\\"'=:/~|\u00a0\u202eé😀\0\ud800\t") | st.characters()))
@example('[a](https://example.org/ "src=x")')
@example("[a](https://example.org/url(x\\))")
def test_any_text_is_refused_with_a_reason_or_arrives_as_it_was_rendered(body: str) -> None:
    try:
        made = render("urgent_action", subject=(body,), preheader=(body,), body=(body, Slot("name")), frame=FRAME)
        compile_edition(made, EditionHeaders(sender="alerts@example.org"))
    except (ForbiddenHtml, ForbiddenLink, ForbiddenPicture, MisplacedField):
        return


# --- passed on by somebody else -------------------------------------------------------------------------------------

RELAY = ForwardedBy("Dockers <of> Example", (), "https://example.org/join/dockers")


def relayed(forwarded_by: ForwardedBy = RELAY, **frame: str) -> tuple[str, str]:
    made = edition("Dear {{ name }}", frame=replace(FRAME, forwarded_by=forwarded_by, **frame))  # type: ignore[arg-type] # words all
    assert {slot.field for slot in (*made.html, *made.text) if isinstance(slot, Slot)} == {"name"}
    return shown(made.html), shown(made.text)


def test_a_mail_that_is_passed_on_says_by_whom_and_how_to_join_and_has_no_link_of_one_person() -> None:
    html, text = relayed()
    assert '<span dir="ltr">Dockers &lt;of&gt; Example</span> asks its members to support this appeal.' in html
    assert text.startswith("Dockers <of> Example asks its members to support this appeal.\n\n* * *\n")
    assert '<p class="action"><a href="https://example.org/join/dockers">Sign up</a></p>' in html
    assert "Get the next alert yourself\n<https://example.org/join/dockers>\n" in text
    assert 'href="https://example.org/campaigns/six"' in html
    for part in (words_of(html), text):
        assert "This message is from" in part and "You are receiving this e-mail" not in part
        assert "12 Quay Street" in part and "Act by 12 March 2027" in part
    assert "prefers-color-scheme" in html and ".bearer .box" in html


def test_whoever_passes_it_on_may_say_it_in_their_own_words_which_are_only_words() -> None:
    html, text = relayed(replace(RELAY, introduction=("One <b>\ntwo [a](b)", "{{ name }} {% if %}")))
    assert '<p dir="ltr">One &lt;b&gt;<br />two [a](b)</p>' in html
    assert '<p dir="ltr">{{ name }} {% if %}</p>' in html
    assert text.startswith("Dockers <of> Example\n\nOne <b>\ntwo [a](b)\n\n{{ name }} {% if %}\n\n* * *\n")
    assert "asks its members" not in html + text


def test_without_a_name_it_is_passed_on_by_somebody() -> None:
    html, text = relayed(replace(RELAY, name=None))
    assert "Someone who got it passed it on to you." in html
    assert text.startswith("Urgent action\n")
    assert "None" not in html + text
    assert 'class="copy bearer"' not in html


def test_a_name_in_another_script_leaves_a_line_of_the_text_part_in_order() -> None:
    assert relayed(language="ar", direction="rtl")[1].startswith("\u2068Dockers <of> Example\u2069 ")
    assert "\u2068" not in relayed()[1]


def test_a_template_cannot_print_a_link_of_one_person_in_a_mail_that_is_passed_on(
    templates: Callable[[str], None],
) -> None:
    templates("<mjml><mj-body><mj-raw>{{ unsubscribe_url }}</mj-raw></mj-body></mjml>")
    with pytest.raises(BrokenTemplate, match="unsubscribe_url"):
        render("own", subject=(), preheader=(), body=(), frame=replace(FRAME, forwarded_by=RELAY))


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes a template named "own" into a folder of its own."""
    (tmp_path / "campaigns").mkdir()
    monkeypatch.setattr(rendering_of, "TEMPLATES", tmp_path)
    rendering_of._environment.cache_clear()
    monkeypatch.setattr(rendering_of, "_environment", rendering_of._environment.__wrapped__)

    def write(mjml: str) -> None:
        (tmp_path / "campaigns" / "own.mjml").write_text(mjml)
        (tmp_path / "campaigns" / "own.txt").write_text("{{ body }}")

    return write


def render_own() -> Rendering:
    return render("own", subject=("x",), preheader=("x",), body=("Text",), frame=FRAME)


def test_an_unknown_mjml_tag_is_an_error_with_file_and_line(templates: Callable[[str], None]) -> None:
    templates("<mjml>\n<mj-body>\n<mj-frob>x</mj-frob></mj-body></mjml>")
    with pytest.raises(UnknownMjmlTag, match=r"^campaigns/own\.mjml:3: there is no MJML tag <mj-frob>"):
        render_own()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<MJ-Text>x</MJ-Text>", "own.mjml:1: there is no MJML tag <MJ-Text>"),
        ('<mj-section>\n<mj-column colour="red" />', 'own.mjml:2: <mj-column> has no attribute "colour"'),
        ('<mj-text css-class="a" font_size="1">', 'own.mjml:1: <mj-text> has no attribute "font_size"'),
        ("<mj-text>x</mj-text>", "own.mjml:1: <mj-text> in <mj-body> would be lost. Put it into <mj-column>."),
        ("\n<mj-section>\n<!-- <mj-column> --><mj-text>x</mj-text></mj-section>", "own.mjml:3: <mj-text> in <mj-sect"),
        ("<mj-section>\n\n<mj-section></mj-section></mj-section>", "own.mjml:3: <mj-section> in <mj-section>"),
        ("\n<mj-section><mj-column>\n<p>x</p></mj-column></mj-section>", 'own.mjml:3: "<p>x</p>" in <mj-column>'),
        ("\n<mj-section></mj-section>\n\nx", 'own.mjml:4: "x" in <mj-body>'),
        ("{% for i in (1, 2) %}\n<mj-section>\n<mj-text>x</mj-text></mj-section>{% endfor %}", "own.mjml:3: <mj-text>"),
        ("<mj-section>\n<mj-column></mj-section></mj-column>", "own.mjml:2: <mj-column> is not closed before </mj-s"),
        ("</mj-body></mjml>\n</mj-text><mjml><mj-body>", "own.mjml:2: </mj-text> closes nothing."),
    ],
)
def test_what_mjml_would_drop_is_an_error(templates: Callable[[str], None], body: str, message: str) -> None:
    templates(f"<mjml><mj-body>{body}</mj-body></mjml>")
    with pytest.raises(MailerError, match=re.escape(message)):
        render_own()


def test_an_unknown_template_field_is_an_error(templates: Callable[[str], None]) -> None:
    templates("<mjml><mj-body>{{ nonsense }}</mj-body></mjml>")
    with pytest.raises(BrokenTemplate, match="'nonsense' is undefined"):
        render_own()


def test_a_template_that_fetches_something_is_an_error(templates: Callable[[str], None]) -> None:
    templates('<mjml><mj-body><mj-raw><img src="https://example.org/x.png" /></mj-raw></mj-body></mjml>')
    with pytest.raises(FetchesSomething, match="own"):
        render_own()


def test_a_tag_that_is_never_closed_is_an_error_with_file_and_line(templates: Callable[[str], None]) -> None:
    templates("<mjml>\n<mj-body>\n")
    with pytest.raises(UnpairedMjml, match=r"^campaigns/own\.mjml:2: <mj-body> is never closed\. Write </mj-body>"):
        render_own()


def test_mjml_that_is_not_well_formed_is_an_error(templates: Callable[[str], None]) -> None:
    templates("<mjml><mj-body><mj-raw><p></mj-raw></mj-body></mjml>")
    with pytest.raises(BrokenTemplate, match="own cannot be rendered"):
        render_own()


def test_a_template_that_is_missing_is_an_error_that_says_where_it_belongs() -> None:
    with pytest.raises(UnknownTemplate, match=r'"campaigns/nonsense\.mjml"\. Write it in templates/emails'):
        render("nonsense", subject=("x",), preheader=("x",), body=("x",), frame=FRAME)


@pytest.mark.parametrize(
    "html",
    [
        "<style>a{color:%s}</style>",
        "<!-- %s -->",
        '<p style="color:%s">',
        '<p class="%s">',
        "<p %s>",
        "<a href=%s>",
        '<a href="%s">',
        '<a href="%s/x">',
        '<p onclick="%s">',
    ],
)
def test_a_slot_where_nothing_can_be_escaped_is_refused(html: str) -> None:
    markers = Markers()
    with pytest.raises(UnsafePlace, match=re.escape("{{ name }}")):
        cut_html("<p>x</p>" + html % markers.mark((Slot("name"),)), markers)


@pytest.mark.parametrize(
    ("frame", "says_so"),
    [
        (FRAME, False),
        (replace(FRAME, answers_are_read=False), True),
        (replace(FRAME, answers_are_read=False, forwarded_by=RELAY), False),
    ],
)
def test_a_mail_says_if_nobody_reads_answers_but_not_what_a_union_passes_on(frame: Frame, says_so: bool) -> None:
    made = edition("Text", frame=frame)
    for words in (made.text, made.html):
        assert ("Nobody reads answers to this e-mail." in shown(words)) is says_so
