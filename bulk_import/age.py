"""How long an idempotency key can be trusted (pure).

Stripe prunes keys once they are at least 24 hours old, and a key reused after that makes a second
customer (Stripe facts, section 3). So a key counts for 23 hours from the first claim of its generation,
and only while our clock can be believed.
"""

from __future__ import annotations

KEY_LIFE = 23 * 3600.0
"""Seconds from the first claim during which a key protects."""

CLOCK_TOLERANCE = 300.0
"""Seconds by which the wall clock may differ from what it should be."""


def is_young(claimed_at: float, now: float) -> bool:
    """Tell whether a key claimed at *claimed_at* still protects at *now*; a claim in the future never does."""
    return -CLOCK_TOLERANCE <= now - claimed_at < KEY_LIFE


def has_jumped(offset_then: float, offset_now: float) -> bool:
    """Tell whether the wall clock was moved, given its distance from boot time at two moments of one boot."""
    return abs(offset_now - offset_then) > CLOCK_TOLERANCE
