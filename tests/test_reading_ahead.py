"""One item is read while the one before it is worked on, and no more than one."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from bulk_import.engine.parts import Stopped
from bulk_import.engine.reading_ahead import ReadAhead
from bulk_import.errors import BulkImportError, SourceError

pytestmark = pytest.mark.asyncio


def three_then(error: BulkImportError | Stopped | None, taken: list[int]) -> Iterator[int]:
    for number in (1, 2, 3):
        taken.append(number)
        yield number
    if error is not None:
        raise error


async def take(items: Iterator[int]) -> int | None:
    await anyio.lowlevel.checkpoint()
    return next(items, None)


async def test_one_item_is_read_while_the_one_before_it_is_worked_on_and_no_more() -> None:
    taken: list[int] = []
    async with anyio.create_task_group() as group:
        ahead = ReadAhead(three_then(None, taken), take, group)
        assert taken == []
        found = []
        while (item := await ahead.following()) is not None:
            await anyio.wait_all_tasks_blocked()
            found.append((item, list(taken)))
    assert found == [(1, [1, 2]), (2, [1, 2, 3]), (3, [1, 2, 3])]


@pytest.mark.parametrize("error", [SourceError("the source has changed"), Stopped()])
async def test_what_reading_raises_is_raised_where_its_item_is_asked_for(error: BulkImportError | Stopped) -> None:
    async with anyio.create_task_group() as group:
        ahead = ReadAhead(three_then(error, []), take, group)
        assert [await ahead.following() for _ in range(3)] == [1, 2, 3]
        await anyio.wait_all_tasks_blocked()  # by now reading has met the error
        with pytest.raises(type(error)):
            await ahead.following()


async def test_who_waits_for_an_item_whose_reading_is_cancelled_is_told_to_stop_and_not_that_this_was_the_end() -> None:
    async def never(_: Iterator[int]) -> int | None:
        await anyio.sleep_forever()
        return None

    async def wait_for(ahead: ReadAhead[int]) -> None:
        with pytest.raises(Stopped):
            await ahead.following()

    async with anyio.create_task_group() as waiting, anyio.create_task_group() as group:
        waiting.start_soon(wait_for, ReadAhead(iter([1]), never, group))
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
