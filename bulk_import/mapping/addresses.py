"""Columns of several addresses of one person, as CRMs and address books export them: a customer has one, put together of none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bulk_import.column_names import ADDRESS, WHOSE_ADDRESS
from bulk_import.mapping.aliases import Guess, plain
from bulk_import.mapping.targets import NamePart, Param
from bulk_import.wording import fold, listed

_WHOSE = {
    prefix + name: whose
    for whose, prefixes in WHOSE_ADDRESS.items()
    for prefix in prefixes.split()
    for each in ADDRESS.values()
    for name in each.split()
}


@dataclass(frozen=True, slots=True)
class _Part:
    """A column that is guessed to be one part of the address, and whose address it is (empty: of any)."""

    column: str
    name: str
    whose: str
    rank: int


def parts_of_another(columns: Sequence[str], claims: Sequence[Guess | None]) -> tuple[frozenset[str], str]:
    """The columns that would put the customer's address together of two, and a sentence that says so.

    None are where the likeliest columns for each part are of one. Else that address is sent that has as many parts as any
    other, or but one less; of several, the first in `WHOSE_ADDRESS`.
    """
    parts = [part for column, claim in zip(columns, claims, strict=True) if (part := _part(column, claim)) is not None]
    likeliest = {part.name: part.whose for part in sorted(parts, key=lambda part: -part.rank)}
    if len(set(likeliest.values()) - {""}) < 2:
        return frozenset(), ""
    held = {whose: {part.name for part in parts if part.whose == whose} for whose in WHOSE_ADDRESS}
    most = max(map(len, held.values()))
    sent = next(whose for whose, names in held.items() if len(names) >= max(1, most - 1))
    kept = [part.column for part in parts if part.whose == sent]
    apart = [part.column for part in parts if part.whose not in ("", sent)]
    are = "is" if len(apart) == 1 else "are"
    said = f"There are columns of more than one address, and a customer has one: that of {listed(kept)} is sent, "
    return frozenset(apart), f"{said}{listed(apart)} {are} of another; say otherwise with --map."


def _part(column: str, claim: Guess | None) -> _Part | None:
    """What a column is guessed to be of the address; what was asked for, or is named by its parameter, is no guess."""
    if claim is None or claim.sure:
        return None
    match claim.target:
        case Param(("address", str() as name)):
            return _Part(column, name, _WHOSE.get(fold(plain(column)), ""), claim.rank)
        case NamePart(_, "address.line1"):
            return _Part(column, "line1", _whose_prefix(fold(plain(column))), claim.rank)
        case _:
            return None


def _whose_prefix(folded: str) -> str:
    """Whose address a half of a street is of."""
    return next((whose for whose, listed in WHOSE_ADDRESS.items() if folded.startswith(tuple(listed.split()))), "")
