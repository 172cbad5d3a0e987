"""The gate in virtual time: the cap is a cap, it is used, nothing is lost, and Stripe's limits are found."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.errors import OutOfReach
from bulk_import.model import Endpoint, Reply
from bulk_import.pace.gate import Gate
from tests.virtual_time import no_lag, run_virtual, virtual_loop

CREATE, LIST, SEARCH = Endpoint.CREATE, Endpoint.LIST, Endpoint.SEARCH
WELL = Reply(200, {"id": "cus_1"}, seconds=0.25)
LOST = Reply(None, fault="connect", detail="connection refused", seconds=0.01)
SICK = Reply(503, fault="not-json", seconds=0.1)


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # repeatable tests, no secrets


def refusal(reason: str | None = "endpoint-rate", seconds: float = 0.25, retry_after: float | None = None) -> Reply:
    body = {"error": {"code": "rate_limit" if reason else "lock_timeout"}}
    return Reply(429, body, limited_reason=reason, seconds=seconds, retry_after=retry_after)


def most_in_a_second(starts: list[float]) -> int:
    """The most starts in any closed second."""
    most, first = 0, 0
    for last, start in enumerate(starts):
        while starts[first] < start - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def late(seconds: float, seed: int = 1) -> Callable[[], float]:
    rng = dice(seed)
    return lambda: rng.uniform(0, seconds)


async def saturate(gate: Gate, seconds: float, workers: int = 4, holds: float = 0.0) -> list[float]:
    """Start as often as the gate lets us; when each start was made, as the sender sees it."""
    loop = virtual_loop()
    starts: list[float] = []
    end = loop.time() + seconds

    async def work() -> None:
        while loop.time() < end:
            async with gate.turn(CREATE):
                starts.append(loop.time())
                if holds:
                    await asyncio.sleep(holds)

    await asyncio.gather(*(work() for _ in range(workers)))
    return starts


async def until_idle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


# The virtual clock


def test_virtual_time_jumps_over_waits_and_creeps_while_nothing_waits() -> None:
    async def main() -> tuple[float, float]:
        loop = virtual_loop()
        begun = loop.time()
        await asyncio.sleep(86_400)
        waited = loop.time() - begun
        for _ in range(1000):
            await asyncio.sleep(0)
        return waited, loop.time() - begun - waited

    waited, crept = run_virtual(main)
    assert waited == pytest.approx(86_400, abs=0.001)
    assert 1e-6 <= crept < 1e-5


def test_virtual_time_stands_still_while_a_thread_works() -> None:
    async def main() -> float:
        released = threading.Event()
        work = asyncio.create_task(asyncio.to_thread(released.wait, 5))
        asyncio.get_running_loop().call_later(60, released.set)
        threading.Timer(0.05, released.set).start()
        begun = virtual_loop().time()
        assert await work
        return virtual_loop().time() - begun

    assert run_virtual(main) < 0.001


# The cap


@pytest.mark.parametrize("lag", [0.0, 0.005])
@pytest.mark.parametrize("rate", [10.0, 25.0, 100.0, 500.0])
def test_a_saturated_gate_uses_98_per_cent_of_the_cap_and_never_passes_it(rate: float, lag: float) -> None:
    async def main() -> tuple[float | None, int]:
        gate = Gate(rate, {CREATE: rate}, concurrency=8)
        starts = await saturate(gate, 1000 / rate, workers=8)
        return gate.share(), most_in_a_second(starts)

    share, most = run_virtual(main, lag=late(lag))
    assert share is not None
    assert 0.98 <= share <= 1.0
    assert most <= rate


@pytest.mark.parametrize(
    ("rate", "most"), [(0.3, 1), (1.0, 1), (1.5, 2), (2.0, 2), (7.3, 8), (10.5, 11), (99.99, 100), (133.4, 134)]
)
def test_a_fractional_cap_is_rounded_up_in_a_second_and_kept_on_average(rate: float, most: int) -> None:
    async def main() -> tuple[float | None, int]:
        gate = Gate(rate, {CREATE: rate}, concurrency=8)
        starts = await saturate(gate, 100 / rate)
        return gate.share(), most_in_a_second(starts)

    share, seen = run_virtual(main)
    assert share is not None
    assert share <= 1.0
    assert seen <= most


def test_after_a_stall_nothing_is_caught_up() -> None:
    async def main() -> int:
        gate = Gate(100.0, {CREATE: 100.0}, concurrency=64)
        running = asyncio.create_task(saturate(gate, 30.0, workers=64, holds=0.2))
        for _ in range(10):
            await asyncio.sleep(1.7)
            virtual_loop().stall(1.3)
        return most_in_a_second(await running)

    assert run_virtual(main) <= 100


def test_a_start_costs_about_two_steps_of_the_loop() -> None:
    async def main() -> float:
        gate = Gate(50.0, {CREATE: 50.0}, concurrency=8)
        before = virtual_loop().steps
        starts = await saturate(gate, 20.0, workers=8)
        return (virtual_loop().steps - before) / len(starts)

    assert run_virtual(main) < 2.2


def test_without_a_rate_only_the_places_in_flight_hold_back() -> None:
    async def main() -> tuple[int, float, float, float | None]:
        gate = Gate(None, {CREATE: 1.0}, concurrency=5)
        loop = virtual_loop()
        begun = loop.time()
        peak = 0

        async def work() -> None:
            nonlocal peak
            async with gate.turn(CREATE):
                peak = max(peak, gate.in_flight)
                await asyncio.sleep(1.0)
                gate.heard(CREATE, refusal())

        await asyncio.gather(*(work() for _ in range(50)))
        return peak, loop.time() - begun, gate.current_rate(CREATE), gate.share()

    peak, seconds, rate, share = run_virtual(main)
    assert (peak, rate, share) == (5, math.inf, None)
    assert seconds == pytest.approx(10.0, abs=0.001)


# Order, endpoints, cancellation


def test_starts_come_in_order_within_an_endpoint_and_a_slow_endpoint_blocks_no_other() -> None:
    async def main() -> list[tuple[str, int, float]]:
        gate = Gate(50.0, {CREATE: 50.0, SEARCH: 1.0}, concurrency=4)
        started: list[tuple[str, int, float]] = []
        loop = virtual_loop()
        begun = loop.time()

        async def work(endpoint: Endpoint, number: int) -> None:
            async with gate.turn(endpoint):
                started.append((endpoint.value, number, loop.time() - begun))
                await asyncio.sleep(0.01)

        searches = [work(SEARCH, number) for number in range(20)]
        await asyncio.gather(*searches, *(work(CREATE, number) for number in range(100)))
        return started

    started = run_virtual(main)
    creates = [(number, at) for endpoint, number, at in started if endpoint == "create"]
    searches = [(number, at) for endpoint, number, at in started if endpoint == "search"]
    assert [number for number, _ in creates] == list(range(100))
    assert [number for number, _ in searches] == list(range(20))
    assert creates[-1][1] < 2.2
    assert most_in_a_second([at for _, at in searches]) == 1


def test_endpoints_share_the_total_in_the_order_of_their_coming() -> None:
    async def main() -> list[str]:
        gate = Gate(20.0, {CREATE: 20.0, LIST: 20.0}, concurrency=8)
        started: list[str] = []

        async def work(endpoint: Endpoint) -> None:
            for _ in range(20):
                async with gate.turn(endpoint):
                    started.append(endpoint.value)

        await asyncio.gather(work(CREATE), work(LIST))
        return started

    started = run_virtual(main)
    assert abs(started[:20].count("create") - 10) <= 1


def test_an_endpoint_never_goes_above_the_total() -> None:
    async def main() -> float:
        return Gate(5.0, {CREATE: 25.0}).current_rate(CREATE)

    assert run_virtual(main) == 5.0


@dataclass
class Step:
    """One request of a random run: who, when, how long, and what becomes of it."""

    endpoint: Endpoint
    waits: float
    holds: float
    ends: str


ENDS = ["well", "well", "well", "cancel", "cancel-at-once", "raise", "stall", "lock", "lost"]
ENDS += ["endpoint-rate", "global-rate", "global-concurrency"]
STEPS = st.builds(
    Step,
    st.sampled_from([CREATE, LIST, SEARCH]),
    st.floats(0, 2),
    st.floats(0, 0.5),
    st.sampled_from(ENDS),
)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0.5, 60),
    st.tuples(st.floats(0.5, 60), st.floats(0.5, 60), st.floats(0.5, 60)),
    st.integers(1, 12),
    st.lists(STEPS, min_size=1, max_size=120),
    st.integers(0, 1000),
)
def test_whatever_happens_the_caps_hold_and_no_place_or_start_is_lost(
    rate: float, rates: tuple[float, float, float], concurrency: int, steps: list[Step], seed: int
) -> None:
    caps = dict(zip([CREATE, LIST, SEARCH], rates, strict=True))
    starts: list[tuple[float, Endpoint]] = []

    async def perform(gate: Gate, step: Step) -> None:
        await asyncio.sleep(step.waits)
        async with gate.turn(step.endpoint):
            starts.append((virtual_loop().time(), step.endpoint))
            assert gate.in_flight <= concurrency
            await asyncio.sleep(step.holds)
            match step.ends:
                case "stall":
                    virtual_loop().stall(step.holds * 4)
                case "raise":
                    raise ZeroDivisionError
                case "lost":
                    gate.heard(step.endpoint, LOST)
                case "endpoint-rate" | "global-rate" | "global-concurrency":
                    gate.heard(step.endpoint, refusal(step.ends, step.holds))
                case "lock":
                    gate.heard(step.endpoint, refusal(None, step.holds))
                case _:
                    gate.heard(step.endpoint, WELL)

    async def main() -> Gate:
        gate = Gate(rate, caps, concurrency=concurrency, rng=dice(seed))
        tasks = [asyncio.create_task(perform(gate, step)) for step in steps]
        for task, step in zip(tasks, steps, strict=True):
            if step.ends == "cancel":
                virtual_loop().call_later(step.waits + step.holds / 2, task.cancel)
            elif step.ends == "cancel-at-once":
                virtual_loop().call_later(step.waits, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert gate.in_flight == 0
        for endpoint in caps:
            async with gate.turn(endpoint):
                gate.heard(endpoint, WELL)
        return gate

    gate = run_virtual(main, lag=late(0.005, seed))
    assert gate.starts.total() == len(starts) + 3
    assert most_in_a_second([at for at, _ in starts]) <= math.ceil(rate)
    for endpoint, cap in caps.items():
        assert most_in_a_second([at for at, e in starts if e is endpoint]) <= math.ceil(min(cap, rate))


def test_a_waiter_that_is_cancelled_just_when_it_is_called_lets_the_next_one_start() -> None:
    async def main() -> tuple[bool, int]:
        gate = Gate(100.0, {CREATE: 100.0}, concurrency=1)
        async with gate.turn(CREATE):
            first, second = (asyncio.create_task(saturate(gate, 0.001, workers=1)) for _ in range(2))
            await asyncio.sleep(0.1)
        first.cancel()  # leaving has just called it, and it has not run yet
        await asyncio.gather(first, second, return_exceptions=True)
        return first.cancelled(), gate.starts.total()

    assert run_virtual(main) == (True, 2)


def test_a_waiter_cancelled_while_every_place_is_taken_leaves_the_line() -> None:
    async def main() -> int:
        gate = Gate(100.0, {CREATE: 100.0}, concurrency=1)
        async with gate.turn(CREATE):
            waiting = [asyncio.create_task(saturate(gate, 0.001, workers=1)) for _ in range(3)]
            await until_idle()
            waiting[0].cancel()
            await until_idle()
        await asyncio.gather(*waiting, return_exceptions=True)
        return gate.starts.total()

    assert run_virtual(main) == 3


@pytest.mark.parametrize("seconds", [120, pytest.param(3600, marks=pytest.mark.soak)])
def test_time_goes_by_at_100_a_second_with_stalls_cancellations_and_refusals(seconds: int) -> None:
    rng = dice(seconds)

    async def disturb(gate: Gate) -> None:
        while True:
            await asyncio.sleep(rng.expovariate(0.2))
            match rng.randrange(12):
                case 0 | 1 | 2:
                    virtual_loop().stall(rng.uniform(0, 3))
                case 3:
                    gate.heard(CREATE, refusal())
                case _:
                    waiting = [asyncio.create_task(saturate(gate, 1.0)) for _ in range(5)]
                    await asyncio.sleep(rng.uniform(0, 0.1))
                    for task in waiting:
                        task.cancel()

    async def main() -> tuple[list[float], Gate]:
        gate = Gate(100.0, {CREATE: 100.0}, concurrency=16, rng=rng)
        starts: list[float] = []
        disturbing = asyncio.create_task(disturb(gate))
        loop = virtual_loop()
        end = loop.time() + seconds

        async def work() -> None:
            while loop.time() < end:
                async with gate.turn(CREATE):
                    starts.append(loop.time())
                    if rng.random() < 0.1:
                        await asyncio.sleep(0.05)

        await asyncio.gather(*(work() for _ in range(8)))
        disturbing.cancel()
        return starts, gate

    starts, gate = run_virtual(main, lag=late(0.005))
    assert most_in_a_second(starts) <= 100
    assert gate.in_flight == 0
    assert len(starts) > 75 * seconds


@dataclass(frozen=True)
class Disturbance:
    """Something that happens at a share of the time: a stall, waits that are cancelled, a refusal, or a long pause."""

    when: float
    kind: str
    size: float


DISTURBANCES = st.lists(
    st.builds(
        Disturbance,
        st.floats(0, 1),
        st.sampled_from(["stall", "cancel", "endpoint-rate", "global-rate", "endpoint-concurrency", "pause"]),
        st.floats(0, 1),
    ),
    max_size=40,
)


def disturbed(seconds: float, disturbances: list[Disturbance], seed: int) -> tuple[list[float], Gate]:
    """Start as often as 100 a second allow, while all of this happens; when each start was made."""

    async def main() -> tuple[list[float], Gate]:
        loop, rng = virtual_loop(), dice(seed)
        gate = Gate(100.0, {CREATE: 100.0}, concurrency=16, rng=rng)
        starts: list[float] = []
        began, resumed = loop.time(), asyncio.Event()
        resumed.set()

        async def work() -> None:
            while loop.time() < began + seconds:
                await resumed.wait()
                async with gate.turn(CREATE):
                    starts.append(loop.time())
                    if rng.random() < 0.1:
                        await asyncio.sleep(0.05)
                    gate.heard(CREATE, WELL)

        async def happen(one: Disturbance) -> None:
            match one.kind:
                case "stall":
                    loop.stall(3 * one.size)
                case "cancel":
                    waiting = [asyncio.create_task(saturate(gate, 1.0)) for _ in range(5)]
                    await asyncio.sleep(one.size / 10)
                    for task in waiting:
                        task.cancel()
                    for done in await asyncio.gather(*waiting, return_exceptions=True):
                        starts.extend(done if isinstance(done, list) else [])
                case "pause":
                    resumed.clear()
                    await asyncio.sleep(20 * one.size)
                    resumed.set()
                case reason:
                    gate.heard(CREATE, refusal(reason, one.size))

        async def disturb() -> None:
            for one in sorted(disturbances, key=lambda d: d.when):
                await asyncio.sleep(max(0.0, began + one.when * seconds - loop.time()))
                await happen(one)
            resumed.set()

        await asyncio.gather(disturb(), *(work() for _ in range(8)))
        return starts, gate

    return run_virtual(main, lag=late(0.005, seed))


@settings(max_examples=4, deadline=None)
@given(DISTURBANCES, st.integers(0, 1000))
def test_twenty_seconds_of_anything_keep_the_cap(disturbances: list[Disturbance], seed: int) -> None:
    starts, gate = disturbed(20.0, disturbances, seed)
    assert most_in_a_second(sorted(starts)) <= 100
    assert gate.in_flight == 0


@pytest.mark.soak
@settings(max_examples=10, deadline=None)
@given(DISTURBANCES, st.integers(0, 1000))
def test_an_hour_of_anything_keeps_the_cap_and_uses_it(disturbances: list[Disturbance], seed: int) -> None:
    starts, gate = disturbed(3600.0, disturbances, seed)
    assert most_in_a_second(sorted(starts)) <= 100
    assert gate.in_flight == 0
    # A refusal costs at most two thirds of half a minute, a pause twenty seconds, a stall three.
    assert len(starts) >= 100 * 0.98 * (3600 - 25 * len(disturbances))


# Stripe's limits


class Sliding:
    """So many in any second, or other time, those refused counted or not."""

    def __init__(self, rate: int, *, over: float = 1.0, counts_refused: bool = False) -> None:
        self.starts: deque[float] = deque()
        self.rate = rate
        self.over = over
        self.counts_refused = counts_refused

    def admits(self, now: float) -> bool:
        while self.starts and self.starts[0] <= now - self.over:
            self.starts.popleft()
        admitted = len(self.starts) < self.rate
        if admitted or self.counts_refused:
            self.starts.append(now)
        return admitted


class Bucket:
    """As many tokens as a second brings, or fewer."""

    def __init__(self, rate: int, capacity: float | None = None) -> None:
        self.rate, self.capacity, self.seen = rate, capacity or float(rate), 0.0
        self.tokens = self.capacity

    def admits(self, now: float) -> bool:
        self.tokens = min(self.capacity, self.tokens + (now - self.seen) * self.rate)
        self.seen = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Calendar:
    """So many in each second, or part of a second, of the clock."""

    def __init__(self, rate: int, each: float = 1.0) -> None:
        self.rate, self.each, self.period, self.admitted = rate * each, each, 0, 0

    def admits(self, now: float) -> bool:
        if math.floor(now / self.each) != self.period:
            self.period, self.admitted = math.floor(now / self.each), 0
        self.admitted += 1
        return self.admitted <= self.rate


class Chance:
    """Refuses at any pace, besides what another limiter refuses."""

    def __init__(self, share: float, limiter: Limiter | None = None) -> None:
        self.share, self.limiter, self.dice = share, limiter, dice(3)

    def admits(self, now: float) -> bool:
        if self.dice.random() < self.share:
            return False
        return self.limiter is None or self.limiter.admits(now)


class Changing:
    """One limiter at first, another one later."""

    def __init__(self, first: Limiter, seconds: float, then: Limiter) -> None:
        self.first, self.until, self.then = first, 1000.0 + seconds, then

    def admits(self, now: float) -> bool:
        return (self.first if now < self.until else self.then).admits(now)


Limiter = Sliding | Bucket | Calendar | Chance | Changing

SAYS_WHY = refusal("endpoint-rate")
SAYS_NOTHING = Reply(429, {"error": {"type": "invalid_request_error", "message": "Too many requests"}})
SAYS_WHEN = SAYS_NOTHING._replace(retry_after=1.0)
NO_JSON = Reply(429, None, fault="not-json")


@dataclass
class Ran:
    """What a simulated import cost."""

    seconds: float
    requests: int
    refused: int
    notices: list[tuple[str, str]]


async def import_rows(
    gate: Gate, server: Limiter, rows: int, says: Reply, refuses_in: float | None, seed: int
) -> tuple[int, int]:
    """Create `rows` customers against an account; how many requests were sent and how many refused."""
    rng = dice(seed)
    loop = virtual_loop()
    todo = iter(range(rows))
    answers: list[bool] = []

    async def attempt() -> bool:
        async with gate.turn(CREATE):
            await asyncio.sleep(rng.uniform(0.001, 0.004))
            admitted = server.admits(loop.time())
            latency = max(0.02, rng.gauss(0.25, 0.08))
            seconds = latency if admitted or refuses_in is None else refuses_in
            await asyncio.sleep(seconds)
            gate.heard(CREATE, (WELL if admitted else says)._replace(seconds=seconds))
            answers.append(admitted)
        return admitted

    async def work() -> None:
        for _ in todo:
            for tries in count():
                if await attempt():
                    break
                await asyncio.sleep(max(rng.uniform(0.5, 1) * min(0.5 * 2**tries, 8), says.retry_after or 0))

    await asyncio.gather(*(work() for _ in range(gate.max_in_flight)))
    return len(answers), answers.count(False)


def simulate(
    server: Limiter, rate: float, rows: int, says: Reply = SAYS_WHY, refuses_in: float | None = None, seed: int = 1
) -> Ran:
    notices: list[tuple[str, str]] = []

    async def main() -> Ran:
        gate = Gate(rate, {CREATE: rate}, notify=lambda code, text: notices.append((code, text)))
        begun = virtual_loop().time()
        requests, refused = await import_rows(gate, server, rows, says, refuses_in, seed)
        assert gate.rate_limited == refused
        return Ran(virtual_loop().time() - begun, requests, refused, notices)

    return run_virtual(main, lag=no_lag)


@pytest.mark.parametrize(("rate", "most_refused"), [(100.0, 0.05), (500.0, 0.20)])
@pytest.mark.parametrize(
    ("server", "slower"), [(Sliding, 1.08), (Bucket, 1.08), (Calendar, 1.12)], ids=["sliding", "bucket", "calendar"]
)
def test_a_cap_far_above_what_the_account_allows_costs_little(
    server: type[Sliding | Bucket | Calendar], slower: float, rate: float, most_refused: float
) -> None:
    ran = simulate(server(25), rate, 2500)
    assert ran.refused <= most_refused * ran.requests
    assert ran.seconds <= slower * 2500 / 25
    assert ran.notices[0][0] == "slowed"
    assert "(create: endpoint-rate): slowing down to find its limit" in ran.notices[0][1]
    assert len(ran.notices) <= 3


@pytest.mark.parametrize("seed", range(1001, 1005))
def test_corrections_that_come_one_by_one_do_not_keep_the_brake_off(seed: int) -> None:
    # A full bucket lets a burst through, which the last second shows for as long as it lasts.
    assert simulate(Bucket(25), 100.0, 150, seed=seed).refused <= 70


@pytest.mark.parametrize(
    ("says", "rate", "refuses_in"),
    [
        (SAYS_NOTHING, 100.0, None),
        (SAYS_NOTHING, 500.0, 0.01),
        (SAYS_WHEN, 100.0, None),
        (SAYS_WHEN, 500.0, 0.01),
        (NO_JSON, 500.0, 0.01),
    ],
    ids=["no reason", "no reason, at once", "retry-after", "retry-after, at once", "no json, at once"],
)
def test_the_limit_is_found_whatever_a_refusal_says_and_however_fast_it_comes(
    says: Reply, rate: float, refuses_in: float | None
) -> None:
    ran = simulate(Sliding(25), rate, 1250, says, refuses_in)
    assert ran.refused <= (0.05 if rate == 100.0 else 0.20) * ran.requests
    # Waiting as long as was asked for costs a second each time.
    assert ran.seconds <= (1.4 if says.retry_after else 1.10) * 1250 / 25


@pytest.mark.parametrize(
    ("server", "most_refused", "slower"),
    [
        (Sliding(25, counts_refused=True), 0.07, 1.5),
        (Bucket(25, 2), 0.05, 1.10),
        (Bucket(25, 100), 0.08, 1.08),
        (Calendar(25, 0.2), 0.05, 1.12),
        (Sliding(250, over=10.0), 0.20, 1.30),
        (Chance(0.02), 0.03, 1.25),
        (Chance(0.10), 0.12, 1.8),
        (Chance(0.02, Sliding(25)), 0.08, 1.75),
    ],
    ids=[
        "refused count",
        "small bucket",
        "large bucket",
        "fifths",
        "ten seconds",
        "chance",
        "much chance",
        "limit and chance",
    ],
)
def test_other_limiters_and_refusals_by_chance_are_coped_with(
    server: Limiter, most_refused: float, slower: float
) -> None:
    # What falls by chance alone must not slow us down to a crawl.
    free = isinstance(server, Chance) and server.limiter is None
    rows, allows = (4000, 100) if free else (1250, 25)
    ran = simulate(server, 100.0, rows)
    assert ran.refused <= most_refused * ran.requests
    assert ran.seconds <= slower * rows / allows


class InFlight:
    """So many at once, however often."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.flying = 0


