"""The letters of a campaign: `mailer campaigns letter`, to read them before people send them, and `correct-letters`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailer.campaigns import lifecycle
from mailer.campaigns.letters import Letters
from mailer.cli.campaign_status import plain
from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import folder_option, json_option, slug_argument
from mailer.cli.tables import print_table
from mailer.delivery import corrections, letter_previews
from mailer.delivery.letter_previews import Assigned, Sample
from mailer.delivery.previews import SampleReader
from mailer.reports import progress as campaign_progress
from mailer.store.models import DeliveryState

_ALL = "all"


class _Wording(click.ParamType[int | None]):
    """The number of a wording, or all of them: None."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value is None or value == _ALL:
            return None
        if not str(value).isdecimal() or not int(value):
            self.fail(f'{value} is no number of a wording. Write one from 1 on, or "{_ALL}".', param, ctx)
        return int(value)


@click.command()
@slug_argument
@click.option("--country", metavar="CC", help="As someone in this country would send it, to the targets there.")
@click.option("--language", metavar="TAG", help="Only the letters in this language.")
@click.option("--no-name", is_flag=True, help="As someone whose name we do not know would get it.")
@click.option(
    "--wording",
    type=_Wording(),
    default="1",
    show_default=True,
    help="Which of its wordings; with all, as many as it takes to see each subject, opening and closing.",
)
@folder_option
@json_option
@pass_installation
def letter(
    installation: Installation,
    slug: str,
    country: str | None,
    language: str | None,
    no_name: bool,
    wording: int | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Write each letter as a .txt file, and show which target gets which letter."""
    reader = SampleReader(language=language, country=country, has_name=not no_name)
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, slug)
        sent = letter_previews.assigned(session, campaign, country)
        samples = letter_previews.samples(campaign, sent, reader, wording=wording)
        files = letter_previews.write(campaign, samples, folder) if samples else []
        asks, has_letters = bool(campaign.ask), bool(list(Letters(campaign)))
    if as_json:
        told = [_letter_to_json(*each) for each in zip(samples, files, strict=True)]
        targets = [_target_to_json(each) for each in sent]
        click.echo(json.dumps({"slug": slug, "letters": told, "targets": targets}, ensure_ascii=False))
        return
    for file in files:
        click.echo(str(file))
    if not asks:
        click.echo(
            f'Campaign "{slug}" asks for no role, so there is nobody to write a letter to. See ask in campaign.toml.'
        )
    elif not has_letters:
        click.echo(
            "There is no letter. Write one into the campaign's folder, such as letter-embassy.en.md, and load it."
        )
    elif not files:
        click.echo("No letter is in that language, or sent from that country.")
    if sent:
        print_table(Console(), "Which target gets which letter", _table(sent))
    elif asks:
        click.echo(typed("There is no target to send a letter to. See which there are: mailer targets list"))


@click.command("correct-letters")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@pass_installation
def correct_letters(installation: Installation, folder: Path) -> None:
    """Replace the letters of a campaign that is no draft any more by those in FOLDER, whose name is its slug.

    Only its letters are read: texts and audience stay as they are.
    """
    with installation.session() as session:
        corrected = corrections.correct_letters(session, folder, installation.settings.mail_sender)
        slug = corrected.campaign.slug
        sent = campaign_progress.of_campaign(session, corrected.campaign).states[DeliveryState.SENT]
    if not corrected.files:
        click.echo(f'The letters of campaign "{slug}" are these already. Nothing was changed.')
        return
    click.echo(f'Campaign "{slug}": {", ".join(corrected.files)} corrected. Pages and mails show that from now on.')
    if sent:
        mails = "1 mail that was sent holds" if sent == 1 else f"{sent:,} mails that were sent hold"
        click.echo(f"{mails} the letter as it was.")
    if corrected.campaign.forwardable:
        click.echo("Its kits are made again. What unions have forwarded already holds the letter as it was.")
    click.echo(typed(f"Look at the letters with: mailer campaigns letter {slug} -o FOLDER"))


def _table(sent: Sequence[Assigned]) -> Table:
    table = Table("target", "role", "letter", "of which it is to know")
    for each in sent:
        table.add_row(plain(each.target.slug), str(each.place.role), Text(_shown(each)), Text(_remark(each)))
    return table


def _shown(each: Assigned) -> str:
    return "own words" if each.place.own_words else each.place.language or "none"


def _remark(each: Assigned) -> str:
    if each.place.own_words or each.place.language is None or each.is_in_its_language:
        return ""
    return f"reads {', '.join(each.target.languages)}"


def _letter_to_json(sample: Sample, file: Path) -> dict[str, Any]:
    return {
        "role": sample.letter.role,
        "language": sample.letter.language,
        "wordings": sample.letter.wordings,
        "targets": [target.slug for target in sample.targets],
        "file": str(file),
    }


def _target_to_json(each: Assigned) -> dict[str, Any]:
    return {
        "slug": each.target.slug,
        "role": each.place.role,
        "languages": list(each.target.languages),
        "letter": each.place.language,
        "own_words": each.place.own_words,
        "in_its_language": each.place.language is not None and each.is_in_its_language,
    }
