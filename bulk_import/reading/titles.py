"""Tells a header from a title above it: the columns of people usually have names that are known."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_import.column_names import PLAIN, known_names
from bulk_import.reading.kinds import TELLING, kind_of
from bulk_import.wording import fold, names

_TITLES = known_names() | names(
    """
    id userid customerid accountid memberid uid uuid guid key no nr number customernumber kundennummer externalid ref
    username nickname nom fax comment comments tag tags role roles group groups label labels segment interests
    plan status type title currency timezone active enabled verified website url source stripeid balance amount total
    created createdat createdate signupdate signedup registered updated updatedat lastlogin birthday dateofbirth
    """
)
_ADDRESS = names(PLAIN[("email",)])


def are_titles(cells: Sequence[str]) -> bool:
    """Whether a row is made of column names: half of all are known, and they are two or the address's."""
    filled = [fold(cell) for cell in cells if cell.strip()]
    known = [name for name in filled if name in _TITLES]
    enough = len(known) > 1 or any("mail" in name for name in known)
    return enough and 1 < len(filled) <= 2 * len(known) and len(set(filled)) == len(filled)


def is_address_title(cell: str) -> bool:
    """Whether a line is nothing but a known name of the column of addresses."""
    name = fold(cell)
    return "mail" in name and name in _TITLES


def name_columns(cells: Sequence[str]) -> bool:
    """Whether a row in the middle of a table surely names the columns of another: stricter than `are_titles`.

    Every cell up to the last that holds something is filled, none like an address, a number or a time, and two or more are
    known, the address's among them.
    """
    folded = list(map(fold, cells))
    while folded and not folded[-1]:
        folded.pop()
    known = [name for name in folded if name in _TITLES]
    surely = len(known) > 1 and all(folded) and not _ADDRESS.isdisjoint(known) and are_titles(cells)
    return surely and not any(kind_of(cell) in TELLING for cell in cells)
