"""The simulated account as a server on virtual time: latency, faults and outages, and a record of what arrived."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_plus

import anyio

from bulk_import.model import Reply, Request
from bulk_import.simulator import Account, Answer, Call, Fault, Faults, Limits, Ticket
from bulk_import.simulator.exchange import Refused, rate_limited
from bulk_import.simulator.faults import Canned, canned
from bulk_import.simulator.forms import decode
from bulk_import.simulator.limits import UNLIMITED
from bulk_import.simulator.routes import endpoint_of
from bulk_import.stripe_api.answer import Answer as WireAnswer
from bulk_import.stripe_api.answer import read_answer
from bulk_import.stripe_api.form import flatten

EPOCH = 1_790_000_000.0
"""Seconds since the epoch on Stripe's clock when the virtual loops' own clock shows zero."""

HANG = 120.0


@dataclass(slots=True)
class Arrival:
    """One request as it reached the server: the n-th of its endpoint, the m-th with its key."""

    at: float
    endpoint: str
    method: str
    path: str
    params: Mapping[str, Any]
    key: str | None
    nth: int
    attempt: int
    met: str | None = None

    @property
    def email(self) -> str:
        """The e-mail that a create carries."""
        return str(self.params.get("email", ""))


@dataclass(frozen=True, slots=True)
class Distorted:
    """Carried out as asked, but the customer shown is changed on the way back."""

    change: Callable[[dict[str, Any]], Any]


Trouble = Fault | Canned | Distorted
Broken = str
"""One of `Reply.fault`'s words."""


def refused(status: int, code: str | None, param: str | None = None, kind: str = "invalid_request_error") -> Canned:
    """A refusal in Stripe's shape that never reaches the account."""
    error = Refused(status, "No, as the test wants it.", code=code, param=param, type=kind)
    return Canned(status, error.body, {})


def limited(reason: str) -> Canned:
    """A 429 with its reason."""
    error = rate_limited(reason)
    return Canned(error.status, error.body, error.headers)


