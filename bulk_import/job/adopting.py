"""What a continued ledger keeps of the options it was begun with, and what is said of those that changed (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bulk_import.errors import LedgerRefuses
from bulk_import.job.opening import as_text
from bulk_import.options import RunOptions

_NAMES = {"maps": "--map", "sets": "--set", "marker": "the marker", "dry_run_method": "--dry-run-payment-method"}


def with_kept_key(options: RunOptions, stored: Mapping[str, Any], *, used: bool) -> RunOptions:
    """The options with the ledger's `--key` column where none is given now.

    Raises `LedgerRefuses` where another is given while the ids of that column are in the ledger (*used*).
    """
    mapping = options.preparing.mapping
    kept = (stored.get("mapping") or {}).get("key")
    if kept is None or mapping.key == kept or (mapping.key is not None and not used):
        return options
    if mapping.key is not None:
        raise LedgerRefuses(
            f"the ledger's rows have their own ids from the column {kept!r}, but --key {mapping.key!r} was given; "
            "leave --key out, or start a new ledger with --ledger"
        )
    return replace(options, preparing=replace(options.preparing, mapping=replace(mapping, key=kept)))


def changes(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Every option that is not as it was, by its name, with what it was and what it is."""
    was, now = dict(_flat(stored)), dict(_flat(asked))
    return [
        f"{_name(option)} was {_worded(was.get(option))} and is {_worded(now.get(option))}"
        for option in sorted({*was, *now})
        if as_text({"": was.get(option)}) != as_text({"": now.get(option)})
    ]


def _flat(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value


def _name(option: str) -> str:
    return _NAMES.get(option, f"--{option.replace('_', '-')}")


def _worded(value: Any) -> str:
    match value:
        case None | () | []:
            return "not given"
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return ", ".join(f"{left}={right}" for left, right in value)
        case _:
            return str(value)
