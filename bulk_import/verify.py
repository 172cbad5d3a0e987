"""Proves from what Stripe shows that every row has its customer, and finds customers that should not be there.

The rules are pure. `Prover` reads the customers that were made since the ledger's first claim by list, a hundred in a
request, which also shows strangers that carry the ledger's marker; only what no list has shown is retrieved.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import pairwise

from bulk_import.digest import was_marked
from bulk_import.existing import Ask, Offload, Piece, Together, pages, retrieved
from bulk_import.existing.pages import PAGE
from bulk_import.ledger import Follower, Pairing, Pairings, Span
from bulk_import.model import Customer, Params, Status, row_of

OVERLAP = 600
"""Seconds before the first claim from which customers are listed: clocks differ."""

AFTERWARDS = 3600
"""Seconds after the ledger's last sign of life in which a customer of it may still have come."""

CURSORS = 8
"""Lists read side by side, each over its own part of the time."""

KEPT = 1000
"""Findings that are kept to be named; all of them are counted."""


class Kind(StrEnum):
    """What may be wrong with a pairing, with a customer that carries the ledger's marker, or with a duplicate."""

    MISSING = "missing"
    DELETED = "deleted"
    OTHER_EMAIL = "other_email"
    OTHER_MODE = "other_mode"
    MARKER_GONE = "marker_gone"
    STRANGER = "stranger"
    TWIN = "twin"
    ORPHAN = "orphan"


AT_REST = (Status.CLAIMED, Status.IN_DOUBT)
"""What a row is whose request may have made a customer that the ledger has not heard of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is off, with the row and the customer it is about."""

    kind: Kind
    row: int | None
    customer_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Known:
    """What holds for the whole ledger; `key` is what stands in it for an e-mail as Stripe shows it."""

    token: str
    livemode: bool
    key: Callable[[str], str | None]


def judge(pairing: Pairing, customer: Customer | None, known: Known) -> list[Finding]:
    """Everything that is off with one pairing; None is a customer that Stripe does not know."""
    found = partial(Finding, row=pairing.row, customer_id=pairing.customer_id or "")
    if customer is None:
        return [found(Kind.MISSING, detail="Stripe knows no such customer in this account and mode")]
    if customer.deleted:
        cut = "; an undo was cut short, run undo again" if pairing.undo_at is not None else ""
        return [found(Kind.DELETED, detail=f"the customer was deleted{cut}")]
    findings = []
    if customer.livemode is not known.livemode:
        findings.append(found(Kind.OTHER_MODE, detail="it is live" if customer.livemode else "it is a test customer"))
    shown = known.key(customer.email) if customer.email else None
    if shown != pairing.email_key:
        findings.append(found(Kind.OTHER_EMAIL, detail="its e-mail is not the row's" if shown else "it has no e-mail"))
    named = row_of(customer.marker, known.token)
    if named is not None and named != pairing.row:
        findings.append(found(Kind.STRANGER, detail=f"it carries the marker of row {named}"))
    elif named is None and was_marked(pairing.digest):
        findings.append(found(Kind.MARKER_GONE, detail="it was made with a marker and carries none of this ledger"))
    return findings


def judge_stranger(customer: Customer, named: Pairing | None, known: Known) -> Finding:
    """What a customer is that carries the ledger's marker and is paired with no row; *named* is the row it names."""
    row = row_of(customer.marker, known.token)
    if named is not None and named.customer_id is not None:
        return Finding(Kind.TWIN, row, customer.id, f"the row's customer is {named.customer_id}; this is a second one")
    if named is None:
        return Finding(Kind.STRANGER, row, customer.id, "it carries the marker of a row that the ledger does not know")
    if named.status in AT_REST:
        said = "it carries the marker of a row that is in doubt; a run or a retry finds out whether it is the row's"
    else:
        said = f"it carries the marker of a row that is {named.status.value} in the ledger"
    return Finding(Kind.STRANGER, row, customer.id, said)


def judge_follower(duplicate: Follower, known: Known) -> Finding | None:
    """What is off with a duplicate: its customer is another person's, or none is ever to come.

    One whose owner failed is none of these: it is counted with the failed rows, and follows once that row is mended.
    """
    status, email = duplicate.owner_status, duplicate.email
    if status in (None, Status.INVALID, Status.DUPLICATE):
        why = f"it follows row {duplicate.owner}, which is {status or 'not there'}, so it has no customer; export it with --what failed"
        return Finding(Kind.ORPHAN, duplicate.row, "", why)
    if duplicate.customer_id is None or email is None or known.key(email) == duplicate.owner_key:
        return None
    why = f"its customer is that of row {duplicate.owner}, which has another e-mail"
    return Finding(Kind.OTHER_EMAIL, duplicate.row, duplicate.customer_id, why)


def carries(customer: Customer, token: str) -> bool:
    """Tell whether a customer carries a marker of the ledger with this token, well-formed or not."""
    return (customer.marker or "").startswith(f"{token}:")


