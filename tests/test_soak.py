"""Random kills until everybody is in: `pytest -m soak`."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.rig import check_promises, command, environment, simulated, tool
from tests.test_end_to_end import FAST, UNLIMITED, write_users

FAULTS = "reset=0.02,act-then-drop=0.02,500=0.02,truncate=0.02,409=0.02,429=0.02"


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_twenty_random_kills_lose_nobody_and_double_nobody(tmp_path: Path, seed: int) -> None:
    source = write_users(tmp_path / "users.csv", 1000, duplicates=100, invalid=25)
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose, guards nothing
    with simulated(
        *UNLIMITED, "--latency", "250ms", "--jitter", "80ms", "--faults", FAULTS, "--seed", str(seed)
    ) as server:
        run = ("run", source, "--api-base", server.url, *FAST, "--timeout", "5s")
        kills = 0
        while kills < 20:
            running = subprocess.Popen(command(*run), env=environment(), stderr=subprocess.DEVNULL)
            try:
                running.wait(timeout=chance.uniform(0.3, 4.0))
                break
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
                running.wait()
                kills += 1
        until = time.monotonic() + 600
        while (done := tool(*run)).returncode == 6:
            assert time.monotonic() < until, done.stderr
        assert done.returncode == 1, done.stderr
        tally = check_promises(server, tmp_path / "users.csv.ledger.db", 1000)
        assert tally == Counter(created=875, duplicate=100, invalid=25)
