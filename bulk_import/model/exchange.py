"""What goes to Stripe and comes back: requests, replies, customers as they are shown, and ranges of them still to be read.

What each request makes anew is a named tuple: that takes a third of the time of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from bulk_import.model.records import Params


class Endpoint(StrEnum):
    """Stripe's named operations that we use; each has a rate limit of its own (Stripe facts, section 2)."""

    CREATE = "create"
    LIST = "list"
    SEARCH = "search"
    UPDATE = "update"
    RETRIEVE = "retrieve"
    DELETE = "delete"
    ATTACH = "attach"
    ACCOUNT = "account"


NOTHING: Params = MappingProxyType({})
"""No parameters."""


class Request(NamedTuple):
    """One request as we mean it: `path` starts with `/v1/`, `params` is the body of a POST or the query of a GET."""

    endpoint: Endpoint
    method: str
    path: str
    params: Params = NOTHING
    idempotency_key: str | None = None


class Reply(NamedTuple):
    """Whatever came back for one attempt, success or not; never an exception.

    `status` is None when no complete answer arrived and `fault` then names what broke
    (`timeout`, `connect`, `reset`, `truncated`, `oversized`, `tls`, `certificate`, `protocol`). With an answer, `fault` is
    `not-json` when its body could not be read as JSON. `seconds` is how long the attempt took.
    """

    status: int | None
    body: Any = None
    fault: str | None = None
    detail: str | None = None
    request_id: str | None = None
    limited_reason: str | None = None
    retry_after: float | None = None
    should_retry: bool | None = None
    replayed: bool = False
    stripe_time: float | None = None
    location: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as a list or a retrieve shows it, reduced to what the importer asks about."""

    id: str
    email: str | None
    created: int
    livemode: bool
    marker: str | None = None
    deleted: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def without_raw(self) -> Customer:
        """The same without all else there is to be seen of it; a third of what `replace` takes, for each of thousands."""
        return Customer(self.id, self.email, self.created, self.livemode, self.marker, self.deleted)


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of `created`, in whole seconds, still to be listed: from `low` (included) to `high` (not); None is open.

    `cursor` is the last customer that was read of it and `oldest` when that one was created.
    """

    id: int
    low: int | None = None
    high: int | None = None
    cursor: str | None = None
    oldest: int | None = None
