"""What a source column can become: a closed union, and the words a person names each with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, assert_never

from bulk_import.customer.parameters import Path, field_names, parse_path, spelled
from bulk_import.model import SOURCE_ID
from bulk_import.wording import fold

Position = Literal["first", "middle", "last"]
NameOf = Literal["name", "shipping.name", "address.line1", "shipping.address.line1"]


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the customer."""

    path: Path


@dataclass(frozen=True, slots=True)
class Metadata:
    """A key of the customer's metadata."""

    key: str


@dataclass(frozen=True, slots=True)
class NamePart:
    """One of the parts that are joined by spaces into a name, or into a street with its number."""

    position: Position
    of: NameOf = "name"


@dataclass(frozen=True, slots=True)
class SourceKey:
    """The row's own id in the source system: kept in the ledger and as `metadata[source_id]`."""


@dataclass(frozen=True, slots=True)
class VatNumber:
    """A VAT number whose type follows from the customer's country."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not sent, but kept with the row's own fields until it succeeds."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Never sent and never kept: secrets, and what belongs to a card or a bank account."""

    reason: str


Target = Param | Metadata | NamePart | SourceKey | VatNumber | Ignored | Refused

IGNORE_WORDS = frozenset({"ignore", "-", ""})

_METADATA = re.compile(
    r"metadata[._]\s*(?P<dotted>.+)"
    r"|metadata\[(?P<bracketed>[^\[\]]*)\]"
    r"|(?P<exported>.+?)\s*\(metadata\)",
    re.IGNORECASE | re.DOTALL,
)
_PREFIXES: tuple[tuple[str, NameOf], ...] = (("", "name"), ("shipping.", "shipping.name"))
_POSITIONS: tuple[Position, ...] = ("first", "middle", "last")
_NAME_PARTS = {
    fold(f"{prefix}{position}_name"): NamePart(position, of) for prefix, of in _PREFIXES for position in _POSITIONS
}


def metadata_key(text: str) -> str | None:
    """The key in `metadata.plan`, `metadata_plan`, `metadata[plan]` or `plan (metadata)`; None for anything else."""
    found = _METADATA.fullmatch(text.strip())
    if found is None:
        return None
    return (found["dotted"] or found["bracketed"] or found["exported"] or "").strip() or None


def parse_field(field: str, column: str) -> Target | None:
    """The target that `--map COLUMN=FIELD` names by *field*, or None for an unknown word.

    `metadata` alone keeps the column's own name as the key; `ignore` (or nothing) leaves the column out.
    """
    word = field.strip()
    if word.lower() in IGNORE_WORDS:
        return Ignored("is left out as you asked")
    if word.lower() == "metadata":
        return Metadata(column)
    if (path := parse_path(word)) is not None:
        return Param(path)
    if (key := metadata_key(word)) is not None:
        return Metadata(key)
    if fold(word) in ("vatnumber", "vat"):
        return VatNumber()
    return _NAME_PARTS.get(fold(word))


def field_words() -> tuple[str, ...]:
    """Every word `--map` and `--set` understand, for suggestions and help texts."""
    return (*field_names(), "first_name", "last_name", "middle_name", "vat_number", "metadata.KEY", "ignore")


def described(target: Target) -> str:
    """The target as a table shows it."""
    match target:
        case Param(path):
            return spelled(path)
        case Metadata(key):
            return f"metadata.{key}"
        case NamePart(position, of):
            return f"{of} ({position} part)"
        case SourceKey():
            return f"metadata.{SOURCE_ID} (the key)"
        case VatNumber():
            return "tax_id_data (type from the country)"
        case Ignored():
            return "not sent"
        case Refused():
            return "never sent, never kept"
        case _:
            assert_never(target)
