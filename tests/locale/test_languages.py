"""Languages as people name them, and how they write names and dates."""

import datetime

import pytest
from babel import Locale
from babel.dates import format_date

from mailer.locale import languages, translations
from mailer.store.models import Base


@pytest.mark.parametrize(
    ("tag", "normal"),
    [
        ("EN", "en"),
        ("pt_br", "pt-BR"),
        (" zh-hant-tw ", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-CH-1996", "de-CH-1996"),
    ],
)
def test_tags_are_brought_into_their_usual_form(tag: str, normal: str) -> None:
    assert languages.normalise(tag) == normal


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("English", "en"),
        ("  français ", "fr"),
        ("Turkce", "tr"),
        ("العربية", "ar"),
        ("British English", "en-GB"),
        ("DE", "de"),
    ],
)
def test_a_language_may_be_called_by_its_name_in_a_language_of_the_site(text: str, tag: str) -> None:
    assert languages.parse(text) == tag


@pytest.mark.parametrize("text", ["", "Englsh", "Unknown language", "Multiple languages"])
def test_what_names_no_language_is_refused(text: str) -> None:
    with pytest.raises(languages.InvalidLanguage):
        languages.parse(text)


def test_no_name_means_two_languages() -> None:
    for tag in ("en", "fr", "zh-Hant", "nb", "ckb"):
        for site in languages.SITE_LANGUAGES:
            name = Locale(site).languages[tag.replace("-", "_")]
            assert languages.parse(name) == tag


def test_a_tag_longer_than_the_database_has_room_for_is_refused() -> None:
    assert languages.normalise("sl-Latn-IT-rozaj") == "sl-Latn-IT-rozaj"
    with pytest.raises(languages.InvalidLanguage, match="at most 20 characters"):
        languages.normalise("sl-Latn-IT-rozaj-nedis")
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    assert {column.type.length for column in columns if column.name == "language"} == {languages.MAX_LENGTH}  # type: ignore[attr-defined]  # all are strings


@pytest.mark.parametrize("tag", ["", "english", "xx", "en--GB", "e", "en-GB-", "../en", "en\nfr", "zz-ZZ"])
def test_what_is_no_language_is_refused(tag: str) -> None:
    with pytest.raises(languages.InvalidLanguage, match="is not a language"):
        languages.normalise(tag)


@pytest.mark.parametrize("tag", ["ar", "fa", "he", "ur", "ckb", "ps", "yi", "dv", "ug", "az-Arab", "pa-PK"])
def test_right_to_left_languages_are_known(tag: str) -> None:
    assert languages.direction(tag) == "rtl"


@pytest.mark.parametrize("tag", ["en", "ru", "kk", "tr", "el", "zh-Hant", "ku", "az", "ar-Latn", "pa"])
def test_other_languages_run_left_to_right(tag: str) -> None:
    assert languages.direction(tag) == "ltr"


def test_a_region_speaks_its_language_and_an_untranslated_language_reads_english() -> None:
    assert translations.gettext_for("fr-CA")("Unsubscribe") == "Se désinscrire"
    assert translations.gettext_for("sw")("Unsubscribe") == "Unsubscribe"
    assert translations.gettext_for("en")("Unsubscribe") == "Unsubscribe"


@pytest.mark.parametrize(
    ("tag", "date"),
    [("en", "30 April 2035"), ("sw-XX", "30 Aprili 2035"), ("zz", "30 April 2035"), ("en-US", "April 30, 2035")],
)
def test_dates_are_written_as_a_language_does_and_english_as_the_world_does(tag: str, date: str) -> None:
    assert format_date(datetime.date(2035, 4, 30), "long", locale=languages.locale(tag)) == date


@pytest.mark.parametrize(
    ("moment", "tag", "words"),
    [
        (datetime.datetime(2035, 4, 30, 23, 59, 59, tzinfo=datetime.UTC), "en", "30 April 2035"),
        (
            datetime.datetime(2035, 4, 30, 16, 0, tzinfo=datetime.UTC),
            "fr",
            "30 avril 2035, 16:00 (temps universel coordonné)",
        ),
        (
            datetime.datetime(2035, 4, 30, 16, 0, tzinfo=datetime.UTC),
            "ar",
            "30 أبريل 2035، 4:00 م (التوقيت العالمي المنسق)",
        ),
        (
            datetime.datetime(2035, 4, 30, 16, 0, tzinfo=datetime.UTC),
            "de",
            "30. April 2035, 16:00 (Koordinierte Weltzeit)",
        ),
    ],
)
def test_a_deadline_is_a_day_and_a_time_unless_it_is_the_days_end(
    moment: datetime.datetime, tag: str, words: str
) -> None:
    assert languages.written(moment, tag) == words


@pytest.mark.parametrize(
    ("tag", "own"),
    [
        ("fr", "Français"),
        ("en", "English"),
        ("kk", "Қазақ тілі"),
        ("ar", "العربية"),
        ("pt-BR", "Português (Brasil)"),
        ("zz", "zz"),
    ],
)
def test_a_language_is_named_as_its_speakers_do(tag: str, own: str) -> None:
    assert languages.name(tag) == own


@pytest.mark.parametrize(
    ("tag", "suits", "not_for"),
    [
        ("fr-CA", ("fr-CA", "fr"), ("fr-FR", "en")),
        ("zh-Hant-TW", ("zh-Hant-TW", "zh-TW", "zh-Hant"), ("zh", "zh-Hans")),
        ("zh-TW", ("zh-Hant",), ("zh",)),
        ("zh", ("zh-Hans",), ("zh-CN", "zh-Hant")),
        ("cmn-SG", ("zh",), ("zh-Hant",)),
        ("sr-ME", ("sr-Latn",), ("sr", "sr-Cyrl")),
        ("sh", ("sr-Latn",), ("sr",)),
        ("nb-NO", ("nb", "no"), ("nn",)),
        ("no", ("nb",), ("nn",)),
        ("kk-CN", ("kk-Arab",), ("kk",)),
        ("arb", ("ar",), ()),
        ("de-CH-1996", ("de-CH", "de"), ("de-DE",)),
        ("zz", ("zz",), ("en",)),
    ],
)
def test_a_text_suits_who_reads_its_language_script_and_region(
    tag: str, suits: tuple[str, ...], not_for: tuple[str, ...]
) -> None:
    forms = languages.forms(tag)
    assert forms[0] == tag
    assert set(suits) <= set(forms)
    assert not set(not_for) & set(forms)


def test_the_nearest_language_is_ones_own_then_what_it_falls_back_to() -> None:
    fallbacks = {"kk": ["ru", "en"], "sr-Latn": ["sr"]}
    assert languages.nearest("kk-KZ", ["en", "ru", "kk"], fallbacks) == "kk"
    assert languages.nearest("kk-KZ", ["en", "ru"], fallbacks) == "ru"
    assert languages.nearest("kk", ["en", "fr"], fallbacks) == "en"
    assert languages.nearest("sr-ME", ["en", "sr"], fallbacks) == "sr"
    assert languages.nearest("be", ["en", "ru"], fallbacks) is None
    assert languages.nearest(None, ["en"], fallbacks) is None
