"""A server light enough that the client is what is measured, yet honest: it reads every form and keeps every key.

`POST /v1/customers` parses the body, makes a customer of about Stripe's size out of it (metadata and all), stores the answer
under its idempotency key and replays it. Customers can be listed and searched as far as a run asks. Nothing else is played:
the simulator is for that. A hand-made protocol, because aiohttp's server costs more than the clients that are measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections import deque
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEPT = 200_000
"""So many customers and keys are remembered: memory must not end a benchmark of a million rows."""

END = 2**40
"""Seconds since the epoch that no customer reaches."""

HEADS = {status: f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\n".encode() for status in (200, 404, 429)}


_IDS, _STEP = 10**14, 61_803_398_874_989
"""Every number below the first is met once when it is reached by steps of the second, which have no factor in common."""


def scattered(number: int) -> int:
    """The number in a customer's id: Stripe's are in no order, and an index feels that."""
    return number * _STEP % _IDS


def gathered(number: int) -> int:
    """Which customer has this number in its id."""
    return number * pow(_STEP, -1, _IDS) % _IDS


class Account:
    """Everything there is, in memory."""

    def __init__(self) -> None:
        self.made = self.requests = self.connections = self.open = self.most_open = 0
        self.first_create = self.last_create = 0.0
        self.customers: deque[dict[str, Any]] = deque()
        self.answers: dict[str, bytes] = {}
        self.by_email: dict[str, dict[str, Any]] = {}
        self.flying = self.most_flying = 0

    def create(self, key: str, body: bytes) -> tuple[bytes, bool]:
        """The customer's JSON, and whether it is an answer given before."""
        if found := self.answers.get(key):
            return found, True
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.made += 1
        self.last_create = time.time()
        self.first_create = self.first_create or self.last_create
        address = {
            name: form.get(f"address[{name}]") for name in ("city", "country", "line1", "line2", "postal_code", "state")
        }
        customer: dict[str, Any] = {
            "id": f"cus_{scattered(self.made):014d}", "object": "customer", "address": address if any(address.values()) else None,
            "balance": 0, "created": int(time.time()), "currency": None, "default_source": None, "delinquent": False,
            "description": form.get("description"), "discount": None, "email": form.get("email"),
            "invoice_prefix": f"{self.made:08X}", "invoice_settings": {
                "custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None,
            }, "livemode": False, "metadata": {n[9:-1]: v for n, v in form.items() if n.startswith("metadata[")},
            "name": form.get("name"), "next_invoice_sequence": 1, "phone": form.get("phone"), "preferred_locales": [],
            "shipping": None, "tax_exempt": "none", "test_clock": None,
        }  # fmt: skip
        answer = json.dumps(customer).encode()
        if len(self.customers) >= KEPT:
            self.by_email.pop(self.customers.pop()["email"], None)
        self.customers.appendleft(customer)
        self.by_email[customer["email"]] = customer
        if len(self.answers) >= KEPT:
            del self.answers[next(iter(self.answers))]
        self.answers[key] = answer
        return answer, False

    def read(self, target: str) -> tuple[int, bytes]:
        """The answer to a GET."""
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        match url.path:
            case "/v1/account":
                answer: Any = {"id": "acct_benchmark", "object": "account"}
            case "/v1/customers":
                answer = self._page(query)
            case "/v1/customers/search":
                answer = {"object": "search_result", "data": [], "has_more": False, "total_count": len(self.customers)}
            case "/counts":
                names = ("made", "requests", "connections", "most_open", "most_flying", "first_create", "last_create")
                answer = {name: getattr(self, name) for name in names} | {"cpu": time.process_time()}
            case _:
                error = {"type": "invalid_request_error", "code": "resource_missing", "message": "not there"}
                return 404, json.dumps({"error": error}).encode()
        return 200, json.dumps(answer).encode()

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        if "email" in query:
            found = self.by_email.get(query["email"])
            return {"object": "list", "data": [found] if found else [], "has_more": False, "url": "/v1/customers"}
        limit, since = int(query.get("limit", 10)), int(query.get("created[gte]", 0))
        until = min(int(query.get("created[lt]", END)), int(query.get("created[lte]", END)) + 1)
        page: list[dict[str, Any]] = []
        after = query.get("starting_after")
        # A customer's number is in its id and the newest come first, so the place of the cursor is known.
        start = self.made - gathered(int(after[4:])) + 1 if after else 0
        # A deque is slow to index in its middle, and what is wanted may lie there.
        for customer in islice(self.customers, start, None):
            if customer["created"] >= until:
                continue
            if customer["created"] < since or len(page) > limit:
                break
            page.append(customer)
        return {"object": "list", "data": page[:limit], "has_more": len(page) > limit, "url": "/v1/customers"}


class Connection(asyncio.Protocol):
    """One kept connection: requests one after the other."""

    def __init__(self, account: Account, latency: float, jitter: float) -> None:
        self._account = account
        self._latency, self._jitter = latency, jitter
        self._waiting = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        account = self._account
        account.connections += 1
        account.open += 1
        account.most_open = max(account.most_open, account.open)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no longer."""
        self._account.open -= 1

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            lines = self._waiting[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            stop = end + 4 + int(headers.get("content-length", 0))
            if len(self._waiting) < stop:
                return
            body, self._waiting = self._waiting[end + 4 : stop], self._waiting[stop:]
            self._answer(lines[0], headers, body)

    def _answer(self, line: str, headers: dict[str, str], body: bytes) -> None:
        method, target, _ = line.split(" ")
        account = self._account
        account.requests += 1
        key = headers.get("idempotency-key", "")
        if method == "POST" and target == "/v1/customers":
            status, (content, replayed) = 200, account.create(key, body)
        else:
            (status, content), replayed = account.read(target), False
        more = f"Idempotency-Key: {key}\r\n" if key else ""
        more += "Idempotent-Replayed: true\r\n" if replayed else ""
        self._say(
            HEADS[status]
            + f"Date: {_date(int(time.time()))}\r\nRequest-Id: req_{account.requests:014d}\r\n{more}"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )

    def _say(self, answer: bytes) -> None:
        account = self._account
        account.flying += 1
        account.most_flying = max(account.most_flying, account.flying)
        if not self._latency:
            return self._land(answer)
        seconds = random.uniform(self._latency - self._jitter, self._latency + self._jitter)  # noqa: S311 - no secret
        asyncio.get_running_loop().call_later(seconds, self._land, answer)
        return None

    def _land(self, answer: bytes) -> None:
        self._account.flying -= 1
        self._transport.write(answer)


_dates: dict[int, str] = {}


def _date(second: int) -> str:
    if second not in _dates:
        _dates.clear()
        _dates[second] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
    return _dates[second]


async def serve(latency: float, jitter: float) -> None:
    """Say the port and serve until standard input is closed, each answer *latency* ± *jitter* seconds late."""
    gc.disable()  # nothing here makes cycles, and looking for them among all customers takes the time that is measured
    loop = asyncio.get_running_loop()
    account = Account()
    server = await loop.create_server(lambda: Connection(account, latency, jitter), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(*map(float, sys.argv[1:] or (0, 0))))
