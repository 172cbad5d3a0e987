"""The ledger as a file: private, locked, refused when it is anything else, and without what it should have forgotten."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bulk_import.errors import LedgerRefuses, LedgerUnwritable, StoppedEarly
from bulk_import.job.holding import Holding
from bulk_import.ledger import (
    Connection,
    Lock,
    Purpose,
    Reader,
    Writer,
    check_sqlite,
    connect,
    founding,
    is_locked,
    open_for_reading,
    open_for_writing,
    open_scratch,
)
from bulk_import.ledger.schema import APPLICATION_ID, VERSION
from bulk_import.model import Claim, Created, Customer, Duplicate, Existing, Failed, InDoubt, Released, Settled, Status
from tests.ledger_samples import NOW, claim, email_of, invalid, ledger, purpose, refusal, row

SECRET = "Zanzibar-Quagmire-7781"


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


# A library that is too old.


@pytest.mark.parametrize("version", [(3, 7, 15), (3, 26, 0), (3, 31, 1), (3, 32, 3)])
def test_an_sqlite_that_cannot_settle_rows_is_told_with_what_is_there_and_what_is_needed(
    version: tuple[int, ...],
) -> None:
    there = ".".join(map(str, version))
    with pytest.raises(StoppedEarly, match=rf"SQLite {there}, and the ledger needs 3\.33\.0 or later"):
        check_sqlite(version)


@pytest.mark.parametrize("version", [(3, 33, 0), (3, 40, 1), (4, 0, 0)])
def test_an_sqlite_that_can_settle_rows_is_taken(version: tuple[int, ...]) -> None:
    check_sqlite(version)


def test_with_an_sqlite_that_is_too_old_no_ledger_is_opened_and_none_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_sqlite, "__defaults__", ((3, 31, 1),))
    path = tmp_path / "l.db"
    opening: list[Callable[[], object]] = [
        lambda: open_for_writing(path),
        lambda: open_for_reading(path),
        lambda: open_scratch(None),
        lambda: Holding().take_ledger(path),  # a new ledger is opened only once the account has answered
    ]
    for open_it in opening:
        with pytest.raises(StoppedEarly, match=r"SQLite 3\.31\.1"):
            open_it()
    assert list(tmp_path.iterdir()) == []


# Private.


def test_the_ledger_and_all_files_beside_it_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    lock = Lock(path)
    with ledger(path) as (writer, _):
        writer.write([claim(1)], [])
        names = ["", "-wal", "-shm", ".lock"]
        assert [oct(mode(beside(path, ending))) for ending in names] == [oct(0o600)] * 4
    lock.release()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["l.db"]
    with open_closed_for_reading(path):
        assert all(mode(p) == 0o600 for p in tmp_path.iterdir())


@contextmanager
def open_closed_for_reading(path: Path) -> Iterator[Reader]:
    reader = Reader(open_for_reading(path), path)
    try:
        yield reader
    finally:
        reader.close()


def test_the_folder_of_a_ledger_is_left_as_it_was(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with ledger(tmp_path / "l.db"):
        assert mode(tmp_path) == 0o750


@pytest.mark.parametrize("dangling", [True, False])
def test_a_symlinked_ledger_is_refused_and_what_it_points_to_untouched(tmp_path: Path, dangling: bool) -> None:
    target, path = tmp_path / "target", tmp_path / "l.db"
    if not dangling:
        target.write_bytes(b"mine")
    path.symlink_to(target)
    for open_it in (open_for_writing, open_for_reading):
        with pytest.raises(LedgerRefuses, match="symbolic link"):
            open_it(path)
    assert target.exists() is not dangling
    assert dangling or target.read_bytes() == b"mine"


def test_a_ledger_with_a_second_name_is_refused_under_both_and_can_be_looked_at(tmp_path: Path) -> None:
    path, other = tmp_path / "a.db", tmp_path / "b.db"
    with ledger(path):
        other.hardlink_to(path)  # while somebody works on it
        with pytest.raises(LedgerRefuses, match="second name"):
            open_for_writing(other)
    with pytest.raises(LedgerRefuses, match=r"a\.db has a second name"):
        open_for_writing(path)
    open_for_reading(path).close()
    other.unlink()
    with ledger(path) as (_, reader):
        assert reader.purpose() is not None


def test_a_symlinked_lock_is_refused_and_what_it_points_to_untouched(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "l.db.lock").symlink_to(target)
    with pytest.raises(LedgerRefuses, match="symbolic link"):
        Lock(tmp_path / "l.db")
    assert target.read_text() == "mine"


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnwritable):
        open_for_writing(tmp_path)
    with pytest.raises(LedgerRefuses):
        open_for_reading(tmp_path)


def test_a_named_pipe_is_no_ledger(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "l.db")
    with pytest.raises(LedgerRefuses, match="not a regular file"):
        open_for_writing(tmp_path / "l.db")


def test_a_missing_ledger_is_not_made_by_looking_at_it(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefuses, match="not there"):
        open_for_reading(tmp_path / "l.db")
    assert list(tmp_path.iterdir()) == []


# Refused.


def refused(path: Path, word: str) -> None:
    """Both ways of opening refuse the file with *word* and leave it as it was."""
    before = path.read_bytes()
    for open_it in (open_for_writing, open_for_reading):
        with pytest.raises(LedgerRefuses, match=word) as caught:
            open_it(path)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def full_ledger(path: Path) -> None:
    with ledger(path, purpose(rows=400)) as (writer, _):
        writer.write([claim(n) for n in range(1, 401)], [])


def test_a_newer_schema_is_refused_naming_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    refused(path, f"schema {VERSION + 1}, this one knows {VERSION}")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE customers (id)")
    db.close()
    refused(path, "no ledger of this tool")


@pytest.mark.parametrize("content", [b"name,email\nAda,ada@example.com\n" * 40, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.db"
    path.write_bytes(content)
    refused(path, "damaged or no ledger")


@pytest.mark.parametrize("left", [100, 4096, 5000, 0.5])
def test_a_truncated_ledger_is_refused(tmp_path: Path, left: float) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)
    size = path.stat().st_size
    os.truncate(path, int(left if left > 1 else size * left))
    refused(path, "damaged or no ledger")


def test_a_ledger_whose_last_bytes_are_missing_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)
    os.truncate(path, path.stat().st_size - 10)
    with pytest.raises(LedgerRefuses, match="its end is missing"):
        open_for_writing(path)


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("log", [False, True])
def test_a_ledger_that_was_cut_down_to_nothing_is_no_new_one(tmp_path: Path, left: int, log: bool) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)
    os.truncate(path, left)
    if log:
        beside(path, "-wal").write_bytes(b"what its last writer left")
    refused(path, "is empty")
    with pytest.raises(LedgerRefuses, match="is empty"):
        taken(path)


def test_a_log_without_its_ledger_is_not_thrown_away(tmp_path: Path) -> None:
    path, log = tmp_path / "l.db", tmp_path / "l.db-wal"
    log.write_bytes(b"the last rows of a ledger that was moved")
    for open_it in (open_for_writing, taken):
        with pytest.raises(LedgerRefuses, match=r"l\.db is gone, but its log .*l\.db-wal is there"):
            open_it(path)
    assert [each.name for each in tmp_path.iterdir()] == ["l.db-wal"]
    os.truncate(log, 0)  # as a run leaves it that folded its log and was killed before it could take it away
    assert taken(path) is None


def test_a_ledger_without_its_log_still_knows_what_it_is_for_and_by_which_keys_it_sent(tmp_path: Path) -> None:
    path, alone = tmp_path / "l.db", tmp_path / "alone.db"
    with ledger(path) as (writer, _):
        writer.write([claim(1)], [])
        shutil.copyfile(path, alone)  # as whoever moves only the file of that name
    assert taken(alone) == purpose()


def taken(path: Path) -> Purpose | None:
    """What a job learns from the ledger as it takes it."""
    job = Holding()
    with job.stack:
        job.take_ledger(path)
        return job.purpose


class Dies(Exception):
    """The process is gone."""


class Dying:
    """A connection whose process dies before its n-th statement, or as it is closed after so many."""

    def __init__(self, path: str, nth: int) -> None:
        self._db, self._left = connect(path), nth

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        self._live()
        return self._db.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        self._live()
        return self._db.executemany(sql, parameters)

    def close(self) -> None:
        self._live()
        self._db.close()

    def bury(self) -> None:
        """Give back what a dead process would have lost."""
        self._db.close()

    def _live(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Dies


def dying(opened: list[Dying], nth: int, path: str) -> Dying:
    """One more of them, each with a count of its own."""
    opened.append(Dying(path, nth))
    return opened[-1]


def test_a_process_that_dies_as_it_founds_a_ledger_leaves_none_or_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = founding._remove
    for nth in range(1, 1000):
        path = tmp_path / f"{nth}.db"
        with monkeypatch.context() as dead:
            # The dead clean up nothing, but for what they did before.
            dead.setattr(founding, "_remove", lambda new: removed(new) if not new.exists() else None)
            opened: list[Dying] = []
            try:
                open_for_writing(path, partial(dying, opened, nth)).close()
            except Dies:
                ended = False
            else:
                ended = True
            finally:
                for connection in opened:
                    connection.bury()
        with ledger(path) as (_, reader):
            assert reader.purpose() == purpose()
        assert [each.name for each in tmp_path.iterdir() if ".new" in each.name] == []
        if ended:
            assert nth > 20
            return
    raise AssertionError("it never came to its end")


def test_a_folder_that_cannot_be_synced_may_hold_a_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    with ledger(tmp_path / "l.db") as (_, reader):
        assert reader.purpose() == purpose()


def test_what_a_dead_founder_has_left_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    for ending in (".new", ".new-wal", ".new-shm", ".new-journal"):
        beside(path, ending).write_bytes(b"half of something")
    with ledger(path) as (_, reader):
        assert reader.purpose() == purpose()
    assert [each.name for each in tmp_path.iterdir()] == ["l.db"]


def test_a_ledger_marks_itself_so_that_other_programs_can_tell(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)
    assert path.read_bytes()[68:72] == APPLICATION_ID.to_bytes(4, "big")


# One process.

HOLDER = """
import sys
from pathlib import Path
from bulk_import.ledger import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_on(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait(timeout=20)


def test_a_ledger_in_use_is_refused_naming_pid_and_host_until_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with another_process_on(path) as holder:
        who = f"pid {holder.pid} on {socket.gethostname()}"
        with pytest.raises(LedgerRefuses, match=f"in use by {who}"):
            Lock(path)
        assert is_locked(path) == who
        holder.kill()
        holder.wait(timeout=20)
        assert is_locked(path) is None
        lock = Lock(path)
        assert is_locked(path) == f"pid {os.getpid()} on {socket.gethostname()}"
        lock.release()


def test_a_lock_that_was_given_back_leaves_nothing_and_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        lock = Lock(tmp_path / "l.db")
        lock.release()
        assert is_locked(tmp_path / "l.db") is None
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_has_become_read_only_keeps_nobody_from_giving_a_lock_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = tmp_path / "l.db"
    with monkeypatch.context() as read_only:
        lock = Lock(path)
        read_only.setattr(Path, "unlink", refuse)
        lock.release()
    assert beside(path, ".lock").exists()
    assert is_locked(path) is None
    Lock(path).release()
    assert not beside(path, ".lock").exists()


def test_closing_the_ledger_does_not_give_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    lock = Lock(path)
    with ledger(path):
        pass
    with pytest.raises(LedgerRefuses):
        Lock(path)
    lock.release()


def test_two_ledgers_in_one_folder_do_not_lock_each_other(tmp_path: Path) -> None:
    locks = [Lock(tmp_path / name) for name in ("a.db", "b.db")]
    assert all(is_locked(tmp_path / name) for name in ("a.db", "b.db"))
    for lock in locks:
        lock.release()


def test_a_ledger_can_be_looked_at_while_it_is_written_and_looking_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path) as (writer, _), open_closed_for_reading(path) as reader:
        writer.write([claim(1)], [])
        assert reader.tally().count(Status.IN_DOUBT) == 1
        writer.write([], [Settled(1, Created("cus_1"))])
        assert reader.tally().count(Status.CREATED) == 1
        with closing(open_for_reading(path)) as db, pytest.raises(LedgerUnwritable):
            Writer(db, path, lambda: NOW).forget("cus_1")


