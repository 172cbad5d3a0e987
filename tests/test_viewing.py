"""For how long what was read of the account may be acted upon."""

from __future__ import annotations

import math

import pytest

from bulk_import.engine.viewing import VIEW_LIFE, View

ATTEMPT = 30.0


@pytest.mark.parametrize(
    ("answers", "now", "seen_at"),
    [
        pytest.param([(0.0, 0.2)], 0.3, 0.0, id="quick"),
        pytest.param([(600.0, 600.2)], 600.3, 600.0, id="only after an outage, or after it was turned away"),
        pytest.param([(0.0, 10.0), (10.0, 20.0)], 20.0, 10.0, id="slow: counts for as long again as it took"),
        pytest.param([(0.0, 28.0), (28.0, 56.0), (56.0, 84.0)], 84.0, 84.0, id="very slow: counts from its end"),
        pytest.param([(0.0, 28.0), (5.0, 56.0)], 56.0, 56.0, id="very slow, side by side"),
        pytest.param([(20.0 * n, 20.0 * n + 0.2) for n in range(9)], 161.0, 0.0, id="a very low rate"),
        pytest.param([(2.0 * n, 2.0 * n + 2.0) for n in range(90)], 180.0, 0.0, id="many answers, none of them slow"),
        pytest.param([(28.0 * n, 28.0 * n + 28.0) for n in range(9)], 252.0, 0.0, id="many slow answers"),
        pytest.param([(0.0, 600.0)], 600.0, 0.0, id="suspended while an answer was on its way"),
        pytest.param([(0.0, 0.2), (600.0, 600.2)], 600.3, 0.0, id="an outage between two pages"),
        pytest.param([(0.0, 0.2)], 600.0, 0.0, id="suspended after its last answer"),
        pytest.param([], 9.0, 0.0, id="nothing was asked"),
    ],
)
def test_a_look_counts_from_its_first_answer_unless_answers_were_slow(
    answers: list[tuple[float, float]], now: float, seen_at: float
) -> None:
    view = View(0.0, ATTEMPT)
    for started, ended in answers:
        view.answered(started, ended)
    assert view.seen_at(now) == seen_at


@pytest.mark.parametrize("seconds", [0.1, 5.0, 14.0, 16.0, 31.0, 600.0])
def test_what_was_read_without_a_gap_leaves_some_time_to_send_upon_it(seconds: float) -> None:
    view = View(0.0, attempt=seconds)
    view.answered(0.0, seconds)
    assert view.seen_at(seconds) + VIEW_LIFE - seconds >= min(seconds, VIEW_LIFE / 2)


@pytest.mark.parametrize(
    ("asked", "rate", "life"),
    [(0, 20.0, 30.0), (100, 20.0, 30.0), (1, 0.05, 120.0), (5, 0.05, 280.0), (1, math.inf, 30.0)],
)
def test_at_a_very_low_rate_a_look_is_believed_until_what_hangs_on_it_had_its_turn(
    asked: int, rate: float, life: float
) -> None:
    assert View(0.0, ATTEMPT, asked).life(rate) == life
