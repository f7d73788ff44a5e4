import io
import multiprocessing
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from mailer.formats.paper import sheets
from mailer.formats.paper.sheets import Sheet, UnprintableLanguage, UnprintableSheet, leaflet, picture
from mailer.locale.languages import SITE_LANGUAGES
from mailer.trial import sample
from tests.support.kit_reading import pdf_text

PPI = 144
MILLIMETRE = PPI / 25.4
DARK = 128

SHEET = Sheet(
    language="en",
    direction="ltr",
    title="Twelve years in prison for asking why two dockers died",
    lead="Six people in Veldara need a letter from you by 30 April.",
    paragraphs=(
        "Two dockers were killed in the port of Veldara, in Ondoria. Five organisers asked for an inquiry.",
        "On 26 February a crane collapsed at the container terminal of Veldara and killed two men.",
    ),
    call="Act by 30 April 2035",
    write_to="Write to:",
    addressee=(
        "Embassy of Ondoria, London",
        "12 Example Square, London, United Kingdom",
        "london@embassies.example.org",
    ),
    invitation="Get the next alert yourself",
    join_url="https://alerts.example.org/join/quaysiders",
    reading="Read the alert and act",
    web_url=None,
    signature="Solidarity Bell International",
    union="Quaysiders' Union",
    logo=None,
)
ARABIC = replace(
    SHEET,
    language="ar",
    direction="rtl",
    title="السجن اثني عشر عامًا لأنهم طالبوا بتحقيق",
    lead="ستة أشخاص في فيلدارا بحاجة إلى رسالة منكم حتى 30 أبريل/نيسان.",
    paragraphs=("قُتل عاملان في ميناء فيلدارا في أوندوريا، فطالب خمسة من منظّمي نقابتهما بفتح تحقيق.",),
    call="اكتبوا حتى 30 أبريل/نيسان 2035",
    write_to="نكتب إلى:",
    invitation="ليصلكم النداء القادم مباشرة",
    join_url="https://alerts.example.org/ar/join/cedar-teachers",
    union="رابطة معلّمي الأرز",
)
SHEETS = {
    "en": SHEET,
    "ar": ARABIC,
    "de": replace(
        SHEET,
        language="de",
        title="Zwölf Jahre Gefängnis wegen Arbeitsunfallursachenuntersuchungsforderung im Containerhafen von Veldara",
    ),
    "el": replace(SHEET, language="el", title="Δώδεκα χρόνια φυλακή επειδή ζήτησαν έρευνα", union=None),
    "es": replace(SHEET, language="es", title="Doce años de cárcel por pedir una investigación"),
    "fr": replace(SHEET, language="fr", title="Douze ans de prison pour avoir demandé une enquête", call=None),
    "it": replace(SHEET, language="it", title="Dodici anni di carcere per aver chiesto un’inchiesta", addressee=()),
    "kk": replace(SHEET, language="kk", title="Тергеуді талап еткені үшін он екі жыл түрме: қорғаушысы да қамауда"),
    "ru": replace(SHEET, language="ru", title="Двенадцать лет тюрьмы за требование расследования"),
    "tr": replace(SHEET, language="tr", title="Soruşturma istedikleri için on iki yıl hapis", call=None, addressee=()),
}
SHEETS |= {language: replace(SHEET, language=language) for language in SITE_LANGUAGES if language not in SHEETS}
LOGO = sample.CAMPAIGN_DIR.parents[1] / "logos" / "quaysiders.png"


def seen(sheet: Sheet) -> Image.Image:
    """The leaflet as it looks on paper, in grey."""
    data = sheets._data(sheet) | {"qr": sheets._code(sheet.web_url or sheet.join_url)}
    return Image.open(io.BytesIO(sheets.compile_template("leaflet.typ", data, format="png", ppi=float(PPI)))).convert(
        "L"
    )


def posted(sheet: Sheet) -> Image.Image:
    return Image.open(io.BytesIO(picture(sheet))).convert("RGB")


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


