"""Which rows may be told to whoever watches them: each once, when all that is to be known of it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from bulk_import.ledger import Line
from bulk_import.model import Status

OPEN = (Status.PENDING.value, Status.IN_DOUBT.value)


class Told:
    """Holds duplicates back until their owner is settled, since theirs is its customer; *ask* reads lines by number."""

    def __init__(self, ask: Callable[[Sequence[int]], Iterator[Line]]) -> None:
        self._ask = ask
        self._held: dict[int, list[int]] = {}

    def known(self, lines: Iterable[Line]) -> list[Line]:
        """Of lines that came to disk, those that say all; with them the duplicates that waited for one of them."""
        found: list[Line] = []
        settled: set[int] = set()
        for line in lines:
            if line.status == Status.DUPLICATE.value and line.customer_id is None and line.duplicate_of is not None:
                self._held.setdefault(line.duplicate_of, []).append(line.row)
                continue
            found.append(line)
            if line.status not in OPEN:
                settled.add(line.row)
        freed = [row for owner in settled & self._held.keys() for row in self._held.pop(owner)]
        return found + (list(self._ask(freed)) if freed else [])

    def rest(self) -> list[Line]:
        """Duplicates whose owner is not settled, or failed before: they are told as they stand."""
        rows = sorted(row for rows in self._held.values() for row in rows)
        self._held.clear()
        return list(self._ask(rows)) if rows else []
