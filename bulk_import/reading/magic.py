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
    (b"PGDMP", "a dump of pg_dump's own format", "restore it and let the database write CSV: psql --csv"),
    (b"ARROW1\0", "an Arrow (Feather) file", "convert it to CSV, for example with duckdb or pandas"),
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
_ARCHIVED = (
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)"),
    (b"Index/Document.iwa", "a document of Numbers or Pages"),
    (b"xl/workbook.bin", "a binary Excel workbook (.xlsb)"),
    (b"word/document.xml", "a Word document"),
)
"""What programs pack into a ZIP archive, by names that stand in it."""
_SAVE = "open it in its own program or a spreadsheet and save the table as CSV"
_SQL_COMMENT = r"--[^\n]*\s+|/\*.*?\*/;?\s+|#[^\n]*\s+"
_SQL_STATEMENT = (
    r"insert into |insert \[|create (?:table|database|schema) |drop (?:table|database|schema) |copy [^\n]*from stdin"
    r"|set (?:[@\w]+ *(?:=|to\b)|identity_insert)|use [\[\"`]?\w+[\]\"`]?(?:;\s*\n|\s+go\s)|pragma \w+ *="
    r"|begin(?: transaction)?;\s*\n|start transaction;|lock tables? |replace into |truncate table |alter table "
)
# All of the beginning is keys and items, one of them with others below it: no line is a row of column names.
_YAML_LINE = r"#[^\n]*|[ \t]*(?:-[ \t]+)?[\w.@'\"-]+:(?:[ \t][^\n]*)?|[ \t]*-[ \t][^\n]*|---|[ \t]*"
_YAML = rf"(?=(?:[^\n]*\n)*?[ \t]*[\w'\"-]+:[ \t]*\n[ \t]+\S)(?>(?>{_YAML_LINE})(?:\n|\Z))+\Z"
_TEXTS = (
    (re.compile("<!doctype html|<html|<table|<tr|<meta "), "a web page", _SAVE),
    (re.compile(r"<\?xml|<[a-z_][^<>\s]*>(?:\s*\n\s*)?<[a-z_]"), "an XML document", _SAVE),
    (re.compile("begin:vcard"), "an address book (vCard)", _SAVE),
    (
        re.compile(
            rf"(?:{_SQL_COMMENT})*(?:{_SQL_STATEMENT})|-- mysql dump|--\n-- postgresql database dump", re.DOTALL
        ),
        "a dump in SQL",
        "load it into a database and let that write CSV",
    ),
    (
        re.compile(r"(?:version: 1\s+|#[^\n]*\s+)*dn::? "),
        "an export of a directory (LDIF)",
        "let the directory write CSV, or convert it",
    ),
    (
        re.compile(r"\{\s*\"?_id\"?\s*:\s*objectid\("),
        "what the mongo shell prints, no JSON",
        "write it with mongoexport, one document a line",
    ),
    (
        re.compile(
            r"(?:export default|module\.exports *=|(?:const|let|var) +\w+ *=)\s*[\[{]|\[?\s*\{\s*[a-z_$][\w$]*\s*:\s*[\"'\d]"
        ),
        "JavaScript, no JSON",
        "write it with JSON.stringify()",
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
        re.compile(rf"(?:---\s*\n)?-\s+[\w-]+:(?:\s|\n)|{_YAML}"),
        "YAML",
        "make JSON lines of it: yq -o json -I 0 '.[]' FILE > users.jsonl",
    ),
)
"""What text that is no table begins with, in small letters, what it is, and what to do."""

_SAMPLE = 1 << 16
_CONTROLS = bytes(code for code in range(2, 27) if code not in b"\t\n\r\f\x1a")


def refuse_known(head: bytes, path: Path) -> None:
    """Raise `SourceError` naming what the file is, when its first bytes belong to a known format."""
    if head.startswith(b"PK\x03\x04"):
        for name, what in _ARCHIVED:
            if name in head:
                raise SourceError(f"{path} is {what}, not a table this tool reads; {_SAVE}.")
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
