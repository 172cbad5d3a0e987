"""What holds for the whole run, told to everybody who sends."""

from __future__ import annotations

from dataclasses import dataclass

from bulk_import.options import OnExisting


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for the whole run.

    `fingerprint` tells this API key from another one, `process_started` is when the ledger's lock was taken
    (wall clock, seconds), `deadline` is one attempt's longest time in seconds, and `clock_jumped` says that the
    wall clock was moved since an earlier command of the same boot. `release` is whether a claim that was never sent may
    begin anew from the source; a retry's may not, since its fields may be corrected ones. `looks` is whether anybody is asked who is already in Stripe.
    """

    token: str
    fingerprint: str | None
    marker: bool
    on_existing: OnExisting
    process_started: float
    deadline: float
    clock_jumped: bool
    release: bool = True
    looks: bool = True
