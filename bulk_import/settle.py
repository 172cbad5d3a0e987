"""What one reply means for one row: done, again after a delay, or halt the run (pure).

Every rule here follows Stripe's own: a stored answer is replayed under its key, 429s and conflicts
are answered before anything is executed, and a 5xx says nothing of what happened (Stripe facts,
sections 3 and 7). A row is `failed` only by an answer that surely refused it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulk_import.model import MARKER, Created, Doubt, Failed, InDoubt, Outcome, Refusal, Reply, Request
from bulk_import.steps import Makes
from bulk_import.wording import terminal_safe, without_keys

CUSTOMER_ID = re.compile(r"cus_[A-Za-z0-9]{1,251}", re.ASCII)
"""An id of Stripe's has 255 characters at most."""

_CUSTOMER = re.compile(r"/v1/customers/(cus_\w+)", re.ASCII)
IDS = {
    Makes.CUSTOMER: CUSTOMER_ID,
    Makes.PAYMENT_METHOD: re.compile(r"(?:pm|card|src|ba)_[A-Za-z0-9_]+", re.ASCII),
    Makes.TAX_ID: re.compile(r"txi_[A-Za-z0-9]+", re.ASCII),
}
HALTING_CODES = frozenset(
    {"account_invalid", "api_key_expired", "platform_api_key_expired", "secret_key_required"},
)
LONGEST_MESSAGE = 1000
"""Characters that are kept of what a refusal says."""

FIRST_DELAY = 0.5
LONGEST_DELAY = 20.0
PATIENCE_WITH_409 = 20
"""Conflicts in a row after which another process must hold the key; the row is then in doubt."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must show to count as success: mode, our marker, else our e-mail; a step of an update, its target."""

    livemode: bool
    marker: str | None
    email: str | None
    target: str | None = None
    makes: Makes = Makes.CUSTOMER


@dataclass(frozen=True, slots=True)
class Tries:
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


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop the whole run: the refusal is about us, not about this row."""

    message: str


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


def halting(reply: Reply, refusal: Refusal) -> Halt | None:
    """Return why the run must stop when *reply* refuses the key, the permission, the account or the address."""
    said = f" ({refusal.message})" if refusal.message else ""
    asked = f"request {reply.request_id}" if reply.request_id else "the request"
    match reply.status:
        case 401:
            return Halt(
                f"Stripe refused the API key on {asked}{said}; give a working key and run the same command again"
            )
        case 403:
            return Halt(f"the API key lacks a permission on {asked}{said}; grant it and run the same command again")
        case status if status is not None and 300 <= status < 400:
            return Halt(
                f"the server answered {asked} with a redirect ({status}), which is never followed; "
                "check --api-base and any proxy, then run the same command again"
            )
        case _ if refusal.code in HALTING_CODES:
            return Halt(f"Stripe refused us on {asked}: {refusal.code}{said}; mend that and run the same command again")
    return None


def refusal_of(reply: Reply) -> Refusal:
    """What the reply says of itself, in the words of the export; for a broken answer, what broke."""
    error = _error_object(reply.body)
    if error is None:
        kind, text = _broken(reply)
        return Refusal(kind, None, None, text, reply.status, reply.request_id)
    message = _text(error.get("message"), LONGEST_MESSAGE)
    return Refusal(
        _text(error.get("type")), _text(error.get("code")), _text(error.get("param")),
        message, reply.status, reply.request_id,
    )  # fmt: skip


def is_refusal(reply: Reply) -> bool:
    """Tell whether Stripe itself refused the request for good: its JSON error object with a 4xx."""
    return reply.status is not None and 400 <= reply.status < 500 and _error_object(reply.body) is not None


def object_in(reply: Reply, makes: Makes) -> Mapping[str, Any] | None:
    """The object of this kind that a 200 holds, or None when it holds no such thing."""
    body = reply.body
    if reply.status != 200 or not isinstance(body, dict):
        return None
    found = body.get("id")
    if not isinstance(found, str) or not IDS[makes].fullmatch(found) or body.get("error"):
        return None
    return body


def answers(request: Request, body: Mapping[str, Any]) -> bool:
    """Tell whether a 200 holds what was asked for: of a customer, that very customer; of anything else, no error."""
    if "error" in body:
        return False
    asked = _CUSTOMER.fullmatch(request.path) if request.method == "GET" else None
    return asked is None or body.get("id") == asked[1]


def of_another_mode(body: Mapping[str, Any], *, livemode: bool) -> Halt | None:
    """Return why the run must stop when *body*, or anything in the list that it is, belongs to the other mode."""
    listed = body.get("data")
    shown = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not any(one.get("livemode") is (not livemode) for one in (body, *shown)):
        return None
    seen, meant = ("test", "live") if livemode else ("live", "test")
    return Halt(f"Stripe answered with a {seen}-mode customer where {meant} mode was expected; check the API key")


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


def was_not_executed(reply: Reply, refusal: Refusal) -> bool:
    """Tell whether Stripe turned the request away before doing anything: too many requests, or its key in use."""
    if reply.status == 429 or refusal.code == "rate_limit":
        return True
    return reply.status == 409 and _error_object(reply.body) is not None


def never_began(reply: Reply) -> bool:
    """Tell whether the request surely changed nothing: nobody to send it to, or turned away for rate, key or permission."""
    if reply.status is None or reply.status == 200:
        return reply.fault == "connect"
    if reply.status in (401, 403):
        return is_refusal(reply)
    return reply.status == 429 or refusal_of(reply).code == "rate_limit"


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


def _error_object(body: Any) -> Mapping[str, Any] | None:
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and any(isinstance(error.get(k), str) for k in ("type", "code", "message")):
        return error
    return None


def _broken(reply: Reply) -> tuple[str, str]:
    if reply.status is None:
        return "no_answer", reply.detail or f"no complete answer came back ({reply.fault})"
    if reply.status == 200:
        return "impossible_answer", "the server said 200 but what it sent is not the customer that was asked for"
    return "unclear_answer", f"the server answered {reply.status} without Stripe's error object"


def _text(value: Any, limit: int = 200) -> str | None:
    """What a server says, as it may be kept, exported and shown: short, in one line, without a key in it."""
    return terminal_safe(without_keys(value), limit) if isinstance(value, str) and value else None
