"""Files that are no table at all, named by their first bytes."""

from __future__ import annotations

import re
from pathlib import Path

from bulk_import.errors import SourceError

_MAGIC = (
    (b"\x89PNG\r\n", "a PNG image", "give the table itself"),
    (b"\xff\xd8\xff", "a JPEG image", "give the table itself"),
    (b"GIF89a", "a GIF image", "give the table itself"),
    (b"%PDF-", "a PDF document", "export the table as CSV"),
    (b"SQLite format 3\0", "a SQLite database", "export the table as CSV with sqlite3 -header -csv"),
    (b"\x7fELF", "a program (ELF)", "give the table itself"),
    (b"PAR1\x15", "a Parquet file", "convert it to CSV, for example with duckdb"),
    (b"Obj\x01", "an Avro file", "convert it to JSON lines"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", "save it as .xlsx or CSV"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it and give the file inside"),
    (b"PK\x05\x06", "an empty ZIP archive", "give the table itself"),
    (b"BZh91AY&SY", "packed with bzip2", "unpack it first, or pipe it: bzcat FILE | bulk-import run -"),
    (b"\xfd7zXZ\0", "packed with xz", "unpack it first, or pipe it: xzcat FILE | bulk-import run -"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and give the file inside"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it and give the file inside"),
    (b"{\\rtf", "a rich-text document", "save the table as CSV"),
    (b"\x1f\x8b", "packed twice with gzip", "unpack it once"),
    (b"\x28\xb5\x2f\xfd", "packed twice", "unpack it once"),
)
_SAVE = "open it in its own program or a spreadsheet and save the table as CSV"
_TEXTS = (
    (re.compile("<!doctype html|<html|<table|<tr"), "a web page", _SAVE),
    (re.compile(r"<\?xml"), "an XML document", _SAVE),
    (re.compile("begin:vcard"), "an address book (vCard)", _SAVE),
    (
        re.compile("insert into |create table |-- mysql dump|--\n-- postgresql database dump"),
        "a dump in SQL",
        "load it into a database and let that write CSV",
    ),
    (
        re.compile("version https://git-lfs"),
        "the pointer that Git LFS keeps for a file",
        "fetch the file: git lfs pull",
    ),
    (
        re.compile(r"\[?\s*\{\s*'[^'\n]*'\s*:"),
        "what Python prints of its objects, no JSON",
        "write it with json.dumps(), one object a line",
    ),
    (
        re.compile(r"(?!\d)[\w$.]+\(\s*[\[{]"),
        "JSON inside a call of a function",
        "take away what stands before the first bracket and behind the last",
    ),
    (
        re.compile(r"/\*.*?\*/\s*(?://[^\n]*\s*)*[\[{]", re.DOTALL),
        "JSON below a comment, which JSON has none of",
        "take away what stands before the first bracket and behind the last",
    ),
    (
        re.compile(r"(?:---\s*\n)?-\s+[\w-]+:(?:\s|\n)"),
        "YAML",
        "make JSON lines of it: yq -o json -I 0 '.[]' FILE > users.jsonl",
    ),
)
"""What text that is no table begins with, in small letters, what it is, and what to do."""

_SAMPLE = 1 << 16
_CONTROLS = bytes(code for code in range(2, 27) if code not in b"\t\n\r\f\x1a")


def refuse_known(head: bytes, path: Path) -> None:
    """Raise `SourceError` naming what the file is, when its first bytes belong to a known format."""
    for magic, what, advice in _MAGIC:
        if head.startswith(magic):
            raise SourceError(f"{path} is {what}, not a table; {advice}.")
    if head[257:262] == b"ustar":
        raise SourceError(f"{path} is a tar archive, not a table; unpack it and give the file inside.")


def refuse_binary(head: bytes, path: Path) -> None:
    """Raise `SourceError` when many bytes are controls or NULs, as no text in a byte encoding has them."""
    sample = head[:_SAMPLE].rstrip(b"\0")  # a file that was cut off may be padded with them
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if (controls > 8 and controls > 0.02 * len(sample)) or sample.count(0) > 0.1 * len(sample):
        raise SourceError(f"{path} is a binary file, not a table; export the data as CSV.")


def refuse_other_text(text: str, path: Path) -> None:
    """Raise `SourceError` for a web page, SQL, YAML, a pointer and the like in the place of a table."""
    start = text[:_SAMPLE].strip().lower()
    for begins, what, advice in _TEXTS:
        if begins.match(start):
            raise SourceError(f"{path} is {what}, not a table; {advice}.")
    if not start.startswith(("[", "{")) and not {"\n", "\r"} & set(start) and {"\u2028", "\u2029"} & set(start):
        raise SourceError(
            f"{path} has lines that end with U+2028, as no table's do; put line feeds there: "
            "perl -CSD -pe 's/[\\x{2028}\\x{2029}]/\\n/g' FILE > users.csv"
        )