async def import_at_once(gate: Gate, server: InFlight, rows: int, refuses_in: float | None) -> tuple[int, int, float]:
    """Create `rows` customers; requests, refusals, and when the last refusal of the overload came."""
    loop, rng, todo = virtual_loop(), dice(1), iter(range(rows))
    refused: list[float] = []
    sent = 0
    began = loop.time()

    async def attempt() -> bool:
        nonlocal sent
        async with gate.turn(CREATE):
            sent += 1
            admitted = server.flying < server.most
            server.flying += admitted
            seconds = max(0.02, rng.gauss(0.3, 0.05)) if admitted or refuses_in is None else refuses_in
            await asyncio.sleep(seconds)
            server.flying -= admitted
            gate.heard(CREATE, (WELL if admitted else refusal("endpoint-concurrency"))._replace(seconds=seconds))
            if not admitted:
                refused.append(loop.time() - began)
        return admitted

    async def work() -> None:
        for _ in todo:
            for _ in count():
                if await attempt():
                    break
                await asyncio.sleep(rng.uniform(0.5, 1.0))

    await asyncio.gather(*(work() for _ in range(gate.max_in_flight)))
    return sent, len(refused), loop.time() - began


@pytest.mark.parametrize("refuses_in", [None, 0.01], ids=["refusals take as long", "refusals come at once"])
def test_the_number_that_may_be_in_flight_is_found_quickly(refuses_in: float | None) -> None:
    async def main() -> tuple[int, int, float]:
        return await import_at_once(Gate(60.0, {CREATE: 60.0}), InFlight(4), 600, refuses_in)

    sent, refused, seconds = run_virtual(main)
    assert refused <= 0.15 * sent
    assert seconds <= 1.35 * 600 * 0.3 / 4


