"""Which encoding a source has: told by a mark, by its NULs or by being valid UTF-8, and never guessed."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from bulk_import.errors import SourceError
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
        return Encoding(by_nuls, (Notice("encoding", f"encoding is {by_nuls.upper()}, recognised by its NUL bytes."),))
    refuse_binary(head, path)
    return _utf_8(head, path, whole)


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


def _if_text(sample: bytes, name: str) -> str | None:
    """The encoding if the sample reads as text in it: no odd characters, and line ends or mostly ASCII."""
    text = codecs.getincrementaldecoder(name)("replace").decode(sample)
    odd = sum(1 for character in text if character == "\ufffd" or (character < " " and character not in "\t\r\n"))
    plain = sum(1 for character in text if character.isascii())
    likely = "\n" in text or "\r" in text or plain * 2 > len(text)
    return name if likely and odd * 50 <= len(text) else None


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
    proven = any(not line.isascii() and _is_utf_8(line) for line in lines)
    number = len(re.findall(rb"\r\n|\n|\r", head[:first])) + 1
    likely = likely_encoding(head)
    if not bad or len(bad) <= 0.01 * filled or (len(bad) == 1 and (proven or filled >= _CLEAN)):
        message = (
            f"encoding is UTF-8, but line {number} is not: byte 0x{head[first]:02X} (byte {first} of the file); if it comes "
            f"from {_origin(likely)}, pass --encoding {likely}."
        )
        return Encoding("utf-8", (Notice("encoding", message),))
    raise SourceError(
        f"{path} is not UTF-8: byte 0x{head[first]:02X} on line {number} (byte {first} of the file) is not, and "
        f"{len(bad)} of its first {filled} lines hold such bytes; if it comes from {_origin(likely)}, "
        f"pass --encoding {likely}."
    )


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def likely_encoding(data: bytes) -> str:
    """What `--encoding` would probably be for bytes that are not UTF-8; a suggestion, never used unasked."""
    high = re.findall(rb"[\x80-\xff]+", data[: 1 << 18])
    longest = sum(len(run) for run in high) / max(1, len(high))
    # "Größe" has two such bytes side by side; one and a half characters of Chinese have three.
    for name in ("shift_jis", "gb18030", "euc_kr") if longest >= 1.5 and max(map(len, high)) >= 3 else ():
        if _mostly_east_asian(data[: 1 << 16], name):
            return name
    if longest >= 3:
        return "cp1251"
    c1 = sum(1 for run in high for byte in run if byte < 0xA0)
    return "mac_roman" if c1 > 0.8 * sum(map(len, high)) and not _only_punctuation(high) else "cp1252"


def _only_punctuation(runs: list[bytes]) -> bool:
    """Whether the bytes below 0xA0 are those that stand for quotes, dashes and the euro in cp1252."""
    return all(
        byte in b"\x80\x82\x84\x85\x8a\x8c\x8e\x91\x92\x93\x94\x95\x96\x97\x99\x9a\x9c\x9e\x9f"
        for run in runs
        for byte in run
        if byte < 0xA0
    )


def _mostly_east_asian(data: bytes, name: str) -> bool:
    text = codecs.getincrementaldecoder(name)("replace").decode(data)
    if "\ufffd" in text:
        return False
    wide = sum(1 for character in text if "\u3040" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3")
    return wide > 0.8 * sum(1 for character in text if character > "\x7f")


def _origin(name: str) -> str:
    return {
        "cp1252": "Excel or Windows in Western Europe or America",
        "cp1251": "Windows with Cyrillic text",
        "mac_roman": "an old Mac program",
        "shift_jis": "Japanese Windows",
        "gb18030": "Chinese Windows",
        "euc_kr": "a Korean system",
    }[name]
