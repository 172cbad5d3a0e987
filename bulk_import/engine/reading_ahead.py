"""Reads the next item of a blocking iterator while the one before it is worked on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from bulk_import.engine.parts import Stopped
from bulk_import.errors import BulkImportError

T = TypeVar("T")

ReadNext = Callable[[Iterator[T]], Awaitable[T | None]]
"""Takes the next item off the event loop, None at the end; raises what reading raises, and `Stopped`."""


@dataclass(eq=False, slots=True)
class _Reading(Generic[T]):
    """One item on its way; `done` is set once it is here, or will never be: then `error` tells why."""

    done: anyio.Event = field(default_factory=anyio.Event)
    item: T | None = None
    error: BulkImportError | Stopped | None = field(default_factory=Stopped)


class ReadAhead(Generic[T]):
    """The items of a blocking iterator, of which one is read ahead in a task of *group*.

    What reading raises is raised where its item is asked for: nothing is cut off that is being done with an earlier one.
    """

    def __init__(self, items: Iterator[T], read_next: ReadNext[T], group: TaskGroup) -> None:
        self._items = items
        self._read_next = read_next
        self._group = group
        self._ahead: _Reading[T] | None = None

    async def following(self) -> T | None:
        """The next item, None at the end; the one after it begins to be read."""
        reading = self._ahead or self._begin()
        await reading.done.wait()
        if reading.error is not None:
            raise reading.error
        self._ahead = None if reading.item is None else self._begin()
        return reading.item

    def _begin(self) -> _Reading[T]:
        reading = _Reading[T]()
        self._group.start_soon(self._read, reading)
        return reading

    async def _read(self, reading: _Reading[T]) -> None:
        try:
            reading.item, reading.error = await self._read_next(self._items), None
        except (BulkImportError, Stopped) as error:
            reading.error = error
        finally:
            reading.done.set()