def test_a_limit_that_rises_is_found_from_below() -> None:
    ran = simulate(Changing(Sliding(25), 20.0, Sliding(100)), 100.0, 500 + 6000)
    assert ran.seconds <= 20 + 60 + 60
    assert ran.refused <= 0.05 * ran.requests


def test_a_cap_that_the_account_allows_is_never_refused() -> None:
    ran = simulate(Sliding(25), 25.0, 500)
    assert (ran.refused, ran.notices) == (0, [])
    assert ran.seconds <= 500 / 25 / 0.96


def rates_after(reply: Reply) -> tuple[float, float, int]:
    """What create and list are allowed, and how many may be in flight, just after one reply to a create."""

    async def main() -> tuple[float, float, int]:
        gate = Gate(100.0, {CREATE: 50.0, LIST: 50.0}, concurrency=10)
        gate.heard(CREATE, reply)
        flights = [asyncio.create_task(saturate(gate, 5.0, workers=1, holds=9.0)) for _ in range(20)]
        await asyncio.sleep(0.7)
        rates = gate.current_rate(CREATE), gate.current_rate(LIST), gate.in_flight
        for task in flights:
            task.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        return rates

    return run_virtual(main)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (WELL, (50.0, 50.0, 10)),
        (refusal("endpoint-rate"), (35.0, 50.0, 10)),
        (refusal("global-rate"), (50.0, 50.0, 10)),
        (refusal("endpoint-concurrency"), (50.0, 50.0, 7)),
        (refusal("global-concurrency"), (50.0, 50.0, 7)),
        (refusal("resource-specific"), (50.0, 50.0, 10)),
        (refusal(None), (50.0, 50.0, 10)),
    ],
)
def test_each_reason_slows_what_it_names(reply: Reply, expected: tuple[float, float, int]) -> None:
    assert rates_after(reply) == expected


