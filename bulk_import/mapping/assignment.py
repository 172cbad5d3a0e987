"""One column and what becomes of it, what a person asked for, and which place of a customer a column fills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bulk_import.customer.parameters import MAX_METADATA_KEY
from bulk_import.mapping.targets import Ignored, Metadata, NamePart, Param, Refused, SourceKey, Target, VatNumber
from bulk_import.model import SOURCE_ID
from bulk_import.wording import fold

UNKNOWN = "has no known meaning"
"""Why a column is left over that nobody asked for and no alias knows."""

Slot = tuple[str | int, ...]
"""What can be filled only once: a path, a metadata key, a part of a name."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One column and what becomes of it; `guess` marks what a person should look at before sending.

    `is_key` is true for the `--key` column, whatever else it is. `unmapped` marks a column nobody knew
    what to do with under `--unmapped refuse`; its target is then `Ignored`. `asked` is true for `--map`.
    `instead` is what it is in rows where that to which it gave way is empty; of several, the lowest `turn` comes first.
    """

    column: str
    target: Target
    guess: bool
    why: str
    is_key: bool = False
    unmapped: bool = False
    asked: bool = False
    instead: NamePart | Param | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one set of columns, in their order, and what should be said of it aloud.

    `ship_to_name` is whether what is shipped goes to the customer's own name, as the columns have no other.
    """

    assignments: tuple[Assignment, ...]
    notes: tuple[str, ...] = ()
    ship_to_name: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person asked for: targets by column, the key column, fixed values, and what becomes of the rest.

    `made_safe` says that columns are called as `export --what failed` makes names safe for spreadsheets. `places` tells
    where a wish was said, by option and name, if not as an option.
    """

    targets: Mapping[str, Target] = field(default_factory=dict)
    key: str | None = None
    fixed: frozenset[Slot] = frozenset()
    leftover: str = "metadata"
    made_safe: bool = False
    places: Mapping[tuple[str, str], str] = field(default_factory=dict)


def place_of(places: Mapping[tuple[str, str], str], option: str, name: str) -> str:
    """Where the entry *name* of an option was said: as that option, or in a file."""
    return places.get((option, name), f"--{option}")


def slot_of(target: Target) -> Slot | None:
    """The place that *target* fills, None for a target that fills none."""
    match target:
        case Param(path):
            return path
        case VatNumber():
            return ("tax_id_data", 0, "value")
        case Metadata(key):
            return ("metadata", fitting_key(key))
        case NamePart(position, of):
            return (of, position)
        case SourceKey():
            return ("metadata", SOURCE_ID)
        case Ignored() | Refused():
            return None


def find_column(name: str, columns: Iterable[str]) -> str | None:
    """The column that *name* means: spelled alike, else the only one that folds alike."""
    every = list(columns)
    if name in every:
        return name
    alike = [column for column in every if fold(column) == fold(name)]
    return alike[0] if len(alike) == 1 else None


def fitting_key(key: str) -> str:
    """*key* as metadata allows it: at most 40 characters and no brackets (`tags[new]` becomes `tags.new`)."""
    plain = key.replace("][", ".").replace("[", ".").replace("]", "").strip(". ")
    return (plain if "[" in key or "]" in key else key)[:MAX_METADATA_KEY].rstrip() or "unnamed"
