"""Every word of ours stands in every catalogue, and every catalogue holds nothing else."""

import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from mailer.locale.translations import CATALOGUES, DESK, SITE

PROJECT = Path(__file__).parents[2]
TRANSLATED = sorted(folder.name for folder in CATALOGUES.iterdir())
AT_DESK = ["ar", "fr", "ru"]
#: whose words → where they are listed that are to be translated, and into what
DOMAINS = {SITE: ("pyproject.toml", TRANSLATED), DESK: ("mailer/locale/desk.toml", AT_DESK)}
EACH = [(tag, whose) for whose, (_mapping, tags) in DOMAINS.items() for tag in tags]


def read(file: Path) -> Catalog:
    with file.open("rb") as stream:
        return read_po(stream, abort_invalid=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Catalog]:
    """What Python and templates have translated, as `make translations` finds it."""
    return {whose: extracted(mapping, tmp_path_factory.mktemp(whose)) for whose, (mapping, _) in DOMAINS.items()}


def extracted(mapping: str, folder: Path) -> Catalog:
    file = folder / "messages.pot"
    babel = [sys.executable, "-m", "babel.messages.frontend", "--quiet"]
    subprocess.run([*babel, "extract", "--mapping", mapping, "--output", file, "."], cwd=PROJECT, check=True)
    return read(file)


def catalogue(tag: str, whose: str) -> Catalog:
    return read(CATALOGUES / tag / "LC_MESSAGES" / f"{whose}.po")


def english(message: Message) -> tuple[str, ...]:
    """A message's own words: one form, or singular and plural."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def messages(there: Catalog) -> list[Message]:
    """Without what stands for the header."""
    return [message for message in there if message.id]


def ids(there: Catalog) -> set[tuple[str, ...]]:
    return set(map(english, messages(there)))


def translated(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_site_and_the_mails_speak_ten_languages(sources: dict[str, Catalog]) -> None:
    assert set(TRANSLATED) >= {"fr", "de", "it", "es", "el", "ru", "kk", "tr", "ar"}
    assert {("Unsubscribe",), ("Act by {date}",)} <= ids(sources[SITE])


@pytest.mark.parametrize("whose", DOMAINS)
def test_what_is_translated_is_plain_words(whose: str, sources: dict[str, Catalog]) -> None:
    for message in messages(sources[whose]):
        for words in english(message):
            assert not re.search(r"[<>]|&\w+;|%[sd(]|\n", words), words
            assert words == " ".join(words.split()), words
            assert all(name.isidentifier() for name in placeholders(words)), words


@pytest.mark.parametrize(("tag", "whose"), EACH)
def test_a_catalogue_has_every_message_and_no_other(tag: str, whose: str, sources: dict[str, Catalog]) -> None:
    there = catalogue(tag, whose)
    assert ids(sources[whose]) - ids(there) == set()
    assert ids(there) - ids(sources[whose]) == set()
    assert not there.obsolete


@pytest.mark.parametrize(("tag", "whose"), EACH)
def test_every_message_is_translated_in_every_form_that_the_language_has(tag: str, whose: str) -> None:
    there = catalogue(tag, whose)
    for message in messages(there):
        assert not message.fuzzy, message.id
        assert all(words.strip() for words in translated(message)), message.id
        assert len(translated(message)) == (there.num_plurals if message.pluralizable else 1), message.id


@pytest.mark.parametrize(("tag", "whose"), EACH)
def test_a_translation_keeps_the_placeholders_and_the_ends_of_a_message(tag: str, whose: str) -> None:
    for message in messages(catalogue(tag, whose)):
        allowed = set().union(*map(placeholders, english(message)))
        # "one person" may say the number in words; every other form has to give it
        needed = allowed - {"num"} if message.pluralizable else allowed
        for words in translated(message):
            assert needed <= placeholders(words) <= allowed, words
            assert words == words.strip(), words
            assert "\n" not in words


@pytest.mark.parametrize(("tag", "whose"), EACH)
def test_a_catalogue_says_its_language_and_how_it_counts(tag: str, whose: str) -> None:
    there = catalogue(tag, whose)
    headers = dict(there.mime_headers)
    assert headers["Language"] == tag
    assert "Plural-Forms: " in (CATALOGUES / tag / "LC_MESSAGES" / f"{whose}.po").read_text(encoding="utf-8")
    assert there.num_plurals == Catalog(locale=tag).num_plurals