# A disk that refuses.


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_says_so_and_what_was_written_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path, purpose(rows=999)) as (writer, reader):
        writer.write([claim(1)], [])
        with no_room_beyond(path.stat().st_size), pytest.raises(LedgerUnwritable, match="cannot be written"):
            writer.write([claim(n) for n in range(2, 999)], [Settled(1, Created("cus_1"))])
        assert [c.row for c in reader.claims([Status.CLAIMED])] == [1]
        writer.write([], [Settled(1, Created("cus_1"))])
    with ledger(path) as (_, reader):
        assert reader.tally().by_status == {Status.CREATED: 1}


@contextmanager
def no_file_more() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as lowest:
        unused = lowest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (unused, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_run_commits_without_a_file_besides_the_ledger_and_its_log(tmp_path: Path) -> None:
    def long_email(n: int) -> str:
        return f"{n * 2_654_435_761 % 2**32:08x}{'x' * 50}@example.com"

    def many(numbers: range) -> list[Claim]:
        return [replace(claim(n), email=long_email(n), email_key=long_email(n)) for n in numbers]

    path = tmp_path / "l.db"
    with ledger(path, purpose(rows=5000)) as (writer, reader):
        writer.write(many(range(1, 4000)), [])
        with no_file_more():
            writer.write(
                many(range(4000, 4300)), [Settled(n, Created(f"cus_{long_email(n)}")) for n in range(3000)[1:]]
            )
        assert reader.tally().by_status == {Status.CREATED: 2999, Status.CLAIMED: 1300}


def test_on_a_small_disk_the_log_leaves_the_ledger_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = list(os.statvfs(tmp_path))
    sizes: list[int] = []
    for megabytes in (80, 4_000):
        there[1], there[4] = 4096, megabytes << 8  # the size of a block, and how many are free
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(there))
        path = tmp_path / f"{megabytes}.db"
        with closing(open_for_writing(path)) as db:
            for number in range(10):
                db.execute("INSERT INTO payload (number, params) VALUES (?, ?)", (number, "x" * 1_000_000))
            sizes.append(path.with_name(path.name + "-wal").stat().st_size >> 20)
    assert sizes[0] < 6 < 8 < sizes[1]


