"""Claims at rest: whose they are, whether they must be looked for before they go out again, and what replaces them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bulk_import.age import is_young
from bulk_import.model import (
    MARKER,
    Claim,
    Params,
    marker_of,
)

MOST_GENERATIONS = 3
"""New generations one row may get in one run."""


class Generations:
    """How many new generations each row was given in this run; a byte a row, since there may be a million of them."""

    def __init__(self) -> None:
        self._given = bytearray()

    def of(self, row: int) -> int:
        """How many this row was given."""
        return self._given[row] if row < len(self._given) else 0

    def give(self, row: int) -> None:
        """Count one more for this row."""
        self._given.extend(bytes(max(0, row + 1 - len(self._given))))
        self._given[row] += 1


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
        claim, generation=generation, params=params, claimed_at=now, doubt=None, attempted_at=None,
        seen_at=now,
    )  # fmt: skip


def needs_sweep(claim: Claim, now: float, fingerprint: str | None, *, clock_jumped: bool) -> bool:
    """Tell whether a claim at rest must be looked for before it may be sent again under its key.

    So it is when the key is too old or of the future, when our clock was moved, or when it was sent under
    another API key.
    """
    return clock_jumped or not is_young(claim.claimed_at, now) or claim.key_fingerprint != fingerprint
