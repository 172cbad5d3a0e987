"""Which keys came up more than once while a source was read, in flat memory: a private temporary table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

WAITING = 5000
"""Most sightings that wait to be written."""


class Seen:
    """Collects keys and tells the repeated ones at the end.

    The table is SQLite's own temporary file, unlinked from the start and gone with the process; rows are
    only appended and sorted once, which stays fast where an index would thrash. It holds 64 bits of each key, hashed
    under a secret of this process: two keys in ten million are taken for one with a chance of one in 300,000.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, int]] = []
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA cache_size = -4000")
        self._db.execute("CREATE TABLE seen (key INTEGER, row INTEGER, line INTEGER)")
        self._db.execute("BEGIN")

    def add(self, keys: Sequence[str], rows: Sequence[int], lines: Sequence[int]) -> None:
        """Note keys with the number and the line of each one's row."""
        self._waiting += zip(map(hash, keys), rows, lines, strict=True)
        if len(self._waiting) >= WAITING:
            self._flush()

    def _flush(self) -> None:
        self._db.executemany("INSERT INTO seen VALUES (?, ?, ?)", self._waiting)
        self._waiting = []

    def repeated(self) -> Iterator[tuple[int, int, int, int]]:
        """Each later sighting of a key as (row, line, first row, first line), in row order."""
        self._flush()
        # Beside a min() SQLite takes other columns from the row that has it.
        query = """
            SELECT s.row, s.line, f.row, f.line FROM seen s
            JOIN (SELECT key, min(row) AS row, line FROM seen GROUP BY key HAVING count(*) > 1) f ON f.key = s.key
            WHERE s.row <> f.row ORDER BY s.row
        """
        yield from self._db.execute(query)

    def close(self) -> None:
        """Let go of the table."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
