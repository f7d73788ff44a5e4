"""Cells of a CSV file: how one is kept from becoming a spreadsheet formula."""

import re

#: What makes a spreadsheet take a cell for a formula, also as East Asian keyboards type it, and the mark that prevents
#: it. Spaces and quotation marks before it count for nothing.
_FORMULA = r"""[ "]*[=+\-@＝＋－＠\t\r\n']"""
_IS_FORMULA = re.compile(_FORMULA)
#: A program that takes another delimiter for ours, or does not know our quotation marks, begins a new cell here.
_NEW_CELL = r"[,;\t\r\n]"
_HIDDEN_FORMULA = re.compile(rf"({_NEW_CELL})(?={_FORMULA})")
_MARKED_FORMULA = re.compile(rf"({_NEW_CELL})'(?={_FORMULA})")


def defuse(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula. `restore` is its inverse.

    Also within a cell, wherever a spreadsheet that takes another sign for the delimiter would begin another. Such a
    cell has an apostrophe at its start too, by which `restore` knows it.
    """
    marked = _HIDDEN_FORMULA.sub(r"\1'", cell)
    return f"'{marked}" if marked != cell or _IS_FORMULA.match(cell) else cell


def restore(cell: str) -> str:
    """Take off the apostrophes that `defuse` put there, or that a person put there for the same reason."""
    marked = cell[1:]
    if cell[:1] == "'" and (_IS_FORMULA.match(marked) or _MARKED_FORMULA.search(marked)):
        return _MARKED_FORMULA.sub(r"\1", marked)
    return cell
