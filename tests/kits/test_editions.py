"""The relay edition: what a union passes on says what the campaign says, in the union's name, and to nobody by name."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from mailer.campaigns.editions import Unrenderable
from mailer.formats.paper import sheets
from mailer.formats.paper.sheets import Sheet
from mailer.kits.editions import KitEditions, MustNotAppear
from mailer.kits.messages import MEDIUM_CHARACTERS, SHORT_CHARACTERS, read_text
from mailer.kits.wording import Forwarder
from mailer.locale import translations
from mailer.locale.languages import SITE_LANGUAGES
from mailer.store.models import Campaign, CampaignText, Union
from tests.support.factories import SENDER, add_text, make_campaign, make_case, make_list, make_union

FILES = [
    "mail.eml", "mail.html", "mail.txt", "messenger-short.txt", "messenger-medium.txt", "leaflet.pdf", "picture.png",
]  # fmt: skip
TARGETS = [
    {"countries": ["GB"], "name": "Embassy, London", "email": "london@example.org", "address": "12 Example Sq\nLondon"},
    {"countries": [], "name": "The Ministry", "email": "minister@example.org", "address": "1 Ministry Square"},
]
JOIN = "https://act.example.org/en/join/dockers"


@pytest.fixture
def backend() -> str:
    """What is made does not depend on the database."""
    return "sqlite"


@pytest.fixture
def union(session: Session) -> Union:
    return make_union(session, "dockers", name="Dockers & <Friends>", parent=make_union(session, "all-ports"))


@pytest.fixture
def no_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is printed: that takes most of the time."""
    for name in ("leaflet", "picture"):
        monkeypatch.setattr(sheets, name, lambda _sheet: b"paper")


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, no_paper: None) -> list[Sheet]:
    """What would be printed, in the place of printing it."""
    printed: list[Sheet] = []

    def leaflet(sheet: Sheet) -> bytes:
        printed.append(sheet)
        return b"a leaflet"

    monkeypatch.setattr(sheets, "leaflet", leaflet)
    return printed


def campaign(session: Session, body: str = "Write today.\n", **columns: Any) -> Campaign:
    made = make_campaign(session, make_list(session), body=body)
    made.targets = TARGETS
    for column, value in columns.items():
        setattr(made, column, value)
    return made


def files(session: Session, made: Campaign, union: Union | None, language: str = "en") -> dict[str, bytes]:
    return KitEditions(session, made, SENDER).files(Forwarder.of(union), language)


def text(made: Mapping[str, bytes], name: str = "mail.txt") -> str:
    return read_text(made[name])


# --- what is in a kit -----------------------------------------------------------------------------------------------


def test_a_kit_has_seven_files_that_say_the_same(session: Session, union: Union) -> None:
    made = files(session, campaign(session, "Six are **jailed**.\n"), union)
    assert list(made) == FILES
    message = message_from_bytes(made["mail.eml"], policy=policy.default)
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and plain.get_content().replace("\r\n", "\n") == text(made)
    assert html is not None and html.get_content().replace("\r\n", "\n") == made["mail.html"].decode()
    assert message["Subject"] == "Free the five" in text(made, "messenger-short.txt")
    assert "Six are jailed." in text(made, "messenger-medium.txt")
    assert made["leaflet.pdf"].startswith(b"%PDF") and made["picture.png"].startswith(b"\x89PNG")


def test_it_needs_no_database_any_more(session: Session, union: Union, no_paper: None) -> None:
    renderer, forwarder = KitEditions(session, campaign(session), SENDER), Forwarder.of(union)
    session.commit()
    session.close()
    assert renderer.languages == ["en"]
    assert list(renderer.files(forwarder, "en")) == FILES


def test_texts_open_right_everywhere_and_read_back_as_they_were(session: Session, union: Union, no_paper: None) -> None:
    made = campaign(session)
    add_text(session, made, "ru", "Напишите **сегодня**.\n")
    for name, content in files(session, made, union, "ru").items():
        if name.endswith(".txt"):
            assert content.startswith(b"\xef\xbb\xbf")
            assert content.count(b"\n") == content.count(b"\r\n") > 0
            assert "\r" not in read_text(content) and read_text(content)[0] != "\ufeff"


def test_what_our_fonts_cannot_print_is_left_out_and_the_rest_is_there(session: Session, union: Union) -> None:
    made = campaign(session)
    add_text(session, made, "zh-Hant", "請今天就寫信。\n")
    made.texts[-1].subject = "釋放六人"
    session.flush()
    assert list(files(session, made, union, "zh-Hant")) == FILES[:5]


