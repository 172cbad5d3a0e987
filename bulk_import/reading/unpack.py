"""Compressed sources, unpacked as a stream; a bomb is stopped long before it fills anything."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from bulk_import.errors import SourceError

STEP = 1 << 18
"""Most bytes that are unpacked at a time."""

TRUSTED = 64 << 20
"""Unpacked bytes below which no ratio is suspicious."""

RATIO = 250
"""Unpacked to packed, above which a source is taken for a bomb unless `--max-bytes` allows it."""

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""The compressions that are read, by their first bytes."""


def compression_of(head: bytes) -> str | None:
    """The compression that the first bytes name, None for plain data."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


def unpacked(chunks: Iterable[bytes], compression: str | None, path: Path, max_bytes: int | None) -> Iterator[bytes]:
    """The source's plain bytes in pieces of at most one MiB.

    Raises `SourceError` for damaged or truncated data, and when more than *max_bytes* come out or
    (without that option) far more comes out than any real table packs into so little.
    """
    bound = Bound(path, max_bytes, compression is not None)
    if compression is None:
        for chunk in chunks:
            bound.count(len(chunk), len(chunk))
            yield chunk
        return
    unpack = _gunzip if compression == "gzip" else _unzstd
    yield from unpack(chunks, path, bound)


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
            raise SourceError(
                f"{self._path} holds more than {self._max} bytes; raise --max-bytes if that is expected."
            )
        bomb = self._packed and self.given > TRUSTED and self.given > RATIO * self.taken
        if bomb and self._max is None:
            raise SourceError(
                f"{self._path} unpacks to more than {RATIO} times its size, as a bomb does; "
                "pass --max-bytes with the most you expect if it is genuine."
            )


def _gunzip(chunks: Iterable[bytes], path: Path, bound: Bound) -> Iterator[bytes]:
    unpacker: Any = zlib.decompressobj(wbits=31)
    members, opened = 0, False
    for chunk in chunks:
        bound.count(len(chunk), 0)
        rest = chunk
        while rest:
            if not opened and members and not (rest := rest.lstrip(b"\0")):
                break
            if not opened and members and not _starts_member(rest):
                raise SourceError(f"{path} has other data after its gzip part; unpack it yourself and look at its end.")
            opened = True
            try:
                plain = unpacker.decompress(rest, STEP)
            except zlib.error as error:
                raise _broken(path, bound, str(error)) from error
            bound.count(0, len(plain))
            if plain:
                yield plain
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if unpacker.eof:
                unpacker, opened, members = zlib.decompressobj(wbits=31), False, members + 1
            elif not plain and not rest:
                break
    if opened:
        raise _broken(path, bound, "it ends in the middle")


def _starts_member(rest: bytes) -> bool:
    return b"\x1f\x8b".startswith(rest[:2])


def _unzstd(chunks: Iterable[bytes], path: Path, bound: Bound) -> Iterator[bytes]:
    zstandard = optional("zstandard", "zst", path)
    feed = _Feed(chunks, bound)
    try:
        with zstandard.ZstdDecompressor().stream_reader(feed, read_across_frames=True) as reader:
            while plain := reader.read(STEP):
                bound.count(0, len(plain))
                yield plain
    except zstandard.ZstdError as error:
        raise _broken(path, bound, str(error)) from error
    if not feed.complete(zstandard):
        raise _broken(path, bound, "it ends in the middle")


class _Feed:
    """A file-like face for chunks, for a library that wants to call `read`."""

    def __init__(self, chunks: Iterable[bytes], bound: Bound) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self._bound = bound
        self._check: Any = None
        self._seen: list[bytes] = []

    def read(self, size: int) -> bytes:
        """At most *size* bytes, none at the end."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
            self._bound.count(len(self._rest), 0)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def complete(self, library: Any) -> bool:
        """Whether nothing was left over."""
        return not self._rest and library is not None


def _broken(path: Path, bound: Bound, why: str) -> SourceError:
    return SourceError(
        f"{path} is damaged or cut short within its first {bound.taken} bytes ({why}); "
        "transfer or export it again."
    )


def optional(module: str, extra: str, path: Path, load: Callable[[str], Any] = importlib.import_module) -> Any:
    """A library that comes with an extra; a `SourceError` names the extra when it is not installed."""
    try:
        return load(module)
    except ImportError:
        raise SourceError(
            f"{path} needs a library that is not installed; install it with: pip install 'bulk-import[{extra}]'."
        ) from None