def ink(page: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is printed, in pixels."""
    box = page.point(lambda value: 255 if value < DARK else 0).getbbox()
    assert box
    return box


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", SITE_LANGUAGES)
def test_a_leaflet_is_one_page_of_a4_under_100_kb(language: str) -> None:
    pdf = leaflet(SHEETS[language])

    assert pages(pdf) == 1
    (box,) = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert [float(side) / 72 * 25.4 for side in box] == pytest.approx([210, 297], abs=0.1)
    assert len(pdf) < 100_000


@pytest.mark.parametrize("language", SITE_LANGUAGES)
def test_every_font_of_a_leaflet_is_embedded_and_ours(language: str) -> None:
    pdf = leaflet(SHEETS[language])

    fonts = re.findall(rb"/Type\s*/FontDescriptor.*?>>", pdf, re.DOTALL)
    names = {re.search(rb"/FontName\s*/\w+\+(\w+)", font)[1] for font in fonts}  # type: ignore[index]  # else it fails
    assert all(re.search(rb"/FontFile[23]? \d+ 0 R", font) for font in fonts)
    assert names
    assert all(name.startswith(b"NotoSans") for name in names)
    assert any(name.startswith(b"NotoSansArabic") for name in names) == (language == "ar")


def test_a_leaflet_can_be_read_aloud() -> None:
    pdf = leaflet(replace(SHEET, language="pt-BR"))

    assert b"/Lang(pt-BR)" in pdf.replace(b"/Lang (", b"/Lang(")
    assert b"/Title(Twelve years in prison" in pdf.replace(b"/Title (", b"/Title(")
    assert re.search(rb"/MarkInfo\s*<<\s*/Marked true", pdf)
    assert b"pdfuaid:part>1<" in pdf


def test_the_same_sheet_gives_the_same_bytes_and_no_date() -> None:
    pdf, png = leaflet(SHEET), picture(SHEET)
    sheets._compiler.cache_clear()

    assert leaflet(SHEET) == pdf
    assert picture(SHEET) == png
    assert b"CreationDate" not in pdf
    assert b"CreateDate" not in pdf
    assert b"ModDate" not in pdf
    assert b"tEXt" not in png


@pytest.mark.parametrize("language", SITE_LANGUAGES)
def test_a_picture_is_a_square_of_1080_pixels(language: str) -> None:
    assert posted(SHEETS[language]).size == (1080, 1080)


def test_a_process_forked_from_one_that_has_printed_is_told_so_and_does_not_hang() -> None:
    leaflet(SHEET)
    said, saying = multiprocessing.get_context("fork").Pipe(duplex=False)

    def print_again() -> None:
        try:
            leaflet(SHEET)
        except RuntimeError as problem:
            saying.send(str(problem))

    child = multiprocessing.get_context("fork").Process(target=print_again)
    child.start()
    child.join(5)

    if child.is_alive():
        child.kill()
    assert said.poll()
    assert "forked" in said.recv()


# --- long texts -----------------------------------------------------------------------------------------------------

LONG = {
    "long words": replace(SHEETS["de"], title="Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz " * 2),
    "no word at all": replace(SHEET, title="W" * 120, lead="w" * 300, union="W" * 200, paragraphs=("w" * 2000,)),
    "kazakh": replace(SHEETS["kk"], title="Қанағаттандырылмағандықтарыңыздан " * 4, union="Кәсіподақтар одағы " * 11),
    "arabic": replace(ARABIC, title="السجن اثني عشر عامًا لأنهم طالبوا " * 4, union="رابطة معلّمي الأرز " * 11),
    "long link": replace(SHEET, join_url="https://alerts.campaigns.example.org/pt-br/join/" + "a-very-long-name-" * 7),
    "much of everything": replace(
        SHEET,
        lead="Six people need a letter from you. " * 15,
        paragraphs=SHEET.paragraphs * 30,
        call="Act by 30 April 2035 " * 6,
        addressee=("Ministry of the Port and of Everything That Lies Beside It " * 3,) * 6,
        invitation="Get the next alert yourself " * 6,
        signature="Solidarity Bell International " * 6,
        logo=LOGO.read_bytes(),
    ),
    "beyond measure": replace(
        SHEET,
        title="Twelve years " * 300,
        lead="Six people " * 300,
        union="Union " * 300,
        addressee=("Street " * 99,) * 9,
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_long_texts_stay_inside_the_margins_of_their_one_page(name: str) -> None:
    assert pages(leaflet(LONG[name])) == 1

    left, top, right, bottom = (pixels / MILLIMETRE for pixels in ink(seen(LONG[name])))
    assert left > 17 and right < 210 - 17
    assert top > 11 and bottom < 297 - 9


@pytest.mark.parametrize("name", LONG)
def test_long_texts_stay_inside_a_picture(name: str) -> None:
    shown = posted(LONG[name])

    for edge in (0, 1080 - 60):
        strip = shown.crop((edge, 20, edge + 60, 1080))
        assert all(len(strip.crop((0, y, 60, y + 1)).getcolors() or []) == 1 for y in range(strip.height))


@given(
    title=st.text(st.sampled_from("abc Ж-ß"), max_size=250),
    lead=st.text(st.sampled_from("abc Ж-ß"), max_size=400),
    paragraphs=st.lists(st.integers(1, 400).map("word ".__mul__), max_size=8),
    lines=st.lists(st.integers(1, 30).map("street ".__mul__), max_size=7),
    call=st.integers(0, 30).map("act now ".__mul__),
)
@settings(max_examples=12)
def test_no_text_makes_a_second_page(title: str, lead: str, paragraphs: list[str], lines: list[str], call: str) -> None:
    sheet = replace(
        SHEET, title=title, lead=lead, paragraphs=tuple(paragraphs), addressee=tuple(lines), call=call or None
    )

    assert pages(leaflet(sheet)) == 1
    assert picture(sheet)


# --- what is printed of the text ------------------------------------------------------------------------------------

TOO_LONG = "They had asked for an inquiry. " * 200


def test_a_leaflet_prints_whole_paragraphs_as_long_as_there_is_room() -> None:
    assert leaflet(replace(SHEET, paragraphs=(*SHEET.paragraphs, TOO_LONG))) == leaflet(SHEET)


@pytest.mark.parametrize("announcement", ["What you can do", "We ask for three things:"])
def test_a_leaflet_does_not_end_with_what_announces_something(announcement: str) -> None:
    assert leaflet(replace(SHEET, paragraphs=(*SHEET.paragraphs, announcement, TOO_LONG))) == leaflet(SHEET)


def test_a_short_text_is_set_in_larger_type() -> None:
    page, without = (seen(replace(SHEET, paragraphs=paragraphs)) for paragraphs in (("H",), ()))
    box = ImageChops.difference(page, without).getbbox()

    assert box
    assert (box[3] - box[1]) / MILLIMETRE > 3.5  # a capital in 12 points is 3 mm tall


def test_a_symbol_that_no_font_has_is_left_out() -> None:
    decorated = replace(SHEET, title=f"🔥 {SHEET.title} ✊🏽", lead=f"{SHEET.lead}\ufeff\n👷", call=f"1️⃣ {SHEET.call}")
    decorated = replace(decorated, paragraphs=("✊", *SHEET.paragraphs))

    assert leaflet(decorated) == leaflet(replace(SHEET, call=f"1 {SHEET.call}"))
    assert picture(replace(SHEET, title="🔥")) == picture(replace(SHEET, title=SHEET.signature))


def test_a_sheet_of_nothing_but_symbols_has_its_link_for_a_title() -> None:
    wordless = replace(SHEET, title="🔥", signature="🔔", lead="✊", paragraphs=("👷",), union="⚓")

    assert pdf_text(leaflet(wordless)).startswith("alerts.")
    assert picture(wordless)


def test_a_sheet_that_cannot_be_set_is_refused_with_the_reason() -> None:
    for make in (leaflet, picture):
        with pytest.raises(UnprintableSheet, match=r"cannot be made: .*language code"):
            make(replace(SHEET, language="english"))


def test_a_sheet_of_two_pages_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for template in ("leaflet.typ", "picture.typ", "sheet.typ"):
        source = (Path(sheets.__file__).parent / template).read_text(encoding="utf-8")
        more = "" if template == "sheet.typ" else "\n#pagebreak()\nMore"
        (tmp_path / template).write_text(source + more, encoding="utf-8")
    monkeypatch.setattr(sheets, "_HERE", tmp_path)
    sheets._compiler.cache_clear()

    try:
        for make in (leaflet, picture):
            with pytest.raises(UnprintableSheet, match="more than one page"):
                make(SHEET)
    finally:
        sheets._compiler.cache_clear()


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("ja", "国境を越えて"),
        ("hi", "बारह साल की जेल"),
        ("he", "שתים עשרה שנים"),
        ("ka", "თორმეტი წელი"),
        ("en", "Free 王"),
    ],
)
def test_a_language_without_a_font_is_refused_rather_than_printed_as_boxes(language: str, title: str) -> None:
    sheet = replace(SHEET, language=language, title=title)

    with pytest.raises(UnprintableLanguage, match=f'"{language}"'):
        leaflet(sheet)
    with pytest.raises(UnprintableLanguage):
        picture(sheet)


@pytest.mark.parametrize("field", ["lead", "call", "invitation", "union", "signature"])
def test_a_name_is_never_printed_without_some_of_its_letters(field: str) -> None:
    named: dict[str, Any] = {field: "Union 労働"}

    with pytest.raises(UnprintableLanguage, match="letter 労"):
        leaflet(replace(SHEET, **named))


def test_a_text_ends_before_the_paragraph_that_cannot_be_printed() -> None:
    assert leaflet(replace(SHEET, paragraphs=(*SHEET.paragraphs, "Her name is 王.", "More."))) == leaflet(SHEET)


# --- the code -------------------------------------------------------------------------------------------------------

CODE = 40 * MILLIMETRE


def shows(page: Image.Image, code: list[list[bool]], left: float, top: int) -> bool:
    """Whether each module of a code at a place, looked at in its middle, is as dark as it must be."""
    size = CODE / len(code)
    dark = page.point(lambda value: value < DARK).getpixel
    return all(
        bool(dark((int(left + (x + 0.5) * size), int(top + (y + 0.5) * size)))) == module
        for y, row in enumerate(code)
        for x, module in enumerate(row)
    )


@pytest.mark.parametrize("web_url", [None, "https://alerts.example.org/en/campaigns/veldara-five?union=quaysiders"])
@pytest.mark.parametrize("name", ["en", "ar", "long link"])
def test_the_code_leads_to_the_alert_or_else_to_the_join_link_and_stands_free(name: str, web_url: str | None) -> None:
    sheet = replace((SHEETS | LONG)[name], web_url=web_url)
    leads_to = web_url or sheet.join_url
    code = [[bool(module) for module in row] for row in segno.make_qr(leads_to, error="q").matrix]
    page = seen(sheet)
    left = (18 if sheet.direction == "ltr" else 210 - 18 - 40) * MILLIMETRE

    top = next(top for top in range(1000, page.height - int(CODE)) if shows(page, code, left, top))

    page.paste(255, (int(left), top - 3, int(left + CODE) + 3, int(top + CODE) + 3))
    quiet = int(4 * CODE / len(code))
    area = (int(left) - quiet, top - quiet, int(left + CODE) + quiet, int(top + CODE) + quiet)
    assert page.crop(area).point(lambda value: 255 if value < DARK else 0).getbbox() is None


# --- right to left --------------------------------------------------------------------------------------------------


def title_of(sheet: Sheet) -> Image.Image:
    """The picture's title, white on dark, as grey."""
    return posted(sheet).crop((0, 20, 1080, 760)).convert("L").point(lambda value: 0 if value > DARK else 255)


def test_arabic_letters_are_joined() -> None:
    def gaps(title: str) -> int:
        page = title_of(replace(ARABIC, title=title))
        left, top, right, bottom = ink(page)
        return sum(page.crop((x, top, x + 1, bottom)).getextrema()[0] == 255 for x in range(left, right))

    assert gaps("ببب") == 0
    assert gaps("ب\u200cب\u200cب") > 0


def test_a_sheet_in_arabic_begins_at_the_right() -> None:
    left, _top, right, _bottom = ink(title_of(replace(ARABIC, title="سجن")))
    assert left > 540 and right > 980

    left, _top, right, _bottom = ink(title_of(replace(SHEET, title="Jail")))
    assert left < 100 and right < 540


def test_an_address_abroad_is_not_turned_round() -> None:
    data = sheets._data(replace(ARABIC, addressee=("12 Example Square, London", "شارع المثال 10، بيروت", "5")))

    directions = [line["direction"] for line in data["addressee"]]  # type: ignore[attr-defined]  # JSON
    assert directions == ["rtl", "ltr", "rtl", "rtl"]  # the first says what it is for
    assert data["join_text"] == {
        "text": "alerts.\u200bexample.\u200borg/\u200bar/\u200bjoin/\u200bcedar-\u200bteachers",
        "direction": "ltr",
    }


# --- whom to write to -----------------------------------------------------------------------------------------------


def test_a_leaflet_says_what_the_address_is_for() -> None:
    printed = pdf_text(leaflet(SHEET))

    assert re.search("Act by 30 April 2035 *Write to:.*Embassy of Ondoria, London *12 Example Square", printed)
    assert "Write to:" not in pdf_text(leaflet(replace(SHEET, addressee=())))


def test_of_an_address_the_name_is_bold() -> None:
    data = sheets._data(SHEET)

    assert [line["bold"] for line in data["addressee"]] == [False, True, False, False]  # type: ignore[attr-defined]  # JSON


# --- in whose name --------------------------------------------------------------------------------------------------


def test_the_logo_stands_at_the_top_where_the_line_begins() -> None:
    def drawn(sheet: Sheet) -> tuple[int, int, int, int]:
        """Where a leaflet with the logo differs from one whose logo is all white."""
        white = io.BytesIO()
        Image.new("L", (300, 300), 255).save(white, format="PNG")
        pages = (seen(replace(sheet, logo=logo)) for logo in (LOGO.read_bytes(), white.getvalue()))
        box = ImageChops.difference(*pages).getbbox()
        assert box
        return box

    left, top, right, bottom = (pixels / MILLIMETRE for pixels in drawn(SHEET))
    assert [left, top, right, bottom] == pytest.approx([18, 12, 18 + 17, 12 + 17], abs=1)
    left, _top, right, _bottom = (pixels / MILLIMETRE for pixels in drawn(ARABIC))
    assert [left, right] == pytest.approx([210 - 18 - 17, 210 - 18], abs=1)


def test_a_sheet_without_a_union_shows_no_logo() -> None:
    unbranded = replace(SHEET, union=None)

    assert leaflet(replace(unbranded, logo=LOGO.read_bytes())) == leaflet(unbranded)
    assert picture(replace(unbranded, logo=LOGO.read_bytes())) == picture(unbranded)


# --- to be read -----------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_stand_out_as_wcag_asks() -> None:
    source = (Path(sheets.__file__).parent / "sheet.typ").read_text(encoding="utf-8")
    colours = dict(re.findall(r'#let (\w+) = rgb\("(#\w{6})"\)', source)) | {"white": "#ffffff"}

    for light, dark in [("white", "ink"), ("white", "red"), ("paper", "ink")]:
        assert (luminance(colours[light]) + 0.05) / (luminance(colours[dark]) + 0.05) >= 7


def test_a_leaflet_costs_little_toner() -> None:
    dark = sum(seen(SHEET).point(lambda value: 1 if value < DARK else 0).tobytes())
    assert dark / (210 * 297 * MILLIMETRE**2) < 0.08
