"""JSON that holds its records in another shape than one object each: what it is, and what makes JSON lines of it.

Nothing here is read in its own shape: which of several objects is a customer is for a person to say, with one command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bulk_import.errors import SourceError
from bulk_import.reading.kinds import kind_of

WRAPPERS = ("data", "customers", "users", "accounts", "results", "items", "records", "rows")
"""Keys under which answers of interfaces hold their records, whatever these look like."""

_DEEPEST = 4
_MANY = 3
"""From so many on, objects that each hold an address are records, whatever the key above them is called."""
_OPEN = {"{": "}", "[": "]"}
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[{}\[\],]', re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")
_AN_ADDRESS = re.compile(r"[\w.+-]@\w+(?:-\w+)*\.\w")
_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_TURNED = (
    "[to_entries[] | .key as $k | .value | to_entries[] | [.key, {($k): .value}]] | group_by(.[0])[] | map(.[1]) | add"
)
_UNTYPED = (
    'def plain: to_entries[0] as {key: $type, value: $inner} | if $type == "M" then $inner | map_values(plain) '
    'elif $type == "L" then $inner | map(plain) elif $type == "NULL" then null else $inner end; '
)
"""DynamoDB's types taken away, in the maps and lists inside a record, too."""
_PUT_TOGETHER = ".columns as $c | .data[] | [$c, .] | transpose | map({(.[0]): .[1]}) | add"
_BEGINNING = 1 << 16


@dataclass(frozen=True, slots=True)
class Shape:
    """What a source is, what to do about it, and the program for jq that does so."""

    what: str
    instead: str
    program: str
    rows: bool = False

    def refusal(self, path: Path) -> SourceError:
        """The error that says it."""
        command = (
            f"jq -r '{self.program}' FILE > users.csv" if self.rows else f"jq -c '{self.program}' FILE > users.jsonl"
        )
        return SourceError(f"{path} {self.what}; {self.instead}: {command}")


def shape_of(text: str, *, whole: bool) -> Shape | None:
    """The shape of the first JSON value of *text*, None for a record or an array of such.

    *whole* False says that *text* is only the beginning of the source. Of objects one after another, which are records,
    only the answers of an interface and what DynamoDB writes are told.
    """
    value, alone = _first_value(text.lstrip(), whole)
    if isinstance(value, list):
        return _array(value)
    if not isinstance(value, dict) or any(map(_is_address, value.values())):
        return None
    if not alone:
        return _typed(value) or _wrapped({key: inner for key, inner in value.items() if key in WRAPPERS})
    return (
        _typed(value) or _split(value) or _by_id(value) or _by_column(value) or _wrapped(value) or _by_id_below(value)
    )


def _first_value(text: str, whole: bool) -> tuple[Any, bool]:
    """The first value, as far as it goes, and whether nothing comes behind it."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return _begun(text[:_BEGINNING]), True
    return value, whole and not text[end:].strip()


def _begun(text: str) -> Any:
    """A value of which only the beginning is there: what is whole of it."""
    open_: list[str] = []
    cut: tuple[int, str] | None = None
    for found in _MARKS.finditer(text):
        mark = found.group()
        if mark in _OPEN:
            open_.append(_OPEN[mark])
            if len(open_) > 2 * _DEEPEST:
                break
        elif open_ and mark == open_[-1]:
            open_.pop()
        elif mark == "," and open_:
            cut = found.start(), "".join(reversed(open_))
    if cut is None:
        return None
    try:
        return json.loads(text[: cut[0]] + cut[1])
    except (ValueError, RecursionError):
        return None


def _array(values: Sequence[Any]) -> Shape | None:
    if _are(values, list):
        return Shape("is an array of arrays, not of objects", "make CSV of it", ".[] | @csv", rows=True)
    if _are(values, str):
        return Shape("is an array of texts, not of objects", "make objects of them", ".[] | {email: .}")
    if _are(values, dict) and _typed(values[0]):
        what = "is an array of DynamoDB's items, where each value stands under its type"
        return Shape(what, "take them out", f"{_UNTYPED}.[] | map_values(plain)")
    return _among_others(values)


def _among_others(values: Sequence[Any]) -> Shape | None:
    """Records under a key of one object of an array whose others hold no address, as phpMyAdmin writes tables."""
    holding = [value for value in values if isinstance(value, dict) and _AN_ADDRESS.search(json.dumps(value))]
    if len(holding) != 1 or len(values) < 2:
        return None
    for keys, records in _lists(holding[0], ()):
        if keys[-1].lower() in WRAPPERS and _AN_ADDRESS.search(json.dumps(records[:20])):
            path = "".join(f".{key}?" for key in keys)
            return Shape(
                f"is an array of other things, with its records under {'.'.join(keys)!r} of one",
                "take them out",
                f".[] | {path}[]?",
            )
    return None


def _typed(value: Mapping[str, Any]) -> Shape | None:
    if len(value) == 1 and _is_typed(value.get("Item")):
        what = "is an export of DynamoDB, where each value stands under its type"
        return Shape(what, "take them out", f"{_UNTYPED}.Item | map_values(plain)")
    if _is_typed(value):
        what = "holds items of DynamoDB, where each value stands under its type"
        return Shape(what, "take them out", f"{_UNTYPED}map_values(plain)")
    return None


def _is_typed(item: object) -> bool:
    """Whether something is a record of DynamoDB's: every value of it is an object of one entry, named by its type."""
    return (
        isinstance(item, dict)
        and len(item) > 0
        and all(isinstance(value, dict) and len(value) == 1 and set(value) <= _TYPES for value in item.values())
    )


