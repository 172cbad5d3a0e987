"""Sends one request to Stripe and says what came back: requests in, replies out.

The only module that imports stripe and aiohttp's client. Importing it costs about a third of a second, so import it
where sending begins. Each `send` is one attempt on the wire: nothing here, in stripe-python or in aiohttp, tries twice.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import ssl
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bulk_import.keys import SecretKey
from bulk_import.model import Reply, Request
from bulk_import.stripe_api.answer import Answer, Broken, read_answer
from bulk_import.stripe_api.form import flatten, why_unsendable


@contextmanager
def _quietly() -> Iterator[None]:
    """Hides the variable that makes stripe-python print parameters, and what it prints while it is imported."""
    asked_to_print = os.environ.pop("STRIPE_LOG", None)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        if asked_to_print is not None:
            os.environ["STRIPE_LOG"] = asked_to_print


with _quietly():
    import stripe

stripe.enable_telemetry = False  # it would write a file into the user's home and send timings

STRIPE_VERSION = "2026-10-28.endive"
"""The API version this tool is written for; a ledger records it and goes on with the recorded one."""

MAX_BODY = 8 * 2**20
"""The largest answer that is read, in bytes after decompression; a full page of customers has less than one MiB."""

# Aiohttp's exceptions, the narrower class before the wider one.
_FAULTS: tuple[tuple[type[Exception], str, str], ...] = (
    (TimeoutError, "timeout", "{host} did not answer in time"),
    (aiohttp.ClientConnectorCertificateError, "tls", "The TLS certificate of {host} is not trusted here"),
    (aiohttp.ClientSSLError, "tls", "{host} does not speak TLS as it should"),
    (aiohttp.ServerFingerprintMismatch, "tls", "The TLS certificate of {host} is not the expected one"),
    (aiohttp.ClientConnectorDNSError, "connect", "The name {host} could not be resolved"),
    (aiohttp.ClientProxyConnectionError, "connect", "The proxy on the way to {host} could not be reached{why}"),
    (aiohttp.ClientHttpProxyError, "connect", "The proxy on the way to {host} refused to connect"),
    (aiohttp.ClientConnectorError, "connect", "{host} could not be reached{why}"),
    (aiohttp.ClientPayloadError, "truncated", "The answer of {host} was cut short or damaged"),
    (aiohttp.ClientConnectionError, "reset", "{host} closed the connection before its answer was complete"),
    (OSError, "reset", "The connection to {host} broke{why}"),
    (aiohttp.ClientResponseError, "protocol", "{host} answered with something that is not HTTP"),
    (aiohttp.InvalidURL, "protocol", "{host} cannot be asked: the address is not a URL"),
    (aiohttp.ClientError, "protocol", "The exchange with {host} failed"),
)


def describe_fault(error: BaseException, host: str) -> Broken:
    """What one exception of the transport means; the sentence names only its kind and *host*."""
    number = getattr(error, "errno", None)
    why = f" ({os.strerror(number).lower()})" if isinstance(number, int) and number > 0 else ""
    for kind, fault, sentence in _FAULTS:
        if isinstance(error, kind):
            return Broken(fault, sentence.format(host=host, why=why))
    return Broken("protocol", f"The request to {host} could not be made ({type(error).__name__})")


@dataclass(slots=True)
class _Flight:
    """What really happened on the wire in one call, kept apart from what the SDK makes of it."""

    result: Answer | Broken | None = None


# Each `send` sets its own flight before it calls the SDK, and the transport fills it within the same task.
_flight: ContextVar[_Flight] = ContextVar("flight")


class _Dropped(Exception):
    """A connection broke under a request that aiohttp would otherwise send again by itself."""


class _Transport(stripe.HTTPClient):
    """stripe-python's way onto the network: our own session, no redirects, bounded bodies, one attempt."""

    name = "aiohttp"

    def __init__(self, key: SecretKey, base: str, connections: int) -> None:
        super().__init__()
        self._key = key
        self._host = urlsplit(base).hostname or base
        secure = urlsplit(base).scheme == "https"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=trusted_certificates() if secure else True),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the only deadline is that of `send`
            middlewares=(self._send_once,),
            # Instead of aiohttp's trust_env, which hops to a thread twice a request to read the environment,
            # and fails every request when a .netrc names the host.
            proxy=_find_proxy(base),
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        flight = _flight.get()
        body = None if post_data is None else post_data.encode()
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await _read_bounded(response)
        except _Oversized:
            flight.result = Broken("oversized", f"The answer of {self._host} is larger than {MAX_BODY >> 20} MiB")
        except _Dropped as dropped:
            flight.result = describe_fault(dropped.__cause__ or dropped, self._host)
        except Exception as error:
            flight.result = describe_fault(error, self._host)
        else:
            secret, mask = self._key.reveal(), str(self._key)
            # A server that repeats the key, in "Invalid API Key provided: …", must not bring it into ledger and reports.
            named = {name.lower(): value.replace(secret, mask) for name, value in response.headers.items()}
            content = content.replace(secret.encode(), mask.encode())
            flight.result = Answer(response.status, named, content)
            return content, response.status, named
        # Raised out here, so that it carries no chain of exceptions whose frames hold the request's headers.
        raise stripe.APIConnectionError(flight.result.detail)  # type: ignore[no-untyped-call]  # the SDK's gap

    async def _send_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # The SDK knows the key only by its mask, so that none of its objects, errors and logs can show it.
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            # Aiohttp repeats a GET or DELETE whose kept connection broke: unpaced, and a second DELETE answers 404.
            raise _Dropped from error

    async def close_async(self) -> None:
        await self._session.close()