def test_a_global_refusal_slows_every_endpoint() -> None:
    async def main() -> tuple[float, float]:
        gate = Gate(25.0, {CREATE: 25.0, LIST: 25.0})
        gate.heard(CREATE, refusal("global-rate"))
        return gate.current_rate(CREATE), gate.current_rate(LIST)

    assert run_virtual(main) == (17.5, 17.5)


@pytest.mark.parametrize("reason", ["endpoint-rate", "global-rate", "global-concurrency"])
def test_retry_after_holds_back_every_start(reason: str) -> None:
    async def main() -> float:
        gate = Gate(25.0, {CREATE: 25.0}, concurrency=4)
        begun = virtual_loop().time()
        gate.heard(CREATE, refusal(reason, retry_after=7.0))
        async with gate.turn(CREATE):
            return virtual_loop().time() - begun

    assert run_virtual(main) == pytest.approx(7.0, abs=0.01)


def test_the_number_in_flight_is_sized_by_the_latency_that_is_measured() -> None:
    async def main() -> int:
        gate = Gate(20.0, {CREATE: 20.0})
        peak = 0

        async def work() -> None:
            nonlocal peak
            for _ in range(3):
                async with gate.turn(CREATE):
                    await asyncio.sleep(0.25)
                    gate.heard(CREATE, WELL)
                    peak = max(peak, gate.in_flight)

        await asyncio.gather(*(work() for _ in range(gate.max_in_flight)))
        return peak

    assert 5 <= run_virtual(main) <= 10


