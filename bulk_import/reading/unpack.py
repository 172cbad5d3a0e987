"""Compressed sources, unpacked as a stream; a bomb is stopped long before it fills anything."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk_import.errors import SourceError

STEP = 1 << 17
"""Most bytes that are unpacked, and handed out, at a time: a piece lies in memory as bytes, as text and as cells at once."""

ZSTD_STEP = 1 << 10
"""Packed bytes given to zstd at a time: it cannot bound what comes out, which is at most 32 MiB for so few."""

ZSTD_WINDOW = 1 << 27
"""Most bytes that zstd may look back, as its own command line allows."""

TRUSTED = 64 << 20
"""Unpacked bytes below which no ratio is suspicious."""

RATIO = 250
"""Unpacked to packed, above which a source is taken for a bomb unless `--max-bytes` allows it."""

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""The compressions that are read, by their first bytes."""

_SKIPPABLE = b"\x2a\x4d\x18"  # behind a byte of 0x50 to 0x5F: a zstd frame that holds no data of the file


def compression_of(head: bytes) -> str | None:
    """The compression that the first bytes name, None for plain data."""
    skipped = head[1:4] == _SKIPPABLE and head[0] & 0xF0 == 0x50
    return "zstd" if skipped else next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


def unpacked(chunks: Iterable[bytes], compression: str | None, path: Path, max_bytes: int | None) -> Iterator[bytes]:
    """The source's plain bytes in pieces of at most `STEP`.

    Raises `SourceError` for damaged or truncated data, and when more than *max_bytes* come out or
    (without that option) far more comes out than any real table packs into so little.
    """
    bound = Bound(path, max_bytes, compression is not None)
    if compression is None:
        for piece in _sliced(chunks, STEP):
            bound.count(len(piece), len(piece))
            yield piece
        return
    if compression == "zstd":
        step, chunks = _zstd_step(path), _sliced(chunks, ZSTD_STEP)
    else:
        step = _gzip_step
    yield from _sliced(_members(chunks, step, compression, path, bound), STEP)


class Bound:
    """Counts what goes in and comes out, and refuses when it is too much."""

    def __init__(self, path: Path, max_bytes: int | None, packed: bool) -> None:
        self._path = path
        self._max = max_bytes
        self._packed = packed
        self.taken = 0
        self.given = 0

    def count(self, taken: int, given: int) -> None:
        """Count bytes read and bytes unpacked."""
        self.taken += taken
        self.given += given
        if self._max is not None and self.given > self._max:
            raise SourceError(f"{self._path} holds more than {self._max} bytes; raise --max-bytes if that is expected.")
        bomb = self._packed and self.given > TRUSTED and self.given > RATIO * self.taken
        if bomb and self._max is None:
            raise SourceError(
                f"{self._path} unpacks to more than {RATIO} times its size, as a bomb does; "
                "pass --max-bytes with the most you expect if it is genuine."
            )


def _sliced(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), size):
            yield chunk[at : at + size]


@dataclass(frozen=True, slots=True)
class _Step:
    """What one step of unpacking gave: the plain bytes, the packed ones left, and whether a member ended."""

    plain: bytes
    rest: bytes
    ended: bool


Unpack = Callable[[Any, bytes], tuple[Any, _Step]]
"""One step with a decompressor (None at a member's beginning), which comes back for the next step."""


def _members(chunks: Iterable[bytes], unpack: Unpack, name: str, path: Path, bound: Bound) -> Iterator[bytes]:
    """The members of a packed file one after another, as several packed files joined make one."""
    state: Any = None
    begun = False
    for chunk in chunks:
        bound.count(len(chunk), 0)
        rest = chunk
        while rest:
            if state is None and begun:
                rest = _next_member(rest, name, path)
                if not rest:
                    break
            begun = True
            try:
                state, step = unpack(state, rest)
            except (zlib.error, ValueError) as error:
                raise _broken(path, bound, str(error)) from error
            bound.count(0, len(step.plain))
            if step.plain:
                yield step.plain
            rest = step.rest
            state = None if step.ended else state
    if state is not None:
        raise _broken(path, bound, "it ends in the middle")


def _next_member(rest: bytes, name: str, path: Path) -> bytes:
    """The bytes from the next member on; padding with NULs is allowed, anything else is not."""
    rest = rest.lstrip(b"\0")
    magic = next(magic for magic, known in MAGIC.items() if known == name)
    if rest and compression_of(rest) != name and not magic.startswith(rest[: len(magic)]):
        raise SourceError(f"{path} has other data after its {name} part; unpack it yourself and look at its end.")
    return rest


def _gzip_step(state: Any, rest: bytes) -> tuple[Any, _Step]:
    unpacker = state or zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(rest, STEP)
    return unpacker, _Step(plain, unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail, unpacker.eof)


def _zstd_step(path: Path) -> Unpack:
    library = optional("zstandard", "zst", path)

    def step(state: Any, rest: bytes) -> tuple[Any, _Step]:
        unpacker = state or library.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
        try:
            plain = unpacker.decompress(rest)
        except library.ZstdError as error:
            raise ValueError(str(error)) from error
        return unpacker, _Step(plain, unpacker.unused_data, unpacker.eof)

    return step


def _broken(path: Path, bound: Bound, why: str) -> SourceError:
    return SourceError(
        f"{path} is damaged or cut short within its first {bound.taken} bytes ({why}); transfer or export it again."
    )


def optional(module: str, extra: str, path: Path, load: Callable[[str], Any] = importlib.import_module) -> Any:
    """A library that comes with an extra; a `SourceError` names the extra when it is not installed."""
    try:
        return load(module)
    except ImportError:
        raise SourceError(
            f"{path} needs a library that is not installed; install it with: pip install 'bulk-import[{extra}]'."
        ) from None
