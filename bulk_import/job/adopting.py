"""What a continued ledger keeps of the options it was begun with, and what is said of those that changed (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from bulk_import.errors import LedgerRefuses
from bulk_import.options import Preparing, RunOptions

_LATER = ("dedupe", "on_existing", "marker", "dry_run_method")
"""Options that say nothing of whether a row is valid."""

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


def options_text(options: RunOptions) -> dict[str, Any]:
    """What later commands on this ledger need to know of the options in force."""
    preparing = options.preparing
    return {
        "mapping": {f.name: getattr(preparing.mapping, f.name) for f in fields(preparing.mapping) if f.compare},
        "allow_no_email": preparing.allow_no_email,
        "email_check": preparing.email_check,
        "default_payment_method": preparing.default_payment_method,
        "dedupe": options.dedupe,
        "on_existing": options.on_existing,
        "marker": options.marker,
        **({"dry_run_method": options.dry_run_method} if options.connecting.dry_run else {}),
    }


def preparing_from(stored: dict[str, Any]) -> Preparing:
    """The way rows were prepared, out of a ledger."""
    mapping_type = Preparing().mapping.__class__
    known = {f.name for f in fields(mapping_type)}
    mapping = {n: _tuples(v) for n, v in stored.get("mapping", {}).items() if n in known}
    return Preparing(
        mapping=mapping_type(**mapping),
        allow_no_email=stored.get("allow_no_email", False),
        email_check=stored.get("email_check", "strict"),
        default_payment_method=stored.get("default_payment_method", True),
    )


def changed_options(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """The names of what is asked for otherwise than it was, as options are typed."""
    pairs = ((name, stored.get(name), asked.get(name)) for name in sorted({*stored, *asked}))
    return [name.replace("_", "-") for name, was, now in pairs if as_text({"": was}) != as_text({"": now})]


def prepares(changed: Sequence[str]) -> bool:
    """Whether any of these options decides which rows are valid."""
    return any(name.replace("-", "_") not in _LATER for name in changed)


def as_text(options: dict[str, Any]) -> str:
    """Options in one stable form, to tell whether they changed."""
    return json.dumps(options, sort_keys=True, default=list)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
