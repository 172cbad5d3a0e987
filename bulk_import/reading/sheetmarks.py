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
_ZEROS = re.compile(r"(0{2,})(?:;|\Z)")


@dataclass(frozen=True, slots=True)
class SheetMarks:
    """What stands at a row and column (both from 1): `errors` by their names, `lost` why a formula has no value.

    `zeros` has, by column, how many digits the format of each row's number fills up with zeros (0: none). `hidden` are the numbers of rows that are not shown, `merged` the cells that are merged, by their first row.
    """

    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    lost: dict[tuple[int, int], str] = field(default_factory=dict)
    zeros: dict[int, bytearray] = field(default_factory=dict)
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
    return SheetMarks(
        dict(_errors(xml)), dict(_lost(xml)), _zeros(xml, styles), tuple(_hidden(xml)), tuple(_merged(xml))
    )


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


def _errors(xml: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    for found in _ERROR.finditer(xml):
        if place := _place(found.group()):
            yield place[:2], unescape(found.group(1).decode("utf-8", "replace"))


def _lost(xml: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    for found in _NO_VALUE.finditer(xml):
        before = xml[max(0, found.start() - _NEAR) : found.start()]
        tag = next(iter(reversed(list(_CELL.finditer(before)))), None)
        if tag and _attribute(tag.group(), "t") != "str" and (place := _place(tag.group())):
            yield place[:2], f"the formula in cell {place[2]} was never calculated; open the workbook and save it again"


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


def _zeros(xml: bytes, styles: bytes) -> dict[int, bytearray]:
    """By column and row, how many digits are shown of numbers whose format is zeros only; a byte a row keeps it small."""
    formats = {_attribute(tag, "numFmtId"): _attribute(tag, "formatCode") or "" for tag in _FORMAT.findall(styles)}
    block = _FORMATS.search(styles)
    used = [formats.get(_attribute(tag, "numFmtId"), "") for tag in _STYLE.findall(block.group())] if block else []
    zeros: dict[int, bytearray] = {}
    for style, code in enumerate(used):
        if not (filled := _ZEROS.match(code)):
            continue
        for tag in re.finditer(rf'<(?:\w+:)?c\s[^>]*?\bs="{style}"[^>]*>(?=<(?:\w+:)?[vf]\b)'.encode(), xml):
            if _attribute(tag.group(), "t") in (None, "n") and (place := _place(tag.group())):
                row, column, _ = place
                widths = zeros.setdefault(column, bytearray())
                widths.extend(bytes(max(0, row + 1 - len(widths))))
                widths[row] = min(255, filled.end(1))
    return zeros
