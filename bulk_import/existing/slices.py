"""Where to cut what is left of a reading, so that several cursors read it side by side (pure).

Slices are half-open ranges of whole seconds of `created`, so that every customer lies in exactly one of them, however
many share a second. Nobody knows how customers are spread over the years; all there is to judge by is the last page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from bulk_import.model import Slice

FIRST_CUSTOMER = 1_262_304_000
"""2010-01-01, about when Stripe began: where cutting starts to be worth while; reading has no such bound."""

WORTH_READING = 3.0
"""Pages that a slice must promise, by the density of the last page."""

EVEN = 64.0
"""Pages up to which the density of the last page is believed to hold; beyond, slices grow from one to the next."""

GROWTH = 8.0


def are_within(dates: Iterable[int], low: int | None, high: int | None) -> bool:
    """Whether a list heeded the bounds it was given: one that does not shows the same in every slice, so cutting never ends."""
    return all((low is None or low <= at) and (high is None or at < high) for at in dates)


def seams(low: int | None, oldest: int, newest: int, most: int, pages_left: float) -> list[int]:
    """Up to *most* seconds at which to cut [low, oldest) after a page that spanned *oldest* to *newest*, newest first.

    No more than *pages_left* pages are known to be left; infinite where nothing is known.
    """
    floor = low if low is not None else FIRST_CUSTOMER if oldest > FIRST_CUSTOMER else 0
    span, page = oldest - floor, max(newest - oldest, 1)
    most = int(min(most, pages_left / WORTH_READING, span - 1))
    if most < 1 or span < WORTH_READING * page:
        return []
    return _even(oldest, span, page, most) if span <= EVEN * page else _growing(oldest, span, page, most)


def _even(oldest: int, span: int, page: int, most: int) -> list[int]:
    pieces = min(most + 1, max(2, int(span / page / WORTH_READING)))
    return sorted({oldest - span * n // pieces for n in range(1, pieces)}, reverse=True)


def _growing(oldest: int, span: int, page: int, most: int) -> list[int]:
    growth = max(GROWTH, (span / page) ** (1 / (most + 1)))
    steps = (page * growth**n for n in range(1, most + 1))
    return sorted({oldest - int(step) for step in steps if step < span}, reverse=True)


def cut(mine: Slice, at: list[int], next_id: int) -> tuple[Slice, list[Slice]]:
    """*mine* down to the first seam, and a slice from each seam to the one below it; the last ends where *mine* did."""
    if not at:
        return mine, []
    ends = list(pairwise([*at, mine.low]))
    others = [Slice(next_id + n, low, high) for n, (high, low) in enumerate(ends)]
    return replace(mine, low=at[0]), others
