"""A process that has imported everything and forks for each command line it is told, to die where it is told.

    python -m tests.warm        # a JSON object a line on standard input, one answer a line on standard output

`die` names a point: the n-th `commit` of the ledger or the n-th `step` of the event loop (each await ends one and
begins another), and whether the process is gone `before` or `after` it. The dead one cleans up nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import bulk_import.job.importing
import bulk_import.stripe_api.sending  # noqa: F401 - imported to be warm
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


def live(asked: dict[str, Any]) -> None:
    """Be the process that was asked for, to its end."""
    quiet = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    points = Points(*asked["die"])
    watch(points)
    code = run_program(asked["words"])
    with open(asked["said"] + ".counts", "w") as file:
        json.dump(points.counts, file)
    os._exit(code)


def main() -> None:
    """Fork for every line until there is none."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            live(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
