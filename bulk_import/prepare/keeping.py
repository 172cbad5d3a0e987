"""What is kept of a record beside what is sent: its own fields, without secrets and without card numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulk_import.customer.cards import holds_card, mask_cards
from bulk_import.mapping.neversent import is_hash, never_sent
from bulk_import.model import Written

TOO_DEEP = "…"
"""What stands for values that are nested deeper than any source has a use for."""

HIDDEN = "***"
"""What stands for a secret where it may not even be shown."""

UNSHOWN = "stored-password"
"""The rule of a value that may not even be shown."""

LOST = "lost-value"
"""The rule of a cell whose value the source has lost, as a workbook does with a formula it never calculated."""

NOT_AS_GIVEN = frozenset({"unreadable", "card-number", UNSHOWN, LOST})
"""Rules whose rows are not kept as the source has them: torn, or with what may not be kept masked; nobody may send those."""

# The reader allows 32 levels; the rest is room for values that did not come from it.
_DEEPEST = 64


def kept_fields(fields: Mapping[str, Any], wiped: frozenset[str]) -> Mapping[str, Any]:
    """The fields with the values of the *wiped* columns (by dotted name) emptied, and secrets inside lists, too.

    Numbers whose digits say more than their value are kept as text, since JSON forgets them.
    """
    return _wipe(fields, wiped, "", _DEEPEST)


def masked(fields: Mapping[str, Any], spared: frozenset[str]) -> dict[str, Any]:
    """The fields with every card number and stored password in them masked, for what is kept of a refused record.

    The *spared* columns (by dotted name) hold phones or the row's own id, where long numbers are at home.
    """
    return _mask(fields, spared, "", _DEEPEST)


def displayed(fields: Mapping[str, Any], wiped: frozenset[str]) -> dict[str, Any]:
    """The fields as a person may see them: nothing of the *wiped* columns, no card number, no stored password."""
    emptied = masked(kept_fields(fields, wiped), frozenset())
    return {mask_cards(key): HIDDEN if key in wiped and fields[key] else value for key, value in emptied.items()}


def _wipe(fields: Mapping[str, Any], wiped: frozenset[str], prefix: str, left: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        if prefix + key in wiped:
            kept[key] = ""
        elif isinstance(value, dict):
            kept[key] = _wipe(value, wiped, f"{prefix}{key}.", left - 1) if left else TOO_DEEP
        else:
            kept[key] = _without_secrets(value, left)
    return kept


def _without_secrets(value: Any, left: int) -> Any:
    """Lists are not opened into columns, so what is in them is judged here, by the names of its entries."""
    if not left and isinstance(value, list | dict):
        return TOO_DEEP
    if isinstance(value, list):
        return [_without_secrets(inner, left - 1) for inner in value]
    if isinstance(value, dict):
        kept = {key: "" for key in value if never_sent(key) is not None}
        return {key: kept.get(key, _without_secrets(inner, left - 1)) for key, inner in value.items()}
    return value.digits if isinstance(value, Written) else value


def _mask(fields: Mapping[str, Any], spared: frozenset[str], prefix: str, left: int) -> dict[str, Any]:
    return {
        key: value if prefix + key in spared else _masked(key, value, spared, f"{prefix}{key}.", left)
        for key, value in fields.items()
    }


def _masked(key: str, value: Any, spared: frozenset[str], prefix: str, left: int) -> Any:
    if isinstance(value, str):
        return HIDDEN if is_hash(key, value) else mask_cards(value)
    if not left and isinstance(value, list | dict):
        return TOO_DEEP
    if isinstance(value, dict):
        return _mask(value, spared, prefix, left - 1)
    if isinstance(value, list):
        return [_masked(key, inner, spared, prefix, left - 1) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and 10**13 <= value < 10**19 and holds_card(str(value)):
        return mask_cards(str(value))
    return value
