"""Which keys came up more than once while a source was read, in flat memory: sorted runs in a private temporary file."""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import merge
from itertools import groupby, islice, pairwise, repeat
from operator import eq
from types import TracebackType
from typing import NamedTuple, Self

from bulk_import.temporary import needing_room

RUN = 1 << 15
"""Sightings that are sorted together, and about as many as are compared at a time."""

BUCKETS = 256
"""Into how many parts the range of keys is cut."""

MOST_HASHED = 50_000
"""Repeated keys that are looked up in a dictionary; more of them are searched for in their order, in a tenth of its memory."""

_BORDERS = [(1 << 56) * (bucket - BUCKETS // 2) for bucket in range(BUCKETS)]


class _Run(NamedTuple):
    """Where one run lies in the file: its keys in order (and where each bucket begins), then keys, rows and lines as seen."""

    place: int
    size: int
    buckets: Sequence[int]


class Sighting(NamedTuple):
    """A row that has a repeated key; `key` is the key's place among all that are repeated."""

    row: int
    line: int
    key: int


class Seen:
    """Collects keys and tells the repeated ones at the end.

    A temporary file without a name holds 24 bytes a key and is gone with the process. A key is known by 64 bits,
    hashed under a secret of this process: two of ten million are taken for one with a chance of one in 300,000.
    """

    def __init__(self) -> None:
        with needing_room():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._runs: list[_Run] = []
        self._keys, self._rows, self._lines = array("q"), array("q"), array("q")

    def add(self, keys: Sequence[str], rows: Sequence[int], lines: Sequence[int]) -> None:
        """Note keys with the number and the line of each one's row."""
        self._keys.extend(map(hash, keys))
        self._rows.extend(rows)
        self._lines.extend(lines)

    def pause(self) -> None:
        """Rows that follow have higher numbers than all before; within a block they may come in any order."""
        if len(self._keys) >= RUN:
            self._write()

    def repeated(self) -> Sequence[int]:
        """Every repeated key as it is known here, in order."""
        self._write()
        return array("q", sorted(self._twice()))

    def sightings(self, repeated: Sequence[int]) -> Iterator[Sighting]:
        """Every sighting of the *repeated* keys, in row order."""
        place_of = _places(repeated)
        for run in self._runs if repeated else ():
            keys, rows, lines = (self._read(run, part * run.size, run.size) for part in (1, 2, 3))
            for at in sorted(range(run.size), key=rows.__getitem__):
                if (place := place_of(keys[at])) is not None:
                    yield Sighting(rows[at], lines[at], place)

    def close(self) -> None:
        """Let go of the file; what it could not hold was said when that was written."""
        with suppress(OSError):
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
        with needing_room():
            self._runs.append(_Run(self._file.seek(0, 2), len(ordered), buckets))
            for part in (ordered, self._keys, self._rows, self._lines):
                part.tofile(self._file)
            self._file.flush()
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


class Owners:
    """Which row was the first that could take each of so many repeated keys."""

    def __init__(self, count: int) -> None:
        self._rows, self._lines = array("q", bytes(8 * count)), array("q", bytes(8 * count))

    def of(self, key: int) -> tuple[int, int] | None:
        """The owner's row and line, None while the key is free."""
        return (self._rows[key], self._lines[key]) if self._rows[key] else None

    def take(self, key: int, row: int, line: int) -> None:
        """Let this row own the key."""
        self._rows[key], self._lines[key] = row, line


class Contested(NamedTuple):
    """A row with a repeated e-mail, payment method or id of its own, each by its place among the repeated ones."""

    row: int
    line: int
    email: int | None = None
    method: int | None = None
    id: int | None = None


def contested(*kinds: Iterable[Sighting]) -> Iterator[Contested]:
    """Every row that has a repeated e-mail, payment method or id, in row order, as each of the *kinds* is given."""
    named = [zip(kind, repeat(name)) for name, kind in zip(Contested._fields[2:], kinds, strict=False)]
    marked = merge(*named, key=lambda one: one[0].row)
    for row, group in groupby(marked, key=lambda one: one[0].row):
        found = list(group)
        yield Contested(row, found[0][0].line, **{name: sighting.key for sighting, name in found})


def _places(keys: Sequence[int]) -> Callable[[int], int | None]:
    """How a key's place among sorted *keys* is found; None for any other."""
    if len(keys) <= MOST_HASHED:
        return {key: place for place, key in enumerate(keys)}.get

    def place_of(key: int) -> int | None:
        place = bisect_left(keys, key)
        return place if place < len(keys) and keys[place] == key else None

    return place_of
