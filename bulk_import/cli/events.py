"""What a program watches: one JSON object a line on standard output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from bulk_import.cli.progress import Silent
from bulk_import.cli.terminal import Output
from bulk_import.report.summary import COUNTS
from bulk_import.report.table import STATUSES

if TYPE_CHECKING:
    from bulk_import.ledger import Line
    from bulk_import.options import Progress, Start
    from bulk_import.report.summary import Summary

EVERY = 1.0
"""Seconds between two `progress` events, at least."""

_UNREAD = (
    "Nobody reads standard output any more, so the events from here on are lost; the command goes on, and the ledger has "
    "every row (bulk-import export LEDGER --what all)."
)


class Events(Silent):
    """Writes `start`, `progress`, `row`, `notice` and, as the last one, `finish`; *tick* is a monotonic clock.

    A reader that goes away ends no import: *say* tells people that there is none any more.
    """

    def __init__(
        self,
        output: Output,
        say: Callable[[str], None],
        *,
        rows: bool = False,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wants_rows = rows
        self._output = output
        self._say = say
        self._tick = tick
        self._said_at: float | None = None
        self._started = False

    def start(self, start: Start) -> None:
        """Write what is about to happen."""
        self._started = True
        self._write("start", values_of(start))

    def notice(self, code: str, message: str) -> None:
        """Write a notice."""
        self._write("notice", {"code": code, "message": message})

    def progress(self, progress: Progress) -> None:
        """Write how far it is, at most once a second and never before the start."""
        now = self._tick()
        if not self._started or (self._said_at is not None and now - self._said_at < EVERY):
            return
        self._said_at = now
        facts = values_of(progress)
        tallies = facts.pop("by_status")
        facts = {name: round(value, 3) if isinstance(value, float) else value for name, value in facts.items()}
        counts = {status: tallies.get(status, 0) for status in STATUSES}
        counts["pending"] = max(0, progress.rows - progress.settled - counts["in_doubt"])
        self._write("progress", {**facts, **counts})

    def lines(self, lines: Sequence[Line]) -> None:
        """Write rows that are on disk, as `export --what all` would."""
        from bulk_import.report.export import record_of

        for line in lines:
            self._write("row", record_of(line))

    def finish(self, summary: Summary) -> None:
        """Write how it ended; the counts of a ledger that nobody could ask are left out."""
        facts = values_of(summary)
        unknown = () if facts.pop("is_counted") else COUNTS
        self._write("finish", {name: value for name, value in facts.items() if name not in unknown})

    def _write(self, event: str, facts: dict[str, Any]) -> None:
        if self._output.gone:
            return
        self._output.line(to_json({"event": event, **facts}))
        if self._output.gone and self._output.error is None:
            self._say(_UNREAD)


def to_json(value: Any) -> str:
    """*value* as one line of JSON, letters as they are."""
    return json.dumps(value, ensure_ascii=False, default=str)


def values_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass in their order."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
