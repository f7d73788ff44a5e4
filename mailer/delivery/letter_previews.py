"""Letters as people would send them, written out for somebody to read before a campaign is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.campaigns import addressees
from mailer.campaigns.letters import Letter, Letters, Place
from mailer.campaigns.text_names import TextName
from mailer.cases.targets import NOBODY, Target
from mailer.delivery.previews import SAMPLE_NAME, SampleReader, UnwritableFolder
from mailer.locale import countries, languages
from mailer.store.models import Campaign, TargetRole

#: between two wordings in one file
_LINE = f"\n{'-' * 72}\n\n"


@dataclass(frozen=True, slots=True)
class Assigned:
    """A target, and what people send to it."""

    target: Target
    place: Place
    is_in_its_language: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """A letter, to whom it is sent, and what it says."""

    letter: Letter
    targets: tuple[Target, ...]  # that it is sent to; none, if it is there to be read beside another
    text: str

    @property
    def name(self) -> str:
        """Of its file, without what stands around it."""
        return TextName(self.letter.language, self.letter.role).stem


def assigned(session: Session, campaign: Campaign, country: str | None = None) -> list[Assigned]:
    """Which letter people send to whom: to all whom the campaign has people write to, else to those of a country.

    :raises countries.UnknownCountry: the country is none that we know.
    """
    targets, there = addressees.of(session, campaign), Letters(campaign)
    roles = list(map(TargetRole, campaign.ask))
    # Each role by itself, in the order in which people are asked.
    everybody = [target for role in roles for target in targets if target.role is role]
    meant = targets.of_roles(roles, countries.parse(country)) if country else everybody
    return [Assigned(target, there.place(target), there.is_in_language_of(target)) for target in meant]


def samples(
    campaign: Campaign, sent: Sequence[Assigned], reader: SampleReader, *, wording: int | None = 1
) -> list[Sample]:
    """The letters of a campaign.

    :param sent: as `assigned`.
    :param reader: who sends them. With a language, only the letters in it; with a country, only those that people there
        send.
    :param wording: from 1; those beyond the last begin again. None for as many as it takes to see each subject, opening
        and closing.
    :raises countries.UnknownCountry: the country is none that we know.
    :raises languages.InvalidLanguage: the language is none.
    """
    wanted = languages.forms(languages.normalise(reader.language)) if reader.language else None
    found: list[Sample] = []
    for letter in Letters(campaign):
        targets = tuple(
            each.target for each in sent if (each.place.role, each.place.language) == (letter.role, letter.language)
        )
        if (wanted is None or letter.language in wanted) and (targets or not reader.country):
            numbers = letter.sample_numbers() if wording is None else [(wording - 1) % letter.wordings]
            texts = (_text(letter, targets, reader, number) for number in numbers)
            found.append(Sample(letter, targets, _LINE.join(texts)))
    return found


def write(campaign: Campaign, found: Sequence[Sample], folder: Path) -> list[Path]:
    """Write each letter to a file of its own.

    :raises UnwritableFolder: there is no room, no right to write, or a file of that name.
    """
    files: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for sample in found:
            file = folder / f"{campaign.slug}.{sample.name}.txt"
            file.write_text(sample.text, encoding="utf-8")
            files.append(file)
    except OSError as problem:
        raise UnwritableFolder(folder=folder, problem=problem.strerror or problem) from None
    return files


def _text(letter: Letter, targets: Sequence[Target], reader: SampleReader, number: int) -> str:
    country = countries.name(countries.parse(reader.country), letter.language) if reader.country else None
    name = SAMPLE_NAME if reader.has_name else None
    written = letter.written(number, letter.values_for(targets[0] if targets else NOBODY, name=name, country=country))
    head = {
        "Role": letter.role,
        "Language": letter.language,
        "Wording": f"{number + 1} of {letter.wordings}",
        "As sent to": targets[0].slug if targets else "nobody: it is there to be read",
        "What people read above it": "\n\n".join(("", letter.rules)) if letter.rules else "",
    }
    told = "\n".join(f"{label}: {value}" for label, value in head.items() if value)
    return f"{told}\n\nSubject: {written.subject}\n\n{written.text}\n"
