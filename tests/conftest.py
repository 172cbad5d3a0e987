from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import leaks

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder in it that only its user may enter
ROOM = 2 << 30
"""Bytes that must be free where the tests' files go."""


def pytest_configure() -> None:
    """Before the first test, in whichever process it runs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Children inherit what whoever started the tests ignores, and some are to be stopped.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if _has_room(MEMORY):
        # A ledger waits for the disk at every commit, which is most of a test's time and shows nothing: what a process that
        # dies leaves is the same in memory, and what a power cut leaves no disk would show (see `test_power_cut`).
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _has_room(folder: Path) -> bool:
    """Whether the tests' files can go there, programs among them."""
    if not os.access(folder, os.W_OK):
        return False
    there = os.statvfs(folder)
    return not there.f_flag & os.ST_NOEXEC and there.f_bavail * there.f_frsize > ROOM


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no key in any file that it left or log that its commands wrote, no address in such a log."""
    leaks.heard.clear()
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    found = [*leaks.spoken(), *(leaks.written(folder) if folder is not None else ())]
    assert not found, "\n".join(found)
