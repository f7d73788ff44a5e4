"""The fixed words of mails and pages in each language, as translators wrote them."""

import functools
import io
from collections.abc import Callable
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from mailer.locale.languages import forms

CATALOGUES = Path(__file__).parent / "catalogues"
#: whose words: those of the site and the mails, and what only organisers read
SITE, DESK = "messages", "desk"


def gettext_for(tag: str) -> Callable[[str], str]:
    """What translates fixed words from English; English where there is no translation.

    :param tag: as `normalise` gives it; "pt-BR" falls back to "pt".
    """
    return catalogue(tag).gettext


@functools.cache
def catalogue(tag: str, whose: str = SITE) -> NullTranslations:
    """The catalogue of a language, else of what it is a form of; where there is none, one that leaves English as it is.

    It is read as translators write it: nothing has to be compiled first.

    :param tag: as `normalise` gives it.
    :param whose: SITE or DESK; the desk's has the words of the site, too.
    """
    for form in forms(tag):
        file = CATALOGUES / form.replace("-", "_") / "LC_MESSAGES" / f"{whose}.po"
        if file.exists():
            found = _read(file)
            if whose != SITE:
                found.add_fallback(catalogue(tag))
            return found
    return NullTranslations()


def _read(file: Path) -> Translations:
    compiled = io.BytesIO()
    with file.open("rb") as stream:
        write_mo(compiled, read_po(stream, abort_invalid=True))
    compiled.seek(0)
    return Translations(compiled)