def test_a_look_at_a_ledger_that_may_not_be_written_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)
    path.chmod(0o400)
    # Who is root may write any file; others are told what the mode says.
    monkeypatch.setattr(os, "access", lambda named, _: bool(os.stat(named).st_mode & 0o200))
    db = open_for_reading(path)
    assert db.execute("SELECT count(*) FROM entry").fetchone() == (400,)
    assert [each.name for each in tmp_path.iterdir() if each.suffix != ".lock"] == ["l.db"]
    db.close()


def test_a_full_disk_keeps_nobody_from_looking(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)
    with no_room_beyond(0), closing(open_for_reading(path)) as db:
        assert db.execute("SELECT count(*) FROM entry").fetchone() == (400,)


def test_a_read_only_ledger_says_that_it_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    full_ledger(path)

    def read_only(name: str) -> Connection:
        return sqlite3.connect(f"file:{name}?mode=ro", uri=True, isolation_level=None)

    writer = Writer(read_only(str(path)), path, lambda: NOW)
    writer.adopt(purpose())
    with pytest.raises(LedgerUnwritable, match="cannot be written"):
        writer.write([], [Settled(1, Created("cus_1"))])
    with suppress(LedgerUnwritable):
        writer.close()


@pytest.mark.parametrize("closed", [False, True])
def test_a_ledger_that_cannot_be_written_any_more_is_read_with_what_its_log_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    made, kept = tmp_path / "made.db", tmp_path / "kept.db"
    with ledger(made) as (writer, _):
        writer.write([claim(1)], [])
        if not closed:  # as a process that was killed leaves it: the index of the log is nowhere
            shutil.copyfile(made, kept)
            shutil.copyfile(beside(made, "-wal"), beside(kept, "-wal"))
    if closed:
        shutil.copyfile(made, kept)
    monkeypatch.setattr("bulk_import.ledger.opening._can_be_shared", lambda path: False)
    before = bytes_of(kept)
    reader = Reader(open_for_reading(kept), kept)
    assert [each.row for each in reader.claims([Status.CLAIMED])] == [1]
    reader.close()
    scratch = open_scratch(kept)
    assert scratch.execute("SELECT status FROM entry WHERE number = 1").fetchone() == ("claimed",)
    scratch.close()
    assert bytes_of(kept) == before
    assert not beside(kept, "-shm").exists()


