"""What databases and spreadsheets leave in a cell instead of what stood there: words for nothing, shortened numbers."""

from __future__ import annotations

import re

from bulk_import.wording import names

NULLS = names(
    r"""
    NULL null Null \N NaN nan #N/A #NV #REF! #VALUE! #NAME? #DIV/0! #NUM! undefined None (null) (NULL) [null] [NULL]
    <null> <NULL> nil
    """
)
"""Whole cells that mean there was nothing, as databases, programs and spreadsheets write it."""

LONGEST_NULL = max(map(len, NULLS))

NULL_RULE = "null-word"
NULL_MESSAGE = "This is how programs write that there is nothing, and it is sent as it stands; empty such cells."

SHORTENED_RULE = "shortened-number"
SHORTENED_MESSAGE = (
    "This looks like a number that a spreadsheet shortened, so digits may be lost, and it is sent as it stands; "
    "export the column as text."
)

APOSTROPHE = "apostrophe"
"""The rule that the apostrophe in front of a number only keeps spreadsheets from changing it."""
APOSTROPHE_MESSAGE = "The apostrophe in front is taken off; it only keeps spreadsheets from changing the number."

_SHORTENED = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?E\+[0-9]{1,3}")


def is_shortened(text: str) -> bool:
    """Whether *text* is a number as a spreadsheet writes one that is too long for its cell: `1.5E+12`."""
    return "E+" in text and _SHORTENED.fullmatch(text) is not None
