"""Which encoding a source has: told by a mark, by its NULs or by being valid UTF-8, and never guessed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bulk_import.errors import SourceError
from bulk_import.reading.likely import encoding_advice, likely_letters
from bulk_import.reading.magic import refuse_binary
from bulk_import.reading.settled import Notice

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_REFUSED = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7", "mbcs", "oem"}
_SAMPLE = 1 << 16
_LINES = re.compile(rb"(?:[\t\x20-\x7e\x80-\xfd]*[\r\n]+)+")
# 32 units of UTF-16 with a NUL in none of them, nor a byte beyond ASCII, are text of no script.
_PLAIN_RUN = re.compile(rb"(?<![\t\r\n\x20-\x7e])[\t\r\n\x20-\x7e]{64}")
_SURELY = 16  # bytes of whole lines without a NUL, which UTF-16 begins with in hardly any language
_CLEAN = 20  # lines of which a single odd one is a damaged row, not another encoding


@dataclass(frozen=True, slots=True)
class Encoding:
    """The settled encoding and what is said about it."""

    name: str
    notices: tuple[Notice, ...] = ()


def settle_encoding(head: bytes, asked: str | None, path: Path, whole: bool) -> Encoding:
    """The encoding of a source whose first bytes are *head*; *whole* says that there are no more.

    Raises `SourceError` when the bytes are not UTF-8 and nothing else tells what they are.
    """
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if asked is not None:
        return _as_asked(_known(asked), marked, head, path)
    if marked is not None:
        said = "UTF-8" if marked == "utf-8" else marked.upper()
        return Encoding(marked, (Notice("encoding", f"encoding is {said}, by its byte order mark."),))
    if by_nuls := _by_nuls(head):
        _refuse_added(head, path)
        return Encoding(by_nuls, (Notice("encoding", f"encoding is {by_nuls.upper()}, recognised by its NUL bytes."),))
    refuse_binary(head, path)
    _refuse_ebcdic(head[:_SAMPLE], path)
    return _utf_8(head, path, whole)


def in_one_encoding(blocks: Iterable[bytes], encoding: str, path: Path) -> Iterator[bytes]:
    """The same bytes; raises `SourceError` where plain text was added to UTF-16, which would be one long line in it."""
    at = 0
    for block in blocks:
        if encoding.startswith("utf-16") and (found := _PLAIN_RUN.search(block)) is not None:
            raise SourceError(
                f"{path} is in two encodings, as when a program adds to another's file: it begins as UTF-16 and is plain text "
                f"from about byte {at + found.start()} on; save it anew in one."
            )
        at += len(block)
        yield block


def _known(asked: str) -> str:
    try:
        name = codecs.lookup(asked).name
        "".encode(name)
    except (LookupError, ValueError):
        name = "undefined"
    if name in _REFUSED:
        raise SourceError(f"--encoding {asked} is not an encoding this tool knows; try utf-8, cp1252 or utf-16.")
    return name


def _as_asked(name: str, marked: str | None, head: bytes, path: Path) -> Encoding:
    if name in ("utf-16", "utf-32"):
        fallback = _by_nuls(head) or f"{name}-le"
        name = marked if marked and marked.startswith(name) else fallback
    if name == "utf-8-sig":
        name = "utf-8"
    if marked is not None and marked != name:
        raise SourceError(
            f"{path} begins with the byte order mark of {marked.upper()}, but --encoding says {name}; "
            "leave --encoding out."
        )
    return Encoding(name, (Notice("encoding", f"encoding is {name.upper()}, as asked."),))


def _by_nuls(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: NULs stand at the same place of every unit, and the rest decodes."""
    sample = head[: _SAMPLE & ~3]
    sample = sample[: len(sample) & ~1]
    if b"\0" not in sample:
        return None
    places = [sample[place::4].count(0) for place in range(4)]
    units = max(1, len(sample) // 4)
    if min(places[2], places[3]) >= units > places[0] * 2:
        return _if_text(sample, "utf-32-le")
    if min(places[0], places[1]) >= units > places[3] * 2:
        return _if_text(sample, "utf-32-be")
    even, odd = places[0] + places[2], places[1] + places[3]
    if odd > 2 * units * 0.05 and even * 20 <= odd:
        return _if_text(sample, "utf-16-le")
    if even > 2 * units * 0.05 and odd * 20 <= even:
        return _if_text(sample, "utf-16-be")
    return None


def _refuse_added(head: bytes, path: Path) -> None:
    """Raise `SourceError` where UTF-16 was added to lines of other text, as PowerShell's `>>` does."""
    begun = _LINES.match(head)
    # A line end with a NUL behind it is UTF-16's own, and the letters before it are another script's.
    if begun is not None and begun.end() >= _SURELY and head[begun.end() : begun.end() + 1] != b"\0":
        raise SourceError(
            f"{path} is in two encodings, as when a program adds to another's file: it begins with plain text and is "
            f"UTF-16 from about byte {begun.end()} on; save it anew in one."
        )


def _if_text(sample: bytes, name: str) -> str | None:
    """The encoding if the sample reads as text in it: no odd characters, and line ends or mostly ASCII."""
    text = codecs.getincrementaldecoder(name)("replace").decode(sample)
    odd = sum(1 for character in text if character == "\ufffd" or (character < " " and character not in "\t\r\n"))
    plain = sum(1 for character in text if character.isascii())
    likely = "\n" in text or "\r" in text or plain * 2 > len(text)
    return name if likely and odd * 50 <= len(text) else None


def _refuse_ebcdic(sample: bytes, path: Path) -> None:
    """Raise `SourceError` for text of a mainframe, whose letters are no letters in any other encoding."""
    if sample.isascii():
        return
    text = sample.decode("cp037")
    plain = sum(character.isascii() and (character.isprintable() or character in "\r\n\t\x85") for character in text)
    if "@" in text and plain > 0.95 * len(text):
        raise SourceError(
            f"{path} is in EBCDIC, as mainframes write text: pass --encoding cp037, or the code page it has."
        )


def _utf_8(head: bytes, path: Path, whole: bool) -> Encoding:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(head, final=whole)
    except UnicodeDecodeError as error:
        return _odd_bytes(head, error.start, path)
    if text.isascii():
        return Encoding("utf-8", (Notice("encoding", "encoding is UTF-8 (only ASCII was seen so far)."),))
    return Encoding("utf-8", (Notice("encoding", "encoding is UTF-8."),))


def _odd_bytes(head: bytes, first: int, path: Path) -> Encoding:
    """Not all UTF-8: one odd line in a clean file is that row's trouble, more is the file's."""
    lines = re.split(rb"\r\n|\n|\r", head)
    bad = [index for index, line in enumerate(lines[:-1] or lines, 1) if not _is_utf_8(line)]
    filled = sum(1 for line in lines if line)
    proven = sum(1 for line in lines if not line.isascii() and _is_utf_8(line))
    number = len(re.findall(rb"\r\n|\n|\r", head[:first])) + 1
    if not bad or len(bad) <= 0.01 * filled or (len(bad) == 1 and (proven or filled >= _CLEAN)):
        what = _mend(lines[number - 1], head, first) if proven else encoding_advice(head)
        message = (
            f"encoding is UTF-8, but line {number} is not: byte 0x{head[first]:02X} (byte {first} of the file); {what}."
        )
        return Encoding("utf-8", (Notice("encoding", message),))
    what = _mend(lines[number - 1], head, first) if proven >= len(bad) else encoding_advice(head)
    raise SourceError(
        f"{path} is not UTF-8: byte 0x{head[first]:02X} on line {number} (byte {first} of the file) is not, and "
        f"{len(bad)} of its first {filled} lines hold such bytes; {what}."
    )


def _mend(line: bytes, head: bytes, first: int) -> str:
    """The advice for a byte in a file whose other lines are UTF-8 beyond ASCII: another encoding would spoil those."""
    place = first - max(head.rfind(b"\n", 0, first), head.rfind(b"\r", 0, first)) - 1
    return f"mend that byte{likely_letters(line, place)} there, as the other lines are UTF-8"


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