def test_a_place_where_nothing_can_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnwritable, match="cannot be written"):
        Lock(tmp_path / "missing" / "l.db")
    with pytest.raises(LedgerUnwritable, match="cannot be written"):
        open_for_writing(tmp_path / "missing" / "l.db")


# What is forgotten.


def bytes_of(path: Path) -> bytes:
    """Everything on disk that belongs to the ledger."""
    return b"".join(p.read_bytes() for p in sorted(path.parent.iterdir()) if p.name.startswith(path.name))


def secret_claim(number: int, generation: int = 0) -> Claim:
    fields = {"E-mail": email_of(number), "Note": f"{SECRET} {number}" * 3}
    params = {"email": email_of(number), "description": f"{SECRET} {number}" * 3}
    return claim(number, generation, params=params, fields=fields)


def settle_many(path: Path, count: int, *, hashing: bool = False) -> None:
    """Import people by the batch, each batch settled while the next is claimed, as a run does."""
    with ledger(path, purpose(rows=count, hash_emails=hashing)) as (writer, _):
        _settle_all(writer, count)
        assert SECRET.encode() in bytes_of(path)


def _settle_all(writer: Writer, count: int) -> None:
    previous: list[Settled] = []
    for start in range(1, count + 1, 50):
        numbers = range(start, min(start + 50, count + 1))
        writer.write([secret_claim(n) for n in numbers], previous)
        previous = [Settled(n, Existing(f"cus_{n}") if n % 7 == 0 else Created(f"cus_{n}")) for n in numbers]
    writer.write([], previous)


