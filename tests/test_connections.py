"""When a start may open one more connection: the rule as a table, and what a server sees of it in virtual time."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass, field
from itertools import accumulate

import pytest

from bulk_import.model import Endpoint, Reply
from bulk_import.pace import connections
from bulk_import.pace.connections import MOMENT, PATIENCE, Connections
from bulk_import.pace.gate import Gate
from tests.promises import worst_second
from tests.virtual_time import run_virtual, virtual_loop

DUE, LATENCY = 100.0, 0.25
A_ROUND = 150
"""Answers after which each of a hundred connections was used."""


@pytest.mark.parametrize(
    ("in_use", "opened", "returns", "silence", "opens_at"),
    [
        (99, 100, A_ROUND, 0.001, DUE),  # one is free
        (99, 100, A_ROUND, 0.050, DUE),  # also while nothing comes
        (0, 0, 0, math.inf, DUE),  # the first one
        (100, 100, 99, 0.001, DUE),  # not every one was used yet, and the first answers are the fast ones
        (100, 100, 99, 0.050, DUE),
        (100, 100, A_ROUND, 0.001, DUE + MOMENT),  # the next answer is near
        (100, 100, A_ROUND, 0.024, DUE + MOMENT),  # nine are overdue, which can happen
        (100, 100, A_ROUND, 0.026, DUE - 0.026 + PATIENCE),  # ten are
        (100, 100, A_ROUND, 0.099, DUE - 0.099 + PATIENCE),
        (100, 100, A_ROUND, 0.101, DUE + MOMENT),  # they take longer now
        (10, 10, A_ROUND, 0.099, DUE + MOMENT),  # at forty a second a tenth of a second is no silence
    ],
)
def test_a_start_opens_a_connection_when_none_is_free_and_none_will_be_in_a_moment(
    in_use: int, opened: int, returns: int, silence: float, opens_at: float
) -> None:
    there = Connections(in_use, opened, returns, DUE - silence)
    assert connections.opens_at(there, DUE, LATENCY, DUE) == pytest.approx(opens_at)


def test_without_a_rate_and_without_latency_nobody_waits_for_a_connection() -> None:
    assert connections.opens_at(Connections(64, 64, 1000, DUE), -math.inf, 0.0, DUE) == -math.inf


def test_a_start_that_is_late_by_more_than_a_moment_opens_its_connection_at_once() -> None:
    assert connections.opens_at(Connections(3, 3, 9, DUE), DUE - 0.01, LATENCY, DUE) < DUE


def test_one_that_broke_is_replaced_without_ado() -> None:
    there = Connections()
    for _ in range(3):
        connections.taken(there)
    connections.returned(there, DUE)  # whether it can be used again is not known here
    assert connections.opens_at(there, DUE, LATENCY, DUE) == DUE
    connections.taken(there)
    assert (there.in_use, there.opened, there.returns) == (3, 3, 1)


@dataclass
class Server:
    """Answers in 250 ± 80 ms, half a millisecond away; it stands still at `stall` (seconds from its start) for `lasts`."""

    stall: float = math.inf
    lasts: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(2))  # noqa: S311 - reproducible, guards nothing

    def __post_init__(self) -> None:
        self.stall += virtual_loop().time()

    async def answer(self) -> None:
        """One request on its way there and back."""
        arrived = self._awake(virtual_loop().time() + self._way())
        answered = self._awake(arrived + max(0.02, self.dice.gauss(0.25, 0.08)))
        self.arrivals.append(arrived)
        self.answers.append(answered)
        await asyncio.sleep(answered + self._way() - virtual_loop().time())

    @property
    def most_in_flight(self) -> int:
        """How many it had at once between arrival and answer."""
        changes = sorted([(at, 1) for at in self.arrivals] + [(at, -1) for at in self.answers])
        return max(accumulate(change for _, change in changes))

    def _awake(self, at: float) -> float:
        return self.stall + self.lasts if self.stall <= at < self.stall + self.lasts else at

    def _way(self) -> float:
        return self.dice.expovariate(2000)


def imported(rate: float, seconds: float, stall: float = math.inf, lasts: float = 0.0) -> tuple[Server, int, float]:
    """A saturated gate against the server; the most that were in flight as we see it, and the share of the cap."""

    async def main() -> tuple[Server, int, float]:
        gate, server, todo, most = (
            Gate(rate, {Endpoint.CREATE: rate}),
            Server(stall, lasts),
            iter(range(int(rate * seconds))),
            0,
        )

        async def work() -> None:
            nonlocal most
            for _ in todo:
                async with gate.turn(Endpoint.CREATE):
                    began = virtual_loop().time()
                    most = max(most, gate.in_flight)
                    await server.answer()
                    gate.heard(Endpoint.CREATE, Reply(200, {"id": "cus_1"}, seconds=virtual_loop().time() - began))

        await asyncio.gather(*(work() for _ in range(gate.max_in_flight)))
        return server, most, gate.share() or 0.0

    lag = random.Random(3)  # noqa: S311 - reproducible on purpose, guards nothing
    return run_virtual(main, lag=lambda: lag.uniform(0, 0.002))


@pytest.mark.parametrize("rate", [25.0, 100.0, 500.0])
def test_as_many_connections_are_opened_as_the_server_has_requests_in_flight(rate: float) -> None:
    server, opened, share = imported(rate, 2000 / rate)
    assert opened <= server.most_in_flight
    assert share >= 0.985


def test_while_the_server_stands_still_no_connections_are_opened_and_little_is_heaped_up() -> None:
    server, opened, share = imported(500.0, 5.0, stall=2.5, lasts=0.075)
    assert opened <= server.most_in_flight
    assert worst_second(sorted(server.arrivals)) <= 525  # what comes in 75 ms are 37
    assert share >= 0.97  # of these five seconds: less than half of the standstill


def test_once_answers_just_take_longer_as_many_connections_as_that_takes_are_opened() -> None:
    server, opened, _ = imported(500.0, 4.0, stall=2.0, lasts=0.3)
    assert 180 <= opened <= 256
    assert len(server.arrivals) == 2000
