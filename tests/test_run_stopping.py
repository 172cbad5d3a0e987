"""What stops a run, and what it leaves: a refusal of us, an outage, too many refusals of rows; the same run goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_import import early
from bulk_import.errors import OutOfReach, StripeRefuses, TooManyErrors
from bulk_import.options import Pacing
from bulk_import.simulator import Fault
from tests.virtual_run import Run, World, check_promises, people
from tests.virtual_stripe import Arrival, Trouble, VirtualStripe, limited, refused

HALTS: dict[str, Trouble] = {
    "401": refused(401, "api_key_expired"),
    "403": refused(403, None),
    "account": refused(400, "account_invalid"),
    "redirect": Fault("redirect", acts=False),
    "other livemode": Fault("other-livemode", acts=True),
}


def _from_create(nth: int, trouble: Trouble) -> Callable[[Arrival], Trouble | None]:
    return lambda a: trouble if a.endpoint == "create" and a.nth >= nth else None


@pytest.mark.parametrize("nth", [1, 10])
@pytest.mark.parametrize("trouble", HALTS.values(), ids=HALTS)
def test_a_refusal_of_us_stops_at_once_and_fails_no_row(tmp_path: Path, trouble: Trouble, nth: int) -> None:
    world = World(tmp_path, people(40))
    world.stripe.misbehave = _from_create(nth, trouble)
    run = world.run()
    tally = check_promises(world, run)
    assert run.ended is not None
    assert isinstance(run.ended.error, StripeRefuses)
    assert set(tally) <= {"created", "in_doubt", "pending"}
    in_flight = len([a for a in run.creates() if a.nth >= nth])
    assert in_flight <= 6, "requests went on being started after the refusal"
    assert tally.get("in_doubt", 0) <= in_flight
    assert tally.get("pending", 0) >= 40 - nth - in_flight
    world.stripe.misbehave = None
    _goes_on(world)


@pytest.mark.parametrize("status", [401, 403])
def test_a_row_whose_every_attempt_was_turned_away_was_surely_never_sent(tmp_path: Path, status: int) -> None:
    world = World(tmp_path, people(40))
    too_many = limited("endpoint-rate")
    world.stripe.misbehave = lambda a: (
        None if a.endpoint != "create" or a.nth < 10 else too_many if a.attempt == 1 else refused(status, None)
    )
    tally = check_promises(world, world.run())
    assert set(tally) == {"created", "pending"}
    world.stripe.misbehave = None
    _goes_on(world)


def test_a_row_that_may_have_been_made_before_the_key_was_refused_stays_in_doubt(tmp_path: Path) -> None:
    world = World(tmp_path, people(10))
    world.stripe.misbehave = lambda a: (
        None if a.email != "person3@example.com"
        else Fault("act-then-drop", acts=True) if a.attempt == 1 else refused(401, None)
    )  # fmt: skip
    tally = check_promises(world, world.run())
    assert tally["in_doubt"] == 1
    assert world.status(3) == "in_doubt"
    world.stripe.misbehave = None
    _goes_on(world)


def _goes_on(world: World, dedupe: str = "off") -> Run:
    world.wait(30.0)
    again = world.run(dedupe=dedupe)
    assert again.exit_code == 0
    assert check_promises(world, again) == {"created": world.rows}
    return again


@pytest.mark.parametrize(
    ("name", "attempts"),
    [("null200", 8), ("list200", 8), ("noid200", 8), ("error200", 8), ("html200", 8), ("null200", 2), ("null200", 1)],
)
def test_three_impossible_answers_in_a_row_stop_the_run(tmp_path: Path, name: str, attempts: int) -> None:
    world = World(tmp_path, people(40))
    world.stripe.misbehave = _from_create(10, Fault(name, acts=False))
    run = world.run(pacing=Pacing(rate=20.0, concurrency=16, max_attempts=attempts))
    assert run.exit_code == 4
    tally = check_promises(world, run)
    assert set(tally) == {"created", "in_doubt", "pending"}
    world.stripe.misbehave = None
    _goes_on(world)


def test_impossible_answers_between_good_ones_stop_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, people(40))
    odd = Fault("null200", acts=False)
    world.stripe.misbehave = lambda a: odd if a.endpoint == "create" and a.nth % 3 == 0 and a.attempt == 1 else None
    run = world.run(pacing=Pacing(rate=20.0, concurrency=1))
    assert check_promises(world, run) == {"created": 40}


def test_impossible_answers_to_requests_side_by_side_say_no_more_than_one_of_them(tmp_path: Path) -> None:
    world = World(tmp_path, people(40))
    odd = Fault("null200", acts=False)
    world.stripe.misbehave = lambda a: odd if a.endpoint == "create" and a.nth in (3, 4, 5, 6) else None
    run = world.run(pacing=Pacing(rate=100.0, concurrency=16))
    assert check_promises(world, run, cap=100.0) == {"created": 40}


# Out of reach.


@pytest.mark.parametrize(
    ("begins", "how", "dedupe"),
    [
        (1000.0, "gone", "off"),
        (1000.0, "502html", "off"),
        (1000.0, "hang", "snapshot"),
        (1001.5, "gone", "off"),
        (1001.5, "gone", "snapshot"),
        (1001.5, "gone", "search"),
        (1001.5, "gone", "lookup"),
        (1001.5, "reset", "off"),
        (1001.5, "hang", "off"),
        (1001.5, "503", "snapshot"),
        (1001.5, "503", "search"),
    ],
)
def test_five_minutes_without_stripe_are_waited_out(tmp_path: Path, begins: float, how: str, dedupe: str) -> None:
    world = World(tmp_path, people(60), VirtualStripe(existing=150))
    if how == "gone":
        world.stripe.gone = (begins, begins + 300.0)
    else:
        fault = Fault(how, acts=False)
        world.stripe.misbehave = lambda a: fault if begins <= a.at < begins + 300.0 else None
    run = world.run(dedupe=dedupe)
    assert check_promises(world, run) == {"created": 60}
    assert run.exit_code == 0
    assert 295.0 < run.seconds < 700.0
    assert len([a for a in run.arrivals if begins + 60.0 <= a.at < begins + 290.0]) < 60, (
        "it was not probed but hammered"
    )


def test_an_outage_is_said_and_its_end_too(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    world.stripe.gone = (1001.5, 1301.5)
    run = world.run()
    assert [code for code, _ in run.notices if code in ("paused", "resumed")] == ["paused", "resumed"]


@pytest.mark.parametrize(("begins", "dedupe"), [(1000.0, "off"), (1001.5, "off"), (1001.5, "snapshot")])
def test_an_outage_longer_than_it_may_wait_ends_the_run_and_leaves_everything_to_the_next(
    tmp_path: Path, begins: float, dedupe: str
) -> None:
    world = World(tmp_path, people(60))
    world.stripe.gone = (begins, begins + 5000.0)
    run = world.run(dedupe=dedupe)
    assert run.ended is not None
    assert isinstance(run.ended.error, OutOfReach)
    assert 890.0 < run.seconds < 960.0
    tally = check_promises(world, run)
    assert set(tally) <= {"created", "in_doubt", "pending"}
    world.wait(5000.0)
    _goes_on(world, dedupe=dedupe)


def test_one_read_that_is_never_answered_ends_the_run_and_leaves_everything_to_the_next(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    broken = Fault("503", acts=False)
    world.stripe.misbehave = lambda a: broken if "person3@" in a.email and a.endpoint == "list" else None
    run = world.run(dedupe="lookup", batch_size=60)
    assert run.exit_code == 3
    assert check_promises(world, run) == {"pending": 60}
    world.stripe.misbehave = None
    _goes_on(world, dedupe="lookup")


# Too many refusals.


def _refusing(
    *numbers: int, code: str = "parameter_unknown", param: str = "name"
) -> Callable[[Arrival], Trouble | None]:
    emails = {f"person{n}@example.com" for n in numbers}
    return lambda a: refused(400, code, param) if a.endpoint == "create" and a.email in emails else None


def test_refused_rows_stop_no_good_ones(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    world.stripe.misbehave = _refusing(3, 17, 40)
    run = world.run()
    assert run.exit_code == 1
    assert check_promises(world, run) == {"created": 57, "failed": 3}


def test_first_rows_refused_alike_go_back_to_the_start_under_new_keys(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    world.stripe.misbehave = _refusing(*range(1, 61))
    run = world.run()
    assert run.ended is not None
    assert isinstance(run.ended.error, TooManyErrors)
    assert check_promises(world, run) == {"pending": 60}
    keys = {a.key for a in run.creates()}
    assert 20 <= len(keys) <= 40
    world.stripe.misbehave = None
    again = _goes_on(world)
    assert not keys & {a.key for a in again.creates()}, "a key that was refused was used again"


def test_first_rows_refused_alike_are_rows_of_their_own_once_the_ledger_has_a_success(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    world.stripe.misbehave = _from_create(4, refused(401, None))
    assert world.run(pacing=Pacing(rate=20.0, concurrency=1)).exit_code == 4
    assert world.tally()["created"] == 3
    world.stripe.misbehave = _refusing(*range(4, 31))
    run = world.run(pacing=Pacing(rate=20.0, concurrency=16, max_error_share=None))
    assert run.exit_code == 1
    assert check_promises(world, run) == {"created": 33, "failed": 27}


def test_refusals_of_several_kinds_are_no_mapping_mistake(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    codes = ["email_invalid", "tax_id_invalid"]
    world.stripe.misbehave = lambda a: refused(400, codes[a.nth % 2], "x") if a.endpoint == "create" else None
    run = world.run(pacing=Pacing(rate=20.0, concurrency=1, max_errors=25, max_error_share=None))
    assert run.exit_code == 3
    assert check_promises(world, run) == {"failed": 26, "pending": 34}
    world.stripe.misbehave = None
    again = world.run()
    assert check_promises(world, again) == {"failed": 26, "created": 34}


def test_a_share_of_refusals_stops_the_run_once_there_are_enough_answers(tmp_path: Path) -> None:
    world = World(tmp_path, people(200))
    world.stripe.misbehave = lambda a: (
        refused(400, "email_invalid") if a.endpoint == "create" and a.nth % 5 == 0 else None
    )
    run = world.run()
    assert run.exit_code == 3
    tally = check_promises(world, run)
    assert 100 <= tally["created"] + tally["failed"] <= 120


def test_a_signal_that_came_before_anything_listened_stops_the_run_before_it_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "caught", [int(signal.SIGTERM)])
    world = World(tmp_path, people(5))
    run = world.run(signals=(signal.SIGTERM,))
    assert run.ended is not None
    assert run.ended.signal == signal.SIGTERM
    assert not run.creates()
    monkeypatch.setattr(early, "caught", [])
    _goes_on(world)
