"""The way to one Stripe account for a program that asks now and then: paced, retried, and never for long."""

from __future__ import annotations

import asyncio
import math
import random
import time
from types import TracebackType
from typing import Any, Self

from bulk_import.errors import OutOfReach, StripeRefuses, UsageError
from bulk_import.job.caps import endpoint_caps
from bulk_import.job.identity import Account, identify
from bulk_import.keys import parse_key
from bulk_import.model import Reply, Request
from bulk_import.options import STRIPE, Pacing
from bulk_import.pace import Gate
from bulk_import.replies import answers, halting, is_bare, refusal_of, refuses, was_not_executed
from bulk_import.settle import backoff
from bulk_import.stripe_api.sending import StripeApi

SALT = b"find_or_create"
"""Stands for an account that will not tell its id; the same in every process, so that their keys agree."""

ATTEMPTS = 6
REMEMBERED = 1000
"""Keys without a customer that are remembered, the newest ones."""


class TooLate(Exception):
    """A request's turn came when it must not be sent any more; never leaves this package."""


class Client:
    """One key of one account; use it as `async with Client(...)`, in one event loop, by as many tasks as you like.

    *rate* is the most requests in any second, *timeout* one attempt's deadline and *patience* the longest that one
    call of `find_or_create` may take, both in seconds. *namespace* keeps the keys of one program apart from those of
    another. A live key works only with *live*. Raises `UsageError` for a key that cannot be used.
    """

    def __init__(
        self,
        api_key: str,
        *,
        live: bool = False,
        api_base: str = STRIPE,
        stripe_account: str | None = None,
        rate: float = 20.0,
        timeout: float = 10.0,
        patience: float = 30.0,
        namespace: str = "sign-up",
    ) -> None:
        self._key = parse_key(api_key)
        if self._key.livemode and (not live or api_base != STRIPE):
            raise UsageError("a live key works only with live=True, and is sent to Stripe alone; give a test key")
        if live and not self._key.livemode:
            raise UsageError("live=True was given with a test key; give the live key, or leave live out")
        self._api_base = api_base
        self._stripe_account = stripe_account
        self._pacing = Pacing(rate=rate, rate_is_explicit=True, timeout=timeout)
        self._account: Account | None = None
        self._asking = asyncio.Lock()
        self._stuck: dict[str, float] = {}
        self._spent: dict[str, None] = {}
        self._api: StripeApi | None = None
        self.livemode = self._key.livemode
        self.patience = patience
        self.namespace = namespace
        self.searches = True
        """Whether this account has a search; False once it was refused."""
        self.deadline = timeout
        self._told: tuple[float, float] | None = None

    async def __aenter__(self) -> Self:
        pacing = self._pacing
        # Each call has its own patience: a gate that gives up stays closed, and this one lives as long as the program.
        self._gate = Gate(pacing.rate, endpoint_caps(pacing), give_up_after=math.inf)
        self._api = StripeApi(
            self._key,
            base=self._api_base,
            stripe_account=self._stripe_account,
            connections=self._gate.max_in_flight,
            deadline=pacing.timeout,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._api is not None:
            await self._api.aclose()

    async def account(self) -> Account:
        """Whose key this is, asked once."""
        async with self._asking:
            if self._account is None:
                self._account = await identify(self.ask, self._key, self._api_base, SALT)
            return self._account

    @property
    def scope(self) -> str:
        """What keys are made of besides the account: the program, the connected account and the mode."""
        return f"{self.namespace}:{self._stripe_account or ''}:{'live' if self.livemode else 'test'}"

    def now(self) -> float:
        """Stripe's own time as last seen and carried on from there, so that every machine has the same day."""
        if self._told is None:
            return time.time()
        told, at = self._told
        return told + asyncio.get_running_loop().time() - at

    def stuck_for(self, key: str) -> float:
        """For how many seconds it has been known here that all there is under *key* is a stored answer of no use."""
        now = asyncio.get_running_loop().time()
        since = self._stuck.setdefault(key, now)
        _forget_oldest(self._stuck)
        return now - since

    def spend(self, key: str) -> None:
        """Note that all there is under *key* is a refusal, so that nobody waits to see what may come of it."""
        self._spent[key] = None
        _forget_oldest(self._spent)

    def is_spent(self, key: str) -> bool:
        """Whether *key* is known to lead only to a refusal."""
        return key in self._spent

    async def send(self, request: Request, *, before: float = math.inf) -> Reply:
        """Make one attempt, once the gate lets it start; raises `TooLate` when that is not *before* a time of Stripe's."""
        if self._api is None:
            raise UsageError("the client is not open; use it as `async with Client(...) as client`")
        async with self._gate.turn(request.endpoint):
            if self.now() >= before:
                raise TooLate
            reply = await self._api.send(request)
            self._gate.heard(request.endpoint, reply)
        if reply.stripe_time is not None:
            self._told = reply.stripe_time, asyncio.get_running_loop().time()
        return reply

    async def ask(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        """Read something; a 200 with an object, or a refusal of Stripe's own, is the answer.

        So is a status in *accept*, but never without Stripe's error object: what this client takes from it lasts.

        Raises `StripeRefuses` where the key is refused and `OutOfReach` when no usable answer comes.
        """
        for tried in range(1, ATTEMPTS + 1):
            reply = await self.send(request)
            if reply.status == 200 and isinstance(reply.body, dict) and answers(request, reply.body):
                return reply
            accepted, refusal = reply.status in accept, refusal_of(reply)
            if accepted and not is_bare(reply):
                return reply
            if not accepted and (halt := halting(reply, refusal)):
                raise StripeRefuses(halt.message)
            if refuses(request, reply) and not was_not_executed(reply, refusal):
                return reply
            await asyncio.sleep(max(backoff(tried, random.random()), reply.retry_after or 0.0))  # noqa: S311 - spreads retries
        raise OutOfReach(f"Stripe gave no usable answer in {ATTEMPTS} attempts ({refusal.message}); try again later")


def _forget_oldest(remembered: dict[str, Any]) -> None:
    if len(remembered) > REMEMBERED:
        del remembered[next(iter(remembered))]
