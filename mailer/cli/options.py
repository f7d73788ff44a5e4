"""Arguments and options that several commands have, so that they read the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mailer.formats.tables import SEPARATORS, Dress

slug_argument = click.argument("slug")
#: where the slugs of unions are options beside it
campaign_argument = click.argument("slug", metavar="CAMPAIGN")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
json_lines_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")

update_option = click.option(
    "--update", is_flag=True, help="Overwrite what we know, instead of only filling in what is missing."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change, but change nothing.")

output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write; only you will be able to read it.",
)
folder_option = click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path), required=True, help="Folder to write to."
)


class _ColumnAndValue(click.ParamType[tuple[str, str]]):
    """A column of a file and what stands in it, with a = between them."""

    name = "COLUMN=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        column, equals, text = value.partition("=")
        if not equals:
            self.fail(f"{value} has no =; write it as status=subscribed", param, ctx)
        return column, text


def take_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How to take columns of other programs that may say who left: `ignored` and `only`."""
    ignore = click.option(
        "--ignore",
        "ignored",
        metavar="COLUMN",
        multiple=True,
        help="This column does not say who left: take all rows, whatever stands in it. May be repeated.",
    )
    only = click.option(
        "--only",
        type=_ColumnAndValue(),
        metavar="COLUMN=VALUE",
        multiple=True,
        help="Take only the rows with this value in this column. May be repeated.",
    )
    return ignore(only(command))


def dress_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How a CSV file is written: `excel` and `separator`, for `dress`."""
    excel = click.option("--excel", is_flag=True, help="Have Excel show letters of all scripts as they are.")
    separator = click.option(
        "--separator",
        type=click.Choice(list(SEPARATORS)),
        default="comma",
        show_default=True,
        help="What stands between cells. Excel expects a semicolon where numbers have a decimal comma.",
    )
    return excel(separator(command))


def dress(*, excel: bool, separator: str) -> Dress:
    """What `dress_options` ask for."""
    return Dress(delimiter=SEPARATORS[separator], bom=excel)
