"""Arguments and options that several commands have, so that they read the same everywhere."""

from pathlib import Path

import click

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
