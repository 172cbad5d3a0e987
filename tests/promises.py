"""What must hold after whatever has happened: the ledger, the account and the requests, held against one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bulk_import.customer.emails import email_key
from bulk_import.ledger import Line, Reader, open_for_reading
from bulk_import.model import Status
from tests.raw_stripe import RawStripe

STATUSES = {status.value for status in Status} - {"claimed"}
PAIRED = ("created", "existing", "updated")


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as the server saw it: seconds of one clock, and for a POST its key and its body."""

    at: float
    key: str | None = None
    body: Hashable = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One moment: the ledger's lines, everybody in the account, and every request so far.

    `strangers` are customers that this ledger has nothing to do with.
    """

    lines: Sequence[Line]
    customers: Mapping[str, Mapping[str, Any]]
    sent: Sequence[Sent]
    strangers: Collection[str] = ()

    @classmethod
    def of(cls, server: RawStripe, source: Path) -> Self:
        """What a raw server holds, and the ledger beside *source*."""
        there = {i: c for i, c in server.customers.items() if not c.get("deleted")}
        sent = [Sent(a.at, a.key, a.body if a.method == "POST" else None) for a in server.arrivals]
        return cls(ledger_lines(source.with_name(source.name + ".ledger.db")), there, sent)

    @property
    def ours(self) -> dict[str, Mapping[str, Any]]:
        """The customers that are this ledger's doing."""
        return {i: c for i, c in self.customers.items() if i not in self.strangers}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a customer's marker says: of which ledger and which row it is."""

    token: str
    row: int

    @classmethod
    def on(cls, customer: Mapping[str, Any]) -> Self | None:
        token, _, rest = str((customer.get("metadata") or {}).get("bulk_import", "")).partition(":")
        return cls(token, int(rest.partition(":")[0])) if rest else None


def ledger_lines(ledger: Path) -> list[Line]:
    """The ledger's own word on every row; none where no run got so far as to make it."""
    if not ledger.exists():
        return []
    reader = Reader(open_for_reading(ledger), ledger)
    try:
        return list(reader.lines())
    finally:
        reader.close()


def check(seen: Seen, exit_code: int | None = None, *, cap: float | None = None) -> None:
    """Every promise that holds at any moment; the code of a run that came to its end must follow from the ledger."""
    _check_rows(seen.lines)
    _check_nobody_is_there_twice(seen.ours)
    _check_pairings(seen)
    _check_keys(seen.sent)
    if cap is not None:
        assert worst_second([sent.at for sent in seen.sent]) <= cap, "more requests than the cap within a second"
    if exit_code in (0, 1, 6):
        assert exit_code == finished_code(seen.lines), "the exit code does not follow from the ledger"


def finished_code(lines: Sequence[Line]) -> int:
    """The exit code as cli.md tells it, from the ledger's lines alone; 3 where rows were never sent."""
    statuses = {line.status for line in lines}
    if "pending" in statuses:
        return 3
    if "in_doubt" in statuses:
        return 6
    orphans = any(line.customer_id is None for line in lines if line.status == "duplicate")
    return 1 if orphans or statuses & {"failed", "invalid"} else 0


def worst_second(times: Sequence[float]) -> int:
    """The most moments that fit into any closed window of one second."""
    worst = first = 0
    for last, time in enumerate(times):
        while time - times[first] > 1.0:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def _check_rows(lines: Sequence[Line]) -> None:
    assert [line.row for line in lines] == list(range(1, len(lines) + 1)), "a row is lost or twice in the ledger"
    assert {line.status for line in lines} <= STATUSES
    for line in lines:
        has_customer = line.customer_id is not None
        assert has_customer or line.status not in PAIRED, f"row {line.row} is {line.status} without a customer"
        assert not has_customer or line.status in (*PAIRED, "duplicate"), f"row {line.row}: {line.status} with one"
        has_reason = line.error_message is not None
        assert has_reason or line.status not in ("failed", "invalid", "in_doubt"), (
            f"row {line.row} ends without a reason"
        )
        if line.status == "duplicate":
            owner = lines[(line.duplicate_of or 0) - 1].status
            assert has_customer or owner in ("failed", "in_doubt"), f"row {line.row} follows one that is {owner}"


def _check_nobody_is_there_twice(ours: Mapping[str, Mapping[str, Any]]) -> None:
    emails = Counter(email_key(customer["email"]) for customer in ours.values() if customer.get("email"))
    assert not [e for e, n in emails.items() if n > 1], "somebody has two customers"
    marks = Counter(mark for customer in ours.values() if (mark := Mark.on(customer)) is not None)
    assert not [mark for mark, n in marks.items() if n > 1], "a row has two customers"


def _check_pairings(seen: Seen) -> None:
    """Every customer the ledger names is there and is the row's; every customer of ours is named, or in doubt."""
    for line in seen.lines:
        if line.customer_id is None:
            continue
        customer = seen.customers.get(line.customer_id)
        assert customer is not None, f"row {line.row} names a customer that is not there"
        if line.email is not None:
            assert email_key(customer["email"]) == email_key(line.email), f"row {line.row} has another's customer"
    made = Counter(line.customer_id for line in seen.lines if line.status == "created")
    assert all(n == 1 for n in made.values()), "two rows claim to have made one customer"
    named = {line.customer_id for line in seen.lines}
    for found, customer in seen.ours.items():
        mark = Mark.on(customer)
        if found not in named and mark is not None and mark.row <= len(seen.lines):
            status = seen.lines[mark.row - 1].status
            assert status == "in_doubt", f"row {mark.row} is {status}, but its customer {found} is there"


def _check_keys(sent: Sequence[Sent]) -> None:
    bodies: dict[str, Hashable] = {}
    for one in sent:
        if one.key is not None and one.body is not None:
            assert bodies.setdefault(one.key, one.body) == one.body, "one key came with two bodies"