def test_a_text_that_grows_too_large_is_refused_with_its_file(session: Session, union: Union) -> None:
    union.introductions = {"en": "word " * 30_000}
    with pytest.raises(Unrenderable, match=r"^en\.md:5: .*100,000"):
        files(session, campaign(session), union)


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("introductions", {"en": "Dear members,\n\nAMAL  ODEH saw it."}, "the union's own words in en"),
        ("name", "Amal Odeh Dockers", "the union's name"),
        ("slug", "amal-odeh-dockers", "the union's name"),
        (None, None, "the campaign's text"),
    ],
)
def test_a_word_that_must_not_appear_keeps_a_kit_from_being_made_and_only_its_place_is_named(
    session: Session, no_paper: None, union: Union, key: str | None, value: object, place: str
) -> None:
    made = campaign(session)
    made.case = make_case(session, never=["Amal Odeh"])
    assert files(session, made, union)
    if key is None:
        made.texts[0].body += "\n\nAmal **Odeh** saw it.\n"
    else:
        setattr(union, key, value)
    with pytest.raises(MustNotAppear, match=f"stands in {place} that") as refused:
        files(session, made, union)
    assert "odeh" not in str(refused.value).lower()
    union.is_named = False  # then nothing of its own stands there
    if key is not None:
        assert files(session, made, union)


# --- whom it is for -------------------------------------------------------------------------------------------------

BODY = """{{ name or "supporter" }} · {{ country or "no country" }} · {{ union or "no union" }} · {{ target_name }}

{% if union == "all-ports" %}Ports{% endif %}{% if union == "dockers" %}Docks{% endif %}
{% if language == "pt" %}P{% endif %}
"""


def body_of(made: Mapping[str, bytes]) -> str:
    before, _, after = text(made).partition("supporter · ")
    assert after, before
    return " ".join(after.partition("* * *")[0].split())


def test_it_is_for_members_of_the_union_in_its_country(session: Session, union: Union, no_paper: None) -> None:
    made = files(session, campaign(session, BODY), union)
    assert body_of(made) == "United Kingdom · Dockers & <Friends> · Embassy, London PortsDocks"


def test_of_a_union_that_is_not_named_only_the_country_is_told(
    session: Session, union: Union, printed: list[Sheet]
) -> None:
    union.is_named, union.introductions, union.logo = False, {"en": "We, the dockers, ask you"}, b"a logo"
    made = files(session, campaign(session, BODY), union)
    assert body_of(made) == "United Kingdom · no union · Embassy, London"
    assert (printed[0].union, printed[0].logo) == (None, None)
    for content in made.values():
        assert not any(words in content for words in (b"Friends", b"join", b"We, the dockers"))


def test_for_everybody_else_it_names_the_target_for_everyone(session: Session, no_paper: None) -> None:
    made = files(session, campaign(session, BODY), None)
    assert body_of(made) == "no country · no union · The Ministry"


def test_a_country_is_named_in_the_language_of_the_text(session: Session, union: Union, no_paper: None) -> None:
    made = campaign(session)
    add_text(session, made, "pt-BR", BODY)
    assert body_of(files(session, made, union, "pt-BR")).startswith("Reino Unido")
    assert body_of(files(session, made, union, "pt-BR")).endswith("PortsDocks P")


def test_where_nothing_can_stand_there_is_a_gap_to_see_but_none_in_a_link(
    session: Session, union: Union, no_paper: None
) -> None:
    union.country = None
    body = "Dear {{ name }}, in {{ country }}: [see](mailto:a@example.org?subject={{ country }})\n"
    made = files(session, campaign(session, body), union)
    assert "Dear …, in …: see <mailto:a@example.org?subject=>" in " ".join(text(made).split())
    assert '<span dir="ltr">…</span>: <a href="mailto:a@example.org?subject=">' in made["mail.html"].decode()


def test_of_a_link_to_a_target_that_has_no_address_the_words_stay(
    session: Session, union: Union, no_paper: None
) -> None:
    body = """[Write **today**](mailto:{{ target_email }}?subject=Free%20them), [write to us](mailto:us@example.org)

[Call](tel:{{ target_address }}) or {{ target_email }} or [ask](mailto:{{ target_email or "us@example.org" }})
"""
    made = campaign(session, body)
    made.targets = [{"countries": [], "name": "Ministry", "email": "", "address": ""}]
    got = files(session, made, union)
    assert "Write *today*, write to us <us@example.org>\n\nCall or … or ask <us@example.org>" in text(got)
    html = got["mail.html"].decode()
    assert html.count('href="mailto:us@example.org"') == html.count("mailto:") == 2
    assert "tel:" not in html


