"""The sweep: settles rows that are in doubt from what the account really holds, and proves absence or says it cannot.

List is strongly consistent, search is not, so the sweep lists: from Stripe's own time at the oldest doubtful
claim less ten minutes, or by the exact e-mail where that costs fewer requests. Our marker on a customer proves
that it is a row's own. The rules are pure; `Sweep` only asks.
"""

from bulk_import.reconcile.claims import MOST_GENERATIONS, Generations, needs_sweep, next_generation
from bulk_import.reconcile.judging import (
    OVERLAP,
    Absent,
    Case,
    Evidence,
    Found,
    Judge,
    Open,
    Verdict,
    still_in_doubt,
)
from bulk_import.reconcile.remainder import Remainder
from bulk_import.reconcile.scope import BY_EMAIL, Scope
from bulk_import.reconcile.sweep import Look, Sweep

__all__ = [
    "BY_EMAIL",
    "MOST_GENERATIONS",
    "OVERLAP",
    "Absent",
    "Case",
    "Evidence",
    "Found",
    "Generations",
    "Judge",
    "Look",
    "Open",
    "Remainder",
    "Scope",
    "Sweep",
    "Verdict",
    "needs_sweep",
    "next_generation",
    "still_in_doubt",
]
