"""The simulated account as an HTTP server on loopback: sockets, clocks and broken connections live here alone."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import random
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from weakref import WeakKeyDictionary

from aiohttp import web

from bulk_import.simulator.account import Ticket
from bulk_import.simulator.exchange import Answer, Call
from bulk_import.simulator.faults import Fault, Faults, canned
from bulk_import.simulator.forms import decode
from bulk_import.simulator.opening import Clock, open_account
from bulk_import.simulator.options import Options, check_host
from bulk_import.simulator.oracle import PREFIX, Arrival, Simulation, consult
from bulk_import.simulator.parent import when_stdin_ends
from bulk_import.simulator.routes import endpoint_of

HANG_SECONDS = 120.0
GLANCES = (1_000, 2, 1_000_000)
"""How often Python looks for unreachable cycles: among the newest objects only, and among few at a time.

Customers and log entries only grow, so older ones are never looked at again. A hundred thousand at once take 75 ms in which
nothing is read and nothing answered: at 500 requests a second 37 of them arrive in a heap, and a client that has kept its
cap seems to have broken it.
"""
_READ = ("authorization", "idempotency-key", "stripe-version", "stripe-account")
"""The headers the account looks at."""

_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class Play:
    """Answers HTTP requests out of a simulation, after a latency and with its faults."""

    def __init__(self, simulation: Simulation, options: Options, clock: Callable[[], float]) -> None:
        self._simulation = simulation
        self._latency, self._jitter = options.latency, options.jitter
        self._clock = clock
        self._dice = random.Random(f"latency:{options.seed}")  # noqa: S311 - reproducible on purpose, guards nothing
        self._connections: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()
        self._numbers = count(1)  # a closed connection's number is not given again
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Play one request."""
        path = request.path
        if path.startswith(PREFIX):
            body = (await request.read()).decode(errors="replace")
            return _response(consult(self._simulation, request.method, path, body))
        arrival = self._arrival(request, path)
        self._simulation.log.append(arrival)
        fault = self._simulation.faults.draw(arrival.endpoint, arrival.method, arrival.unix)
        arrival.fault = None if fault is None else fault.name
        if fault is not None and fault.name in ("refuse", "reset"):
            return _cut(request, reset=fault.name == "reset")
        body_bytes = await request.read()
        arrival.sha256 = hashlib.sha256(body_bytes).digest()
        call = _call(request, path, body_bytes)
        if fault is None:
            return _response(_noted(arrival, await self._answered(call, arrival.unix)))
        return await self._faulty(request, call, arrival, fault)

    def _arrival(self, request: web.BaseRequest, path: str) -> Arrival:
        transport = request.transport
        number = 0
        if transport is not None:
            if transport not in self._connections:
                self._connections[transport] = next(self._numbers)
            number = self._connections[transport]
        key = request.headers.get("Idempotency-Key")
        endpoint = endpoint_of(request.method, path)
        return Arrival(time.monotonic(), self._clock(), request.method, path, endpoint, number, key)

    async def _answered(self, call: Call, arrived: float, fault: Fault | None = None) -> Answer:
        """Let the account answer; it acts when the latency is over, and holds the key until then."""
        begun = self._simulation.account.begin(call, arrived)
        await self._wait()
        return self._finished(begun, fault)

    def _finished(self, begun: Answer | Ticket, fault: Fault | None = None) -> Answer:
        if isinstance(begun, Answer):
            return begun
        if fault is not None and fault.behaviour.seen == "stored-500":
            return self._simulation.account.finish(begun, self._clock(), "after" if fault.acts else "before")
        return self._simulation.account.finish(begun, self._clock())

    async def _wait(self) -> None:
        seconds = self._latency
        if self._jitter:
            seconds = self._dice.gauss(self._latency, self._jitter)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _faulty(self, request: web.BaseRequest, call: Call, arrival: Arrival, fault: Fault) -> web.StreamResponse:
        match fault.behaviour.seen:
            case "nothing":
                await asyncio.sleep(HANG_SECONDS)
                return _cut(request)
            case "canned":
                await self._wait()
                return self._canned(arrival, fault)
            case "closed" if fault.behaviour.acts == "later":
                self._act_later(call, arrival, fault)
                return _cut(request)
            case "closed":
                await self._answered(call, arrival.unix)
                return _cut(request)
            case "half":
                answer = await self._answered(call, arrival.unix)
                return await _half(request, _response(answer))
            case "other-mode":
                answer = _noted(arrival, await self._answered(call, arrival.unix))
                return _response(_other_mode(answer))
            case _:
                return _response(_noted(arrival, await self._answered(call, arrival.unix, fault)))

    def _act_later(self, call: Call, arrival: Arrival, fault: Fault) -> None:
        begun = self._simulation.account.begin(call, arrival.unix)

        async def act() -> None:
            await asyncio.sleep(fault.seconds)
            self._finished(begun)

        task = asyncio.create_task(act())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _canned(self, arrival: Arrival, fault: Fault) -> web.Response:
        reply = canned(fault)
        arrival.status, arrival.answered = reply.status, time.monotonic()
        headers = dict(reply.headers)
        if fault.name != "lock" and reply.content_type == "application/json":
            headers["Request-Id"] = self._simulation.account.request_id()
        if arrival.idempotency_key is not None and reply.content_type == "application/json":
            headers["Idempotency-Key"] = arrival.idempotency_key
        text = reply.body if isinstance(reply.body, str) else _compact(reply.body)
        return web.Response(status=reply.status, text=text, headers=headers, content_type=reply.content_type)

    async def close(self) -> None:
        """Drop what was to be carried out later."""
        for task in tuple(self._late):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _call(request: web.BaseRequest, path: str, body: bytes) -> Call:
    headers = {name: request.headers[name] for name in _READ if name in request.headers}
    query = request.rel_url.raw_query_string
    text = body.decode(errors="replace") if request.method == "POST" else query
    return Call(request.method, path, decode(text) if text else {}, headers)


