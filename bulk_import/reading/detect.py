"""Settles how a source is to be read, from its first bytes and what the user said, and says so."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from bulk_import.errors import SourceError
from bulk_import.reading.dialect import Candidate, settle_dialect
from bulk_import.reading.disguise import disguise_of, undone
from bulk_import.reading.drawn import refuse_drawn
from bulk_import.reading.encoding import settle_encoding
from bulk_import.reading.escapes import Escapes, escapes_of
from bulk_import.reading.header import find_header, refuse_table_in
from bulk_import.reading.jsonarray import read_json_array
from bulk_import.reading.jsonl import read_json_lines
from bulk_import.reading.lines import LIMIT, OVERLONG, decoded, end_of, split_lines, whole_lines
from bulk_import.reading.magic import refuse_known, refuse_other_text
from bulk_import.reading.marks import named_by_sep_line
from bulk_import.reading.saying import say
from bulk_import.reading.settled import FORMATS, Notice, Overrides, Reading
from bulk_import.reading.shapes import shape_of
from bulk_import.reading.source import Source
from bulk_import.reading.spreadsheet import MAGIC, detect_sheet, is_workbook
from bulk_import.reading.unpack import compression_of, unpacked
from bulk_import.wording import counted

HEAD = 1 << 20
"""How many plain bytes detection looks at."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of a source after unpacking; `whole` says that there are no more."""

    data: bytes
    compression: str | None
    whole: bool


def detect(path: str | os.PathLike[str], overrides: Overrides) -> tuple[Reading, tuple[Notice, ...]]:
    """Settle how to read the file at *path*, and say what was found and decided.

    Reads a bounded head only. Raises `SourceError` when the file is missing, empty, binary, in an unknown
    encoding, or has no header while none was said to be missing.
    """
    place = Path(path)
    _check(overrides)
    head = _head(place)
    if overrides.format == "xlsx" or (head.data.startswith(MAGIC) and is_workbook(place)):
        return detect_sheet(place, overrides)
    if head.data.startswith(MAGIC) and place.suffix.lower() in (".xlsx", ".xlsm"):
        raise SourceError(f"{place} is an Excel workbook that is cut short or damaged; copy or download it again.")
    refuse_known(head.data, place)
    encoding = settle_encoding(head.data, overrides.encoding, place, head.whole)
    text = "".join(decoded([head.data], encoding.name))
    lines = _lines(text, head.whole)
    if all(map(_is_blank, lines)):
        raise SourceError(_nothing_in(place))
    refuse_other_text("".join(lines[:20]), place)
    if overrides.format is None and overrides.delimiter is None and overrides.skip_lines is None:
        refuse_drawn(lines, place)
    base = Reading(
        "csv", encoding.name, head.compression, line_ending=_line_ending(lines), max_bytes=overrides.max_bytes
    )
    said = [Notice("compression", f"the file is packed with {head.compression}.")] if head.compression else []
    chosen = overrides.format or _format([text] if lines[0].startswith(OVERLONG) else lines, place)
    if chosen in ("jsonl", "json"):
        reading, notices = _json_reading(replace(base, format=chosen), text, head.whole, place)
    else:
        reading, notices = _delimited_reading(base, lines, replace(overrides, format=chosen), place)
    return reading, tuple(chain(said, encoding.notices, notices))


def _check(overrides: Overrides) -> None:
    if overrides.format is not None and overrides.format not in FORMATS:
        raise SourceError(f"--format {overrides.format} is unknown; give one of {', '.join(FORMATS)}.")
    if overrides.delimiter is not None and (not overrides.delimiter or set(overrides.delimiter) & set("\r\n")):
        raise SourceError("--delimiter must be one or more characters, none of them a line end; give it again.")
    if overrides.quote not in (None, "", "none") and len(overrides.quote or "") != 1:
        raise SourceError("--quote must be one character, or none; give it again.")
    if overrides.skip_lines is not None and overrides.skip_lines < 0:
        raise SourceError("--skip-lines must not be negative; give it again.")


def _head(path: Path) -> Head:
    with Source.open(path) as source:
        chunks = source.chunks()
        first = next(chunks, b"")
        compression = compression_of(first)
        pieces: list[bytes] = []
        size = 0
        # Detection must not fail on a bound that the reading itself reports better, so none is given here.
        for piece in unpacked(chain([first], chunks), compression, path, None):
            pieces.append(piece)
            size += len(piece)
            if size > HEAD:
                break
    data = b"".join(pieces)
    if not data:
        raise SourceError(f"{path} is empty once unpacked; give a file with at least one row.")
    return Head(data[:HEAD], compression, size <= HEAD)


def _lines(text: str, whole: bool) -> list[str]:
    """The head's physical lines; a last one that was cut is left out."""
    lines = split_lines("".join(whole_lines([text])))
    if not whole and len(lines) > 1:
        lines.pop()
    if not whole and len(lines) == 1 and not lines[0].endswith(("\r", "\n")):
        lines = [OVERLONG]
    return lines


def _line_ending(lines: list[str]) -> str:
    ends = {end_of(line) for line in lines} - {""}
    if len(ends) > 1:
        return "mixed"
    return next(iter(ends), "LF")


