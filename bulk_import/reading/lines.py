"""Bytes to whole physical lines of text, in bounded pieces.

A physical line ends with LF, CRLF or CR. A byte that the encoding does not know becomes one lone
surrogate (`U+DC00` plus the byte), so that it damages its own row and nothing else.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from io import StringIO

LIMIT = 1 << 20
"""Most characters of one physical line, and of one record; what is longer is damaged."""

OVERLONG = "\udbff"
"""Stands for the text of a line that was longer than `LIMIT`; never occurs in text that was read."""

MARK = "bulk_import.mark"
"""The name of the error handler below."""

_NO_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"  # at which `str.splitlines` ends a line and no table does
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r")
_C1 = re.compile(rb"\xc2[\x80-\x9f]")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in bad), error.end


codecs.register_error(MARK, _mark)


def bad_byte(character: str) -> int | None:
    """The byte behind a marked character, None for any other character."""
    code = ord(character) - 0xDC00
    return code if 0 <= code <= 0xFF else None


def decoded(blocks: Iterable[bytes], encoding: str) -> Iterator[str]:
    """The text of *blocks* without a byte order mark, bad bytes marked."""
    decoder = codecs.getincrementaldecoder(encoding)(MARK)
    started = False
    for block in blocks:
        text = decoder.decode(block)
        if not started and text:
            text = text.lstrip("\ufeff")
            started = bool(text)
        if text:
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def whole_lines(texts: Iterable[str]) -> Iterator[str]:
    """The same text cut only after line ends; a line over `LIMIT` is reduced to `OVERLONG` and its end."""
    carry: list[str] = []
    held = 0
    for text in never_inside_crlf(texts):
        cut = max(text.rfind("\n"), text.rfind("\r")) + 1
        if not cut:
            held += len(text)
            carry = [*carry, text] if held <= LIMIT else []
            continue
        yield _joined(carry, held, text[:cut])
        carry, held = [text[cut:]], len(text) - cut
    if held:
        yield "".join(carry) if held <= LIMIT else OVERLONG


def _joined(carry: list[str], held: int, text: str) -> str:
    """The carried start of a line and the text that completes it."""
    first = min(place for end in "\r\n" if (place := text.find(end)) >= 0)
    if held + first > LIMIT:
        return OVERLONG + text[first:]
    return "".join([*carry, text])


def never_inside_crlf(texts: Iterable[str]) -> Iterator[str]:
    """Hold a CR at the end of a piece back until it is known whether LF follows."""
    held = ""
    for text in texts:
        text = held + text
        held = "\r" if text.endswith("\r") else ""
        if text := text.removesuffix(held) if held else text:
            yield text
    if held:
        yield held


def end_of(line: str) -> str:
    """How a physical line ends: `CRLF`, `LF`, `CR`, or `` where it has no end."""
    if line.endswith("\r\n"):
        return "CRLF"
    return "LF" if line.endswith("\n") else "CR" if line.endswith("\r") else ""


def holds_other_ends(text: str, ending: str) -> bool:
    """Whether any line of *text* ends otherwise than with *ending*."""
    if ending == "LF" and "\r" not in text:
        return False
    pairs = text.count("\r\n")
    counts = {"CRLF": pairs, "LF": text.count("\n") - pairs, "CR": text.count("\r") - pairs}
    return any(count for end, count in counts.items() if end != ending)


def split_lines(text: str) -> list[str]:
    """The physical lines of *text*, each with its end."""
    if any(map(text.__contains__, _NO_ENDS)):
        return StringIO(text, newline="").readlines()
    return text.splitlines(keepends=True)


def bare_lines(text: str) -> list[str]:
    """The physical lines of *text* without their ends."""
    lines = (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text).split("\n")
    return lines if lines[-1] else lines[:-1]


def is_clean(text: str, allowed: str = "") -> bool:
    """Whether *text* holds no bad byte and no control character but tab, line ends and *allowed*."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return False
    controls = _CONTROLS.translate(None, allowed.encode()) if allowed else _CONTROLS
    if len(raw.translate(None, controls)) != len(raw):
        return False
    return text.isascii() or not _C1.search(raw)
