from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.ledger import Reader, open_for_reading
from bulk_import.model import Endpoint, Reply
from bulk_import.report.plots import at_work, latencies, throughput
from bulk_import.series import EVERY, MOST, RATIO, SLOWEST, UNIT, Interval, Series, bounded, percentile, step_of
from tests.cli_calls import purpose, written


class Clock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def interval(began: int, count: int = 1, width: int = 1) -> Interval:
    return Interval(began, width, count, 20.0, Counter({"create 200": count}), Counter({step_of(0.1): count}))


def test_requests_are_counted_in_the_second_of_their_answer() -> None:
    clock = Clock()
    series = Series(clock, 20.0)
    series.heard(Endpoint.CREATE, Reply(200, seconds=0.1))
    clock.now += 0.5
    series.heard(Endpoint.CREATE, Reply(429, seconds=0.01))
    series.heard(Endpoint.LIST, Reply(None, fault="timeout", seconds=30.0))
    clock.now += 1
    series.written(3)
    first, second = series.take().intervals
    assert first.answers == Counter({"create 200": 1, "create 429": 1, "list timeout": 1})
    assert first.waits == Counter({step_of(0.1): 1, step_of(0.01): 1})  # what timed out was no answer
    assert (first.answers_of(429), first.settled, second.settled, second.cap) == (1, 0, 3, 20.0)
    assert series.take().intervals == ()


def test_it_is_time_to_hand_over_every_few_seconds() -> None:
    clock = Clock()
    series = Series(clock, None)
    assert not series.is_due()
    clock.now += EVERY
    assert series.is_due()
    series.take()
    assert not series.is_due()


def test_only_the_slowest_rows_are_remembered() -> None:
    series = Series(Clock(), None)
    for row in range(1, 500):
        series.landed(row, row / 100, 1)
    assert {slow.row for slow in series.take().slow} == set(range(500 - SLOWEST, 500))


def test_a_series_that_nobody_takes_from_stays_small_and_loses_nothing() -> None:
    clock = Clock()
    series = Series(clock, None)
    for _ in range(10 * MOST):
        series.written(1)
        clock.now += 1
    taken = series.take().intervals
    assert len(taken) <= MOST
    assert sum(one.settled for one in taken) == 10 * MOST


@given(st.lists(st.tuples(st.integers(0, 50_000), st.sampled_from([1, 2, 8])), max_size=900))
def test_bounding_keeps_every_count_and_gives_one_width(pairs: list[tuple[int, int]]) -> None:
    given_ = [interval(began, width=width) for began, width in pairs]
    found = bounded(given_)
    assert len(found) <= MOST
    assert sum(one.settled for one in found) == len(pairs)
    assert len({one.width for one in found}) <= 1
    assert [one.began for one in found] == sorted({one.began for one in found})
    assert all(one.began % one.width == 0 for one in found)


@given(st.lists(st.floats(0.0005, 60.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_right_to_one_step(waits: list[float], share: float) -> None:
    found = percentile(Counter(map(step_of, waits)), share)
    exact = sorted(waits)[max(0, -int(-len(waits) * share // 1) - 1)]
    assert found is not None
    assert max(exact, UNIT) / RATIO < found <= max(exact, UNIT) * RATIO * 1.0001


def test_the_ledger_keeps_a_day_in_a_bounded_table(tmp_path: Path) -> None:
    from bulk_import.series import Sample, Slow

    path = tmp_path / "l.db"
    with written(path, purpose(1)) as writer:
        for start in range(0, 86_400, 600):
            intervals = tuple(interval(start + second, 20) for second in range(0, 600, 5))
            writer.write((), (), Sample(intervals, (Slow(start / 100, start + 1, 1),)))
    reader = Reader(open_for_reading(path), path)
    found = reader.intervals()
    assert len(found) <= MOST
    assert sum(one.settled for one in found) == 20 * 86_400 // 5
    assert len(reader.slowest()) == SLOWEST
    assert reader.slowest()[0].row == 86_400 - 600 + 1
    reader.close()
    assert path.stat().st_size < 700_000


def test_a_pause_between_commands_is_a_break_and_takes_no_room() -> None:
    stretches = at_work([interval(0), interval(3), interval(10_000)])
    assert [(s.at, s.breaks) for s in stretches] == [(0.0, False), (3.0, False), (4.0, True)]


@pytest.mark.parametrize("width", [340.0, 920.0])
def test_plots_stay_inside_their_frame(width: float) -> None:
    given_ = [interval(second, 1 + second % 30) for second in range(400)]
    for plot in (throughput(given_, width, 200.0), latencies(given_, width, 200.0), throughput([], width, 200.0)):
        for curve in plot.curves:
            places = curve.path.replace("M", " ").replace("L", " ").split()
            assert all(plot.left <= float(x) <= plot.right for x in places[::2])
            assert all(plot.top <= float(y) <= plot.bottom for y in places[1::2])
        assert len(plot.across) <= width / 50
        assert len(plot.up) <= 6


def test_latencies_are_not_drawn_where_nothing_was_answered_and_a_cap_holds_until_the_next() -> None:
    there = [interval(at) for at in (0, 1, 30, 31)]
    there[2] = Interval(30, 1, 1, 10.0, there[2].answers, there[2].waits)
    p99 = next(curve.path for curve in latencies(there, 400.0, 200.0).curves if curve.style == "p99")
    cap = next(curve.path for curve in throughput(there, 400.0, 200.0).curves if curve.style == "cap")
    assert (p99.count("M"), cap.count("M")) == (2, 1)
    points = [tuple(map(float, point.split())) for point in cap[1:].split("L")]
    assert all(x1 == x2 or y1 == y2 for (x1, y1), (x2, y2) in pairwise(points))  # steps, no slopes
