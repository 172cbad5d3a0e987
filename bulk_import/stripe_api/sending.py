"""Sends one request to Stripe and says what came back: requests in, replies out.

Importing it costs about a third of a second, so import it where sending begins. stripe-python composes, aiohttp
carries. Each `send` is one attempt on the wire: nothing here or in aiohttp tries twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from urllib.parse import urlsplit

from bulk_import.keys import SecretKey
from bulk_import.model import Reply, Request
from bulk_import.stripe_api.answer import Answer, Broken, read_answer
from bulk_import.stripe_api.composing import Composer
from bulk_import.stripe_api.deadline import Deadline
from bulk_import.stripe_api.form import encoded, flatten, why_unsendable
from bulk_import.stripe_api.transport import Transport


def _belongs(answer: Answer, request: Request) -> bool:
    """False when the answer names another key: a stray one that lay in wait on a kept connection."""
    echoed = answer.headers.get("idempotency-key")
    return echoed is None or request.idempotency_key is None or echoed == request.idempotency_key


def _silence_loggers() -> None:
    """Below WARNING these print paths with e-mails in them, parameters and whole answers."""
    for name in ("stripe", "aiohttp", "asyncio"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


class StripeApi:
    """Stripe, or a server that plays it at *base*, behind one key.

    Must be built inside the running loop, used only there, and closed with `aclose`. *deadline* is in seconds and
    covers one whole attempt: waiting for one of the *connections*, connecting, sending, and reading the answer.
    """

    def __init__(
        self,
        key: SecretKey,
        *,
        base: str = "https://api.stripe.com",
        stripe_account: str | None = None,
        connections: int,
        deadline: float = 30.0,
        stripe_version: str | None = None,
    ) -> None:
        _silence_loggers()
        base = base.rstrip("/")
        self._deadline = Deadline(deadline)
        self._host = urlsplit(base).hostname or base
        self._transport = Transport(key, base, connections)
        self._composer = Composer(key, base, stripe_account, stripe_version)

    async def send(self, request: Request) -> Reply:
        """Make one attempt at *request*; every failure is a `Reply`, and only cancellation is raised."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await self._attempt(request)
        seconds = loop.time() - began
        if isinstance(result, Answer) and not _belongs(result, request):
            result = Broken("protocol", f"{self._host} gave the answer to another request")
        if isinstance(result, Answer):
            return read_answer(result, now=time.time(), seconds=seconds)
        return Reply(status=None, fault=result.fault, detail=result.detail, seconds=seconds)

    async def _attempt(self, request: Request) -> Answer | Broken:
        if reason := why_unsendable(request):
            return Broken("protocol", f"Nothing was sent to {self._host}: {reason}")
        try:
            head = await self._composer.head(request.method)
            form = encoded(flatten(request.params))
        except ValueError as error:
            return Broken(
                "protocol",
                f"Nothing was sent to {self._host}: the request has no form ({type(error.__cause__ or error).__name__})",
            )
        url, headers, body = head.base + request.path, head.headers, None
        if request.method == "POST":
            headers, body = {**headers, "Idempotency-Key": request.idempotency_key or ""}, form.encode()
        elif form:
            url += "?" + form
        try:
            return await self._deadline.bound(self._transport.carry(request.method, url, headers, body))
        except TimeoutError:
            return Broken("timeout", f"{self._host} gave no complete answer within {self._deadline.seconds:g} s")

    async def aclose(self) -> None:
        """Close every connection; a `send` under way ends as a broken one."""
        await self._transport.aclose()