# Out of reach


class World:
    """A gate with workers against a network that a test switches on and off."""

    def __init__(self, give_up_after: float = 900.0, workers: int = 10) -> None:
        self.notices: list[tuple[float, str]] = []
        self.begun = virtual_loop().time()
        self.reply = WELL
        self.sent: list[float] = []
        self.gate = Gate(20.0, {CREATE: 20.0}, give_up_after=give_up_after, notify=self.note, rng=dice(1))
        self.workers = [asyncio.create_task(self.work()) for _ in range(workers)]

    def now(self) -> float:
        return virtual_loop().time() - self.begun

    def note(self, code: str, message: str) -> None:
        self.notices.append((round(self.now()), code))
        assert message.count("\n") == 0

    async def work(self) -> None:
        while True:
            async with self.gate.turn(CREATE):
                self.sent.append(self.now())
                await asyncio.sleep(self.reply.seconds)
                self.gate.heard(CREATE, self.reply)
            await asyncio.sleep(0.1)

    async def stop(self) -> list[BaseException]:
        for worker in self.workers:
            worker.cancel()
        return [r for r in await asyncio.gather(*self.workers, return_exceptions=True) if isinstance(r, BaseException)]


def sent_while_down(down: Reply) -> tuple[list[float], list[tuple[float, str]], int]:
    async def main() -> tuple[list[float], list[tuple[float, str]], int]:
        world = World()
        await asyncio.sleep(10)
        world.reply = down
        await asyncio.sleep(190)
        world.reply = WELL
        await asyncio.sleep(100)
        await world.stop()
        return world.sent, world.notices, world.gate.in_flight

    return run_virtual(main)


