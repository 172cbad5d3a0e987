"""A second Stripe, written apart from the simulator: bytes on a socket, with manners and misdeeds of its own.

    with RawStripe() as server:
        server.misbehave = lambda visit: ...    # asked for each create; answers True once it has dealt with it
        ...                                     # run the tool against server.url, then look at server.customers

It keeps Stripe's rules of idempotency (a stored answer is replayed, a key in use is 409, other parameters are
refused), lists newest first, and knows no search. It runs in a thread; what it holds is the oracle.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came in; times are monotonic seconds."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def is_create(self) -> bool:
        return self.method == "POST" and self.path == "/v1/customers"

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")


@dataclass(slots=True)
class Visit:
    """A request and its connection; `nth` counts creates from 1."""

    server: RawStripe
    request: Arrival
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    nth: int = 0
    open: bool = True

    @property
    def email(self) -> str:
        return self.request.form.get("email", "")

    async def say(self, status: int, body: Any, *, kind: str = "application/json", **headers: str) -> None:
        """A whole answer; a body that is not bytes becomes JSON."""
        await self.write(answer(status, body, kind=kind, **headers))

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hang_up(self) -> None:
        self.open = False
        self.writer.close()

    async def reset(self) -> None:
        self.open = False
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def act(self) -> tuple[int, Json, dict[str, str]]:
        """Carry the create out, as Stripe would: a status, a body and headers."""
        return await self.server.create(self.request)


Misdeed = Callable[[Visit], Awaitable[None]]


def answer(status: int, body: Any, *, kind: str = "application/json", **headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": kind, "Content-Length": str(len(content)), "Date": formatdate(usegmt=True)}
    named |= {"Request-Id": f"req_{time.monotonic_ns():x}"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


def error(kind: str = "invalid_request_error", message: str = "No.", **more: str) -> Json:
    return {"error": {"type": kind, "message": message, **more}}


def nested(form: dict[str, str], name: str) -> dict[str, str]:
    """The entries of one hash of a form: `metadata[a]=1` is `{"a": "1"}`."""
    return {key[len(name) + 1 : -1]: value for key, value in form.items() if key.startswith(f"{name}[")}


@dataclass(slots=True)
class RawStripe:
    """The server; `misbehave` is asked for each create and gives what happens to it, None for nothing odd.

    `keys` are the API keys it takes, all of the account `account`; None is one that it does not name to anybody. The ids
    of its customers begin with `ids`.
    """

    latency: float = 0.02
    keys: set[str] | None = None
    account: str | None = "acct_raw"
    ids: str = "cus_Raw"
    misbehave: Callable[[Visit], Misdeed | None] = lambda _: None
    misread: Callable[[Visit], Misdeed | None] = lambda _: None
    customers: dict[str, Json] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    stored: dict[str, tuple[bytes, tuple[int, Json] | None]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    forgets_keys: bool = False
    url: str = ""
    creates: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    # The thread it lives in.

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join(10)

    def _live(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._greet, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(self._loop.create_task(self._converse(reader, writer)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await self._read(reader):
                self.arrivals.append(request)
                visit = Visit(self, request, reader, writer)
                await self._serve(visit)
                if not visit.open:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left first
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Arrival | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        return Arrival(time.monotonic(), method, parts.path, dict(parse_qsl(parts.query)), headers, body)

    # What it does.

    async def _serve(self, visit: Visit) -> None:
        request = visit.request
        if request.is_create:
            self.creates += 1
            visit.nth = self.creates
        misdeed = self.misbehave(visit) if request.is_create else self.misread(visit)
        if misdeed is not None:
            return await misdeed(visit)
        await asyncio.sleep(self.latency)
        if self.keys is not None and request.headers.get("authorization", "")[7:] not in self.keys:
            said = f"Invalid API Key provided: {request.headers.get('authorization', '')[7:]}"
            return await visit.say(401, error(message=said))
        if request.is_create:
            status, body, headers = await visit.act()
            return await visit.say(status, body, **headers)
        return await visit.say(*self._read_something(request))

    def _read_something(self, request: Arrival) -> tuple[int, Json]:
        if request.path == "/v1/account":
            if self.account is None:
                return 403, error(message="The provided key does not have the required permissions for this endpoint.")
            return 200, {"id": self.account, "object": "account"}
        if request.path == "/v1/customers" and request.method == "GET":
            return self._list(request.query)
        found = self.customers.get(request.path.rpartition("/")[2])
        if request.path == "/v1/customers/search" or found is None:
            return 404, error(message="No such thing", code="resource_missing")
        if request.method == "DELETE":
            self.customers[found["id"]] = {"id": found["id"], "object": "customer", "deleted": True}
        return 200, self.customers[found["id"]]

    def _list(self, query: dict[str, str]) -> tuple[int, Json]:
        found = [c for c in reversed(self.customers.values()) if not c.get("deleted") and _fits(c, query)]
        if after := query.get("starting_after"):
            ids = [c["id"] for c in found]
            if after not in ids:
                return 404, error(message=f"No such customer: {after}", code="resource_missing")
            found = found[ids.index(after) + 1 :]
        limit = int(query.get("limit", "10"))
        return 200, {"object": "list", "data": found[:limit], "has_more": len(found) > limit}

    async def create(self, request: Arrival) -> tuple[int, Json, dict[str, str]]:
        """Create a customer under the rules of idempotency."""
        key = request.key or f"none-{time.monotonic_ns()}"
        if key in self.stored and not self.forgets_keys:
            body, stored = self.stored[key]
            if body != request.body:
                return 400, error("idempotency_error", "Keys can only be used with the same parameters."), {}
            if stored is None:
                return 409, error("idempotency_error", "In use.", code="idempotency_key_in_use"), {}
            return *stored, {"Idempotent_Replayed": "true"}
        self.stored[key] = (request.body, None)
        made = self._made(request.form)
        self.stored[key] = (request.body, (200, made))
        return 200, made, {"Idempotency_Key": key}

    def _made(self, form: dict[str, str]) -> Json:
        found = f"{self.ids}{len(self.customers) + 1:06}"
        self.customers[found] = {
            "id": found, "object": "customer", "email": form.get("email"), "name": form.get("name"),
            "created": int(time.time()), "livemode": False, "metadata": nested(form, "metadata"),
        }  # fmt: skip
        return self.customers[found]


def _fits(customer: Json, query: dict[str, str]) -> bool:
    if "email" in query and customer["email"] != query["email"]:
        return False
    if customer.get("test_clock") != query.get("test_clock"):
        return False
    created = int(customer["created"])
    low, high = int(query.get("created[gte]", 0)), int(query.get("created[lt]", 2**40))
    return low <= created < high and created <= int(query.get("created[lte]", 2**40))
