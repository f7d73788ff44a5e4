"""Strangers: telephone numbers and e-mail addresses in texts that everybody can read, and that are nobody's whom
people write to. They may be a witness's, or the family's.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from mailer.cases.findings import Code, Finding, Level
from mailer.locale import telephones
from mailer.mail import addresses
from mailer.store.models import Campaign, CampaignText

_WHAT: Mapping[Code, str] = {
    "unknown-telephone": "a telephone number stands here that is no target's and not yours",
    "unknown-address": "an e-mail address stands here that is no target's and not yours",
}
_REMEDY = "Everybody can read it: see that whoever it belongs to agrees, or take it out."


def findings(campaign: Campaign, ours: Iterable[str]) -> Iterator[Finding]:
    """Where such a number or address stands. Not which one.

    :param ours: texts all of whose numbers and addresses are our own.
    """
    if not campaign.public and not campaign.forwardable:
        return
    case = campaign.case
    people = [*campaign.targets, *((*case.copy_to, *case.contact) if case else ())]
    known = {
        found
        for text in (*ours, *(str(person[key]) for person in people for key in ("name", "email", "address")))
        for _line, found in _find(text, campaign.about)
    }
    for text in campaign.texts:
        for where, words, line in _parts(text):
            spoken_in = telephones.home_of(text.language)
            for found_line, (code, value) in _find(words, campaign.about, spoken_in):
                if (code, value) not in known:
                    place = f"{where}:{line + found_line}" if line else where
                    yield Finding(Level.WARNING, code, place, _WHAT[code], _REMEDY)


def _parts(text: CampaignText) -> Iterator[tuple[str, str, int]]:
    """Place, words, and the line on which they begin; 0 where the place has but one."""
    file = f"{text.language}.md"
    yield f"{file}, subject", text.subject, 0
    yield f"{file}, preheader", text.preheader, 0
    yield file, text.body, text.body_line


def _find(text: str, *countries: str | None) -> Iterator[tuple[int, tuple[Code, str]]]:
    """The line, from 0, and what stands there: the code of its finding, and its value."""
    for line, words in enumerate(text.split("\n")):
        plain = unicodedata.normalize("NFKC", unquote(words))
        for value in addresses.find(plain):
            yield line, ("unknown-address", value)
        of_states = {country for country in countries if country and len(country) == 2}
        for _start, value in telephones.find(plain, of_states):
            yield line, ("unknown-telephone", value)
