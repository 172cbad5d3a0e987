"""The power goes: whatever the ledger said was on disk is there, and one sync a commit pays for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from bulk_import.ledger import Reader, Writer, open_for_reading, open_for_writing
from bulk_import.model import Claim, Created, Doubt, Failed, InDoubt, Released, Settled, Status
from tests.ledger_samples import NOW, claim, invalid, ledger, purpose, refusal

BATCH = 10
_rename, _fsync = os.rename, os.fsync


@dataclass
class Disk:
    """A disk that remembers what was synced; the rest is gone when the power is."""

    synced: dict[str, bytes] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    syncs: int = 0

    def sync(self, name: str) -> None:
        self.syncs += 1
        self.synced[name] = Path(name).read_bytes()

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, which the disk knows once the folder is synced."""
        _rename(old, new)
        self.renamed[str(old)] = str(new)

    def sync_folder(self, handle: int) -> None:
        """Sync a folder."""
        _fsync(handle)
        for old, new in self.renamed.items():
            self.synced[new] = self.synced.pop(old)
        self.renamed.clear()

    def after_the_power_cut(self, folder: Path) -> Path:
        """What a machine finds that starts again: each file as it was last synced, in *folder*."""
        folder.mkdir()
        for name, content in self.synced.items():
            (folder / Path(name).name).write_bytes(content)
        return folder / "l.db"


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        self._disk.sync(self._name)


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        if syncdir:
            self._disk.synced.pop(filename, None)


class _Connection:
    """All that the ledger asks of a connection, with the errors of the module it was written for."""

    def __init__(self, path: str, vfs: str) -> None:
        self._db = apsw.Connection(path, vfs=vfs)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        with _as_sqlite3():
            return self._db.execute(sql, tuple(parameters))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        with _as_sqlite3():
            return self._db.executemany(sql, [tuple(one) for one in parameters])

    def close(self) -> None:
        self._db.close()


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise sqlite3.DatabaseError(str(error)) from error


@contextmanager
def power(disk: Disk, path: Path, name: str) -> Iterator[tuple[Writer, Reader]]:
    """A founded ledger on *disk*."""
    vfs = _Vfs(name, disk)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "rename", disk.rename)
            patch.setattr(os, "fsync", disk.sync_folder)
            with ledger(path, purpose(rows=100), lambda text: _Connection(text, name)) as opened:
                yield opened
    finally:
        vfs.unregister()


Step = tuple[list[Claim], list[Settled]]


def small_run() -> list[Step]:
    """Batches claimed while the ones before are settled in every way; then a release and a second generation."""
    steps: list[Step] = []
    landed: list[Settled] = []
    for start in range(1, 61, BATCH):
        numbers = list(range(start, start + BATCH))
        *sent, bad = numbers
        steps.append(([claim(n) for n in sent], [*landed, Settled(bad, invalid(bad), invalid(bad))]))
        landed = [Settled(n, Created(f"cus_{n}"), attempts=1, attempted_at=NOW) for n in sent[:-3]]
        landed.append(Settled(sent[-3], Failed(refusal())))
        landed.append(Settled(sent[-2], InDoubt(refusal(), Doubt.REPLAYED)))
        landed.append(Settled(sent[-1], Released(0)))
    steps.append(([], landed))
    steps.append(([claim(7, 1), claim(8, 1), claim(9)], []))
    return steps


Picture = tuple[list[Any], list[Any], list[Any]]


def picture(reader: Reader) -> Picture:
    """Everything a later process goes by: every line, every claim at rest, every row's kept fields."""
    claims = reader.claims([Status.CLAIMED, Status.IN_DOUBT])
    return list(reader.lines()), claims, reader.records(range(1, 101))


def seen_at(path: Path) -> Picture:
    reader = Reader(open_for_reading(path), path)
    try:
        return picture(reader)
    finally:
        reader.close()


def test_nothing_that_was_acknowledged_is_lost_when_the_power_goes_after_any_commit(tmp_path: Path) -> None:
    disk = Disk()
    pictures: list[tuple[Picture, Path]] = []
    with power(disk, tmp_path / "l.db", "after-any-commit") as (writer, reader):
        for n, (claims, settled) in enumerate(small_run()):
            writer.write(claims, settled)
            pictures.append((picture(reader), disk.after_the_power_cut(tmp_path / str(n))))
    for before, survivor in pictures:
        db = open_for_writing(survivor)
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        db.close()
        assert seen_at(survivor) == before


def test_a_commit_that_was_not_acknowledged_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    disk = Disk()
    with power(disk, tmp_path / "l.db", "within-a-commit") as (writer, reader):
        writer.write([claim(n) for n in range(1, 51)], [])
        before = picture(reader)
        synced = dict(disk.synced)
        writer.write([claim(n) for n in range(51, 90)], [Settled(n, Created(f"cus_{n}")) for n in range(1, 51)])
        after = picture(reader)
        log = str(tmp_path / "l.db-wal")
        whole, start = disk.synced[log], len(synced[log])
    assert len(whole) > start + 8000
    for cut in [*range(start, len(whole), 2048), len(whole)]:
        survivor = Disk({**synced, log: whole[:cut]}).after_the_power_cut(tmp_path / f"cut{cut}")
        assert seen_at(survivor) == (after if cut == len(whole) else before)


def test_the_purpose_of_a_ledger_survives_a_power_cut_right_after_it_was_founded(tmp_path: Path) -> None:
    disk = Disk()
    with power(disk, tmp_path / "l.db", "founded") as (writer, reader):
        assert reader.purpose() == purpose(rows=100)
        command = writer.begin_command("run", "boot", 1.0)
        survivor = disk.after_the_power_cut(tmp_path / "then")
    with ledger(survivor) as (_, reader):
        assert reader.purpose() == purpose(rows=100)
        assert [c.verb for c in reader.commands()] == ["run"]
        assert command == 1


def test_a_batch_costs_one_sync_however_many_rows_it_has(tmp_path: Path) -> None:
    disk = Disk()
    with power(disk, tmp_path / "l.db", "syncs") as (writer, _):
        writer.begin_command("run", "boot", 1.0)  # the first commit after the log was folded begins the log anew
        before = disk.syncs
        for claims, settled in small_run():
            writer.write(claims, settled)
        assert disk.syncs - before == len(small_run())
        before = disk.syncs
        writer.write([claim(n) for n in range(61, 101)], [])
        assert disk.syncs - before == 1


@pytest.mark.parametrize("level", ["OFF", "NORMAL"])
def test_this_disk_would_show_a_ledger_that_does_not_sync(tmp_path: Path, level: str) -> None:
    # Holds the tests above against a weaker promise: they can fail.
    disk = Disk()
    with power(disk, tmp_path / "l.db", f"weak-{level}") as (writer, reader):
        writer._db.execute(f"PRAGMA synchronous = {level}")
        writer.write([claim(1)], [])
        assert len(reader.claims([Status.CLAIMED])) == 1
        survivor = disk.after_the_power_cut(tmp_path / "then")
    with ledger(survivor) as (_, reader):
        assert reader.claims([Status.CLAIMED]) == []
