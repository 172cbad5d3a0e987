"""A bare TCP server on loopback that answers as it is told, well or badly, and remembers what it was sent.

    async with MisbehavingServer(cut_short) as server:
        ...                      # ask server.base; then look at server.requests and server.connections

A behaviour is an async function of a `Visit` (one request on one connection). Several behaviours are
played in turn, one a request, and the last one goes on for ever. The connection stays open after a behaviour
unless it called `hang_up` or `reset`. `BEHAVIOURS` names the ones that need no arguments.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

CUSTOMER = {"id": "cus_Fake1", "object": "customer", "email": "a@example.com", "livemode": False, "metadata": {}}
DATE = "Mon, 23 Nov 2026 10:00:00 GMT"
DATE_SECONDS = 1795428000.0
PACE = 0.02
"""Seconds between two bytes of a server that trickles."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request as its bytes arrived; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Visit:
    """One request and the connection it came on."""

    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    open: bool = True

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def trickle(self, data: bytes) -> None:
        """Write *data* byte by byte until it is out or the client has gone."""
        for index in range(len(data)):
            await self.write(data[index : index + 1])
            if await self.client_leaves(within=PACE):
                break
        self.hang_up()

    async def client_leaves(self, within: float | None = None) -> bool:
        """True once the client has closed its side; it is not expected to send anything more."""
        try:
            return not await asyncio.wait_for(self.reader.read(1), within)
        except TimeoutError:
            return False

    def hang_up(self) -> None:
        self.open = False
        self.writer.close()

    def reset(self) -> None:
        """Close with a TCP reset instead of a farewell."""
        self.open = False
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Visit], Awaitable[None]]


class MisbehavingServer:
    """The server: `base` is its URL, `requests` what it got so far, `connections` how many were opened."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.base = ""
        self._behaviours = behaviours
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read_request(reader):
                self.requests.append(request)
                visit = Visit(request, reader, writer)
                await self._behaviours[min(len(self.requests), len(self._behaviours)) - 1](visit)
                if not visit.open:
                    return
        except ConnectionError:
            pass  # the client left first, as many of these behaviours make it do
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    """The next request, None at the end of the connection or when what comes is no plain HTTP."""
    try:
        first = await reader.readexactly(1)
        if first == b"\x16":  # a TLS greeting
            return Received("TLS", "", {}, b"")
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    request_line, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = request_line.split(" ")
    return Received(method, target, headers, body)


def response(body: bytes | object = CUSTOMER, status: int = 200, **headers: str) -> bytes:
    """The bytes of one answer; `request_id="req_1"` becomes a header, a body that is not bytes becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"content-type": "application/json", "date": DATE, "content-length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


def refusal(kind: str = "invalid_request_error", **details: str) -> dict[str, Any]:
    """A body in the shape of Stripe's errors."""
    return {"error": {"type": kind, "message": "No.", **details}}


@dataclass(frozen=True)
class Answering:
    """A behaviour: give this answer and keep the connection."""

    body: bytes | object = field(default_factory=lambda: CUSTOMER)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, visit: Visit) -> None:
        await visit.write(response(self.body, self.status, **self.headers))


@dataclass(frozen=True)
class Saying:
    """A behaviour: say exactly these bytes, then hang up."""

    data: bytes

    async def __call__(self, visit: Visit) -> None:
        await visit.write(self.data)
        visit.hang_up()


async def say_nothing(visit: Visit) -> None:
    await visit.client_leaves()
    visit.hang_up()


async def trickle_body(visit: Visit) -> None:
    whole = response()
    start = whole.index(b"\r\n\r\n") + 4
    await visit.write(whole[:start])
    await visit.trickle(whole[start:])


async def trickle_headers(visit: Visit) -> None:
    await visit.trickle(response(x_padding="x" * 500))


async def interim_answers_without_end(visit: Visit) -> None:
    while not await visit.client_leaves(within=PACE):
        await visit.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    visit.hang_up()


async def cut_short(visit: Visit) -> None:
    await visit.write(response()[:-20])
    visit.hang_up()


async def cut_a_chunk_short(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n" + b'{"id": "cus_')
    visit.hang_up()


async def close_at_once(visit: Visit) -> None:
    visit.hang_up()


async def reset_at_once(visit: Visit) -> None:
    visit.reset()


async def reset_within_the_body(visit: Visit) -> None:
    await visit.write(response()[:-20])
    visit.reset()


async def gzip_bomb(visit: Visit) -> None:
    """One GiB of blanks in a MiB, never complete."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # A full flush ends on a byte and forgets what came before, so the same bytes can be said again and again.
    mebibyte = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    start = gzip.compress(b"")[:10]
    await visit.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n")
    await visit.write(b"a\r\n" + start + b"\r\n")
    for _ in range(1024):
        await visit.write(f"{len(mebibyte):x}\r\n".encode() + mebibyte + b"\r\n")
    visit.hang_up()


async def body_without_end(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    for _ in range(64):
        await visit.write(b" " * 2**18)
    visit.hang_up()


BEHAVIOURS: Mapping[str, Behaviour] = {
    "says nothing": say_nothing,
    "trickles the body": trickle_body,
    "trickles the headers": trickle_headers,
    "interim answers without end": interim_answers_without_end,
    "body cut short": cut_short,
    "chunk cut short": cut_a_chunk_short,
    "closes": close_at_once,
    "resets": reset_at_once,
    "resets within the body": reset_within_the_body,
    "garbage": Saying(b"\x00\x01 what is this \xff\r\n\r\n"),
    "headers without end": Saying(b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 100_000 + b"\r\n\r\n"),
    "wrong gzip": Saying(response(b"this is no gzip", content_encoding="gzip")),
    "gzip bomb": gzip_bomb,
    "huge body": body_without_end,
    "huge body announced": Saying(response(content_length=str(2**33))),
    "HTML 200": Answering(b"<html><body>Welcome</body></html>", headers={"content_type": "text/html"}),
    "HTML 502": Answering(b"<html>Bad gateway</html>", 502, {"content_type": "text/html", "request_id": "req_502"}),
    "empty 200": Answering(b""),
    "half JSON": Answering(b'{"id": "cus_1", "obj'),
    "invalid UTF-8": Answering(b'{"id": "cus_1", "name": "\xff\xfe"}'),
    "NaN": Answering(b'{"id": "cus_1", "balance": NaN}'),
    "lone surrogate": Answering(b'{"id": "cus_1", "name": "\\ud800"}'),
    "deep nesting": Answering(b"[" * 200_000),
    "null": Answering(None),
    "a list": Answering([]),
    "no id": Answering({"object": "customer"}),
    "error with 200": Answering(refusal()),
    "error that is a list": Answering({"error": []}, 400),
    "error that is text": Answering({"error": "invalid_grant", "error_description": "no"}, 400),
    "error that is null": Answering({"error": None}, 500),
    "429 with a reason": Answering(
        refusal(code="rate_limit"), 429, {"stripe_rate_limited_reason": "endpoint-rate", "stripe_should_retry": "true"}
    ),
    "429 lock_timeout": Answering(refusal(code="lock_timeout"), 429, {"stripe_should_retry": "true"}),
    "409": Answering(refusal("idempotency_error", code="idempotency_key_in_use"), 409),
    "replayed 500": Answering(
        refusal("api_error"), 500, {"idempotent_replayed": "true", "stripe_should_retry": "false"}
    ),
    "a notice": Answering(headers={"stripe_notice": "Please upgrade."}),
}
