"""How blocking work leaves the event loop: one piece at a time, and never half done; and how claims share a look."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Sequence
from functools import partial

import anyio
import pytest

from bulk_import.budget import Budget
from bulk_import.engine import OneThread
from bulk_import.engine.listening import listen
from bulk_import.engine.looking import SharedLook, Waiting
from bulk_import.engine.parts import Ended, Trip
from bulk_import.engine.stopping import Stop
from bulk_import.engine.weighing import Scales
from bulk_import.errors import OutOfReach
from bulk_import.model import Claim, Existing, Failed, Outcome, Refusal, Released, Settled
from tests.ledger_samples import claim
from tests.virtual_time import run_virtual

SECONDS = 20


def test_work_in_one_thread_is_done_one_piece_after_the_other_in_the_order_it_came() -> None:
    done: list[tuple[int, int]] = []

    async def main() -> None:
        desk = OneThread()

        async def carry(number: int) -> None:
            await desk.offload(lambda: done.append((number, threading.get_ident())))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(carry, number)
        desk.close()

    anyio.run(main)
    assert [number for number, _ in done] == list(range(20))
    assert len({thread for _, thread in done}) == 1
    assert done[0][1] != threading.get_ident()


def test_who_is_cancelled_waits_until_the_work_that_was_begun_is_done() -> None:
    begun, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def work() -> None:
        begun.set()
        assert go_on.wait(SECONDS)
        seen.append("done")

    async def carry(desk: OneThread, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                await desk.offload(work)
            finally:
                seen.append("left")

    async def main() -> None:
        desk, scope = OneThread(), anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(carry, desk, scope)
            assert await anyio.to_thread.run_sync(begun.wait, SECONDS)
            scope.cancel()
            await anyio.lowlevel.checkpoint()
            assert seen == []
            go_on.set()
        desk.close()

    anyio.run(main)
    assert seen == ["done", "left"]


def test_what_work_raises_is_raised_where_it_was_asked_for() -> None:
    def fail() -> None:
        raise OSError("no space left")

    async def main() -> None:
        desk = OneThread()
        with pytest.raises(OSError, match="no space left"):
            await desk.offload(fail)
        assert await desk.offload(max, 3, 7) == 7
        desk.close()

    anyio.run(main)


def test_a_desk_that_is_closed_leaves_no_thread() -> None:
    async def main() -> threading.Thread:
        desk = OneThread()
        thread = await desk.offload(threading.current_thread)
        assert thread.is_alive()
        desk.close()
        return thread

    assert not anyio.run(main).is_alive()


def test_claims_that_come_while_one_look_goes_on_are_in_the_next_and_each_gets_its_own_answer() -> None:
    looks: list[list[int]] = []

    async def look(waiting: Sequence[Waiting]) -> list[Claim | Outcome]:
        looks.append([each.claim.row for each in waiting])
        await asyncio.sleep(1.0)
        return [each.claim if each.claim.row % 2 else Existing(f"cus_{each.claim.row}") for each in waiting]

    async def main() -> list[Claim | Outcome]:
        shared = SharedLook()
        shared.look = look

        async def come(row: int) -> Claim | Outcome:
            await asyncio.sleep(0.0 if row < 6 else 0.5)
            return await shared.of(Waiting(claim(row), fresh=True))

        return list(await asyncio.gather(*(come(row) for row in range(1, 9))))

    answers = run_virtual(main)
    assert [sorted(rows) for rows in looks] == [[1, 2, 3, 4, 5], [6, 7, 8]]
    assert [each.row for each in answers if isinstance(each, Claim)] == [1, 3, 5, 7]
    assert [each.customer_id for each in answers if isinstance(each, Existing)] == ["cus_2", "cus_4", "cus_6", "cus_8"]


def test_a_look_that_fails_fails_for_who_asked_and_the_next_is_a_look_of_its_own() -> None:
    async def look(waiting: Sequence[Waiting]) -> list[Claim | Outcome]:
        await asyncio.sleep(1.0)
        if any(each.claim.row == 1 for each in waiting):
            raise OutOfReach("nobody answers")
        return [each.claim for each in waiting]

    async def main() -> list[Claim | Outcome | BaseException]:
        shared = SharedLook()
        shared.look = look
        asked = (shared.of(Waiting(claim(row), fresh=True)) for row in (1, 2, 3))
        return await asyncio.gather(*asked, return_exceptions=True)

    failed, *others = run_virtual(main)
    assert isinstance(failed, OutOfReach)
    assert [each.row for each in others if isinstance(each, Claim)] == [2, 3]


@pytest.mark.parametrize(
    ("ours", "said", "not_said"),
    [
        (20, "no row was marked as failed", "stay failed"),
        (5, "15 rows that an earlier command was sending stay failed", "no row was marked"),
        (0, "they stay failed as they were sent", "mapping mistake"),
    ],
)
def test_a_mapping_mistake_takes_back_only_rows_that_may_begin_anew(ours: int, said: str, not_said: str) -> None:
    scales = Scales(Budget(share=None))
    written: list[Settled] = []
    for number in range(1, 21):
        trip = Trip(claim(number), resumed=False, release=number <= ours)
        settled, error = scales.weigh(
            trip, trip.ends(Failed(Refusal("e", "email_invalid", "email", "No such address")))
        )
        written += settled
        assert (error is not None) is (number == 20)
    assert {one.number for one in written if isinstance(one.outcome, Released)} == set(range(1, ours + 1))
    assert {one.number for one in written if isinstance(one.outcome, Failed)} >= set(range(ours + 1, 21))
    assert said in str(error)
    assert not_said not in str(error)


@pytest.mark.parametrize("came", [None, signal.SIGTERM])
def test_whoever_heeded_a_signal_before_a_run_does_so_after_it_unless_it_came(came: int | None) -> None:
    heard: list[int] = []

    def mine(number: int, frame: object) -> None:
        heard.append(number)

    async def main() -> None:
        ended = Ended()
        async with anyio.create_task_group() as tasks:
            await tasks.start(partial(listen, (signal.SIGTERM,), Stop(ended), ended))
            ended.signal = came
            tasks.cancel_scope.cancel()

    before = signal.signal(signal.SIGTERM, mine)
    try:
        anyio.run(main)
        assert signal.getsignal(signal.SIGTERM) is (mine if came is None else signal.SIG_IGN)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ([signal.SIGTERM] if came is None else [])
