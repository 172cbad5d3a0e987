"""What is around every answer: Stripe's headers, and how refusals and stored answers are told."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

from bulk_import.simulator.exchange import Answer, Call, Refused
from bulk_import.simulator.idempotency import Stored
from bulk_import.simulator.ids import Minted
from bulk_import.simulator.operations import Shown
from bulk_import.simulator.records import show

API_VERSION = "2026-10-28.endive"


class Envelope:
    """Makes the headers that come with every answer."""

    def __init__(self, ids: Minted) -> None:
        self._ids = ids
        self._second = -1
        self._date = ""

    def request_id(self) -> str:
        """A fresh request id."""
        return self._ids.next()

    def around(self, call: Call, now: float) -> dict[str, str]:
        """A request id, the account's own clock, and what Stripe echoes."""
        if self._second != int(now):
            self._second = int(now)
            self._date = formatdate(self._second, usegmt=True)
        asked = call.headers
        headers = {
            "Request-Id": self._ids.next(),
            "Date": self._date,
            "Stripe-Version": asked.get("stripe-version", API_VERSION),
        }
        if "idempotency-key" in asked:
            headers["Idempotency-Key"] = asked["idempotency-key"]
        if "stripe-account" in asked:
            headers["Stripe-Account"] = asked["stripe-account"]
        return headers


def answer(status: int, body: Any, headers: Mapping[str, str]) -> Answer:
    """An answer whose body is plain JSON."""
    if isinstance(body, Shown):
        body = show(body.record, body.livemode, body.expand)
    return Answer(status, body, headers)


def refusal(refused: Refused, headers: Mapping[str, str]) -> Answer:
    """An error answer."""
    return Answer(refused.status, refused.body, {**headers, **refused.headers})


def replay(stored: Stored, headers: Mapping[str, str]) -> Answer:
    """A stored answer again; a stored 500 will not get better."""
    more = {"Idempotent-Replayed": "true", "Original-Request": stored.request_id}
    if stored.status >= 500:
        more["Stripe-Should-Retry"] = "false"
    return answer(stored.status, stored.body, {**headers, **more})
