"""Settles every column of one set of columns: what was asked for, else the surest guess, else what is left over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bulk_import.column_names import prefix_of
from bulk_import.customer.parameters import MAX_METADATA_KEY
from bulk_import.formulas import restore
from bulk_import.mapping.addresses import parts_of_another
from bulk_import.mapping.aliases import OWN_COLUMNS, WEAK, Guess, guess, is_stripe_export
from bulk_import.mapping.assignment import UNKNOWN, Assignment, Plan, Slot, Wishes, find_column, fitting_key, slot_of
from bulk_import.mapping.context import as_meant
from bulk_import.mapping.neversent import never_sent
from bulk_import.mapping.targets import (
    Ignored,
    Metadata,
    NamePart,
    Param,
    Refused,
    SourceKey,
    Target,
    VatNumber,
    described,
)
from bulk_import.model import MARKER, SOURCE_ID
from bulk_import.wording import fold

_ASKED = -1

# A whole name and its joined parts; a whole list and its items by place.
_WHOLES: tuple[tuple[Slot, str], ...] = (
    (("name",), "name"),
    (("shipping", "name"), "shipping.name"),
    (("address", "line1"), "address.line1"),
    (("shipping", "address", "line1"), "shipping.address.line1"),
    (("preferred_locales",), "preferred_locales"),
    (("expand",), "expand"),
)


_CODED: frozenset[Slot] = frozenset(
    (*whose, part) for whose in (("address",), ("shipping", "address")) for part in ("state", "country")
)
_IS_CODE = re.compile("code|abbr|iso")

_SHIPS_TO_NAME = (
    "There is an address to ship to and no column of who receives it, which Stripe needs: the customer's name is sent "
    'there, too; name another column with --map "COLUMN=shipping.name".'
)


def choose(columns: Iterable[str], wishes: Wishes) -> Plan:
    """The plan for *columns*; of two that mean the same, the surer wins and the other is left over, said in a note."""
    every = tuple(columns)
    wishes = replace(wishes, made_safe=set(OWN_COLUMNS) <= set(every))
    from_stripe = is_stripe_export(every)
    asked = {
        found: target for name, target in wishes.targets.items() if (found := find_column(name, every)) is not None
    }
    key = find_column(wishes.key, every) if wishes.key is not None else None
    meant = as_meant([_called(column, wishes) for column in every])
    folded = frozenset(map(fold, meant))
    claims = [
        _claim(name, asked.get(column), folded, column == key, from_stripe)
        for column, name in zip(every, meant, strict=True)
    ]
    apart, said = parts_of_another(every, claims)
    notes = [said] if said else []
    claims = [None if column in apart else claim for column, claim in zip(every, claims, strict=True)]
    owners, spares = _owners(every, claims, wishes)
    taken = {slot for slot in owners if slot[0] == "metadata"} | {
        slot for slot in wishes.fixed if slot[0] == "metadata"
    }
    settled = [
        _leave_over(column, "is of another address", wishes, taken, notes, is_key=column == key)
        if column in apart
        else _with_use(_settle(column, claim, owners, wishes, taken, notes, is_key=column == key), claim, spares, notes)
        for column, claim in zip(every, claims, strict=True)
    ]
    if ship := _ships_to_name(settled, wishes.fixed):
        notes.append(_SHIPS_TO_NAME)
    return Plan(tuple(settled), tuple(notes), ship)


def _ships_to_name(assignments: Iterable[Assignment], fixed: frozenset[Slot]) -> bool:
    """Whether there are columns of an address to ship to, by their usual names alone, and none of who receives it."""
    guessed = {slot for each in assignments if each.guess and (slot := slot_of(each.target)) is not None}
    every = {slot for each in assignments if (slot := slot_of(each.target)) is not None} | fixed
    to_whom = any(slot[:2] == ("shipping", "name") or slot[0] == "shipping.name" for slot in every)
    shipped = {slot for slot in every if slot[:2] == ("shipping", "address")}
    return bool(shipped) and shipped <= guessed and not to_whom


def _claim(column: str, asked: Target | None, folded: frozenset[str], is_key: bool, from_stripe: bool) -> Guess | None:
    if asked is not None:
        secret = isinstance(asked, Ignored) and never_sent(column) is not None
        return Guess(
            Refused("is left out as you asked") if secret else asked, _ASKED, sure=True, why="is what you asked for"
        )
    known = guess(column, folded, from_stripe=from_stripe)
    if is_key and (known is None or not isinstance(known.target, Param | NamePart | VatNumber)):
        return Guess(SourceKey(), _ASKED, sure=True, why="is the key you named")
    if known is not None and isinstance(known.target, Metadata) and fitting_key(known.target.key) != known.target.key:
        return replace(known, rank=known.rank + 1)  # a key that can be sent as it is spelled keeps its name
    return known


def _owners(
    columns: tuple[str, ...], claims: list[Guess | None], wishes: Wishes
) -> tuple[dict[Slot, str], frozenset[str]]:
    """Who fills each slot: the claim of the lowest rank, the first column among equals, no column where it is fixed.

    And the columns that do where that of the whole, or the surer one of the same prefix, is empty.
    """
    best: dict[Slot, tuple[int, str]] = {}
    for column, claim in zip(columns, claims, strict=True):
        slot = slot_of(claim.target) if claim is not None else None
        if claim is None or slot is None or slot in wishes.fixed:
            continue
        if slot not in best or claim.rank < best[slot][0]:
            best[slot] = (claim.rank, column)
    if wishes.key is not None:
        best[("metadata", SOURCE_ID)] = (_ASKED, find_column(wishes.key, columns) or wishes.key)
    spares = frozenset(_settle_wholes(best, wishes.fixed)).union(
        column
        for column, claim in zip(columns, claims, strict=True)
        if claim is not None and _stands_in(claim, best.get(slot_of(claim.target) or ()))
    )
    return {slot: column for slot, (_, column) in best.items()}, spares


def _stands_in(claim: Guess, surer: tuple[int, str] | None) -> bool:
    """Whether a column of this *claim* does where a *surer* one is empty: of several phones, and of a code and its name."""
    if surer is None or prefix_of(claim.rank) != prefix_of(surer[0]):
        return False
    slot = slot_of(claim.target)
    return slot == ("phone",) or (slot in _CODED and _IS_CODE.search(fold(surer[1])) is not None)


def _settle_wholes(best: dict[Slot, tuple[int, str]], fixed: frozenset[Slot]) -> list[str]:
    """A whole and its parts exclude each other: the whole wins, unless only a part was asked for or is fixed.

    The columns of parts that give way to one of the whole, which may be empty in some rows.
    """
    spares: list[str] = []
    for whole, start in _WHOLES:
        parts = [slot for slot in best if len(slot) == 2 and slot[0] == start]
        part_is_fixed = any(len(slot) == 2 and slot[0] == start for slot in fixed)
        if whole not in fixed and whole not in best:
            continue
        if whole in best and best[whole][0] >= WEAK and any(best[slot][0] < WEAK for slot in parts):
            del best[whole]
            continue
        asked_for_parts = part_is_fixed or any(best[slot][0] == _ASKED for slot in parts)
        if whole in best and asked_for_parts and (part_is_fixed or best[whole][0] != _ASKED):
            del best[whole]
            continue
        for slot in parts:
            column = best.pop(slot)[1]
            if whole not in fixed:
                spares.append(column)
    return spares


def _with_use(left: Assignment, claim: Guess | None, spares: frozenset[str], notes: list[str]) -> Assignment:
    """What is *left* of a column that gave way to another, to be used in rows where that is empty."""
    if claim is None or left.column not in spares or left.target == claim.target:
        return left
    match claim.target:
        case NamePart(_, of) as part:
            notes[-1] += f" In a row that has no {of} of its own, the parts are joined."
            return replace(left, instead=part)
        case Param(path) as other if not isinstance(path[-1], int):  # an item is no list
            notes[-1] += f" In a row that has no {described(other)} there, this is sent."
            return replace(left, instead=other, turn=claim.rank)
        case _:
            return left


def _settle(
    column: str,
    claim: Guess | None,
    owners: Mapping[Slot, str],
    wishes: Wishes,
    taken: set[Slot],
    notes: list[str],
    *,
    is_key: bool,
) -> Assignment:
    if claim is None:
        return _leave_over(column, UNKNOWN, wishes, taken, notes, is_key=is_key)
    slot = slot_of(claim.target)
    if slot is None or owners.get(slot) == column:
        asked = claim.rank == _ASKED
        given = Assignment(column, claim.target, not claim.sure, claim.why, is_key=is_key, asked=asked)
        name = claim.target.key if isinstance(claim.target, Metadata) else ""
        return _with_fitting_key(given, name, notes)
    if isinstance(claim.target, Metadata) and slot in owners:
        return _beside(Assignment(column, claim.target, True, claim.why, is_key=is_key), claim.target.key, taken, notes)
    field_name = described(claim.target)
    rival = f'the column "{owners[slot]}"' if slot in owners else "what was set for every row or the whole name"
    left = _leave_over(column, f"gives way to {rival}", wishes, taken, notes, is_key=is_key)
    notes.append(f'The column "{column}" could be {field_name}, too, but {rival} is surer: it is {_fate(left)}.')
    return left


def _called(column: str, wishes: Wishes) -> str:
    """What the column was called in the source."""
    return restore(column) if wishes.made_safe else column


def _fate(left: Assignment) -> str:
    return f"kept as {described(left.target)}" if isinstance(left.target, Metadata) else "not sent"


def _leave_over(
    column: str, why: str, wishes: Wishes, taken: set[Slot], notes: list[str], *, is_key: bool
) -> Assignment:
    name = _called(column, wishes).removeprefix("\ufeff").strip()
    if not name:
        return Assignment(column, Ignored("has no name"), False, "has no name")
    if wishes.leftover != "metadata":
        refused = wishes.leftover == "refuse"
        return Assignment(column, Ignored("is not mapped"), False, why, is_key=is_key, unmapped=refused)
    return _beside(Assignment(column, Metadata(name), True, why, is_key=is_key), name, taken, notes)


def _beside(given: Assignment, name: str, taken: set[Slot], notes: list[str]) -> Assignment:
    """The assignment under a key of its own, made of *name*, so that no value is written over another."""
    key = _free_key(name, taken)
    taken.update({("metadata", key), ("metadata", fitting_key(key))})
    return _with_fitting_key(replace(given, target=Metadata(key)), name, notes)


def _free_key(name: str, taken: set[Slot]) -> str:
    key, turn = name, 2
    while ("metadata", key) in taken or ("metadata", fitting_key(key)) in taken:
        key, turn = f"{name[: MAX_METADATA_KEY - 4]}_{turn}", turn + 1
    return key


def _with_fitting_key(given: Assignment, name: str, notes: list[str]) -> Assignment:
    """The assignment under a key that metadata allows, with a note where that is not the *name* it came with."""
    if not isinstance(given.target, Metadata):
        return given
    key = fitting_key(given.target.key)
    if key == MARKER:
        return replace(given, target=Ignored("is the marker of this tool"), guess=False)
    if key != name:
        notes.append(
            f'The column "{given.column}" is kept as metadata.{key}: a key has at most 40 characters and no brackets, '
            "and belongs to one column."
        )
    return replace(given, target=Metadata(key))