def slices(span: Span, parts: int, begin: int | None = None) -> list[Params]:
    """Up to *parts* lists that together show everybody made while the ledger was at work, each over its part of the time.

    From *begin*, where it is given, one more list shows everybody older.
    """
    first, last = int(span.first) - OVERLAP, int(span.last) + AFTERWARDS
    step = max(1, math.ceil((last - first) / parts))
    edges = [*range(first, last, step), last]
    lists: list[Params] = [{"created": {"gte": low, "lt": high}} for low, high in pairwise(edges)]
    return lists if begin is None else [*lists, {"created": {"gte": begin, "lt": first}}]


@dataclass(slots=True)
class Proof:
    """What was proven: of `rows` pairings `judged` were looked at and `proven` are as they should be.

    `findings` are the first of all that `counts` counts. With `bounded`, customers that came long after the ledger's
    work were not all looked through for its marker.
    """

    rows: int = 0
    judged: int = 0
    proven: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    bounded: bool = False

    def note(self, findings: Sequence[Finding], *, of_a_row: bool) -> None:
        """Count what was found for one pairing, or for one stranger."""
        if of_a_row:
            self.judged += 1
            self.proven += not findings
        self.counts.update(finding.kind for finding in findings)
        self.findings += findings[: max(0, KEPT - len(self.findings))]


class Prover:
    """Reads Stripe and holds it against the ledger, a page or a batch at a time."""

    def __init__(
        self, ask: Ask, together: Together, offload: Offload, pairings: Pairings, known: Known, proof: Proof, last: int
    ) -> None:
        self._ask = ask
        self._together = together
        self._offload = offload
        self._pairings = pairings
        self._known = known
        self._proof = proof
        self._seen = bytearray(last + 1)
        self._strangers: set[str] = set()  # few, and told once: lists that heed no dates show them in each slice
        self._clocks: set[str] = set()

    async def hold_duplicates(self, batch_size: int) -> None:
        """Hold every duplicate against the row it follows, which the ledger alone tells."""
        row = 0
        while batch := await self._offload(self._pairings.followers, row, batch_size):
            row = batch[-1].row
            for duplicate in batch:
                if (finding := judge_follower(duplicate, self._known)) is not None:
                    self._proof.note([finding], of_a_row=False)

    async def list_all(self, lists: Sequence[Params]) -> None:
        """Judge whatever these lists show."""
        await self._together([partial(self._read, params) for params in lists], CURSORS)

    async def list_later(self, since: int, most: int) -> None:
        """Judge what came after the ledger's work, newest first, but read no more than *most* pages of it."""
        async for page in pages(self._ask, {"created": {"gte": since}}):
            await self._judge_page(page)
            most -= 1
            if most <= 0 and len(page) == PAGE:
                self._proof.bounded = True
                return

    async def retrieve_rest(self, batch_size: int, at_once: int) -> None:
        """Retrieve every customer that no list has shown: older ones, those on a test clock, deleted ones."""
        row = 0
        while batch := await self._offload(self._pairings.after, row, batch_size):
            row = batch[-1].row
            unseen = [pairing for pairing in batch if not self._seen[pairing.row]]
            await self._together([partial(self._retrieve, pairing) for pairing in unseen], at_once)

    async def list_clocks(self) -> None:
        """Look for twins on the test clocks that were met: plain lists leave out whoever lives on one."""
        await self.list_all([{"test_clock": clock} for clock in sorted(self._clocks)])

    async def _read(self, params: Params) -> Sequence[Piece]:
        async for page in pages(self._ask, params):
            await self._judge_page(page)
        return ()

    async def _judge_page(self, page: Sequence[Customer]) -> None:
        paired: dict[str, list[Pairing]] = {}
        for pairing in await self._offload(self._pairings.of_customers, [customer.id for customer in page]):
            paired.setdefault(pairing.customer_id or "", []).append(pairing)
        marked = [c for c in page if c.id not in paired and carries(c, self._known.token)]
        strangers = [c for c in marked if c.id not in self._strangers]
        self._strangers.update(c.id for c in strangers)
        rows = [row for c in strangers if (row := row_of(c.marker, self._known.token)) is not None]
        named = await self._offload(self._pairings.of_rows, rows) if rows else {}
        for customer in page:
            for pairing in paired.get(customer.id, ()):
                self._judge(pairing, customer)
        for customer in strangers:
            row = row_of(customer.marker, self._known.token)
            finding = judge_stranger(customer, named.get(row) if row is not None else None, self._known)
            self._proof.note([finding], of_a_row=False)

    async def _retrieve(self, pairing: Pairing) -> Sequence[Piece]:
        customer = await retrieved(self._ask, pairing.customer_id or "")
        clock = customer.raw.get("test_clock") if customer is not None else None
        if isinstance(clock, str):
            self._clocks.add(clock)
        self._judge(pairing, customer)
        return ()

    def _judge(self, pairing: Pairing, customer: Customer | None) -> None:
        if not self._seen[pairing.row]:
            self._seen[pairing.row] = 1
            self._proof.note(judge(pairing, customer, self._known), of_a_row=True)