def test_values_are_made_harmless_for_the_place_they_stand_in(session: Session, union: Union, no_paper: None) -> None:
    union.name = "A\u202e & <b>"
    made = campaign(session, "{{ union }}, [write](mailto:{{ target_email }}?subject={{ target_name }})\n")
    made.targets = [{"countries": [], "name": union.name, "email": "a%b@example.org", "address": ""}]
    made.texts[0].subject = "{{ union }}: act"
    html = files(session, made, union)["mail.html"].decode()
    assert (
        '<span dir="ltr">A &amp; &lt;b&gt;</span>, <a href="mailto:a%25b@example.org?subject=A%20%26%20%3Cb%3E">'
        in html
    )
    assert "<b>" not in html
    eml = files(session, made, union)["mail.eml"]
    assert message_from_bytes(eml, policy=policy.default)["Subject"] == "A & <b>: act"


# --- kinds that ask nobody to act -----------------------------------------------------------------------------------

STOP = "Please do not write any more"


@pytest.mark.parametrize("kind", ["update", "stop"])
def test_a_kit_of_news_or_of_a_stop_asks_nobody_to_act(
    session: Session, union: Union, printed: list[Sheet], kind: str
) -> None:
    made = campaign(session, "Dear {{ name }},\n\nthey are free.\n", kind=kind, targets=[], public=True)
    words = files(session, made, union)
    for name in ("mail.txt", "mail.html", "messenger-short.txt", "messenger-medium.txt"):
        for asking in ("Act by", "appeal.", "Urgent action", "Write to", "and act"):
            assert asking not in text(words, name), name
    assert text(words).startswith("Dockers & <Friends> passes this on to its members.\n\n* * *\n")
    [sheet] = printed
    assert (sheet.reading, sheet.addressee) == ("Read it on our site", ())
    assert sheet.call == (STOP if kind == "stop" else None)


def test_a_stop_comes_first_in_what_is_copied_into_messengers(session: Session, union: Union, no_paper: None) -> None:
    words = files(session, campaign(session, "They are in danger.\n", kind="stop", targets=[]), union)
    assert text(words, "messenger-medium.txt").startswith(f"{STOP}\n\n*Free the five*\n\nFive dockers")
    assert text(words, "messenger-short.txt").startswith(f"Free the five\n{STOP}\n")


def test_a_stop_is_said_where_there_is_no_room_for_a_link(session: Session, union: Union, no_paper: None) -> None:
    site = replace(SENDER, base_url=f"https://{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 40}.example.org")
    made = campaign(session, kind="stop", targets=[])
    words = KitEditions(session, made, site).files(Forwarder.of(union), "en")
    assert text(words, "messenger-short.txt") == f"Free the five\n{STOP}"


@pytest.mark.parametrize("language", SITE_LANGUAGES)
def test_a_stop_is_said_in_the_language_of_the_kit_however_long_its_title_is(
    session: Session, union: Union, no_paper: None, language: str
) -> None:
    made = campaign(session, kind="stop", targets=[], public=True)
    if language != "en":
        add_text(session, made, language, "They are in danger.\n")
    for written in made.texts:
        written.subject = "They are in danger because of our letters " * 20
    words, stop = files(session, made, union, language), translations.gettext_for(language)(STOP)
    short, medium = text(words, "messenger-short.txt"), text(words, "messenger-medium.txt")
    assert stop in short.splitlines() and medium.startswith(f"{stop}\n\n*")
    assert len(short) <= SHORT_CHARACTERS and len(medium) <= MEDIUM_CHARACTERS


# --- what stands around it ------------------------------------------------------------------------------------------


def test_a_union_that_wrote_nothing_asks_its_members_in_a_fixed_sentence(
    session: Session, union: Union, no_paper: None
) -> None:
    made = files(session, campaign(session), union)
    assert text(made).startswith("Dockers & <Friends> asks its members to support this appeal.\n")
    html = made["mail.html"].decode()
    assert '<span dir="ltr">Dockers &amp; &lt;Friends&gt;</span> asks its members to support this appeal.' in html