def test_after_a_clean_end_no_parameter_of_a_settled_row_is_left_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    settle_many(path, 400)
    assert SECRET.encode() not in bytes_of(path)
    assert email_of(13).encode() in bytes_of(path)


def test_after_a_kill_the_next_start_leaves_no_parameter_of_a_settled_row(tmp_path: Path) -> None:
    path, after = tmp_path / "l.db", tmp_path / "after" / "l.db"
    after.parent.mkdir()
    with ledger(path, purpose(rows=400)) as (writer, _):
        _settle_all(writer, 400)
        for ending in ("", "-wal"):
            shutil.copyfile(beside(path, ending), beside(after, ending))
    assert SECRET.encode() in bytes_of(after)
    db = open_for_writing(after)
    assert SECRET.encode() not in bytes_of(after)
    db.close()


def test_what_is_not_settled_keeps_what_replay_and_retry_need(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path) as (writer, _):
        writer.write([secret_claim(n) for n in (1, 2, 3)], [])
        writer.write([], [Settled(2, Failed(refusal())), Settled(3, InDoubt(refusal()))])
    with ledger(path) as (_, reader):
        assert [c.params["description"][: len(SECRET)] for c in reader.claims([Status.CLAIMED, Status.IN_DOUBT])] == [
            SECRET
        ] * 2
        assert [r.number for r in reader.records([1, 2, 3])] == [1, 2, 3]


def test_fields_of_duplicates_and_invalid_rows_go_when_no_one_can_need_them(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path) as (writer, reader):
        writer.write([claim(1), claim(2)], [Settled(3, Duplicate(1), row(3, email_of(1)))])
        writer.write([], [Settled(4, Duplicate(2), row(4, email_of(2))), Settled(5, invalid(5), invalid(5))])
        writer.write([], [Settled(1, Created("cus_1")), Settled(2, Failed(refusal()))])
        writer.write([], [Settled(6, Duplicate(1), row(6, email_of(1)))])
        assert [r.number for r in reader.records(range(1, 7))] == [2, 4, 5]
        assert [line.row for line, _ in reader.failures()] == [2, 4, 5]
        writer.write([claim(2, 1)], [])
        writer.write([], [Settled(2, Created("cus_2"))])
        assert [r.number for r in reader.records(range(1, 7))] == [5]


def test_a_released_row_leaves_nothing_of_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path) as (writer, _):
        writer.write([secret_claim(1)], [])
        writer.write([], [Settled(1, Released(0))])
    assert SECRET.encode() not in bytes_of(path)


def test_with_hashed_emails_no_email_of_a_settled_row_is_left_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    settle_many(path, 400, hashing=True)
    left = bytes_of(path)
    assert [n for n in range(1, 401) if f"{email_of(n)}".encode() in left] == []


def test_with_hashed_emails_duplicates_and_the_accounts_customers_leave_no_email_either(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path, purpose(hash_emails=True)) as (writer, reader):
        writer.remember([Customer("cus_9", "nine@example.com", 5, livemode=False)], ["nine@example.com"], 5)
        writer.write([claim(1)], [Settled(2, Duplicate(1), row(2, email_of(1)))])
        writer.write([], [Settled(3, Existing("cus_9"), row(3)), Settled(1, Created("cus_1"))])
        hashed = writer.owned_key(email_of(1)) or ""
        assert reader.owners([hashed])[hashed].number == 1
        assert len(hashed) == 32
        assert writer.owned_key(email_of(2)) != hashed
        nine = writer.owned_key("nine@example.com") or ""
        assert [c.id for c in reader.customers([nine])[nine]] == ["cus_9"]
    assert b"@example.com" not in bytes_of(path)


