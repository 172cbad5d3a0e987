"""Which field a column's name misses by one slip: a letter too many, too few, or another, or two in the wrong order.

Short names are words of their own (`port` is no `ort`, `stage` no `state`), so little is forgiven in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase

from bulk_import.column_names import known_names
from bulk_import.customer.parameters import field_names
from bulk_import.mapping.aliases import TO_THE_LETTER, guess
from bulk_import.mapping.assignment import UNKNOWN, Assignment, slot_of
from bulk_import.mapping.targets import Metadata, Target, described
from bulk_import.wording import fold

# Wider files have columns made by a program, which makes no slips.
_MOST_LIKENED = 500
_SHORTEST = 4
_LONG = 7
"""From here on a letter may be another one, and names beyond the fields' own are held against it."""

_WORDS_OF_THEIR_OWN = frozenset(
    {*TO_THE_LETTER, "username", "accountusername", "customerusername", "direction", "enterprise", "varname", "vartype",
     "subname", "safename", "shipout"}
)  # fmt: skip
_FIELDS = {fold(field): field for field in field_names() if field not in TO_THE_LETTER}
_KNOWN = frozenset(name for name in known_names() if len(name) >= _LONG) | _FIELDS.keys() | {"city", "state"}


def misspelt(assignments: tuple[Assignment, ...]) -> dict[str, str]:
    """The columns nobody knows whose names are one slip away from a field that no other column fills."""
    if len(assignments) > _MOST_LIKENED:
        return {}
    filled = {slot_of(each.target) for each in assignments}
    unknown = (each.column for each in assignments if each.why == UNKNOWN and not each.is_key)
    meant = ((column, field_missed_by_a_slip(column)) for column in unknown)
    return {column: described(target) for column, target in meant if target and slot_of(target) not in filled}


def field_missed_by_a_slip(column: str) -> Target | None:
    """What *column* would mean without the slip in its name, None where there is none to be seen."""
    start, dot, key = column.strip().partition(".")
    if dot and key and "metadata" in _slips(start.lower()):
        return Metadata(key)
    name = fold(column)
    if len(name) < _SHORTEST or name in _WORDS_OF_THEIR_OWN:
        return None
    right = next((each for each in _slips(name) if each in _KNOWN), None)
    found = guess(_FIELDS.get(right, right)) if right is not None else None
    return found.target if found is not None else None


def _slips(name: str) -> Iterator[str]:
    """The names that are one slip away; first and last letters are hardly ever mistaken, digits mean something."""
    cuts = range(1, len(name))
    yield from (name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :] for at in cuts)
    yield from (name[:at] + sign + name[at:] for at in cuts for sign in f"0{ascii_lowercase}")
    yield from (name[:at] + name[at + 1 :] for at in cuts[:-1] if name[at].isalpha())
    if len(name) >= _LONG:
        inner = (at for at in cuts[:-1] if name[at].isalpha())
        yield from (name[:at] + sign + name[at + 1 :] for at in inner for sign in ascii_lowercase)
