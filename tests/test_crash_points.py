"""A real process that is gone before or after any commit and any await: the same command makes the ledger whole."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import Seen, check
from tests.raw_stripe import RawStripe
from tests.rig import PYTHON, environment
from tests.warm import GONE

OPTIONS = ("--rate", "none", "--concurrency", "4", "--batch-size", "5", "--dedupe", "snapshot", "--hash-emails")
NOWHERE = ("commit", "before", 0)
MOST = {"commit": 1000, "step": 80}
"""Points of a kind that are tried; of more, so many spread evenly."""


class Warm:
    """A warm process, and the command lines it is given."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, server: RawStripe, source: Path, die: tuple[str, str, int] = NOWHERE) -> int:
        words = ["run", str(source), "--api-base", server.url, *OPTIONS]
        asked = {"words": words, "die": die, "said": str(source.with_suffix(".said"))}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture
def warm() -> Iterator[Warm]:
    with subprocess.Popen(
        [*PYTHON, "tests.warm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        yield Warm(process)


def _source(folder: Path) -> Path:
    """Twenty rows: sixteen people, two of them twice, one who is there, and one without an address."""
    folder.mkdir()
    source = folder / "people.csv"
    rows = [f"p{n}@example.com,Person {n}" for n in range(1, 17)]
    rows += ["P1@example.com,Twice", "There@example.com,There", "nobody,Invalid", "p9@Example.com,Twice"]
    source.write_text("\n".join(["email,name", *rows]) + "\n")
    return source


def _somebody_is_there(server: RawStripe) -> None:
    server.customers["cus_There"] = {
        "id": "cus_There", "object": "customer", "email": "there@example.com", "created": 1_700_000_000,
        "livemode": False, "metadata": {},
    }  # fmt: skip


def _points(warm: Warm, folder: Path, kind: str) -> list[int]:
    with RawStripe(latency=0.005) as server:
        source = _source(folder)
        assert warm.run(server, source) == 1
        total = int(json.loads((folder / "people.said.counts").read_text())[kind])
    step = max(1, total // MOST[kind])
    return list(range(1, total + 1, step))


def _dies_and_goes_on(warm: Warm, folder: Path, die: tuple[str, str, int]) -> bool:
    """Whether the process met its point; either way the ledger and the account must be whole in the end."""
    with RawStripe(latency=0.005) as server:
        _somebody_is_there(server)
        source = _source(folder)
        code = warm.run(server, source, die)
        assert code in (GONE, 1), source.with_suffix(".said").read_text()
        again = warm.run(server, source)
        assert again == 1, source.with_suffix(".said").read_text()
        seen = Seen.of(server, source)
        check(seen, again)
        assert Counter(line.status for line in seen.lines) == Counter(created=16, duplicate=2, existing=1, invalid=1)
        assert len(server.customers) == 17
        return code == GONE


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["commit", "step"])
def test_a_process_gone_at_any_point_loses_nobody_and_doubles_nobody(
    tmp_path: Path, warm: Warm, kind: str, moment: str
) -> None:
    points = _points(warm, tmp_path / "whole", kind)
    met = [_dies_and_goes_on(warm, tmp_path / str(nth), (kind, moment, nth)) for nth in points]
    assert sum(met) > 12, "the points of a whole run were numbered"


def test_a_process_gone_within_its_commits_is_continued_by_the_same_command(tmp_path: Path, warm: Warm) -> None:
    assert _dies_and_goes_on(warm, tmp_path / "claimed", ("commit", "after", 6))
