"""Sends one request to Stripe and says what came back: requests in, replies out.

The only module that imports stripe and aiohttp's client. Importing it costs about a third of a second, so import it
where sending begins. stripe-python decides on address, version, account and every other header, aiohttp carries. Each
`send` is one attempt on the wire: nothing here or in aiohttp tries twice.
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
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from bulk_import.keys import SecretKey
from bulk_import.model import Reply, Request
from bulk_import.stripe_api.answer import Answer, Broken, read_answer
from bulk_import.stripe_api.form import encoded, flatten, why_unsendable


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


class _Specimen(stripe.HTTPClient):
    """Takes the place of a network: keeps the address and the headers of what stripe-python would send."""

    name = "aiohttp"

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.headers: Mapping[str, str] = {}

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        self.url, self.headers = url, dict(headers)
        return b"{}", 200, {}


class _Dropped(Exception):
    """A connection broke under a request that aiohttp would otherwise send again by itself."""


class _Transport:
    """The way onto the network: our own session, no redirects, bounded bodies, one attempt."""

    def __init__(self, key: SecretKey, base: str, connections: int) -> None:
        self._key = key
        self._host = urlsplit(base).hostname or base
        secure = urlsplit(base).scheme == "https"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=trusted_certificates() if secure else True),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the only deadline is that of `send`
            # Instead of aiohttp's trust_env, which hops to a thread twice a request to read the environment,
            # and fails every request when a .netrc names the host.
            proxy=_find_proxy(base),
            middlewares=(self._send_once,),
        )

    async def carry(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer | Broken:
        """Make one attempt; only cancellation and the deadline's are raised."""
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await _read_bounded(response)
            return Answer(response.status, self._masked_headers(response.headers), self._masked(content))
        except _Oversized:
            return Broken("oversized", f"The answer of {self._host} is larger than {MAX_BODY >> 20} MiB")
        except _Dropped as dropped:
            return describe_fault(dropped.__cause__ or dropped, self._host)
        except Exception as error:
            return describe_fault(error, self._host)

    def _masked(self, content: bytes) -> bytes:
        """A server that repeats the key, in "Invalid API Key provided: …", must not bring it into ledger and reports."""
        return content.replace(self._key.reveal().encode(), str(self._key).encode())

    def _masked_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        secret = self._key.reveal()
        if secret not in "\n".join(headers.values()):
            return headers
        return {name.lower(): value.replace(secret, str(self._key)) for name, value in headers.items()}

    async def _send_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # stripe-python knows the key only by its mask, so that none of its objects, errors and logs can show it.
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            # Aiohttp repeats a GET or DELETE whose kept connection broke: unpaced, and a second DELETE answers 404.
            raise _Dropped from error

    async def aclose(self) -> None:
        await self._session.close()


class _Oversized(Exception):
    """An answer outgrew what we are willing to hold."""


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    announced = response.content_length
    if (announced or 0) > MAX_BODY:
        raise _Oversized
    if announced is not None and "Content-Encoding" not in response.headers:
        return await response.read()  # no more than was announced, and at once: the usual answer
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


ANY_PATH = "/v1/customers"
NEVER_SHARED = ("Authorization", "Idempotency-Key")
"""Headers of a specimen that no other request may have."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What all requests of one method have in common, as stripe-python writes it."""

    base: str
    headers: Mapping[str, str]


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
        self._specimen = _Specimen()
        self._client = stripe.StripeClient(
            str(key),
            stripe_account=stripe_account,
            stripe_version=stripe_version or STRIPE_VERSION,
            base_addresses={"api": base},
            max_network_retries=0,
            http_client=self._specimen,
        )
        self._heads: dict[str, _Head] = {}

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
            head = self._heads.get(request.method) or await self._compose(request.method)
            form = encoded(flatten(request.params))
        except (ValueError, stripe.StripeError) as error:
            return Broken(
                "protocol", f"Nothing was sent to {self._host}: the request has no form ({type(error).__name__})"
            )
        url, headers, body = head.base + request.path, head.headers, None
        if request.method == "POST":
            headers, body = {**headers, "Idempotency-Key": request.idempotency_key or ""}, form.encode()
        elif form:
            url += "?" + form
        try:
            async with asyncio.timeout(self._deadline):
                return await self._transport.carry(request.method, url, headers, body)
        except TimeoutError:
            return Broken("timeout", f"{self._host} gave no complete answer within {self._deadline:g} s")

    async def _compose(self, method: str) -> _Head:
        """Have stripe-python write a request of this method once; all others differ in path, form and key alone.

        It would write every one of them anew, version, account and platform each time, log it twice and read each answer
        into objects that nobody asks for: more work than aiohttp has with the request itself.
        """
        await self._client.raw_request_async(method.lower(), ANY_PATH)
        kept = {name: value for name, value in self._specimen.headers.items() if name not in NEVER_SHARED}
        self._heads[method] = _Head(self._specimen.url.removesuffix(ANY_PATH), kept)
        return self._heads[method]

    async def aclose(self) -> None:
        """Close every connection; a `send` under way ends as a broken one."""
        await self._transport.aclose()
