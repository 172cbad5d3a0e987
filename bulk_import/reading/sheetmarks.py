"""What a workbook's own XML tells that its cell values do not: errors, formulas never calculated, zeros only shown."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from io import BytesIO

_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]*>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
_ERROR = re.compile(
    rb'<(?:\w+:)?c\s[^>]*?\bt="e"[^>]*>(?:<(?:\w+:)?f\b.*?(?:</(?:\w+:)?f>|/>))?<(?:\w+:)?v>([^<]*)<', re.DOTALL
)
_NO_VALUE = re.compile(
    rb"<(?:\w+:)?f\b[^>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*>")
_PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d+)"')
_ROW = re.compile(rb"<(?:\w+:)?row\s[^>]*\bhidden=[^>]*>")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*>")
_FORMAT = re.compile(rb"<(?:\w+:)?numFmt\s[^>]*>")
_FORMATS = re.compile(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE = re.compile(rb"<(?:\w+:)?xf\s[^>]*>")
_NEAR = 1024  # most bytes between a cell's tag and its formula
_ZEROS = re.compile(r"0{2,}(?:;.*)?")


@dataclass(frozen=True, slots=True)
class SheetMarks:
    """`odd` tells by row and column (both from 1) why a cell has no value of its own; `zeros` has columns by format.

    `hidden` are the numbers of rows that are not shown, `merged` the cells that are merged, by their first row.
    """

    odd: dict[tuple[int, int], str] = field(default_factory=dict)
    zeros: dict[int, str] = field(default_factory=dict)
    hidden: tuple[int, ...] = ()
    merged: tuple[tuple[int, str], ...] = ()


def sheet_marks(data: bytes, sheet: str) -> SheetMarks:
    """The marks of one sheet; none where the workbook is put together in a way not known here."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            part = _part(archive, sheet)
            if part is None:
                return SheetMarks()
            xml = archive.read(part)
            styles = archive.read("xl/styles.xml") if "xl/styles.xml" in archive.namelist() else b""
    except (KeyError, OSError, zipfile.BadZipFile, ValueError):
        return SheetMarks()
    return SheetMarks(_odd(xml), _zeros(xml, styles), tuple(_hidden(xml)), tuple(_merged(xml)))


def _attribute(tag: bytes, name: str) -> str | None:
    found = re.search(rf'(?<![\w:]){name}\s*=\s*"([^"]*)"'.encode(), tag)
    return unescape(found.group(1).decode("utf-8", "replace")) if found else None


def _part(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The archive's file that holds a sheet."""
    tags = _SHEET.findall(archive.read("xl/workbook.xml"))
    identity = next((_attribute(tag, r"\w+:id") for tag in tags if _attribute(tag, "name") == sheet), None)
    for tag in _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels")):
        if _attribute(tag, "Id") == identity and (target := _attribute(tag, "Target")):
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return None


def _odd(xml: bytes) -> dict[tuple[int, int], str]:
    odd: dict[tuple[int, int], str] = {}
    for found in _ERROR.finditer(xml):
        if place := _place(found.group()):
            odd[place[:2]] = f"cell {place[2]} holds the error {found.group(1).decode('utf-8', 'replace')}"
    for found in _NO_VALUE.finditer(xml):
        before = xml[max(0, found.start() - _NEAR) : found.start()]
        tag = next(iter(reversed(list(_CELL.finditer(before)))), None)
        if tag and _attribute(tag.group(), "t") != "str" and (place := _place(tag.group())):
            odd[place[:2]] = f"the formula in cell {place[2]} was never calculated; open the workbook and save it again"
    return odd


def _place(tag: bytes) -> tuple[int, int, str] | None:
    found = _PLACE.search(tag)
    if found is None:
        return None
    letters, row = found.group(1).decode(), int(found.group(2))
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return row, column, f"{letters}{row}"


def _hidden(xml: bytes) -> Iterator[int]:
    for tag in _ROW.findall(xml):
        if _attribute(tag, "hidden") in ("1", "true") and (number := _attribute(tag, "r")):
            yield int(number)


def _merged(xml: bytes) -> Iterator[tuple[int, str]]:
    for tag in _MERGED.findall(xml):
        cells = _attribute(tag, "ref") or ""
        if place := re.match(r"[A-Z]{1,3}(\d+):", cells):
            yield int(place.group(1)), cells


def _zeros(xml: bytes, styles: bytes) -> dict[int, str]:
    """The columns whose numbers are shown with zeros in front that they do not have, with the format."""
    formats = {_attribute(tag, "numFmtId"): _attribute(tag, "formatCode") or "" for tag in _FORMAT.findall(styles)}
    block = _FORMATS.search(styles)
    used = [formats.get(_attribute(tag, "numFmtId"), "") for tag in _STYLE.findall(block.group())] if block else []
    zeros: dict[int, str] = {}
    for style, code in enumerate(used):
        if not _ZEROS.fullmatch(code):
            continue
        for tag in re.finditer(rf'<(?:\w+:)?c\s[^>]*?\bs="{style}"[^>]*>(?=<(?:\w+:)?v>)'.encode(), xml):
            kind = _attribute(tag.group(), "t")
            if kind in (None, "n") and (place := _place(tag.group())):
                zeros.setdefault(place[1], code)
    return zeros
