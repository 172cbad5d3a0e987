"""Real processes against a server of other making: whatever it does to a create, nobody is lost and nobody is twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.misdeeds import HALTING, IMPOSSIBLE, MISDEEDS
from tests.promises import Seen, check
from tests.raw_stripe import Misdeed, RawStripe, Visit
from tests.rig import KEY, tool

ROWS = 12
PLACES = {"the first": 1, "one in the middle": 6, "the last": ROWS}
RUN = ("--rate", "40", "--endpoint-rate", "create=40", "--timeout", "2s", "--dedupe", "off")


def _once(misdeed: Misdeed, nth: int) -> Callable[[Visit], Misdeed | None]:
    return lambda visit: misdeed if visit.nth == nth else None


def _storm(misdeed: Misdeed, seconds: float) -> Callable[[Visit], Misdeed | None]:
    ends: list[float] = []

    def misbehave(visit: Visit) -> Misdeed | None:
        ends.append(visit.request.at + seconds)
        return misdeed if visit.request.at < ends[0] else None

    return misbehave


def _until_done(server: RawStripe, source: Path, name: str, *, halts: bool) -> None:
    """Run until nothing is left to do; the promises hold after each run."""
    codes: list[int] = []
    until = time.monotonic() + 240
    while not codes or codes[-1] in (3, 4, 6):
        assert time.monotonic() < until, codes
        done = tool("run", source, "--api-base", server.url, *RUN)
        codes.append(done.returncode)
        assert "Traceback" not in done.stderr
        assert KEY not in done.stderr
        check(Seen.of(server, source), done.returncode)
        if halts:
            server.misbehave = lambda _: None
    assert codes[-1] == 0, (codes, done.stderr)
    assert (codes[0] == 4) == halts, (name, codes)
    assert Counter(line.status for line in Seen.of(server, source).lines) == Counter(created=ROWS)
    asked = len(server.arrivals)
    assert tool("run", source, "--api-base", server.url, *RUN).returncode == 0
    assert len(server.arrivals) == asked, "a finished ledger sent something"


def _source(folder: Path) -> Path:
    source = folder / "people.csv"
    source.write_text("email,name\n" + "".join(f"p{n}@example.com,Person {n}\n" for n in range(1, ROWS + 1)))
    return source


@pytest.mark.soak
@pytest.mark.parametrize("nth", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("name", MISDEEDS)
def test_one_misdeed_costs_no_row_and_makes_no_twin(tmp_path: Path, name: str, nth: int) -> None:
    with RawStripe() as server:
        server.misbehave = _once(MISDEEDS[name], nth)
        _until_done(server, _source(tmp_path), name, halts=name in HALTING)


@pytest.mark.soak
@pytest.mark.parametrize("name", MISDEEDS)
def test_a_storm_of_misdeeds_costs_no_row_and_makes_no_twin(tmp_path: Path, name: str) -> None:
    with RawStripe() as server:
        server.misbehave = _storm(MISDEEDS[name], 3.0)
        _until_done(server, _source(tmp_path), name, halts=name in HALTING | IMPOSSIBLE)


SLOW = {"500 stored, not acted", "acts long after the client gave up"}
"""What takes half a minute to prove, or seconds to happen."""


def test_everybody_is_made_once_though_each_row_meets_another_misdeed(tmp_path: Path) -> None:
    met = [name for name in MISDEEDS if name not in HALTING | IMPOSSIBLE | SLOW]
    source = tmp_path / "people.csv"
    rows = [f"{kind}{n}@example.com,Person {n}\n" for n in range(len(met)) for kind in ("p", "plain", "well")]
    source.write_text("email,name\n" + "".join(rows))
    misdeeds = {f"p{n}@example.com": MISDEEDS[name] for n, name in enumerate(met)}
    with RawStripe() as server:
        server.misbehave = lambda visit: misdeeds.pop(visit.email, None)
        options = ("--rate", "none", "--concurrency", "20", "--timeout", "1s", "--dedupe", "off")
        done = tool("run", source, "--api-base", server.url, *options)
        seen = Seen.of(server, source)
        check(seen, done.returncode)
        assert Counter(line.status for line in seen.lines) == Counter(created=len(rows)), done.stderr
