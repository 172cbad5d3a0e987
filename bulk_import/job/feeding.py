"""Where a run's rows come from: the source read a second time, or the ledger itself; a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from bulk_import.job.selection import Selection
from bulk_import.model import Block, Prepared, Record
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.reading import Fingerprint, Reading, Source, read_pieces


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
        todo = _to_do(read_pieces(source, reading), looked_at)
        yield from in_batches((record for record in todo if selection.holds(record.number)), how, size)


def _to_do(pieces: Iterable[Block | Record], looked_at: bytearray) -> Iterator[Record]:
    """The records that were never looked at; of a block only these are made, so that a million settled rows cost little."""
    for piece in pieces:
        if isinstance(piece, Block):
            end = piece.number + len(piece.rows)
            number = looked_at.find(0, piece.number, end)
            while number >= 0:
                yield piece.record(number - piece.number)
                number = looked_at.find(0, number + 1, end)
        elif not looked_at[piece.number]:
            yield piece


def in_batches(records: Iterable[Record], how: Preparation, size: int) -> Iterator[Sequence[Prepared]]:
    """Prepare records, *size* at a time."""
    rows = (prepare(record, how) for record in records)
    while batch := list(islice(rows, size)):
        yield batch
