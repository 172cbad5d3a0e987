"""Which keys came up more than once while a source was read, in flat memory: a private temporary table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

Sighting = tuple[str, int, int]
"""A key, the row's number and its line."""


class Seen:
    """Collects keys by the batch and tells the repeated ones at the end.

    The table is SQLite's own temporary file, unlinked from the start and gone with the process; rows are
    only appended and sorted once, which stays fast where an index would thrash.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA cache_size = -4000")
        self._db.execute("CREATE TABLE seen (key TEXT, row INTEGER, line INTEGER)")
        self._db.execute("BEGIN")

    def add(self, sightings: Sequence[Sighting]) -> None:
        """Note a batch of keys."""
        self._db.executemany("INSERT INTO seen VALUES (?, ?, ?)", sightings)

    def repeated(self) -> Iterator[tuple[str, int, int, int, int]]:
        """Each later sighting of a key as (key, row, line, first row, first line), in row order."""
        query = """
            SELECT s.key, s.row, s.line, f.row, f.line FROM seen s
            JOIN (SELECT key, min(rowid) AS first FROM seen GROUP BY key HAVING count(*) > 1) r ON r.key = s.key
            JOIN seen f ON f.rowid = r.first
            WHERE s.rowid <> r.first ORDER BY s.row
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
