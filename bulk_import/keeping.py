"""What is kept of a record beside what is sent: its own fields, without secrets and without card numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulk_import.cards import holds_card, mask_cards
from bulk_import.neversent import never_sent


def kept_fields(fields: Mapping[str, Any], wiped: frozenset[str]) -> Mapping[str, Any]:
    """The fields with the values of the *wiped* columns (by dotted name) emptied, and secrets inside lists, too."""
    if wiped or any(isinstance(value, dict | list) for value in fields.values()):
        return _wipe(fields, wiped, "")
    return fields


def masked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with every card number in them masked, for what is kept of a refused record."""
    return {column: _masked(value) for column, value in fields.items()}


def _wipe(fields: Mapping[str, Any], wiped: frozenset[str], prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        if prefix + key in wiped:
            kept[key] = ""
        elif isinstance(value, dict):
            kept[key] = _wipe(value, wiped, f"{prefix}{key}.")
        else:
            kept[key] = _without_secrets(value) if isinstance(value, list) else value
    return kept


def _without_secrets(value: Any) -> Any:
    """Lists are not opened into columns, so what is in them is judged here, by the names of its entries."""
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    if isinstance(value, dict):
        return {key: "" if never_sent(key) is not None else _without_secrets(inner) for key, inner in value.items()}
    return value


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_cards(value)
    if isinstance(value, Mapping):
        return {key: _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and 10**13 <= value < 10**19 and holds_card(str(value)):
        return mask_cards(str(value))
    return value
