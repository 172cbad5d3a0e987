"""A process's own sense of time: right about ages, whatever is done to the wall clock while it runs."""

from __future__ import annotations

import pytest

from bulk_import.job.clock import steady


class Machine:
    """A wall clock that can be set, and the time since boot, which cannot."""

    def __init__(self) -> None:
        self.wall, self.up = 1_790_000_000.0, 50.0

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.up += seconds


@pytest.mark.parametrize("jump", [-90_000.0, -1.0, 0.0, 1.0, 90_000.0])
def test_setting_the_wall_clock_moves_no_moment_of_a_running_process(jump: float) -> None:
    machine = Machine()
    now = steady(lambda: machine.wall, lambda: machine.up)
    assert now() == 1_790_000_000.0
    machine.wall += jump
    machine.wait(7.0)
    assert now() == 1_790_000_007.0


def test_it_runs_on_while_the_machine_sleeps() -> None:
    machine = Machine()
    now = steady(lambda: machine.wall, lambda: machine.up)
    machine.wait(25 * 3600.0)
    assert now() == 1_790_000_000.0 + 25 * 3600.0
