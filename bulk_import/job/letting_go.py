"""Rows that a retry lets go while it sends others: they repeated one that comes again as somebody else, or as nobody."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from bulk_import.ledger import MENDED, Reader
from bulk_import.model import Status


def waiting(reader: Reader) -> array[int]:
    """The rows that are to be sent with what the ledger holds of them, and were not yet, in their order."""
    return reader.numbers((Status.FAILED,), (MENDED,))


class LettingGo:
    """What one command lets go; made before it sends the rows of *given*, which are in their order.

    Rows that waited before it are none of these: whoever has asked for others meant those.
    """

    def __init__(self, reader: Reader, given: array[int]) -> None:
        self._reader = reader
        self._given = given
        self._before = waiting(reader)

    def rows(self) -> array[int]:
        """The rows that were let go since, in their order."""
        now = waiting(self._reader)
        return array("q", (row for row in now if not _holds(self._given, row) and not _holds(self._before, row)))


def _holds(rows: array[int], row: int) -> bool:
    place = bisect_left(rows, row)
    return place < len(rows) and rows[place] == row
