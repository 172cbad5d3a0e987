"""Cells that a spreadsheet would run as a formula: made harmless in CSV for people, and read back exactly; protected text."""

from __future__ import annotations

import re

_RUNS = re.compile(r"'*[=+\-@\t\r]")
_DEFUSED = re.compile(r"'+[=+\-@\t\r]")


def defuse(cell: str) -> str:
    """The cell with an apostrophe in front where a spreadsheet would run it, or where one is there already."""
    return f"'{cell}" if _RUNS.match(cell) else cell


def restore(cell: str) -> str:
    """The cell that `defuse` was given; `restore(defuse(cell))` is the cell, whatever it holds."""
    return cell[1:] if _DEFUSED.match(cell) else cell


def protected_text(cell: str) -> str | None:
    """The text in a whole cell of the form `="01067"`, which keeps a spreadsheet from changing it; None for any other."""
    inner = cell[2:-1].replace('""', "")
    if len(cell) < 3 or cell[:2] != '="' or cell[-1] != '"' or '"' in inner:
        return None
    return cell[2:-1].replace('""', '"')