def test_a_unions_own_words_stand_above_as_it_wrote_them(session: Session, union: Union, no_paper: None) -> None:
    union.introductions = {"en": "Dear <all>,\r\n\r\n{{ name }} **act** _SLOT_\r\n\r\n\r\n Yours,\r\nThe board\0 "}
    made = files(session, campaign(session), union)
    html = made["mail.html"].decode()
    for paragraph in ("Dear &lt;all&gt;,", "{{ name }} **act** _SLOT_", "Yours,<br />The board"):
        assert f'<p dir="ltr">{paragraph}</p>' in html
    expected = "Dockers & <Friends>\n\nDear <all>,\n\n{{ name }} **act** _SLOT_\n\nYours,\nThe board\n\n* * *\n"
    assert text(made).startswith(expected)
    assert "asks its members" not in html + text(made)


@pytest.mark.parametrize(("language", "is_own"), [("pt", True), ("pt-BR", True), ("en", False)])
def test_its_own_words_are_for_their_language_and_its_forms(
    session: Session, union: Union, printed: list[Sheet], language: str, is_own: bool
) -> None:
    union.introductions = {"pt": "Companheiros!"}
    made = campaign(session)
    for other in ("pt", "pt-BR"):
        add_text(session, made, other, "Escreva.\n")
    assert ("Companheiros!" in text(files(session, made, union, language))) is is_own


def test_for_everybody_else_nothing_stands_above(session: Session, no_paper: None) -> None:
    made = files(session, campaign(session), None)
    assert text(made).startswith("Urgent action\n")
    assert "Someone who got it passed it on to you." in " ".join(text(made).split())


def test_below_stands_how_to_join_and_nothing_that_leaves(session: Session, union: Union, no_paper: None) -> None:
    made = files(session, campaign(session), union)
    html, plain = made["mail.html"].decode(), text(made)
    assert f'<a href="{JOIN}">Sign up</a>' in html
    assert f"Get the next alert yourself\n<{JOIN}>" in plain
    for part in (html, plain):
        for wrong in ("nsubscribe", "preferences", "You are receiving this e-mail", "Change what you get"):
            assert wrong not in part
    words = "This message is from Harbour Solidarity. Dockers & <Friends> passes it on to its members."
    assert words in " ".join(plain.split())


@pytest.mark.parametrize(
    ("language", "is_named", "url"),
    [
        ("en", True, JOIN),
        ("pt", True, "https://act.example.org/join/dockers"),
        ("fr-CA", True, "https://act.example.org/fr/join/dockers"),
        ("en", False, "https://act.example.org/en/"),
        ("pt", False, "https://act.example.org/"),
    ],
)
def test_the_join_link_is_in_the_kits_language_if_the_site_speaks_it(
    session: Session, union: Union, printed: list[Sheet], language: str, is_named: bool, url: str
) -> None:
    union.is_named = is_named
    made = campaign(session)
    if language != "en":
        add_text(session, made, language, "Text\n")
    got = files(session, made, union, language)
    assert f'href="{url}"' in got["mail.html"].decode()
    for name in ("messenger-short.txt", "messenger-medium.txt"):
        assert url in text(got, name).split("\n")
    assert [sheet.join_url for sheet in printed] == [url]


def test_only_a_public_campaign_leads_to_its_page(session: Session, union: Union, no_paper: None) -> None:
    made = campaign(session)
    url = "https://act.example.org/en/campaigns/free-the-five"
    for public in (False, True):
        made.public = public
        got = files(session, made, union)
        for name in FILES[1:5]:
            assert (url in got[name].decode()) is public


# --- messengers and paper -------------------------------------------------------------------------------------------

DEADLINE = datetime(2035, 4, 30, 16, 0, tzinfo=UTC)
LONG = "Six people in Veldara need a letter from you. " * 12


def test_the_medium_text_says_what_happened_whom_to_write_to_and_where_it_goes_on(
    session: Session, union: Union, no_paper: None
) -> None:
    made = campaign(session, f"Dear {{{{ name }}}},\n\nOne.\n\n- Two\n\n{LONG}\n\n{LONG}\n\nLast.\n", public=True)
    made.deadline = datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC)
    assert text(files(session, made, union), "messenger-medium.txt").split("\n\n") == [
        "*Free the five*",
        "Five dockers are in prison for a strike: write today.",
        "One.",
        "• Two",
        LONG.strip(),
        "Act by 30 April 2035",
        "Write to:\nEmbassy, London\nlondon@example.org",
        "Read more:\nhttps://act.example.org/en/campaigns/free-the-five",
        f"Get the next alert yourself:\n{JOIN}",
        "Harbour Solidarity",
    ]


