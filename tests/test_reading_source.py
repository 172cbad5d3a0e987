"""The source's bytes: fingerprinted, compared before they are handed out, bounded, spooled in private."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
from pathlib import Path

import pytest
import zstandard

from bulk_import.errors import LedgerRefuses, SourceError
from bulk_import.reading import Source, read_records, spool
from bulk_import.reading.source import CHUNK, Fingerprint
from bulk_import.reading.unpack import RATIO, STEP, TRUSTED, optional, unpacked

BIG = bytes(range(256)) * (CHUNK // 256 * 3 + 10)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.csv"
    path.write_bytes(BIG)
    return path


def fingerprint(path: Path) -> Fingerprint:
    with Source.open(path) as source:
        return source.fingerprint()


def test_the_fingerprint_holds_size_sha_256_and_a_digest_for_each_mib(big: Path) -> None:
    found = fingerprint(big)
    assert (found.size, found.sha256) == (len(BIG), hashlib.sha256(BIG).hexdigest())
    assert found.chunk(3) is not None
    assert found.chunk(4) is None


def test_bytes_are_counted_as_they_are_handed_out(big: Path) -> None:
    with Source.open(big) as source:
        assert [source.bytes_read for _ in source.chunks()] == [CHUNK, 2 * CHUNK, 3 * CHUNK, len(BIG)]
        assert source.size == len(BIG)


def test_an_unchanged_file_is_handed_out_whole(big: Path) -> None:
    with Source.open(big, expected=fingerprint(big)) as source:
        assert b"".join(source.chunks()) == BIG


def test_no_byte_of_a_changed_mib_is_handed_out(big: Path) -> None:
    expected = fingerprint(big)
    with big.open("r+b") as file:
        file.seek(2 * CHUNK + 5)
        file.write(b"!!")
    with Source.open(big, expected=expected) as source:
        chunks = source.chunks()
        assert next(chunks) + next(chunks) == BIG[: 2 * CHUNK]
        with pytest.raises(LedgerRefuses, match="MiB 3 differs"):
            next(chunks)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_refused_at_once(big: Path, change: int) -> None:
    expected = fingerprint(big)
    os.truncate(big, len(BIG) + change)
    with pytest.raises(LedgerRefuses, match="changed since pre-flight"):
        Source.open(big, expected=expected)


def test_a_file_that_shrinks_while_it_is_read_is_refused(big: Path) -> None:
    with Source.open(big, expected=fingerprint(big)) as source:
        chunks = source.chunks()
        next(chunks)
        os.truncate(big, CHUNK)
        with pytest.raises(LedgerRefuses, match="changed"):
            next(chunks)


def test_a_folder_a_pipe_a_device_a_missing_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for place, words in [
        (tmp_path, "a folder"),
        (tmp_path / "pipe", "a named pipe"),
        (Path("/dev/null"), "a device"),
        (tmp_path / "missing", "does not exist"),
        (tmp_path / "empty", "is empty"),
    ]:
        with pytest.raises(SourceError, match=words):
            Source.open(place)


def test_standard_input_is_spooled_in_private_and_appears_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "customers.csv.spool"
    assert spool(io.BytesIO(BIG), target) == target
    assert target.read_bytes() == BIG
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


class Breaking(io.RawIOBase):
    """Gives one piece, then fails as a terminal that hangs up does."""

    def __init__(self) -> None:
        self.given = False

    def read(self, size: int = -1) -> bytes:
        if self.given:
            raise OSError(5, "Input/output error")
        self.given = True
        return b"email\n"


def test_an_unfinished_spool_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="standard input"):
        spool(Breaking(), tmp_path / "spool")  # type: ignore[arg-type]  # a raw stream is enough
    with pytest.raises(SourceError, match="--max-bytes"):
        spool(io.BytesIO(b"x" * 100), tmp_path / "spool", max_bytes=99)
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_allowed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,name\n" + "a@example.com,Ann\n" * 100)
    assert len(list(read_records(path, max_bytes=5000))) == 100
    with pytest.raises(SourceError, match="--max-bytes"):
        list(read_records(path, max_bytes=500))


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (gzip.compress(b"email,name\n" * 100, mtime=0)[:-9], "cut short"),
        (gzip.compress(b"email,name\n" * 100, mtime=0)[:-1], "cut short"),
        (gzip.compress(b"email,name\n", mtime=0) + b"garbage", "other data"),
        (gzip.compress(b"email,name\n", mtime=0)[:-8] + b"\0" * 8, "damaged"),
        (gzip.compress(b"", mtime=0), "empty"),
    ],
)
def test_damaged_packed_data_is_refused(tmp_path: Path, packed: bytes, words: str) -> None:
    path = tmp_path / "customers.csv.gz"
    path.write_bytes(packed)
    with pytest.raises(SourceError, match=words):
        list(read_records(path))


def test_a_bomb_is_stopped_by_its_ratio_unless_the_bytes_were_allowed() -> None:
    packed = gzip.compress(b"\0" * (TRUSTED + (8 << 20)), 9)
    assert len(packed) * RATIO < TRUSTED
    with pytest.raises(SourceError, match="bomb"):
        sum(len(piece) for piece in unpacked([packed], "gzip", Path("x.gz"), None))
    sizes = [len(piece) for piece in unpacked([packed], "gzip", Path("x.gz"), 1 << 30)]
    assert sum(sizes) == TRUSTED + (8 << 20)
    assert max(sizes) <= STEP


def test_a_library_that_is_missing_is_named_with_its_extra() -> None:
    def absent(name: str) -> object:
        raise ImportError(name)

    with pytest.raises(SourceError, match=r"bulk-import\[xlsx\]"):
        optional("python_calamine", "xlsx", Path("book.xlsx"), load=absent)


def test_a_zstd_file_may_begin_between_and_end_with_frames_to_skip(tmp_path: Path) -> None:
    skipped = b"\x53\x2a\x4d\x18\x05\0\0\0hello"
    pack = zstandard.ZstdCompressor().compress
    path = tmp_path / "customers.csv.zst"
    path.write_bytes(skipped + pack(b"email\na@example.com\n") + skipped + pack(b"b@example.com\n") + skipped)
    assert [record.fields["email"] for record in read_records(path)] == ["a@example.com", "b@example.com"]
