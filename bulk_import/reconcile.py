"""The sweep: settles rows that are in doubt from what the account really holds, and proves absence or says it cannot.

List is strongly consistent, search is not, so the sweep lists: from Stripe's own time at the oldest doubtful
claim less ten minutes, or by the exact e-mail where that costs fewer requests. Our marker on a customer proves
that it is a row's own. The rules are pure; `Sweep` only asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bulk_import.age import is_young
from bulk_import.change import METHOD, difference, expansions, known_as
from bulk_import.existing import Ask, Piece, Together, is_attached, pages, reread
from bulk_import.model import (
    MARKER,
    Claim,
    Created,
    Customer,
    Doubt,
    Existing,
    Failed,
    InDoubt,
    Outcome,
    Params,
    Refusal,
    Updated,
    marker_of,
)

OVERLAP = 600
"""Seconds before the oldest doubtful claim from which customers are listed."""

BY_EMAIL = 25
"""Up to so many doubtful rows are looked for by e-mail, one request each, instead of by a window of time."""

MOST_GENERATIONS = 3
"""New generations one row may get in one run."""

AT_ONCE = 16
"""Look-ups by e-mail side by side."""

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
        return self.absence(claim, now, generations)

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


def row_of(marker: str | None, token: str) -> int | None:
    """The row that a marker of this ledger names, in any generation."""
    parts = (marker or "").split(":")
    if len(parts) != 3 or parts[0] != token or not parts[1].isdecimal():
        return None
    return int(parts[1])


def next_generation(claim: Claim, token: str, now: float) -> Claim:
    """Make the claim that replaces one whose absence is proven: a new key, and so a new marker.

    Stripe's time stays that of the first generation: an early bound for the next sweep is a safe one.
    """
    generation = claim.generation + 1
    params: Params = claim.params
    metadata = params.get("metadata")
    if isinstance(metadata, Mapping) and MARKER in metadata:
        params = {**params, "metadata": {**metadata, MARKER: marker_of(token, claim.row, generation)}}
    return replace(
        claim, generation=generation, params=params, claimed_at=now, doubt=None, attempted_at=None, attached=None
    )


def needs_sweep(claim: Claim, now: float, fingerprint: str | None, *, clock_jumped: bool) -> bool:
    """Tell whether a claim at rest must be looked for before it may be sent again under its key.

    So it is when the key is too old or of the future, when our clock was moved, or when it was sent under
    another API key.
    """
    return clock_jumped or not is_young(claim.claimed_at, now) or claim.key_fingerprint != fingerprint


class Sweep:
    """Asks Stripe what became of doubtful rows; `owned` tells which of these customers belong to which row."""

    def __init__(
        self,
        ask: Ask,
        together: Together,
        owned: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]],
        key: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._together = together
        self._owned = owned
        self._key = key
        self._now = now

    async def look(
        self,
        claims: Sequence[Claim],
        token: str,
        process_started: float,
        deadline: float,
        generations: Mapping[int, int],
        *,
        clock_jumped: bool,
    ) -> list[Verdict]:
        """Judge every one of *claims*; those of updates by re-reading their target.

        Who is absent by e-mail is looked for in time, too, and the other way round: an e-mail may have been changed
        since, and a clock may be wrong.
        """
        began = self._now()
        creates = [claim for claim in claims if claim.target is None]
        by_email = _is_cheaper_by_email(creates)
        found: dict[str, Customer] = {}

        async def judged(some: Sequence[Claim]) -> list[Verdict]:
            owned = await self._owned(list(found))
            evidence = Evidence(list(found.values()), began, process_started, deadline, owned, clock_jumped)
            judge = Judge(token, evidence, self._key)
            return [judge.verdict(claim, self._now(), generations.get(claim.row, 0)) for claim in some]

        await self._gather(_lists(creates, by_email=by_email), found)
        verdicts = await judged(creates)
        absent = [claim for claim, verdict in zip(creates, verdicts, strict=True) if isinstance(verdict, Absent)]
        if absent:
            await self._gather(_lists(absent, by_email=not by_email, clocks=False), found)
            again = {claim.row: verdict for claim, verdict in zip(absent, await judged(absent), strict=True)}
            verdicts = [again.get(claim.row, verdict) for claim, verdict in zip(creates, verdicts, strict=True)]
        judge = Judge(token, Evidence((), began, process_started, deadline, {}, clock_jumped), self._key)
        updates = [c for c in claims if c.target is not None]
        return verdicts + [await self._reread(c, judge, generations.get(c.row, 0)) for c in updates]

    async def _gather(self, lists: Sequence[Params], found: dict[str, Customer]) -> None:
        await self._together([partial(self._list, params, found) for params in lists], AT_ONCE)

    async def _list(self, params: Params, found: dict[str, Customer]) -> Sequence[Piece]:
        async for page in pages(self._ask, params):
            found.update((customer.id, customer) for customer in page)
        return ()

    async def _reread(self, claim: Claim, judge: Judge, generations: int) -> Verdict:
        """Judge a doubtful update by its target alone: it either is as the claim says, or something is left to send."""
        wanted = known_as(claim.params, claim.attached)
        target = claim.target or ""
        customer = await reread(self._ask, target, expansions(wanted))
        if customer is None:
            gone = f"{target} was deleted before its update was seen done; retry looks again for who is there"
            return Found(claim, Failed(Refusal("invalid_request_error", "resource_missing", "id", gone)))
        method = wanted.get(METHOD)
        attached = method is not None and await is_attached(self._ask, method, target)
        left = difference(wanted, customer.raw, attached=attached)
        if left.is_empty:
            return Found(claim, Updated(target, note=claim.note))
        return judge.absence(replace(claim, params=left.params, before=left.before), self._now(), generations)


def advice_on(left: Sequence[Open]) -> str | None:
    """What settles the rows that a sweep has left in doubt, in one sentence; None where it left none."""
    if not left:
        return None
    for_people = [one for one in left if one.is_for_a_person]
    if not for_people:
        return f"{len(left)} rows stay in doubt; run the same command again later"
    one = for_people[0]
    more = f" ({len(for_people) - 1} more rows say what they need in export --what all)" if len(for_people) > 1 else ""
    return f"row {one.claim.row} stays in doubt: {one.why}; {one.advice}, then run the same command again{more}"


def still_in_doubt(verdict: Open) -> InDoubt:
    """What the ledger says of a row that the sweep could not settle."""
    why = Refusal(type="in_doubt", message=f"{verdict.why}; {verdict.advice}")
    return InDoubt(why, verdict.claim.doubt or Doubt.OPEN)


def _is_cheaper_by_email(claims: Sequence[Claim]) -> bool:
    return all(c.email for c in claims) and len({c.email for c in claims}) <= BY_EMAIL


def _lists(claims: Sequence[Claim], *, by_email: bool, clocks: bool = True) -> list[Params]:
    """The lists that show every customer of these claims; one on a test clock appears only in that clock's own."""
    plain = [c for c in claims if not c.params.get("test_clock")]
    if by_email:
        lists: list[Params] = [{"email": email} for email in sorted({c.email for c in plain if c.email})]
    else:
        lists = [_window(plain)] if plain else []
    on_clocks = {clock for c in claims if (clock := c.params.get("test_clock"))} if clocks else set()
    return lists + [{"test_clock": clock} for clock in sorted(on_clocks)]


def _window(claims: Sequence[Claim]) -> Params:
    """List from the oldest doubtful claim on; without Stripe's own time for it, everything."""
    times = [claim.stripe_time for claim in claims]
    if any(time is None for time in times):
        return {}
    return {"created": {"gte": int(min(time for time in times if time is not None)) - OVERLAP}}
