"""What a reply says by itself, whatever it was an answer to: an object, a refusal, or that the run must stop (pure).

A stored answer is replayed under its key, and 429s and conflicts are answered before anything is executed (Stripe facts,
sections 3 and 7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulk_import.model import Endpoint, Refusal, Reply, Request
from bulk_import.steps import Makes
from bulk_import.wording import terminal_safe, without_keys

CUSTOMER_ID = re.compile(r"cus_[\w-]{1,251}", re.ASCII)
"""An id has 255 characters at most; Stripe's own have but letters and digits behind the prefix, other servers' need not."""

_CUSTOMER = re.compile(rf"/v1/customers/({CUSTOMER_ID.pattern})", re.ASCII)
IDS = {
    Makes.CUSTOMER: CUSTOMER_ID,
    Makes.PAYMENT_METHOD: re.compile(r"(?:pm|card|src|ba)_[\w-]+", re.ASCII),
    Makes.TAX_ID: re.compile(r"txi_[\w-]+", re.ASCII),
}
OF_ALL = (Endpoint.CREATE, Endpoint.LIST, Endpoint.SEARCH, Endpoint.ACCOUNT)
"""What is asked of no single thing, so that no 404 means that it is missing."""

NOT_SERVED = (404, 405, 501)
"""Answers that may only mean that this server knows no such address: one that stands in for Stripe need not have them all."""

OF_PAGES = (Endpoint.LIST, Endpoint.SEARCH)
"""What is answered by a page."""

HALTING_CODES = frozenset(
    {"account_invalid", "api_key_expired", "platform_api_key_expired", "secret_key_required"},
)

LONGEST_MESSAGE = 1000
"""Characters that are kept of what a refusal says."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop the whole run: the refusal is about us, not about this row."""

    message: str


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
    error = error_in(reply.body)
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
    return reply.status is not None and 400 <= reply.status < 500 and error_in(reply.body) is not None


def is_bare(reply: Reply) -> bool:
    """Tell whether this is a 4xx without Stripe's error object: a proxy may have sent it."""
    return reply.status is not None and 400 <= reply.status < 500 and error_in(reply.body) is None


def is_missing(reply: Reply) -> bool:
    """Tell whether Stripe itself says that what was asked for is not there: only this makes anything gone."""
    return reply.status == 404 and refusal_of(reply).code == "resource_missing"


def refuses(request: Request, reply: Reply) -> bool:
    """Tell whether *reply* is Stripe's own refusal of *request*, to be believed as it is.

    A 404 to what is asked of a single thing is one only where it says that this thing is missing: any other is of an
    address that nobody knows, and whoever passes requests on may send it.
    """
    return is_refusal(reply) and (reply.status != 404 or request.endpoint in OF_ALL or is_missing(reply))


def is_doubtful(request: Request, reply: Reply) -> bool:
    """Tell whether a refusal is to be believed only when it comes twice: a proxy's, or that a customer is missing.

    Who is asked for by id was shown before, and Stripe shows the deleted as deleted: it would contradict itself.
    """
    of_a_customer = request.method == "GET" and _CUSTOMER.fullmatch(request.path) is not None
    return is_bare(reply) or (of_a_customer and is_missing(reply))


def object_in(reply: Reply, makes: Makes) -> Mapping[str, Any] | None:
    """The object of this kind that a 200 holds, or None when it holds no such thing."""
    body = reply.body
    if reply.status != 200 or not isinstance(body, dict):
        return None
    found = body.get("id")
    if not isinstance(found, str) or not IDS[makes].fullmatch(found) or body.get("error"):
        return None
    return body


def created_in(reply: Reply) -> int | None:
    """When Stripe says that the customer of a 200 was made; None without one, and for one whose time a test clock tells."""
    shown = object_in(reply, Makes.CUSTOMER)
    made = shown.get("created") if shown is not None and not shown.get("test_clock") else None
    return made if isinstance(made, int) else None


def answers(request: Request, body: Mapping[str, Any]) -> bool:
    """Tell whether a 200 holds what was asked for: that very customer, or a page; of anything else, no error.

    What is not, may be the answer to another request, left on a connection: it says nothing of this one.
    """
    if "error" in body or (request.endpoint in OF_PAGES and not isinstance(body.get("data"), list)):
        return False
    asked = _CUSTOMER.fullmatch(request.path) if request.method == "GET" else None
    return asked is None or body.get("id") == asked[1]


def of_another_mode(body: Mapping[str, Any], *, livemode: bool) -> Halt | None:
    """Return why the run must stop when *body*, or anything in the list that it is, belongs to the other mode."""
    other, listed = not livemode, body.get("data")
    shown = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else ()
    if body.get("livemode") is not other and not any(one.get("livemode") is other for one in shown):
        return None
    seen, meant = ("test", "live") if livemode else ("live", "test")
    return Halt(f"Stripe answered with a {seen}-mode customer where {meant} mode was expected; check the API key")


def was_not_executed(reply: Reply, refusal: Refusal) -> bool:
    """Tell whether Stripe turned the request away before doing anything: too many requests, or its key in use."""
    if reply.status == 429 or refusal.code == "rate_limit":
        return True
    return reply.status == 409 and error_in(reply.body) is not None


def never_began(reply: Reply) -> bool:
    """Tell whether the request surely changed nothing: nobody to send it to, or turned away for rate, key or permission."""
    if reply.status is None or reply.status == 200:
        return reply.fault in ("connect", "certificate")
    if reply.status in (401, 403):
        return is_refusal(reply)
    return reply.status == 429 or refusal_of(reply).code == "rate_limit"


def error_in(body: Any) -> Mapping[str, Any] | None:
    """Stripe's error object, None where an answer holds none."""
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
