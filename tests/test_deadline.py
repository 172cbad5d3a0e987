"""The deadline that attempts share: each is cut short when it is due itself, and whoever cancels is heard."""

from __future__ import annotations

import asyncio

import pytest

from bulk_import.stripe_api.deadline import Deadline
from tests.virtual_time import run_virtual, virtual_loop

SECONDS = 30.0


async def attempt(deadline: Deadline, begins: float, takes: float) -> tuple[str, float]:
    """How an attempt ends that begins so late and takes so long, and how many seconds after it began."""
    await asyncio.sleep(begins)
    began = virtual_loop().time()
    try:
        await deadline.bound(asyncio.sleep(takes))
        end = "answered"
    except TimeoutError:
        end = "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    return end, round(virtual_loop().time() - began, 3)


def test_each_of_many_attempts_is_cut_short_when_it_is_due_itself() -> None:
    async def main() -> list[tuple[str, float]]:
        deadline = Deadline(SECONDS)
        trips = [(0.0, 60.0), (1.0, 2.0), (2.5, 29.9), (7.0, 31.0), (31.0, 30.1), (100.0, 60.0), (101.0, 1.0)]
        return list(await asyncio.gather(*(attempt(deadline, *trip) for trip in trips)))

    assert run_virtual(main) == [
        ("late", 30.0), ("answered", 2.0), ("answered", 29.9), ("late", 30.0), ("late", 30.0), ("late", 30.0),
        ("answered", 1.0),
    ]  # fmt: skip


def test_the_loop_is_woken_once_a_deadline_and_not_for_each_attempt() -> None:
    async def steps(deadline: Deadline | None) -> int:
        before = virtual_loop().steps
        for _ in range(500):
            await (deadline.bound(asyncio.sleep(1.0)) if deadline else asyncio.sleep(1.0))
        return virtual_loop().steps - before

    async def main() -> int:
        return await steps(Deadline(SECONDS)) - await steps(None)

    assert 0 < run_virtual(main) <= 2 * 500 / SECONDS


def test_a_cancelled_attempt_is_cancelled_also_when_it_is_late_in_that_moment() -> None:
    async def main() -> bool:
        deadline, loop = Deadline(SECONDS), virtual_loop()
        task = asyncio.ensure_future(deadline.bound(asyncio.sleep(60)))
        loop.call_later(SECONDS, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert run_virtual(main)


def test_an_error_of_an_attempt_that_is_late_is_that_error_and_nobody_is_cancelled_afterwards() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OSError("reset") from None

    async def main() -> int:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(OSError, match="reset"):
            await Deadline(SECONDS).bound(stubborn())
        await asyncio.sleep(60)
        return task.cancelling()

    assert run_virtual(main) == 0