@pytest.mark.parametrize("down", [LOST, SICK, Reply(500, {"error": {"type": "api_error"}}, seconds=0.2)])
def test_an_outage_pauses_everything_but_growing_probes_and_ends_by_itself(down: Reply) -> None:
    sent, notices, in_flight = sent_while_down(down)
    assert [code for _, code in notices] == ["paused", "resumed"]
    assert notices[0][0] in (10, 11)
    assert 200 <= notices[1][0] <= 275
    probes = [at for at in sent if 13 < at < 200]
    assert 4 <= len(probes) <= 7
    gaps = [after - before for before, after in pairwise(probes)]
    assert gaps[:4] == sorted(gaps[:4])
    assert max(gaps) < 75
    assert len([at for at in sent if at > notices[1][0]]) > 300
    assert in_flight == 0


def test_an_outage_that_outlasts_our_patience_ends_every_wait_in_one_sentence() -> None:
    async def main() -> tuple[list[BaseException], float]:
        world = World(give_up_after=120.0)
        await asyncio.sleep(10)
        world.reply = LOST
        await asyncio.wait(world.workers)
        ended = world.now()
        with pytest.raises(OutOfReach):
            async with world.gate.turn(LIST):
                pytest.fail("nothing starts once the run has given up")
        return await world.stop(), ended

    errors, ended = run_virtual(main)
    assert {type(error) for error in errors} == {OutOfReach}
    assert str(errors[0]) == (
        "Stripe has been out of reach for 2 min (connection refused); "
        "nothing is lost, run the same command again to continue"
    )
    assert ended == pytest.approx(130.0, abs=1.5)


