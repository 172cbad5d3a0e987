"""What a cleaner says of a cell: the value to send, one that deserves a warning, or why it cannot be sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a value cannot be sent; `param` is set where the fault belongs to no single value."""

    rule: str
    message: str
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A value that is sent, with something a person should know of it."""

    value: Any
    rule: str
    message: str


Cleaned = str | int | list[str] | Noted | Fault
Cleaner = Callable[[str], Cleaned]


def too_long(text: str, limit: int) -> tuple[str, str]:
    """The rule and the sentence for text beyond its limit."""
    return "too-long", f"It has {len(text)} characters and at most {limit} are allowed; shorten it."
