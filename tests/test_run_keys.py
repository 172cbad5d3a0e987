"""A key protects for a day on a clock that can be believed; whatever is in doubt is looked for before it is sent anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_import.options import Pacing
from bulk_import.simulator import Fault
from tests.virtual_run import Kill, Run, World, check_promises, people
from tests.virtual_stripe import EPOCH, Arrival, Trouble
from tests.virtual_time import virtual_loop

DAY_AND_MORE = 25 * 3600.0


def _killed(world: World, nth: int = 12, **changes: Any) -> Run:
    run = world.run(kill=Kill("send", "after", nth), **changes)
    assert run.killed
    assert world.claims(), "the kill leaves claims at rest"
    return run


@pytest.mark.parametrize("nth", [3, 8, 15, 20])
@pytest.mark.parametrize("batch_size", [5, 40])
def test_a_run_continued_after_the_keys_expired_makes_no_twin(tmp_path: Path, nth: int, batch_size: int) -> None:
    world = World(tmp_path, people(40))
    _killed(world, nth, batch_size=batch_size)
    world.wait(DAY_AND_MORE)
    world.stripe.account.forget_keys()
    run = world.run(batch_size=batch_size)
    assert run.exit_code == 0
    assert run.said("sweep")
    assert check_promises(world, run) == {"created": 40}


def test_of_many_doubts_only_those_that_one_list_does_not_show_are_asked_for_one_by_one(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    _killed(world, 12, batch_size=60)
    assert len(world.claims()) > 25
    world.wait(DAY_AND_MORE)
    world.stripe.account.forget_keys()
    run = world.run(batch_size=60)
    assert check_promises(world, run) == {"created": 60}
    asked = {a.email for a in run.arrivals if "email" in a.params and a.endpoint == "list"}
    assert asked == {a.email for a in run.creates()}
    assert 0 < len(asked) < 60


def test_a_young_key_is_simply_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    _killed(world)
    world.wait(22 * 3600.0)
    run = world.run()
    assert not run.said("sweep")
    assert check_promises(world, run) == {"created": 20}


@pytest.mark.parametrize("jump", [-DAY_AND_MORE, -3600.0, 3600.0, DAY_AND_MORE])
def test_a_clock_that_was_moved_makes_no_twin_and_nobody_waits_for_it(tmp_path: Path, jump: float) -> None:
    world = World(tmp_path, people(20))
    _killed(world)
    world.wait(60.0)
    world.clock_error = jump
    world.stripe.account.forget_keys()
    run = world.run()
    assert run.exit_code == 0
    assert run.said("sweep")
    assert check_promises(world, run) == {"created": 20}
    assert run.seconds < 120.0


def test_a_key_that_grew_too_old_at_the_gate_is_never_sent(tmp_path: Path) -> None:
    # The computer sleeps for a day while claims wait for their turn.
    world = World(tmp_path, people(40))
    woke: list[float] = []

    def asleep(arrival: Arrival) -> None:
        if arrival.endpoint == "create" and arrival.nth == 10:
            virtual_loop().stall(DAY_AND_MORE)
            world.stripe.account.forget_keys()
            woke.append(virtual_loop().time())

    world.stripe.misbehave = asleep
    run = world.run(batch_size=40)
    assert check_promises(world, run) == {"created": 40}
    after = [a for a in run.creates() if a.at >= woke[0]]
    assert after
    assert {a.params["metadata[bulk_import]"].split(":")[2] for a in after} == {"1"}, "a key went out a day old"


def test_a_doubt_dated_in_the_future_is_settled_without_waiting_for_that_day(tmp_path: Path) -> None:
    world = World(tmp_path, people(5))
    world.stripe.misbehave = _dropping("person3@example.com")
    world.clock_error = DAY_AND_MORE
    assert world.run(pacing=IMPATIENT).exit_code == 3
    assert [c.row for c in world.claims()] == [3]
    world.stripe.misbehave = None
    world.clock_error = 0.0
    world.stripe.delete(_made(world, "person3@example.com"), EPOCH + world.seconds)
    world.stripe.account.forget_keys()
    run = world.run()
    assert check_promises(world, run) == {"created": 5}
    assert run.seconds < 120.0


IMPATIENT = Pacing(rate=20.0, concurrency=16, max_attempts=2, give_up_after=60.0)


def _dropping(email: str) -> Callable[[Arrival], Trouble | None]:
    """Every answer about one person is lost, and nobody can be listed."""

    def misbehave(arrival: Arrival) -> Trouble | None:
        if arrival.endpoint == "list":
            return Fault("503", acts=False)
        return Fault("act-then-drop", acts=True) if arrival.email == email else None

    return misbehave


def _made(world: World, email: str) -> str:
    [found] = [i for i, c in world.stripe.account.customers.items() if c["email"] == email]
    return found


def test_a_customer_deleted_before_its_stored_answer_is_replayed_is_made_anew(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    _killed(world)
    named = {line.customer_id for line in world.lines()}
    unnamed = [found for found in world.stripe.account.customers if found not in named]
    assert len(unnamed) > 1
    world.wait(120.0)
    world.stripe.delete(unnamed[0], EPOCH + world.seconds)
    run = world.run()
    assert check_promises(world, run) == {"created": 20}
    assert len([a for a in run.arrivals if a.endpoint == "retrieve"]) == len(unnamed)


def test_claims_sent_under_another_api_key_are_looked_for_first(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    _killed(world)
    world.wait(60.0)
    run = world.run(key="sk_test_second")
    assert run.said("sweep")
    first_post = next(i for i, a in enumerate(run.arrivals) if a.method == "POST")
    assert any(a.endpoint == "list" for a in run.arrivals[:first_post])
    assert check_promises(world, run) == {"created": 20}


def test_the_key_that_claims_were_last_sent_with_is_the_one_that_counts(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    _killed(world)
    first = {claim.key_fingerprint for claim in world.claims()}
    world.wait(60.0)
    world.stripe.misbehave = lambda a: Fault("500", acts=False) if a.endpoint == "create" else None
    doubtful = world.run(key="sk_test_second", pacing=IMPATIENT)
    assert doubtful.creates()
    sent = {claim.key_fingerprint for claim in world.claims() if claim.attempted_at is not None}
    assert sent
    assert not sent & first
    world.stripe.misbehave = None
    run = world.run()
    assert run.said("sweep"), "the first key is now another one"
    assert check_promises(world, run) == {"created": 20}


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize("nth", [3, 8, 15])
def test_without_a_marker_a_doubt_is_settled_by_email_and_time_alone(tmp_path: Path, nth: int, hashed: bool) -> None:
    world = World(tmp_path, people(20))
    _killed(world, nth, marker=False, hash_emails=hashed)
    world.wait(DAY_AND_MORE)
    world.stripe.account.forget_keys()
    run = world.run(marker=False, hash_emails=hashed)
    tally = check_promises(world, run)
    assert run.exit_code == 0
    assert set(tally) <= {"created", "existing"}
    assert len(world.stripe.account.customers) == 20


def test_a_row_sent_under_a_new_key_still_owns_its_email(tmp_path: Path) -> None:
    world = World(tmp_path, [*people(6), "Person1@example.com,Twice", *people(3, first=7)])
    assert world.run(kill=Kill("send", "before", 2), hash_emails=True, batch_size=2).killed
    world.wait(DAY_AND_MORE)
    world.stripe.account.forget_keys()
    run = world.run(hash_emails=True, batch_size=2)
    assert check_promises(world, run) == {"created": 9, "duplicate": 1}
    assert world.lines()[6].duplicate_of == 1
