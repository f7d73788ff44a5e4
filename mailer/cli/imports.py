"""What commands print of a file that they have imported."""

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def print_counts(counts: Mapping[str, int], *, dry_run: bool) -> None:
    """Print what became of its rows: label → number."""
    click.echo("This is what an import would do. Nothing was changed." if dry_run else "Imported.")
    for label, number in counts.items():
        click.echo(f"{number:>10,}  {label}")


def print_whole(report: "DataclassInstance", *, dry_run: bool, as_json: bool) -> None:
    """Print what became of a file of which all was taken: a report of numbers by their labels, and `warnings`."""
    counts = dataclasses.asdict(report)
    if as_json:
        click.echo(json.dumps(counts, ensure_ascii=False))
        return
    warnings = counts.pop("warnings")
    print_counts(counts, dry_run=dry_run)
    for warning in warnings:
        click.echo(f"Warning: {warning.rstrip('.')}.", err=True)