class _Oversized(Exception):
    """An answer outgrew what we are willing to hold."""


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or 0) > MAX_BODY:
        raise _Oversized
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > MAX_BODY:
            raise _Oversized
    return bytes(content)


def trusted_certificates() -> ssl.SSLContext:
    """The system's certificates (a company's own proxy, say) and the SDK's, for machines that bring none."""
    context = ssl.create_default_context()
    context.load_verify_locations(stripe.ca_bundle_path)
    return context


def _find_proxy(base: str) -> str | None:
    """The proxy that the environment names for *base*; never one for a server on this machine."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    if host == "localhost" or host == "::1" or host.startswith("127.") or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


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
        self._deadline = deadline
        self._host = urlsplit(base).hostname or base
        self._transport = _Transport(key, base, connections)
        self._client = stripe.StripeClient(
            str(key),
            stripe_account=stripe_account,
            stripe_version=stripe_version or STRIPE_VERSION,
            base_addresses={"api": base},
            max_network_retries=0,
            http_client=self._transport,
        )

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
        flight = _Flight()
        token = _flight.set(flight)
        try:
            async with asyncio.timeout(self._deadline):
                await self._call_sdk(request)
        except TimeoutError:
            return Broken("timeout", f"{self._host} gave no complete answer within {self._deadline:g} s")
        except Exception as error:
            # Only the class is looked at: the SDK's message quotes the body, and it loses headers on the way.
            unsent = f"Nothing was sent to {self._host}: stripe-python refused the request ({type(error).__name__})"
            return flight.result or Broken("protocol", unsent)
        finally:
            _flight.reset(token)
        return flight.result or Broken("protocol", f"{self._host} was not asked at all")

    async def _call_sdk(self, request: Request) -> None:
        options: dict[str, Any] = {}
        if request.method.upper() == "POST":
            options["idempotency_key"] = request.idempotency_key
        params = flatten(request.params)
        await self._client.raw_request_async(request.method.lower(), request.path, **params, **options)

    async def aclose(self) -> None:
        """Close every connection; a `send` under way ends as a broken one."""
        await self._transport.close_async()
