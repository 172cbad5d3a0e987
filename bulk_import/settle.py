"""What one reply means for one row: done, again after a delay, or halt the run (pure).

A 5xx says nothing of what happened (Stripe facts, section 7), so a row is `failed` only by an answer that surely
refused it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bulk_import.model import MARKER, Created, Doubt, Failed, InDoubt, Outcome, Refusal, Reply
from bulk_import.replies import (
    Halt,
    halting,
    is_refusal,
    object_in,
    of_another_mode,
    refusal_of,
    was_not_executed,
)
from bulk_import.steps import Makes

FIRST_DELAY = 0.5
LONGEST_DELAY = 20.0

PATIENCE_WITH_409 = 20
"""Conflicts in a row after which another process must hold the key; the row is then in doubt."""


class Expected(NamedTuple):
    """What an answer must show to count as success: mode, our marker, else our e-mail; a step of an update, its target."""

    livemode: bool
    marker: str | None
    email: str | None
    target: str | None = None
    makes: Makes = Makes.CUSTOMER


class Tries(NamedTuple):
    """What this process has tried for one row; times in seconds of one monotonic clock."""

    used: int = 0
    conflicts: int = 0
    waits: int = 0
    first_5xx: int | None = None
    first_5xx_ended: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How often, and how far apart: `deadline` is one attempt's total time in seconds."""

    attempts: int = 8
    deadline: float = 30.0


@dataclass(frozen=True, slots=True)
class Done:
    """The row is settled."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of an update is done: the id of what it made or changed, and the request that did it."""

    made: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Again:
    """Send the same bytes under the same key after `delay` seconds; `impossible` marks a 200 that is no success."""

    delay: float
    tries: Tries
    impossible: bool = False


Verdict = Done | Taken | Again | Halt


def settle(
    reply: Reply, expected: Expected, tries: Tries, limits: Limits, *, started: float, ended: float, chance: float
) -> Verdict:
    """Judge *reply* to an attempt that ran from *started* to *ended* (monotonic seconds).

    *chance* is a random number in [0, 1) that spreads retries.
    """
    if success := _success(reply, expected):
        return success
    refusal = refusal_of(reply)
    if reply.status is None:
        return _unclear(reply, refusal, tries, limits, started, ended, chance)
    if halt := halting(reply, refusal):
        return halt
    if reply.status == 200:
        return _impossible(reply, refusal, tries, limits, started, ended, chance)
    if was_not_executed(reply, refusal):
        return _wait_your_turn(reply, refusal, tries, chance)
    if is_refusal(reply) and refusal.type != "idempotency_error":
        if reply.should_retry and tries.used + 1 < limits.attempts:
            return _unclear(reply, refusal, tries, limits, started, ended, chance)
        return Done(Failed(refusal))
    return _unclear(reply, refusal, tries, limits, started, ended, chance)


def _impossible(
    reply: Reply, refusal: Refusal, tries: Tries, limits: Limits, started: float, ended: float, chance: float
) -> Verdict:
    verdict = _unclear(reply, refusal, tries, limits, started, ended, chance)
    return Again(verdict.delay, verdict.tries, impossible=True) if isinstance(verdict, Again) else verdict


def _success(reply: Reply, expected: Expected) -> Done | Taken | Halt | None:
    """What a 200 with what was asked for means, None for anything else."""
    shown = object_in(reply, expected.makes)
    if shown is None:
        return None
    if halt := of_another_mode(shown, livemode=expected.livemode):
        return halt
    if not _is_ours(shown, expected):
        return None
    if expected.target is not None:
        return Taken(shown["id"], reply.request_id)
    return Done(Created(shown["id"], reply.request_id))


def _is_ours(shown: Mapping[str, Any], expected: Expected) -> bool:
    if expected.makes is not Makes.CUSTOMER:
        return bool(shown.get("customer") == expected.target)
    if not isinstance(shown.get("livemode"), bool):
        return False
    if expected.target is not None:
        # What was sent to a customer who was there before carries no marker of ours.
        return bool(shown["id"] == expected.target)
    if expected.marker is not None:
        metadata = shown.get("metadata")
        return isinstance(metadata, dict) and metadata.get(MARKER) == expected.marker
    return expected.email is None or shown.get("email") == expected.email


def _wait_your_turn(reply: Reply, refusal: Refusal, tries: Tries, chance: float) -> Verdict:
    """429 and 409 were not executed: the same again, and no attempt is used up."""
    conflicts = tries.conflicts + 1 if reply.status == 409 else 0
    if conflicts >= PATIENCE_WITH_409:
        return Done(InDoubt(refusal))
    waits = tries.waits + 1
    delay = max(backoff(min(waits, 5), chance), reply.retry_after or 0.0)
    return Again(delay, Tries(tries.used, conflicts, waits, tries.first_5xx, tries.first_5xx_ended))


def _unclear(
    reply: Reply, refusal: Refusal, tries: Tries, limits: Limits, started: float, ended: float, chance: float
) -> Done | Again:
    """Stripe may have acted: the same key again, a few times, unless a stored answer ended that."""
    server_failed = reply.status is not None and reply.status >= 500
    repeated = server_failed and reply.status == tries.first_5xx and started >= tries.first_5xx_ended + limits.deadline
    used = tries.used + 1
    if reply.replayed or repeated or used >= limits.attempts or refusal.type == "idempotency_error":
        return Done(InDoubt(refusal, _doubt(reply.replayed and server_failed, repeated)))
    first = (tries.first_5xx, tries.first_5xx_ended)
    if server_failed and reply.status != tries.first_5xx:
        first = (reply.status, ended)
    delay = max(backoff(used, chance), reply.retry_after or 0.0)
    if first[0] is not None and used + 1 >= limits.attempts:
        # The last attempt comes late enough for a repeated 5xx to prove something.
        delay = max(delay, first[1] + limits.deadline - ended)
    return Again(delay, Tries(used, 0, tries.waits, *first))


def _doubt(replayed: bool, repeated: bool) -> Doubt:
    if replayed:
        return Doubt.REPLAYED
    return Doubt.REPEATED_5XX if repeated else Doubt.OPEN


def backoff(count: int, chance: float) -> float:
    """Seconds before try *count* + 1: doubling from half a second to 20 s, spread over its upper half."""
    return min(FIRST_DELAY * 2.0 ** (count - 1), LONGEST_DELAY) * (0.5 + 0.5 * chance)
