"""Languages as people name them, and the fixed words of mails in each."""

import datetime
import re
import string

import pytest
from babel.dates import format_date

from mailer import languages
from mailer.mail.render import TEMPLATES
from mailer.models import Base

TRANSLATED = sorted(folder.name for folder in languages.TRANSLATIONS.iterdir())


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
    assert languages.gettext_for("fr-CA")("Unsubscribe") == "Se désinscrire"
    assert languages.gettext_for("sw")("Unsubscribe") == "Unsubscribe"
    assert languages.gettext_for("en")("Unsubscribe") == "Unsubscribe"


@pytest.mark.parametrize(
    ("tag", "date"),
    [("en", "30 April 2035"), ("sw-XX", "30 Aprili 2035"), ("zz", "30 April 2035"), ("en-US", "April 30, 2035")],
)
def test_dates_are_written_as_a_language_does_and_english_as_the_world_does(tag: str, date: str) -> None:
    assert format_date(datetime.date(2035, 4, 30), "long", locale=languages.locale(tag)) == date


def test_a_language_is_a_form_of_shorter_ones() -> None:
    assert languages.forms("zh-Hant-TW") == ["zh-Hant-TW", "zh-Hant", "zh"]


def fixed_words() -> set[str]:
    """What the e-mail templates have translated."""
    sources = (file.read_text(encoding="utf-8") for file in TEMPLATES.iterdir())
    return {words for source in sources for words in re.findall(r'\b_\("([^"]+)"', source)}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_mails_have_fixed_words_in_at_least_ten_languages() -> None:
    assert 5 <= len(fixed_words()) <= 10
    assert set(TRANSLATED) >= {"fr", "de", "it", "es", "el", "ru", "kk", "tr", "ar"}


@pytest.mark.parametrize("tag", TRANSLATED)
def test_every_translation_is_complete_and_keeps_the_placeholders(tag: str) -> None:
    translate = languages.gettext_for(tag)
    for words in fixed_words():
        assert translate(words) != words, f"{tag} lacks {words!r}"
        assert placeholders(translate(words)) == placeholders(words)


@pytest.mark.parametrize("tag", TRANSLATED)
def test_no_translation_holds_words_that_no_mail_says(tag: str) -> None:
    file = languages.TRANSLATIONS / tag / "LC_MESSAGES" / "messages.po"
    said = set(re.findall(r'^msgid "(.+)"$', file.read_text(encoding="utf-8"), re.MULTILINE))
    assert said == fixed_words()
