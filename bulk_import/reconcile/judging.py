"""Judges doubtful rows by the customers that were listed: found, surely absent, or still open (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bulk_import.age import is_young
from bulk_import.model import (
    MARKER,
    Claim,
    Created,
    Customer,
    Doubt,
    Existing,
    InDoubt,
    Outcome,
    Refusal,
    marker_of,
    row_of,
)
from bulk_import.reconcile.claims import MOST_GENERATIONS, next_generation

OVERLAP = 600
"""Seconds before the oldest doubtful claim from which customers are listed."""


NO_EMAIL = ""
"""Stands for the e-mail of customers without one."""


@dataclass(frozen=True, slots=True)
class Found:
    """The doubtful row's customer is there."""

    claim: Claim
    outcome: Outcome
    twins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """The row has surely no customer, or its update is surely not whole: `claim` is the next generation's."""

    claim: Claim


LATER = "run the same command again later to settle it"


@dataclass(frozen=True, slots=True)
class Open:
    """Nothing is proven; the row keeps its key. `wait` is how long until asking again could prove more, if it could."""

    claim: Claim
    why: str
    wait: float | None = None
    advice: str = LATER

    @property
    def is_for_a_person(self) -> bool:
        """Whether no later run can settle it by itself."""
        return self.advice != LATER


Verdict = Found | Absent | Open


@dataclass(frozen=True, slots=True)
class Case:
    """What holds for everything that one process judges.

    `token` is the ledger's, `process_started` is when this process took the ledger's lock (wall clock, seconds),
    `deadline` one attempt's longest time, and `clock_jumped` says that our clock was moved since an earlier process.
    """

    token: str
    process_started: float
    deadline: float
    clock_jumped: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sweep knows: the customers listed, when the list began, and which customers belong to which rows.

    Times are wall-clock seconds; `deadline` is one attempt's longest time; `process_started` is when this
    process took the ledger's lock.
    """

    customers: Sequence[Customer]
    list_began: float
    process_started: float
    deadline: float
    owned: Mapping[str, int]
    clock_jumped: bool = False


class Judge:
    """Decides on doubtful creates from one body of evidence; lookups are by marker, then by e-mail."""

    def __init__(self, token: str, evidence: Evidence, key: Callable[[str], str]) -> None:
        self._token = token
        self._evidence = evidence
        self._by_row: dict[int, list[Customer]] = {}
        self._strangers: dict[str, list[Customer]] = {}
        for customer in sorted(evidence.customers, key=lambda c: (c.created, c.id)):
            row = row_of(customer.marker, token)
            if row is not None:
                self._by_row.setdefault(row, []).append(customer)
            elif customer.id not in evidence.owned:
                self._strangers.setdefault(key(customer.email) if customer.email else NO_EMAIL, []).append(customer)

    def verdict(self, claim: Claim, now: float, generations: int) -> Verdict:
        """Judge one claim at *now*, with *generations* new ones given to its row in this run already."""
        ours = self._by_row.get(claim.row)
        if ours:
            return Found(claim, Created(ours[0].id), tuple(customer.id for customer in ours))
        strangers = self._strangers_of(claim)
        bare = [customer for customer in strangers if customer.marker is None]
        if claim.marker is None and claim.email_key is not None and bare:
            note = "claimed without a marker: found by e-mail and time alone, so undo will not touch it"
            return Found(claim, Existing(bare[0].id, note))
        if strangers:
            return self._look_at_them(claim, strangers)
        verdict = self.absence(claim, now, generations)
        if isinstance(verdict, Absent):  # whoever came after the list began was not looked for
            return Absent(replace(verdict.claim, seen_at=self._evidence.list_began))
        return verdict

    def _look_at_them(self, claim: Claim, strangers: Sequence[Customer]) -> Open:
        """Somebody came in the claim's time who may be its customer: only a person can tell."""
        ids = ", ".join(customer.id for customer in strangers[:3])
        marker = claim.marker or marker_of(self._token, claim.row, claim.generation)
        same = "its e-mail" if claim.email_key is not None else "no e-mail, as it has none,"
        return Open(
            claim,
            f"{ids} has {same} and came in the same time, but does not carry our marker",
            advice=f"put {MARKER} = {marker} into the metadata of the one that is this row's customer",
        )

    def _strangers_of(self, claim: Claim) -> list[Customer]:
        """Nobody's customers with the claim's e-mail who came in its time: who was there before is not its doing."""
        if claim.email_key is None and claim.marker is not None:
            return []  # its marker tells it from all the others without an e-mail
        since = 0 if claim.stripe_time is None else int(claim.stripe_time) - OVERLAP
        there = self._strangers.get(NO_EMAIL if claim.email_key is None else claim.email_key, ())
        return [customer for customer in there if customer.created >= since]

    def absence(self, claim: Claim, now: float, generations: int) -> Verdict:
        """Judge a claim of which nothing was found, or not all: whether no attempt of it can act any more."""
        protected = is_young(claim.claimed_at, now) and not self._evidence.clock_jumped
        if claim.doubt in (None, Doubt.OPEN) and protected:
            return Open(claim, "its last attempt says nothing about what happened, and its key still protects it")
        sure_from = self._sure_from(claim)
        if self._evidence.list_began < sure_from:
            return Open(claim, "an attempt of it may still be on its way", sure_from - now)
        if generations >= MOST_GENERATIONS:
            return Open(claim, f"it was sent under {MOST_GENERATIONS} new keys in this run without a clear answer")
        return Absent(next_generation(claim, self._token, now))

    def _sure_from(self, claim: Claim) -> float:
        """From when on a list shows whatever any attempt of this claim may have made."""
        started, last = self._evidence.process_started, claim.attempted_at
        if last is None or last > self._evidence.list_began:
            last = started  # later than now can only be an earlier process's, by a clock that was moved since
        return max(last, started - self._evidence.deadline) + self._evidence.deadline


def still_in_doubt(verdict: Open) -> InDoubt:
    """What the ledger says of a row that the sweep could not settle."""
    why = Refusal(type="in_doubt", message=f"{verdict.why}; {verdict.advice}")
    return InDoubt(why, verdict.claim.doubt or Doubt.OPEN)