def _noted(arrival: Arrival, answer: Answer) -> Answer:
    arrival.status, arrival.answered = answer.status, time.monotonic()
    arrival.replayed = "Idempotent-Replayed" in answer.headers
    return answer


def _response(answer: Answer) -> web.Response:
    body = _compact(answer.body).encode(errors="replace")
    headers = {**answer.headers, "Content-Type": "application/json"}
    return web.Response(status=answer.status, body=body, headers=headers)


def _other_mode(answer: Answer) -> Answer:
    if not isinstance(answer.body, Mapping) or "livemode" not in answer.body:
        return answer
    return Answer(answer.status, {**answer.body, "livemode": not answer.body["livemode"]}, answer.headers)


def _cut(request: web.BaseRequest, *, reset: bool = False) -> web.Response:
    """Close the connection under the client; what is returned is never sent."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if reset and raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _half(request: web.BaseRequest, whole: web.Response) -> web.StreamResponse:
    body = whole.body
    if not isinstance(body, bytes):
        raise TypeError("only a body in memory can be cut in half")
    response = web.StreamResponse(status=whole.status, headers=whole.headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up."""

    url: str
    simulation: Simulation


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Running]:
    """Serve until the block is left; raises `StateUnusable`, ValueError for a host, OSError for a port."""
    check_host(options.host)
    clock = Clock()
    account, journal = open_account(options, clock())
    simulation = Simulation(account, Faults(options.faults, options.seed))
    play = Play(simulation, options, clock)
    runner = web.ServerRunner(web.Server(play, access_log=None, keepalive_timeout=600), shutdown_timeout=0.5)
    try:
        await runner.setup()
        site = web.TCPSite(runner, options.host, options.port, backlog=1024)
        await site.start()
        port = runner.addresses[0][1]
        yield Running(f"http://{options.host}:{port}", simulation)
    finally:
        await play.close()
        await runner.cleanup()
        if journal is not None:
            journal.close()


async def serve_until_stopped(options: Options, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM, SIGINT or, if asked for, the end of standard input; *announce* gets one JSON line."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with running(options) as server:
        if options.exit_with_stdin:
            when_stdin_ends(loop, stopped.set)
        announce(json.dumps({"url": server.url, "account": server.simulation.account.id}))
        await stopped.wait()


def serve(options: Options, announce: Callable[[str], None]) -> None:
    """Run a simulator in this process until it is told to stop."""
    gc.set_threshold(*GLANCES)
    asyncio.run(serve_until_stopped(options, announce))
