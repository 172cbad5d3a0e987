"""Where a run's rows come from: the source read a second time, or the ledger itself; a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from bulk_import.job.selection import Selection
from bulk_import.model import Prepared, Record
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.reading import Fingerprint, Reading, Source, read


def from_source(
    path: Path,
    fingerprint: Fingerprint,
    reading: Reading,
    how: Preparation,
    selection: Selection,
    looked_at: bytearray,
    size: int,
) -> Iterator[Sequence[Prepared]]:
    """Read the source again, each MiB compared with what pre-flight saw, and prepare the rows still to be done."""
    with Source.open(path, fingerprint) as source:
        todo = (
            record
            for record in read(source, reading)
            if selection.holds(record.number) and not looked_at[record.number]
        )
        yield from in_batches(todo, how, size)


def in_batches(records: Iterable[Record], how: Preparation, size: int) -> Iterator[Sequence[Prepared]]:
    """Prepare records, *size* at a time."""
    rows = (prepare(record, how) for record in records)
    while batch := list(islice(rows, size)):
        yield batch
