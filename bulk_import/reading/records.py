"""From a settled reading to records, and the library's own way to read a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bulk_import.errors import LedgerRefuses, SourceError
from bulk_import.model import Block, Record
from bulk_import.reading.delimited import DelimitedRows
from bulk_import.reading.detect import detect
from bulk_import.reading.disguise import undone
from bulk_import.reading.encoding import in_one_encoding
from bulk_import.reading.jsonarray import read_json_array
from bulk_import.reading.jsonl import read_json_lines
from bulk_import.reading.lines import decoded, whole_lines
from bulk_import.reading.remarks import Remarks
from bulk_import.reading.settled import RULES, Notice, Overrides, Reading
from bulk_import.reading.source import Source
from bulk_import.reading.spreadsheet import read_sheet
from bulk_import.reading.unpack import unpacked


def read(source: Source, reading: Reading, remarks: Remarks | None = None) -> Iterator[Record]:
    """The records of *source* in order, in bounded memory; a damaged one carries a `problem`.

    Raises `SourceError` when the rest cannot be read at all (packed data cut short, the wrong encoding
    throughout), and what `Source` raises when the file is not the one it was.
    """
    for piece in read_pieces(source, reading, remarks):
        if isinstance(piece, Block):
            yield from piece.records()
        else:
            yield piece


def read_pieces(source: Source, reading: Reading, remarks: Remarks | None = None) -> Iterator[Block | Record]:
    """The same, with stretches of sound rows of a delimited text left together, for who judges them by column.

    *remarks* count what is worth saying once the end is reached. Raises `LedgerRefuses` for a stored reading whose
    rules number rows otherwise than this version does.
    """
    if reading.rules != RULES:
        raise LedgerRefuses(
            f"{source.path} was read by another version of this tool, which told rows apart by other rules; start a new "
            "ledger with --ledger (customers that are in Stripe are found by their e-mail)."
        )
    if reading.format == "xlsx":
        return read_sheet(source, reading)
    blocks = unpacked(source.chunks(), reading.compression, source.path, reading.max_bytes)
    pieces = decoded(in_one_encoding(blocks, reading.encoding, source.path), reading.encoding)
    if reading.format == "json":
        return read_json_array(pieces, source.path)
    texts = undone(whole_lines(pieces), reading.disguise)
    match reading.format:
        case "csv" | "tsv":
            return DelimitedRows(texts, reading, source.path, remarks or Remarks()).pieces()
        case "jsonl":
            return read_json_lines(texts)
        case _:
            raise SourceError(f"format {reading.format} cannot be read by this version; update it.")


class Records:
    """The records of one file, to be iterated any number of times; each time reads the file anew."""

    def __init__(self, path: Path, reading: Reading, notices: tuple[Notice, ...]) -> None:
        self.path = path
        self.reading = reading
        self._settled = notices
        self._remarks = Remarks()

    @property
    def columns(self) -> tuple[str, ...]:
        """The source's columns in order; for JSON the keys its first records have."""
        return self.reading.columns

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was detected and decided, and what the latest reading came across."""
        return (*self._settled, *self._remarks.notices())

    def __iter__(self) -> Iterator[Record]:
        self._remarks = Remarks()
        with Source.open(self.path) as source:
            yield from read(source, self.reading, self._remarks)


def read_records(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - it is the command line's name for it
    encoding: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    skip_lines: int | None = None,
    no_header: bool = False,
    max_bytes: int | None = None,
) -> Records:
    """Settle how to read *path* and return its records, without anything of Stripe.

    The keywords are the command line's options with underscores; each replaces what would be detected.
    Raises `SourceError` when the file cannot be read as a table.
    """
    header = False if no_header else None
    overrides = Overrides(format, encoding, delimiter, quote, skip_lines, header, max_bytes)
    reading, notices = detect(path, overrides)
    return Records(Path(path), reading, notices)
