"""What a command keeps only while it works is gone afterwards, at the latest when the next one starts."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from bulk_import.errors import StoppedEarly
from bulk_import.reading import passing
from bulk_import.reading.passing import LOCK, PREFIX, passing_folder, remove_left_behind
from tests.rig import command, environment
from tests.test_end_to_end import wait_for


def test_a_folder_is_private_and_gone_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with passing_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "people.csv").write_text("email\n")
        remove_left_behind(tmp_path)  # another command starts
        assert (folder / "people.csv").exists()
    assert not list(tmp_path.iterdir())


def test_only_what_is_surely_left_behind_is_removed(tmp_path: Path) -> None:
    for name in (f"{PREFIX}dead", f"{PREFIX}somebody-s", "another"):
        (tmp_path / name).mkdir()
    for name in (f"{PREFIX}dead", "another"):
        (tmp_path / name / LOCK).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "another")
    remove_left_behind(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{PREFIX}somebody-s", f"{PREFIX}link", "another"}
    assert (tmp_path / "another" / LOCK).exists()


def test_no_place_for_it_is_a_sentence_and_a_full_one_is_not_tried_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StoppedEarly, match="TMPDIR"), passing_folder():
        pass

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(passing, "_locked", full)
    with pytest.raises(StoppedEarly, match="No space left on device"), passing_folder():
        pass


def test_what_a_killed_check_read_from_a_pipe_is_gone_with_the_next_command(tmp_path: Path) -> None:
    env = environment(TMPDIR=str(tmp_path))
    words = command("check", "-")
    with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as killed:
        assert killed.stdin is not None
        killed.stdin.write(b"email\n" + b"ann@example.com\n" * 200_000)
        killed.stdin.flush()
        wait_for(lambda: any(tmp_path.glob(f"{PREFIX}*/*.part")))
        os.kill(killed.pid, signal.SIGKILL)
        killed.stdin.close()
    assert any(tmp_path.iterdir())
    done = subprocess.run(words, env=env, input=b"email\nann@example.com\n", capture_output=True, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])
