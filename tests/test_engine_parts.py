"""How blocking work leaves the event loop: one piece at a time, and never half done."""

from __future__ import annotations

import threading

import anyio
import pytest

from bulk_import.engine import OneThread

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