def test_the_short_text_has_title_deadline_and_links(session: Session, union: Union, no_paper: None) -> None:
    made = campaign(session, deadline=datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC))
    short = text(files(session, made, union), "messenger-short.txt")
    assert short == (
        "Free the five\nAct by 30 April 2035\nWrite to:\nEmbassy, London\nlondon@example.org\n"
        f"Get the next alert yourself:\n{JOIN}"
    )


def test_the_short_text_of_a_public_campaign_leads_to_its_page_instead_of_naming_whom_to_write_to(
    session: Session, union: Union, no_paper: None
) -> None:
    short = text(files(session, campaign(session, public=True), union), "messenger-short.txt")
    assert "Write to:" not in short
    assert "Read more:\nhttps://act.example.org/en/campaigns/free-the-five\n" in short


@pytest.mark.parametrize(("spare", "is_named"), [(0, True), (-1, False)])
def test_the_short_text_names_whom_to_write_to_if_there_is_room(
    session: Session, union: Union, no_paper: None, spare: int, is_named: bool
) -> None:
    made = campaign(session)
    made.texts[0].subject = "x" * 40
    rest = f"Write to:\n\nlondon@example.org\nGet the next alert yourself:\n{JOIN}"
    name = "E" * (SHORT_CHARACTERS - 40 - len(f"\n{rest}") - spare)
    made.targets = [{"countries": [], "name": name, "email": "london@example.org", "address": ""}]
    short = text(files(session, made, union), "messenger-short.txt")
    assert len(short) <= SHORT_CHARACTERS
    assert ("Write to:" in short, name in short, "london@example.org" in short) == (is_named,) * 3
    assert short.split("\n")[0] == "x" * 40 and short.split("\n")[-1] == JOIN


def test_a_long_title_is_cut_at_a_word(session: Session, union: Union, no_paper: None) -> None:
    made = campaign(session)
    made.texts[0].subject = "Solidarity " * 60
    got = files(session, made, union)
    for name, most in (("messenger-short.txt", SHORT_CHARACTERS), ("messenger-medium.txt", MEDIUM_CHARACTERS)):
        title = text(got, name).split("\n")[0].strip("*")
        assert set(title.removesuffix("…").split()) == {"Solidarity"}
        assert len(text(got, name)) <= most


@given(
    subject=st.text(alphabet=st.sampled_from("ab ،س*é😀\n"), max_size=400),
    preheader=st.text(alphabet=st.sampled_from("ab س"), max_size=400),
    paragraphs=st.lists(st.text(alphabet=st.sampled_from("ab c.،س"), min_size=1, max_size=700), max_size=4),
    host=st.integers(1, 120).map("x".__mul__),
    slug=st.integers(1, 80).map("x".__mul__),
    public=st.booleans(),
    deadline=st.none() | st.just(DEADLINE),
)
@example(subject="Six", preheader="", paragraphs=[], host="x" * 120, slug="x" * 80, public=True, deadline=DEADLINE)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_much_there_is_to_say_it_fits_and_no_link_is_cut(
    session: Session,
    no_paper: None,
    subject: str,
    preheader: str,
    paragraphs: list[str],
    host: str,
    slug: str,
    public: bool,
    deadline: datetime | None,
) -> None:
    body = "\n\n".join(paragraphs)
    made = Campaign(
        slug=slug, kind="urgent_action", language="ar", public=public, targets=TARGETS, deadline=deadline, fallbacks={}
    )
    made.texts = [CampaignText(language="ar", subject=subject, preheader=preheader, body=body, body_line=1)]
    forwarder = Forwarder(1, "Dockers", slug, "GB", {}, None)
    site = f"https://{host}.example.org"
    got = KitEditions(session, made, replace(SENDER, base_url=site)).files(forwarder, "ar")
    join, web = f"{site}/ar/join/{slug}", f"{site}/ar/campaigns/{slug}"
    short, medium = text(got, "messenger-short.txt"), text(got, "messenger-medium.txt")
    assert len(short) <= SHORT_CHARACTERS and len(medium) <= MEDIUM_CHARACTERS
    assert join in short.split("\n") and join in medium.split("\n")
    assert ("https" in short.replace(join, "")) <= (web in short.split("\n"))
    assert (web in medium.split("\n")) is public
    assert "london@example.org" in medium.split("\n")
    for say in (short, medium):
        first = "".join(subject.split()[:1])[:20]
        assert say.startswith((first, f"*{first}")) or (say == join and len(join) > SHORT_CHARACTERS - 40)
        assert "\n\n\n" not in say and say == say.strip()


