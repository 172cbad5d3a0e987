"""Many values in one query: so many at a time, with a question mark for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 500
"""Values of one query, well below what any SQLite takes."""


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in pieces, each fit for one query."""
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def marks(chunk: Sequence[Any]) -> str:
    """As many question marks as there are values."""
    return ",".join("?" * len(chunk))
