"""Which keys came up more than once while a source was read, in flat memory: sorted runs in a private temporary file."""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from operator import eq
from types import TracebackType
from typing import NamedTuple, Self

RUN = 1 << 16
"""Sightings that are sorted together, and about as many as are compared at a time."""

BUCKETS = 256
"""Into how many parts the range of keys is cut."""

MOST_ASKED = 50_000
"""Repeated keys whose rows are looked up at a time."""

_BORDERS = [(1 << 56) * (bucket - BUCKETS // 2) for bucket in range(BUCKETS)]


class _Run(NamedTuple):
    """Where one run lies in the file: its keys in order (and where each bucket begins), then keys, rows and lines as seen."""

    place: int
    size: int
    buckets: Sequence[int]


class Seen:
    """Collects keys and tells the repeated ones at the end.

    A temporary file without a name holds 24 bytes a key and is gone with the process. A key is known by 64 bits,
    hashed under a secret of this process: two of ten million are taken for one with a chance of one in 300,000.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._runs: list[_Run] = []
        self._keys, self._rows, self._lines = array("q"), array("q"), array("q")

    def add(self, keys: Sequence[str], rows: Sequence[int], lines: Sequence[int]) -> None:
        """Note keys with the number and the line of each one's row."""
        self._keys.extend(map(hash, keys))
        self._rows.extend(rows)
        self._lines.extend(lines)
        if len(self._keys) >= RUN:
            self._write()

    def repeated(self) -> Iterator[tuple[int, int, int, int]]:
        """Each later sighting of a key as (row, line, first row, first line), in row order.

        Where more than `MOST_ASKED` keys are repeated, in row order for each so many of them.
        """
        self._write()
        twice = array("q", sorted(self._twice()))
        for at in range(0, len(twice), MOST_ASKED):
            asked = frozenset(twice[at : at + MOST_ASKED])
            first: dict[int, tuple[int, int]] = {}
            for found in self._found(asked):
                for key, row, line in found:
                    first[key] = min(first.get(key, (row, line)), (row, line))
            for found in self._found(asked):
                later = sorted((row, line, *first[key]) for key, row, line in found)
                yield from (sighting for sighting in later if sighting[0] != sighting[2])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        if not self._keys:
            return
        ordered = array("q", sorted(self._keys))
        buckets = [*(bisect_left(ordered, border) for border in _BORDERS), len(ordered)]
        self._runs.append(_Run(self._file.seek(0, 2), len(ordered), buckets))
        for part in (ordered, self._keys, self._rows, self._lines):
            part.tofile(self._file)
        self._keys, self._rows, self._lines = array("q"), array("q"), array("q")

    def _read(self, run: _Run, first: int, count: int) -> array[int]:
        """Some of a run's numbers, counted from its beginning."""
        numbers = array("q")
        self._file.seek(run.place + 8 * first)
        numbers.frombytes(self._file.read(8 * count))
        return numbers

    def _twice(self) -> Iterator[int]:
        """Every repeated key, once; buckets are taken together as long as they are small."""
        begin = 0
        while begin < BUCKETS:
            end = begin + 1
            while end < BUCKETS and self._between(begin, end + 1) <= RUN:
                end += 1
            keys = array("q")
            for run in self._runs:
                keys += self._read(run, run.buckets[begin], run.buckets[end] - run.buckets[begin])
            ordered = sorted(keys)
            if any(map(eq, ordered, islice(ordered, 1, None))):
                yield from {one for one, other in pairwise(ordered) if one == other}
            begin = end

    def _between(self, begin: int, end: int) -> int:
        """How many keys there are in some buckets."""
        return sum(run.buckets[end] - run.buckets[begin] for run in self._runs)

    def _found(self, asked: frozenset[int]) -> Iterator[list[tuple[int, int, int]]]:
        """The sightings of some keys, a run at a time, as (key, row, line)."""
        for run in self._runs:
            keys, rows, lines = (self._read(run, part * run.size, run.size) for part in (1, 2, 3))
            if not asked.isdisjoint(keys):
                yield [sighting for sighting in zip(keys, rows, lines, strict=True) if sighting[0] in asked]
