"""The bytes of a source: one bounded reader that fingerprints what passes and refuses what changed."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from bulk_import.errors import LedgerRefuses, SourceError

CHUNK = 1 << 20
"""How much is read, digested and compared at a time: one MiB."""

DIGEST = 16
"""Bytes of the digest that is kept for each MiB."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one whole reading saw: the size in bytes, the SHA-256 in hex, and a 16-byte digest per MiB, joined."""

    size: int
    sha256: str
    chunks: bytes

    def chunk(self, index: int) -> bytes | None:
        """The digest of one MiB, None beyond the end."""
        found = self.chunks[index * DIGEST : (index + 1) * DIGEST]
        return found or None


class Source:
    """A regular file that is read once, from its start to its end, in chunks of one MiB.

    With *expected*, each chunk is compared with the earlier digest before any of its bytes is handed
    out; `LedgerRefuses` says which MiB differs. Use it as a context manager, or call `close`.
    """

    def __init__(self, path: Path, file: BinaryIO, expected: Fingerprint | None) -> None:
        self.path = path
        self.bytes_read = 0
        self._file = file
        self._expected = expected
        self._whole = hashlib.sha256()
        self._digests: list[bytes] = []
        self._ended = False

    @classmethod
    def open(cls, path: str | os.PathLike[str], expected: Fingerprint | None = None) -> Source:
        """Open a path for one reading; a missing, empty or special file is a `SourceError`."""
        place = Path(path)
        file = _open_regular(place)
        size = os.fstat(file.fileno()).st_size
        if expected is not None and size != expected.size:
            file.close()
            raise LedgerRefuses(_changed(place, f"it has {size} bytes where it had {expected.size}"))
        if size == 0:
            file.close()
            raise SourceError(f"{place} is empty; give a file with at least one row.")
        return cls(place, file, expected)

    @property
    def size(self) -> int:
        """The file's size in bytes at this moment."""
        return os.fstat(self._file.fileno()).st_size

    def chunks(self) -> Iterator[bytes]:
        """Hand out the file's bytes in order, at most one MiB at a time."""
        while chunk := self._next():
            yield chunk

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the whole file; what was not read yet is read now."""
        for _ in self.chunks():
            pass
        return Fingerprint(self.bytes_read, self._whole.hexdigest(), b"".join(self._digests))

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        self._file.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> bytes:
        if self._ended:
            return b""
        try:
            chunk = _read_full(self._file)
        except OSError as error:
            raise SourceError(
                f"{self.path} could not be read after byte {self.bytes_read} ({error.strerror}); "
                "check the disk and run the same command again."
            ) from error
        if not chunk:
            self._check_end()
            return b""
        digest = hashlib.blake2b(chunk, digest_size=DIGEST).digest()
        self._compare(digest)
        self._digests.append(digest)
        self._whole.update(chunk)
        self.bytes_read += len(chunk)
        return chunk

    def _compare(self, digest: bytes) -> None:
        if self._expected is None:
            return
        index = len(self._digests)
        if self._expected.chunk(index) != digest:
            raise LedgerRefuses(_changed(self.path, f"MiB {index + 1} differs"))

    def _check_end(self) -> None:
        self._ended = True
        if self._expected is not None and self.bytes_read != self._expected.size:
            raise LedgerRefuses(
                _changed(self.path, f"it ended after {self.bytes_read} bytes where it had {self._expected.size}")
            )


def spool(stream: BinaryIO, target: str | os.PathLike[str], max_bytes: int | None = None) -> Path:
    """Copy *stream* to *target*, a private file (0600) that appears under its name only when complete.

    An unfinished copy is removed. More than *max_bytes*, or a full disk, is a `SourceError`.
    """
    place = Path(target)
    discard_unfinished(place)
    handle, name = tempfile.mkstemp(prefix=place.name + ".", suffix=".part", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _copy(stream, file, max_bytes)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, place)
    except OSError as error:
        raise SourceError(
            f"standard input could not be kept at {place} ({error.strerror}); make room and run the command again."
        ) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
    _sync_folder(place.parent)
    return place


def discard_unfinished(place: Path) -> None:
    """Remove what copies to *place* that were cut off have left: it is personal data that nobody will read."""
    for left in place.parent.glob(f"{glob.escape(place.name)}.*.part"):
        left.unlink(missing_ok=True)


def _copy(stream: BinaryIO, file: BinaryIO, max_bytes: int | None) -> None:
    total = 0
    while chunk := stream.read(CHUNK):
        total += len(chunk)
        if max_bytes is not None and total > max_bytes:
            raise SourceError(
                f"standard input holds more than {max_bytes} bytes; raise --max-bytes if that is expected."
            )
        file.write(chunk)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open_regular(place: Path) -> BinaryIO:
    try:
        # Non-blocking, so that opening a named pipe nobody writes to does not hang before it is refused.
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceError(f"{place} does not exist; check the path.") from None
    except OSError as error:
        raise SourceError(f"{place} cannot be opened ({error.strerror}); check its permissions.") from error
    except ValueError as error:
        raise SourceError(f"the source's path is not usable ({error}); check the path.") from error
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb", buffering=0)
    os.close(handle)
    raise SourceError(f"{place} is {_kind_of(mode)}, not a file; give a file, or - to read standard input.")


def _kind_of(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _read_full(file: BinaryIO) -> bytes:
    parts: list[bytes] = []
    missing = CHUNK
    while missing and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _changed(place: Path, what: str) -> str:
    return f"the source {place.name} changed since pre-flight: {what}; start a new ledger or restore the file."
