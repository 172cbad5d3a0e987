"""Turns the JSON values of a record into the flat columns and texts that a mapping speaks of."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from bulk_import.customer.leftovers import JSON_RULE
from bulk_import.customer.parameters import LISTS_OF_OBJECTS, PARAMETERS
from bulk_import.customer.verdicts import Noted
from bulk_import.model import Written
from bulk_import.wording import fold, terminal_safe

# Stripe needs three levels and the reader allows 32; deeper values reach no field.
_DEEPEST = 32

_WANT_ENTRIES = frozenset(fold(path.split(".")[0]) for path in PARAMETERS if "." in path) | {
    "metadata", "billingaddress", "shippingaddress"
}  # fmt: skip

_PRINTED = re.compile(r"\{'([^'\n]*)': ")
"""How Python prints an object, as `DataFrame.to_csv()` does in a cell."""


def is_flat(fields: Mapping[str, Any]) -> bool:
    """Whether no value is nested, so that the record can be used as it is."""
    return not any(isinstance(value, dict | list) for value in fields.values())


def with_entries(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a file that our own export wrote, JSON being what it stands for where a column wants entries."""
    return {column: _entries(value) if wants_entries(column) else value for column, value in fields.items()}


def _entries(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith(("{", "[")):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def flatten(fields: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values by dotted name (`address.city`, `tax_id_data.0.type`), and names that came up twice.

    Only lists of which Stripe takes the items apart are opened; any other list stays one value.
    """
    flat: dict[str, Any] = {}
    twice: list[str] = []

    def open_up(name: str, value: Any, depth: int) -> None:
        if isinstance(value, Mapping) and depth < _DEEPEST:
            for key, inner in value.items():
                open_up(f"{name}.{key}", inner, depth + 1)
        elif isinstance(value, list) and name.lower() in LISTS_OF_OBJECTS:
            for place, inner in enumerate(value):
                open_up(f"{name}.{place}", inner, depth + 1)
        elif name in flat:
            twice.append(name)
        else:
            flat[name] = value

    for name, value in fields.items():
        open_up(name, value, 0)
    return flat, tuple(twice)


def metadata_text(value: Any, dropped: Callable[[str], bool] = lambda _name: False) -> str | None:
    """A JSON value as metadata carries it, None when there is nothing to carry or it cannot be written.

    Text stays as it is, anything else becomes JSON text; entries whose name is *dropped* are left out at any depth.
    """
    if isinstance(value, str):
        return value
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, Written):
        return value.digits
    try:
        return json.dumps(_without(value, dropped), ensure_ascii=False, allow_nan=False, default=str)
    except (ValueError, RecursionError):
        return None


def plain_text(value: Any) -> str | None:
    """A JSON value for a parameter that takes text: text and whole numbers exactly, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return str(value) if abs(value) < 10**64 else None


def wants_entries(column: str) -> bool:
    """Whether a column is named like a part of a customer that is made of entries (`address`)."""
    return fold(column) in _WANT_ENTRIES


def json_in_cell(column: str, text: str) -> Noted | None:
    """The *text* with what is to be said of it where it is JSON in a cell whose *column* wants entries, else None."""
    if text[0] not in "{[" or not wants_entries(column):
        return None
    what = "JSON"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        if (printed := _PRINTED.match(text)) is None:
            return None
        what, found = "what Python prints of an object", {printed.group(1): ""}
    example = f"{column}.{next(iter(found), 'city')}" if isinstance(found, dict) else f"{column}.0"
    message = (
        f"This is {what} in one cell, and it is sent as one text; give each entry a column of its own "
        f"({terminal_safe(example)})."
    )
    return Noted(text, JSON_RULE, message)


def whole_text(value: Any) -> str | None:
    """A JSON value for a whole number: `12.0` is whole, too; `12.00` and `1e3` are as they are written, to be refused."""
    if isinstance(value, Written):
        return value.digits
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return str(int(value))
    return str(value) if isinstance(value, float) else plain_text(value)


def truth_text(value: Any) -> str | None:
    """A JSON value for a yes-or-no parameter: `true` and `false` are words, too."""
    return ("true" if value else "false") if isinstance(value, bool) else plain_text(value)


def list_text(value: Any) -> str | None:
    """A JSON list of texts as one text with a comma behind each; anything else as `plain_text` has it."""
    if not isinstance(value, list):
        return plain_text(value)
    texts = [plain_text(item) for item in value if item is not None]
    return "".join(f"{text}," for text in texts if text is not None) if None not in texts else None


def json_kind(value: Any) -> str:
    """What a JSON value is, for a message."""
    match value:
        case bool():
            return "true or false"
        case float() if not math.isfinite(value):
            return "no number"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return f"a value of type {type(value).__name__}"


def _without(value: Any, dropped: Callable[[str], bool]) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(inner, dropped) for key, inner in value.items() if not dropped(str(key))}
    if isinstance(value, list):
        return [_without(inner, dropped) for inner in value]
    return value.digits if isinstance(value, Written) else value