def _split(value: Mapping[str, Any]) -> Shape | None:
    if not isinstance(value.get("columns"), list) or not _are(value.get("data"), list):
        return None
    what = "is split into columns and data, as DataFrame.to_json(orient='split') writes it"
    return Shape(what, "write it with orient='records', lines=True, or put them together", _PUT_TOGETHER)


def _by_id(value: Mapping[str, Any]) -> Shape | None:
    inner = list(value.values())
    if len(inner) < 2 or not _are(inner, dict) or sum(map(_is_person, inner)) * 2 <= len(inner):
        return None
    what = "is one object with its records under their ids"
    return Shape(what, "take them out", "to_entries[] | {id: .key} + .value")


def _by_id_below(value: Mapping[str, Any]) -> Shape | None:
    """Records by their ids under a key beside others, as Firebase exports a database."""
    for key, inner in value.items():
        if not isinstance(inner, dict) or (key.lower() not in WRAPPERS and len(inner) < _MANY):
            continue
        if (shape := _by_id(inner)) is not None:
            what = f"is one object with its records under their ids in {key!r}"
            return replace(shape, what=what, program=f"{_path((key,))} | {shape.program}")
    return None


def _is_person(record: Mapping[str, Any]) -> bool:
    """Whether an object has an address that its key names, or something beside it."""
    addresses = [key for key, cell in record.items() if _is_address(cell)]
    return len(addresses) > 0 and (len(addresses) < len(record) or any("mail" in key.lower() for key in addresses))


def _by_column(value: Mapping[str, Any]) -> Shape | None:
    """A column of addresses, and others of the same rows: objects by the rows' numbers, or arrays."""
    columns = list(value.values())
    if not (_are(columns, dict) or _are(columns, list)):
        return None
    cells = [list(column.values() if isinstance(column, dict) else column) for column in columns]
    filled = [[cell for cell in column if cell is not None] for column in cells]
    if not any(column and all(map(_is_address, column)) for column in filled) or max(len(cells), *map(len, cells)) < 2:
        return None
    what = "is written column by column, as DataFrame.to_json() does"
    return Shape(what, "write it with orient='records', lines=True, or turn it round", _TURNED)


def _wrapped(value: Mapping[str, Any]) -> Shape | None:
    """An answer whose records stand under a key of it, or of an object in it."""
    for keys, records in _lists(value, ()):
        if keys[-1].lower() not in WRAPPERS and not _may_be_people(keys[-1], records):
            continue
        path = _path(keys)
        what = f"is one object with its records under {'.'.join(keys)!r}"
        if _are_pairs(records[0].get("Attributes")):
            what += ", whose fields are pairs, as Amazon Cognito lists users"
            return Shape(
                what, "take them out", f"{path}[] | ([.Attributes[] | {{(.Name): .Value}}] | add) + {{Username}}"
            )
        if _is_typed(records[0]):
            what += ", each value under its type, as DynamoDB writes them"
            return Shape(what, "take them out", f"{_UNTYPED}{path}[] | map_values(plain)")
        return Shape(what, "take them out", f"{path}[]")
    return None


def _may_be_people(key: str, records: Sequence[Any]) -> bool:
    """Whether objects hold addresses and are not all of one person's: their e-mails (SCIM) or their fields as pairs."""
    return "mail" not in key.lower() and not _are_pairs(records) and bool(_AN_ADDRESS.search(json.dumps(records[:20])))


def _path(keys: Sequence[str]) -> str:
    return "".join(f".{key}" if _NAME.fullmatch(key) else f".[{json.dumps(key)}]" for key in keys)


def _are_pairs(values: object) -> bool:
    return _are(values, dict) and all({"Name", "Value"} <= set(pair) for pair in values)  # type: ignore[attr-defined]  # `_are` says that it is a list


def _lists(value: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Sequence[Any]]]:
    """Every list of objects in an object and those in it, with the keys that lead there."""
    for key, inner in value.items():
        if _are(inner, dict):
            yield (*above, key), inner
        elif isinstance(inner, dict) and len(above) < _DEEPEST:
            yield from _lists(inner, (*above, key))


def _are(values: object, kind: type) -> bool:
    """Whether something is a list of values of one kind, and not empty."""
    return isinstance(values, list) and len(values) > 0 and all(isinstance(value, kind) for value in values)


def _is_address(value: object) -> bool:
    return isinstance(value, str) and kind_of(value) == "email"
