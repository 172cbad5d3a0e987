"""`retry` out of the ledger alone: failed rows go out under new keys, and no stored refusal comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from tests.virtual_run import Kill, Moment, World, check_promises, people
from tests.virtual_stripe import Arrival, Trouble, VirtualStripe, refused


def _refusing(*numbers: int) -> Callable[[Arrival], Trouble | None]:
    emails = {f"person{n}@example.com" for n in numbers}
    return lambda a: refused(400, "email_invalid", "email") if a.endpoint == "create" and a.email in emails else None


def _with_failures(folder: Path, seed: int = 0) -> World:
    rows = [*people(8), "PERSON2@example.com,Twice", "nobody,Invalid"]
    world = World(folder, rows, VirtualStripe(seed=seed))
    world.stripe.misbehave = _refusing(2, 5, 7)
    run = world.run()
    assert run.exit_code == 1
    assert world.tally() == {"created": 5, "failed": 3, "duplicate": 1, "invalid": 1}
    world.stripe.misbehave = None
    return world


def test_failed_rows_are_sent_again_under_new_keys_and_their_duplicates_follow(tmp_path: Path) -> None:
    world = _with_failures(tmp_path)
    keys = {a.key for a in world.stripe.arrivals if a.key}
    run = world.run(retry=True)
    assert check_promises(world, run) == {"created": 8, "duplicate": 1, "invalid": 1}
    assert len(run.creates()) == 3
    assert not keys & {a.key for a in run.creates()}
    assert world.lines()[8].customer_id == world.lines()[1].customer_id


def test_a_refusal_that_stripe_stored_is_not_replayed_to_a_retry(tmp_path: Path) -> None:
    rows = ["one@example.com,pm_card_visa", "two@example.com,pm_card_chargeDeclined"]
    world = World(tmp_path, rows, header="email,payment_method")
    assert world.run().exit_code == 1
    run = world.run(retry=True)
    assert check_promises(world, run) == {"created": 1, "failed": 1}
    assert world.lines()[1].error_code == "card_declined"
    keys = [a.key for a in world.stripe.arrivals if a.email == "two@example.com"]
    assert len(keys) == len(set(keys)) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["commit", "send"])
def test_a_retry_killed_anywhere_makes_no_twin_and_the_next_one_ends_it(
    tmp_path: Path, what: Literal["commit", "send"], moment: Moment
) -> None:
    for nth in range(1, 60):
        folder = tmp_path / str(nth)
        folder.mkdir()
        world = _with_failures(folder, seed=nth)
        if not world.run(kill=Kill(what, moment, nth), retry=True).killed:
            assert nth > 3, "the points of a whole retry were numbered"
            return
        run = world.run(retry=True)
        assert run.exit_code == 1, f"killed {moment} {what} {nth}: {run}"
        assert check_promises(world, run) == {"created": 8, "duplicate": 1, "invalid": 1}
    pytest.fail("the retry never came to its end")
