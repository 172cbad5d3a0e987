"""What goes in and comes out of the simulated account: calls, answers and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INVALID_REQUEST = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `params` is nested (decoded from bracket notation), header names are lower-case."""

    method: str
    path: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; `body` can be written as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Refused(Exception):
    """An error answer in Stripe's shape, raised where the trouble is seen."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type: str = INVALID_REQUEST,  # noqa: A002 - Stripe's own name of the field
        headers: Mapping[str, str] | None = None,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers: Mapping[str, str] = headers or {}
        said = {"type": type, "message": message, "code": code, "param": param, "decline_code": decline_code}
        self.body: dict[str, Any] = {"error": {name: value for name, value in said.items() if value is not None}}


def invalid(message: str, param: str | None, code: str | None = None) -> Refused:
    """A parameter that fails validation, before anything was executed."""
    return Refused(400, message, code=code, param=param)


def no_such(kind: str, id_: str, *, param: str | None, status: int = 400) -> Refused:
    """An id that names nothing in this account and mode."""
    return Refused(status, f"No such {kind}: '{id_}'", code="resource_missing", param=param)


def rate_limited(reason: str) -> Refused:
    """Too many requests, as the limiter in front of everything says it (Stripe facts, section 2)."""
    return Refused(
        429,
        "Too many requests reached this account at once; slow down and send it again later.",
        code="rate_limit",
        headers={"Stripe-Rate-Limited-Reason": reason},
    )


def key_in_use() -> Refused:
    """Another request with the same idempotency key is still running."""
    return Refused(
        409,
        "Another request with this Idempotency-Key is still running; wait and send it again.",
        code="idempotency_key_in_use",
        type="idempotency_error",
    )


def lock_timeout() -> Refused:
    """A lock on the object could not be had in time; nothing was processed."""
    return Refused(
        429,
        "This object is locked by another request or process; send the request again.",
        code="lock_timeout",
        headers={"Stripe-Should-Retry": "true"},
    )


def server_error(status: int = 500) -> Refused:
    """Something broke on the server's side; a 500 is stored under its key, so retrying would only replay it."""
    headers = {"Stripe-Should-Retry": "false"} if status == 500 else {}
    return Refused(status, "An unexpected error occurred on the server's side.", type="api_error", headers=headers)
