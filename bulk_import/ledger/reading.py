"""Everything that is asked of the ledger; nothing here changes it."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bulk_import.ledger import account, standing
from bulk_import.ledger.chunks import chunks, marks
from bulk_import.ledger.claims import CLAIMS, claim_from
from bulk_import.ledger.database import Connection, sound, translated
from bulk_import.ledger.lines import LINES, MAPPED, failed_lines
from bulk_import.ledger.opening import check_pages
from bulk_import.ledger.own_ids import alike_ids
from bulk_import.ledger.planned import Planned, planned_rows
from bulk_import.ledger.purpose import Purpose
from bulk_import.ledger.sampling import intervals, slowest
from bulk_import.ledger.troubles import Trouble, troubles
from bulk_import.ledger.views import (
    NEVER_SENT,
    ORPHAN,
    Command,
    Fate,
    Line,
    Mapped,
    Owner,
    Tally,
    command_from,
    lines_from,
    unseen,
)
from bulk_import.model import Claim, Customer, Record, Slice, Status
from bulk_import.series import Interval, Slow

_RECORDS = """
SELECT e.number, e.line, p.fields FROM entry e JOIN payload p ON p.number = e.number WHERE p.fields IS NOT NULL
"""

_MANY = 500
"""Rows that are looked at together where all are wanted."""


class Reader:
    """A view of the ledger; safe beside the writer of another process."""

    def __init__(self, db: Connection, path: Path) -> None:
        self._db = db
        self.path = path

    def purpose(self) -> Purpose | None:
        """What the ledger is for; None while no run has got so far as to know it."""
        found = self._one("SELECT facts, chunks FROM job")
        with sound(self.path):
            return Purpose.from_text(found[0], bytes(found[1])) if found else None

    def check(self) -> None:
        """See that what the ledger says of its rows can be relied on, also where it is large; a million rows take 0.8 s."""
        with translated(self.path):
            check_pages(self._db, self.path)

    def tally(self) -> Tally:
        """Count every row of the source."""
        purpose = self.purpose()
        with sound(self.path):
            counts = {Status(s): n for s, n in self._all("SELECT status, count(*) FROM entry GROUP BY status")}
        orphans = self._one(
            f"SELECT count(*) FROM entry e JOIN entry o ON o.number = e.owner WHERE {ORPHAN}"  # noqa: S608 - a constant
        )[0]
        return Tally(purpose.rows if purpose else sum(counts.values()), counts, orphans)

    def lines(self, numbers: Sequence[int] | None = None) -> Iterator[Line]:
        """Every row of the source in row order, rows never looked at included; or just *numbers*.

        Raises `LedgerRefuses` at the end of rows that cannot be all.
        """
        if numbers is not None:
            for chunk in chunks(list(numbers)):
                where = f"WHERE e.number IN ({marks(chunk)}) ORDER BY e.number"
                for found in self._all(LINES + where, chunk):
                    yield Line._make(found)
            return
        purpose = self.purpose()
        expected = 1
        with sound(self.path):
            found = iter(self._db.execute(LINES + "ORDER BY e.number"))
            # Where pages are damaged rows may be missing that an index still has; that is asked while the rows' own view of
            # the ledger is open, which another process may be writing to.
            left = self._one("SELECT count(*) FROM entry INDEXED BY entry_status")[0]
            while some := tuple(islice(found, _MANY)):
                yield from lines_from(expected, some)
                expected, left = some[-1][0] + 1, left - len(some)
            if left and expected > 1:
                raise ValueError("rows are missing, or there twice")
        yield from unseen(expected, (purpose.rows if purpose else 0) + 1)

    def mapped(self) -> Iterator[Mapped]:
        """Every row that has a customer, in row order."""
        with translated(self.path):
            yield from self._db.execute(MAPPED)

    def failures(self) -> Iterator[tuple[Line, Mapping[str, Any]]]:
        """Failed and invalid rows and the duplicates of failed owners, each with its original fields."""
        with sound(self.path):
            yield from failed_lines(self._db)

    def planned(self, before: bytearray) -> Iterator[Planned]:
        """What would become of every row that was looked at; *before* marks those that were so before the plan."""
        with translated(self.path):
            yield from planned_rows(self._db, before)

    def looked_at(self) -> bytearray:
        """A byte for each row number (index 0 unused): 1 where the row needs no reading again."""
        purpose = self.purpose()
        marks = bytearray((purpose.rows if purpose else 0) + 1)
        with translated(self.path):
            for (number,) in self._db.execute("SELECT number FROM entry WHERE status <> 'pending'"):
                if number < len(marks):
                    marks[number] = 1
        return marks

    def claims(self, statuses: Sequence[Status], after: int = 0, count: int = -1) -> list[Claim]:
        """The claims of rows in *statuses*, with what was promised, in row order: the next *count* behind *after*, or all."""
        # Each status in the order of its index, so that no piece of many sorts all that is left.
        each = [f"SELECT number FROM entry WHERE status = '{status.value}' AND number > ?1" for status in statuses]  # noqa: S608 - names of ours
        where = f"WHERE e.number IN ({' UNION ALL '.join(each)} ORDER BY number LIMIT ?2) ORDER BY e.number"
        with sound(self.path):
            return [claim_from(found) for found in self._all(CLAIMS + where, (after, count))]

    def owners(self, owned_keys: Iterable[str]) -> dict[str, Owner]:
        """Who owns each of these e-mails, by the text that stands for it in the ledger."""
        with sound(self.path):
            return standing.owners(self._all, owned_keys)

    def method_owners(self, owned_methods: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Which row, on which line, has each of these payment methods, by the text that stands for it in the ledger."""
        return standing.method_owners(self._all, owned_methods)

    def next_generations(self, numbers: Sequence[int]) -> dict[int, int]:
        """The generation a new claim of each of these rows must have; absent rows begin with 0.

        A row that is pending again has it stored; one that failed or was invalid gets the next one, since the
        answer to its last key may be replayed.
        """
        return standing.next_generations(self._all, numbers)

    def fates(self, numbers: Sequence[int]) -> dict[int, Fate]:
        """What became of each of these rows; rows that were never looked at are left out."""
        with sound(self.path):
            return standing.fates(self._all, numbers)

    def numbers(self, statuses: Sequence[Status], codes: Sequence[str] = (), without: Sequence[str] = ()) -> array[int]:
        """The numbers of the rows in *statuses*, in their order; with *codes*, of those with one of these errors.

        Rows with an error that they are to be *without* are left out.
        """
        query = f"SELECT number FROM entry WHERE status IN ({marks(statuses)})"  # noqa: S608 - marks only
        values = [status.value for status in statuses]
        if codes:
            query += f" AND error_code IN ({marks(codes)})"
            values += codes
        if without:
            query += f" AND (error_code IS NULL OR error_code NOT IN ({marks(without)}))"
            values += without
        with translated(self.path):
            return array("q", (number for (number,) in self._db.execute(query + " ORDER BY number", values)))

    def never_sent(self) -> array[int]:
        """The rows, in their order, that begin anew where another mapping is to judge them."""
        with translated(self.path):
            query = f"SELECT number FROM entry WHERE {NEVER_SENT} ORDER BY number"  # noqa: S608 - a constant
            return array("q", (number for (number,) in self._db.execute(query)))

    def records(self, numbers: Sequence[int]) -> list[Record]:
        """The original fields of these rows, as far as they are still kept, in row order."""
        found: list[Record] = []
        for chunk in chunks(list(numbers)):
            query = f"{_RECORDS} AND e.number IN ({marks(chunk)}) ORDER BY e.number"
            with sound(self.path):
                found += [Record(number, line, json.loads(text)) for number, line, text in self._all(query, chunk)]
        return found

    def alike_ids(self) -> Iterator[tuple[int, str]]:
        """Every row, with its own id, of which a spreadsheet makes the same number as of another id."""
        with translated(self.path):
            yield from alike_ids(self._db)

    def followed_keys(self, numbers: Sequence[int]) -> dict[int, str | None]:
        """What stands for the e-mail of the row that each of these duplicates follows; other rows are left out."""
        return standing.followed_keys(self._all, numbers)

    def has_mended(self) -> bool:
        """Whether rows are left that were mended and not sent since."""
        return self._one("SELECT 1 FROM entry WHERE status = 'failed' AND error_code = 'mended' LIMIT 1") is not None

    def begun_undos(self) -> int:
        """How many rows an undo set out to take back without writing what came of it: it was cut short, or goes on now."""
        return int(self._one("SELECT count(*) FROM entry WHERE undo_at IS NOT NULL")[0])

    def undone(self) -> int:
        """How many rows that were not sent again since were taken back by an undo; it goes through the whole ledger."""
        return int(
            self._one("SELECT count(*) FROM entry WHERE status = 'pending' AND error_message LIKE 'undone: %'")[0]
        )

    def settled_since(self, moment: float) -> int:
        """How many rows were settled from *moment* on (seconds since the epoch)."""
        return int(self._all("SELECT count(*) FROM entry WHERE settled_at >= ?", (moment,))[0][0])

    def last_settled(self) -> float | None:
        """When the last row was settled, in seconds since the epoch; None while none was."""
        found = self._one("SELECT max(settled_at) FROM entry")[0]
        return float(found) if found is not None else None

    def has_success(self) -> bool:
        """Whether any row of this ledger was ever created or updated."""
        return self._one("SELECT 1 FROM entry WHERE status IN ('created', 'updated') LIMIT 1") is not None

    def held_customers(self, most: int) -> list[str]:
        """Up to so many customers that the ledger holds of each kind, to prove that a key reaches the same account.

        Those it created come first: somebody else may have deleted whoever was there before.
        """
        return standing.held_customers(self._all, most)

    def owners_of_customers(self, ids: Sequence[str]) -> dict[str, int]:
        """Which row of this ledger is mapped to each of these customers."""
        return standing.owners_of_customers(self._all, ids)

    def made_customers(self, numbers: Sequence[int]) -> dict[str, str | None]:
        """The customers that these rows have created, and what stands for the e-mail of each."""
        return standing.made_customers(self._all, numbers)

    def commands(self) -> list[Command]:
        """Every command that worked on the ledger, oldest first."""
        query = (
            "SELECT verb, started_at, ended_at, pid, host, boot, boot_offset, exit_code, reason, facts "
            "FROM command ORDER BY id"
        )
        with sound(self.path):
            return [command_from(found) for found in self._all(query)]

    def intervals(self) -> list[Interval]:
        """What the commands measured, in order of time, all intervals of one width."""
        with sound(self.path):
            return intervals(self._db)

    def slowest(self) -> list[Slow]:
        """The rows that took longest, slowest first."""
        with sound(self.path):
            return slowest(self._db)

    def troubles(self, places: int = 20) -> list[Trouble]:
        """Rows without a customer by what is wrong with them, the most frequent first, each with its first rows."""
        return troubles(self._all, places)

    def snapshot(self) -> tuple[float, float | None, int] | None:
        """When the account was last read whole: begun, finished (None if it never was), newest `created`."""
        return account.last_reading(self._all)

    def knows_nobody(self) -> bool:
        """Whether the last reading of the account has found no customer at all."""
        return account.knows_nobody(self._all)

    def slices(self) -> tuple[list[Slice], float]:
        """What a reading that was cut short has left to read, and when its last page came."""
        return account.slices_left(self._all)

    def customers(self, owned_keys: Sequence[str]) -> dict[str, list[Customer]]:
        """The account's customers with these e-mails as last read, oldest first for each."""
        return account.by_email(self._all, owned_keys)

    def known_customers(self, ids: Sequence[str]) -> set[str]:
        """Which of these customers the last reading of the account holds."""
        return account.known(self._all, ids)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _one(self, query: str) -> Any:
        with translated(self.path):
            return self._db.execute(query).fetchone()

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with translated(self.path):
            return list(self._db.execute(query, tuple(values)).fetchall())