class VirtualStripe:
    """One account that outlives the processes that talk to it.

    `misbehave` is asked for each arrival what goes wrong; without it the rules of `faults` are. No request
    gets through between the two moments of `gone` (seconds of the loop's clock).
    """

    def __init__(
        self,
        *,
        existing: int = 0,
        latency: float = 0.2,
        seed: int = 0,
        search_lag: float = 2.0,
        limits: Limits = UNLIMITED,
    ) -> None:
        opened = EPOCH + 1000.0
        self.account = Account(seed=seed, existing=existing, now=opened, search_lag=search_lag, limits=limits)
        self.faults = Faults(seed=seed)
        self.misbehave: Callable[[Arrival], Trouble | None] | None = None
        self.gone = (0.0, 0.0)
        self.latency = latency
        self.arrivals: list[Arrival] = []
        self._dice = random.Random(seed)  # noqa: S311 - reproducible on purpose, guards nothing
        self._count: Counter[str] = Counter()
        self._tried: Counter[str | None] = Counter()
        self._late: dict[int, Ticket] = {}

    async def send(self, request: Request, key: str, deadline: float) -> Reply:
        """Make one attempt at *request*, as the way to Stripe would."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        result: Answer | Canned | Broken = "timeout"
        with anyio.move_on_after(deadline):
            result = await self._exchange(request, key)
        seconds = loop.time() - began
        if isinstance(result, str):
            return Reply(None, fault=result, detail=f"no answer came ({result})", seconds=seconds)
        return read_answer(_on_the_wire(result), now=self.now(), seconds=seconds)

    def now(self) -> float:
        """The account's own clock."""
        return EPOCH + asyncio.get_running_loop().time()

    def land(self, at: float) -> None:
        """Carry out whatever is still on its way, at *at* on the account's clock: no process waits for it."""
        for number in list(self._late):
            self._carry_out_late(number, at)

    def create(self, email: str, at: float, **params: Any) -> str:
        """Somebody else makes a customer; its id."""
        headers = {"authorization": "Bearer sk_test_somebody_else"}
        answer = self.account.handle(Call("POST", "/v1/customers", {"email": email, **params}, headers), at)
        assert answer.status == 200, answer.body
        return str(answer.body["id"])

    def change(self, customer: str, at: float, **params: Any) -> None:
        """Somebody else updates a customer."""
        headers = {"authorization": "Bearer sk_test_somebody_else"}
        answer = self.account.handle(Call("POST", f"/v1/customers/{customer}", params, headers), at)
        assert answer.status == 200, answer.body

    def delete(self, customer: str, at: float) -> None:
        """Somebody else deletes a customer."""
        headers = {"authorization": "Bearer sk_test_somebody_else"}
        answer = self.account.handle(Call("DELETE", f"/v1/customers/{customer}", {}, headers), at)
        assert answer.status == 200, answer.body

    async def _exchange(self, request: Request, key: str) -> Answer | Canned | Broken:
        if self.gone[0] <= asyncio.get_running_loop().time() < self.gone[1]:
            return "connect"
        arrival = self._arrive(request)
        trouble = self._trouble(arrival)
        arrival.met = trouble.name if isinstance(trouble, Fault) else None if trouble is None else "other"
        await anyio.sleep(self._dice.uniform(0.0, self.latency / 2))
        match trouble:
            case Canned():
                return trouble
            case Fault() if trouble.behaviour.seen == "canned":
                return canned(trouble)
            case Fault(name="hang"):
                await anyio.sleep(HANG)
                return "reset"
            case Fault(name="refuse" | "reset"):
                return "reset"
        begun = self.account.begin(_call(request, key), self.now())
        if isinstance(trouble, Fault) and trouble.behaviour.acts == "later":
            self._act_later(begun, trouble.seconds)
            return "reset"
        answer = await self._work(begun, trouble)
        await anyio.sleep(self._dice.uniform(0.0, self.latency / 2))
        return answer if isinstance(answer, Broken) else _seen(answer, trouble)

    async def _work(self, begun: Answer | Ticket, trouble: Trouble | None) -> Answer | Broken:
        """A client that is gone does not stop the server: whatever was let in is carried out."""
        if isinstance(begun, Answer):
            return begun
        number = self._keep(begun)
        try:
            await anyio.sleep(self._dice.uniform(0.0, self.latency / 2))
        except anyio.get_cancelled_exc_class():
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: self._carry_out_late(number, EPOCH + loop.time()))
            raise
        if self._late.pop(number, None) is None:  # it has landed meanwhile, and its answer is lost
            return "reset"
        if isinstance(trouble, Fault) and trouble.behaviour.seen == "stored-500":
            return self.account.finish(begun, self.now(), "after" if trouble.acts else "before")
        return self.account.finish(begun, self.now())

    def _act_later(self, begun: Answer | Ticket, seconds: float) -> None:
        if isinstance(begun, Ticket):
            loop = asyncio.get_running_loop()
            number = self._keep(begun)
            loop.call_later(seconds, lambda: self._carry_out_late(number, EPOCH + loop.time()))

    def _keep(self, ticket: Ticket) -> int:
        number = len(self.arrivals) * 2 + len(self._late)
        while number in self._late:
            number += 1
        self._late[number] = ticket
        return number

    def _carry_out_late(self, number: int, at: float) -> None:
        ticket = self._late.pop(number, None)
        if ticket is not None:
            self.account.finish(ticket, at)

    def _arrive(self, request: Request) -> Arrival:
        endpoint = endpoint_of(request.method, request.path)
        self._count[endpoint] += 1
        key = request.idempotency_key
        self._tried[key] += 1
        params = flatten(request.params)
        at = asyncio.get_running_loop().time()
        arrival = Arrival(
            at, endpoint, request.method, request.path, params, key, self._count[endpoint], self._tried[key]
        )
        self.arrivals.append(arrival)
        return arrival

    def _trouble(self, arrival: Arrival) -> Trouble | None:
        if self.misbehave is not None:
            return self.misbehave(arrival)
        return self.faults.draw(arrival.endpoint, arrival.method, self.now())


def _call(request: Request, key: str) -> Call:
    form = flatten(request.params)
    text = "&".join(f"{name}={quote_plus(str(value))}" for name, value in form.items())
    headers = {"authorization": f"Bearer {key}"}
    if request.idempotency_key is not None:
        headers["idempotency-key"] = request.idempotency_key
    return Call(request.method, request.path, decode(text) if text else {}, headers)


def _seen(answer: Answer, trouble: Trouble | None) -> Answer | Broken:
    """What the client sees of an answer that the account gave."""
    if isinstance(trouble, Distorted):
        return replace(answer, body=trouble.change(dict(answer.body)))
    if not isinstance(trouble, Fault):
        return answer
    match trouble.behaviour.seen:
        case "closed":
            return "reset"
        case "half":
            return "truncated"
        case "other-mode":
            return replace(answer, body={**answer.body, "livemode": not answer.body["livemode"]})
        case _:
            return answer


def _on_the_wire(answer: Answer | Canned) -> WireAnswer:
    body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    kind = answer.content_type if isinstance(answer, Canned) else "application/json"
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return WireAnswer(answer.status, {"content-type": kind, **headers}, body.encode())
