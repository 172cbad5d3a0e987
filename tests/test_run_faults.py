"""Whatever one request meets, and however long a storm lasts: nobody twice, nobody lost, and the run gets to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_import.options import Pacing
from bulk_import.simulator import Fault, FaultRule
from bulk_import.simulator.faults import BEHAVIOURS
from tests.virtual_run import Run, World, check_promises, people
from tests.virtual_stripe import Arrival, Distorted, Trouble, limited

ROWS = 12
HALTING = {"redirect", "other-livemode", "401", "403"}
IMPOSSIBLE = {"null200", "list200", "html200", "noid200", "error200"}
PLACES = {"the first": (1, 1), "one in the middle": (6, 6), "the last": (ROWS, ROWS)}
FAULTS = [(name, acts) for name, b in BEHAVIOURS.items() for acts in ((False, True) if name == "500" else (True,))]
IDS = [f"{name}-acted" if name == "500" and acts else name for name, acts in FAULTS]


def _until_done(world: World, run: Run, most: int = 3) -> Run:
    """Run again, without any trouble, until nothing is left; every promise must hold after each run."""
    world.stripe.misbehave = None
    world.stripe.faults.replace([])
    while run.exit_code not in (0, 1):
        most -= 1
        assert most >= 0, f"the run does not get to its end: {run}"
        run = world.run()
        check_promises(world, run, again=False)
    return run


@pytest.mark.parametrize(("first", "last"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("name", "acts"), FAULTS, ids=IDS)
def test_one_bad_answer_costs_no_row_and_makes_no_twin(
    tmp_path: Path, name: str, acts: bool, first: int, last: int
) -> None:
    world = World(tmp_path, people(ROWS))
    rule = FaultRule(name, endpoint="create", first=first, last=last, acted=float(acts))
    world.stripe.faults.replace([rule])
    run = world.run()
    tally = check_promises(world, run, again=first == 1)
    assert run.exit_code == (4 if name in HALTING else 0)
    assert "failed" not in tally
    _until_done(world, run)
    assert world.tally() == {"created": ROWS}


def _storm(name: str, acts: bool, begins: float, ends: float) -> Callable[[Arrival], Trouble | None]:
    def misbehave(arrival: Arrival) -> Trouble | None:
        return Fault(name, acts=acts and BEHAVIOURS[name].acts != "never") if begins <= arrival.at < ends else None

    return misbehave


@pytest.mark.parametrize(("name", "acts"), FAULTS, ids=IDS)
def test_a_minute_in_which_every_answer_is_bad_costs_no_row_and_makes_no_twin(
    tmp_path: Path, name: str, acts: bool
) -> None:
    world = World(tmp_path, people(ROWS))
    world.stripe.misbehave = _storm(name, acts, 1000.4, 1060.0)
    run = world.run()
    tally = check_promises(world, run)
    assert run.exit_code == (4 if name in HALTING | IMPOSSIBLE else 0)
    assert "failed" not in tally
    _until_done(world, run)
    assert world.tally() == {"created": ROWS}


@pytest.mark.parametrize(
    "reason", ["global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency", "odd"]
)
def test_a_429_of_any_reason_uses_up_no_attempt(tmp_path: Path, reason: str) -> None:
    world = World(tmp_path, people(5))
    world.stripe.misbehave = lambda a: limited(reason) if a.endpoint == "create" and a.attempt <= 9 else None
    run = world.run()
    assert check_promises(world, run) == {"created": 5}
    assert len(run.creates()) == 50


@pytest.mark.parametrize("batch", [1, 20], ids=["one after the other", "side by side"])
def test_an_answer_with_the_id_of_another_rows_customer_is_not_believed(tmp_path: Path, batch: int) -> None:
    """Marker and e-mail are right, so that nothing but the ledger can tell."""
    world = World(tmp_path, people(12))
    first: list[str] = []

    def of_the_first(customer: dict[str, Any]) -> dict[str, Any]:
        first.append(customer["id"])
        return {**customer, "id": first[0]}

    other = Distorted(of_the_first)
    world.stripe.misbehave = lambda a: other if a.endpoint == "create" and a.nth in (2, 5, 6) else None
    run = world.run(batch_size=batch, pacing=Pacing(rate=20.0, concurrency=batch))
    assert len(set(first)) == 3
    assert check_promises(world, run) == {"created": 12}, "the sweep finds each by its marker"


def test_a_customer_with_the_marker_of_another_row_is_no_success_of_this_one(tmp_path: Path) -> None:
    world = World(tmp_path, people(5))
    other = Distorted(lambda customer: {**customer, "metadata": {"bulk_import": f"{world.token}:4:0"}})
    world.stripe.misbehave = lambda a: other if a.email == "person2@example.com" and a.attempt == 1 else None
    run = world.run()
    assert check_promises(world, run) == {"created": 5}
    assert [a.attempt for a in run.creates() if a.email == "person2@example.com"] == [1, 2]


def test_without_a_marker_the_email_tells_a_success(tmp_path: Path) -> None:
    world = World(tmp_path, people(5))
    other = Distorted(lambda customer: {**customer, "email": "somebody.else@example.com"})
    world.stripe.misbehave = lambda a: other if a.email == "person2@example.com" and a.attempt == 1 else None
    run = world.run(marker=False)
    assert check_promises(world, run) == {"created": 5}
    assert len(run.creates()) == 6


def test_two_ledgers_on_one_account_never_share_a_key(tmp_path: Path) -> None:
    first = World(tmp_path, people(10), name="a")
    check_promises(first, first.run())
    second = World(tmp_path, people(10, first=101), first.stripe, name="b")
    second.seconds = first.seconds + 60.0
    run = second.run()
    assert run.exit_code == 0
    assert second.tally() == {"created": 10}
    assert len(run.creates()) == 10
