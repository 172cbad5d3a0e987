"""Bounded channels and group commits: the source is read no faster than it is sent, the disk is asked now and then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bulk_import.engine.ahead import LEAD_HALVES_IN, LONGEST_LEAD, lead_after
from bulk_import.errors import OutOfReach
from bulk_import.options import Pacing
from tests.virtual_run import World, check_promises, people
from tests.virtual_stripe import VirtualStripe, limited, refused


@pytest.mark.parametrize(("batch_size", "concurrency"), [(3, 4), (10, 8), (50, 16)])
def test_the_source_is_never_read_far_ahead_of_what_is_sent(tmp_path: Path, batch_size: int, concurrency: int) -> None:
    world = World(tmp_path, people(150))
    run = world.run(batch_size=batch_size, pacing=Pacing(rate=20.0, concurrency=concurrency))
    assert check_promises(world, run) == {"created": 150}
    ahead = max(
        read - sent for read, sent in run.read
    )  # one batch is claimed ahead of sending, one read ahead of claiming
    assert ahead <= 3 * batch_size + 2 * concurrency + 1


@pytest.mark.parametrize(("batch_size", "rate"), [(100, 20.0), (20, 60.0)])
def test_about_one_batch_is_claimed_ahead_of_what_is_sent_however_many_may_be_in_flight(
    tmp_path: Path, batch_size: int, rate: float
) -> None:
    world = World(tmp_path, people(700))
    run = world.run(batch_size=batch_size, pacing=Pacing(rate=rate, rate_is_explicit=True))
    assert check_promises(world, run, cap=rate) == {"created": 700}
    # A batch is needed once less than a second's worth of the one before is left.
    assert max(claimed - sent for claimed, sent in run.claimed) <= batch_size + 2 * rate
    assert run.seconds < 1.05 * 700 / rate + 2.0


def test_a_slow_disk_is_asked_far_less_often_than_there_are_rows(tmp_path: Path) -> None:
    world = World(tmp_path, people(400), VirtualStripe(latency=0.3))
    pacing = Pacing(rate=200.0, rate_is_explicit=True, concurrency=64)
    run = world.run(batch_size=100, disk=0.1, pacing=pacing)
    assert check_promises(world, run, cap=200.0) == {"created": 400}
    assert run.group_commits < 50


def test_a_slow_disk_does_not_slow_what_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path, people(150))
    run = world.run(batch_size=100, disk=0.1, pacing=Pacing(rate=20.0))
    assert check_promises(world, run) == {"created": 150}
    assert run.seconds < 1.1 * 150 / 20.0 + 1.0


def test_the_cap_is_used_and_never_exceeded_retries_and_questions_included(tmp_path: Path) -> None:
    world = World(tmp_path, people(300), VirtualStripe(existing=150))
    run = world.run(dedupe="snapshot", batch_size=100, pacing=Pacing(rate=20.0))
    assert check_promises(world, run) == {"created": 300}
    first = next(n for n, arrival in enumerate(run.arrivals) if arrival.endpoint == "create")
    starts = world.starts[first : run.sends]
    assert (len(starts) - 1) / (starts[-1] - starts[0]) / 20.0 >= 0.97


@pytest.mark.parametrize(("rate", "rows"), [(100.0, 1000), (500.0, 2500)])
def test_reading_the_newest_customers_never_leaves_a_high_cap_unused(tmp_path: Path, rate: float, rows: int) -> None:
    world = World(tmp_path, people(rows), VirtualStripe(latency=0.25))
    run = world.run(dedupe="snapshot", batch_size=100, pacing=Pacing(rate=rate, rate_is_explicit=True))
    assert check_promises(world, run, cap=rate) == {"created": rows}
    creates = [arrival.at for arrival in run.arrivals if arrival.endpoint == "create"]
    assert (len(creates) - 1) / (creates[-1] - creates[0]) / rate >= 0.97


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [("create", "endpoint-rate"), ("list", "global-concurrency"), (None, "global-rate"), (None, None)],
)
def test_an_endpoint_that_accepts_nothing_for_long_stops_the_run_and_a_new_one_goes_on(
    tmp_path: Path, endpoint: str | None, code: str | None
) -> None:
    world = World(tmp_path, people(30), VirtualStripe(existing=10))
    refusal = limited(code) if code else refused(429, "lock_timeout")
    world.stripe.misbehave = lambda arrival: refusal if endpoint in (None, arrival.endpoint) else None
    run = world.run(dedupe="snapshot", pacing=Pacing(rate=20.0, give_up_after=120.0))
    assert run.exit_code == 3
    assert run.ended is not None
    assert isinstance(run.ended.error, OutOfReach)
    assert (code or "429") in str(run.ended.error)
    assert 120.0 <= run.seconds <= 180.0
    world.stripe.misbehave = None
    assert check_promises(world, world.run(dedupe="snapshot")) == {"created": 30}


HOURS = "100000"


@pytest.mark.parametrize("status", [429, 503])
def test_nobody_waits_for_one_answer_longer_than_the_run_may_wait_and_not_in_silence(
    tmp_path: Path, status: int
) -> None:
    world = World(tmp_path, people(20))
    asks = refused(status, "lock_timeout" if status == 429 else None)
    asks = replace(asks, headers={"Retry-After": HOURS})
    last = "person20@example.com"
    world.stripe.misbehave = lambda a: asks if a.email == last and a.attempt == 1 else None
    run = world.run(pacing=Pacing(rate=20.0, give_up_after=60.0))
    assert check_promises(world, run) == {"created": 20}
    assert 60.0 <= run.seconds <= 65.0
    [said] = run.said("slowed")
    assert "asks to wait" in said
    assert "1 min" in said


def test_an_outage_that_ended_while_every_row_slept_until_its_last_attempt_stops_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    broken = refused(503, None)
    world.stripe.misbehave = lambda a: broken if a.endpoint == "create" and a.nth <= 20 else None
    run = world.run(pacing=Pacing(rate=20.0, concurrency=32, max_attempts=2, give_up_after=20.0))
    assert len(run.said("paused")) == 1
    assert check_promises(world, run) == {"created": 20}


@pytest.mark.parametrize("patience", [4.0, 25.0])
def test_a_read_that_nobody_answers_ends_the_run_when_its_patience_ends(tmp_path: Path, patience: float) -> None:
    world = World(tmp_path, people(3), VirtualStripe(existing=10))
    world.stripe.misbehave = lambda arrival: refused(503, None)
    run = world.run(dedupe="snapshot", pacing=Pacing(rate=20.0, give_up_after=patience))
    assert (run.exit_code, world.tally()) == (3, {"pending": 3})
    assert patience <= run.seconds <= patience + 2.0


def test_an_answer_that_asks_for_hours_again_and_again_ends_the_run(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    asks = replace(refused(429, "lock_timeout"), headers={"Retry-After": HOURS})
    world.stripe.misbehave = lambda a: asks if a.email == "person20@example.com" else None
    run = world.run(pacing=Pacing(rate=20.0, give_up_after=20.0))
    assert (run.exit_code, world.tally()) == (3, {"created": 19, "pending": 1})
    assert run.seconds <= 45.0, "others were accepted after the first of these answers, but not after the second"
    world.stripe.misbehave = None
    assert check_promises(world, world.run()) == {"created": 20}


@pytest.mark.parametrize(("asked", "said"), [("3", 0), ("30", 1), (HOURS, 1)])
def test_a_long_wait_that_is_asked_for_is_told_and_kept(tmp_path: Path, asked: str, said: int) -> None:
    world = World(tmp_path, people(5))
    asks = replace(refused(429, "lock_timeout"), headers={"Retry-After": asked})
    world.stripe.misbehave = lambda a: asks if a.email == "person5@example.com" and a.attempt == 1 else None
    run = world.run()
    assert check_promises(world, run) == {"created": 5}
    assert run.seconds >= min(float(asked), 600.0)
    assert len(run.said("slowed")) == said


def test_a_limit_that_lets_little_through_never_stops_the_run(tmp_path: Path) -> None:
    world = World(tmp_path, people(30))
    world.stripe.misbehave = lambda arrival: (
        limited("endpoint-rate") if arrival.endpoint == "create" and arrival.nth % 12 else None
    )
    assert check_promises(world, world.run(pacing=Pacing(rate=20.0, give_up_after=120.0))) == {"created": 30}


@pytest.mark.parametrize(
    ("lead", "took", "passed", "after"),
    [
        (0.0, 0.3, 5.0, 0.3),  # a slow batch is remembered at once
        (4.0, 0.1, LEAD_HALVES_IN, 2.0),  # and forgotten slowly, since only one batch of many reads the newest
        (4.0, 3.0, LEAD_HALVES_IN, 3.0),
        (0.0, 900.0, 900.0, LONGEST_LEAD),  # an outage is no reason to claim more
    ],
)
def test_a_batch_is_begun_as_early_as_batches_take_long(lead: float, took: float, passed: float, after: float) -> None:
    assert lead_after(lead, took, passed) == pytest.approx(after)
