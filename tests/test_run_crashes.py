"""A process that dies before or after any commit and any request leaves nobody behind and makes nobody twice."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from bulk_import.simulator import Fault
from tests.virtual_run import Kill, Moment, World, check_promises, people
from tests.virtual_stripe import Arrival, Trouble, VirtualStripe

MOST_POINTS = 200


def _world(folder: Path, seed: int = 0) -> World:
    """Twenty rows: nine new people, four who are there, four duplicates and three invalid rows."""
    rows = people(4)
    rows += ["existing.000001@example.com,There", "existing.000002@example.com,There"]
    rows += ["PERSON1@example.com,Twice", "existing.000001@EXAMPLE.com,Twice", "not an address,Invalid"]
    rows += people(3, first=5)
    rows += ["existing.000003@example.com,There", "existing.000004@example.com,There"]
    rows += ["person6@Example.com,Twice", "person2@example.com,Twice", ",Invalid", "@,Invalid"]
    rows += people(2, first=8)
    return World(folder, rows, VirtualStripe(existing=12, seed=seed))


EXPECTED = {"created": 9, "existing": 4, "duplicate": 4, "invalid": 3}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["commit", "send"])
def test_a_kill_at_any_commit_or_request_makes_no_twin_and_loses_nobody(
    tmp_path: Path, what: Literal["commit", "send"], moment: Moment
) -> None:
    for nth in range(1, MOST_POINTS):
        folder = tmp_path / str(nth)
        folder.mkdir()
        world = _world(folder, seed=nth)
        killed = world.run(kill=Kill(what, moment, nth), dedupe="snapshot")
        if not killed.killed:
            assert nth > 12, "the points of a whole run were numbered"
            return
        run = world.run(dedupe="snapshot")
        assert run.exit_code == 1, f"killed {moment} {what} {nth}: {run.ended}"
        assert check_promises(world, run) == EXPECTED
    pytest.fail("the run never came to its end")


def _troubled(arrival: Arrival) -> Trouble | None:
    """The first answers to three people say nothing; two of them were made, one was not."""
    if arrival.endpoint != "create" or not arrival.params["metadata[bulk_import]"].endswith(":0"):
        return None
    match arrival.email, arrival.attempt:
        case ("person1@example.com", 1):
            return Fault("500", acts=True)
        case ("person2@example.com", 1):
            return Fault("500", acts=False)
        case ("person3@example.com", 1 | 2):
            return Fault("act-then-drop", acts=True)
    return None


@pytest.mark.parametrize(
    ("what", "moment", "hashed"),
    [
        ("commit", "before", False),
        ("commit", "after", True),
        ("send", "before", True),
        ("send", "after", False),
    ],
)
def test_a_kill_while_doubts_are_settled_makes_no_twin_and_loses_nobody(
    tmp_path: Path, what: Literal["commit", "send"], moment: Moment, hashed: bool
) -> None:
    for nth in range(1, MOST_POINTS):
        folder = tmp_path / str(nth)
        folder.mkdir()
        world = World(folder, [*people(4), "Person2@example.com,Twice"], VirtualStripe(seed=nth))
        world.stripe.misbehave = _troubled
        killed = world.run(kill=Kill(what, moment, nth), hash_emails=hashed)
        if not killed.killed:
            assert nth > 8, "the points of a whole run were numbered"
            return
        run = world.run(hash_emails=hashed)
        assert run.exit_code == 0, f"killed {moment} {what} {nth}: {run}"
        assert check_promises(world, run) == {"created": 4, "duplicate": 1}
    pytest.fail("the run never came to its end")


@pytest.mark.parametrize("nth", range(4, 13, 3))
def test_a_process_that_dies_again_and_again_still_gets_there(tmp_path: Path, nth: int) -> None:
    world = _world(tmp_path, seed=nth)
    lives = 0
    while (run := world.run(kill=Kill("send", "after", nth), dedupe="snapshot")).killed:
        lives += 1
        assert lives < 40, "it never gets to its end"
    assert run.exit_code == 1
    assert lives >= 1
    assert check_promises(world, run) == EXPECTED


def test_the_second_process_lets_the_dead_ones_last_second_pass(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    assert world.run(kill=Kill("send", "before", 25)).killed
    world.seconds -= 0.04
    run = world.run()
    assert check_promises(world, run) == {"created": 60}
    assert run.arrivals[0].at - world.starts[24] >= 1.0
