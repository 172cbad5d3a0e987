"""The scribe: writes claims and outcomes in group commits, and knows when nothing is in flight."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bulk_import.engine.parts import Parts
from bulk_import.errors import BulkImportError, LedgerRefuses, LedgerUnwritable
from bulk_import.model import Claim, Created, Settled, Updated

GROUP = 200
"""Most outcomes in one commit."""

LINGER = 0.1
"""Seconds for which outcomes may wait for company, while others are in flight and nobody waits for the commit."""


class Entry(NamedTuple):
    """One thing for the scribe to write; `landed` claims are in flight no longer, `done` is set once it is on disk."""

    claims: Sequence[Claim] = ()
    settled: Sequence[Settled] = ()
    landed: int = 0
    done: anyio.Event | None = None


class Scribe:
    """The one task that writes; `halt` is told when the ledger refuses, and from then on nothing more is written.

    `unwritten` collects the pairs of row and customer that are known but not on disk.
    """

    def __init__(self, parts: Parts, halt: Callable[[BulkImportError], None]) -> None:
        self._parts = parts
        self._halt = halt
        self.refused = False
        self.unwritten: list[tuple[int, str]] = []
        self._open = self._flying = 0
        self._hurry = anyio.Event()
        self._quiet = anyio.Event()
        self._quiet.set()
        self._entries: MemoryObjectSendStream[Entry]

    def open(self) -> tuple[MemoryObjectSendStream[Entry], Callable[[], Coroutine[Any, Any, None]]]:
        """Open the channel; answers the end to close when all is said, and the task that drains it until then."""
        self._entries, entries = anyio.create_memory_object_stream[Entry](GROUP)

        async def drain() -> None:
            with entries:
                async for first in entries:
                    if first.done is None:
                        with anyio.move_on_after(LINGER):
                            await self._hurry.wait()
                    batch = _what_waits(first, entries)
                    if len(batch) < GROUP:
                        self._hurry = anyio.Event()
                    await self._commit(batch)

        return self._entries, drain

    async def write(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> bool:
        """Have it written and wait until it is on disk; False when the ledger refused."""
        done = anyio.Event()
        self._hurry.set()
        await self._entries.send(Entry(claims, settled, done=done))
        await done.wait()
        return not self.refused

    def took_off(self) -> None:
        """One more claim is in flight."""
        if self._open == 0:
            self._quiet = anyio.Event()
        self._open += 1
        self._flying += 1

    async def landed(self, settled: Sequence[Settled]) -> None:
        """One claim has landed with *settled*; what came back is written even when a second signal cancels."""
        entry = Entry(settled=settled, landed=1)
        self._flying -= 1
        if self._flying == 0:
            self._hurry.set()
        try:
            self._entries.send_nowait(entry)  # no trip through the event loop while there is room
        except anyio.WouldBlock:
            self._hurry.set()
            with anyio.CancelScope(shield=True):
                await self._entries.send(entry)

    async def quiet(self) -> None:
        """Wait until nothing is in flight and everything that landed is on disk."""
        await self._quiet.wait()

    async def _commit(self, batch: Sequence[Entry]) -> None:
        claims = [claim for entry in batch for claim in entry.claims]
        settled = [one for entry in batch for one in entry.settled]
        if not self.refused and (claims or settled):
            try:
                settled = list(await self._parts.offload(self._parts.write, claims, settled))
            except (LedgerUnwritable, LedgerRefuses) as error:
                self.refused = True
                self._halt(error)
        if self.refused:
            self.unwritten += [
                (s.number, s.outcome.customer_id) for s in settled if isinstance(s.outcome, Created | Updated)
            ]
        elif settled:
            self._parts.written(settled)
        for entry in batch:
            if entry.done:
                entry.done.set()
        self._open -= sum(entry.landed for entry in batch)
        if self._open == 0:
            self._quiet.set()


def _what_waits(first: Entry, entries: MemoryObjectReceiveStream[Entry]) -> list[Entry]:
    """Whatever waits is one commit: the busier the run, the more rows share the cost of a sync."""
    batch = [first]
    with suppress(anyio.WouldBlock, anyio.EndOfStream):
        while len(batch) < GROUP:
            batch.append(entries.receive_nowait())
    return batch