def test_a_certificate_that_was_never_trusted_ends_the_run_at_once_and_says_what_to_do() -> None:
    async def main() -> tuple[list[BaseException], int, float, list[tuple[float, str]]]:
        world = World(workers=1)
        world.reply = Reply(
            None, fault="certificate", detail="The TLS certificate of there is not trusted here (expired)"
        )
        await asyncio.wait(world.workers)
        return await world.stop(), len(world.sent), world.now(), world.notices

    errors, sent, ended, notices = run_virtual(main)
    assert [type(error) for error in errors] == [OutOfReach]
    assert str(errors[0]) == (
        "The TLS certificate of there is not trusted here (expired), so nothing was sent; check --api-base and the clock of this "
        "machine, or, if a server or proxy of yours has its own certificate, name its file in SSL_CERT_FILE, "
        "then run the same command again"
    )
    assert (sent, notices) == (2, [])
    assert ended < 5


@pytest.mark.parametrize("patience", [120.0, math.inf])
def test_whose_certificate_was_trusted_before_or_who_never_gives_up_waits(patience: float) -> None:
    async def main() -> tuple[int, list[tuple[float, str]]]:
        world = World(give_up_after=patience)
        if patience < math.inf:
            await asyncio.sleep(1)
        world.reply = Reply(None, fault="certificate", detail="not trusted")
        await asyncio.sleep(60)
        world.reply = WELL
        await asyncio.sleep(100)
        return len(await world.stop()), world.notices

    ended, notices = run_virtual(main)
    assert (ended, [code for _, code in notices]) == (10, ["paused", "resumed"])