def _row_ending(lines: Sequence[str], best: Candidate) -> str:
    """How most sound rows end; the lines inside quoted cells may end otherwise."""
    rows = [row for row in best.rows if len(row.cells) == best.width and not row.broken]
    ends = Counter(end for row in rows if (end := end_of(lines[row.line + row.lines - 1])))
    return ends.most_common(1)[0][0] if ends else ""


def _cells(best: Candidate, columns: int) -> int:
    """How many cells rows have where nearly all end with a delimiter more than there are columns, else 0."""
    sound = [row.cells for row in best.rows if len(row.cells) >= columns and not row.broken]
    unlike = sum(len(cells) < best.width and not cells[columns - 1].strip() for cells in sound)
    return best.width if best.width > columns and unlike <= max(1, len(sound) // 20) else 0


def _format(lines: list[str], path: Path) -> str:
    text = "".join(lines[:50]).lstrip()
    names = {suffix.lower() for suffix in path.suffixes}
    if text.startswith("[") and (".json" in names or text[1:].lstrip().startswith(("{", "]"))):
        return "json"
    if text.startswith("{"):
        first = next(line for line in lines if line.strip())
        rest = text[1:].lstrip()
        if rest.startswith(('"', "}")) or not rest:
            named = bool(names & {".jsonl", ".ndjson"}) and not _holds_several(first)
            return "jsonl" if named or _is_one_a_line(first, lines) else "json"
    return "jsonl" if names & {".jsonl", ".ndjson"} else "csv"


def _is_one_a_line(first: str, lines: list[str]) -> bool:
    """Whether the first line holds an object, or the first is cut short and others hold one."""
    if _holds_several(first):
        return False
    whole = [line for line in lines[:50] if line.startswith("{") and line.rstrip().endswith("}") and len(line) > 4]
    return first.rstrip().endswith("}") or len(whole) > 1


def _holds_several(line: str) -> bool:
    """Whether more than one object stands on a line."""
    try:
        _, end = json.JSONDecoder().raw_decode(line.lstrip())
    except (ValueError, RecursionError):
        return False
    return line.lstrip()[end:].lstrip().startswith("{")


def _json_reading(base: Reading, text: str, whole: bool, path: Path) -> tuple[Reading, list[Notice]]:
    if shape := shape_of(text, whole=whole):
        raise shape.refusal(path)
    array = base.format == "json"
    texts = iter([text if array else "".join(split_lines(text)[:1000])])
    columns: dict[str, None] = {}
    # The head of an array is an array without an end, which is no trouble here.
    with suppress(SourceError):
        for record in read_json_array(texts, path) if array else read_json_lines(texts):
            columns.update(dict.fromkeys(record.fields))
    what = "JSON: an array, or objects one after another" if array else "one JSON object a line"
    reading = replace(base, columns=tuple(columns), quote=None, header=False)
    return reading, [Notice("format", f"format is {what}.")]


def _is_blank(line: str) -> bool:
    """Whether a line holds nothing but blanks, delimiters and quotes."""
    return not line.strip(" \t\r\n\x1a,;|\"'")


def _delimited_reading(
    base: Reading, lines: list[str], overrides: Overrides, path: Path
) -> tuple[Reading, list[Notice]]:
    skipped = overrides.skip_lines or 0
    disguise = disguise_of(lines[skipped:]) if overrides.quote is None else ""
    lines = list(undone(lines, disguise))
    body = lines[skipped:]
    if all(map(_is_blank, body)):
        raise SourceError(f"{path} has nothing after the {counted(skipped, 'line')} of --skip-lines; skip fewer.")
    if body[0].startswith(OVERLONG):
        raise SourceError(
            f"{path} has a first line longer than {LIMIT} characters; it is no table, or its line ends are lost."
        )
    above = next(index for index, line in enumerate(body) if not _is_blank(line))
    skipped, body = skipped + above, body[above:]
    delimiter = overrides.delimiter or ("\t" if overrides.format == "tsv" else None)
    sep = named_by_sep_line(body[0]) if overrides.skip_lines is None else None
    ranked = settle_dialect(body[1:] if sep else body, delimiter or sep, overrides.quote)
    best = ranked[0]
    if not best.rows:
        raise SourceError(_nothing_in(path))
    if sep:
        skipped, body = skipped + 1, body[1:]
    header = find_header(best.rows, best.width, overrides.header, overrides.skip_lines is not None, str(path), skipped)
    refuse_table_in(body[: header.line], str(path), skipped)
    dialect = best.dialect
    tabs = dialect.delimiter == "\t" and best.width > 1 and overrides.quote is None
    escapes = escapes_of(body[header.line :]) if tabs else Escapes.NONE
    if escapes is Escapes.SURELY:
        dialect = replace(dialect, quote=None, escape="text")
    reading = replace(
        base,
        format="tsv" if dialect.delimiter == "\t" else "csv",
        delimiter=dialect.delimiter,
        quote=dialect.quote,
        escape=dialect.escape,
        skip_lines=skipped + header.line,
        header=header.names,
        columns=header.columns,
        kinds=header.kinds,
        row_ending=_row_ending(body, best),
        disguise=disguise,
        cells=_cells(best, len(header.columns)),
    )
    return reading, list(say(reading, header, ranked, lines[: reading.skip_lines], escapes))


def _nothing_in(place: Path | str) -> str:
    return f"{place} holds only blank lines; give a file with at least one row."
