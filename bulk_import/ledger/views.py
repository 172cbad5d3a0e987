"""What the ledger shows: a line for every row, who owns an e-mail, the commands, and how many rows stand where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from bulk_import.model import Status


class Line(NamedTuple):
    """One line of `export --what all`; `customer_id` of a duplicate is its owner's.

    A tuple, since an export makes millions of them out of the tuples that the database answers.
    """

    row: int
    line: int | None
    source_id: str | None
    email: str | None
    status: str
    customer_id: str | None
    duplicate_of: int | None
    error_type: str | None
    error_code: str | None
    error_param: str | None
    error_message: str | None
    http_status: int | None
    request_id: str | None
    attempts: int
    settled_at: float | None


ORPHAN = "e.status = 'duplicate' AND o.status IN ('failed', 'invalid', 'duplicate')"
"""A row *e* that follows a row *o* without a customer; one that is pending or in doubt may get its customer yet."""

NEVER_SENT = "status = 'invalid' AND claimed_at IS NULL AND generation = 0"
"""A row that was refused here, as its source has it; another mapping may well make it one that can be sent."""

Mapped = tuple[int, str | None, str | None, str]
"""A row that has a customer: its number, its own id in the source system, its e-mail, the customer (a duplicate's is its owner's)."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The row that owns an e-mail, and where it stands."""

    number: int
    status: Status
    generation: int


class Fate(NamedTuple):
    """What became of a row, with its own id in the source system.

    One that `is_refused` failed, is invalid or follows one without a customer.
    """

    status: Status
    source_id: str | None
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One command that worked on the ledger; `ended_at` None means still open, or killed."""

    verb: str
    started_at: float
    ended_at: float | None
    pid: int
    host: str
    boot: str | None
    boot_offset: float | None
    exit_code: int | None
    reason: str | None
    facts: Mapping[str, Any]


_number = itemgetter(0)
_line = partial(tuple.__new__, Line)
# What `Line._make` does but for counting the columns again, which takes longer than all the rest of it.


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows stand where; `orphans` are the duplicates whose owner failed, or has no customer to come."""

    rows: int
    by_status: Mapping[Status, int]
    orphans: int

    @property
    def settled(self) -> int:
        """Rows that need nothing more."""
        at_rest = (Status.PENDING, Status.CLAIMED, Status.IN_DOUBT)
        return sum(n for status, n in self.by_status.items() if status not in at_rest)

    def count(self, status: Status) -> int:
        """Rows of one status as users see it: a claim at rest shows as in doubt."""
        if status is Status.IN_DOUBT:
            return self.by_status.get(Status.IN_DOUBT, 0) + self.by_status.get(Status.CLAIMED, 0)
        if status is Status.PENDING:
            return self.rows - sum(n for s, n in self.by_status.items() if s is not Status.PENDING)
        return self.by_status.get(status, 0)


def command_from(found: Any) -> Command:
    """A command as the database answers it."""
    values = [*found[:-1], json.loads(found[-1])]
    return Command(*values)


def lines_from(first: int, found: Sequence[tuple[Any, ...]]) -> Iterator[Line]:
    """Lines as the database answers them, in row order from *first* on, and between them those no run has looked at.

    Raises ValueError for an order that only damage can make.
    """
    if [*map(_number, found)] == [*range(first, first + len(found))]:
        yield from map(_line, found)
        return
    for values in found:
        if values[0] < first:
            raise ValueError("rows are out of order")
        yield from unseen(first, values[0])
        yield _line(values)
        first = values[0] + 1


def unseen(first: int, end: int) -> Iterator[Line]:
    """Lines of rows that no run has looked at, from *first* to before *end*."""
    for number in range(first, end):
        yield Line(number, None, None, None, Status.PENDING.value, *(None,) * 8, 0, None)
