"""JSON text whose numbers keep the digits they were written with, there and back: `0.10` is the price 0.10 and not 0.1."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bulk_import.model import Written


def number_of(digits: str) -> float:
    """The number that *digits* spell, with them where its value alone would be spelled otherwise."""
    value = float(digits)
    return value if repr(value) == digits else Written(digits)


read_json = json.JSONDecoder(parse_float=number_of).decode
"""What one JSON text holds."""


def json_text(value: Any, plain: Callable[[Any], str]) -> str:
    """*value* as *plain* writes it, but for numbers that say more than their value does."""
    if not _has_digits(value):
        return plain(value)
    match value:
        case Written():
            return value.digits
        case Mapping():
            return (
                "{" + ", ".join(f"{plain(str(name))}: {json_text(inner, plain)}" for name, inner in value.items()) + "}"
            )
        case _:
            return "[" + ", ".join(json_text(inner, plain) for inner in value) + "]"


def _has_digits(value: Any) -> bool:
    if isinstance(value, dict):
        return any(type(inner) is not str and _has_digits(inner) for inner in value.values())
    if isinstance(value, list):
        return any(map(_has_digits, value))
    return isinstance(value, Written)
