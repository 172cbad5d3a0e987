"""JSON records, read strictly: what JSON readers accept in silence (a key twice, NaN, a rounded id) is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from bulk_import.model import Record, Written
from bulk_import.reading.lines import LIMIT, OVERLONG, bad_byte, split_lines

DEEPEST = 32
"""Most levels of nesting."""

_SAFE = 2**53
_AROUND = " \t\r\n\x1e\ufeff"  # a mark of the byte order stands where files were put together
_ODD_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TYPES = {
    list: "an array",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class _Refused(ValueError):
    """What strict reading refuses; the text is the problem."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Refused(
            f"key {next(name for name in names if names.count(name) > 1)!r} stands twice in one object; keep one"
        )
    return found


def _whole(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > _SAFE:
        raise _Refused(f"number {digits[:40]} would lose digits; quote it")
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    try:
        same = Decimal(repr(value)) == Decimal(digits)
    except InvalidOperation:
        same = False
    if not same:
        raise _Refused(f"number {digits[:40]} would lose digits; quote it")
    return value if repr(value) == digits else Written(digits)


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON; write null or a text")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_whole, parse_float=_fraction, parse_constant=_constant, strict=True
)


def read_object(text: str) -> tuple[dict[str, Any], str | None]:
    """One JSON object and None, or an empty one and the reason why it could not be read."""
    if _ODD_TEXT.search(text):
        return {}, _odd(text)
    try:
        value = _DECODER.decode(text)
    except _Refused as error:
        return {}, str(error)
    except json.JSONDecodeError as error:
        if text[error.pos :] == ",":
            return {}, "a comma ends the line; remove it"
        return {}, f"not JSON: {_lower(error.msg)} at character {error.pos + 1}; mend it there"
    except RecursionError:
        return {}, f"nested deeper than {DEEPEST} levels; keep what is to be sent nearer to the top"
    if not isinstance(value, dict):
        return {}, f"{_TYPES[type(value)]} stands where an object belongs; write an object for each customer"
    return _checked(value)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:].removesuffix(" at")


def _checked(value: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    level: list[Any] = [value]
    depth = 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return {}, f"nested deeper than {DEEPEST} levels; keep what is to be sent nearer to the top"
        level = [inner for outer in level for inner in _inside(outer)]
        odd = next((item for item in level if isinstance(item, str) and _ODD_TEXT.search(item)), None)
        if odd is not None:
            return {}, _odd(odd)
        level = [item for item in level if isinstance(item, dict | list)]
    return value, None


def _inside(value: Any) -> list[Any]:
    return [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)


def _odd(text: str) -> str:
    found = _ODD_TEXT.search(text)
    character = found.group() if found else "\0"
    byte = bad_byte(character)
    if character == OVERLONG and text.startswith(OVERLONG):
        return f"the line is longer than {LIMIT} characters; split or remove it"
    if byte is not None:
        return f"byte 0x{byte:02X} does not belong to the encoding; write that letter anew"
    kind, mend = (
        ("a lone surrogate", "write that character anew")
        if character >= "\ud800"
        else ("a control character", "remove it")
    )
    return f"{kind} U+{ord(character):04X} stands in a text; {mend}"


def read_json_lines(texts: Iterator[str]) -> Iterator[Record]:
    """One record for each line that is not blank; the separator of JSON text sequences may stand before each."""
    number = line = 0
    for text in texts:
        for row in split_lines(text):
            line += 1
            if not (row := row.strip(_AROUND)):
                continue
            number += 1
            fields, problem = read_object(row)
            yield Record(number, line, fields, problem)
