"""Tables on a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(console: Console, title: str, table: Table) -> None:
    """Print a table below its title. As a title of the table's own it would be broken where the table is narrower."""
    console.print(Text(title, style="italic"), soft_wrap=True)
    console.print(table)