def test_paper_gets_the_beginning_in_plain_words_up_to_whom_to_write_to(
    session: Session, union: Union, printed: list[Sheet]
) -> None:
    union.logo = b"a logo"
    body = (
        'Dear {{ name or "supporter" }},\n\n**Six** in {{ country }} are _jailed_, [see](https://example.org/a).\n\n'
        "## Why\n\n1. One\n2. Two\n\n**{{ target_name }}**\\\n{{ target_email }}\n\n> Quoted\n\nAfter\n"
    )
    files(session, campaign(session, body, deadline=datetime(2035, 4, 30, 23, 59, tzinfo=UTC)), union)
    assert printed == [
        Sheet(
            language="en",
            direction="ltr",
            title="Free the five",
            lead="Five dockers are in prison for a strike: write today.",
            paragraphs=("Six in United Kingdom are jailed, see (https://example.org/a).", "1. One", "2. Two"),
            call="Act by 30 April 2035",
            write_to="Write to:",
            addressee=("Embassy, London", "12 Example Sq", "London", "london@example.org"),
            invitation="Get the next alert yourself",
            join_url=JOIN,
            reading="Read the alert and act",
            web_url=None,
            signature="Harbour Solidarity",
            union="Dockers & <Friends>",
            logo=b"a logo",
        )
    ]


def test_paper_leads_to_the_alert_where_it_is_public_in_the_name_of_whoever_hands_it_out(
    session: Session, union: Union, printed: list[Sheet]
) -> None:
    made = campaign(session, public=True)
    for forwarder in (union, None):
        files(session, made, forwarder)
    union.is_named = False
    files(session, made, union)
    alert = "https://act.example.org/en/campaigns/free-the-five"
    assert [sheet.web_url for sheet in printed] == [f"{alert}?union=dockers", alert, alert]


@pytest.mark.parametrize(
    ("body", "paragraphs"),
    [
        ("Write to {{ target_name }} today.\n\nThen tell us.\n", ("Write to Embassy, London today.", "Then tell us.")),
        ("{{ name }}, " + "six people are in prison " * 4, ("…, " + ("six people are in prison " * 4).strip(),)),
        ("> Only a quotation\n", ()),
        ("One\n\n```\ncode\n```\n\nTwo\n", ("One",)),
    ],
)
def test_the_beginning_of_a_text_is_what_reads_on_without_the_rest(
    session: Session, union: Union, printed: list[Sheet], body: str, paragraphs: tuple[str, ...]
) -> None:
    files(session, campaign(session, body), union)
    assert printed[0].paragraphs == paragraphs


@pytest.mark.parametrize(
    ("language", "body", "begins"),
    [
        ("de", "Guten Tag {{ name }},\n\nim Hafen starben zwei.\n", "Im Hafen starben zwei."),
        ("tr", "Merhaba {{ name }},\n\niki işçi öldü.\n", "İki işçi öldü."),
        ("de", "Guten Tag {{ name }},\n\nin {{ country }}.\n", "In Vereinigtes Königreich."),
        ("de", "Guten Tag {{ name }},\n\n{{ union }} bittet.\n", "dockers bittet."),
        ("de", "Guten Tag {{ name }},\n\n1400 streiken.\n", "1400 streiken."),
        ("de", "Guten Tag {{ name }},\n\nhttps://example.org/a lesen.\n", "https://example.org/a lesen."),
        ("de", "im Hafen starben zwei.\n", "im Hafen starben zwei."),
    ],
)
def test_where_the_salutation_is_left_out_the_text_begins_with_a_capital(
    session: Session, union: Union, printed: list[Sheet], language: str, body: str, begins: str
) -> None:
    union.name = "dockers"
    made = campaign(session)
    add_text(session, made, language, body)
    medium = text(files(session, made, union, language), "messenger-medium.txt")
    assert printed[0].paragraphs == (begins,)
    assert begins in medium.split("\n\n")


def test_a_text_of_a_salutation_only_has_no_beginning(session: Session, union: Union, printed: list[Sheet]) -> None:
    files(session, campaign(session, "Dear {{ name }},\n"), union)
    assert printed[0].paragraphs == ()


def test_a_campaign_without_targets_and_deadline_names_none(
    session: Session, union: Union, printed: list[Sheet]
) -> None:
    got = files(session, campaign(session, targets=[]), union)
    assert (printed[0].addressee, printed[0].call) == ((), None)
    assert "Write to:" not in text(got, "messenger-medium.txt")
