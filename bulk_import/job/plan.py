"""What `run` would do, as `plan` has counted it, and what is to be said of it aloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bulk_import.model import Endpoint

READS = (Endpoint.LIST, Endpoint.SEARCH, Endpoint.RETRIEVE, Endpoint.ACCOUNT)
ALLOWANCE = 10_000
"""Reads a month that every account has at least (Stripe facts, section 2)."""

DAY = 86_400.0
"""Seconds after which idempotency keys are forgotten, and the account has changed while the import runs."""

VERDICTS = ("create", "update", "existing", "duplicate", "invalid", "failed")
"""What may become of a row, in the order of every table."""


@dataclass(slots=True)
class Plan:
    """What `run` would do; `settled` rows were so before, by status, and are in none of the `verdicts`.

    `requests` are all that `run` would make, by endpoint; `fields` says how many updates change what. `seconds` is None
    without a cap. `may_write` is None where only writing would tell.
    """

    source: str = ""
    account: str = ""
    account_name: str | None = None
    livemode: bool = False
    simulated: bool = False
    dedupe: str = ""
    dedupe_reason: str = ""
    rows: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    settled: dict[str, int] = field(default_factory=dict)
    fields: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    seconds: float | None = None
    rate: float | None = None
    binding: str = ""
    restricted: bool = False
    may_read: bool = True
    may_write: bool | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def reads(self) -> int:
        """Requests that count toward Stripe's monthly allowance of reads."""
        return sum(self.requests[endpoint.value] for endpoint in READS)


def warnings_of(plan: Plan) -> Iterator[str]:
    """What a person should be warned of before a run like this."""
    if plan.seconds is not None and plan.seconds > DAY:
        yield (
            "this takes longer than 24 h: Stripe forgets idempotency keys after a day, so rows in doubt are then settled "
            "by looking for their customers; ask Stripe for a higher limit, or split the file"
        )
    if plan.reads > ALLOWANCE:
        yield (
            f"{plan.reads:,} reads are more than the {ALLOWANCE:,} a month that every account has; Stripe allows 500 for "
            "each transaction of the last 30 days, so see that the account has enough of them"
        )
    if not plan.may_read:
        yield "the key may not read customers; grant it, or choose --dedupe off"
    if plan.restricted:
        needed = "Customers: write" + (" and PaymentMethods: write" if plan.requests["attach"] else "")
        yield f"whether this restricted key may write cannot be seen without writing; it needs {needed}"
