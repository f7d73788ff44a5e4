"""Insertions: what may stand in a text that its readers differ by, to be put in from a list."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.campaigns import kinds, letter_files
from mailer.store.models import Campaign
from mailer.web.language import _


@dataclass(frozen=True, slots=True)
class Insertion:
    """What is put in, and what a reader sees of it."""

    code: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Group:
    """Insertions of a kind."""

    title: str
    insertions: Sequence[Insertion]


def of_letter() -> Sequence[Group]:
    """All that may be put into a letter. Whoever sends it may not be known, so most need other words for that."""
    of_target = [
        Insertion(_with_default("salutation"), _("How they are addressed, in the letter’s language.")),
        Insertion('{{ target_name or "the embassy" }}', _("What they are called.")),
    ]
    of_sender = [
        Insertion(_with_default("name"), _("The name of whoever writes.")),
        Insertion(_with_default("country"), _("Where whoever writes lives.")),
    ]
    return [Group(_("Whom the letter is to"), of_target), Group(_("Who writes"), of_sender)]


def _with_default(field: str) -> str:
    return f'{{{{ {field} or "{letter_files.DEFAULTS[field]}" }}}}'


def every(campaign: Campaign) -> Sequence[Group]:
    """All that may be put into a text of a campaign."""
    of_reader = [
        Insertion('{{ name or "friend" }}', _("What the reader wants to be called; “friend” where nobody knows.")),
        Insertion('{{ country or "your country" }}', _("Where the reader lives.")),
        Insertion('{{ union or "your union" }}', _("The reader’s trade union.")),
    ]
    of_target = [
        Insertion('{{ target_name or "the embassy" }}', _("Whom the reader writes to.")),
        Insertion("{{ target_email }}", _("Their e-mail address.")),
        Insertion("{{ target_address }}", _("Their postal address.")),
    ]
    conditions = [
        Insertion('{% if country == "GB" %}…{% endif %}', _("Only for readers in a country, by its code.")),
        Insertion(
            '{% if country == "GB" %}…{% else %}…{% endif %}',
            _("Other words for readers in a country than for the rest."),
        ),
        Insertion('{% if union == "dockers" %}…{% endif %}', _("Only for members of a union, by its short name.")),
        Insertion('{% if language == "fr-CA" %}…{% endif %}', _("Only for readers of a form of this language.")),
    ]
    groups = [Group(_("The reader"), of_reader)]
    if "targets" in kinds.of(campaign).keys:
        groups.append(Group(_("Whom the reader writes to"), of_target))
    return [*groups, Group(_("Conditions"), conditions)]
