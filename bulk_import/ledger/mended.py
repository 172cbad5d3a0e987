"""Fields that a person has mended, kept beside the ledger while a command lasts: there may be as many as in the whole source."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulk_import.ledger.database import connect

_PIECE = 1000
"""Row numbers that are read at a time."""


class Mended(Mapping[int, Mapping[str, Any]]):
    """The fields of each row, in row order, in a private temporary file without a name that is gone with the process."""

    def __init__(self) -> None:
        self._db = connect("")  # for SQLite, a database on disk that nobody else can open
        self._db.execute("CREATE TABLE mended (number INTEGER PRIMARY KEY, fields BLOB NOT NULL)")
        self._db.execute("BEGIN")  # one for all: nothing of it is to outlast the connection

    def put(self, number: int, fields: Mapping[str, Any]) -> None:
        """Keep the fields of a row; numbers keep the digits they were written with, as they would not in JSON."""
        self._db.execute("INSERT OR REPLACE INTO mended VALUES (?, ?)", (number, pickle.dumps(dict(fields))))

    def discard(self, numbers: Sequence[int]) -> None:
        """Forget these rows."""
        self._db.executemany("DELETE FROM mended WHERE number = ?", [(number,) for number in numbers])

    def numbers(self) -> array[int]:
        """The rows, in their order."""
        return array("q", self)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __getitem__(self, number: int) -> Mapping[str, Any]:
        found = self._db.execute("SELECT fields FROM mended WHERE number = ?", (number,)).fetchone()
        if found is None:
            raise KeyError(number)
        fields: Mapping[str, Any] = pickle.loads(found[0])  # noqa: S301 - written by this process a moment ago
        return fields

    def __contains__(self, number: object) -> bool:
        return self._db.execute("SELECT 1 FROM mended WHERE number = ?", (number,)).fetchone() is not None

    def __iter__(self) -> Iterator[int]:
        query, last = "SELECT number FROM mended WHERE number > ? ORDER BY number LIMIT ?", 0
        while found := self._db.execute(query, (last, _PIECE)).fetchall():
            last = found[-1][0]
            yield from (number for (number,) in found)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM mended").fetchone()[0])
