"""The tool in a process that is gone at a point of its life, and cleans up nothing.

The point is the n-th `commit` of the ledger or the n-th `step` of the event loop (each await ends one and begins another),
and the process is gone `before` or `after` it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bulk_import.cli.ending import run_program
from bulk_import.ledger import Connection, connect
from bulk_import.ledger import opening as ledger_opening

GONE = 99
"""The exit code of a process that died where it was told."""


class Points:
    """Counts the points of one kind, and dies at one of them."""

    def __init__(self, kind: str, moment: str, nth: int) -> None:
        self._kind, self._moment, self._nth = kind, moment, nth
        self.counts = {"commit": 0, "step": 0}

    def around(self, kind: str, work: Callable[[], Any]) -> Any:
        """Do one piece of work, if the process lives to do it and to tell."""
        self.counts[kind] += 1
        due = (kind, self.counts[kind]) == (self._kind, self._nth)
        if due and self._moment == "before":
            os._exit(GONE)
        done = work()
        if due:
            os._exit(GONE)
        return done


class Watched:
    """A ledger connection whose commits are points."""

    def __init__(self, db: Connection, points: Points) -> None:
        self._db = db
        self._points = points

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        if sql != "COMMIT":
            return self._db.execute(sql, parameters)
        return self._points.around("commit", lambda: self._db.execute(sql, parameters))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        return self._db.executemany(sql, parameters)

    def close(self) -> None:
        self._db.close()


def watch(points: Points) -> None:
    """Make every commit and every step of the loop a point of this process."""
    ledger_opening.open_for_writing.__defaults__ = (lambda path: Watched(connect(path), points),)
    run = asyncio.Handle._run

    def counted(handle: asyncio.Handle) -> None:
        points.around("step", lambda: run(handle))

    asyncio.Handle._run = counted  # type: ignore[method-assign, assignment]  # the one place through which every step goes


def main() -> int:
    """Carry out a command line after KIND, MOMENT, N and a file, which tells how many points there were."""
    kind, moment, nth, counts, *words = sys.argv[1:]
    points = Points(kind, moment, int(nth))
    watch(points)
    code = run_program(words)
    Path(counts).write_text(json.dumps(points.counts))
    return code
