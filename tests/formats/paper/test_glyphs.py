import io
from collections.abc import Iterator

import pytest
from babel.messages.pofile import read_po

from mailer.formats.paper import glyphs
from mailer.locale.languages import SITE_LANGUAGES
from mailer.locale.translations import CATALOGUES
from mailer.trial import sample


def words_of_the_site(language: str) -> Iterator[str]:
    for path in CATALOGUES.glob(f"{language.replace('-', '_')}/**/*.po"):
        for message in read_po(io.BytesIO(path.read_bytes())):
            yield from [message.string] if isinstance(message.string, str) else message.string or ()


def test_the_fonts_have_every_letter_of_the_sites_languages() -> None:
    texts = {language: "".join(words_of_the_site(language)) for language in SITE_LANGUAGES if language != "en"}
    texts |= {path.stem: path.read_text(encoding="utf-8") for path in sample.CAMPAIGN_DIR.glob("*.md")}

    assert all(texts.values())
    assert {language: glyphs.missing_letter(text) for language, text in texts.items()} == dict.fromkeys(texts)


@pytest.mark.parametrize("family", ["NotoSans", "NotoSansArabic"])
def test_bold_letters_are_the_same_as_regular_ones(family: str) -> None:
    regular, bold = (
        glyphs.characters((glyphs.FONTS / f"{family}-{weight}.ttf").read_bytes()) for weight in ("Regular", "Bold")
    )
    assert regular == bold > set()
