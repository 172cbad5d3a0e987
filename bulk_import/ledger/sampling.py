"""The ledger's tables of what a run measured: merged as it comes, and never more than a bounded number of lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bulk_import.ledger.database import Connection
from bulk_import.series import MOST, SLOWEST, Interval, Sample, Slow, bounded


def keep(db: Connection, sample: Sample) -> None:
    """Merge a sample into the tables, inside the caller's transaction."""
    for interval in sample.intervals:
        _merge(db, interval)
    if db.execute("SELECT count(*) FROM interval").fetchone()[0] > MOST:
        every = bounded(intervals(db))
        db.execute("DELETE FROM interval")
        db.executemany("INSERT INTO interval VALUES (?, ?, ?)", [_columns(one) for one in every])
    db.executemany(
        "INSERT INTO slow VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET seconds = max(seconds, excluded.seconds), "
        "attempts = max(attempts, excluded.attempts)",
        [(one.row, one.seconds, one.attempts) for one in sample.slow],
    )
    db.execute(f"DELETE FROM slow WHERE number NOT IN (SELECT number FROM slow ORDER BY seconds DESC LIMIT {SLOWEST})")  # noqa: S608 - a constant


def intervals(db: Connection) -> list[Interval]:
    """What was measured, in order of time, all intervals of one width; nothing in a ledger from before."""
    if not _exists(db):
        return []
    return bounded(_interval(*found) for found in db.execute("SELECT began, width, facts FROM interval"))


def slowest(db: Connection) -> list[Slow]:
    """The rows that took longest, slowest first."""
    if not _exists(db):
        return []
    rows = db.execute("SELECT seconds, number, attempts FROM slow ORDER BY seconds DESC").fetchall()
    return [Slow(*found) for found in rows]


def _merge(db: Connection, interval: Interval) -> None:
    """Add an interval to the stored one that covers its beginning, which may be wider, else store it."""
    found = db.execute(
        "SELECT began, width, facts FROM interval WHERE began <= ? ORDER BY began DESC LIMIT 1", (interval.began,)
    ).fetchone()
    stored = _interval(*found) if found and found[0] + found[1] > interval.began else None
    if stored is None:
        stored = interval
    else:
        stored.add(interval)
    db.execute("INSERT OR REPLACE INTO interval VALUES (?, ?, ?)", _columns(stored))


def _columns(one: Interval) -> tuple[int, int, str]:
    facts = {"settled": one.settled, "cap": one.cap, "answers": one.answers, "waits": one.waits}
    return one.began, one.width, json.dumps(facts, separators=(",", ":"))


def _interval(began: int, width: int, text: str) -> Interval:
    facts: dict[str, Any] = json.loads(text)
    waits = Counter({int(step): count for step, count in facts["waits"].items()})
    return Interval(began, width, facts["settled"], facts["cap"], Counter(facts["answers"]), waits)


def _exists(db: Connection) -> bool:
    names: Sequence[Any] = db.execute("SELECT name FROM sqlite_master WHERE name IN ('interval', 'slow')").fetchall()
    return len(names) == 2