def test_with_hashed_emails_a_row_in_doubt_keeps_its_email_until_it_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path, purpose(hash_emails=True)) as (writer, reader):
        writer.write([claim(1)], [])
        writer.write([], [Settled(1, InDoubt(refusal()))])
        assert [c.email for c in reader.claims([Status.IN_DOUBT])] == [email_of(1)]
        writer.write([], [Settled(1, Created("cus_1"))])
        assert [line.email for line in reader.lines([1])] == [None]


def test_an_undone_commit_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path) as (writer, reader):
        with pytest.raises(LedgerRefuses):
            writer.write([claim(1)], [Settled(9, Created("cus_1"))])
        writer.write([claim(2)], [])
        assert [c.row for c in reader.claims([Status.CLAIMED])] == [2]


def test_two_rows_that_would_own_one_email_take_their_whole_commit_back(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path, purpose(rows=200)) as (writer, reader):
        writer.write([claim(1)], [])
        twin = replace(claim(100), email=email_of(50), email_key=email_of(50))
        with pytest.raises(LedgerRefuses):
            writer.write([*map(claim, range(2, 100)), twin], [Settled(1, Created("cus_1"))])
        assert [c.row for c in reader.claims([Status.CLAIMED])] == [1]
        writer.write([claim(2)], [Settled(1, Created("cus_1"))])
        assert reader.tally().by_status == {Status.CREATED: 1, Status.CLAIMED: 1}


@pytest.mark.parametrize("own_id", [email_of(1), f" {email_of(1).upper()}", f"crm:{email_of(1)}"])
def test_with_hashed_emails_an_id_of_ones_own_that_is_the_email_does_not_stay_either(
    tmp_path: Path, own_id: str
) -> None:
    path = tmp_path / "l.db"
    with ledger(path, purpose(hash_emails=True)) as (writer, reader):
        twice = replace(row(2, email_of(1)), source_id=own_id)
        writer.write([claim(1, source_id=own_id), claim(3, source_id="u3")], [Settled(2, Duplicate(1), twice)])
        assert reader.claims([Status.CLAIMED])[0].source_id == own_id
        writer.write([], [Settled(1, Created("cus_1")), Settled(3, Created("cus_3"))])
        assert [line.source_id for line in reader.lines([1, 3])] == [writer.owned_key(email_of(1)), "u3"]
    assert email_of(1).encode() not in bytes_of(path).lower()


def test_a_ledger_of_the_first_version_still_opens_and_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path) as (writer, _):
        writer.write([claim(1)], [])
    db = sqlite3.connect(path)
    for table in ("image", "interval", "slow"):
        db.execute(f"DROP TABLE {table}")
    db.execute("DROP INDEX entry_method")
    db.execute("ALTER TABLE entry DROP COLUMN owned_method")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    with ledger(path) as (writer, reader):
        assert [c.row for c in reader.claims((Status.CLAIMED,))] == [1]
        writer.write([claim(2, target="cus_1", before={"name": "Ann"}, note="one of two")], [])
        assert reader.claims((Status.CLAIMED,))[1].note == "one of two"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == VERSION


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE job SET facts = replace(facts, 'account_name', 'aacount_name')", Reader.purpose),
        ("UPDATE job SET facts = substr(facts, 2)", Reader.purpose),
        ("UPDATE entry SET status = 'clained'", Reader.tally),
        ("UPDATE entry SET status = 'clained'", lambda reader: reader.owners([email_of(1)])),
        ("UPDATE payload SET params = substr(params, 2)", lambda reader: reader.claims(list(Status))),
        ("UPDATE entry SET doubt = 'opem'", lambda reader: reader.claims(list(Status))),
        ("UPDATE payload SET fields = '{\"a\": '", lambda reader: reader.records([1])),
        ("UPDATE command SET facts = 'x'", Reader.commands),
    ],
)
def test_texts_that_a_bad_disk_has_changed_are_a_damaged_ledger_and_no_unknown_error(
    tmp_path: Path, damage: str, read: Callable[[Reader], object]
) -> None:
    path = tmp_path / "test.ledger.db"
    with ledger(path) as (writer, reader):
        writer.begin_command("run", None, None)
        writer.write([replace(claim(1), fields={"a": "b"})], [])
        read(reader)
        with sqlite3.connect(path) as bad:
            bad.execute(damage)
        bad.close()
        with pytest.raises(LedgerRefuses, match="damaged"):
            read(reader)
