"""A real process that is gone before or after any commit and any await: the same command makes the ledger whole."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.dying import GONE
from tests.promises import Seen, check
from tests.raw_stripe import RawStripe
from tests.rig import environment
from tests.warm import start

OPTIONS = ("--rate", "none", "--concurrency", "4", "--batch-size", "5", "--dedupe", "snapshot", "--hash-emails")
NOWHERE = ("commit", "before", 0)
MOST = {"commit": 1000, "step": 80}
"""Points of a kind that are tried; of more, so many spread evenly."""


def died(server: RawStripe, source: Path, die: tuple[str, str, int] = NOWHERE) -> int:
    """Import *source* in a process that is gone at a point, and give its exit code."""
    kind, moment, nth = die
    counts, said = source.with_suffix(".counts"), source.with_suffix(".said")
    words = [kind, moment, str(nth), str(counts), "run", str(source), "--api-base", server.url, *OPTIONS]
    with said.open("w") as out, open(os.devnull) as nothing:
        return start("tests.dying:main", words, environment(), (nothing.fileno(), out.fileno(), out.fileno())).wait(
            timeout=60
        )


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


def _points(folder: Path, kind: str) -> list[int]:
    with RawStripe(latency=0.005) as server:
        source = _source(folder)
        assert died(server, source) == 1
        total = int(json.loads((folder / "people.counts").read_text())[kind])
    step = max(1, total // MOST[kind])
    return list(range(1, total + 1, step))


def _dies_and_goes_on(folder: Path, die: tuple[str, str, int]) -> bool:
    """Whether the process met its point; either way the ledger and the account must be whole in the end."""
    with RawStripe(latency=0.005) as server:
        _somebody_is_there(server)
        source = _source(folder)
        code = died(server, source, die)
        assert code in (GONE, 1), source.with_suffix(".said").read_text()
        again = died(server, source)
        assert again == 1, source.with_suffix(".said").read_text()
        seen = Seen.of(server, source)
        check(seen, again)
        assert Counter(line.status for line in seen.lines) == Counter(created=16, duplicate=2, existing=1, invalid=1)
        assert len(server.customers) == 17
        return code == GONE


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["commit", "step"])
def test_a_process_gone_at_any_point_loses_nobody_and_doubles_nobody(tmp_path: Path, kind: str, moment: str) -> None:
    points = _points(tmp_path / "whole", kind)
    met = [_dies_and_goes_on(tmp_path / str(nth), (kind, moment, nth)) for nth in points]
    assert sum(met) > 12, "the points of a whole run were numbered"


def test_a_process_gone_within_its_commits_is_continued_by_the_same_command(tmp_path: Path) -> None:
    assert _dies_and_goes_on(tmp_path / "claimed", ("commit", "after", 6))
