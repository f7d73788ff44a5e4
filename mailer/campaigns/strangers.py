"""Strangers: telephone numbers and e-mail addresses in texts that everybody can read and in letters, and that are
nobody's whom people write to. They may be a witness's, or the family's.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from mailer.campaigns import letters
from mailer.campaigns.letters import Part
from mailer.cases.findings import Code, Finding, Level
from mailer.locale import telephones
from mailer.mail import addresses
from mailer.store.models import Campaign

_WHAT: Mapping[Code, str] = {
    "unknown-telephone": "a telephone number stands here that is no target's and not yours",
    "unknown-address": "an e-mail address stands here that is no target's and not yours",
}
_REMEDY = "{who} can read it: see that whoever it belongs to agrees, or take it out."


def findings(campaign: Campaign, ours: Iterable[str]) -> Iterator[Finding]:
    """Where such a number or address stands. Not which one.

    :param ours: texts all of whose numbers and addresses are our own.
    """
    case = campaign.case
    people = [*campaign.targets, *((*case.copy_to, *case.contact) if case else ())]
    known = {
        found
        for text in (*ours, *(str(person[key]) for person in people for key in ("name", "email", "address")))
        for _line, found in _find(text, campaign.about)
    }
    for who, language, part in _parts(campaign):
        spoken_in = telephones.home_of(language)
        for line, (code, value) in _find(part.words, campaign.about, spoken_in):
            if (code, value) not in known:
                yield Finding(Level.WARNING, code, part.at(line), _WHAT[code], _REMEDY.format(who=who))


def _parts(campaign: Campaign) -> Iterator[tuple[str, str, Part]]:
    """Who can read it, its language, and what is written there."""
    if campaign.public or campaign.forwardable:
        for text in campaign.texts:
            file = f"{text.language}.md"
            parts = [Part(f"{file}, subject", 0, text.subject), Part(f"{file}, preheader", 0, text.preheader)]
            for part in (*parts, Part(file, text.body_line, text.body)):
                yield "Everybody", text.language, part
    for letter in campaign.letters:  # which go to strangers, whoever sees the campaign
        for part in letters.parts(letter):
            yield "Whoever gets the letter", letter.language, part


def _find(text: str, *countries: str | None) -> Iterator[tuple[int, tuple[Code, str]]]:
    """The line, from 0, and what stands there: the code of its finding, and its value."""
    for line, words in enumerate(text.split("\n")):
        plain = unicodedata.normalize("NFKC", unquote(words))
        for value in addresses.find(plain):
            yield line, ("unknown-address", value)
        of_states = {country for country in countries if country and len(country) == 2}
        for _start, value in telephones.find(plain, of_states):
            yield line, ("unknown-telephone", value)