def test_before_stripe_ever_answered_the_pause_comes_with_the_second_failure() -> None:
    async def main() -> list[tuple[float, str]]:
        gate_notices: list[tuple[float, str]] = []
        gate = Gate(20.0, {}, notify=lambda code, _: gate_notices.append((gate.starts.total(), code)))
        for _ in range(3):
            async with gate.turn(Endpoint.ACCOUNT):
                gate.heard(Endpoint.ACCOUNT, LOST)
        return gate_notices

    assert run_virtual(main) == [(2, "paused")]


def test_a_probe_that_is_cancelled_makes_room_for_the_next() -> None:
    async def main() -> int:
        gate = Gate(20.0, {CREATE: 20.0}, rng=dice(1))
        for _ in range(2):
            async with gate.turn(CREATE):
                gate.heard(CREATE, LOST)
        probe = asyncio.create_task(saturate(gate, 1.0, workers=1, holds=1000.0))
        await asyncio.sleep(5.0)
        other = asyncio.create_task(saturate(gate, 1.0, workers=1))
        await asyncio.sleep(5.0)
        assert gate.starts.total() == 3
        probe.cancel()
        await other
        return gate.starts.total()

    assert run_virtual(main) == 4


def test_a_good_answer_to_an_earlier_request_ends_the_pause_at_once() -> None:
    async def main() -> float:
        gate = Gate(20.0, {CREATE: 20.0}, rng=dice(1))
        for _ in range(2):
            async with gate.turn(CREATE):
                gate.heard(CREATE, LOST)
        paused = virtual_loop().time()
        waiting = asyncio.create_task(saturate(gate, 0.001, workers=1))
        await asyncio.sleep(0.2)
        gate.heard(CREATE, WELL)
        await waiting
        return virtual_loop().time() - paused

    assert run_virtual(main) < 0.25
